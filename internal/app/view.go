package app

import "castellan/internal/eventlog"

var tables = []eventlog.Table[State]{{
	Name:      "apps",
	Key:       []string{"instance_id", "app_id"},
	Aggregate: "app_id",
	Rest: []string{
		"org_id", "project_id", "name", "kind", "client_id", "auth_method", "is_console", "dev_mode",
		"sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Owner, string(s.Project), s.Name, string(s.Kind), s.ClientID,
			string(s.AuthMethod), s.Console, s.DevMode,
		}, s.Row()...)}
	},
}}
