// Package once makes a retried write answer what the first one answered (decision D11).
//
// It owns the table idempotency_keys. An answer is recorded in the very transaction that
// does the work, so there is never one without the other, and two writes with the same key
// cannot both commit: the later one conflicts in [Table], and finds the answer of the first.
//
// Answers hold secrets. They are sealed under the key of the instance the write made, and
// kept for the retry window only. Beside it, eventlog runs the transactions.
package once

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Table is where keys are kept; a conflict in it means that the key has just been used.
const Table = "idempotency_keys"

// Window is how long an answer can be had again.
const Window = 24 * time.Hour

// MaxKey is the greatest length of a key, in bytes.
const MaxKey = 255

// Key is a caller's name for one write.
type Key struct {
	Actor ident.Actor
	// Name is 1 to MaxKey visible ASCII characters, see [CheckName].
	Name string
	// Request is a digest of what was asked for; the same name with another request is refused.
	Request [sha256.Size]byte
}

// CheckName returns ONCE-name1 when name cannot be a key.
func CheckName(name string) error {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return badName("must consist of visible ASCII characters")
		}
	}
	if name == "" || len(name) > MaxKey {
		return badName(fmt.Sprintf("must have 1 to %d characters", MaxKey))
	}
	return nil
}

func badName(rule string) error {
	return fault.Invalid("ONCE-name1", "Errors.IdempotencyKey.Invalid", "idempotency-key", rule)
}

// Book remembers answers.
type Book struct {
	sealers store.Sealers
	clock   ident.Clock
}

// NewBook returns the book of a database whose instance keys sealers finds.
func NewBook(sealers store.Sealers, clock ident.Clock) *Book {
	return &Book{sealers: sealers, clock: clock}
}

// entry is what is sealed.
type entry struct {
	Request []byte `json:"request"`
	Answer  []byte `json:"answer"`
}

// Answer returns what the first write with this key answered; found is false when there was
// none within the window. It returns ONCE-other when the key was used for another request,
// and ONCE-gone1 when what the first write made has been removed since.
func (b *Book) Answer(ctx context.Context, q store.Querier, k Key) (answer []byte, found bool, err error) {
	row, err := store.One(ctx, q, scan, `SELECT instance_id, answer, expires_at FROM idempotency_keys
 WHERE actor = $1 AND key_hash = $2`, string(k.Actor), k.hash())
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up an idempotency key: %w", err)
	}
	if row.expires <= store.Micros(b.clock.Now()) {
		return nil, false, nil
	}
	sealer, err := b.sealers.Get(ctx, q, row.instance)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, fault.New(fault.NotFound, "ONCE-gone1", "Errors.IdempotencyKey.ResultRemoved")
	}
	if err != nil {
		return nil, false, err
	}
	plain, err := sealer.Open(row.answer, k.binding())
	if err != nil {
		return nil, false, fmt.Errorf("open a kept answer: %w", err)
	}
	var e entry
	if err := json.Unmarshal(plain, &e); err != nil {
		return nil, false, fmt.Errorf("decode a kept answer: %w", err)
	}
	if !bytes.Equal(e.Request, k.Request[:]) {
		return nil, false, fault.New(fault.AlreadyExists, "ONCE-other", "Errors.IdempotencyKey.UsedForAnotherRequest").
			WithViolation("idempotency-key", "was used for another request; take a new key for a new request")
	}
	return e.Answer, true, nil
}

// Keep records the answer of a write with tx, sealed by the sealer of instance. Queue it
// before anything else that could conflict: a concurrent write with the same key then waits
// here, and learns the answer instead of another conflict.
func (b *Book) Keep(ctx context.Context, tx store.Tx, instance ident.InstanceID, sealer store.Sealer, k Key, answer []byte) error {
	plain, err := json.Marshal(entry{Request: k.Request[:], Answer: answer})
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	now := b.clock.Now()
	// An answer past its window gives way to the new one.
	err = tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE actor = $1 AND key_hash = $2 AND expires_at <= $3`,
		string(k.Actor), k.hash(), store.Micros(now))
	if err != nil {
		return err
	}
	return tx.Exec(ctx, `INSERT INTO idempotency_keys (actor, key_hash, instance_id, answer, expires_at)
 VALUES ($1, $2, $3, $4, $5)`, string(k.Actor), k.hash(), string(instance),
		sealer.Seal(plain, k.binding()), store.Micros(now.Add(Window)))
}

// Sweep forgets answers past their window.
func (b *Book) Sweep(ctx context.Context, db store.DB) error {
	return db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Exec(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= $1`, store.Micros(b.clock.Now()))
	})
}

// hash is what is stored of the name: a caller may have put something telling into it.
func (k Key) hash() []byte {
	h := sha256.Sum256([]byte(k.Name))
	return h[:]
}

func (k Key) binding() []byte {
	return append(append([]byte(k.Actor), 0), k.hash()...)
}

type stored struct {
	instance ident.InstanceID
	answer   []byte
	expires  int64
}

func scan(row store.Scanner) (s stored, err error) {
	var instance string
	err = row.Scan(&instance, &s.answer, &s.expires)
	s.instance = ident.InstanceID(instance)
	return s, err
}
