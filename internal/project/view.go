package project

import "castellan/internal/eventlog"

var tables = []eventlog.Table[State]{{
	Name:      "projects",
	Key:       []string{"instance_id", "project_id"},
	Aggregate: "project_id",
	Rest:      []string{"org_id", "name", "state", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{string(s.Instance), s.ID, s.Owner, s.Name, "active"}, s.Row()...)}
	},
}}
