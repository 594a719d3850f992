package pat

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"castellan/internal/credential"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Table is the table of personal access tokens.
const Table = "personal_access_tokens"

var tables = []eventlog.Table[State]{{
	Name:      Table,
	Key:       []string{"instance_id", "token_id"},
	Aggregate: "token_id",
	Rest:      []string{"org_id", "user_id", "token_hash", "scopes", "expires_at", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Owner, string(s.User), s.Hash, strings.Join(s.Scopes, " "), store.Micros(s.ExpiresAt),
		}, s.Row()...)}
	},
}}

const selected = `SELECT token_id, org_id, user_id, token_hash, scopes, expires_at, sequence, created_at, changed_at
 FROM personal_access_tokens WHERE instance_id = $1`

// Get returns a personal access token of a user. It returns [NotFound] when the user has none with that id.
func Get(ctx context.Context, q store.Querier, at ident.InstanceID, user ident.UserID, id ident.TokenID) (State, error) {
	return get(ctx, q, "", at, user, id)
}

func get(ctx context.Context, q store.Querier, end string, at ident.InstanceID, user ident.UserID, id ident.TokenID) (State, error) {
	s, err := store.One(ctx, q, scan(at), selected+` AND token_id = $2 AND user_id = $3`+end, at, id, user)
	if errors.Is(err, store.ErrNotFound) {
		return State{}, NotFound
	}
	if err != nil {
		return State{}, fmt.Errorf("get personal access token %s of instance %s: %w", id, at, err)
	}
	return s, nil
}

// OfUser returns all personal access tokens of a user, in the order of their ids. In a write that holds the user no
// other comes to be until it ends.
func OfUser(ctx context.Context, q store.Querier, at ident.InstanceID, user ident.UserID) ([]State, error) {
	found, err := store.All(ctx, q, scan(at), selected+` AND user_id = $2 ORDER BY token_id`, at, user)
	if err != nil {
		return nil, fmt.Errorf("list the personal access tokens of user %s of instance %s: %w", user, at, err)
	}
	return found, nil
}

var kind = credential.Kind[State]{
	Table: Table, ID: "token_id", Select: selected, Scan: scan, IDOf: func(s State) string { return s.ID },
}

// List returns a page of the tokens that are searched for, also of those that have expired, and how many
// are on all pages. It returns the errors of store.DB.
func List(ctx context.Context, db store.DB, at ident.InstanceID, s credential.Search) (total int, page []State, err error) {
	return kind.List(ctx, db, at, s)
}

// scan reads one row of an instance.
func scan(at ident.InstanceID) func(store.Scanner) (State, error) {
	return func(row store.Scanner) (s State, err error) {
		var (
			id, org, scopes           string
			expires, created, changed int64
			sequence                  uint64
		)
		err = row.Scan(&id, &org, &s.User, &s.Hash, &scopes, &expires, &sequence, &created, &changed)
		s.Head = eventlog.Restore(at, id, org, sequence, created, changed)
		s.ExpiresAt = store.Time(expires)
		s.Scopes = strings.Fields(scopes)
		return s, err
	}
}
