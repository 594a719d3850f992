package users

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/user"
	"castellan/internal/usermetadata"

	metadatav2 "castellan/gen/zitadel/metadata/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// SetUserMetadata sets values of a user by keys, all or none, see usermetadata.Service.Set.
func (s *Service) SetUserMetadata(ctx context.Context, at ident.InstanceID, req *userv2.SetUserMetadataRequest) (*userv2.SetUserMetadataResponse, error) {
	set, err := s.Metadata.Set(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()), entriesOf(req.GetMetadata()))
	if err != nil {
		return nil, err
	}
	return &userv2.SetUserMetadataResponse{SetDate: timestamppb.New(set)}, nil
}

// DeleteUserMetadata removes what a user has for keys, all or none, see usermetadata.Service.Remove.
func (s *Service) DeleteUserMetadata(ctx context.Context, at ident.InstanceID, req *userv2.DeleteUserMetadataRequest) (*userv2.DeleteUserMetadataResponse, error) {
	removed, err := s.Metadata.Remove(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()), req.GetKeys())
	if err != nil {
		return nil, err
	}
	return &userv2.DeleteUserMetadataResponse{DeletionDate: timestamppb.New(removed)}, nil
}

// ListUserMetadata returns a page of the metadata of a user, sorted by key. It returns user.NotFound when
// there is no user with that id, QUERY-4M0fs for a page of more than 1000, SEARCH-max01 for more than
// search.MaxConditions filters, and META-page1 when what is on the page is too large.
func (s *Service) ListUserMetadata(ctx context.Context, at ident.InstanceID, req *userv2.ListUserMetadataRequest) (*userv2.ListUserMetadataResponse, error) {
	wanted := usermetadata.Search{User: ident.UserID(req.GetUserId())}
	var err error
	if wanted.Page, err = v2.Page("pagination", req.GetPagination()); err != nil {
		return nil, err
	}
	if err := search.TooMany("filters", len(req.GetFilters()), search.MaxConditions); err != nil {
		return nil, err
	}
	for _, f := range req.GetFilters() {
		wanted.Keys = append(wanted.Keys, keyCondition(f.GetKeyFilter()))
	}
	if _, err := user.Get(ctx, s.DB, at, wanted.User); err != nil {
		return nil, err
	}
	total, page, err := usermetadata.List(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &userv2.ListUserMetadataResponse{
		Pagination: v2.Paged(total, wanted.Page), Metadata: make([]*metadatav2.Metadata, len(page)),
	}
	for i, m := range page {
		answer.Metadata[i] = &metadatav2.Metadata{
			Key: m.Key, Value: m.Value, CreationDate: timestamppb.New(m.CreatedAt), ChangeDate: timestamppb.New(m.ChangedAt),
		}
	}
	return answer, nil
}

// keyCondition reads a condition on a key.
func keyCondition(f *metadatav2.MetadataKeyFilter) search.Text {
	return v2.Text(f.GetKey(), f.GetMethod())
}
