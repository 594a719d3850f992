package instances

import (
	"cmp"
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/search"

	filterv2 "castellan/gen/zitadel/filter/v2"
	instancev2 "castellan/gen/zitadel/instance/v2"
)

// How many results a page has when it is not said, and at most (contract section 2.9).
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// ListInstances returns a page of the instances that are searched for, each with all its
// domains (contract sections 2.3 and 2.9). Without a sorting column they are sorted by id. It
// returns QUERY-4M0fs for a page of more than 1000, SEARCH-max01 for more than search.MaxConditions
// filters or search.MaxValues ids in one, and VAULT-pos01 for a page (see call.PageHeader) of another
// caller or search.
func (s *Service) ListInstances(ctx context.Context, req *instancev2.ListInstancesRequest) (*instancev2.ListInstancesResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	wanted := instance.Search{Page: page, By: instanceColumns[req.GetSortingColumn()]}
	if err := search.TooMany("filters", len(req.GetFilters()), search.MaxConditions); err != nil {
		return nil, err
	}
	for i, f := range req.GetFilters() {
		switch f := f.GetFilter().(type) {
		case *instancev2.Filter_InIdsFilter:
			if err := tooManyIDs("filters[%d].in_ids_filter.ids", i, f.InIdsFilter.GetIds()); err != nil {
				return nil, err
			}
			wanted.IDs = append(wanted.IDs, f.InIdsFilter.GetIds())
		case *instancev2.Filter_CustomDomainsFilter:
			wanted.Domains = append(wanted.Domains, f.CustomDomainsFilter.GetDomains())
		}
	}
	c := call.From(ctx)
	found, err := s.Lister.List(ctx, instance.Reading{Caller: c.Actor, Page: c.Page}, wanted)
	if err != nil {
		return nil, err
	}
	c.ShowNextPage(found.Next)
	answer := &instancev2.ListInstancesResponse{
		Instances:  make([]*instancev2.Instance, len(found.Instances)),
		Pagination: pagination(found.Total, page),
	}
	for i, one := range found.Instances {
		answer.Instances[i] = s.shown(one)
	}
	return answer, nil
}

// tooManyIDs refuses the ids of one condition; field is where they stand, with the condition's number
// left open.
func tooManyIDs(field string, condition int, ids []string) error {
	return search.TooMany(fmt.Sprintf(field, condition), len(ids), search.MaxValues)
}

// instanceColumns are the columns of ListInstances; one that is not declared is the default.
var instanceColumns = map[instancev2.FieldName]instance.Column{
	instancev2.FieldName_FIELD_NAME_ID:            instance.ByID,
	instancev2.FieldName_FIELD_NAME_NAME:          instance.ByName,
	instancev2.FieldName_FIELD_NAME_CREATION_DATE: instance.ByCreation,
}

// ListCustomDomains returns a page of an instance's domains (contract sections 2.6 and 2.9).
// Without a sorting column they are sorted by their date of creation. It returns QUERY-4M0fs for
// a page of more than 1000, and SEARCH-max01 for more than search.MaxConditions filters.
func (s *Service) ListCustomDomains(ctx context.Context, req *instancev2.ListCustomDomainsRequest) (*instancev2.ListCustomDomainsResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	if err := search.TooMany("filters", len(req.GetFilters()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := instance.DomainSearch{Page: page, By: domainColumns[req.GetSortingColumn()]}
	for _, f := range req.GetFilters() {
		switch f := f.GetFilter().(type) {
		case *instancev2.CustomDomainFilter_DomainFilter:
			wanted.Names = append(wanted.Names, textOf(f.DomainFilter))
		case *instancev2.CustomDomainFilter_GeneratedFilter:
			wanted.Generated = append(wanted.Generated, f.GeneratedFilter)
		case *instancev2.CustomDomainFilter_PrimaryFilter:
			wanted.Primary = append(wanted.Primary, f.PrimaryFilter)
		}
	}
	id := ident.InstanceID(req.GetInstanceId())
	found, err := instance.Get(ctx, s.DB, id)
	if err != nil {
		return nil, absent(err, id, absentRead)
	}
	total, domains := found.SearchDomains(wanted)
	return &instancev2.ListCustomDomainsResponse{
		Domains: domainsOf(found.ID, domains), Pagination: pagination(uint64(total), page),
	}, nil
}

// domainColumns are the columns of ListCustomDomains; one that is not declared is the default.
var domainColumns = map[instancev2.DomainFieldName]instance.DomainColumn{
	instancev2.DomainFieldName_DOMAIN_FIELD_NAME_DOMAIN:        instance.ByDomainName,
	instancev2.DomainFieldName_DOMAIN_FIELD_NAME_PRIMARY:       instance.ByDomainPrimary,
	instancev2.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED:     instance.ByDomainGenerated,
	instancev2.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: instance.ByDomainCreation,
}

// ListTrustedDomains returns a page of an instance's trusted domains (contract section 2.9).
// Without a sorting column they are sorted by their date of creation. It returns QUERY-4M0fs for
// a page of more than 1000, and SEARCH-max01 for more than search.MaxConditions filters.
func (s *Service) ListTrustedDomains(ctx context.Context, req *instancev2.ListTrustedDomainsRequest) (*instancev2.ListTrustedDomainsResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	if err := search.TooMany("filters", len(req.GetFilters()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := instance.TrustedSearch{
		Page:   page,
		ByName: req.GetSortingColumn() == instancev2.TrustedDomainFieldName_TRUSTED_DOMAIN_FIELD_NAME_DOMAIN,
	}
	for _, f := range req.GetFilters() {
		wanted.Names = append(wanted.Names, textOf(f.GetDomainFilter()))
	}
	id := ident.InstanceID(req.GetInstanceId())
	found, err := instance.GetTrusted(ctx, s.DB, id)
	if err != nil {
		return nil, absent(err, id, absentRead)
	}
	total, trusted := found.SearchTrusted(wanted)
	answer := &instancev2.ListTrustedDomainsResponse{
		TrustedDomain: make([]*instancev2.TrustedDomain, len(trusted)), Pagination: pagination(uint64(total), page),
	}
	for i, d := range trusted {
		answer.TrustedDomain[i] = &instancev2.TrustedDomain{
			InstanceId: found.ID, CreationDate: timestamppb.New(d.CreatedAt), Domain: d.Name,
		}
	}
	return answer, nil
}

// pageOf reads which page of a list is wanted.
func pageOf(p *filterv2.PaginationRequest) (search.Page, error) {
	if p.GetLimit() > maxLimit {
		return search.Page{}, fault.Invalid("QUERY-4M0fs", "Errors.Query.LimitExceeded", "pagination.limit",
			fmt.Sprintf("must be at most %d", maxLimit))
	}
	return search.Page{Offset: p.GetOffset(), Limit: cmp.Or(p.GetLimit(), defaultLimit), Ascending: p.GetAsc()}, nil
}

// pagination says what a page was taken from.
func pagination(total uint64, page search.Page) *filterv2.PaginationResponse {
	return &filterv2.PaginationResponse{TotalResult: total, AppliedLimit: uint64(page.Limit)}
}

// textOf reads a condition on a domain, whose method has been checked.
func textOf(f *instancev2.DomainFilter) search.Text {
	return search.Text{Value: f.GetDomain(), Method: search.Method(f.GetMethod())}
}
