package machinekey

import (
	"castellan/internal/eventlog"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "machine_keys",
	Key:       []string{"instance_id", "key_id"},
	Aggregate: "key_id",
	Rest:      []string{"user_id", "public_key", "expires_at", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{
			string(s.Instance), s.ID, string(s.User), s.PublicKey, store.Micros(s.ExpiresAt),
		}, s.Row()...)}
	},
}}
