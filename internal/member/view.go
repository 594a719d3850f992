package member

import (
	"strings"

	"castellan/internal/eventlog"
)

var tables = []eventlog.Table[State]{{
	Name:      "members",
	Key:       []string{"instance_id", "user_id", "scope", "scope_id"},
	Aggregate: "CASE scope WHEN 'instance' THEN 'instance:' || user_id ELSE 'org:' || scope_id || ':' || user_id END",
	Rest:      []string{"owner", "roles", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{
			string(s.Instance), string(s.User), string(s.Scope), s.ScopeID, s.Owner, strings.Join(s.Roles, " "),
		}, s.Row()...)}
	},
}}
