package orgs

import (
	"context"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/org"

	orgv2 "castellan/gen/zitadel/org/v2"
)

// read is the permission that the list shows what it reaches of.
const read = "org.read"

// columns are the columns of ListOrganizations; one that is not declared is the default.
var columns = map[orgv2.OrganizationFieldName]org.Column{
	orgv2.OrganizationFieldName_ORGANIZATION_FIELD_NAME_NAME:          org.ByName,
	orgv2.OrganizationFieldName_ORGANIZATION_FIELD_NAME_CREATION_DATE: org.ByCreation,
}

// states are the states, by whether an organization is active. No organization is in another: a removed
// one is not there.
var states = map[bool]orgv2.OrganizationState{
	true: orgv2.OrganizationState_ORGANIZATION_STATE_ACTIVE, false: orgv2.OrganizationState_ORGANIZATION_STATE_INACTIVE,
}

// ListOrganizations returns a page of the organizations that the caller may read. Without a sorting column
// they are sorted by the date of their creation. It returns QUERY-4M0fs for a page of more than 1000, and
// SEARCH-max01 for more than search.MaxConditions queries.
func (s *Service) ListOrganizations(ctx context.Context, at ident.InstanceID, req *orgv2.ListOrganizationsRequest) (*orgv2.ListOrganizationsResponse, error) {
	page, err := asked("query", req.GetQuery(), "queries", len(req.GetQueries()))
	if err != nil {
		return nil, err
	}
	wanted := org.Search{Page: page, By: columns[req.GetSortingColumn()], Shown: call.From(ctx).Rights.Reach(read)}
	answer := &orgv2.ListOrganizationsResponse{Details: v2.Total(0), SortingColumn: req.GetSortingColumn()}
	for _, q := range req.GetQueries() {
		switch q := q.GetQuery().(type) {
		case *orgv2.SearchQuery_NameQuery:
			wanted.Names = append(wanted.Names, v2.Text(q.NameQuery.GetName(), q.NameQuery.GetMethod()))
		case *orgv2.SearchQuery_DomainQuery:
			wanted.Domains = append(wanted.Domains, v2.Text(q.DomainQuery.GetDomain(), q.DomainQuery.GetMethod()))
		case *orgv2.SearchQuery_IdQuery:
			wanted.IDs = append(wanted.IDs, ident.OrgID(q.IdQuery.GetId()))
		case *orgv2.SearchQuery_DefaultQuery:
			wanted.Default = true
		case *orgv2.SearchQuery_StateQuery:
			active := q.StateQuery.GetState() == states[true]
			if q.StateQuery.GetState() != states[active] {
				return answer, nil
			}
			wanted.Active = append(wanted.Active, active)
		}
	}
	total, found, err := org.List(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer.Details = v2.Total(total)
	answer.Result = make([]*orgv2.Organization, len(found))
	for i, o := range found {
		answer.Result[i] = &orgv2.Organization{
			Id: o.ID, Details: v2.Details(o.Head), State: states[o.Active], Name: o.Name, PrimaryDomain: o.PrimaryDomain(),
		}
	}
	return answer, nil
}
