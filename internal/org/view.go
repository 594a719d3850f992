package org

import (
	"castellan/internal/eventlog"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Tables in which a conflict says what is taken.
const (
	// NamesTable has the names of organizations, each once in an instance.
	NamesTable = "org_names"
	// DomainsTable has their domains; a verified one is that of one organization of an instance.
	DomainsTable = "org_domains"
)

// stateOf is the name of the state in the column.
func stateOf(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

// unlessRemoved returns the rows of an organization, and none of one that was removed.
func unlessRemoved(rows func(State) [][]any) func(State) [][]any {
	return func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return rows(s)
	}
}

var tables = []eventlog.Table[State]{
	{
		Name:      "orgs",
		Kept:      eventlog.Kept{Epoch: eventlog.Access, FoundOnly: true},
		Key:       []string{"instance_id", "org_id"},
		Aggregate: "org_id",
		Rest:      []string{"name", "state", "sequence", "created_at", "changed_at"},
		Rows: unlessRemoved(func(s State) [][]any {
			return [][]any{append([]any{string(s.Instance), s.ID, s.Name, stateOf(s.Active)}, s.Row()...)}
		}),
	},
	{
		Name:      NamesTable,
		Key:       []string{"instance_id", "name_key"},
		Aggregate: "org_id",
		Rest:      []string{"org_id"},
		Rows: unlessRemoved(func(s State) [][]any {
			return [][]any{{string(s.Instance), search.Fold(s.Name), s.ID}}
		}),
	},
	{
		Name:      DomainsTable,
		Key:       []string{"instance_id", "org_id", "domain"},
		Aggregate: "org_id",
		Rest:      []string{"is_verified", "is_primary", "validation_type", "validation_token", "created_at"},
		Rows: unlessRemoved(func(s State) [][]any {
			rows := make([][]any, len(s.Domains))
			for i, d := range s.Domains {
				rows[i] = []any{
					string(s.Instance), s.ID, d.Name, d.Verified, d.Primary, string(d.Validation), d.Token, store.Micros(d.CreatedAt),
				}
			}
			return rows
		}),
	},
	{
		Name:      "org_metadata",
		Key:       []string{"instance_id", "org_id", "meta_key"},
		Aggregate: "org_id",
		Rest:      []string{"meta_value", "created_at", "changed_at"},
		Rows: unlessRemoved(func(s State) [][]any {
			rows := make([][]any, len(s.Metadata))
			for i, m := range s.Metadata {
				rows[i] = []any{string(s.Instance), s.ID, m.Key, m.Value, store.Micros(m.CreatedAt), store.Micros(m.ChangedAt)}
			}
			return rows
		}),
	},
}
