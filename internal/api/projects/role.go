package projects

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/project"
	"castellan/internal/search"

	projectv2 "castellan/gen/zitadel/project/v2"
)

// AddProjectRole gives a project a role. It returns V3-DKcYh for a key that the project has.
func (s *Service) AddProjectRole(ctx context.Context, at ident.InstanceID, req *projectv2.AddProjectRoleRequest) (*projectv2.AddProjectRoleResponse, error) {
	after, err := s.Projects.AddRole(ctx, at, call.From(ctx).Actor, project.NewRole{
		Project: ident.ProjectID(req.GetProjectId()), Key: req.GetRoleKey(), DisplayName: req.GetDisplayName(), Group: req.GetGroup(),
	})
	if err != nil {
		return nil, err
	}
	return &projectv2.AddProjectRoleResponse{CreationDate: timestamppb.New(after.CreatedAt)}, nil
}

// UpdateProjectRole changes how a role is shown. It returns COMMAND-vv8M9 when the project has none with
// that key.
func (s *Service) UpdateProjectRole(ctx context.Context, at ident.InstanceID, req *projectv2.UpdateProjectRoleRequest) (*projectv2.UpdateProjectRoleResponse, error) {
	after, err := s.Projects.ChangeRole(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()), req.GetRoleKey(),
		project.ChangeRole{DisplayName: req.DisplayName, Group: req.Group})
	if err != nil {
		return nil, err
	}
	return &projectv2.UpdateProjectRoleResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// RemoveProjectRole removes a role, also from grants and authorizations.
func (s *Service) RemoveProjectRole(ctx context.Context, at ident.InstanceID, req *projectv2.RemoveProjectRoleRequest) (*projectv2.RemoveProjectRoleResponse, error) {
	after, err := s.Removal.Role(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()), req.GetRoleKey())
	if errors.Is(err, project.NotFound) {
		return nil, err // of what is not there nothing can be removed
	}
	date, err := removed(after.ChangedAt, err)
	if err != nil {
		return nil, err
	}
	return &projectv2.RemoveProjectRoleResponse{RemovalDate: date}, nil
}

// roleColumns are the columns of ListProjectRoles; one that is not declared is the default.
var roleColumns = map[projectv2.ProjectRoleFieldName]project.Column{
	projectv2.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_KEY:         project.ByID,
	projectv2.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_CHANGE_DATE: project.ByChange,
}

// ListProjectRoles returns a page of the roles of a project. Without a sorting column they are sorted by
// the date of their creation. It returns QUERY-4M0fs for a page of more than 1000, and SEARCH-max01 for more
// than search.MaxConditions filters.
func (s *Service) ListProjectRoles(ctx context.Context, at ident.InstanceID, req *projectv2.ListProjectRolesRequest) (*projectv2.ListProjectRolesResponse, error) {
	page, err := asked(req.GetPagination(), len(req.GetFilters()))
	if err != nil {
		return nil, err
	}
	wanted := project.RoleSearch{Page: page, By: roleColumns[req.GetSortingColumn()]}
	for _, f := range req.GetFilters() {
		switch f := f.GetFilter().(type) {
		case *projectv2.ProjectRoleSearchFilter_RoleKeyFilter:
			wanted.Keys = append(wanted.Keys, v2.Text(f.RoleKeyFilter.GetKey(), f.RoleKeyFilter.GetMethod()))
		case *projectv2.ProjectRoleSearchFilter_DisplayNameFilter:
			wanted.DisplayNames = append(wanted.DisplayNames, v2.Text(f.DisplayNameFilter.GetDisplayName(), f.DisplayNameFilter.GetMethod()))
		}
	}
	total, found, err := project.ListRoles(ctx, s.DB, at, ident.ProjectID(req.GetProjectId()), wanted)
	if err != nil {
		return nil, err
	}
	answer := &projectv2.ListProjectRolesResponse{Pagination: v2.Paged(total, page), ProjectRoles: make([]*projectv2.ProjectRole, len(found))}
	for i, r := range found {
		answer.ProjectRoles[i] = &projectv2.ProjectRole{
			ProjectId: string(r.Project), Key: r.Key, DisplayName: r.DisplayName, Group: r.Group,
			CreationDate: timestamppb.New(r.CreatedAt), ChangeDate: timestamppb.New(r.ChangedAt),
		}
	}
	return answer, nil
}

// asked reads which page of a list is wanted, and how many conditions there are on it.
func asked(p v2.Pagination, conditions int) (search.Page, error) {
	if err := search.TooMany("filters", conditions, search.MaxConditions); err != nil {
		return search.Page{}, err
	}
	return v2.Page("pagination", p)
}
