package orgs

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/org"
	"castellan/internal/search"

	metadatav2 "castellan/gen/zitadel/metadata/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
)

// SetOrganizationMetadata writes something down about an organization. It returns the faults of
// org.Service.SetMetadata.
func (s *Service) SetOrganizationMetadata(ctx context.Context, at ident.InstanceID, req *orgv2.SetOrganizationMetadataRequest) (*orgv2.SetOrganizationMetadataResponse, error) {
	entries := make([]org.Metadata, len(req.GetMetadata()))
	for i, m := range req.GetMetadata() {
		entries[i] = org.Metadata{Key: m.GetKey(), Value: m.GetValue()}
	}
	after, err := s.Orgs.SetMetadata(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, entries)
	if err != nil {
		return nil, err
	}
	return &orgv2.SetOrganizationMetadataResponse{SetDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteOrganizationMetadata removes what stands under some keys. It returns the faults of
// org.Service.RemoveMetadata.
func (s *Service) DeleteOrganizationMetadata(ctx context.Context, at ident.InstanceID, req *orgv2.DeleteOrganizationMetadataRequest) (*orgv2.DeleteOrganizationMetadataResponse, error) {
	after, err := s.Orgs.RemoveMetadata(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, req.GetKeys())
	if err != nil {
		return nil, err
	}
	return &orgv2.DeleteOrganizationMetadataResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// ListOrganizationMetadata returns a page of what is written down about an organization, sorted by key. It
// returns the faults of org.ListMetadata, QUERY-4M0fs for a page of more than 1000, and SEARCH-max01 for
// more than search.MaxConditions filters.
func (s *Service) ListOrganizationMetadata(ctx context.Context, at ident.InstanceID, req *orgv2.ListOrganizationMetadataRequest) (*orgv2.ListOrganizationMetadataResponse, error) {
	page, err := asked("pagination", req.GetPagination(), "filters", len(req.GetFilters()))
	if err != nil {
		return nil, err
	}
	wanted := org.MetadataSearch{Page: page}
	for _, f := range req.GetFilters() {
		wanted.Keys = append(wanted.Keys, v2.Text(f.GetKeyFilter().GetKey(), f.GetKeyFilter().GetMethod()))
	}
	total, found, err := org.ListMetadata(ctx, s.DB, at, ident.OrgID(req.GetOrganizationId()), wanted)
	if err != nil {
		return nil, err
	}
	answer := &orgv2.ListOrganizationMetadataResponse{Pagination: v2.Paged(total, page), Metadata: make([]*metadatav2.Metadata, len(found))}
	for i, m := range found {
		answer.Metadata[i] = &metadatav2.Metadata{
			Key: m.Key, Value: m.Value, CreationDate: timestamppb.New(m.CreatedAt), ChangeDate: timestamppb.New(m.ChangedAt),
		}
	}
	return answer, nil
}

// asked reads which page of a list is wanted, and how many conditions there are on it.
func asked(field string, p v2.Pagination, conditions string, n int) (search.Page, error) {
	if err := search.TooMany(conditions, n, search.MaxConditions); err != nil {
		return search.Page{}, err
	}
	return v2.Page(field, p)
}
