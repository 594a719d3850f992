package admin

import (
	"context"
	"errors"

	"castellan/internal/api/bind"
	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/journal"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/policy"
	"castellan/internal/store"

	adminv1 "castellan/gen/zitadel/admin/v1"
	managementv1 "castellan/gen/zitadel/management/v1"
	orgv1 "castellan/gen/zitadel/org/v1"
)

// Service has the handlers of the services.
type Service struct {
	DB        store.DB
	Clock     ident.Clock
	Instances *instance.Service
	Policies  *policy.Service
	Journal   *journal.Reader
	Members   *member.Service
	// Version is the version of the running build, as GetMyInstance shows it.
	Version string
}

// Admin returns zitadel.admin.v1.AdminService.
func (s *Service) Admin() *bind.Table {
	return bind.Service(&adminv1.AdminService_ServiceDesc,
		bind.Unary("Healthz", s.healthz),
		bind.Unary("GetMyInstance", s.getMyInstance),
		bind.Unary("ListInstanceDomains", s.listInstanceDomains),
		bind.Unary("GetDefaultOrg", s.getDefaultOrg),
		bind.Unary("SetDefaultOrg", s.setDefaultOrg),
		bind.Unary("ListIAMMemberRoles", s.listIAMMemberRoles),
		bind.Unary("ListIAMMembers", s.listIAMMembers),
		bind.Unary("AddIAMMember", s.addIAMMember),
		bind.Unary("UpdateIAMMember", s.updateIAMMember),
		bind.Unary("RemoveIAMMember", s.removeIAMMember),
		bind.Unary("GetPasswordComplexityPolicy", s.getPasswordComplexityPolicy),
		bind.Unary("UpdatePasswordComplexityPolicy", s.updatePasswordComplexityPolicy),
		bind.Unary("GetDomainPolicy", s.getDomainPolicy),
		bind.Unary("UpdateDomainPolicy", s.updateDomainPolicy),
		bind.Unary("GetOIDCSettings", s.getOIDCSettings),
		bind.Unary("UpdateOIDCSettings", s.updateOIDCSettings),
		bind.Unary("ListEvents", s.listEvents),
		bind.Unary("ListEventTypes", s.listEventTypes),
		bind.Unary("ListAggregateTypes", s.listAggregateTypes),
	)
}

// Management returns zitadel.management.v1.ManagementService.
func (s *Service) Management() *bind.Table {
	return bind.Service(&managementv1.ManagementService_ServiceDesc,
		bind.Unary("Healthz", s.managementHealthz),
		bind.Unary("GetPasswordComplexityPolicy", s.getOrgComplexity),
		bind.Unary("AddCustomPasswordComplexityPolicy", s.addOrgComplexity),
		bind.Unary("UpdateCustomPasswordComplexityPolicy", s.updateOrgComplexity),
		bind.Unary("ResetPasswordComplexityPolicyToDefault", s.resetOrgComplexity),
	)
}

// healthz answers while the instance is served (contract section 7).
func (s *Service) healthz(context.Context, ident.InstanceID, *adminv1.HealthzRequest) (*adminv1.HealthzResponse, error) {
	return &adminv1.HealthzResponse{}, nil
}

// getMyInstance returns the instance with all its domains (contract section 2.2).
func (s *Service) getMyInstance(ctx context.Context, at ident.InstanceID, _ *adminv1.GetMyInstanceRequest) (*adminv1.GetMyInstanceResponse, error) {
	found, err := instance.Get(ctx, s.DB, at)
	if err != nil {
		return nil, err
	}
	return &adminv1.GetMyInstanceResponse{Instance: v1.Instance(found, s.Version)}, nil
}

// listInstanceDomains returns a page of the domains of the instance, see [v1.DomainsWanted].
func (s *Service) listInstanceDomains(ctx context.Context, at ident.InstanceID, req *adminv1.ListInstanceDomainsRequest) (*adminv1.ListInstanceDomainsResponse, error) {
	wanted, err := v1.DomainsWanted(req)
	if err != nil {
		return nil, err
	}
	asOf := s.Clock.Now()
	found, err := instance.Get(ctx, s.DB, at)
	if err != nil {
		return nil, err
	}
	total, page := found.SearchDomains(wanted)
	return &adminv1.ListInstanceDomainsResponse{
		Details: v1.Listed(total, asOf), SortingColumn: req.GetSortingColumn(), Result: v1.Domains(found.ID, page),
	}, nil
}

// getDefaultOrg returns the organization to which users belong who come without one.
func (s *Service) getDefaultOrg(ctx context.Context, at ident.InstanceID, _ *adminv1.GetDefaultOrgRequest) (*adminv1.GetDefaultOrgResponse, error) {
	var found org.State
	err := s.DB.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		of, err := instance.Get(ctx, q, at)
		if err != nil {
			return err
		}
		found, err = org.Get(ctx, q, at, of.DefaultOrg)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &adminv1.GetDefaultOrgResponse{Org: orgOf(found)}, nil
}

// orgOf shows an organization.
func orgOf(o org.State) *orgv1.Org {
	shown := &orgv1.Org{Id: o.ID, Details: v1.Details(o), State: orgv1.OrgState_ORG_STATE_INACTIVE, Name: o.Name}
	if o.Active {
		shown.State = orgv1.OrgState_ORG_STATE_ACTIVE
	}
	for _, d := range o.Domains {
		if d.Primary {
			shown.PrimaryDomain = d.Name
		}
	}
	return shown
}

// setDefaultOrg makes another organization the default one. It returns INSTA-Wfe21 for one that is not
// there and INST-SDfw2 for the one that it is.
func (s *Service) setDefaultOrg(ctx context.Context, at ident.InstanceID, req *adminv1.SetDefaultOrgRequest) (*adminv1.SetDefaultOrgResponse, error) {
	id := ident.OrgID(req.GetOrgId())
	after, err := s.Instances.SetDefaultOrg(ctx, at, call.From(ctx).Actor, id, func(ctx context.Context, tx store.Tx) error {
		err := org.Keep(ctx, tx, s.DB.Dialect(), at, id)
		if errors.Is(err, org.NotFound) {
			return fault.New(fault.FailedPrecondition, "INSTA-Wfe21", "Errors.Org.NotFound").
				WithViolation("org_id", "must be an organization of the instance").WithCause(err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &adminv1.SetDefaultOrgResponse{Details: v1.Changed(after)}, nil
}
