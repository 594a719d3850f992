package system

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

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
			Details: details(one),
			State:   stateOf(one),
			Name:    one.Name,
			Version: s.Version,
			Domains: domainsOf(one.ID, one.Domains),
		}
	}
	return answer, nil
}

// instancesWanted reads which instances are searched for.
func instancesWanted(req *systemv1.ListInstancesRequest) (instance.Search, error) {
	wanted := instance.Search{Page: pageOf(req.GetQuery()), By: instanceColumns[req.GetSortingColumn()]}
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
	if err := search.TooMany("queries", len(req.GetQueries()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := instance.DomainSearch{Page: pageOf(req.GetQuery()), By: domainColumns[req.GetSortingColumn()]}
	for _, q := range req.GetQueries() {
		switch q := q.GetQuery().(type) {
		case *instancev1.DomainSearchQuery_DomainQuery:
			wanted.Names = append(wanted.Names, textOf(q.DomainQuery.GetDomain(), q.DomainQuery.GetMethod()))
		case *instancev1.DomainSearchQuery_GeneratedQuery:
			wanted.Generated = append(wanted.Generated, q.GeneratedQuery.GetGenerated())
		case *instancev1.DomainSearchQuery_PrimaryQuery:
			wanted.Primary = append(wanted.Primary, q.PrimaryQuery.GetPrimary())
		}
	}
	asOf := s.Clock.Now()
	found, err := instance.Get(ctx, s.DB, ident.InstanceID(req.GetInstanceId()))
	if err != nil {
		return nil, err
	}
	total, page := found.SearchDomains(wanted)
	return &systemv1.ListDomainsResponse{
		Details: &zitadelv1.ListDetails{TotalResult: uint64(total), ViewTimestamp: timestamppb.New(asOf)},
		Result:  domainsOf(found.ID, page),
	}, nil
}

// domainColumns are the columns of ListDomains; one that is not declared is the default.
var domainColumns = map[instancev1.DomainFieldName]instance.DomainColumn{
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_DOMAIN:        instance.ByDomainName,
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_PRIMARY:       instance.ByDomainPrimary,
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED:     instance.ByDomainGenerated,
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: instance.ByDomainCreation,
}

// pageOf reads which page of a list is wanted.
func pageOf(q *zitadelv1.ListQuery) search.Page {
	return search.Page{Offset: q.GetOffset(), Limit: q.GetLimit(), Ascending: q.GetAsc()}
}

// textOf reads a condition on a text, whose method has been checked.
func textOf(value string, method zitadelv1.TextQueryMethod) search.Text {
	return search.Text{Value: value, Method: search.Method(method)}
}
