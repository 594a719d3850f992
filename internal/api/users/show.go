package users

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/ident"
	"castellan/internal/user"

	userv2 "castellan/gen/zitadel/user/v2"
)

// GetUserByID returns a user. It returns user.NotFound when there is none with that id.
func (s *Service) GetUserByID(ctx context.Context, at ident.InstanceID, req *userv2.GetUserByIDRequest) (*userv2.GetUserByIDResponse, error) {
	found, err := user.Get(ctx, s.DB, at, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.GetUserByIDResponse{Details: v2.Details(found.Head), User: shown(found)}, nil
}

// states are the states of users on the wire.
var states = map[string]userv2.UserState{
	user.Active: userv2.UserState_USER_STATE_ACTIVE, user.Inactive: userv2.UserState_USER_STATE_INACTIVE,
	user.LockedOut: userv2.UserState_USER_STATE_LOCKED,
}

// shown shows a user. Nobody is shown a password or a secret, nor what is made of them.
func shown(s user.State) *userv2.User {
	u := &userv2.User{
		UserId: s.ID, Details: v2.Details(s.Head), State: states[s.Status], Username: s.UserName,
		LoginNames: s.LoginNames(), PreferredLoginName: s.LoginNames()[0],
	}
	if s.Kind == user.Machine {
		u.Type = &userv2.User_Machine{Machine: &userv2.MachineUser{
			Name: s.Name, Description: s.Description, HasSecret: s.SecretHash != nil, AccessTokenType: tokenType(s.AccessTokenType),
		}}
		return u
	}
	gender := userv2.Gender(s.Gender)
	u.Type = &userv2.User_Human{Human: &userv2.HumanUser{
		UserId: u.GetUserId(), State: u.GetState(), Username: u.GetUsername(),
		LoginNames: u.GetLoginNames(), PreferredLoginName: u.GetPreferredLoginName(),
		Profile: &userv2.HumanProfile{
			GivenName: s.FirstName, FamilyName: s.LastName, NickName: v2.OrNone(s.NickName), DisplayName: &s.DisplayName,
			PreferredLanguage: v2.OrNone(s.PreferredLanguage), Gender: &gender,
		},
		Email:                  &userv2.HumanEmail{Email: s.Email, IsVerified: s.EmailVerified},
		Phone:                  &userv2.HumanPhone{Phone: s.Phone, IsVerified: s.PhoneVerified},
		PasswordChangeRequired: s.PasswordChangeRequired,
		PasswordChanged:        timeOf(s.PasswordChangedAt),
		MfaInitSkipped:         timeOf(s.MFASkippedAt),
	}}
	return u
}

// tokenType is a type of access tokens on the wire.
func tokenType(text string) userv2.AccessTokenType {
	if text == user.JWT {
		return userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT
	}
	return userv2.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
}

// timeOf shows a time that may be none.
func timeOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
