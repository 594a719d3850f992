package projects

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/project"
	"castellan/internal/search"

	projectv2 "castellan/gen/zitadel/project/v2"
)

// The permissions that lists show what they reach of.
const (
	read      = "project.read"
	readGrant = "project.grant.read"
)

// projectColumns are the columns of ListProjects; one that is not declared is the default.
var projectColumns = map[projectv2.ProjectFieldName]project.Column{
	projectv2.ProjectFieldName_PROJECT_FIELD_NAME_ID:          project.ByID,
	projectv2.ProjectFieldName_PROJECT_FIELD_NAME_CHANGE_DATE: project.ByChange,
	projectv2.ProjectFieldName_PROJECT_FIELD_NAME_NAME:        project.ByName,
}

// ListProjects returns a page of the projects that the caller may read, and of the grants of projects.
// Without a sorting column they are sorted by the date of their creation. It returns QUERY-4M0fs for a page
// of more than 1000, and SEARCH-max01 for more than search.MaxConditions filters or search.MaxValues ids in
// one.
func (s *Service) ListProjects(ctx context.Context, at ident.InstanceID, req *projectv2.ListProjectsRequest) (*projectv2.ListProjectsResponse, error) {
	page, err := asked(req.GetPagination(), len(req.GetFilters()))
	if err != nil {
		return nil, err
	}
	rights := call.From(ctx).Rights
	wanted := project.Search{
		Page: page, By: projectColumns[req.GetSortingColumn()], Projects: rights.Reach(read), Grants: rights.Reach(readGrant),
	}
	for i, f := range req.GetFilters() {
		switch f := f.GetFilter().(type) {
		case *projectv2.ProjectSearchFilter_ProjectNameFilter:
			wanted.Names = append(wanted.Names, nameOf(f.ProjectNameFilter))
		case *projectv2.ProjectSearchFilter_InProjectIdsFilter:
			if err := tooManyIDs(i, f.InProjectIdsFilter.GetIds()); err != nil {
				return nil, err
			}
			wanted.IDs = append(wanted.IDs, f.InProjectIdsFilter.GetIds())
		case *projectv2.ProjectSearchFilter_OrganizationIdFilter:
			of := &wanted.Either
			switch f.OrganizationIdFilter.GetType() {
			case projectv2.ProjectOrganizationIDFilter_OWNED:
				of = &wanted.Owned
			case projectv2.ProjectOrganizationIDFilter_GRANTED:
				of = &wanted.Granted
			}
			*of = append(*of, ident.OrgID(f.OrganizationIdFilter.GetOrganizationId()))
		}
	}
	total, found, err := project.List(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &projectv2.ListProjectsResponse{Pagination: v2.Paged(total, page), Projects: make([]*projectv2.Project, len(found))}
	for i, l := range found {
		answer.Projects[i] = shown(l)
	}
	return answer, nil
}

// grantColumns are the columns of ListProjectGrants; one that is not declared is the default.
var grantColumns = map[projectv2.ProjectGrantFieldName]project.Column{
	projectv2.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_PROJECT_ID:  project.ByID,
	projectv2.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_CHANGE_DATE: project.ByChange,
}

// ListProjectGrants returns a page of the grants that the caller may read, see [Service.ListProjects].
func (s *Service) ListProjectGrants(ctx context.Context, at ident.InstanceID, req *projectv2.ListProjectGrantsRequest) (*projectv2.ListProjectGrantsResponse, error) {
	page, err := asked(req.GetPagination(), len(req.GetFilters()))
	if err != nil {
		return nil, err
	}
	wanted := project.GrantSearch{Page: page, By: grantColumns[req.GetSortingColumn()], Shown: call.From(ctx).Rights.Reach(readGrant)}
	for i, f := range req.GetFilters() {
		switch f := f.GetFilter().(type) {
		case *projectv2.ProjectGrantSearchFilter_ProjectNameFilter:
			wanted.Names = append(wanted.Names, nameOf(f.ProjectNameFilter))
		case *projectv2.ProjectGrantSearchFilter_RoleKeyFilter:
			wanted.RoleKeys = append(wanted.RoleKeys, v2.Text(f.RoleKeyFilter.GetKey(), f.RoleKeyFilter.GetMethod()))
		case *projectv2.ProjectGrantSearchFilter_InProjectIdsFilter:
			if err := tooManyIDs(i, f.InProjectIdsFilter.GetIds()); err != nil {
				return nil, err
			}
			wanted.IDs = append(wanted.IDs, f.InProjectIdsFilter.GetIds())
		case *projectv2.ProjectGrantSearchFilter_OrganizationIdFilter:
			wanted.Owned = append(wanted.Owned, ident.OrgID(f.OrganizationIdFilter.GetId()))
		case *projectv2.ProjectGrantSearchFilter_GrantedOrganizationIdFilter:
			wanted.Granted = append(wanted.Granted, ident.OrgID(f.GrantedOrganizationIdFilter.GetId()))
		}
	}
	total, found, err := project.ListGrants(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &projectv2.ListProjectGrantsResponse{Pagination: v2.Paged(total, page), ProjectGrants: make([]*projectv2.ProjectGrant, len(found))}
	for i, l := range found {
		answer.ProjectGrants[i] = &projectv2.ProjectGrant{
			OrganizationId: l.Owner, ProjectId: l.ID, ProjectName: l.Name,
			CreationDate: timestamppb.New(l.Grant.CreatedAt), ChangeDate: timestamppb.New(l.Grant.ChangedAt),
			GrantedOrganizationId: string(l.Grant.Org), GrantedOrganizationName: l.GrantedOrgName, GrantedRoleKeys: l.Grant.Roles,
			State: grantStates[l.Grant.Active],
		}
	}
	return answer, nil
}

// nameOf reads a condition on the name of a project.
func nameOf(f *projectv2.ProjectNameFilter) search.Text {
	return v2.Text(f.GetProjectName(), f.GetMethod())
}

// tooManyIDs refuses the ids of the condition with a number.
func tooManyIDs(condition int, ids []string) error {
	return search.TooMany(fmt.Sprintf("filters[%d].in_project_ids_filter.ids", condition), len(ids), search.MaxValues)
}

// The states, by whether something is active.
var (
	states = map[bool]projectv2.ProjectState{
		true: projectv2.ProjectState_PROJECT_STATE_ACTIVE, false: projectv2.ProjectState_PROJECT_STATE_INACTIVE,
	}
	grantStates = map[bool]projectv2.ProjectGrantState{
		true: projectv2.ProjectGrantState_PROJECT_GRANT_STATE_ACTIVE, false: projectv2.ProjectGrantState_PROJECT_GRANT_STATE_INACTIVE,
	}
	grantedStates = map[bool]projectv2.GrantedProjectState{
		true: projectv2.GrantedProjectState_GRANTED_PROJECT_STATE_ACTIVE, false: projectv2.GrantedProjectState_GRANTED_PROJECT_STATE_INACTIVE,
	}
)

// shown is a project, or a grant of one, as callers see it.
func shown(l project.Listed) *projectv2.Project {
	dates := l.Head
	p := &projectv2.Project{
		ProjectId: l.ID, OrganizationId: l.Owner, Name: l.Name, State: states[l.Active],
		ProjectRoleAssertion: l.RoleAssertion, AuthorizationRequired: l.AuthorizationRequired, ProjectAccessRequired: l.AccessRequired,
		PrivateLabelingSetting: projectv2.PrivateLabelingSetting(l.Labeling),
	}
	if g := l.Grant; g != nil {
		dates, p.GrantedState = g.Head, grantedStates[g.Active]
		to, name := string(g.Org), l.GrantedOrgName
		p.GrantedOrganizationId, p.GrantedOrganizationName = &to, &name
	}
	p.CreationDate, p.ChangeDate = timestamppb.New(dates.CreatedAt), timestamppb.New(dates.ChangedAt)
	return p
}
