package users

import (
	"context"
	"io"

	"castellan/internal/api/bind"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/pat"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/usermetadata"

	userv2 "castellan/gen/zitadel/user/v2"
)

// Removal ends users with all that is theirs.
type Removal interface {
	// User removes a user, and returns its last state. It returns user.NotFound when there is none.
	User(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (user.State, error)
}

// Service is the UserService of all instances.
type Service struct {
	DB       store.DB
	Users    *user.Service
	Tokens   *pat.Service
	Keys     *machinekey.Service
	Metadata *usermetadata.Service
	Removal  Removal
	Random   io.Reader // nil: the system's
}

// Table returns the methods that are served.
func (s *Service) Table() *bind.Table {
	return bind.Service(&userv2.UserService_ServiceDesc,
		bind.Unary("CreateUser", s.CreateUser),
		bind.Unary("AddHumanUser", s.AddHumanUser),
		bind.Unary("GetUserByID", s.GetUserByID),
		bind.Unary("ListUsers", s.ListUsers),
		bind.Unary("UpdateUser", s.UpdateUser),
		bind.Unary("UpdateHumanUser", s.UpdateHumanUser),
		bind.Unary("SetEmail", s.SetEmail),
		bind.Unary("ResendEmailCode", s.ResendEmailCode),
		bind.Unary("SendEmailCode", s.SendEmailCode),
		bind.Unary("VerifyEmail", s.VerifyEmail),
		bind.Unary("SetPhone", s.SetPhone),
		bind.Unary("RemovePhone", s.RemovePhone),
		bind.Unary("ResendPhoneCode", s.ResendPhoneCode),
		bind.Unary("VerifyPhone", s.VerifyPhone),
		bind.Unary("PasswordReset", s.PasswordReset),
		bind.Unary("SetPassword", s.SetPassword),
		bind.Unary("CreateInviteCode", s.CreateInviteCode),
		bind.Unary("VerifyInviteCode", s.VerifyInviteCode),
		bind.Unary("DeactivateUser", s.DeactivateUser),
		bind.Unary("ReactivateUser", s.ReactivateUser),
		bind.Unary("LockUser", s.LockUser),
		bind.Unary("UnlockUser", s.UnlockUser),
		bind.Unary("DeleteUser", s.DeleteUser),
		bind.Unary("HumanMFAInitSkipped", s.HumanMFAInitSkipped),
		bind.Unary("AddSecret", s.AddSecret),
		bind.Unary("RemoveSecret", s.RemoveSecret),
		bind.Unary("AddKey", s.AddKey),
		bind.Unary("RemoveKey", s.RemoveKey),
		bind.Unary("ListKeys", s.ListKeys),
		bind.Unary("AddPersonalAccessToken", s.AddPersonalAccessToken),
		bind.Unary("RemovePersonalAccessToken", s.RemovePersonalAccessToken),
		bind.Unary("ListPersonalAccessTokens", s.ListPersonalAccessTokens),
		bind.Unary("SetUserMetadata", s.SetUserMetadata),
		bind.Unary("ListUserMetadata", s.ListUserMetadata),
		bind.Unary("DeleteUserMetadata", s.DeleteUserMetadata),
		bind.Unary("ListAuthenticationMethodTypes", s.ListAuthenticationMethodTypes),
		bind.Unary("ListAuthenticationFactors", s.ListAuthenticationFactors),
		bind.Unary("ListPasskeys", s.ListPasskeys),
		bind.Unary("ListIDPLinks", s.ListIDPLinks),
	)
}

// The permissions that are asked about beyond the options of the RPCs.
const (
	userRead  = "user.read"
	userWrite = "user.write"
)

// writes returns nil when the caller may write a user as if it were somebody else: whoever acts on itself
// needs no permission for what the dispatcher lets through, and user.write for this. It returns
// user.NotFound, a fault of kind PermissionDenied (AUTH-5mWD2), or the errors of the database.
func (s *Service) writes(ctx context.Context, at ident.InstanceID, id ident.UserID) error {
	rights := call.From(ctx).Rights
	if rights.User() != id {
		return nil // the dispatcher has seen to it
	}
	about, err := user.Get(ctx, s.DB, at, id)
	if err == nil && !rights.Reach(userWrite).Org(ident.OrgID(about.Owner)) {
		err = call.Denied
	}
	return err
}

// vouches returns nil when the caller may say who a user is: vouch for an address of it, or get what lets
// somebody act as the user. See [Service.writes] for itself, and [Service.outranks] for others.
func (s *Service) vouches(ctx context.Context, at ident.InstanceID, id ident.UserID) error {
	if err := s.writes(ctx, at, id); err != nil {
		return err
	}
	return s.outranks(ctx, at, call.From(ctx).Rights, id)
}

// outranks returns nil when the caller may all that counts of what a user may, see member.Held: then it
// gains nothing by acting as the user. Otherwise it returns a fault of kind PermissionDenied (AUTH-5mWD2) that
// names the role.
func (s *Service) outranks(ctx context.Context, at ident.InstanceID, rights call.Rights, id ident.UserID) error {
	if rights.User() == id {
		return nil
	}
	held, err := member.Held(ctx, s.DB, at, id)
	if err != nil {
		return err
	}
	for _, m := range held {
		if err := call.MayGive(rights, m.Roles, m.In); err != nil {
			return err
		}
	}
	return nil
}
