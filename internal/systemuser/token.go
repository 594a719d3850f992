package systemuser

import (
	"errors"
	"fmt"
	"time"

	"castellan/internal/assertion"
)

// Limits of a token, those of every assertion.
const (
	// MaxToken is the length of the longest token that is looked at, in bytes.
	MaxToken = assertion.MaxSize
	// MaxAge is how long after its iat a token is accepted, whatever its exp.
	MaxAge = assertion.MaxAge
)

// inspect checks everything about a token that needs no key. Its errors say which check failed,
// for the log.
func inspect(token, issuer string, now time.Time) (assertion.Assertion, error) {
	a, err := assertion.Parse(token, issuer)
	if err != nil {
		return a, err
	}
	return a, a.ValidAt(now)
}

// errUnknown is for the log: nobody has the name a token claims.
func errUnknown(name string) error { return fmt.Errorf("no system user is called %.200q", name) }

// publicKey is a key of a user.
type publicKey struct {
	assertion.Key
	// until is when a key that has been replaced stops to count; zero for the one that counts now.
	until time.Time
}

// validAt returns an error when the key does not count at now, because it has been replaced or
// because its certificate is not valid.
func (k *publicKey) validAt(now time.Time) error {
	if !k.until.IsZero() && !now.Before(k.until) {
		return fmt.Errorf("the key was replaced, and counted until %s only", k.until.Format(time.RFC3339))
	}
	return k.ValidAt(now)
}

// verify checks that a token is signed with one of the keys of u that are valid at now, and returns
// which.
func (u *user) verify(token string, now time.Time) (*publicKey, error) {
	var refused error
	for i := range u.keys {
		key := &u.keys[i]
		err := key.validAt(now)
		if err == nil {
			err = key.Verify(token)
		}
		if err == nil {
			return key, nil
		}
		refused = errors.Join(refused, fmt.Errorf("the token of %.200q: %w", u.caller.Name, err))
	}
	return nil, refused
}
