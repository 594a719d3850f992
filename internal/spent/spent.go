// Package spent remembers what may count once: the ids of assertions (RFC 7523 section 3) and of proofs
// of possession (RFC 9449 section 11.1), until they are too old to be accepted anyway.
//
// It owns the table spent_ids. What an id is made of belongs to those who ask, oidc and dpop; they
// hash it, together with whose it is, so that nobody can use up the ids of others. Rows are no fold of
// events: nobody has to know later which assertion was used, and a rebuild need not bring them back.
//
// It guarantees that of those who ask for one id, at the same time or one after the other, on any
// node, one is told to be the first. The answer is durable before it is given.
package spent

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Side is the table; its rows go with their instance.
var Side = eventlog.SideTable{Name: "spent_ids", Key: []string{"instance_id", "id_hash"}}

// Book remembers ids. It is safe for concurrent use.
type Book struct {
	DB    store.DB
	Clock ident.Clock
}

// onceSQL takes the place of a row that is of no use any more, and returns nothing where there is one
// that is.
const onceSQL = `INSERT INTO spent_ids (instance_id, id_hash, expires_at) VALUES ($1, $2, $3)
 ON CONFLICT (instance_id, id_hash) DO UPDATE SET expires_at = excluded.expires_at
 WHERE spent_ids.expires_at <= $4 RETURNING expires_at`

// Once records id for an instance until a time, and reports whether it was not there before. It returns
// the errors of store.DB.
func (b *Book) Once(ctx context.Context, at ident.InstanceID, id [sha256.Size]byte, until time.Time) (first bool, err error) {
	err = b.DB.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		rows, err := store.All(ctx, tx, scanNumber, onceSQL,
			string(at), id[:], store.Micros(until), store.Micros(b.Clock.Now()))
		first = len(rows) == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("remember what counts once: %w", err)
	}
	return first, nil
}

// sweepBatch is how many rows one transaction of a sweep deletes at most.
const sweepBatch = 1000

// sweepMargin is how long after its end an id is forgotten, so that no node accepts what it stands for,
// whatever its clock.
const sweepMargin = 5 * time.Minute

const sweepSQL = `DELETE FROM spent_ids WHERE (instance_id, id_hash) IN (
 SELECT instance_id, id_hash FROM spent_ids WHERE expires_at <= $1
 ORDER BY expires_at, instance_id, id_hash LIMIT $2) RETURNING expires_at`

// Sweep forgets what is too old to be accepted, a batch in each transaction. It costs one look at an
// index when there is nothing, however many instances there are.
func (b *Book) Sweep(ctx context.Context) error {
	by := store.Micros(b.Clock.Now().Add(-sweepMargin))
	for more := true; more; {
		err := b.DB.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			gone, err := store.All(ctx, tx, scanNumber, sweepSQL, by, sweepBatch)
			more = len(gone) == sweepBatch
			return err
		})
		if err != nil {
			return fmt.Errorf("forget what counted once: %w", err)
		}
	}
	return nil
}

func scanNumber(row store.Scanner) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}
