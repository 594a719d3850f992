package webkey

import (
	"context"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "web_keys",
	Kept:      eventlog.Kept{Epoch: eventlog.Settings},
	Key:       []string{"instance_id", "key_id"},
	Aggregate: "key_id",
	Rest: []string{
		"state", "algorithm", "bits", "public_key", "private_key", "sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		if !s.exists() {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.State, string(s.Config.Algorithm), s.Config.Bits, s.PublicKey, s.PrivateKey,
		}, s.Row()...)}
	},
}}

const (
	selectSQL = `SELECT instance_id, key_id, state, algorithm, bits, public_key, private_key, sequence, created_at, changed_at
 FROM web_keys WHERE instance_id = $1`
	listSQL   = selectSQL + ` ORDER BY created_at, key_id`
	activeSQL = selectSQL + ` AND state = '` + Active + `'`
)

// List returns the keys of an instance, the oldest first. There are none until they are first needed, see
// [Service.List], and never more than [MaxKeys].
func List(ctx context.Context, q store.Querier, instance ident.InstanceID) ([]State, error) {
	keys, err := store.All(ctx, q, scan, listSQL, string(instance))
	if err != nil {
		return nil, fmt.Errorf("list the web keys of instance %s: %w", instance, err)
	}
	return keys, nil
}

// GetActive returns the key with which an instance signs, or store.ErrNotFound when it has no keys yet.
func GetActive(ctx context.Context, q store.Querier, instance ident.InstanceID) (State, error) {
	key, err := store.One(ctx, q, scan, activeSQL, string(instance))
	if err != nil {
		return State{}, fmt.Errorf("get the active web key of instance %s: %w", instance, err)
	}
	return key, nil
}

// scan reads one row.
func scan(row store.Scanner) (State, error) {
	var (
		s                State
		instance, id     string
		sequence         uint64
		created, changed int64
	)
	err := row.Scan(&instance, &id, &s.State, &s.Config.Algorithm, &s.Config.Bits, &s.PublicKey, &s.PrivateKey,
		&sequence, &created, &changed)
	s.Head = eventlog.Restore(ident.InstanceID(instance), id, instance, sequence, created, changed)
	return s, err
}
