package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// tables has what every use of an access token asks, is_revoked and revoked_through, in columns of
// their own. The facts are read together, when a token is renewed.
var tables = []eventlog.Table[State]{{
	Name:      "oidc_sessions",
	Key:       []string{"instance_id", "session_id"},
	Aggregate: "session_id",
	Rest: []string{
		"org_id", "user_id", "is_revoked", "revoked_through", "tokens", "generation", "idle_until", "refresh_until",
		"ends_at", "facts", "sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		if s.Expired {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Owner, string(s.User), s.Revoked, s.RevokedThrough, s.Tokens, s.Generation,
			store.Micros(s.IdleUntil), store.Micros(s.RefreshUntil), store.Micros(s.Ends), s.encode(),
		}, s.Row()...)}
	},
}}

// encode writes the facts into one column.
func (f *Facts) encode() string {
	data, err := json.Marshal(f)
	if err != nil {
		panic("session: " + err.Error()) // texts, numbers and a time can be written
	}
	return string(data)
}

const getSQL = `SELECT org_id, is_revoked, revoked_through, tokens, generation, idle_until, refresh_until,
 ends_at, facts, sequence, created_at, changed_at FROM oidc_sessions WHERE instance_id = $1 AND session_id = $2`

// get returns a session that has a row, with what ends the statement: nothing, or a lock. It returns
// the zero State when there is none.
func get(ctx context.Context, q store.Querier, lock string, at ident.InstanceID, id ident.SessionID) (State, error) {
	s, err := store.One(ctx, q, func(row store.Scanner) (s State, err error) {
		var (
			owner, facts                        string
			idle, until, ends, created, changed int64
			sequence                            uint64
		)
		err = row.Scan(&owner, &s.Revoked, &s.RevokedThrough, &s.Tokens, &s.Generation, &idle, &until,
			&ends, &facts, &sequence, &created, &changed)
		if err == nil {
			err = json.Unmarshal([]byte(facts), &s.Facts)
		}
		s.Head = eventlog.Restore(at, string(id), owner, sequence, created, changed)
		s.IdleUntil, s.RefreshUntil, s.Ends = store.Time(idle), store.Time(until), store.Time(ends)
		return s, err
	}, getSQL+lock, string(at), string(id))
	if errors.Is(err, store.ErrNotFound) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("get session %s of instance %s: %w", id, at, err)
	}
	return s, nil
}

// place is a session that has ended, in the order in which they are swept.
type place struct {
	ends     int64
	instance ident.InstanceID
	id       ident.SessionID
}

// ended returns up to limit sessions that ended at a time or before, after a place.
func ended(ctx context.Context, q store.Querier, by int64, after place, limit int) ([]place, error) {
	found, err := store.All(ctx, q, func(row store.Scanner) (p place, err error) {
		return p, row.Scan(&p.ends, &p.instance, &p.id)
	}, `SELECT ends_at, instance_id, session_id FROM oidc_sessions
 WHERE ends_at <= $1 AND (ends_at, instance_id, session_id) > ($2, $3, $4)
 ORDER BY ends_at, instance_id, session_id LIMIT $5`, by, after.ends, string(after.instance), string(after.id), limit)
	if err != nil {
		return nil, fmt.Errorf("find sessions that have ended: %w", err)
	}
	return found, nil
}
