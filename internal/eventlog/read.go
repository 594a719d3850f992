package eventlog

import (
	"context"
	"fmt"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

const eventColumns = `commit_id, log_number, instance_id, aggregate_type, aggregate_id, sequence,
 event_type, owner, actor, created_at, payload`

// record is an event as it is stored.
type record struct {
	event   Event
	payload []byte
}

func scanRecord(row store.Scanner) (record, error) {
	var r record
	var instance, actor string
	var at int64
	e := &r.event
	err := row.Scan(&e.Position.Commit, &e.Position.Number, &instance, &e.Aggregate.Type, &e.Aggregate.ID,
		&e.Sequence, &e.Type, &e.Owner, &actor, &at, &r.payload)
	e.Instance, e.Actor, e.At = ident.InstanceID(instance), ident.Actor(actor), store.Time(at)
	return r, err
}

// Of returns the events of one instance in the order in which they were appended, at most
// limit of them, beginning after a position. It returns none when the instance never was.
func (l *Log) Of(ctx context.Context, q store.Querier, instance ident.InstanceID, after Position, limit int) ([]Event, error) {
	records, err := store.All(ctx, q, scanRecord, `SELECT `+eventColumns+` FROM events
 WHERE instance_id = $1 AND (commit_id, log_number) > ($2, $3)
 ORDER BY commit_id, log_number LIMIT $4`, string(instance), after.Commit, after.Number, limit)
	if err != nil {
		return nil, fmt.Errorf("read the events of instance %s: %w", instance, err)
	}
	return l.openAll(ctx, q, records)
}

// openAll opens records, reading the key of each instance once.
func (l *Log) openAll(ctx context.Context, q store.Querier, records []record) ([]Event, error) {
	sealers := make(map[ident.InstanceID]store.Sealer)
	events := make([]Event, len(records))
	for i, r := range records {
		sealer, known := sealers[r.event.Instance]
		if !known {
			var err error
			if sealer, err = l.sealerOf(ctx, q, r.event.Instance); err != nil {
				return nil, err
			}
			sealers[r.event.Instance] = sealer
		}
		e, err := l.open(r, sealer)
		if err != nil {
			return nil, err
		}
		events[i] = e
	}
	return events, nil
}

// FollowBatch is how many events a follower is given at once, at most.
const FollowBatch = 500

// Follow gives every event of all instances after a position to handle, in the order of the
// log, until ctx ends or handle returns an error, which it then returns. An event is given
// only when no transaction that could still put one before it is running, so a follower
// that keeps the last position it was given, and resumes from there, misses none.
//
// handle is called with at least one event. tick makes Follow look again by itself: no signal
// says that the transaction it waited for has rolled back, or was one of another database of
// the same server, and a signal of another node may get lost. A second is a good interval.
func (l *Log) Follow(ctx context.Context, after Position, tick <-chan time.Time,
	handle func(ctx context.Context, events []Event) error,
) error {
	signal, stop := l.db.Committed()
	defer stop()
	for {
		events, err := l.settled(ctx, after)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			if err := handle(ctx, events); err != nil {
				return err
			}
			after = events[len(events)-1].Position
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-signal:
		case <-tick:
		}
	}
}

// settled returns the next events that nothing can come before any more.
func (l *Log) settled(ctx context.Context, after Position) ([]Event, error) {
	records, err := store.All(ctx, l.db, scanRecord, `SELECT `+eventColumns+` FROM events
 WHERE (commit_id, log_number) > ($1, $2) AND `+l.db.Dialect().Settled+`
 ORDER BY commit_id, log_number LIMIT $3`, after.Commit, after.Number, FollowBatch)
	if err != nil {
		return nil, fmt.Errorf("follow the log after %s: %w", after, err)
	}
	return l.openAll(ctx, l.db, records)
}
