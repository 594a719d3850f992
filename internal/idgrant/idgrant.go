// Package idgrant lets every node make ids without being given a number of its own: it remembers
// in the database which slot may make ids until when.
//
// It owns the table id_grants, which the first migration of each engine makes with a row for
// each slot, and implements [ident.Grants], whose [ident.Source] is its only user. It does not
// make ids.
//
// It guarantees that two grants of a slot never overlap, whatever the clocks of the nodes say: a
// grant begins where the last one of its slot ended, or later. Grants are not given back; one
// that is not used up runs out, and there are enough slots for that.
package idgrant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Lease is how long a grant lasts. A node needs the database once in that time to go on making
// ids; slots for [ident.Slots] nodes that start within it are enough.
const Lease = 10 * time.Minute

// Grants implements [ident.Grants].
type Grants struct {
	db store.DB
}

var _ ident.Grants = (*Grants)(nil)

// New returns the grants remembered in db.
func New(db store.DB) *Grants { return &Grants{db: db} }

// Claim implements [ident.Grants]: it takes the slot that has been free the longest, or when none
// is free the one that will be first; the grant then begins in the future.
//
// It returns store.ErrUnavailable, ctx's error, or store.ErrNested when called in a transaction.
func (g *Grants) Claim(ctx context.Context, now time.Time) (ident.Grant, error) {
	var grant ident.Grant
	err := g.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		for {
			slot, until, err := firstFree(ctx, tx)
			if err != nil {
				return err
			}
			grant = ident.Grant{Slot: slot, From: now, Until: now.Add(Lease)}
			if free := store.Time(until); free.After(now) {
				grant.From, grant.Until = free, free.Add(Lease)
			}
			taken, err := take(ctx, tx, slot, until, store.Micros(grant.Until))
			if taken || err != nil {
				return err
			}
			// Another node took the slot between our two statements. Each time round one node
			// succeeds, so this ends.
		}
	})
	if err != nil {
		return ident.Grant{}, fmt.Errorf("claim an id slot: %w", err)
	}
	return grant, nil
}

// firstFree returns the slot whose last grant ends first, and when that is. It does not lock it:
// a node that waited for the lock would find the slot taken far into the future.
func firstFree(ctx context.Context, tx store.Tx) (slot int, until int64, err error) {
	_, err = store.One(ctx, tx, func(row store.Scanner) (struct{}, error) {
		return struct{}{}, row.Scan(&slot, &until)
	}, `SELECT slot, granted_until FROM id_grants ORDER BY granted_until, slot LIMIT 1`)
	return slot, until, err
}

// take extends a slot unless somebody else has, and reports whether it did.
func take(ctx context.Context, tx store.Tx, slot int, until, newUntil int64) (bool, error) {
	_, err := store.One(ctx, tx, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`UPDATE id_grants SET granted_until = $1 WHERE slot = $2 AND granted_until = $3 RETURNING slot`,
		newUntil, slot, until)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
