package system

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/search"

	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// ListInstances returns a page of the instances that are searched for, each with all its
// domains (contract section 2.3). Without a sorting column they are sorted by id. However high
// the limit, a page has at most search.MaxPage instances; the total says how many there are.
func (s *Service) ListInstances(ctx context.Context, req *systemv1.ListInstancesRequest) (*systemv1.ListInstancesResponse, error) {
	wanted := instance.Search{Page: pageOf(req.GetQuery()), By: instanceColumns[req.GetSortingColumn()]}
	for _, q := range req.GetQueries() {
		switch q := q.GetQuery().(type) {
		case *instancev1.Query_IdQuery:
			wanted.IDs = append(wanted.IDs, q.IdQuery.GetIds())
		case *instancev1.Query_DomainQuery:
			wanted.Domains = append(wanted.Domains, q.DomainQuery.GetDomains())
		}
	}
	found, err := instance.List(ctx, s.DB, wanted)
	if err != nil {
		return nil, err
	}
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

// instanceColumns are the columns of ListInstances; one that is not declared is the default.
var instanceColumns = map[instancev1.FieldName]instance.Column{
	instancev1.FieldName_FIELD_NAME_ID:            instance.ByID,
	instancev1.FieldName_FIELD_NAME_NAME:          instance.ByName,
	instancev1.FieldName_FIELD_NAME_CREATION_DATE: instance.ByCreation,
}

// ListDomains returns a page of an instance's domains (contract section 2.6). Without a sorting
// column they are sorted by their date of creation.
func (s *Service) ListDomains(ctx context.Context, req *systemv1.ListDomainsRequest) (*systemv1.ListDomainsResponse, error) {
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
