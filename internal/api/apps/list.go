package apps

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/app"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/search"

	applicationv2 "castellan/gen/zitadel/application/v2"
)

// reads is the permission to see applications.
const reads = "project.app.read"

// ListApplications shows a page of the applications that are searched for and that the caller may see. It
// returns QUERY-4M0fs for a page of more than 1000, and SEARCH-max01 for more than search.MaxConditions filters.
func (s *Service) ListApplications(ctx context.Context, at ident.InstanceID, req *applicationv2.ListApplicationsRequest) (*applicationv2.ListApplicationsResponse, error) {
	page, err := v2.Page("pagination", req.GetPagination())
	if err != nil {
		return nil, err
	}
	if err := search.TooMany("filters", len(req.GetFilters()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := app.Search{Page: page, By: applicationColumns[req.GetSortingColumn()], Within: call.From(ctx).Rights.Reach(reads)}
	for _, f := range req.GetFilters() {
		switch f := f.GetFilter().(type) {
		case *applicationv2.ApplicationSearchFilter_ProjectIdFilter:
			wanted.Projects = append(wanted.Projects, ident.ProjectID(f.ProjectIdFilter.GetProjectId()))
		case *applicationv2.ApplicationSearchFilter_NameFilter:
			wanted.Names = append(wanted.Names, v2.Text(f.NameFilter.GetName(), f.NameFilter.GetMethod()))
		case *applicationv2.ApplicationSearchFilter_StateFilter:
			wanted.Statuses = append(wanted.Statuses, statusOf(f.StateFilter))
		case *applicationv2.ApplicationSearchFilter_TypeFilter:
			wanted.Kinds = append(wanted.Kinds, term(kinds, f.TypeFilter))
		case *applicationv2.ApplicationSearchFilter_ClientIdFilter:
			wanted.ClientIDs = append(wanted.ClientIDs, f.ClientIdFilter.GetClientId())
		case *applicationv2.ApplicationSearchFilter_EntityIdFilter:
			wanted.EntityIDs = append(wanted.EntityIDs, f.EntityIdFilter.GetEntityId())
		}
	}
	total, found, err := app.List(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, at, found)
	if err != nil {
		return nil, err
	}
	return &applicationv2.ListApplicationsResponse{Applications: shown, Pagination: v2.Paged(total, page)}, nil
}

// applicationColumns are the columns of ListApplications; one that is not declared is the default.
var applicationColumns = map[applicationv2.ApplicationSorting]app.Column{
	applicationv2.ApplicationSorting_APPLICATION_SORT_BY_NAME:          app.ByName,
	applicationv2.ApplicationSorting_APPLICATION_SORT_BY_STATE:         app.ByStatus,
	applicationv2.ApplicationSorting_APPLICATION_SORT_BY_CREATION_DATE: app.ByCreation,
	applicationv2.ApplicationSorting_APPLICATION_SORT_BY_CHANGE_DATE:   app.ByChange,
}

// kinds are what the values of ApplicationType stand for.
var kinds = []app.Kind{"", app.OIDC, app.API, app.SAML}

// statusOf is what a state stands for. No application that is listed has another than these two.
func statusOf(s applicationv2.ApplicationState) app.Status {
	return map[applicationv2.ApplicationState]app.Status{
		applicationv2.ApplicationState_APPLICATION_STATE_ACTIVE:   app.Active,
		applicationv2.ApplicationState_APPLICATION_STATE_INACTIVE: app.Inactive,
	}[s]
}

// ListApplicationKeys shows a page of the keys that are searched for and that the caller may see. Its
// faults are those of [Service.ListApplications].
func (s *Service) ListApplicationKeys(ctx context.Context, at ident.InstanceID, req *applicationv2.ListApplicationKeysRequest) (*applicationv2.ListApplicationKeysResponse, error) {
	page, err := v2.Page("pagination", req.GetPagination())
	if err != nil {
		return nil, err
	}
	if err := search.TooMany("filters", len(req.GetFilters()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := app.KeySearch{Page: page, By: keyColumns[req.GetSortingColumn()], Within: call.From(ctx).Rights.Reach(reads)}
	for _, f := range req.GetFilters() {
		switch f := f.GetFilter().(type) {
		case *applicationv2.ApplicationKeySearchFilter_ApplicationIdFilter:
			wanted.Apps = append(wanted.Apps, ident.AppID(f.ApplicationIdFilter.GetApplicationId()))
		case *applicationv2.ApplicationKeySearchFilter_ProjectIdFilter:
			wanted.Projects = append(wanted.Projects, ident.ProjectID(f.ProjectIdFilter.GetProjectId()))
		case *applicationv2.ApplicationKeySearchFilter_OrganizationIdFilter:
			wanted.Orgs = append(wanted.Orgs, ident.OrgID(f.OrganizationIdFilter.GetOrganizationId()))
		}
	}
	total, found, err := app.ListKeys(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &applicationv2.ListApplicationKeysResponse{Pagination: v2.Paged(total, page)}
	for _, k := range found {
		answer.Keys = append(answer.Keys, &applicationv2.ApplicationKey{
			KeyId: k.ID, ApplicationId: string(k.App), ProjectId: string(k.Project), OrganizationId: k.Owner,
			CreationDate: timestamppb.New(k.CreatedAt), ExpirationDate: timestamppb.New(k.ExpiresAt),
		})
	}
	return answer, nil
}

// keyColumns are the columns of ListApplicationKeys; one that is not declared is the default. There is one
// type of key, so that all are equal in it.
var keyColumns = map[applicationv2.ApplicationKeysSorting]app.KeyColumn{
	applicationv2.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_PROJECT_ID:      app.ByKeyProject,
	applicationv2.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_APPLICATION_ID:  app.ByKeyApp,
	applicationv2.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_CREATION_DATE:   app.ByKeyCreation,
	applicationv2.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_ORGANIZATION_ID: app.ByKeyOrg,
	applicationv2.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_EXPIRATION:      app.ByKeyExpiry,
}
