package admin

import (
	"context"
	"errors"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/role"
	"castellan/internal/roster"

	adminv1 "castellan/gen/zitadel/admin/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// listIAMMemberRoles returns the roles that members of the instance can have.
func (s *Service) listIAMMemberRoles(context.Context, ident.InstanceID, *adminv1.ListIAMMemberRolesRequest) (*adminv1.ListIAMMemberRolesResponse, error) {
	answer := &adminv1.ListIAMMemberRolesResponse{}
	for _, name := range role.Instance.Roles() {
		if member.Instance.Takes(name) {
			answer.Roles = append(answer.Roles, name)
		}
	}
	answer.Details = v1.Listed(len(answer.Roles), s.Clock.Now())
	return answer, nil
}

// listIAMMembers returns a page of the members of the instance, see [v1.MembersWanted].
func (s *Service) listIAMMembers(ctx context.Context, at ident.InstanceID, req *adminv1.ListIAMMembersRequest) (*adminv1.ListIAMMembersResponse, error) {
	wanted, err := v1.MembersWanted(req)
	if err != nil {
		return nil, err
	}
	asOf := s.Clock.Now()
	total, page, err := roster.OfInstance(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	return &adminv1.ListIAMMembersResponse{Details: v1.Listed(total, asOf), Result: v1.Members(page)}, nil
}

// whole is the resource that members of the instance are of: all of it.
var whole member.Resource

// mayGive returns nil when the caller may give roles on the instance: nobody gives what it lacks.
func mayGive(c call.Call, roles []string) error {
	return call.MayGive(c.Rights, roles, func(r call.Reach) bool { return r.Instance })
}

// addIAMMember gives a user roles on the instance, see [member.Service.Add] and [call.MayGive].
func (s *Service) addIAMMember(ctx context.Context, at ident.InstanceID, req *adminv1.AddIAMMemberRequest) (*adminv1.AddIAMMemberResponse, error) {
	c := call.From(ctx)
	if err := mayGive(c, req.GetRoles()); err != nil {
		return nil, err
	}
	after, err := s.Members.Add(ctx, at, c.Actor, whole, member.New{User: ident.UserID(req.GetUserId()), Roles: req.GetRoles()})
	if err != nil {
		return nil, err
	}
	return &adminv1.AddIAMMemberResponse{Details: v1.Added(after)}, nil
}

// updateIAMMember gives a member other roles, see [member.Service.Change] and [call.MayGive].
func (s *Service) updateIAMMember(ctx context.Context, at ident.InstanceID, req *adminv1.UpdateIAMMemberRequest) (*adminv1.UpdateIAMMemberResponse, error) {
	c := call.From(ctx)
	if err := mayGive(c, req.GetRoles()); err != nil {
		return nil, err
	}
	after, err := s.Members.Change(ctx, at, c.Actor, whole, ident.UserID(req.GetUserId()), member.Change{Roles: req.GetRoles()})
	if err != nil {
		return nil, err
	}
	return &adminv1.UpdateIAMMemberResponse{Details: v1.Changed(after)}, nil
}

// removeIAMMember takes all roles on the instance from a user, who need not have any: then it answers
// without a date.
func (s *Service) removeIAMMember(ctx context.Context, at ident.InstanceID, req *adminv1.RemoveIAMMemberRequest) (*adminv1.RemoveIAMMemberResponse, error) {
	last, err := s.Members.Remove(ctx, at, call.From(ctx).Actor, whole, ident.UserID(req.GetUserId()))
	if errors.Is(err, member.NotFound) {
		return &adminv1.RemoveIAMMemberResponse{Details: &zitadelv1.ObjectDetails{ResourceOwner: string(at)}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &adminv1.RemoveIAMMemberResponse{Details: v1.Changed(last)}, nil
}
