package provision

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/once"
	"castellan/internal/store"
	"castellan/internal/user"
)

// SetUp is the wish for an instance (contract sections 1.4 and 1.5). Exactly one of Human and Machine
// is set. Lengths are limited where the wish comes from, by the rules in the proto files.
type SetUp struct {
	InstanceName    string
	OrgName         string // empty: the name of the instance
	CustomDomain    string // empty: none
	DefaultLanguage string // empty: the built-in default
	Human           *Human
	Machine         *Machine
}

// Human is an owner who is a person.
type Human struct {
	UserName               string
	FirstName, LastName    string
	PreferredLanguage      string
	Email                  string
	EmailVerified          bool
	Password               string // empty: none
	PasswordChangeRequired bool
	// Inherits says that what is empty is taken from the default owner, and that a user name
	// without @ is one below the domain of the organization (contract section 1.5).
	Inherits bool
}

// Machine is an owner that is a program.
type Machine struct {
	UserName, Name string
	Token          *Credential // nil: no personal access token
	Key            *Credential // nil: no key
}

// Credential is the wish for a token or a key.
type Credential struct {
	ExpiresAt time.Time // zero: never
}

// Result is an instance that has just been made.
type Result struct {
	Instance   ident.InstanceID `json:"instance"`
	Org        ident.OrgID      `json:"org"`
	Sequence   uint64           `json:"sequence"` // of the instance
	CreatedAt  time.Time        `json:"createdAt"`
	Token      string           `json:"token,omitempty"`      // the personal access token
	MachineKey []byte           `json:"machineKey,omitempty"` // the key file, see vault.MachineKeyFile
}

// Passwords hashes; vault.Hasher does it in a bounded pool that is fair between keys, and
// returns a ResourceExhausted fault when too many wait.
type Passwords interface {
	Hash(ctx context.Context, key, password string) (string, error)
}

// Keys makes RSA keys; vault.KeyPool has some ready.
type Keys interface {
	Take(ctx context.Context) (*rsa.PrivateKey, error)
}

// Service sets up instances.
type Service struct {
	DB        store.DB
	Log       *eventlog.Log
	Once      *once.Book
	IDs       *ident.Source
	Clock     ident.Clock
	Random    io.Reader
	Passwords Passwords
	Keys      Keys
	// ExternalDomain is the domain below which generated domains lie.
	ExternalDomain string
	// Secure says that clients reach the server by https.
	Secure bool
}

// suffixTries is how many generated domains are tried. One in two thousand million collides
// with another instance of the same name.
const suffixTries = 3

// SetUp makes an instance and everything it starts with, as actor. key, when not nil, makes
// a repeated call return what the first returned.
//
// It returns the faults of the nouns for bad input, V3-DKcYh when the custom domain is taken,
// ONCE-other for a key that was used for something else, a ResourceExhausted fault when too
// many passwords wait to be hashed, and the errors of store.DB.
func (s *Service) SetUp(ctx context.Context, actor ident.Actor, wish SetUp, key *once.Key) (Result, error) {
	if r, found, err := s.replay(ctx, key); found || err != nil {
		return r, err
	}
	p, err := s.plan(ctx, actor, wish)
	if errors.Is(err, errDomainTaken) {
		// Perhaps by a call with the same key, which has ended meanwhile.
		if r, found, err := s.replay(ctx, key); found || err != nil {
			return r, err
		}
	}
	if err != nil {
		return Result{}, err
	}
	for try := 1; ; try++ {
		err := s.commit(ctx, actor, p, key)
		switch {
		case err == nil:
			return p.result, nil
		case store.ConflictIn(err, once.Table) && key != nil:
			r, found, replayErr := s.replay(ctx, key)
			if replayErr != nil || found {
				return r, replayErr
			}
			return Result{}, fault.New(fault.Aborted, "ONCE-race1", "Errors.IdempotencyKey.InUse").WithCause(err)
		case store.ConflictIn(err, instance.DomainsTable):
			if err := s.checkFree(ctx, p.customDomain); err != nil {
				return Result{}, err
			}
			if try == suffixTries {
				return Result{}, fault.New(fault.Aborted, "V3-DKcYh", "Errors.Instance.Domain.AlreadyExists").WithCause(err)
			}
			if err := s.generateDomain(p); err != nil {
				return Result{}, err
			}
		default:
			return Result{}, err
		}
	}
}

// replay returns the result that was kept under key, if there is one.
func (s *Service) replay(ctx context.Context, key *once.Key) (r Result, found bool, err error) {
	if key == nil {
		return r, false, nil
	}
	answer, found, err := s.Once.Answer(ctx, s.DB, *key)
	if err != nil || !found {
		return r, false, err
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, false, fmt.Errorf("decode a kept result: %w", err)
	}
	return r, true, nil
}

// errDomainTaken is what becomes of a wish for a domain that another instance has.
var errDomainTaken = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Instance.Domain.AlreadyExists").
	WithViolation("custom_domain", "is already the domain of an instance")

var errNoOwner = fault.New(fault.InvalidArgument, "INSTANCE-z1yi2q2ot7", "Error.Instance.NoAdmin").
	WithViolation("owner", "must be exactly one of human and machine")

// checkOwner returns INSTANCE-z1yi2q2ot7 unless there is exactly one owner.
func (w SetUp) checkOwner() error {
	if (w.Human == nil) == (w.Machine == nil) {
		return errNoOwner
	}
	return nil
}

// inheriting returns the human with what it inherits.
func (h Human) inheriting(from defaults.Owner, orgDomain string) *Human {
	if !h.Inherits {
		return &h
	}
	or := func(wish, inherited string) string { return cmp.Or(strings.TrimSpace(wish), inherited) }
	h.UserName = or(h.UserName, from.UserName)
	h.FirstName, h.LastName = or(h.FirstName, from.FirstName), or(h.LastName, from.LastName)
	h.PreferredLanguage = or(h.PreferredLanguage, from.PreferredLanguage)
	if !strings.Contains(h.UserName, "@") {
		h.UserName += "@" + orgDomain
	}
	return &h
}

// decide returns the first events of a human owner whose password has the given hash.
func (h *Human) decide(orgDomain, hash string) ([]eventlog.Payload, error) {
	return user.AddHuman{
		UserName: h.UserName, Domain: orgDomain, FirstName: h.FirstName, LastName: h.LastName,
		PreferredLanguage: h.PreferredLanguage, Email: h.Email, EmailVerified: h.EmailVerified,
		PasswordHash: hash, PasswordChangeRequired: h.PasswordChangeRequired,
	}.Decide()
}

var errShort = errors.New("provision: the source of randomness ended")
