package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// span is a part of the aggregates of one noun of one instance: those after one id, up to another.
type span struct {
	instance ident.InstanceID
	after    string // empty: from the first
	upTo     string // empty: to the last
}

// whole reports whether it is all of them.
func (s span) whole() bool { return s.after == "" && s.upTo == "" }

// within is the SQL condition that a column, or an expression, is an id of the span, and its arguments.
// instance_id is $1, and n is the number of the next parameter. Each bound that is there has a text
// of its own, for which an index is used.
func (s span) within(column string, n int) (sql string, args []any) {
	if s.after != "" {
		sql += fmt.Sprintf(" AND %s > $%d", column, n)
		args, n = append(args, s.after), n+1
	}
	if s.upTo != "" {
		sql += fmt.Sprintf(" AND %s <= $%d", column, n)
		args = append(args, s.upTo)
	}
	return sql, args
}

// rebuildSpan replaces the rows of a span by the fold of its events, whose number it returns. The
// instance is locked. What a removed instance has left is up to [Log.Reclaim], which does not take it all
// at once.
func (l *Log) rebuildSpan(ctx context.Context, tx store.Tx, kind Kind, s span) (int, error) {
	sealer, err := l.sealerOf(ctx, tx, s.instance)
	if err != nil {
		return 0, err
	}
	if sealer == nil {
		removed, err := store.All(ctx, tx, scanText, `SELECT instance_id FROM removals WHERE instance_id = $1`, string(s.instance))
		if err != nil || len(removed) > 0 {
			return 0, err
		}
	}
	for _, t := range kind.slots() {
		within, args := s.within(t.aggregate, 2)
		if err := tx.Exec(ctx, "DELETE FROM "+t.table+" WHERE instance_id = $1"+within, append([]any{string(s.instance)}, args...)...); err != nil {
			return 0, err
		}
	}
	return l.foldSpan(ctx, tx, kind, s, sealer)
}

// foldSpan folds the events of a span into tables in which it has no rows, and returns their number.
// Without a sealer there are none that can be read.
func (l *Log) foldSpan(ctx context.Context, tx store.Tx, kind Kind, s span, sealer store.Sealer) (int, error) {
	if sealer == nil {
		return 0, nil
	}
	return l.refold(ctx, tx, func(last Event) ([]Event, error) { return l.ofSpan(ctx, tx, kind, s, sealer, last) })
}

// ofSpan is byAggregate for a span.
func (l *Log) ofSpan(ctx context.Context, q store.Querier, kind Kind, s span, sealer store.Sealer, last Event) ([]Event, error) {
	id, sequence := last.Aggregate.ID, int64(last.Sequence)
	if sequence == 0 && s.after != "" {
		id, sequence = s.after, math.MaxInt64
	}
	within, args := span{upTo: s.upTo}.within("aggregate_id", 6)
	records, err := store.All(ctx, q, scanRecord, `SELECT `+eventColumns+` FROM events
 WHERE instance_id = $1 AND aggregate_type = $2 AND (aggregate_id, sequence) > ($3, $4)`+within+`
 ORDER BY aggregate_id, sequence LIMIT $5`,
		append([]any{string(s.instance), kind.kind(), id, sequence, rebuildPage}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("rebuild instance %s after %s: %w", s.instance, id, err)
	}
	events := make([]Event, len(records))
	for i, r := range records {
		if events[i], err = l.open(r, sealer); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// boundary returns where the part of an instance ends that begins after an aggregate and has enough
// events for one transaction; empty when all the rest has not.
func (l *Log) boundary(ctx context.Context, kind Kind, instance ident.InstanceID, after string) (string, error) {
	upTo, err := store.One(ctx, l.db, scanText, `SELECT aggregate_id FROM events
 WHERE instance_id = $1 AND aggregate_type = $2 AND aggregate_id > $3
 ORDER BY aggregate_id, sequence LIMIT 1 OFFSET $4`, string(instance), kind.kind(), after, l.rebuildEvents)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("divide instance %s: %w", instance, err)
	}
	return upTo, nil
}

// eventsOf counts the events of one noun of an instance, to one more than a transaction folds.
func (l *Log) eventsOf(ctx context.Context, kind Kind, instance ident.InstanceID) (int, error) {
	n, err := store.One(ctx, l.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM (SELECT sequence FROM events WHERE instance_id = $1 AND aggregate_type = $2 LIMIT $3) AS counted`,
		string(instance), kind.kind(), l.rebuildEvents+1)
	if err != nil {
		return 0, fmt.Errorf("count the events of instance %s: %w", instance, err)
	}
	return n, nil
}

// slot is a table, and what is the id of the aggregate in each of its rows.
type slot struct{ table, aggregate string }

func (n *Noun[S]) slots() []slot {
	slots := make([]slot, len(n.Tables))
	for i := range n.Tables {
		slots[i] = slot{n.Tables[i].Name, n.Tables[i].Aggregate}
	}
	return slots
}

// Unowned returns the tables that have rows whose aggregate, as [Table.Aggregate] says, is none of the log.
// Such rows are strays, or the declaration is wrong.
func (l *Log) Unowned(ctx context.Context, q store.Querier) ([]string, error) {
	var tables []string
	for _, k := range l.order {
		for _, s := range k.slots() {
			if s.aggregate == "" {
				continue
			}
			rows, err := store.All(ctx, q, scanText, `SELECT instance_id FROM (SELECT instance_id, `+s.aggregate+` FROM `+s.table+`
 EXCEPT SELECT instance_id, aggregate_id FROM events WHERE aggregate_type = $1) AS unowned LIMIT 1`, k.kind())
			if err != nil {
				return nil, fmt.Errorf("look for rows of no aggregate in %s: %w", s.table, err)
			}
			if len(rows) > 0 {
				tables = append(tables, s.table)
			}
		}
	}
	return tables, nil
}
