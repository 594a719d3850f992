package permissions

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/access"
	"castellan/internal/api/bind"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/store"

	permissionv2 "castellan/gen/zitadel/internal_permission/v2"
)

// Owners tells where things lie; access.Directory does.
type Owners interface {
	// Owner returns a fault of kind NotFound when there is no such thing.
	Owner(ctx context.Context, at ident.InstanceID, t access.Thing) (access.Owner, error)
}

// Service serves the administrators of all instances.
type Service struct {
	DB      store.DB
	Members *member.Service
	Owners  Owners
}

// Table returns the methods that are served.
func (s *Service) Table() *bind.Table {
	return bind.Service(&permissionv2.InternalPermissionService_ServiceDesc,
		bind.Unary("ListAdministrators", s.ListAdministrators),
		bind.Unary("CreateAdministrator", s.CreateAdministrator),
		bind.Unary("UpdateAdministrator", s.UpdateAdministrator),
		bind.Unary("DeleteAdministrator", s.DeleteAdministrator),
	)
}

// CreateAdministrator makes a user an administrator, see [member.Service.Add]. It returns AUTH-5mWD2, naming the
// role, when the caller may not give one of the roles, and the fault of a user who is not there when it is of
// another organization than the resource, whose users the caller may not read.
func (s *Service) CreateAdministrator(ctx context.Context, at ident.InstanceID, req *permissionv2.CreateAdministratorRequest) (*permissionv2.CreateAdministratorResponse, error) {
	on, home, err := s.giving(ctx, at, req.GetResource(), req.GetRoles())
	if err != nil {
		return nil, err
	}
	readable := call.From(ctx).Rights.Reach("user.read")
	wish := member.New{User: ident.UserID(req.GetUserId()), Roles: req.GetRoles(), Whom: func(org ident.OrgID) bool {
		return on.Scope() == member.Instance || org == home || readable.Org(org)
	}}
	made, err := s.Members.Add(ctx, at, call.From(ctx).Actor, on, wish)
	if err != nil {
		return nil, err
	}
	return &permissionv2.CreateAdministratorResponse{CreationDate: timestamppb.New(made.CreatedAt)}, nil
}

// UpdateAdministrator gives an administrator other roles, see [member.Service.Change]. It returns the faults of
// [Service.CreateAdministrator].
func (s *Service) UpdateAdministrator(ctx context.Context, at ident.InstanceID, req *permissionv2.UpdateAdministratorRequest) (*permissionv2.UpdateAdministratorResponse, error) {
	on, _, err := s.giving(ctx, at, req.GetResource(), req.GetRoles())
	if err != nil {
		return nil, err
	}
	after, err := s.Members.Change(ctx, at, call.From(ctx).Actor, on, ident.UserID(req.GetUserId()), member.Change{Roles: req.GetRoles()})
	if err != nil {
		return nil, err
	}
	return &permissionv2.UpdateAdministratorResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteAdministrator ends a membership. One that is not there has ended already: the answer has no date
// then.
func (s *Service) DeleteAdministrator(ctx context.Context, at ident.InstanceID, req *permissionv2.DeleteAdministratorRequest) (*permissionv2.DeleteAdministratorResponse, error) {
	on, err := resourceOf(req.GetResource())
	if err != nil {
		return nil, err
	}
	after, err := s.Members.Remove(ctx, at, call.From(ctx).Actor, on, ident.UserID(req.GetUserId()))
	switch {
	case fault.Of(err) != nil && fault.Of(err).ID == member.NotFound.ID:
		return &permissionv2.DeleteAdministratorResponse{}, nil
	case err != nil:
		return nil, err
	}
	return &permissionv2.DeleteAdministratorResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// giving returns the resource on which roles are given, when there are such roles for it and the caller may
// give them there; and the organization that is at home in it: the one itself, the owner of a project, the one
// to which a project is granted; none in an instance.
func (s *Service) giving(ctx context.Context, at ident.InstanceID, named *permissionv2.ResourceType, roles []string) (on member.Resource, home ident.OrgID, err error) {
	if on, err = resourceOf(named); err != nil {
		return on, "", err
	}
	if err := on.Scope().CheckRoles(roles); err != nil {
		return on, "", err
	}
	in := func(r call.Reach) bool { return r.Instance }
	if on.Scope() != member.Instance {
		of, err := s.Owners.Owner(ctx, at, thingOf(on))
		if err != nil {
			return on, "", err
		}
		in, home = of.In, cmp.Or(of.OtherOrg, of.Org)
	}
	return on, home, call.MayGive(call.From(ctx).Rights, roles, in)
}

// thingOf is a resource, other than the instance, as what lies somewhere.
func thingOf(on member.Resource) access.Thing {
	switch on.Scope() {
	case member.Project:
		return access.Thing{Kind: access.Project, ID: string(on.Project)}
	case member.ProjectGrant:
		return access.Thing{Kind: access.GrantedProject, ID: string(on.Project), Second: string(on.Org)}
	default:
		return access.Thing{Kind: access.Org, ID: string(on.Org)}
	}
}

// resourceOf reads what roles are on. The rules of the message do not ask for the resource itself, nor for
// the id in it; without one a call would be about the instance.
func resourceOf(named *permissionv2.ResourceType) (member.Resource, error) {
	var on member.Resource
	switch r := named.GetResource().(type) {
	case *permissionv2.ResourceType_Instance:
		if r.Instance {
			return on, nil
		}
	case *permissionv2.ResourceType_OrganizationId:
		on.Org = ident.OrgID(r.OrganizationId)
	case *permissionv2.ResourceType_ProjectId:
		on.Project = ident.ProjectID(r.ProjectId)
	case *permissionv2.ResourceType_ProjectGrant_:
		if g := r.ProjectGrant; g.GetProjectId() != "" && g.GetOrganizationId() != "" {
			on = member.Resource{Project: ident.ProjectID(g.GetProjectId()), Org: ident.OrgID(g.GetOrganizationId())}
		}
	}
	if on == (member.Resource{}) {
		return on, fault.Plain(fault.InvalidArgument, "resource: is needed").WithViolation("resource", "must name what the roles are on")
	}
	return on, nil
}
