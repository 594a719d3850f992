package authorizations

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/authorization"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/roster"
	"castellan/internal/search"

	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	filterv2 "castellan/gen/zitadel/filter/v2"
)

// ListAuthorizations shows a page of the authorizations that are searched for and that the caller may see.
// Without a sorting column they are sorted by their date of creation. It returns QUERY-4M0fs for a page of more
// than 1000, and SEARCH-max01 for more than search.MaxConditions filters or search.MaxValues ids in one.
func (s *Service) ListAuthorizations(ctx context.Context, at ident.InstanceID, req *authorizationv2.ListAuthorizationsRequest) (*authorizationv2.ListAuthorizationsResponse, error) {
	page, err := v2.Page("pagination", req.GetPagination())
	if err != nil {
		return nil, err
	}
	wanted := roster.AuthorizationSearch{Page: page, By: columns[req.GetSortingColumn()], Within: call.From(ctx).Rights.Reach(reads)}
	if err := search.TooMany("filters", len(req.GetFilters()), search.MaxConditions); err != nil {
		return nil, err
	}
	for i, f := range req.GetFilters() {
		if err := read(f, &wanted, fmt.Sprintf("filters[%d].", i)); err != nil {
			return nil, err
		}
	}
	total, found, err := roster.Authorizations(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &authorizationv2.ListAuthorizationsResponse{Pagination: v2.Paged(total, page)}
	for _, one := range found {
		answer.Authorizations = append(answer.Authorizations, show(one))
	}
	return answer, nil
}

// columns are the columns of ListAuthorizations; one that is not declared is the default.
var columns = map[authorizationv2.AuthorizationFieldName]roster.AuthorizationColumn{
	authorizationv2.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_CHANGED_DATE:         roster.ByAuthorizationChange,
	authorizationv2.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_ID:                   roster.ByAuthorization,
	authorizationv2.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_USER_ID:              roster.ByAuthorizationUser,
	authorizationv2.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_PROJECT_ID:           roster.ByAuthorizationProject,
	authorizationv2.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_ORGANIZATION_ID:      roster.ByAuthorizationOrg,
	authorizationv2.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_USER_ORGANIZATION_ID: roster.ByAuthorizationUserOrg,
}

// read adds a condition to a search. field is where it stands in the request, with a dot.
func read(f *authorizationv2.AuthorizationsSearchFilter, s *roster.AuthorizationSearch, field string) (err error) {
	switch f := f.GetFilter().(type) {
	case *authorizationv2.AuthorizationsSearchFilter_AuthorizationIds:
		s.IDs, err = ids(s.IDs, f.AuthorizationIds, field+"authorization_ids.ids")
	case *authorizationv2.AuthorizationsSearchFilter_InUserIds:
		s.Users, err = ids(s.Users, f.InUserIds, field+"in_user_ids.ids")
	case *authorizationv2.AuthorizationsSearchFilter_OrganizationId:
		s.Orgs = append(s.Orgs, ident.OrgID(f.OrganizationId.GetId()))
	case *authorizationv2.AuthorizationsSearchFilter_State:
		s.Statuses = append(s.Statuses, map[authorizationv2.State]authorization.Status{
			authorizationv2.State_STATE_ACTIVE: authorization.Active, authorizationv2.State_STATE_INACTIVE: authorization.Inactive,
		}[f.State.GetState()])
	case *authorizationv2.AuthorizationsSearchFilter_UserOrganizationId:
		s.UserOrgs = append(s.UserOrgs, ident.OrgID(f.UserOrganizationId.GetId()))
	case *authorizationv2.AuthorizationsSearchFilter_UserPreferredLoginName:
		s.LoginNames = append(s.LoginNames, v2.Text(f.UserPreferredLoginName.GetLoginName(), f.UserPreferredLoginName.GetMethod()))
	case *authorizationv2.AuthorizationsSearchFilter_UserDisplayName:
		s.DisplayNames = append(s.DisplayNames, v2.Text(f.UserDisplayName.GetDisplayName(), f.UserDisplayName.GetMethod()))
	case *authorizationv2.AuthorizationsSearchFilter_ProjectId:
		s.Projects = append(s.Projects, ident.ProjectID(f.ProjectId.GetId()))
	case *authorizationv2.AuthorizationsSearchFilter_ProjectName:
		s.ProjectNames = append(s.ProjectNames, v2.Text(f.ProjectName.GetName(), f.ProjectName.GetMethod()))
	case *authorizationv2.AuthorizationsSearchFilter_RoleKey:
		s.Roles = append(s.Roles, v2.Text(f.RoleKey.GetKey(), f.RoleKey.GetMethod()))
	case *authorizationv2.AuthorizationsSearchFilter_ProjectGrantId:
		s.Grants = append(s.Grants, ident.GrantID(f.ProjectGrantId.GetId()))
	}
	return err
}

// ids adds a list of ids. It returns SEARCH-max01, naming field, when they are too many.
func ids(lists [][]string, f *filterv2.InIDsFilter, field string) ([][]string, error) {
	return append(lists, f.GetIds()), search.TooMany(field, len(f.GetIds()), search.MaxValues)
}

// show shows an authorization.
func show(a roster.Authorization) *authorizationv2.Authorization {
	shown := &authorizationv2.Authorization{
		Id: string(a.ID), CreationDate: timestamppb.New(a.CreatedAt), ChangeDate: timestamppb.New(a.ChangedAt),
		Project:      &authorizationv2.Project{Id: string(a.Project), Name: a.ProjectName, OrganizationId: string(a.ProjectOrg)},
		Organization: &authorizationv2.Organization{Id: string(a.Org), Name: a.OrgName},
		User: &authorizationv2.User{
			Id: string(a.Holder.User), PreferredLoginName: a.Holder.LoginName, DisplayName: a.Holder.DisplayName,
			OrganizationId: string(a.Holder.Org),
		},
		State: authorizationv2.State_STATE_ACTIVE,
	}
	if a.Status == authorization.Inactive {
		shown.State = authorizationv2.State_STATE_INACTIVE
	}
	for _, r := range a.Roles {
		shown.Roles = append(shown.Roles, &authorizationv2.Role{Key: r.Key, DisplayName: r.DisplayName, Group: r.Group})
	}
	return shown
}
