package orgs

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/org"

	orgv2 "castellan/gen/zitadel/org/v2"
)

// The types of validation; the rules of the message leave no other.
var (
	types = map[orgv2.DomainValidationType]org.ValidationType{
		orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_HTTP: org.HTTP,
		orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_DNS:  org.DNS,
	}
	shownTypes = map[org.ValidationType]orgv2.DomainValidationType{
		org.HTTP: orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_HTTP,
		org.DNS:  orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_DNS,
	}
)

// AddOrganizationDomain gives an organization one more domain. It returns the faults of
// org.Service.AddDomain.
func (s *Service) AddOrganizationDomain(ctx context.Context, at ident.InstanceID, req *orgv2.AddOrganizationDomainRequest) (*orgv2.AddOrganizationDomainResponse, error) {
	after, err := s.Orgs.AddDomain(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &orgv2.AddOrganizationDomainResponse{CreationDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteOrganizationDomain takes a domain from an organization. It returns the faults of
// org.Service.RemoveDomain.
func (s *Service) DeleteOrganizationDomain(ctx context.Context, at ident.InstanceID, req *orgv2.DeleteOrganizationDomainRequest) (*orgv2.DeleteOrganizationDomainResponse, error) {
	after, err := s.Orgs.RemoveDomain(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &orgv2.DeleteOrganizationDomainResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// GenerateOrganizationDomainValidation returns what has to be published, and where, to prove that a domain
// is that of an organization. It returns the faults of org.Service.Validate.
func (s *Service) GenerateOrganizationDomainValidation(ctx context.Context, at ident.InstanceID, req *orgv2.GenerateOrganizationDomainValidationRequest) (*orgv2.GenerateOrganizationDomainValidationResponse, error) {
	d, err := s.Orgs.Validate(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, req.GetDomain(), types[req.GetType()])
	if err != nil {
		return nil, err
	}
	return &orgv2.GenerateOrganizationDomainValidationResponse{Token: d.Token, Url: d.Place()}, nil
}

// VerifyOrganizationDomain looks for the proof. It returns the faults of org.Service.Verify.
func (s *Service) VerifyOrganizationDomain(ctx context.Context, at ident.InstanceID, req *orgv2.VerifyOrganizationDomainRequest) (*orgv2.VerifyOrganizationDomainResponse, error) {
	after, err := s.Orgs.Verify(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &orgv2.VerifyOrganizationDomainResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// domainColumns are the columns of ListOrganizationDomains; one that is not declared is the default.
var domainColumns = map[orgv2.DomainFieldName]org.DomainColumn{
	orgv2.DomainFieldName_DOMAIN_FIELD_NAME_NAME:          org.ByDomainName,
	orgv2.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: org.ByDomainCreation,
}

// ListOrganizationDomains returns a page of the domains of an organization. Without a sorting column they
// are sorted by the date of their creation. It returns org.NotFound, QUERY-4M0fs for a page of more than
// 1000, and SEARCH-max01 for more than search.MaxConditions filters.
func (s *Service) ListOrganizationDomains(ctx context.Context, at ident.InstanceID, req *orgv2.ListOrganizationDomainsRequest) (*orgv2.ListOrganizationDomainsResponse, error) {
	page, err := asked("pagination", req.GetPagination(), "filters", len(req.GetFilters()))
	if err != nil {
		return nil, err
	}
	found, err := org.Get(ctx, s.DB, at, ident.OrgID(req.GetOrganizationId()))
	if err != nil {
		return nil, err
	}
	wanted := org.DomainSearch{Page: page, By: domainColumns[req.GetSortingColumn()]}
	for _, f := range req.GetFilters() {
		wanted.Names = append(wanted.Names, v2.Text(f.GetDomainFilter().GetDomain(), f.GetDomainFilter().GetMethod()))
	}
	total, domains := found.SearchDomains(wanted)
	answer := &orgv2.ListOrganizationDomainsResponse{Pagination: v2.Paged(total, page), Domains: make([]*orgv2.Domain, len(domains))}
	for i, d := range domains {
		answer.Domains[i] = &orgv2.Domain{
			OrganizationId: found.ID, Domain: d.Name, IsVerified: d.Verified, IsPrimary: d.Primary, ValidationType: shownTypes[d.Validation],
		}
	}
	return answer, nil
}
