package v2

import (
	"fmt"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/user"
	"castellan/internal/usermetadata"

	userv2 "castellan/gen/zitadel/user/v2"
)

// ErrNoMail is the answer to a caller who asks for a message to be sent to a user.
var ErrNoMail = fault.New(fault.FailedPrecondition, "USER-mail1",
	"this server sends no messages to users: ask for the code to be returned instead, or vouch for the address or number")

// HumanRequest is what a message says about a new human.
type HumanRequest interface {
	PasswordRequest
	GetProfile() *userv2.SetHumanProfile
	GetEmail() *userv2.SetHumanEmail
	GetPhone() *userv2.SetHumanPhone
	GetIdpLinks() []*userv2.IDPLink
	GetTotpSecret() string
}

// Human reads the wish for a human. It returns [ErrNoMail] for a code that is to be sent, and a fault of
// kind Unimplemented for what needs an identity provider or a second factor.
func Human(req HumanRequest) (*user.CreateHuman, error) {
	if len(req.GetIdpLinks()) > 0 {
		return nil, fault.New(fault.Unimplemented, "USER-idp01", "links to identity providers are not implemented")
	}
	if req.GetTotpSecret() != "" {
		return nil, fault.New(fault.Unimplemented, "USER-totp1", "second factors are not implemented")
	}
	p, e, n := req.GetProfile(), req.GetEmail(), req.GetPhone()
	if e.GetSendCode() != nil || n.GetSendCode() != nil {
		return nil, ErrNoMail
	}
	return &user.CreateHuman{
		AddHuman: user.AddHuman{
			FirstName: p.GetGivenName(), LastName: p.GetFamilyName(), NickName: p.GetNickName(), DisplayName: p.GetDisplayName(),
			PreferredLanguage: p.GetPreferredLanguage(), Gender: *Gender(p.GetGender().Enum()),
			Email: e.GetEmail(), EmailVerified: e.GetIsVerified(), Phone: n.GetPhone(), PhoneVerified: n.GetIsVerified(),
		},
		Password: Password(req), EmailCode: e.GetReturnCode() != nil, PhoneCode: n.GetReturnCode() != nil,
	}, nil
}

// AddHuman reads the wish for a human with metadata. It returns the faults of [Human], and USER-Dbgth for
// metadata without a value.
func AddHuman(req *userv2.AddHumanUserRequest) (user.Create, []usermetadata.Entry, error) {
	human, err := Human(req)
	if err != nil {
		return user.Create{}, nil, err
	}
	var entries []usermetadata.Entry
	for i, m := range req.GetMetadata() {
		if len(m.GetValue()) == 0 {
			return user.Create{}, nil, fault.Invalid("USER-Dbgth", "Errors.User.Metadata.ValueEmpty", fmt.Sprintf("metadata[%d].value", i), "must not be empty")
		}
		entries = append(entries, usermetadata.Entry{Key: m.GetKey(), Value: m.GetValue()})
	}
	return user.Create{ID: ident.UserID(req.GetUserId()), UserName: req.GetUsername(), Human: human}, entries, nil
}

// PasswordRequest is what a message says about a password.
type PasswordRequest interface {
	GetPassword() *userv2.Password
	GetHashedPassword() *userv2.HashedPassword
}

// Password reads the wish for a password.
func Password(req PasswordRequest) user.Password {
	return user.Password{
		Plain: req.GetPassword().GetPassword(), Hash: req.GetHashedPassword().GetHash(),
		ChangeRequired: req.GetPassword().GetChangeRequired() || req.GetHashedPassword().GetChangeRequired(),
	}
}

// Gender reads a gender, if one is said; one that is not declared is none.
func Gender(g *userv2.Gender) *user.Gender {
	if g == nil {
		return nil
	}
	gender := user.Gender(*g)
	if gender < user.GenderUnspecified || gender > user.Diverse {
		gender = user.GenderUnspecified
	}
	return &gender
}

// Fields are what a noun calls a field and what a message does, by turns.
type Fields []string

// Of returns an error that names the fields as the message does.
func (f Fields) Of(err error) error {
	for i := 0; i+1 < len(f); i += 2 {
		err = fault.Renamed(err, f[i], f[i+1])
	}
	return err
}

// HumanFields are the names of all that a human is made of, below a field of a message, which may be empty.
func HumanFields(prefix string) Fields {
	return Fields{
		user.FieldFirstName, prefix + "profile.given_name", user.FieldLastName, prefix + "profile.family_name",
		"preferred_language", prefix + "profile.preferred_language", user.FieldEmail, prefix + "email.email",
		user.FieldPhone, prefix + "phone.phone", user.FieldPassword, prefix + "password.password",
		user.FieldHash, prefix + "hashed_password.hash",
	}
}

// OrNone is a text of an answer that is left out when it is empty.
func OrNone(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
