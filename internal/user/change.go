package user

import (
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// Change is the wish for another user name, profile, address, number or password of a human, or
// another name or description of a machine. What is nil stays.
type Change struct {
	UserName *string
	Profile  *Profile
	Email    *Contact
	Phone    *Contact // an empty value takes the number away
	Password *NewPassword
	Machine  *MachineProfile
}

// Profile is the wish for another profile of a human. What is nil stays.
type Profile struct {
	FirstName, LastName   *string
	NickName, DisplayName *string
	PreferredLanguage     *string // a BCP 47 tag
	Gender                *Gender
}

// Contact is the wish for another e-mail address or telephone number.
type Contact struct {
	Value    string
	Verified bool // the caller vouches for it
	// Code asks for a code to verify it with; of no meaning when it is verified.
	Code bool
}

// NewPassword is the wish for another password, which is hashed already.
type NewPassword struct {
	Hash           string
	ChangeRequired bool
}

// MachineProfile is the wish for another description of a machine. What is nil stays.
type MachineProfile struct {
	Name, Description *string
	AccessTokenType   *string // Bearer or JWT
}

// Decide returns the events that make a user as it is wished, none when it is so already. It returns
// [NotFound] for what only a user of the other kind has, COMMAND-00p2b for a blank user name, and the
// faults of [AddHuman.Decide] and [Language]. Codes are not among the events.
func (c Change) Decide(s State) ([]eventlog.Payload, error) {
	human := c.Profile != nil || c.Email != nil || c.Phone != nil || c.Password != nil
	if human && s.Kind != Human || c.Machine != nil && s.Kind != Machine {
		return nil, NotFound
	}
	var events []eventlog.Payload
	for _, decide := range []func(State) ([]eventlog.Payload, error){
		c.userName, c.Profile.decide, c.email, c.phone, c.password, c.Machine.decide,
	} {
		some, err := decide(s)
		if err != nil {
			return nil, err
		}
		events = append(events, some...)
	}
	return events, nil
}

// userName decides the user name.
func (c Change) userName(s State) ([]eventlog.Payload, error) {
	if c.UserName == nil {
		return nil, nil
	}
	name := strings.TrimSpace(*c.UserName)
	switch name {
	case "":
		return nil, fault.Invalid("COMMAND-00p2b", "Errors.User.Username.Empty", "username", "must not be blank")
	case s.UserName:
		return nil, nil
	}
	return []eventlog.Payload{NameChanged{UserName: name}}, nil
}

// decide decides the profile.
func (p *Profile) decide(s State) ([]eventlog.Payload, error) {
	if p == nil {
		return nil, nil
	}
	e := ProfileChanged{
		FirstName: other(p.FirstName, s.FirstName), LastName: other(p.LastName, s.LastName),
		NickName: other(p.NickName, s.NickName), DisplayName: other(p.DisplayName, s.DisplayName),
	}
	if err := checkNames(e.FirstName, e.LastName); err != nil {
		return nil, err
	}
	after := s.profiled(e)
	if after.DisplayName == "" { // also when it is asked for: then it is made of the names again
		names := after.FirstName + " " + after.LastName
		e.DisplayName = other(&names, s.DisplayName)
	}
	if p.PreferredLanguage != nil {
		tag, err := Language(*p.PreferredLanguage)
		if err != nil {
			return nil, err
		}
		e.PreferredLanguage = other(&tag, s.PreferredLanguage)
	}
	if p.Gender != nil && *p.Gender != s.Gender {
		e.Gender = p.Gender
	}
	if e == (ProfileChanged{}) {
		return nil, nil
	}
	return []eventlog.Payload{e}, nil
}

// email decides the address.
func (c Change) email(s State) ([]eventlog.Payload, error) {
	if c.Email == nil {
		return nil, nil
	}
	address, err := checkEmail(c.Email.Value)
	if err != nil {
		return nil, err
	}
	var events []eventlog.Payload
	if address != s.Email {
		events = append(events, EmailChanged{Email: address})
	}
	if c.Email.Verified && (address != s.Email || !s.EmailVerified) {
		events = append(events, EmailVerified{})
	}
	return events, nil
}

// phone decides the number.
func (c Change) phone(s State) ([]eventlog.Payload, error) {
	if c.Phone == nil {
		return nil, nil
	}
	if strings.TrimSpace(c.Phone.Value) == "" {
		if c.Phone.Verified || c.Phone.Code {
			return nil, fault.Invalid("USERv2-4f3d6", "Errors.User.Phone.VerifyingRemovalIsNotSupported", FieldPhone,
				"must not be empty when it is verified")
		}
		if s.Phone == "" {
			return nil, nil
		}
		return []eventlog.Payload{PhoneRemoved{}}, nil
	}
	number, err := checkPhone(c.Phone.Value)
	if err != nil {
		return nil, err
	}
	var events []eventlog.Payload
	if number != s.Phone {
		events = append(events, PhoneChanged{Phone: number})
	}
	if c.Phone.Verified && (number != s.Phone || !s.PhoneVerified) {
		events = append(events, PhoneVerified{})
	}
	return events, nil
}

// password decides the password: a new one is always another, for its hash is.
func (c Change) password(State) ([]eventlog.Payload, error) {
	if c.Password == nil {
		return nil, nil
	}
	return []eventlog.Payload{PasswordChanged{PasswordHash: c.Password.Hash, ChangeRequired: c.Password.ChangeRequired}}, nil
}

// decide decides what a machine is called.
func (m *MachineProfile) decide(s State) ([]eventlog.Payload, error) {
	if m == nil {
		return nil, nil
	}
	e := MachineChanged{Name: other(m.Name, s.Name), Description: other(m.Description, s.Description)}
	if e.Name != nil && *e.Name == "" {
		return nil, errMachineName
	}
	if m.AccessTokenType != nil && *m.AccessTokenType != s.AccessTokenType {
		e.AccessTokenType = m.AccessTokenType
	}
	if e == (MachineChanged{}) {
		return nil, nil
	}
	return []eventlog.Payload{e}, nil
}

// other returns the wish without surrounding space when there is one and it is not so already.
func other(wish *string, is string) *string {
	if wish == nil {
		return nil
	}
	text := strings.TrimSpace(*wish)
	if text == is {
		return nil
	}
	return &text
}
