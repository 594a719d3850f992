package orgs

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/bind"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/org"
	"castellan/internal/provision"
	"castellan/internal/store"
	"castellan/internal/usermetadata"

	orgv2 "castellan/gen/zitadel/org/v2"
)

// Removal ends organizations with all that is theirs.
type Removal interface {
	// Org removes an organization, and returns its last state. It returns org.NotFound when there is none.
	Org(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.OrgID) (org.State, error)
}

// Service is the OrganizationService of all instances.
type Service struct {
	DB       store.DB
	Orgs     *org.Service
	Begin    *provision.Orgs
	Metadata *usermetadata.Service // of users who come to be with an organization
	Removal  Removal
}

// Table returns the methods that are served.
func (s *Service) Table() *bind.Table {
	return bind.Service(&orgv2.OrganizationService_ServiceDesc,
		bind.Unary("AddOrganization", s.AddOrganization),
		bind.Unary("UpdateOrganization", s.UpdateOrganization),
		bind.Unary("ListOrganizations", s.ListOrganizations),
		bind.Unary("DeleteOrganization", s.DeleteOrganization),
		bind.Unary("SetOrganizationMetadata", s.SetOrganizationMetadata),
		bind.Unary("ListOrganizationMetadata", s.ListOrganizationMetadata),
		bind.Unary("DeleteOrganizationMetadata", s.DeleteOrganizationMetadata),
		bind.Unary("AddOrganizationDomain", s.AddOrganizationDomain),
		bind.Unary("ListOrganizationDomains", s.ListOrganizationDomains),
		bind.Unary("DeleteOrganizationDomain", s.DeleteOrganizationDomain),
		bind.Unary("GenerateOrganizationDomainValidation", s.GenerateOrganizationDomainValidation),
		bind.Unary("VerifyOrganizationDomain", s.VerifyOrganizationDomain),
		bind.Unary("DeactivateOrganization", s.DeactivateOrganization),
		bind.Unary("ActivateOrganization", s.ActivateOrganization),
	)
}

// UpdateOrganization gives an organization another name. It returns the faults of org.Service.Rename.
func (s *Service) UpdateOrganization(ctx context.Context, at ident.InstanceID, req *orgv2.UpdateOrganizationRequest) (*orgv2.UpdateOrganizationResponse, error) {
	after, err := s.Orgs.Rename(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, req.GetName())
	if err != nil {
		return nil, err
	}
	return &orgv2.UpdateOrganizationResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteOrganization removes an organization with all that is its own. It returns the faults of
// removal.Service.Org.
func (s *Service) DeleteOrganization(ctx context.Context, at ident.InstanceID, req *orgv2.DeleteOrganizationRequest) (*orgv2.DeleteOrganizationResponse, error) {
	after, err := s.Removal.Org(ctx, at, call.From(ctx).Actor, ident.OrgID(req.GetOrganizationId()))
	if errors.Is(err, org.NotFound) {
		return &orgv2.DeleteOrganizationResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &orgv2.DeleteOrganizationResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeactivateOrganization ends that anybody of an organization can act. It returns EVENT-Dbs2g when nobody
// can.
func (s *Service) DeactivateOrganization(ctx context.Context, at ident.InstanceID, req *orgv2.DeactivateOrganizationRequest) (*orgv2.DeactivateOrganizationResponse, error) {
	after, err := s.Orgs.Deactivate(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &orgv2.DeactivateOrganizationResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// ActivateOrganization takes that back. It returns EVENT-bfnrh when the organization is active.
func (s *Service) ActivateOrganization(ctx context.Context, at ident.InstanceID, req *orgv2.ActivateOrganizationRequest) (*orgv2.ActivateOrganizationResponse, error) {
	after, err := s.Orgs.Reactivate(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &orgv2.ActivateOrganizationResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}
