package machinekey

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/credential"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Table is the table of machine keys.
const Table = "machine_keys"

var tables = []eventlog.Table[State]{{
	Name:      Table,
	Kept:      eventlog.Kept{Epoch: eventlog.Access},
	Key:       []string{"instance_id", "key_id"},
	Aggregate: "key_id",
	Rest:      []string{"org_id", "user_id", "public_key", "expires_at", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Owner, string(s.User), s.PublicKey, store.Micros(s.ExpiresAt),
		}, s.Row()...)}
	},
}}

const selected = `SELECT key_id, org_id, user_id, public_key, expires_at, sequence, created_at, changed_at
 FROM machine_keys WHERE instance_id = $1`

// Get returns a machine key of a user. It returns [NotFound] when the user has none with that id.
func Get(ctx context.Context, q store.Querier, at ident.InstanceID, user ident.UserID, id ident.KeyID) (State, error) {
	return get(ctx, q, "", at, user, id)
}

func get(ctx context.Context, q store.Querier, end string, at ident.InstanceID, user ident.UserID, id ident.KeyID) (State, error) {
	s, err := store.One(ctx, q, scan(at), selected+` AND key_id = $2 AND user_id = $3`+end, at, id, user)
	if errors.Is(err, store.ErrNotFound) {
		return State{}, NotFound
	}
	if err != nil {
		return State{}, fmt.Errorf("get machine key %s of instance %s: %w", id, at, err)
	}
	return s, nil
}

// OfUser returns all machine keys of a user, in the order of their ids. In a write that holds the user no
// other comes to be until it ends.
func OfUser(ctx context.Context, q store.Querier, at ident.InstanceID, user ident.UserID) ([]State, error) {
	found, err := store.All(ctx, q, scan(at), selected+` AND user_id = $2 ORDER BY key_id`, at, user)
	if err != nil {
		return nil, fmt.Errorf("list the machine keys of user %s of instance %s: %w", user, at, err)
	}
	return found, nil
}

var kind = credential.Kind[State]{
	Table: Table, ID: "key_id", Select: selected, Scan: scan, IDOf: func(s State) string { return s.ID },
}

// List returns a page of the keys that are searched for, also of those that have expired, and how many
// are on all pages. It returns the errors of store.DB.
func List(ctx context.Context, db store.DB, at ident.InstanceID, s credential.Search) (total int, page []State, err error) {
	return kind.List(ctx, db, at, s)
}

// scan reads one row of an instance.
func scan(at ident.InstanceID) func(store.Scanner) (State, error) {
	return func(row store.Scanner) (s State, err error) {
		var (
			id, org                   string
			expires, created, changed int64
			sequence                  uint64
		)
		err = row.Scan(&id, &org, &s.User, &s.PublicKey, &expires, &sequence, &created, &changed)
		s.Head = eventlog.Restore(at, id, org, sequence, created, changed)
		s.ExpiresAt = store.Time(expires)
		return s, err
	}
}
