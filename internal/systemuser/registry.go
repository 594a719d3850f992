package systemuser

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"castellan/internal/assertion"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// The answers to callers nobody knows (contract section 4).
var (
	errNoHeader  = fault.Plain(fault.Unauthenticated, "auth header missing")
	errBadHeader = fault.New(fault.Unauthenticated, "AUTH-toLo1", "invalid auth header")
	errBadToken  = fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
)

// TokenInvalid is the answer to a caller whose token counts no more (AUTH-7fs1e). why is for the log.
func TokenInvalid(why string) error { return errBadToken.WithCause(errors.New(why)) }

// maxVerified is how many verified tokens are remembered.
const maxVerified = 10_000

// Registry tells who sent a token. It knows the users of the configuration by heart; any other it
// asks the database for, at each call, see [Registry.Ask]. It is safe for concurrent use.
type Registry struct {
	issuer  string
	clock   ident.Clock
	current atomic.Pointer[snapshot]
	reload  sync.Mutex // one reload at a time
	added   *directory // nil unless Ask was called

	// verified remembers tokens whose signature was right, by their SHA-256. Checking a
	// signature takes 60 us or more, and clients send the same token for up to an hour.
	verified *otter.Cache[[sha256.Size]byte, *verifiedToken]
}

// snapshot is the set of users between two reloads.
type snapshot struct {
	generation uint64
	users      map[string]*user
}

// verifiedToken is what is known of a token with a right signature. It counts only for the
// generation of users it was checked against, or for the sequence of the user in the database, and
// its times are checked again at each use.
type verifiedToken struct {
	generation uint64
	user       *user
	key        *publicKey
	valid      assertion.Assertion
}

// caller is who sent the token.
func (v *verifiedToken) caller() Caller {
	c := v.user.caller
	c.Key = v.key.Fingerprint
	return c
}

// NewRegistry returns a registry of users who make tokens for issuer, see [Issuer]. It
// returns the error of [Validate].
func NewRegistry(users []Config, issuer string, clock ident.Clock) (*Registry, error) {
	r := &Registry{
		issuer: issuer, clock: clock,
		verified: otter.Must(&otter.Options[[sha256.Size]byte, *verifiedToken]{MaximumSize: maxVerified}),
	}
	r.current.Store(&snapshot{})
	if err := r.Reload(users); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload replaces all users, reading their keys anew. Calls that begin afterwards see the
// new users only. When there is any fault it returns the error of [Validate] and nothing
// changes.
func (r *Registry) Reload(users []Config) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	compiled, err := compile(users)
	if err != nil {
		return err
	}
	r.current.Store(&snapshot{generation: r.current.Load().generation + 1, users: compiled})
	// For the memory; a token checked against the old users while this runs may come in
	// later, and the generation tells it apart.
	r.verified.InvalidateAll()
	return nil
}

// Authenticate returns the caller that sent the given values of the Authorization header.
// It returns the faults of [BearerToken] and [Registry.Verify].
func (r *Registry) Authenticate(ctx context.Context, authorization []string) (Caller, error) {
	token, err := BearerToken(authorization)
	if err != nil {
		return Caller{}, err
	}
	return r.Verify(ctx, token)
}

// Verify returns the caller that made token, see the package comment for what is checked. It
// returns a fault of kind Unauthenticated (AUTH-7fs1e) for anything else, the same for every
// reason; its hidden cause names the check that failed. When the user may be in the database, and
// that does not answer, it returns the error of store.DB.
func (r *Registry) Verify(ctx context.Context, token string) (Caller, error) {
	if len(token) > MaxToken {
		return Caller{}, errBadToken.WithCause(fmt.Errorf("the token has %d bytes, more than %d", len(token), MaxToken))
	}
	users, now := r.current.Load(), r.clock.Now()
	id := sha256.Sum256([]byte(token))
	if v, known := r.verified.GetIfPresent(id); known && v.generation == users.generation {
		current, err := r.isCurrent(ctx, v)
		if err != nil {
			return Caller{}, err
		}
		if current {
			err := v.valid.ValidAt(now)
			if err == nil {
				err = v.key.validAt(now)
			}
			if err != nil {
				return Caller{}, errBadToken.WithCause(err)
			}
			return v.caller(), nil
		}
	}
	c, err := inspect(token, r.issuer, now)
	if err != nil {
		return Caller{}, errBadToken.WithCause(err)
	}
	v := &verifiedToken{generation: users.generation, user: users.users[c.Subject], valid: c}
	if v.user == nil {
		if v.user, err = r.lookUp(ctx, c.Subject); err != nil {
			return Caller{}, err
		}
	}
	if v.key, err = v.user.verify(token, now); err != nil {
		return Caller{}, errBadToken.WithCause(err)
	}
	r.verified.Set(id, v)
	return v.caller(), nil
}

// BearerToken returns the token in the values of an Authorization header (RFC 6750 section
// 2.1): one value, "Bearer " in this case, once, at its beginning. It returns a plain fault
// of kind Unauthenticated when there is none, and AUTH-toLo1 for anything else.
func BearerToken(authorization []string) (string, error) {
	const scheme = "Bearer "
	if len(authorization) == 0 || len(authorization) == 1 && authorization[0] == "" {
		return "", errNoHeader
	}
	token, ok := strings.CutPrefix(authorization[0], scheme)
	if !ok || len(authorization) > 1 || strings.Contains(token, scheme) {
		return "", errBadHeader
	}
	return token, nil
}

// Issuer returns the audience that system users put into their tokens, which is the origin
// of this system: http or https, domain, and port unless it is 0 or the usual one. It does
// not depend on the host a call was sent to (contract section 4).
func Issuer(secure bool, domain string, port int) string {
	scheme, usual := "http", 80
	if secure {
		scheme, usual = "https", 443
	}
	if port == 0 || port == usual {
		return scheme + "://" + domain
	}
	return scheme + "://" + net.JoinHostPort(domain, strconv.Itoa(port))
}
