package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "deliveries",
	Key:       []string{"instance_id", "delivery_id"},
	Aggregate: "delivery_id",
	Rest: []string{
		"kind", "url", "content_type", "body", "state", "next_at", "attempts", "failures", "last_error", "last_failed",
		"sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		if s.Phase == Ended {
			return nil
		}
		body := s.Body
		if body == nil {
			body = []byte{} // a nil slice would be NULL
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Kind, s.URL, s.ContentType, body, string(s.Phase), store.Micros(s.NextAt),
			int64(s.Attempts), int64(s.Failures), s.LastError, store.Micros(s.LastFailed),
		}, s.Row()...)}
	},
}}

const getSQL = `SELECT kind, url, content_type, body, state, next_at, attempts, failures, last_error, last_failed,
 sequence, created_at, changed_at FROM deliveries WHERE instance_id = $1 AND delivery_id = $2`

// Get returns a delivery that has not ended. It returns store.ErrNotFound when there is none with
// that id.
func Get(ctx context.Context, q store.Querier, instance ident.InstanceID, id ident.DeliveryID) (State, error) {
	return get(ctx, q, getSQL, instance, id)
}

// get is [Get] with a text that begins with that of getSQL.
func get(ctx context.Context, q store.Querier, sql string, instance ident.InstanceID, id ident.DeliveryID) (State, error) {
	s, err := store.One(ctx, q, func(row store.Scanner) (s State, err error) {
		var next, failed, created, changed int64
		var sequence uint64
		err = row.Scan(&s.Kind, &s.URL, &s.ContentType, &s.Body, &s.Phase, &next, &s.Attempts, &s.Failures, &s.LastError, &failed,
			&sequence, &created, &changed)
		s.Head = eventlog.Restore(instance, string(id), string(instance), sequence, created, changed)
		s.NextAt, s.LastFailed = store.Time(next), store.Time(failed)
		if len(s.Body) == 0 {
			s.Body = nil
		}
		return s, err
	}, sql, string(instance), string(id))
	if err != nil {
		return State{}, fmt.Errorf("get delivery %s of instance %s: %w", id, instance, err)
	}
	return s, nil
}

// Failure is a delivery that has failed, and has neither arrived since nor been dismissed.
type Failure struct {
	Instance ident.InstanceID
	ID       ident.DeliveryID
	Kind     string
	Failures int
	Error    string // of the last attempt that failed
	FailedAt time.Time
}

// ListFailed returns the failures of all instances, those of an instance together and from the
// oldest, at most limit of them.
func ListFailed(ctx context.Context, q store.Querier, limit int) ([]Failure, error) {
	all, err := store.All(ctx, q, func(row store.Scanner) (f Failure, err error) {
		var at int64
		err = row.Scan(&f.Instance, &f.ID, &f.Kind, &f.Failures, &f.Error, &at)
		f.FailedAt = store.Time(at)
		return f, err
	}, `SELECT instance_id, delivery_id, kind, failures, last_error, last_failed FROM deliveries
 WHERE failures > 0 ORDER BY instance_id, delivery_id LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("list failed deliveries: %w", err)
	}
	return all, nil
}

// key names a delivery.
type key struct {
	instance ident.InstanceID
	id       ident.DeliveryID
}

// perLook is how many deliveries a worker looks at together.
const perLook = 2 * Slots

// due returns deliveries about which something has to be done at now, the longest due first, none
// of them of the instances in others.
func (s *Service) due(ctx context.Context, now time.Time, others []string) ([]key, error) {
	keys, err := store.All(ctx, s.DB, func(row store.Scanner) (k key, err error) {
		return k, row.Scan(&k.instance, &k.id)
	}, `SELECT instance_id, delivery_id FROM deliveries
 WHERE next_at <= $1 AND NOT (`+s.DB.Dialect().InList("instance_id", "$2")+`)
 ORDER BY next_at, instance_id, delivery_id LIMIT $3`, store.Micros(now), others, perLook)
	if err != nil {
		return nil, fmt.Errorf("look for deliveries: %w", err)
	}
	return keys, nil
}

// nextAfter returns when something has to be done next, the zero time for never.
func (s *Service) nextAfter(ctx context.Context, now time.Time) (time.Time, error) {
	at, err := store.One(ctx, s.DB, func(row store.Scanner) (at int64, err error) { return at, row.Scan(&at) },
		`SELECT next_at FROM deliveries WHERE next_at > $1 ORDER BY next_at LIMIT 1`, store.Micros(now))
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look for the next delivery: %w", err)
	}
	return store.Time(at), nil
}

// drop deletes the rows of an instance whose key has been destroyed. That is no event: what an
// instance without a key has left folds into nothing.
func (s *Service) drop(ctx context.Context, instance ident.InstanceID) error {
	return s.DB.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Exec(ctx, `DELETE FROM deliveries WHERE instance_id = $1`, string(instance))
	})
}
