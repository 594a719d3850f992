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

const listSQL = `SELECT instance_id, key_id, state, algorithm, bits, public_key, private_key, sequence, created_at, changed_at
 FROM web_keys WHERE instance_id = $1 ORDER BY created_at, key_id`

// List returns the keys of an instance, the oldest first. There are none until they are first needed, see
// [Service.List], and never more than [MaxKeys].
func List(ctx context.Context, q store.Querier, instance ident.InstanceID) ([]State, error) {
	keys, err := store.All(ctx, q, scan, listSQL, string(instance))
	if err != nil {
		return nil, fmt.Errorf("list the web keys of instance %s: %w", instance, err)
	}
	return keys, nil
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
