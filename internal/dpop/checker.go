package dpop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"castellan/internal/ident"
)

// Seen remembers what may count once.
type Seen interface {
	// Once records id for an instance until a time, and reports whether it was not there before. Of two
	// that ask at once, on any node, one is told so. It returns the errors of a store.
	Once(ctx context.Context, at ident.InstanceID, id [sha256.Size]byte, until time.Time) (first bool, err error)
}

// Checker checks proofs, each of which counts once. It is safe for concurrent use.
type Checker struct {
	Clock ident.Clock
	Seen  Seen
}

// errHeaders is the cause when there is not exactly one proof (RFC 9449 section 4.3, step 1).
var errHeaders = errors.New("there must be exactly one DPoP header")

// Check checks the values of the DPoP header of a request to an instance. It returns an error that
// wraps ErrProof when there is not exactly one, when it is no proof for the request, or when it has
// been shown before; and the errors of Seen.
func (c *Checker) Check(ctx context.Context, at ident.InstanceID, headers []string, r Request) (Proof, error) {
	if len(headers) != 1 {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, errHeaders)
	}
	p, err := Parse(headers[0], r, c.Clock.Now())
	if err != nil {
		return Proof{}, err
	}
	// The key is part of what is remembered: nobody can use up the ids of others.
	id := sha256.Sum256([]byte("dpop\x00" + p.Thumbprint + "\x00" + p.ID))
	first, err := c.Seen.Once(ctx, at, id, p.IssuedAt.Add(MaxAge+time.Second)) // no longer accepted by then
	if err != nil {
		return Proof{}, fmt.Errorf("remember a proof of possession: %w", err)
	}
	if !first {
		return Proof{}, fmt.Errorf("%w: it has been shown before", ErrProof)
	}
	return p, nil
}
