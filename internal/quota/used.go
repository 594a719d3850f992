package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Use is some use of a quota in a period.
type Use struct {
	Instance ident.InstanceID
	Quota    ident.QuotaID
	Unit     Unit
	Period   time.Time // when it begins
	Amount   uint64
}

// Used returns how much of a unit has been used in the period that begins at period: 0 when nothing
// has.
func Used(ctx context.Context, q store.Querier, instance ident.InstanceID, unit Unit, period time.Time) (uint64, error) {
	used, err := store.One(ctx, q, func(row store.Scanner) (n uint64, err error) { return n, row.Scan(&n) },
		`SELECT amount FROM quota_usage WHERE instance_id = $1 AND unit = $2 AND period_start = $3`,
		string(instance), int64(unit), store.Micros(period))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the use of quota %d of instance %s: %w", unit, instance, err)
	}
	return used, nil
}

// forget deletes what has been used of a unit, in all periods.
func forget(ctx context.Context, tx store.Tx, instance ident.InstanceID, unit Unit) error {
	return tx.Exec(ctx, `DELETE FROM quota_usage WHERE instance_id = $1 AND unit = $2`, string(instance), int64(unit))
}
