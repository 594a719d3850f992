package authorizations

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/access"
	"castellan/internal/api/bind"
	"castellan/internal/authorization"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"

	authorizationv2 "castellan/gen/zitadel/authorization/v2"
)

// Owners tells where things lie; access.Directory does.
type Owners interface {
	// Owner returns a fault of kind NotFound when there is no such thing.
	Owner(ctx context.Context, at ident.InstanceID, t access.Thing) (access.Owner, error)
}

// Service serves the authorizations of all instances.
type Service struct {
	DB             store.DB
	Authorizations *authorization.Service
	Owners         Owners
}

// Table returns the methods that are served.
func (s *Service) Table() *bind.Table {
	return bind.Service(&authorizationv2.AuthorizationService_ServiceDesc,
		bind.Unary("ListAuthorizations", s.ListAuthorizations),
		bind.Unary("CreateAuthorization", s.CreateAuthorization),
		bind.Unary("UpdateAuthorization", s.UpdateAuthorization),
		bind.Unary("DeleteAuthorization", s.DeleteAuthorization),
		bind.Unary("ActivateAuthorization", s.ActivateAuthorization),
		bind.Unary("DeactivateAuthorization", s.DeactivateAuthorization),
	)
}

// The permissions of the calls whose rules are here.
const (
	reads   = "user.grant.read"
	writes  = "user.grant.write"
	deletes = "user.grant.delete"
)

// CreateAuthorization gives a user roles of a project, see [authorization.Service.Add]. It returns the fault
// of a project that is not there when the caller may not give roles of it in the organization, and that of a
// user who is not there when it is of another organization, whose users the caller may not read.
func (s *Service) CreateAuthorization(ctx context.Context, at ident.InstanceID, req *authorizationv2.CreateAuthorizationRequest) (*authorizationv2.CreateAuthorizationResponse, error) {
	c := call.From(ctx)
	readable := c.Rights.Reach("user.read")
	wish := authorization.New{
		User: ident.UserID(req.GetUserId()), Project: ident.ProjectID(req.GetProjectId()), Org: ident.OrgID(req.GetOrganizationId()),
		Roles: req.GetRoleKeys(),
	}
	wish.Whom = func(org ident.OrgID) bool { return org == wish.Org || readable.Org(org) }
	if err := s.mayGive(ctx, at, c.Rights.Reach(writes), wish); err != nil {
		return nil, err
	}
	made, err := s.Authorizations.Add(ctx, at, c.Actor, wish)
	if err != nil {
		return nil, err
	}
	return &authorizationv2.CreateAuthorizationResponse{Id: made.ID, CreationDate: timestamppb.New(made.CreatedAt)}, nil
}

// mayGive returns nil when what is to be given lies in the reach of a permission. In the organization that owns
// the project that is so where the project lies in it; in another one, where the grant does.
func (s *Service) mayGive(ctx context.Context, at ident.InstanceID, r call.Reach, wish authorization.New) error {
	of, err := s.Owners.Owner(ctx, at, access.Thing{Kind: access.Project, ID: string(wish.Project)})
	if err != nil {
		return err
	}
	if of.Org != wish.Org {
		grant, err := s.Owners.Owner(ctx, at, access.Thing{Kind: access.GrantedProject, ID: string(wish.Project), Second: string(wish.Org)})
		switch {
		case err == nil:
			of = grant
		case fault.KindOf(err) != fault.NotFound: // who may see the project is told that it is not granted
			return err
		}
	}
	if !of.In(r) {
		return access.Missing(access.Project)
	}
	return nil
}

// UpdateAuthorization gives an authorization other roles, see [authorization.Service.Change].
func (s *Service) UpdateAuthorization(ctx context.Context, at ident.InstanceID, req *authorizationv2.UpdateAuthorizationRequest) (*authorizationv2.UpdateAuthorizationResponse, error) {
	wish := authorization.Change{Roles: req.GetRoleKeys()}
	after, err := s.Authorizations.Change(ctx, at, call.From(ctx).Actor, ident.AuthorizationID(req.GetId()), wish)
	if err != nil {
		return nil, err
	}
	return &authorizationv2.UpdateAuthorizationResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteAuthorization removes an authorization. To who may remove any of the instance, one that is not there
// is removed already; who may not learns of none that it may not remove.
func (s *Service) DeleteAuthorization(ctx context.Context, at ident.InstanceID, req *authorizationv2.DeleteAuthorizationRequest) (*authorizationv2.DeleteAuthorizationResponse, error) {
	c := call.From(ctx)
	reach := c.Rights.Reach(deletes)
	of, err := s.Owners.Owner(ctx, at, access.Thing{Kind: access.Authorization, ID: req.GetId()})
	if err == nil && !of.In(reach) {
		err = access.Missing(access.Authorization)
	}
	var after authorization.State
	if err == nil {
		after, err = s.Authorizations.Remove(ctx, at, c.Actor, ident.AuthorizationID(req.GetId()))
	}
	switch {
	case fault.KindOf(err) == fault.NotFound && reach.Instance:
		return &authorizationv2.DeleteAuthorizationResponse{}, nil
	case err != nil:
		return nil, err
	}
	return &authorizationv2.DeleteAuthorizationResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// ActivateAuthorization makes an authorization count again; an active one stays as it is.
func (s *Service) ActivateAuthorization(ctx context.Context, at ident.InstanceID, req *authorizationv2.ActivateAuthorizationRequest) (*authorizationv2.ActivateAuthorizationResponse, error) {
	after, err := s.Authorizations.Activate(ctx, at, call.From(ctx).Actor, ident.AuthorizationID(req.GetId()))
	if err != nil {
		return nil, err
	}
	return &authorizationv2.ActivateAuthorizationResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeactivateAuthorization makes an authorization not count; an inactive one stays as it is.
func (s *Service) DeactivateAuthorization(ctx context.Context, at ident.InstanceID, req *authorizationv2.DeactivateAuthorizationRequest) (*authorizationv2.DeactivateAuthorizationResponse, error) {
	after, err := s.Authorizations.Deactivate(ctx, at, call.From(ctx).Actor, ident.AuthorizationID(req.GetId()))
	if err != nil {
		return nil, err
	}
	return &authorizationv2.DeactivateAuthorizationResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}
