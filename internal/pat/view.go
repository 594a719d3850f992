package pat

import (
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "personal_access_tokens",
	Key:       []string{"instance_id", "token_id"},
	Aggregate: "token_id",
	Rest:      []string{"user_id", "token_hash", "scopes", "expires_at", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{
			string(s.Instance), s.ID, string(s.User), s.Hash, strings.Join(s.Scopes, " "), store.Micros(s.ExpiresAt),
		}, s.Row()...)}
	},
}}
