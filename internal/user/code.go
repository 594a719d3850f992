package user

import (
	"encoding/json"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// Purpose is what a code is for; a user has one code at most for each.
type Purpose int

// The purposes. The numbers are stored.
const (
	ForEmail    Purpose = 1 // the address is the user's
	ForPhone    Purpose = 2 // the number is the user's
	ForPassword Purpose = 3 // a password may be set without the one before it
	ForInvite   Purpose = 4 // whoever was invited is here
)

// Limits of codes (contract section 8). With so few attempts at one of 36^6 nobody guesses it.
const (
	codeSize     = 6
	codeLife     = time.Hour
	inviteLife   = 72 * time.Hour
	codeAttempts = 5
)

// Code is a code that was made and not used. What it was is known to whom it was given alone: its hash
// is sealed under the key of the instance, since so short a text could be found from the hash.
type Code struct {
	Purpose   Purpose   `json:"for"`
	Sealed    []byte    `json:"code"`
	ExpiresAt time.Time `json:"until"`
	Failed    int       `json:"failed,omitempty"` // attempts
}

var (
	errNoCode      = fault.New(fault.FailedPrecondition, "COMMAND-2M9fs", "Errors.User.Code.NotFound")
	errCodeExpired = fault.New(fault.FailedPrecondition, "CODE-QvUQ4P", "Errors.User.Code.Expired")
	errCodeWrong   = fault.Invalid("CODE-woT0xc", "Errors.User.Code.Invalid", "verification_code", "is not the code that was made last")
)

// made is a code in the making: what the caller is given, and its hash.
type made struct {
	plain string
	hash  []byte
}

func (s *Service) makeCode() made {
	plain := vault.NewCode(s.Random, codeSize)
	return made{plain, vault.HashSecret(plain)}
}

// seal is the payload of the event that a code was made.
func (m made) seal(sealer store.Sealer, at ident.InstanceID, id ident.UserID, purpose Purpose) CodeAdded {
	life := codeLife
	if purpose == ForInvite {
		life = inviteLife
	}
	return CodeAdded{Sealed: sealer.Seal(m.hash, codeBinding(at, id, purpose)), Expiry: life, Returned: true}
}

// codeBinding ties a sealed hash to whose it is and what for.
func codeBinding(at ident.InstanceID, id ident.UserID, purpose Purpose) []byte {
	text, err := json.Marshal([]any{"user code", at, id, purpose})
	if err != nil {
		panic("user: " + err.Error()) // unreachable: they are texts and a number
	}
	return text
}

// code returns the code of a purpose.
func (s State) code(purpose Purpose) (Code, bool) {
	for _, c := range s.Codes {
		if c.Purpose == purpose {
			return c, true
		}
	}
	return Code{}, false
}

// live returns nil when a user has a code for a purpose that can be used now: otherwise COMMAND-2M9fs
// when there is none, or there have been too many attempts at it, and CODE-QvUQ4P when it has expired.
func (s State) live(purpose Purpose, now time.Time) error {
	c, there := s.code(purpose)
	switch {
	case !there, c.Failed >= codeAttempts:
		return errNoCode
	case !now.Before(c.ExpiresAt):
		return errCodeExpired
	}
	return nil
}

// matches reports whether a text is the code of a purpose.
func (s State) matches(sealer store.Sealer, purpose Purpose, text string) (bool, error) {
	c, _ := s.code(purpose)
	hash, err := sealer.Open(c.Sealed, codeBinding(s.Instance, ident.UserID(s.ID), purpose))
	if err != nil {
		return false, err
	}
	return vault.SecretMatches(hash, text), nil
}

// checkFailed are the events that say that a code was wrong.
var checkFailed = map[Purpose]eventlog.Payload{
	ForEmail: EmailCheckFailed{}, ForPhone: PhoneCheckFailed{},
	ForPassword: PasswordCodeCheckFailed{}, ForInvite: InviteCheckFailed{},
}

// codeAdded is the event that a code was made.
func codeAdded(purpose Purpose, c CodeAdded) eventlog.Payload {
	switch purpose {
	case ForEmail:
		return EmailCodeAdded{c}
	case ForPhone:
		return PhoneCodeAdded{c}
	case ForPassword:
		return PasswordCodeAdded{c}
	default:
		return InviteCodeAdded{c}
	}
}
