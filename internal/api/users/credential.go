package users

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/credential"
	"castellan/internal/defaults"
	"castellan/internal/ident"
	"castellan/internal/machinekey"
	"castellan/internal/pat"
	"castellan/internal/search"
	"castellan/internal/vault"

	filterv2 "castellan/gen/zitadel/filter/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// AddSecret gives a machine a secret for the client credentials grant, in the place of the one before it,
// and returns it this once. See user.SetSecret and [Service.outranks] for what it refuses.
func (s *Service) AddSecret(ctx context.Context, at ident.InstanceID, req *userv2.AddSecretRequest) (*userv2.AddSecretResponse, error) {
	id, c := ident.UserID(req.GetUserId()), call.From(ctx)
	if err := s.outranks(ctx, at, c.Rights, id); err != nil {
		return nil, err
	}
	plain, hash := vault.NewSecret(s.Random)
	after, err := s.Users.SetSecret(ctx, at, c.Actor, id, hash)
	if err != nil {
		return nil, err
	}
	return &userv2.AddSecretResponse{CreationDate: timestamppb.New(after.ChangedAt), ClientSecret: plain}, nil
}

// RemoveSecret takes the secret of a machine away, see user.RemoveSecret.
func (s *Service) RemoveSecret(ctx context.Context, at ident.InstanceID, req *userv2.RemoveSecretRequest) (*userv2.RemoveSecretResponse, error) {
	after, err := s.Users.RemoveSecret(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.RemoveSecretResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// AddKey gives a machine a key: the public one of the request, or a new pair whose key file it returns this
// once. See machinekey.Service.Add and [Service.outranks] for what it refuses.
func (s *Service) AddKey(ctx context.Context, at ident.InstanceID, req *userv2.AddKeyRequest) (*userv2.AddKeyResponse, error) {
	id, c := ident.UserID(req.GetUserId()), call.From(ctx)
	if err := s.outranks(ctx, at, c.Rights, id); err != nil {
		return nil, err
	}
	after, file, err := s.Keys.Add(ctx, at, c.Actor, machinekey.Wish{
		User: id, Expires: req.GetExpirationDate().AsTime(), PublicKey: req.GetPublicKey(),
	})
	if err != nil {
		return nil, err
	}
	return &userv2.AddKeyResponse{CreationDate: timestamppb.New(after.CreatedAt), KeyId: after.ID, KeyContent: file}, nil
}

// RemoveKey ends a key of a user, see machinekey.Service.Remove.
func (s *Service) RemoveKey(ctx context.Context, at ident.InstanceID, req *userv2.RemoveKeyRequest) (*userv2.RemoveKeyResponse, error) {
	after, err := s.Keys.Remove(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()), ident.KeyID(req.GetKeyId()))
	if err != nil {
		return nil, err
	}
	return &userv2.RemoveKeyResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// AddPersonalAccessToken gives a machine a token, which it returns this once. See pat.Service.Add and
// [Service.outranks] for what it refuses.
func (s *Service) AddPersonalAccessToken(ctx context.Context, at ident.InstanceID, req *userv2.AddPersonalAccessTokenRequest) (*userv2.AddPersonalAccessTokenResponse, error) {
	id, c := ident.UserID(req.GetUserId()), call.From(ctx)
	if err := s.outranks(ctx, at, c.Rights, id); err != nil {
		return nil, err
	}
	set, _ := defaults.Of(defaults.Current)
	after, token, err := s.Tokens.Add(ctx, at, c.Actor, pat.Wish{
		User: id, Scopes: set.TokenScopes, Expires: req.GetExpirationDate().AsTime(),
	})
	if err != nil {
		return nil, err
	}
	return &userv2.AddPersonalAccessTokenResponse{
		CreationDate: timestamppb.New(after.CreatedAt), TokenId: after.ID, Token: token.Reveal(),
	}, nil
}

// RemovePersonalAccessToken ends a token of a user, see pat.Service.Remove.
func (s *Service) RemovePersonalAccessToken(ctx context.Context, at ident.InstanceID, req *userv2.RemovePersonalAccessTokenRequest) (*userv2.RemovePersonalAccessTokenResponse, error) {
	after, err := s.Tokens.Remove(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()), ident.TokenID(req.GetTokenId()))
	if err != nil {
		return nil, err
	}
	return &userv2.RemovePersonalAccessTokenResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// ListKeys returns a page of the keys of machines that the caller may see. Without a sorting column they
// are sorted by the date of their creation. It returns QUERY-4M0fs for a page of more than 1000 and
// SEARCH-max01 for more than search.MaxConditions filters.
func (s *Service) ListKeys(ctx context.Context, at ident.InstanceID, req *userv2.ListKeysRequest) (*userv2.ListKeysResponse, error) {
	filters := make([]filter, len(req.GetFilters()))
	for i, f := range req.GetFilters() {
		filters[i] = filter{
			f.GetKeyIdFilter(), f.GetUserIdFilter(), f.GetOrganizationIdFilter(), f.GetCreatedDateFilter(), f.GetExpirationDateFilter(),
		}
	}
	wanted, err := searchOf(ctx, keyColumns[req.GetSortingColumn()], req.GetPagination(), filters)
	if err != nil {
		return nil, err
	}
	total, page, err := machinekey.List(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &userv2.ListKeysResponse{Pagination: v2.Paged(total, wanted.Page), Result: make([]*userv2.Key, len(page))}
	for i, k := range page {
		answer.Result[i] = &userv2.Key{
			Id: k.ID, UserId: string(k.User), OrganizationId: k.Owner, CreationDate: timestamppb.New(k.CreatedAt),
			ChangeDate: timestamppb.New(k.ChangedAt), ExpirationDate: timestamppb.New(k.ExpiresAt),
		}
	}
	return answer, nil
}

// keyColumns are the columns of ListKeys; one that is not declared is the default.
var keyColumns = map[userv2.KeyFieldName]credential.Column{
	userv2.KeyFieldName_KEY_FIELD_NAME_ID:                  credential.ByID,
	userv2.KeyFieldName_KEY_FIELD_NAME_USER_ID:             credential.ByUser,
	userv2.KeyFieldName_KEY_FIELD_NAME_ORGANIZATION_ID:     credential.ByOrg,
	userv2.KeyFieldName_KEY_FIELD_NAME_KEY_EXPIRATION_DATE: credential.ByExpiry,
}

// ListPersonalAccessTokens returns a page of the tokens that the caller may see, without what they are
// shown with. See [Service.ListKeys] for its pages and what it refuses.
func (s *Service) ListPersonalAccessTokens(ctx context.Context, at ident.InstanceID, req *userv2.ListPersonalAccessTokensRequest) (*userv2.ListPersonalAccessTokensResponse, error) {
	filters := make([]filter, len(req.GetFilters()))
	for i, f := range req.GetFilters() {
		filters[i] = filter{
			f.GetTokenIdFilter(), f.GetUserIdFilter(), f.GetOrganizationIdFilter(), f.GetCreatedDateFilter(), f.GetExpirationDateFilter(),
		}
	}
	wanted, err := searchOf(ctx, tokenColumns[req.GetSortingColumn()], req.GetPagination(), filters)
	if err != nil {
		return nil, err
	}
	total, page, err := pat.List(ctx, s.DB, at, wanted)
	if err != nil {
		return nil, err
	}
	answer := &userv2.ListPersonalAccessTokensResponse{
		Pagination: v2.Paged(total, wanted.Page), Result: make([]*userv2.PersonalAccessToken, len(page)),
	}
	for i, t := range page {
		answer.Result[i] = &userv2.PersonalAccessToken{
			Id: t.ID, UserId: string(t.User), OrganizationId: t.Owner, CreationDate: timestamppb.New(t.CreatedAt),
			ChangeDate: timestamppb.New(t.ChangedAt), ExpirationDate: timestamppb.New(t.ExpiresAt),
		}
	}
	return answer, nil
}

// tokenColumns are the columns of ListPersonalAccessTokens; one that is not declared is the default.
var tokenColumns = map[userv2.PersonalAccessTokenFieldName]credential.Column{
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_ID:              credential.ByID,
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_USER_ID:         credential.ByUser,
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_ORGANIZATION_ID: credential.ByOrg,
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_EXPIRATION_DATE: credential.ByExpiry,
}

// filter is one filter of a list of credentials, one of whose parts is set.
type filter struct {
	id, user, org    *filterv2.IDFilter
	created, expires *filterv2.TimestampFilter
}

// searchOf reads what a list of credentials is asked for.
func searchOf(ctx context.Context, by credential.Column, page *filterv2.PaginationRequest, filters []filter) (c credential.Search, err error) {
	c.By, c.Within = by, call.From(ctx).Rights.Reach(userRead)
	if c.Page, err = v2.Page("pagination", page); err != nil {
		return c, err
	}
	if err := search.TooMany("filters", len(filters), search.MaxConditions); err != nil {
		return c, err
	}
	for i, f := range filters {
		name := fmt.Sprintf("filters[%d].", i)
		var at search.Moment
		switch {
		case f.id != nil:
			c.IDs = append(c.IDs, f.id.GetId())
		case f.user != nil:
			c.Users = append(c.Users, ident.UserID(f.user.GetId()))
		case f.org != nil:
			c.Orgs = append(c.Orgs, ident.OrgID(f.org.GetId()))
		case f.created != nil:
			at, err = v2.Moment(name+"created_date_filter", f.created)
			c.Created = append(c.Created, at)
		case f.expires != nil:
			at, err = v2.Moment(name+"expiration_date_filter", f.expires)
			c.Expires = append(c.Expires, at)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}
