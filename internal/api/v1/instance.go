package v1

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/instance"
	"castellan/internal/search"

	instancev1 "castellan/gen/zitadel/instance/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// Instance shows an instance with all its domains (contract section 2.2). version is that of the
// running build.
func Instance(s instance.State, version string) *instancev1.InstanceDetail {
	return &instancev1.InstanceDetail{
		Id:      s.ID,
		Details: Details(s),
		State:   StateOf(s),
		Name:    s.Name,
		Version: version,
		Domains: Domains(s.ID, s.Domains),
	}
}

// StateOf shows whether an instance serves. An instance is there as a whole or not at all and
// stops with one commit, so it is never creating or stopping.
func StateOf(s instance.State) instancev1.State {
	if s.Stopped {
		return instancev1.State_STATE_STOPPED
	}
	return instancev1.State_STATE_RUNNING
}

// Domains shows domains of the instance with an id.
func Domains(id string, all []instance.Domain) []*instancev1.Domain {
	domains := make([]*instancev1.Domain, len(all))
	for i, d := range all {
		domains[i] = &instancev1.Domain{
			Details: &zitadelv1.ObjectDetails{
				Sequence:      d.Sequence,
				CreationDate:  timestamppb.New(d.CreatedAt),
				ChangeDate:    timestamppb.New(d.ChangedAt),
				ResourceOwner: id,
			},
			Domain:    d.Name,
			Primary:   d.Primary,
			Generated: d.Generated,
		}
	}
	return domains
}

// DomainSearch is the request of a list of domains.
type DomainSearch interface {
	GetQuery() *zitadelv1.ListQuery
	GetSortingColumn() instancev1.DomainFieldName
	GetQueries() []*instancev1.DomainSearchQuery
}

// DomainsWanted reads which domains of an instance are searched for (contract section 2.6). Without a
// sorting column they are sorted by their date of creation. It returns SEARCH-max01 for more than
// search.MaxConditions queries.
func DomainsWanted(req DomainSearch) (instance.DomainSearch, error) {
	if err := search.TooMany("queries", len(req.GetQueries()), search.MaxConditions); err != nil {
		return instance.DomainSearch{}, err
	}
	wanted := instance.DomainSearch{Page: Page(req.GetQuery()), By: domainColumns[req.GetSortingColumn()]}
	for _, q := range req.GetQueries() {
		switch q := q.GetQuery().(type) {
		case *instancev1.DomainSearchQuery_DomainQuery:
			wanted.Names = append(wanted.Names, Text(q.DomainQuery.GetDomain(), q.DomainQuery.GetMethod()))
		case *instancev1.DomainSearchQuery_GeneratedQuery:
			wanted.Generated = append(wanted.Generated, q.GeneratedQuery.GetGenerated())
		case *instancev1.DomainSearchQuery_PrimaryQuery:
			wanted.Primary = append(wanted.Primary, q.PrimaryQuery.GetPrimary())
		}
	}
	return wanted, nil
}

// domainColumns are the columns of a list of domains; one that is not declared is the default.
var domainColumns = map[instancev1.DomainFieldName]instance.DomainColumn{
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_DOMAIN:        instance.ByDomainName,
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_PRIMARY:       instance.ByDomainPrimary,
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED:     instance.ByDomainGenerated,
	instancev1.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: instance.ByDomainCreation,
}
