package systemuser

import (
	"context"
	"encoding/json"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// usersTable is the table of users that were added; a conflict in it means that the name is taken.
const usersTable = "system_users"

var tables = []eventlog.Table[State]{{
	Name:      usersTable,
	Key:       []string{"instance_id", "name"},
	Aggregate: "name",
	Rest: []string{
		"is_removed", "public_key", "previous_key", "previous_until", "memberships",
		"sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		until := int64(0)
		if s.PreviousKey != "" {
			until = store.Micros(s.PreviousUntil)
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Removed, s.PublicKey, s.PreviousKey, until, membershipsText(s.Memberships),
		}, s.Row()...)}
	},
}}

// membershipsText is the form of memberships in the table.
func membershipsText(all []Membership) string {
	if len(all) == 0 {
		return ""
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic("systemuser: " + err.Error()) // unreachable: they consist of texts
	}
	return string(text)
}

const selected = `SELECT name, is_removed, public_key, previous_key, previous_until, memberships,
 sequence, created_at, changed_at FROM system_users WHERE instance_id = $1`

// get reads the user with a name, also when it is removed. end is the end of the SQL text. It
// returns store.ErrNotFound when there never was one.
func get(ctx context.Context, q store.Querier, name, end string) (State, error) {
	s, err := store.One(ctx, q, scan, selected+` AND name = $2`+end, string(ident.System), name)
	if err != nil {
		return State{}, fmt.Errorf("get system user %q: %w", name, err)
	}
	return s, nil
}

// sequenceOf reads the sequence of a user, also when it is removed. It returns store.ErrNotFound
// when there never was one.
func sequenceOf(ctx context.Context, q store.Querier, name string) (uint64, error) {
	return store.One(ctx, q, func(row store.Scanner) (n uint64, err error) { return n, row.Scan(&n) },
		`SELECT sequence FROM system_users WHERE instance_id = $1 AND name = $2`, string(ident.System), name)
}

// all reads all users that are not removed, in the order of their names.
func all(ctx context.Context, q store.Querier) ([]State, error) {
	found, err := store.All(ctx, q, scan, selected+` AND NOT is_removed ORDER BY name`, string(ident.System))
	if err != nil {
		return nil, fmt.Errorf("list system users: %w", err)
	}
	return found, nil
}

// lock keeps others from changing any user until tx ends. Statements that come later see what was
// committed before.
func lock(ctx context.Context, tx store.Tx, d *store.Dialect) error {
	_, err := store.All(ctx, tx, func(row store.Scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM system_users WHERE instance_id = $1 ORDER BY name`+d.ForUpdate, string(ident.System))
	if err != nil {
		return fmt.Errorf("lock system users: %w", err)
	}
	return nil
}

// scan reads one row.
func scan(row store.Scanner) (s State, err error) {
	var (
		name, memberships       string
		until, created, changed int64
		sequence                uint64
	)
	err = row.Scan(&name, &s.Removed, &s.PublicKey, &s.PreviousKey, &until, &memberships,
		&sequence, &created, &changed)
	if err != nil {
		return s, err
	}
	s.Head = eventlog.Restore(ident.System, name, string(ident.System), sequence, created, changed)
	if s.PreviousKey != "" {
		s.PreviousUntil = store.Time(until)
	}
	if memberships != "" {
		err = json.Unmarshal([]byte(memberships), &s.Memberships)
	}
	return s, err
}
