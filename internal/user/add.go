package user

import (
	"cmp"
	"net/mail"
	"strings"

	"golang.org/x/text/language"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// AddHuman is the wish for a human user.
type AddHuman struct {
	UserName               string // kept verbatim; blank: an empty local part below Domain
	Domain                 string // the primary domain of the organization
	FirstName, LastName    string
	NickName               string
	DisplayName            string // blank: both names
	PreferredLanguage      string // a BCP 47 tag; anything else counts as none
	Gender                 Gender
	Email                  string
	EmailVerified          bool
	Phone                  string // empty: none
	PhoneVerified          bool
	PasswordHash           string // of a password CheckPassword has allowed; empty: none
	PasswordChangeRequired bool
}

// Decide returns the events that begin a human user (contract section 1.4). It returns
// USER-UCej2, USER-4hB7d, EMAIL-spblu, EMAIL-599BI or PHONE-so0wa, and names the field at fault.
func (a AddHuman) Decide() ([]eventlog.Payload, error) {
	first, last := strings.TrimSpace(a.FirstName), strings.TrimSpace(a.LastName)
	if err := checkNames(&first, &last); err != nil {
		return nil, err
	}
	email, err := checkEmail(a.Email)
	if err != nil {
		return nil, err
	}
	var phone string
	if strings.TrimSpace(a.Phone) != "" {
		if phone, err = checkPhone(a.Phone); err != nil {
			return nil, err
		}
	}
	lang, _ := Language(a.PreferredLanguage)
	name := a.UserName
	if strings.TrimSpace(name) == "" {
		name = "@" + a.Domain
	}
	events := []eventlog.Payload{HumanAdded{
		UserName: name, FirstName: first, LastName: last,
		NickName: strings.TrimSpace(a.NickName), DisplayName: cmp.Or(strings.TrimSpace(a.DisplayName), first+" "+last),
		PreferredLanguage: lang, Gender: a.Gender, Email: email, Phone: phone,
		PasswordHash: a.PasswordHash, ChangeRequired: a.PasswordHash != "" && a.PasswordChangeRequired,
	}}
	if a.EmailVerified {
		events = append(events, EmailVerified{})
	}
	if a.PhoneVerified && phone != "" {
		events = append(events, PhoneVerified{})
	}
	return events, nil
}

// The fields as CreateInstance calls them; whoever calls them otherwise renames them, see
// fault.Renamed.
const (
	FieldFirstName = "human.profile.first_name"
	FieldLastName  = "human.profile.last_name"
	FieldEmail     = "human.email.email"
	FieldPhone     = "human.phone.phone"
	FieldPassword  = "human.password.password"
	FieldHash      = "human.hashed_password.hash"
)

// checkNames returns a fault for a name that is given and blank.
func checkNames(first, last *string) error {
	switch {
	case first != nil && *first == "":
		return fault.Invalid("USER-UCej2", "Errors.User.Profile.FirstNameEmpty", FieldFirstName, "must not be blank")
	case last != nil && *last == "":
		return fault.Invalid("USER-4hB7d", "Errors.User.Profile.LastNameEmpty", FieldLastName, "must not be blank")
	}
	return nil
}

// Language returns a BCP 47 tag in its usual form; an empty one is none. It returns LANG-jc8Sq, naming
// preferred_language, for a text that is no tag.
func Language(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	tag, err := language.Parse(text)
	if err != nil {
		return "", fault.Invalid("LANG-jc8Sq", "Errors.Language.NotParsed", "preferred_language",
			"must be a language tag (BCP 47)").WithCause(err)
	}
	return tag.String(), nil
}

// checkEmail returns the address without surrounding space.
func checkEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return "", fault.Invalid("EMAIL-spblu", "Errors.User.Email.Empty", FieldEmail, "must not be blank")
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Name != "" || parsed.Address != email {
		return "", fault.Invalid("EMAIL-599BI", "Errors.User.Email.Invalid", FieldEmail,
			"must be one e-mail address (RFC 5322), without a display name").WithCause(err)
	}
	return email, nil
}

// Limits of a telephone number in digits (ITU-T E.164 section 6).
const (
	minDigits = 7
	maxDigits = 15
)

// checkPhone returns a telephone number in the form of E.164: + and digits, of which the country code
// comes first. Spaces, and what people put between digits, go; 00 in front stands for +. It returns
// PHONE-so0wa for anything else: a national number says nothing about where it is from.
func checkPhone(phone string) (string, error) {
	var b strings.Builder
	for _, r := range strings.TrimSpace(phone) {
		switch {
		case r >= '0' && r <= '9', r == '+':
			b.WriteRune(r)
		case strings.ContainsRune(" -.()/\u00a0\u2010\u2011\u2012\u2013", r):
		default:
			return "", errPhone
		}
	}
	number := b.String()
	if national, international := strings.CutPrefix(number, "00"); international {
		number = "+" + national
	}
	digits, international := strings.CutPrefix(number, "+")
	if !international || strings.Contains(digits, "+") || strings.HasPrefix(digits, "0") ||
		len(digits) < minDigits || len(digits) > maxDigits {
		return "", errPhone
	}
	return number, nil
}

var errPhone = fault.Invalid("PHONE-so0wa", "Errors.User.Phone.Invalid", FieldPhone,
	"must be a telephone number in international form (E.164), such as +41791234567")

// AddMachine is the wish for a machine user.
type AddMachine struct {
	UserName        string // kept verbatim
	Name            string
	Description     string
	AccessTokenType string // Bearer or JWT; empty: Bearer
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
		return nil, errMachineName
	case blank:
		return nil, fault.Invalid("COMMAND-bm9Ds", "Errors.User.Invalid", "machine.user_name", "must not be blank")
	}
	return []eventlog.Payload{MachineAdded{
		UserName: a.UserName, Name: name, Description: strings.TrimSpace(a.Description),
		AccessTokenType: cmp.Or(a.AccessTokenType, Bearer),
	}}, nil
}

var errMachineName = fault.Invalid("COMMAND-bs9Ds", "Errors.User.Invalid", "machine.name", "must not be blank")
