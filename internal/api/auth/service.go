// Package auth serves zitadel.auth.v1.AuthService: what users do with themselves. Of that service it has what
// a program needs to find out whether its token is good, and whose it is; the rest is declared nowhere.
//
// It changes nothing. Who the caller is the dispatcher has found out; what the user is belongs to user. It
// guarantees that GetMyUser reads one row beyond what it took to let the caller in.
package auth

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/bind"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/user"

	authv1 "castellan/gen/zitadel/auth/v1"
	userv1 "castellan/gen/zitadel/user/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// Service is the AuthService of all instances.
type Service struct {
	DB store.Querier
}

// Table returns the methods.
func (s *Service) Table() *bind.Table {
	return bind.Service(&authv1.AuthService_ServiceDesc,
		bind.Unary("Healthz", s.Healthz),
		bind.Unary("GetMyUser", s.GetMyUser),
	)
}

// Healthz answers that the instance is served.
func (s *Service) Healthz(context.Context, ident.InstanceID, *authv1.HealthzRequest) (*authv1.HealthzResponse, error) {
	return &authv1.HealthzResponse{}, nil
}

// GetMyUser returns the user who calls. Nobody has logged in at a browser yet, so there is no last login.
// It returns user.NotFound when the user has been removed since it was let in.
func (s *Service) GetMyUser(ctx context.Context, at ident.InstanceID, _ *authv1.GetMyUserRequest) (*authv1.GetMyUserResponse, error) {
	found, err := user.Get(ctx, s.DB, at, call.From(ctx).Rights.User())
	if err != nil {
		return nil, err
	}
	return &authv1.GetMyUserResponse{User: shown(found)}, nil
}

// states are the states of users on the wire.
var states = map[string]userv1.UserState{
	user.Active: userv1.UserState_USER_STATE_ACTIVE, user.Inactive: userv1.UserState_USER_STATE_INACTIVE,
	user.LockedOut: userv1.UserState_USER_STATE_LOCKED,
}

// shown shows a user. Nobody is shown a password or a secret, nor what is made of them.
func shown(s user.State) *userv1.User {
	u := &userv1.User{
		Id: s.ID,
		Details: &zitadelv1.ObjectDetails{
			Sequence: s.Sequence, CreationDate: timestamppb.New(s.CreatedAt), ChangeDate: timestamppb.New(s.ChangedAt), ResourceOwner: s.Owner,
		},
		State: states[s.Status], UserName: s.UserName, LoginNames: s.LoginNames(), PreferredLoginName: s.LoginNames()[0],
	}
	if s.Kind == user.Machine {
		kind := userv1.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
		if s.AccessTokenType == user.JWT {
			kind = userv1.AccessTokenType_ACCESS_TOKEN_TYPE_JWT
		}
		u.Type = &userv1.User_Machine{Machine: &userv1.Machine{
			Name: s.Name, Description: s.Description, HasSecret: s.SecretHash != nil, AccessTokenType: kind,
		}}
		return u
	}
	u.Type = &userv1.User_Human{Human: &userv1.Human{
		Profile: &userv1.Profile{
			FirstName: s.FirstName, LastName: s.LastName, NickName: s.NickName, DisplayName: s.DisplayName,
			PreferredLanguage: s.PreferredLanguage, Gender: userv1.Gender(s.Gender),
		},
		Email:           &userv1.Email{Email: s.Email, IsEmailVerified: s.EmailVerified},
		Phone:           &userv1.Phone{Phone: s.Phone, IsPhoneVerified: s.PhoneVerified},
		PasswordChanged: timeOf(s.PasswordChangedAt),
	}}
	return u
}

// timeOf shows a time that may be none.
func timeOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
