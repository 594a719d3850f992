package authorization

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "authorizations",
	Key:       []string{"instance_id", "authorization_id"},
	Aggregate: "authorization_id",
	Rest: []string{
		"user_id", "project_id", "project_grant_id", "org_id", "role_keys", "state", "sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, string(s.User), string(s.Project), string(s.Grant), s.Owner, EncodeRoles(s.Roles), string(s.Status),
		}, s.Row()...)}
	},
}, {
	// The same roles as rows, by which the authorizations that have one are found.
	Name:      "authorization_roles",
	Key:       []string{"instance_id", "authorization_id", "role_key"},
	Aggregate: "authorization_id",
	Rest:      []string{"project_id"},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		roles := slices.Clone(s.Roles)
		slices.Sort(roles)
		var rows [][]any
		for _, r := range slices.Compact(roles) {
			rows = append(rows, []any{string(s.Instance), s.ID, r, string(s.Project)})
		}
		return rows
	},
}}

// EncodeRoles writes keys of roles, which may hold any character, into one column: as a JSON array.
func EncodeRoles(roles []string) string {
	if roles == nil {
		roles = []string{} // [] and not null
	}
	data, err := json.Marshal(roles)
	if err != nil {
		panic(err) // texts can be written
	}
	return string(data)
}

// DecodeRoles reads what [EncodeRoles] has written.
func DecodeRoles(text string) (roles []string, err error) {
	if err := json.Unmarshal([]byte(text), &roles); err != nil {
		return nil, fmt.Errorf("decode the roles of an authorization: %w", err)
	}
	return orNil(roles), nil
}

// selected are the columns of an authorization, as scan reads them.
const selected = `SELECT instance_id, authorization_id, user_id, project_id, project_grant_id, org_id, role_keys, state,
 sequence, created_at, changed_at FROM authorizations WHERE instance_id = $1`

func scan(row store.Scanner) (s State, err error) {
	var h eventlog.Head
	var roles string
	var created, changed int64
	err = row.Scan(&h.Instance, &h.ID, &s.User, &s.Project, &s.Grant, &h.Owner, &roles, &s.Status, &h.Sequence, &created, &changed)
	if err == nil {
		s.Roles, err = DecodeRoles(roles)
	}
	s.Head = eventlog.Restore(h.Instance, h.ID, h.Owner, h.Sequence, created, changed)
	return s, err
}

// Get returns an authorization. It returns [NotFound] when there is none with that id, and the errors of
// store.Querier.
func Get(ctx context.Context, q store.Querier, instance ident.InstanceID, id ident.AuthorizationID) (State, error) {
	return get(ctx, q, selected+` AND authorization_id = $2`, instance, id)
}

// hold is Get of an authorization that nobody else writes until the transaction ends.
func hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, id ident.AuthorizationID) (State, error) {
	return get(ctx, tx, selected+` AND authorization_id = $2`+d.ForUpdate, instance, id)
}

func get(ctx context.Context, q store.Querier, sql string, instance ident.InstanceID, id ident.AuthorizationID) (State, error) {
	s, err := store.One(ctx, q, scan, sql, string(instance), string(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return State{}, NotFound.WithCause(fmt.Errorf("instance %s has no authorization %.200q", instance, id))
	case err != nil:
		return State{}, fmt.Errorf("find an authorization of instance %s: %w", instance, err)
	}
	return s, nil
}
