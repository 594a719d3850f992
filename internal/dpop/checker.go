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

// Read checks the values of the DPoP header of a request, all but whether the proof has been shown before,
// which is [Checker.Spend]. It returns an error that wraps ErrProof when there is not exactly one, or when
// it is no proof for the request.
func (c *Checker) Read(headers []string, r Request) (Proof, error) {
	if len(headers) != 1 {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, errHeaders)
	}
	return Parse(headers[0], r, c.Clock.Now())
}

// Spend uses up a proof that was shown to an instance. It writes: whoever may make the server do so has shown
// a token or a credential before. It returns an error that wraps ErrProof when the proof has been shown before,
// and the errors of Seen.
func (c *Checker) Spend(ctx context.Context, at ident.InstanceID, p Proof) error {
	// The key is part of what is remembered: nobody can use up the ids of others.
	id := sha256.Sum256([]byte("dpop\x00" + p.Thumbprint + "\x00" + p.ID))
	first, err := c.Seen.Once(ctx, at, id, p.IssuedAt.Add(MaxAge+time.Second)) // no longer accepted by then
	if err != nil {
		return fmt.Errorf("remember a proof of possession: %w", err)
	}
	if !first {
		return fmt.Errorf("%w: it has been shown before", ErrProof)
	}
	return nil
}

// Check is Read and Spend.
func (c *Checker) Check(ctx context.Context, at ident.InstanceID, headers []string, r Request) (Proof, error) {
	p, err := c.Read(headers, r)
	if err == nil {
		err = c.Spend(ctx, at, p)
	}
	if err != nil {
		return Proof{}, err
	}
	return p, nil
}
