package audit

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/store"
)

// sweepBatch is how many entries one transaction of a sweep removes at most: where there is one
// writer, others wait for it.
const sweepBatch = 1000

// Sweep removes the entries that are older than the retention, the oldest first, in transactions
// of bounded size. It returns the errors of store.DB.Update; what it has removed by then stays
// removed.
func (l *Log) Sweep(ctx context.Context) error {
	if l.config.Retention == 0 {
		return nil
	}
	before := store.Micros(l.config.Clock.Now().Add(-l.config.Retention))
	for more := true; more; {
		err := l.config.DB.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
			more, err = sweep(ctx, tx, before)
			return err
		})
		if err != nil {
			return fmt.Errorf("sweep the audit log: %w", err)
		}
	}
	return nil
}

// sweep removes one batch, and reports whether there may be another.
func sweep(ctx context.Context, tx store.Tx, before int64) (more bool, err error) {
	last, err := store.One(ctx, tx, func(row store.Scanner) (p [2]int64, err error) {
		return p, row.Scan(&p[0], &p[1])
	}, `SELECT at, number FROM audit_log WHERE at < $1 ORDER BY at, number LIMIT 1 OFFSET $2`, before, sweepBatch-1)
	if errors.Is(err, store.ErrNotFound) {
		return false, tx.Exec(ctx, `DELETE FROM audit_log WHERE at < $1`, before)
	}
	if err != nil {
		return false, err
	}
	return true, tx.Exec(ctx, `DELETE FROM audit_log WHERE (at, number) <= ($1, $2)`, last[0], last[1])
}
