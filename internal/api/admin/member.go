package admin

import (
	"context"
	"strings"

	"castellan/internal/api/v1"
	"castellan/internal/ident"
	"castellan/internal/role"
	"castellan/internal/roster"

	adminv1 "castellan/gen/zitadel/admin/v1"
)

// memberRoles begins the names of the roles that members of an instance can have.
const memberRoles = "IAM_"

// listIAMMemberRoles returns the roles that members of the instance can have.
func (s *Service) listIAMMemberRoles(context.Context, ident.InstanceID, *adminv1.ListIAMMemberRolesRequest) (*adminv1.ListIAMMemberRolesResponse, error) {
	answer := &adminv1.ListIAMMemberRolesResponse{}
	for _, name := range role.Instance.Roles() {
		if strings.HasPrefix(name, memberRoles) {
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
