package users

import (
	"context"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/user"

	userv2 "castellan/gen/zitadel/user/v2"
)

// DeactivateUser puts a user out of use: its tokens, keys and secrets count no more until it is
// reactivated. See user.Deactivate for what it refuses.
func (s *Service) DeactivateUser(ctx context.Context, at ident.InstanceID, req *userv2.DeactivateUserRequest) (*userv2.DeactivateUserResponse, error) {
	after, err := s.Users.Deactivate(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.DeactivateUserResponse{Details: v2.Details(after.Head)}, nil
}

// ReactivateUser makes an inactive user active, see user.Reactivate.
func (s *Service) ReactivateUser(ctx context.Context, at ident.InstanceID, req *userv2.ReactivateUserRequest) (*userv2.ReactivateUserResponse, error) {
	after, err := s.Users.Reactivate(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.ReactivateUserResponse{Details: v2.Details(after.Head)}, nil
}

// LockUser locks a user out, see user.Lock.
func (s *Service) LockUser(ctx context.Context, at ident.InstanceID, req *userv2.LockUserRequest) (*userv2.LockUserResponse, error) {
	after, err := s.Users.Lock(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.LockUserResponse{Details: v2.Details(after.Head)}, nil
}

// UnlockUser lets a locked user in again, see user.Unlock.
func (s *Service) UnlockUser(ctx context.Context, at ident.InstanceID, req *userv2.UnlockUserRequest) (*userv2.UnlockUserResponse, error) {
	after, err := s.Users.Unlock(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.UnlockUserResponse{Details: v2.Details(after.Head)}, nil
}

// DeleteUser ends a user with its credentials, metadata, memberships and authorizations. The user name is
// free afterwards.
func (s *Service) DeleteUser(ctx context.Context, at ident.InstanceID, req *userv2.DeleteUserRequest) (*userv2.DeleteUserResponse, error) {
	after, err := s.Removal.User(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.DeleteUserResponse{Details: v2.Details(after.Head)}, nil
}

// HumanMFAInitSkipped records that a human has put off setting up a second factor.
func (s *Service) HumanMFAInitSkipped(ctx context.Context, at ident.InstanceID, req *userv2.HumanMFAInitSkippedRequest) (*userv2.HumanMFAInitSkippedResponse, error) {
	after, err := s.Users.SkipMFA(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.HumanMFAInitSkippedResponse{Details: v2.Details(after.Head)}, nil
}

// ListAuthenticationMethodTypes returns with what a user can log in: so far a password is all there is,
// whichever host the login is at. It returns user.NotFound when there is no user with that id.
func (s *Service) ListAuthenticationMethodTypes(ctx context.Context, at ident.InstanceID, req *userv2.ListAuthenticationMethodTypesRequest) (*userv2.ListAuthenticationMethodTypesResponse, error) {
	found, err := user.Get(ctx, s.DB, at, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	var types []userv2.AuthenticationMethodType
	if found.PasswordHash != "" {
		types = append(types, userv2.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_PASSWORD)
	}
	return &userv2.ListAuthenticationMethodTypesResponse{Details: v2.Total(len(types)), AuthMethodTypes: types}, nil
}

// ListAuthenticationFactors returns the second factors of a user, of which there are none yet. It returns
// user.NotFound when there is no user with that id.
func (s *Service) ListAuthenticationFactors(ctx context.Context, at ident.InstanceID, req *userv2.ListAuthenticationFactorsRequest) (*userv2.ListAuthenticationFactorsResponse, error) {
	if _, err := user.Get(ctx, s.DB, at, ident.UserID(req.GetUserId())); err != nil {
		return nil, err
	}
	return &userv2.ListAuthenticationFactorsResponse{}, nil
}

// ListPasskeys returns the passkeys of a user, of which there are none yet. It returns user.NotFound when
// there is no user with that id.
func (s *Service) ListPasskeys(ctx context.Context, at ident.InstanceID, req *userv2.ListPasskeysRequest) (*userv2.ListPasskeysResponse, error) {
	if _, err := user.Get(ctx, s.DB, at, ident.UserID(req.GetUserId())); err != nil {
		return nil, err
	}
	return &userv2.ListPasskeysResponse{Details: v2.Total(0)}, nil
}

// ListIDPLinks returns the links of a user to identity providers, of which there are none yet. It returns
// user.NotFound when there is no user with that id, and QUERY-4M0fs for a page of more than 1000.
func (s *Service) ListIDPLinks(ctx context.Context, at ident.InstanceID, req *userv2.ListIDPLinksRequest) (*userv2.ListIDPLinksResponse, error) {
	if _, err := v2.Page("query", req.GetQuery()); err != nil {
		return nil, err
	}
	if _, err := user.Get(ctx, s.DB, at, ident.UserID(req.GetUserId())); err != nil {
		return nil, err
	}
	return &userv2.ListIDPLinksResponse{Details: v2.Total(0)}, nil
}
