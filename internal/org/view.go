package org

import "castellan/internal/eventlog"

// stateOf is the name of the state in the column.
func stateOf(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

var tables = []eventlog.Table[State]{
	{
		Name:      "orgs",
		Key:       []string{"instance_id", "org_id"},
		Aggregate: "org_id",
		Rest:      []string{"name", "state", "sequence", "created_at", "changed_at"},
		Rows: func(s State) [][]any {
			return [][]any{append([]any{string(s.Instance), s.ID, s.Name, stateOf(s.Active)}, s.Row()...)}
		},
	},
	{
		Name:      "org_domains",
		Key:       []string{"instance_id", "org_id", "domain"},
		Aggregate: "org_id",
		Rest:      []string{"is_verified", "is_primary"},
		Rows: func(s State) [][]any {
			rows := make([][]any, len(s.Domains))
			for i, d := range s.Domains {
				rows[i] = []any{string(s.Instance), s.ID, d.Name, d.Verified, d.Primary}
			}
			return rows
		},
	},
}
