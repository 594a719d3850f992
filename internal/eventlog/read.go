package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

const (
	envelopeColumns = `commit_id, log_number, instance_id, aggregate_type, aggregate_id, sequence,
 event_type, owner, actor, created_at`
	eventColumns = envelopeColumns + `, payload`
)

// record is an event as it is stored.
type record struct {
	event   Event
	payload []byte
}

func scanRecord(row store.Scanner) (r record, err error) {
	r.event, err = scanEvent(row, &r.payload)
	return r, err
}

func scanEnvelope(row store.Scanner) (Event, error) { return scanEvent(row) }

// scanEvent reads the envelope of an event, and the columns after it into rest.
func scanEvent(row store.Scanner, rest ...any) (e Event, err error) {
	var at int64
	err = row.Scan(append([]any{
		&e.Position.Commit, &e.Position.Number, &e.Instance, &e.Aggregate.Type, &e.Aggregate.ID,
		&e.Sequence, &e.Type, &e.Owner, &e.Actor, &at,
	}, rest...)...)
	e.At = store.Time(at)
	return e, err
}

// Last returns where the log ends, as one reader sees it, and when that event was written; zero
// values when there is none.
func (l *Log) Last(ctx context.Context, q store.Querier) (Position, time.Time, error) {
	type end struct {
		Position
		at int64
	}
	last, err := store.One(ctx, q, func(row store.Scanner) (e end, err error) {
		return e, row.Scan(&e.Commit, &e.Number, &e.at)
	}, `SELECT commit_id, log_number, created_at FROM events ORDER BY commit_id DESC, log_number DESC LIMIT 1`)
	if errors.Is(err, store.ErrNotFound) {
		return Position{}, time.Time{}, nil
	}
	if err != nil {
		return Position{}, time.Time{}, fmt.Errorf("read the end of the log: %w", err)
	}
	return last.Position, store.Time(last.at), nil
}

// Settled returns a position that everything comes after that q, a snapshot, does not see: whatever is
// committed later, by whomever, stands behind it in the log.
func (l *Log) Settled(ctx context.Context, q store.Querier) (Position, error) {
	p, err := store.One(ctx, q, func(row store.Scanner) (p Position, err error) { return p, row.Scan(&p.Commit, &p.Number) },
		`SELECT commit_id, log_number FROM events WHERE `+l.db.Dialect().Settled+`
 ORDER BY commit_id DESC, log_number DESC LIMIT 1`)
	if errors.Is(err, store.ErrNotFound) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("read how far the log is settled: %w", err)
	}
	return p, nil
}

// quietLimit is how many events Quiet looks at.
const quietLimit = 1000

// Quiet reports whether, as far as q sees, no event of some types stands behind a position. It looks
// at a thousand events at most, and does not vouch for more.
func (l *Log) Quiet(ctx context.Context, q store.Querier, after Position, types ...string) (bool, error) {
	quiet, err := store.One(ctx, q, func(row store.Scanner) (bool, error) {
		var seen, meant int64
		err := row.Scan(&seen, &meant)
		return seen < quietLimit && meant == 0, err
	}, `SELECT count(*), count(CASE WHEN `+l.db.Dialect().InList("event_type", "$4")+` THEN 1 END) FROM
 (SELECT event_type FROM events WHERE `+l.db.Dialect().After("$1", "$2")+` ORDER BY commit_id, log_number LIMIT $3) AS later`,
		after.Commit, after.Number, quietLimit, types)
	if err != nil {
		return false, fmt.Errorf("look for events after %s: %w", after, err)
	}
	return quiet, nil
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
	return l.follow(ctx, after, tick, l.settled, handle)
}

// FollowEnvelopes is [Log.Follow] without payloads: every Payload is nil. It opens nothing, so no
// event stops it, whether its key has been destroyed or a later version of the program has
// written it.
func (l *Log) FollowEnvelopes(ctx context.Context, after Position, tick <-chan time.Time,
	handle func(ctx context.Context, events []Event) error,
) error {
	return l.follow(ctx, after, tick, l.Envelopes, handle)
}

// follow gives handle what read finds, again and again.
func (l *Log) follow(ctx context.Context, after Position, tick <-chan time.Time,
	read func(ctx context.Context, after Position) ([]Event, error),
	handle func(ctx context.Context, events []Event) error,
) error {
	signal, stop := l.db.Committed()
	defer stop()
	for {
		events, err := read(ctx, after)
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

// Envelopes returns the next events of all instances after a position, without their payloads, at
// most [FollowBatch]. Like a follower it returns only what nothing can come before any more.
func (l *Log) Envelopes(ctx context.Context, after Position) ([]Event, error) {
	events, err := store.All(ctx, l.db, scanEnvelope, `SELECT `+envelopeColumns+` FROM events
 WHERE `+l.db.Dialect().After("$1", "$2")+` AND `+l.db.Dialect().Settled+`
 ORDER BY commit_id, log_number LIMIT $3`, after.Commit, after.Number, FollowBatch)
	if err != nil {
		return nil, fmt.Errorf("follow the log after %s: %w", after, err)
	}
	return events, nil
}

// End returns the position of the last event that nothing can come before any more, the zero
// Position when there is none. A follower that begins there is given every event whose write
// ends after the call, and perhaps some whose write had just ended.
func (l *Log) End(ctx context.Context) (Position, error) {
	return l.Settled(ctx, l.db)
}

// settled returns the next events that nothing can come before any more.
func (l *Log) settled(ctx context.Context, after Position) ([]Event, error) {
	records, err := store.All(ctx, l.db, scanRecord, `SELECT `+eventColumns+` FROM events
 WHERE `+l.db.Dialect().After("$1", "$2")+` AND `+l.db.Dialect().Settled+`
 ORDER BY commit_id, log_number LIMIT $3`, after.Commit, after.Number, FollowBatch)
	if err != nil {
		return nil, fmt.Errorf("follow the log after %s: %w", after, err)
	}
	return l.openAll(ctx, l.db, records)
}
