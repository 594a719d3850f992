package users

import (
	"context"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/user"

	objectv2 "castellan/gen/zitadel/object/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// ResendEmailCode makes another code for the address of a human, which is returned. It returns USER-mail1
// unless that is asked for, and the faults of user.Service.MakeCode.
func (s *Service) ResendEmailCode(ctx context.Context, at ident.InstanceID, req *userv2.ResendEmailCodeRequest) (*userv2.ResendEmailCodeResponse, error) {
	shown, code, err := s.makeCode(ctx, at, req.GetUserId(), user.ForEmail, true, req.GetReturnCode() != nil)
	return &userv2.ResendEmailCodeResponse{Details: shown, VerificationCode: code}, err
}

// SendEmailCode makes a code for the address of a human, which is returned, see [Service.ResendEmailCode].
func (s *Service) SendEmailCode(ctx context.Context, at ident.InstanceID, req *userv2.SendEmailCodeRequest) (*userv2.SendEmailCodeResponse, error) {
	shown, code, err := s.makeCode(ctx, at, req.GetUserId(), user.ForEmail, false, req.GetReturnCode() != nil)
	return &userv2.SendEmailCodeResponse{Details: shown, VerificationCode: code}, err
}

// ResendPhoneCode makes another code for the number of a human, which is returned, see
// [Service.ResendEmailCode].
func (s *Service) ResendPhoneCode(ctx context.Context, at ident.InstanceID, req *userv2.ResendPhoneCodeRequest) (*userv2.ResendPhoneCodeResponse, error) {
	shown, code, err := s.makeCode(ctx, at, req.GetUserId(), user.ForPhone, true, req.GetReturnCode() != nil)
	return &userv2.ResendPhoneCodeResponse{Details: shown, VerificationCode: code}, err
}

// PasswordReset makes a code with which a human sets a password, which is returned, see
// [Service.ResendEmailCode].
func (s *Service) PasswordReset(ctx context.Context, at ident.InstanceID, req *userv2.PasswordResetRequest) (*userv2.PasswordResetResponse, error) {
	shown, code, err := s.makeCode(ctx, at, req.GetUserId(), user.ForPassword, false, req.GetReturnCode() != nil)
	return &userv2.PasswordResetResponse{Details: shown, VerificationCode: code}, err
}

// CreateInviteCode makes a code with which a human who has no password yet shows who it is, which is
// returned, see [Service.ResendEmailCode].
func (s *Service) CreateInviteCode(ctx context.Context, at ident.InstanceID, req *userv2.CreateInviteCodeRequest) (*userv2.CreateInviteCodeResponse, error) {
	shown, code, err := s.makeCode(ctx, at, req.GetUserId(), user.ForInvite, false, req.GetReturnCode() != nil)
	return &userv2.CreateInviteCodeResponse{Details: shown, InviteCode: code}, err
}

// makeCode is every RPC that makes a code. Who gets it can say who the user is, see [Service.vouches].
func (s *Service) makeCode(ctx context.Context, at ident.InstanceID, name string, purpose user.Purpose, again, returned bool) (*objectv2.Details, *string, error) {
	if !returned {
		return nil, nil, v2.ErrNoMail
	}
	id := ident.UserID(name)
	if err := s.vouches(ctx, at, id); err != nil {
		return nil, nil, err
	}
	after, code, err := s.Users.MakeCode(ctx, at, call.From(ctx).Actor, id, purpose, again)
	if err != nil {
		return nil, nil, err
	}
	return v2.Details(after.Head), &code, nil
}

// VerifyEmail verifies the address of a human with a code, see user.Service.Verify for what it returns.
func (s *Service) VerifyEmail(ctx context.Context, at ident.InstanceID, req *userv2.VerifyEmailRequest) (*userv2.VerifyEmailResponse, error) {
	shown, err := s.verify(ctx, at, req, user.ForEmail)
	return &userv2.VerifyEmailResponse{Details: shown}, err
}

// VerifyPhone verifies the number of a human with a code, see user.Service.Verify.
func (s *Service) VerifyPhone(ctx context.Context, at ident.InstanceID, req *userv2.VerifyPhoneRequest) (*userv2.VerifyPhoneResponse, error) {
	shown, err := s.verify(ctx, at, req, user.ForPhone)
	return &userv2.VerifyPhoneResponse{Details: shown}, err
}

// VerifyInviteCode ends an invitation with its code, see user.Service.Verify.
func (s *Service) VerifyInviteCode(ctx context.Context, at ident.InstanceID, req *userv2.VerifyInviteCodeRequest) (*userv2.VerifyInviteCodeResponse, error) {
	shown, err := s.verify(ctx, at, req, user.ForInvite)
	return &userv2.VerifyInviteCodeResponse{Details: shown}, err
}

// verify is every RPC that shows a code.
func (s *Service) verify(ctx context.Context, at ident.InstanceID, req interface {
	GetUserId() string
	GetVerificationCode() string
}, purpose user.Purpose,
) (*objectv2.Details, error) {
	after, err := s.Users.Verify(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()), purpose, req.GetVerificationCode())
	if err != nil {
		return nil, err
	}
	return v2.Details(after.Head), nil
}
