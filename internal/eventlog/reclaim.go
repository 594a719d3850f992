package eventlog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// SideTable holds rows that belong to instances and are no fold of events, such as counters. They
// go with their instance.
type SideTable struct {
	Name string
	// Key are the columns that identify a row; instance_id is among them.
	Key []string
}

// Aside makes removals take the rows of these tables too. Call it before the log is used.
func (l *Log) Aside(tables ...SideTable) {
	for _, t := range tables {
		l.reclaims = append(l.reclaims, reclaimSQL(t.Name, t.Key))
	}
}

// Destroy ends the instance of this write: its key is destroyed, so that once the write is committed
// nothing the instance has left in the log or in a backup opens any more, and what its
// tables still hold is queued for [Log.Reclaim]. It waits for other writes of the instance that have
// begun; those that come later return [ErrNoInstance]. Nothing can be appended after it. The rows
// of aggregates this write has appended to are those of their states, as ever.
func (w *Writer) Destroy(ctx context.Context) error {
	if err := w.log.keys.Destroy(ctx, w.Tx, w.instance); err != nil {
		return err
	}
	w.destroyed = true
	if err := endEpochs(ctx, w.Tx, w.instance); err != nil {
		return err
	}
	return w.Exec(ctx, `INSERT INTO removals (instance_id, removed_at) VALUES ($1, $2)`,
		string(w.instance), store.Micros(w.now))
}

// Ended reports whether an instance has no key, which is so once the write is committed that
// destroyed it, see [Writer.Destroy]; its tables may have been reclaimed then.
func (l *Log) Ended(ctx context.Context, q store.Querier, instance ident.InstanceID) (bool, error) {
	sealer, err := l.sealerOf(ctx, q, instance)
	return sealer == nil && err == nil, err
}

// ReclaimBatch is how many rows one transaction of a reclaim deletes at most: few enough for
// others not to notice that they wait for it on an engine with one writer.
const ReclaimBatch = 500

// Reclaim deletes up to [ReclaimBatch] rows that a removed instance has left, in one transaction,
// and reports whether there may be more. Any node may do so at any time, also several at once:
// nobody can see these rows any more. Of several that want the same removal one works and the
// others wait for its transaction: what they would find deleted meanwhile looks like nothing left.
func (l *Log) Reclaim(ctx context.Context) (more bool, err error) {
	err = l.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		more = false
		oldest, err := store.All(ctx, tx, scanText, `SELECT instance_id FROM removals ORDER BY removed_at, instance_id LIMIT 1`)
		if err != nil || len(oldest) == 0 {
			return err
		}
		more = true
		mine, err := store.All(ctx, tx, scanText,
			`SELECT instance_id FROM removals WHERE instance_id = $1`+l.db.Dialect().ForUpdate, oldest[0])
		if err != nil || len(mine) == 0 {
			return err // another node has ended this one; there may be others
		}
		for _, sql := range l.reclaims {
			gone, err := store.All(ctx, tx, scanText, sql, mine[0], ReclaimBatch)
			if err != nil || len(gone) > 0 {
				return err
			}
		}
		return tx.Exec(ctx, `DELETE FROM removals WHERE instance_id = $1`, mine[0])
	})
	if err != nil {
		return false, fmt.Errorf("reclaim: %w", err)
	}
	return more, nil
}

// RunReclaim reclaims whenever this node has removed an instance, and at every tick what others or
// an earlier run have left, until ctx ends. failed is told of errors, after which the next tick tries
// again.
func (l *Log) RunReclaim(ctx context.Context, tick <-chan time.Time, failed func(error)) {
	for {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = l.Reclaim(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-l.removed:
		case <-tick:
		}
	}
}

// reclaimSQL is the statement that deletes some rows of an instance and returns their number as
// rows.
func reclaimSQL(table string, key []string) string {
	columns := strings.Join(key, ", ")
	return `DELETE FROM ` + table + ` WHERE (` + columns + `) IN (SELECT ` + columns + ` FROM ` + table +
		` WHERE instance_id = $1 LIMIT $2) RETURNING instance_id`
}

func scanText(row store.Scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

// signalRemoval tells RunReclaim, unless it has been told already.
func (l *Log) signalRemoval() {
	select {
	case l.removed <- struct{}{}:
	default:
	}
}
