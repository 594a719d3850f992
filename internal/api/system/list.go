package system

import (
	"context"
	"fmt"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/search"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// ListInstances returns a page of the instances that are searched for, each with all its
// domains (contract section 2.3). Without a sorting column they are sorted by id. However high
// the limit, a page has at most search.MaxPage instances; the total says how many there are. What
// it costs to read page after page, and what happens when instances come and go meanwhile, stands at
// instance.Lister.
//
// It returns SEARCH-max01 for more than search.MaxConditions queries, or search.MaxValues ids in one,
// and VAULT-pos01 for a page (see call.PageHeader) of another caller or search.
func (s *Service) ListInstances(ctx context.Context, req *systemv1.ListInstancesRequest) (*systemv1.ListInstancesResponse, error) {
	wanted, err := instancesWanted(req)
	if err != nil {
		return nil, err
	}
	c := call.From(ctx)
	found, err := s.Lister.List(ctx, instance.Reading{Caller: c.Actor, Page: c.Page}, wanted)
	if err != nil {
		return nil, err
	}
	c.ShowNextPage(found.Next)
	answer := &systemv1.ListInstancesResponse{
		Details: &zitadelv1.ListDetails{TotalResult: found.Total},
		Result:  make([]*instancev1.Instance, len(found.Instances)),
	}
	for i, one := range found.Instances {
		answer.Result[i] = &instancev1.Instance{
			Id:      one.ID,
			Details: v1.Details(one),
			State:   v1.StateOf(one),
			Name:    one.Name,
			Version: s.Version,
			Domains: v1.Domains(one.ID, one.Domains),
		}
	}
	return answer, nil
}

// instancesWanted reads which instances are searched for.
func instancesWanted(req *systemv1.ListInstancesRequest) (instance.Search, error) {
	wanted := instance.Search{Page: v1.Page(req.GetQuery()), By: instanceColumns[req.GetSortingColumn()]}
	if err := search.TooMany("queries", len(req.GetQueries()), search.MaxConditions); err != nil {
		return wanted, err
	}
	for i, q := range req.GetQueries() {
		switch q := q.GetQuery().(type) {
		case *instancev1.Query_IdQuery:
			ids := q.IdQuery.GetIds()
			if err := search.TooMany(fmt.Sprintf("queries[%d].id_query.ids", i), len(ids), search.MaxValues); err != nil {
				return wanted, err
			}
			wanted.IDs = append(wanted.IDs, ids)
		case *instancev1.Query_DomainQuery:
			wanted.Domains = append(wanted.Domains, q.DomainQuery.GetDomains())
		}
	}
	return wanted, nil
}

// instanceColumns are the columns of ListInstances; one that is not declared is the default.
var instanceColumns = map[instancev1.FieldName]instance.Column{
	instancev1.FieldName_FIELD_NAME_ID:            instance.ByID,
	instancev1.FieldName_FIELD_NAME_NAME:          instance.ByName,
	instancev1.FieldName_FIELD_NAME_CREATION_DATE: instance.ByCreation,
}

// ListDomains returns a page of an instance's domains (contract section 2.6). Without a sorting
// column they are sorted by their date of creation. It returns SEARCH-max01 for more than
// search.MaxConditions queries.
func (s *Service) ListDomains(ctx context.Context, req *systemv1.ListDomainsRequest) (*systemv1.ListDomainsResponse, error) {
	wanted, err := v1.DomainsWanted(req)
	if err != nil {
		return nil, err
	}
	asOf := s.Clock.Now()
	found, err := instance.Get(ctx, s.DB, ident.InstanceID(req.GetInstanceId()))
	if err != nil {
		return nil, err
	}
	total, page := found.SearchDomains(wanted)
	return &systemv1.ListDomainsResponse{
		Details: v1.Listed(total, asOf),
		Result:  v1.Domains(found.ID, page),
	}, nil
}
