package usermetadata

import (
	"context"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Table is the table of the metadata of users.
const Table = "user_metadata"

var tables = []eventlog.Table[State]{{
	Name:      Table,
	Key:       []string{"instance_id", "user_id", "meta_key"},
	Aggregate: "metadata_id",
	Rest:      []string{"meta_value", "metadata_id", "org_id", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{string(s.Instance), string(s.User), s.Key, s.Value, s.ID, s.Owner}, s.Row()...)}
	},
}}

const selected = `SELECT metadata_id, org_id, user_id, meta_key, meta_value, sequence, created_at, changed_at
 FROM user_metadata WHERE instance_id = $1`

// OfUser returns all metadata of a user, in the order of the keys. In a write that holds the user none
// comes to be until it ends.
func OfUser(ctx context.Context, q store.Querier, at ident.InstanceID, user ident.UserID) ([]State, error) {
	found, err := store.All(ctx, q, scan(at), selected+` AND user_id = $2 ORDER BY meta_key`, at, user)
	if err != nil {
		return nil, fmt.Errorf("list the metadata of user %s of instance %s: %w", user, at, err)
	}
	return found, nil
}

// withKeys returns the entries a user has for some keys. end is the end of the SQL text.
func withKeys(ctx context.Context, q store.Querier, d *store.Dialect, end string, at ident.InstanceID, user ident.UserID,
	keys []string,
) (map[string]State, error) {
	found, err := store.All(ctx, q, scan(at), selected+` AND user_id = $2 AND `+d.InList("meta_key", "$3")+
		` ORDER BY meta_key`+end, at, user, keys)
	if err != nil {
		return nil, fmt.Errorf("get metadata of user %s of instance %s: %w", user, at, err)
	}
	all := make(map[string]State, len(found))
	for _, s := range found {
		all[s.Key] = s
	}
	return all, nil
}

// scan reads one row of an instance.
func scan(at ident.InstanceID) func(store.Scanner) (State, error) {
	return func(row store.Scanner) (s State, err error) {
		var (
			id, org          string
			created, changed int64
			sequence         uint64
		)
		err = row.Scan(&id, &org, &s.User, &s.Key, &s.Value, &sequence, &created, &changed)
		s.Head = eventlog.Restore(at, id, org, sequence, created, changed)
		return s, err
	}
}
