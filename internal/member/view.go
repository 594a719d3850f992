package member

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "members",
	Key:       []string{"instance_id", "user_id", "scope", "scope_id"},
	Aggregate: "member_id",
	Rest:      []string{"member_id", "owner", "roles", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), string(s.User), string(s.Scope), s.ScopeID, s.ID, s.Owner, strings.Join(s.Roles, " "),
		}, s.Row()...)}
	},
}}

// selected are the columns of a membership, as scan reads them.
const selected = `SELECT instance_id, member_id, user_id, scope, scope_id, owner, roles, sequence, created_at, changed_at
 FROM members WHERE instance_id = $1`

func scan(row store.Scanner) (s State, err error) {
	var h eventlog.Head
	var roles string
	var created, changed int64
	err = row.Scan(&h.Instance, &h.ID, &s.User, &s.Scope, &s.ScopeID, &h.Owner, &roles, &h.Sequence, &created, &changed)
	s.Roles = strings.Fields(roles)
	s.Head = eventlog.Restore(h.Instance, h.ID, h.Owner, h.Sequence, created, changed)
	return s, err
}

// Get returns the membership of a user on a thing, by its scope and id. It returns [NotFound] when there
// is none, and the errors of store.Querier.
func Get(ctx context.Context, q store.Querier, instance ident.InstanceID, user ident.UserID, scope Scope, id string) (State, error) {
	return get(ctx, q, selected+` AND user_id = $2 AND scope = $3 AND scope_id = $4`, instance, user, scope, id)
}

// hold is Get of a membership that nobody else writes until the transaction ends.
func hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, user ident.UserID, scope Scope, id string) (State, error) {
	return get(ctx, tx, selected+` AND user_id = $2 AND scope = $3 AND scope_id = $4`+d.ForUpdate, instance, user, scope, id)
}

func get(ctx context.Context, q store.Querier, sql string, instance ident.InstanceID, user ident.UserID, scope Scope, id string) (State, error) {
	s, err := store.One(ctx, q, scan, sql, string(instance), string(user), string(scope), id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return State{}, NotFound.WithCause(fmt.Errorf("user %.200q is no member of %s %.200q of instance %s", user, scope, id, instance))
	case err != nil:
		return State{}, fmt.Errorf("find a membership of instance %s: %w", instance, err)
	}
	return s, nil
}
