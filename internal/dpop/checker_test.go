package dpop

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"castellan/internal/ident"
)

// memory is a Seen of one node.
type memory struct {
	seen map[[sha256.Size]byte]time.Time
	err  error
}

func (m *memory) Once(_ context.Context, at ident.InstanceID, id [sha256.Size]byte, until time.Time) (bool, error) {
	if m.err != nil {
		return false, m.err
	}
	key := sha256.Sum256(append([]byte(at), id[:]...))
	_, seen := m.seen[key]
	m.seen[key] = until
	return !seen, nil
}

func TestAProofCountsOnce(t *testing.T) {
	m := &memory{seen: make(map[[sha256.Size]byte]time.Time)}
	checker := &Checker{Clock: ident.NewManualClock(now), Seen: m}
	c, other := newClient(t), newClient(t)
	proof := c.proof()
	check := func(at ident.InstanceID, headers ...string) error {
		_, err := checker.Check(t.Context(), at, headers, atToken())
		return err
	}
	if err := check("A", proof); err != nil {
		t.Fatal(err)
	}
	for _, until := range m.seen {
		if !until.After(now.Add(MaxAge)) {
			t.Errorf("remembered until %s, which is too short", until)
		}
	}
	for name, again := range map[string]string{"the same": proof, "signed again": c.proof()} {
		if err := check("A", again); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"another jti":      check("A", c.with(inClaims, "jti", "2").proof()),
		"another key":      check("A", other.proof()),
		"another instance": check("B", proof),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := check("A"); !errors.Is(err, ErrProof) {
		t.Errorf("no header: %v", err)
	}
	third, fourth := c.with(inClaims, "jti", "3").proof(), c.with(inClaims, "jti", "4").proof()
	if err := check("A", third, fourth); !errors.Is(err, ErrProof) {
		t.Errorf("two headers: %v", err)
	}
	m.err = errors.New("gone")
	if err := check("A", third); !errors.Is(err, m.err) || errors.Is(err, ErrProof) {
		t.Errorf("a store that fails: %v", err)
	}
	m.err = nil
	if err := check("A", third); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
