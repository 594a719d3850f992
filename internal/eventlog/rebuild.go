package eventlog

import (
	"context"
	"fmt"

	"castellan/internal/store"
)

// Tables returns the names of all tables that hold folded state.
func (l *Log) Tables() []string {
	var names []string
	for _, k := range l.order {
		names = append(names, k.tableNames()...)
	}
	return names
}

// rebuildPage is how many events a rebuild holds in memory.
const rebuildPage = 1000

// Rebuild empties the tables of all nouns and folds the whole log into them again, within
// tx. Instances whose key has been destroyed stay out. It returns the number of events
// folded. Nothing may write meanwhile: where writers do not wait for each other, one that
// updates a row which the rebuild replaces would update nothing.
func (l *Log) Rebuild(ctx context.Context, tx store.Tx) (int, error) {
	for _, name := range l.Tables() {
		if err := tx.Exec(ctx, "DELETE FROM "+name); err != nil {
			return 0, fmt.Errorf("empty %s: %w", name, err)
		}
	}
	var (
		count   int
		last    Event
		current folder
	)
	flush := func() error {
		if current == nil {
			return nil
		}
		return current.save(ctx, tx)
	}
	for {
		events, err := l.byAggregate(ctx, tx, last)
		if err != nil {
			return count, err
		}
		if len(events) == 0 {
			return count, flush()
		}
		for _, e := range events {
			if e.Instance != last.Instance || e.Aggregate != last.Aggregate {
				if err := flush(); err != nil {
					return count, err
				}
				kind := l.kinds[e.Aggregate.Type]
				if kind == nil {
					return count, fmt.Errorf("eventlog: no noun is called %q at %s", e.Aggregate.Type, e.Position)
				}
				current = kind.refold()
			}
			last = e
			if e.Payload == nil {
				current = nil // its key is destroyed, and so is the whole aggregate
				continue
			}
			if err := current.fold(e); err != nil {
				return count, err
			}
			count++
		}
	}
}

// byAggregate returns the page of events after last, ordered by aggregate and sequence.
func (l *Log) byAggregate(ctx context.Context, q store.Querier, last Event) ([]Event, error) {
	records, err := store.All(ctx, q, scanRecord, `SELECT `+eventColumns+` FROM events
 WHERE (instance_id, aggregate_type, aggregate_id, sequence) > ($1, $2, $3, $4)
 ORDER BY instance_id, aggregate_type, aggregate_id, sequence LIMIT $5`,
		string(last.Instance), last.Aggregate.Type, last.Aggregate.ID, int64(last.Sequence), rebuildPage)
	if err != nil {
		return nil, fmt.Errorf("rebuild after %s/%s/%s: %w", last.Instance, last.Aggregate.Type, last.Aggregate.ID, err)
	}
	return l.openAll(ctx, q, records)
}

// folder folds the events of one aggregate from the start and saves what becomes of them.
type folder interface {
	fold(e Event) error
	save(ctx context.Context, tx store.Tx) error
}

type refolding[S State] struct {
	noun  *Noun[S]
	state S
}

func (r *refolding[S]) fold(e Event) (err error) {
	r.state, err = r.noun.fold(r.state, e)
	return err
}

func (r *refolding[S]) save(ctx context.Context, tx store.Tx) error {
	var zero S
	return r.noun.save(ctx, tx, zero, r.state)
}

func (n *Noun[S]) kind() string   { return n.Type }
func (n *Noun[S]) refold() folder { return &refolding[S]{noun: n} }

func (n *Noun[S]) tableNames() []string {
	names := make([]string, len(n.Tables))
	for i := range n.Tables {
		names[i] = n.Tables[i].Name
	}
	return names
}

func (n *Noun[S]) reclaimSQL() []string {
	statements := make([]string, len(n.Tables))
	for i := range n.Tables {
		statements[i] = reclaimSQL(n.Tables[i].Name, n.Tables[i].Key)
	}
	return statements
}
