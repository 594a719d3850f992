package permissions

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/member"
	"castellan/internal/roster"
	"castellan/internal/search"

	permissionv2 "castellan/gen/zitadel/internal_permission/v2"
)

// reads are the permissions to see administrators, by what they are administrators of.
var reads = map[member.Scope]string{
	member.Instance: "iam.member.read", member.Org: "org.member.read", member.Project: "project.member.read",
	member.ProjectGrant: "project.grant.member.read",
}

// ListAdministrators shows a page of the administrators that are searched for and that the caller may see.
// Without a sorting column they are sorted by their date of creation. It returns QUERY-4M0fs for a page of more
// than 1000, and SEARCH-max01 for more than search.MaxConditions filters, those within others among them, more than
// search.MaxValues ids in one, and filters nested deeper than [maxDepth].
func (s *Service) ListAdministrators(ctx context.Context, at ident.InstanceID, req *permissionv2.ListAdministratorsRequest) (*permissionv2.ListAdministratorsResponse, error) {
	page, err := v2.Page("pagination", req.GetPagination())
	if err != nil {
		return nil, err
	}
	r := reader{at: at}
	conditions, err := r.all(req.GetFilters(), "filters", 1)
	if err != nil {
		return nil, err
	}
	wanted := roster.AdministratorSearch{
		Page: page, By: columns[req.GetSortingColumn()], All: conditions, Within: make(map[member.Scope]call.Reach),
	}
	for scope, permission := range reads {
		wanted.Within[scope] = call.From(ctx).Rights.Reach(permission)
	}
	total, found, err := roster.Administrators(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &permissionv2.ListAdministratorsResponse{Pagination: v2.Paged(total, page)}
	for _, one := range found {
		answer.Administrators = append(answer.Administrators, show(one))
	}
	return answer, nil
}

// columns are the columns of ListAdministrators; one that is not declared is the default.
var columns = map[permissionv2.AdministratorFieldName]roster.AdministratorColumn{
	permissionv2.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_USER_ID:     roster.ByAdministratorUser,
	permissionv2.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_CHANGE_DATE: roster.ByAdministratorChange,
}

// maxDepth is how deep filters may be nested. The interface knows no limit.
const maxDepth = 20

// reader reads the filters of one request. filters counts them.
type reader struct {
	at      ident.InstanceID
	filters int
}

// all reads filters that stand in a field.
func (r *reader) all(filters []*permissionv2.AdministratorSearchFilter, field string, depth int) ([]listing.Condition, error) {
	if r.filters += len(filters); r.filters > search.MaxConditions || depth > maxDepth {
		return nil, fault.Invalid("SEARCH-max01", "Errors.Query.InvalidRequest", field,
			fmt.Sprintf("must be at most %d filters, nested no deeper than %d", search.MaxConditions, maxDepth))
	}
	var conditions []listing.Condition
	for i, f := range filters {
		c, err := r.one(f, fmt.Sprintf("%s[%d].", field, i), depth)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c)
	}
	return conditions, nil
}

// one reads a filter. field is where it stands, with a dot.
func (r *reader) one(f *permissionv2.AdministratorSearchFilter, field string, depth int) (c listing.Condition, err error) {
	switch f := f.GetFilter().(type) {
	case *permissionv2.AdministratorSearchFilter_CreationDate:
		var m search.Moment
		m, err = v2.Moment(field+"creation_date", f.CreationDate)
		return roster.WasCreated(m), err
	case *permissionv2.AdministratorSearchFilter_ChangeDate:
		var m search.Moment
		m, err = v2.Moment(field+"change_date", f.ChangeDate)
		return roster.WasChanged(m), err
	case *permissionv2.AdministratorSearchFilter_InUserIdsFilter:
		ids := f.InUserIdsFilter.GetIds()
		return roster.IsUser(ids), search.TooMany(field+"in_user_ids_filter.ids", len(ids), search.MaxValues)
	case *permissionv2.AdministratorSearchFilter_UserOrganizationId:
		return roster.OfUserOrg(ident.OrgID(f.UserOrganizationId.GetId())), nil
	case *permissionv2.AdministratorSearchFilter_UserPreferredLoginName:
		return roster.HasLoginName(v2.Text(f.UserPreferredLoginName.GetPreferredLoginName(), f.UserPreferredLoginName.GetMethod())), nil
	case *permissionv2.AdministratorSearchFilter_UserDisplayName:
		return roster.HasDisplayName(v2.Text(f.UserDisplayName.GetDisplayName(), f.UserDisplayName.GetMethod())), nil
	case *permissionv2.AdministratorSearchFilter_Resource:
		return r.resource(f.Resource), nil
	case *permissionv2.AdministratorSearchFilter_Role:
		return roster.HasRole(f.Role.GetRoleKey()), nil
	case *permissionv2.AdministratorSearchFilter_And:
		within, err := r.all(f.And.GetQueries(), field+"and.queries", depth+1)
		return listing.All(within), err
	case *permissionv2.AdministratorSearchFilter_Or:
		within, err := r.all(f.Or.GetQueries(), field+"or.queries", depth+1)
		return listing.Any(within), err
	case *permissionv2.AdministratorSearchFilter_Not:
		within, err := r.all([]*permissionv2.AdministratorSearchFilter{f.Not.GetQuery()}, field+"not.query", depth+1)
		return listing.Not(listing.All(within)), err
	}
	return c, fault.Plain(fault.InvalidArgument, field+"filter: is needed").WithViolation(field+"filter", "must be a condition")
}

// resource reads a filter of what the roles are on.
func (r *reader) resource(f *permissionv2.ResourceFilter) listing.Condition {
	switch f := f.GetResource().(type) {
	case *permissionv2.ResourceFilter_OrganizationId:
		return roster.IsOn(member.Org, f.OrganizationId, "", "")
	case *permissionv2.ResourceFilter_ProjectId:
		return roster.IsOn(member.Project, f.ProjectId, "", "")
	case *permissionv2.ResourceFilter_ProjectGrant_:
		return roster.IsOn(member.ProjectGrant, "", ident.ProjectID(f.ProjectGrant.GetProjectId()), ident.OrgID(f.ProjectGrant.GetOrganizationId()))
	}
	return roster.IsOn(member.Instance, string(r.at), "", "")
}

// show shows an administrator.
func show(a roster.Administrator) *permissionv2.Administrator {
	shown := &permissionv2.Administrator{
		CreationDate: timestamppb.New(a.CreatedAt), ChangeDate: timestamppb.New(a.ChangedAt), Roles: a.Roles,
		User: &permissionv2.User{
			Id: string(a.Holder.User), PreferredLoginName: a.Holder.LoginName, DisplayName: a.Holder.DisplayName,
			OrganizationId: string(a.Holder.Org),
		},
	}
	switch a.Scope {
	case member.Instance:
		shown.Resource = &permissionv2.Administrator_Instance{Instance: true}
	case member.Org:
		shown.Resource = &permissionv2.Administrator_Organization{Organization: &permissionv2.Organization{Id: a.ScopeID, Name: a.Name}}
	case member.Project:
		shown.Resource = &permissionv2.Administrator_Project{Project: &permissionv2.Project{
			Id: a.ScopeID, Name: a.Name, OrganizationId: string(a.ProjectOrg),
		}}
	case member.ProjectGrant:
		shown.Resource = &permissionv2.Administrator_ProjectGrant{ProjectGrant: &permissionv2.ProjectGrant{
			Id: a.ScopeID, ProjectId: string(a.Project), ProjectName: a.Name, OrganizationId: string(a.ProjectOrg),
			GrantedOrganizationId: string(a.GrantedOrg),
		}}
	}
	return shown
}
