package feature

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name: "instance_features",
	Key:  []string{"instance_id"},
	Rest: []string{"login_default_org", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{string(s.Instance), s.LoginDefaultOrg}, s.Row()...)}
	},
}}

const getSQL = `SELECT instance_id, login_default_org, sequence, created_at, changed_at
 FROM instance_features WHERE instance_id = $1`

// Get returns the switches of an instance, or the zero State when nobody has set any.
func Get(ctx context.Context, q store.Querier, instance ident.InstanceID) (State, error) {
	s, err := store.One(ctx, q, scan, getSQL, string(instance))
	if errors.Is(err, store.ErrNotFound) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("get the features of instance %s: %w", instance, err)
	}
	return s, nil
}

// scan reads one row.
func scan(row store.Scanner) (State, error) {
	var (
		s                State
		instance         string
		sequence         uint64
		created, changed int64
	)
	err := row.Scan(&instance, &s.LoginDefaultOrg, &sequence, &created, &changed)
	s.Head = eventlog.Restore(ident.InstanceID(instance), instance, instance, sequence, created, changed)
	return s, err
}
