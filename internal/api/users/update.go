package users

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	v2 "castellan/internal/api/v2"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/user"

	userv2 "castellan/gen/zitadel/user/v2"
)

// UpdateUser changes what the request names of a user, all at once or not at all. It returns the faults of
// user.Service.Update, those of [Service.vouches], and USER-mail1 for a code that is to be sent.
func (s *Service) UpdateUser(ctx context.Context, at ident.InstanceID, req *userv2.UpdateUserRequest) (*userv2.UpdateUserResponse, error) {
	wish := user.Update{Change: user.Change{UserName: req.Username}}
	if m := req.GetMachine(); m != nil {
		wish.Machine = &user.MachineProfile{Name: m.Name, Description: m.Description}
		if m.AccessTokenType != nil {
			kind := tokenTypes[m.GetAccessTokenType()]
			wish.Machine.AccessTokenType = &kind
		}
	}
	if h := req.GetHuman(); h != nil {
		if p := h.GetProfile(); p != nil {
			wish.Profile = &user.Profile{
				FirstName: p.GivenName, LastName: p.FamilyName, NickName: p.NickName, DisplayName: p.DisplayName,
				PreferredLanguage: p.PreferredLanguage, Gender: v2.Gender(p.Gender),
			}
		}
		wish.Email, wish.Phone = contactOf(h.GetEmail()), contactOf(h.GetPhone())
		wish.NewPassword = newPasswordOf(h.GetPassword())
	}
	id := ident.UserID(req.GetUserId())
	if len(req.GetMetadata()) > 0 {
		if err := s.writes(ctx, at, id); err != nil {
			return nil, err
		}
	}
	var err error
	if wish.Also, err = s.also(ctx, entriesOf(req.GetMetadata())); err != nil {
		return nil, err
	}
	after, codes, err := s.update(ctx, at, id, wish, sends(req.GetHuman()))
	if err != nil {
		return nil, v2.HumanFields("human.").Of(err)
	}
	return &userv2.UpdateUserResponse{
		ChangeDate: timestamppb.New(after.ChangedAt), EmailCode: v2.OrNone(codes.Email), PhoneCode: v2.OrNone(codes.Phone),
	}, nil
}

// UpdateHumanUser changes what the request names of a human, see [Service.UpdateUser].
func (s *Service) UpdateHumanUser(ctx context.Context, at ident.InstanceID, req *userv2.UpdateHumanUserRequest) (*userv2.UpdateHumanUserResponse, error) {
	wish := user.Update{Change: user.Change{
		UserName: req.Username, Email: contactOf(req.GetEmail()), Phone: contactOf(req.GetPhone()),
		Profile: &user.Profile{}, // of a human, whatever is changed
	}, NewPassword: newPasswordOf(req.GetPassword())}
	if p := req.GetProfile(); p != nil {
		wish.Profile = &user.Profile{
			FirstName: &p.GivenName, LastName: &p.FamilyName, NickName: p.NickName, DisplayName: p.DisplayName,
			PreferredLanguage: p.PreferredLanguage, Gender: v2.Gender(p.Gender),
		}
	}
	after, codes, err := s.update(ctx, at, ident.UserID(req.GetUserId()), wish, sends(req))
	if err != nil {
		return nil, v2.HumanFields("").Of(err)
	}
	return &userv2.UpdateHumanUserResponse{
		Details: v2.Details(after.Head), EmailCode: v2.OrNone(codes.Email), PhoneCode: v2.OrNone(codes.Phone),
	}, nil
}

// SetEmail gives a human another address, or vouches for the one there is. It returns COMMAND-Uch5e when
// that changes nothing, and the faults of [Service.UpdateUser].
func (s *Service) SetEmail(ctx context.Context, at ident.InstanceID, req *userv2.SetEmailRequest) (*userv2.SetEmailResponse, error) {
	after, codes, err := s.update(ctx, at, ident.UserID(req.GetUserId()), user.Update{
		Change: user.Change{Email: contact(req.GetEmail(), req.GetIsVerified(), req.GetReturnCode() != nil)}, Some: true,
	}, req.GetSendCode() != nil)
	if err != nil {
		return nil, v2.Fields{user.FieldEmail, "email"}.Of(err)
	}
	return &userv2.SetEmailResponse{Details: v2.Details(after.Head), VerificationCode: v2.OrNone(codes.Email)}, nil
}

// SetPhone gives a human another number, or vouches for the one there is. It returns COMMAND-Uch5e when
// that changes nothing, and the faults of [Service.UpdateUser].
func (s *Service) SetPhone(ctx context.Context, at ident.InstanceID, req *userv2.SetPhoneRequest) (*userv2.SetPhoneResponse, error) {
	after, codes, err := s.update(ctx, at, ident.UserID(req.GetUserId()), user.Update{
		Change: user.Change{Phone: contact(req.GetPhone(), req.GetIsVerified(), req.GetReturnCode() != nil)}, Some: true,
	}, req.GetSendCode() != nil)
	if err != nil {
		return nil, v2.Fields{user.FieldPhone, "phone"}.Of(err)
	}
	return &userv2.SetPhoneResponse{Details: v2.Details(after.Head), VerificationCode: v2.OrNone(codes.Phone)}, nil
}

// RemovePhone takes the number of a human away. It returns COMMAND-ieJ2e when there is none.
func (s *Service) RemovePhone(ctx context.Context, at ident.InstanceID, req *userv2.RemovePhoneRequest) (*userv2.RemovePhoneResponse, error) {
	after, err := s.Users.RemovePhone(ctx, at, call.From(ctx).Actor, ident.UserID(req.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &userv2.RemovePhoneResponse{Details: v2.Details(after.Head)}, nil
}

// SetPassword gives a human another password. Whoever sets its own shows the one before it or a code; whoever
// sets that of somebody else without showing either needs to be above that user, see [Service.vouches]. It
// returns the faults of user.Service.Update.
func (s *Service) SetPassword(ctx context.Context, at ident.InstanceID, req *userv2.SetPasswordRequest) (*userv2.SetPasswordResponse, error) {
	after, _, err := s.update(ctx, at, ident.UserID(req.GetUserId()), user.Update{NewPassword: &user.SetPassword{
		Password: user.Password{Plain: req.GetNewPassword().GetPassword(), ChangeRequired: req.GetNewPassword().GetChangeRequired()},
		Current:  req.GetCurrentPassword(), Code: req.GetVerificationCode(),
	}}, false)
	if err != nil {
		return nil, v2.Fields{user.FieldPassword, "new_password.password"}.Of(err)
	}
	return &userv2.SetPasswordResponse{Details: v2.Details(after.Head)}, nil
}

// update is every change of a user that may say who the user is. send says that something is to be sent.
func (s *Service) update(ctx context.Context, at ident.InstanceID, id ident.UserID, wish user.Update, send bool) (user.State, user.Codes, error) {
	if send {
		return user.State{}, user.Codes{}, v2.ErrNoMail
	}
	if vouched(wish) {
		if err := s.vouches(ctx, at, id); err != nil {
			return user.State{}, user.Codes{}, err
		}
	}
	return s.Users.Update(ctx, at, call.From(ctx).Actor, id, wish)
}

// vouched reports whether a wish is for something the user has not shown itself.
func vouched(wish user.Update) bool {
	said := func(c *user.Contact) bool { return c != nil && (c.Verified || c.Code) }
	p := wish.NewPassword
	return said(wish.Email) || said(wish.Phone) || p != nil && p.Current == "" && p.Code == ""
}

// contact is the wish for an address or a number.
func contact(value string, verified, code bool) *user.Contact {
	return &user.Contact{Value: value, Verified: verified, Code: code}
}

// contactOf reads the wish for an address or a number, nil when there is none.
func contactOf(req any) *user.Contact {
	switch c := req.(type) {
	case *userv2.SetHumanEmail:
		if c != nil {
			return contact(c.GetEmail(), c.GetIsVerified(), c.GetReturnCode() != nil)
		}
	case *userv2.SetHumanPhone:
		if c != nil {
			return contact(c.GetPhone(), c.GetIsVerified(), c.GetReturnCode() != nil)
		}
	}
	return nil
}

// sends reports whether a code for an address or a number is to be sent.
func sends(req interface {
	GetEmail() *userv2.SetHumanEmail
	GetPhone() *userv2.SetHumanPhone
},
) bool {
	return req.GetEmail().GetSendCode() != nil || req.GetPhone().GetSendCode() != nil
}

// newPasswordOf reads the wish for another password, nil when there is none.
func newPasswordOf(req *userv2.SetPassword) *user.SetPassword {
	if req == nil {
		return nil
	}
	return &user.SetPassword{Password: v2.Password(req), Current: req.GetCurrentPassword(), Code: req.GetVerificationCode()}
}
