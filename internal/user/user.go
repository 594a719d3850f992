package user

import (
	"slices"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// Kind tells humans from machines.
type Kind string

// The kinds of users.
const (
	Human   Kind = "human"
	Machine Kind = "machine"
)

// What a user may do: the values of State.Status, and of the column state.
const (
	// Active is a user who may act.
	Active = "active"
	// Inactive is one whom somebody has put out of use for a time.
	Inactive = "inactive"
	// LockedOut is one who was locked, so that nobody can go on in its name.
	LockedOut = "locked"
)

// The types of access tokens a machine gets: the values of State.AccessTokenType.
const (
	Bearer = "bearer" // opaque
	JWT    = "jwt"
)

// Gender is what a human says of itself. Its values are those of the interface.
type Gender int

// The genders.
const (
	GenderUnspecified Gender = iota
	Female
	Male
	Diverse
)

// State is a user as its events have left it. Owner of its head is the organization.
type State struct {
	eventlog.Head

	Kind     Kind
	UserName string
	Status   string // Active, Inactive or LockedOut
	Removed  bool

	// Machines only.
	Name, Description string
	AccessTokenType   string
	SecretHash        []byte // see vault.HashSecret; nil: no secret

	// Humans only.
	FirstName, LastName    string
	NickName, DisplayName  string
	PreferredLanguage      string
	Gender                 Gender
	Email                  string
	EmailVerified          bool
	Phone                  string // E.164; empty: none
	PhoneVerified          bool
	PasswordHash           string // empty: no password
	PasswordChangeRequired bool
	PasswordChangedAt      time.Time // zero: there never was one
	MFASkippedAt           time.Time // zero: never
	Codes                  []Code    // by purpose
}

// Noun declares users to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "user",
	Payloads: payloads,
	Apply:    apply,
	Tables:   tables,
})

// NotFound is what a caller is told of a user that does not exist, or that it may not know of.
var NotFound = fault.New(fault.NotFound, "QUERY-Dfbg2", "Errors.User.NotFound")

// apply is the fold of a user.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case HumanAdded:
		s = s.added(p, e.At)
	case MachineAdded:
		s.Kind, s.Status, s.UserName = Machine, Active, p.UserName
		s.Name, s.Description, s.AccessTokenType = p.Name, p.Description, p.AccessTokenType
	case NameChanged:
		s.UserName = p.UserName
	case ProfileChanged:
		s = s.profiled(p)
	case MachineChanged:
		put(&s.Name, p.Name)
		put(&s.Description, p.Description)
		put(&s.AccessTokenType, p.AccessTokenType)
	case SecretSet:
		s.SecretHash = p.Hash
	case SecretRemoved:
		s.SecretHash = nil
	case MFAInitSkipped:
		s.MFASkippedAt = e.At
	case Deactivated:
		s.Status = Inactive
	case Reactivated, Unlocked:
		s.Status = Active
	case Locked:
		s.Status = LockedOut
	case Removed:
		s.Removed = true
	default:
		s = applyProof(s, e)
	}
	return s
}

// applyProof folds what is about addresses, passwords and codes.
func applyProof(s State, e eventlog.Event) State {
	switch p := e.Payload.(type) {
	case EmailChanged:
		s.Email, s.EmailVerified = p.Email, false
		return s.without(ForEmail)
	case EmailVerified:
		s.EmailVerified = true
		return s.without(ForEmail)
	case PhoneChanged:
		s.Phone, s.PhoneVerified = p.Phone, false
		return s.without(ForPhone)
	case PhoneVerified:
		s.PhoneVerified = true
		return s.without(ForPhone)
	case PhoneRemoved:
		s.Phone, s.PhoneVerified = "", false
		return s.without(ForPhone)
	case PasswordChanged:
		s.PasswordHash, s.PasswordChangeRequired, s.PasswordChangedAt = p.PasswordHash, p.ChangeRequired, e.At
		return s.without(ForPassword)
	case InviteCheckSucceeded:
		return s.without(ForInvite)
	case EmailCodeAdded:
		return s.with(ForEmail, p.CodeAdded, e.At)
	case PhoneCodeAdded:
		return s.with(ForPhone, p.CodeAdded, e.At)
	case PasswordCodeAdded:
		return s.with(ForPassword, p.CodeAdded, e.At)
	case InviteCodeAdded:
		return s.with(ForInvite, p.CodeAdded, e.At)
	case EmailCheckFailed:
		return s.failed(ForEmail)
	case PhoneCheckFailed:
		return s.failed(ForPhone)
	case PasswordCodeCheckFailed:
		return s.failed(ForPassword)
	case InviteCheckFailed:
		return s.failed(ForInvite)
	}
	return s
}

// added is the state a human begins with.
func (s State) added(p HumanAdded, at time.Time) State {
	s.Kind, s.Status, s.UserName = Human, Active, p.UserName
	s.FirstName, s.LastName, s.NickName, s.DisplayName = p.FirstName, p.LastName, p.NickName, p.DisplayName
	s.PreferredLanguage, s.Gender, s.Email, s.Phone = p.PreferredLanguage, p.Gender, p.Email, p.Phone
	s.PasswordHash, s.PasswordChangeRequired = p.PasswordHash, p.ChangeRequired
	if p.PasswordHash != "" {
		s.PasswordChangedAt = at
	}
	return s
}

// profiled is the state with another profile.
func (s State) profiled(p ProfileChanged) State {
	put(&s.FirstName, p.FirstName)
	put(&s.LastName, p.LastName)
	put(&s.NickName, p.NickName)
	put(&s.DisplayName, p.DisplayName)
	put(&s.PreferredLanguage, p.PreferredLanguage)
	put(&s.Gender, p.Gender)
	return s
}

// put sets what is to be set.
func put[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// LoginNames are the names with which the user logs in. The defaults do not ask for the domain of the
// organization in them (contract section 8), so it is the user name alone.
func (s State) LoginNames() []string { return []string{s.UserName} }

// with is the state with a new code, in the place of the one before it.
func (s State) with(purpose Purpose, p CodeAdded, at time.Time) State {
	s = s.without(purpose)
	s.Codes = append(s.Codes, Code{Purpose: purpose, Sealed: p.Sealed, ExpiresAt: at.Add(p.Expiry).Truncate(time.Microsecond)})
	slices.SortFunc(s.Codes, func(a, b Code) int { return int(a.Purpose) - int(b.Purpose) })
	return s
}

// without is the state without the code of a purpose.
func (s State) without(purpose Purpose) State {
	s.Codes = slices.DeleteFunc(slices.Clone(s.Codes), func(c Code) bool { return c.Purpose == purpose })
	if len(s.Codes) == 0 {
		s.Codes = nil
	}
	return s
}

// failed is the state after a wrong code.
func (s State) failed(purpose Purpose) State {
	s.Codes = slices.Clone(s.Codes)
	for i := range s.Codes {
		if s.Codes[i].Purpose == purpose {
			s.Codes[i].Failed++
		}
	}
	return s
}
