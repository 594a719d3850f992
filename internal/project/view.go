package project

import (
	"encoding/json"
	"slices"

	"castellan/internal/eventlog"
	"castellan/internal/search"
)

// stateOf is the name of the state in the column.
func stateOf(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

var tables = []eventlog.Table[State]{
	{
		Name:      "projects",
		Kept:      eventlog.Kept{Epoch: eventlog.Access, FoundOnly: true},
		Key:       []string{"instance_id", "project_id"},
		Aggregate: "project_id",
		Rest: []string{
			"org_id", "name", "state", "role_assertion", "authorization_required", "project_access_required",
			"private_labeling", "sequence", "created_at", "changed_at",
		},
		Rows: func(s State) [][]any {
			if s.Removed {
				return nil
			}
			return [][]any{append([]any{
				string(s.Instance), s.ID, s.Owner, s.Name, stateOf(s.Active), s.RoleAssertion, s.AuthorizationRequired,
				s.AccessRequired, int64(s.Labeling),
			}, s.Row()...)}
		},
	},
	{
		// A conflict in it says that the name is taken.
		Name:      "project_names",
		Key:       []string{"instance_id", "org_id", "name_key"},
		Aggregate: "project_id",
		Rest:      []string{"project_id"},
		Rows: func(s State) [][]any {
			if s.Removed {
				return nil
			}
			return [][]any{{string(s.Instance), s.Owner, search.Fold(s.Name), s.ID}}
		},
	},
}

var roleTables = []eventlog.Table[Role]{{
	Name:      "project_roles",
	Key:       []string{"instance_id", "project_id", "role_key"},
	Aggregate: "role_id",
	Rest:      []string{"role_id", "org_id", "display_name", "group_name", "sequence", "created_at", "changed_at"},
	Rows: func(r Role) [][]any {
		if r.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(r.Instance), string(r.Project), r.Key, r.ID, r.Owner, r.DisplayName, r.Group,
		}, r.Row()...)}
	},
}}

var grantTables = []eventlog.Table[Grant]{
	{
		Name:      "project_grants",
		Key:       []string{"instance_id", "grant_id"},
		Aggregate: "grant_id",
		Rest:      []string{"project_id", "org_id", "granted_org_id", "role_keys", "state", "sequence", "created_at", "changed_at"},
		Rows: func(g Grant) [][]any {
			if g.Removed {
				return nil
			}
			return [][]any{append([]any{
				string(g.Instance), g.ID, string(g.Project), g.Owner, string(g.Org), encodeRoles(g.Roles), stateOf(g.Active),
			}, g.Row()...)}
		},
	},
	{
		// The same roles as rows, by which the grants that have one are found.
		Name:      "project_grant_roles",
		Key:       []string{"instance_id", "grant_id", "role_key"},
		Aggregate: "grant_id",
		Rest:      []string{"project_id"},
		Rows: func(g Grant) (rows [][]any) {
			if g.Removed {
				return nil
			}
			for _, key := range slices.Sorted(slices.Values(g.Roles)) {
				rows = append(rows, []any{string(g.Instance), g.ID, key, string(g.Project)})
			}
			return rows
		},
	},
}

// encodeRoles writes keys of roles, which may hold any character, into one column: as a JSON array.
func encodeRoles(roles []string) string {
	if roles == nil {
		roles = []string{} // [] and not null
	}
	text, err := json.Marshal(roles)
	if err != nil {
		panic("project: " + err.Error()) // texts can be written
	}
	return string(text)
}

// decodeRoles reads what encodeRoles has written; no roles are nil.
func decodeRoles(text string) (roles []string, err error) {
	if err = json.Unmarshal([]byte(text), &roles); len(roles) == 0 {
		roles = nil
	}
	return roles, err
}
