// Package idgrant hands out the grants under which nodes make ids (docs/adr/0007-ids.md).
//
// It owns the table id_grants, one row a slot, and the rule that grants of one slot never
// overlap: a grant begins where the slot's last one ended, or now, whichever is later. What
// an id looks like belongs to ident, whose Grants it implements. It needs no configuration
// and nothing is given back: a slot is free again when its grant has run out.
package idgrant

import (
	"context"
	"fmt"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Lease is how long a grant lasts. A node that stops leaves its slot unused for the rest of it.
const Lease = 10 * time.Minute

// Table hands out grants. It implements ident.Grants.
type Table struct {
	db store.DB
}

var _ ident.Grants = (*Table)(nil)

// New returns the grants of a database.
func New(db store.DB) *Table { return &Table{db: db} }

// claims is how many slots are looked at for one that is free now. Another node may take the
// slot that was found while its row is being locked; what is locked then lies in the future.
const claims = 8

// Claim implements ident.Grants: the slot whose last grant ended first. It returns the errors
// of store.DB.Update.
func (t *Table) Claim(ctx context.Context, now time.Time) (ident.Grant, error) {
	var g ident.Grant
	err := t.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		found, err := t.find(ctx, tx, now)
		if err != nil {
			return err
		}
		g = ident.Grant{Slot: found.slot, From: now}
		if found.until.After(now) {
			g.From = found.until
		}
		g.Until = g.From.Add(Lease)
		return tx.Exec(ctx, `UPDATE id_grants SET granted_until = $2 WHERE slot = $1`,
			int64(g.Slot), store.Micros(g.Until))
	})
	if err != nil {
		return ident.Grant{}, fmt.Errorf("claim a slot for ids: %w", err)
	}
	return g, nil
}

// slot is a row of the table.
type slot struct {
	slot  int
	until time.Time
}

// find locks the slot whose last grant ended first.
func (t *Table) find(ctx context.Context, tx store.Tx, now time.Time) (s slot, err error) {
	sql := `SELECT slot, granted_until FROM id_grants ORDER BY granted_until, slot LIMIT 1` + t.db.Dialect().ForUpdate
	for range claims {
		s, err = store.One(ctx, tx, scan, sql)
		if err != nil || !s.until.After(now) {
			return s, err
		}
	}
	return s, nil
}

func scan(row store.Scanner) (s slot, err error) {
	var until int64
	err = row.Scan(&s.slot, &until)
	s.until = store.Time(until)
	return s, err
}
