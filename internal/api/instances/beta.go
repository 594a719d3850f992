package instances

import (
	"context"

	"castellan/internal/fault"

	"castellan/internal/search"

	filterv2 "castellan/gen/zitadel/filter/v2"
	filterv2beta "castellan/gen/zitadel/filter/v2beta"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
)

// Beta implements instancev2beta.InstanceServiceServer: the service under its older name.
type Beta struct {
	instancev2beta.UnimplementedInstanceServiceServer

	// Service does what Beta is asked for.
	Service *Service
}

// DeleteInstance is [Service.DeleteInstance].
func (b *Beta) DeleteInstance(ctx context.Context, req *instancev2beta.DeleteInstanceRequest) (*instancev2beta.DeleteInstanceResponse, error) {
	answer, err := b.Service.DeleteInstance(ctx, &instancev2.DeleteInstanceRequest{InstanceId: req.GetInstanceId()})
	if err != nil {
		return nil, err
	}
	return &instancev2beta.DeleteInstanceResponse{DeletionDate: answer.GetDeletionDate()}, nil
}

// GetInstance is [Service.GetInstance].
func (b *Beta) GetInstance(ctx context.Context, req *instancev2beta.GetInstanceRequest) (*instancev2beta.GetInstanceResponse, error) {
	answer, err := b.Service.GetInstance(ctx, &instancev2.GetInstanceRequest{InstanceId: req.GetInstanceId()})
	if err != nil {
		return nil, err
	}
	return &instancev2beta.GetInstanceResponse{Instance: betaInstance(answer.GetInstance())}, nil
}

// UpdateInstance is [Service.UpdateInstance].
func (b *Beta) UpdateInstance(ctx context.Context, req *instancev2beta.UpdateInstanceRequest) (*instancev2beta.UpdateInstanceResponse, error) {
	answer, err := b.Service.UpdateInstance(ctx, &instancev2.UpdateInstanceRequest{
		InstanceId: req.GetInstanceId(), InstanceName: req.GetInstanceName(),
	})
	if err != nil {
		return nil, err
	}
	return &instancev2beta.UpdateInstanceResponse{ChangeDate: answer.GetChangeDate()}, nil
}

// ListInstances is [Service.ListInstances].
func (b *Beta) ListInstances(ctx context.Context, req *instancev2beta.ListInstancesRequest) (*instancev2beta.ListInstancesResponse, error) {
	if err := search.TooMany("queries", len(req.GetQueries()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := &instancev2.ListInstancesRequest{
		Pagination: pageOfBeta(req.GetPagination()), SortingColumn: instancev2.FieldName(req.GetSortingColumn()),
	}
	for i, q := range req.GetQueries() {
		var filter instancev2.Filter
		switch q := q.GetQuery().(type) {
		case *instancev2beta.Query_IdQuery:
			if err := tooManyIDs("queries[%d].id_query.ids", i, q.IdQuery.GetIds()); err != nil {
				return nil, err
			}
			filter.Filter = &instancev2.Filter_InIdsFilter{InIdsFilter: &filterv2.InIDsFilter{Ids: q.IdQuery.GetIds()}}
		case *instancev2beta.Query_DomainQuery:
			filter.Filter = &instancev2.Filter_CustomDomainsFilter{
				CustomDomainsFilter: &instancev2.CustomDomainsFilter{Domains: q.DomainQuery.GetDomains()},
			}
		}
		wanted.Filters = append(wanted.Filters, &filter)
	}
	answer, err := b.Service.ListInstances(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return &instancev2beta.ListInstancesResponse{
		Instances: all(answer.GetInstances(), betaInstance), Pagination: betaPagination(answer.GetPagination()),
	}, nil
}

// AddCustomDomain is [Service.AddCustomDomain].
func (b *Beta) AddCustomDomain(ctx context.Context, req *instancev2beta.AddCustomDomainRequest) (*instancev2beta.AddCustomDomainResponse, error) {
	answer, err := b.Service.AddCustomDomain(ctx, &instancev2.AddCustomDomainRequest{
		InstanceId: req.GetInstanceId(), CustomDomain: req.GetDomain(),
	})
	if err != nil {
		return nil, fault.Renamed(err, "custom_domain", "domain")
	}
	return &instancev2beta.AddCustomDomainResponse{CreationDate: answer.GetCreationDate()}, nil
}

// RemoveCustomDomain is [Service.RemoveCustomDomain].
func (b *Beta) RemoveCustomDomain(ctx context.Context, req *instancev2beta.RemoveCustomDomainRequest) (*instancev2beta.RemoveCustomDomainResponse, error) {
	answer, err := b.Service.RemoveCustomDomain(ctx, &instancev2.RemoveCustomDomainRequest{
		InstanceId: req.GetInstanceId(), CustomDomain: req.GetDomain(),
	})
	if err != nil {
		return nil, fault.Renamed(err, "custom_domain", "domain")
	}
	return &instancev2beta.RemoveCustomDomainResponse{DeletionDate: answer.GetDeletionDate()}, nil
}

// ListCustomDomains is [Service.ListCustomDomains].
func (b *Beta) ListCustomDomains(ctx context.Context, req *instancev2beta.ListCustomDomainsRequest) (*instancev2beta.ListCustomDomainsResponse, error) {
	if err := search.TooMany("queries", len(req.GetQueries()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := &instancev2.ListCustomDomainsRequest{
		InstanceId: req.GetInstanceId(), Pagination: pageOfBeta(req.GetPagination()),
		SortingColumn: instancev2.DomainFieldName(req.GetSortingColumn()),
	}
	for _, q := range req.GetQueries() {
		var filter instancev2.CustomDomainFilter
		switch q := q.GetQuery().(type) {
		case *instancev2beta.DomainSearchQuery_DomainQuery:
			filter.Filter = &instancev2.CustomDomainFilter_DomainFilter{DomainFilter: domainOfBeta(q.DomainQuery)}
		case *instancev2beta.DomainSearchQuery_GeneratedQuery:
			filter.Filter = &instancev2.CustomDomainFilter_GeneratedFilter{GeneratedFilter: q.GeneratedQuery.GetGenerated()}
		case *instancev2beta.DomainSearchQuery_PrimaryQuery:
			filter.Filter = &instancev2.CustomDomainFilter_PrimaryFilter{PrimaryFilter: q.PrimaryQuery.GetPrimary()}
		}
		wanted.Filters = append(wanted.Filters, &filter)
	}
	answer, err := b.Service.ListCustomDomains(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return &instancev2beta.ListCustomDomainsResponse{
		Domains: all(answer.GetDomains(), betaDomain), Pagination: betaPagination(answer.GetPagination()),
	}, nil
}

// AddTrustedDomain is [Service.AddTrustedDomain].
func (b *Beta) AddTrustedDomain(ctx context.Context, req *instancev2beta.AddTrustedDomainRequest) (*instancev2beta.AddTrustedDomainResponse, error) {
	answer, err := b.Service.AddTrustedDomain(ctx, &instancev2.AddTrustedDomainRequest{
		InstanceId: req.GetInstanceId(), TrustedDomain: req.GetDomain(),
	})
	if err != nil {
		return nil, fault.Renamed(err, "trusted_domain", "domain")
	}
	return &instancev2beta.AddTrustedDomainResponse{CreationDate: answer.GetCreationDate()}, nil
}

// RemoveTrustedDomain is [Service.RemoveTrustedDomain].
func (b *Beta) RemoveTrustedDomain(ctx context.Context, req *instancev2beta.RemoveTrustedDomainRequest) (*instancev2beta.RemoveTrustedDomainResponse, error) {
	answer, err := b.Service.RemoveTrustedDomain(ctx, &instancev2.RemoveTrustedDomainRequest{
		InstanceId: req.GetInstanceId(), TrustedDomain: req.GetDomain(),
	})
	if err != nil {
		return nil, fault.Renamed(err, "trusted_domain", "domain")
	}
	return &instancev2beta.RemoveTrustedDomainResponse{DeletionDate: answer.GetDeletionDate()}, nil
}

// ListTrustedDomains is [Service.ListTrustedDomains].
func (b *Beta) ListTrustedDomains(ctx context.Context, req *instancev2beta.ListTrustedDomainsRequest) (*instancev2beta.ListTrustedDomainsResponse, error) {
	if err := search.TooMany("queries", len(req.GetQueries()), search.MaxConditions); err != nil {
		return nil, err
	}
	wanted := &instancev2.ListTrustedDomainsRequest{
		InstanceId: req.GetInstanceId(), Pagination: pageOfBeta(req.GetPagination()),
		SortingColumn: instancev2.TrustedDomainFieldName(req.GetSortingColumn()),
	}
	for _, q := range req.GetQueries() {
		wanted.Filters = append(wanted.Filters, &instancev2.TrustedDomainFilter{
			Filter: &instancev2.TrustedDomainFilter_DomainFilter{DomainFilter: domainOfBeta(q.GetDomainQuery())},
		})
	}
	answer, err := b.Service.ListTrustedDomains(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return &instancev2beta.ListTrustedDomainsResponse{
		TrustedDomain: all(answer.GetTrustedDomain(), betaTrusted), Pagination: betaPagination(answer.GetPagination()),
	}, nil
}

// What follows gives messages of one name the other. Enums have the same numbers in both.

func pageOfBeta(p *filterv2beta.PaginationRequest) *filterv2.PaginationRequest {
	return &filterv2.PaginationRequest{Offset: p.GetOffset(), Limit: p.GetLimit(), Asc: p.GetAsc()}
}

func domainOfBeta(q *instancev2beta.DomainQuery) *instancev2.DomainFilter {
	return &instancev2.DomainFilter{Domain: q.GetDomain(), Method: q.GetMethod()}
}

func betaPagination(p *filterv2.PaginationResponse) *filterv2beta.PaginationResponse {
	return &filterv2beta.PaginationResponse{TotalResult: p.GetTotalResult(), AppliedLimit: p.GetAppliedLimit()}
}

func betaInstance(i *instancev2.Instance) *instancev2beta.Instance {
	return &instancev2beta.Instance{
		Id: i.GetId(), ChangeDate: i.GetChangeDate(), CreationDate: i.GetCreationDate(),
		State: instancev2beta.State(i.GetState()), Name: i.GetName(), Version: i.GetVersion(),
		Domains: all(i.GetCustomDomains(), betaDomain),
	}
}

func betaDomain(d *instancev2.CustomDomain) *instancev2beta.Domain {
	return &instancev2beta.Domain{
		InstanceId: d.GetInstanceId(), CreationDate: d.GetCreationDate(), Domain: d.GetDomain(),
		Primary: d.GetPrimary(), Generated: d.GetGenerated(),
	}
}

func betaTrusted(d *instancev2.TrustedDomain) *instancev2beta.TrustedDomain {
	return &instancev2beta.TrustedDomain{
		InstanceId: d.GetInstanceId(), CreationDate: d.GetCreationDate(), Domain: d.GetDomain(),
	}
}

// all converts each of a list.
func all[From, To any](list []From, convert func(From) To) []To {
	converted := make([]To, len(list))
	for i, one := range list {
		converted[i] = convert(one)
	}
	return converted
}
