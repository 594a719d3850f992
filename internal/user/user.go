package user

import (
	"net/mail"
	"strings"

	"golang.org/x/text/language"

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

// State is a user as its events have left it. Owner of its head is the organization.
type State struct {
	eventlog.Head

	Kind     Kind
	UserName string

	// Machines only.
	Name            string
	AccessTokenType string

	// Humans only.
	FirstName, LastName    string
	DisplayName            string
	PreferredLanguage      string
	Email                  string
	EmailVerified          bool
	PasswordHash           string // empty: no password
	PasswordChangeRequired bool
}

// Noun declares users to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "user",
	Payloads: []eventlog.Payload{HumanAdded{}, EmailVerified{}, MachineAdded{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a user.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case HumanAdded:
		s.Kind, s.UserName = Human, p.UserName
		s.FirstName, s.LastName, s.DisplayName = p.FirstName, p.LastName, p.DisplayName
		s.PreferredLanguage, s.Email = p.PreferredLanguage, p.Email
		s.PasswordHash, s.PasswordChangeRequired = p.PasswordHash, p.ChangeRequired
	case EmailVerified:
		s.EmailVerified = true
	case MachineAdded:
		s.Kind, s.UserName, s.Name, s.AccessTokenType = Machine, p.UserName, p.Name, p.AccessTokenType
	}
	return s
}

// AddHuman is the wish for a human user.
type AddHuman struct {
	UserName               string // kept verbatim; blank: an empty local part below Domain
	Domain                 string // the primary domain of the organization
	FirstName, LastName    string
	PreferredLanguage      string // a BCP 47 tag; anything else counts as none
	Email                  string
	EmailVerified          bool
	PasswordHash           string // of a password CheckPassword has allowed; empty: none
	PasswordChangeRequired bool
}

// Decide returns the events that begin a human user (contract section 1.4). It returns
// USER-UCej2, USER-4hB7d, EMAIL-spblu or EMAIL-599BI, and names the field at fault.
func (a AddHuman) Decide() ([]eventlog.Payload, error) {
	first, last := strings.TrimSpace(a.FirstName), strings.TrimSpace(a.LastName)
	switch {
	case first == "":
		return nil, fault.Invalid("USER-UCej2", "Errors.User.Profile.FirstNameEmpty", "human.profile.first_name", "must not be blank")
	case last == "":
		return nil, fault.Invalid("USER-4hB7d", "Errors.User.Profile.LastNameEmpty", "human.profile.last_name", "must not be blank")
	}
	email, err := checkEmail(a.Email)
	if err != nil {
		return nil, err
	}
	var lang string
	if tag, err := language.Parse(a.PreferredLanguage); err == nil {
		lang = tag.String()
	}
	name := a.UserName
	if strings.TrimSpace(name) == "" {
		name = "@" + a.Domain
	}
	events := []eventlog.Payload{HumanAdded{
		UserName: name, FirstName: first, LastName: last, DisplayName: first + " " + last,
		PreferredLanguage: lang, Email: email,
		PasswordHash: a.PasswordHash, ChangeRequired: a.PasswordHash != "" && a.PasswordChangeRequired,
	}}
	if a.EmailVerified {
		events = append(events, EmailVerified{})
	}
	return events, nil
}

// checkEmail returns the address without surrounding space.
func checkEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	const field = "human.email.email"
	if email == "" {
		return "", fault.Invalid("EMAIL-spblu", "Errors.User.Email.Empty", field, "must not be blank")
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Name != "" || parsed.Address != email {
		return "", fault.Invalid("EMAIL-599BI", "Errors.User.Email.Invalid", field,
			"must be one e-mail address (RFC 5322), without a display name").WithCause(err)
	}
	return email, nil
}

// AddMachine is the wish for a machine user.
type AddMachine struct {
	UserName string // kept verbatim
	Name     string
}

// Decide returns the events that begin a machine user. It returns COMMAND-bs9Ds for a missing
// name, COMMAND-bm9Ds for a missing user name and PROJE-hzxwo for both (contract section 1.4).
func (a AddMachine) Decide() ([]eventlog.Payload, error) {
	name, blank := strings.TrimSpace(a.Name), strings.TrimSpace(a.UserName) == ""
	switch {
	case blank && name == "":
		return nil, fault.New(fault.FailedPrecondition, "PROJE-hzxwo", "Errors.Invalid.Argument").
			WithViolation("machine.user_name", "must not be blank").WithViolation("machine.name", "must not be blank")
	case name == "":
		return nil, fault.Invalid("COMMAND-bs9Ds", "Errors.User.Invalid", "machine.name", "must not be blank")
	case blank:
		return nil, fault.Invalid("COMMAND-bm9Ds", "Errors.User.Invalid", "machine.user_name", "must not be blank")
	}
	return []eventlog.Payload{MachineAdded{UserName: a.UserName, Name: name, AccessTokenType: "bearer"}}, nil
}
