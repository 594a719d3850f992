package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Use is some use of a quota in a period.
type Use struct {
	Instance ident.InstanceID
	Quota    ident.QuotaID
	Unit     Unit
	Schedule Schedule  // by which it was counted
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

// Tally is what Record says of one use.
type Tally struct {
	// Quota is the quota, which nobody changes until the transaction ends. It does not exist when it
	// has been removed, or given another schedule, since it was used; then nothing is recorded.
	Quota State
	// Used is how much has been used of it in the period by now, by everyone.
	Used uint64
}

// Record adds use to what has been used, of any number of instances in one transaction, and returns a
// tally for each. It takes three round trips, however many there are. What was used in periods
// before the one before is forgotten.
func Record(ctx context.Context, tx store.Tx, d *store.Dialect, uses []Use) ([]Tally, error) {
	instances := make([]string, 0, len(uses))
	for _, u := range uses {
		instances = append(instances, string(u.Instance))
	}
	// All who lock several quotas do so in this order, so they never wait for each other in a circle.
	held, err := store.All(ctx, tx, scan, `SELECT `+columns+` FROM quotas WHERE `+d.InList("instance_id", "$1")+
		` ORDER BY instance_id, unit`+d.ForUpdate, instances)
	if err != nil {
		return nil, fmt.Errorf("hold quotas: %w", err)
	}
	quotas := make(map[ident.QuotaID]State, len(held))
	for _, s := range held {
		quotas[s.Quota] = s
	}
	tallies := make([]Tally, len(uses))
	for i, u := range uses {
		// A period of another schedule may begin when one of this one does.
		if s := quotas[u.Quota]; !s.Exists() || s.Schedule() != u.Schedule {
			continue
		}
		tallies[i].Quota = quotas[u.Quota]
		if err := tx.Exec(ctx, `INSERT INTO quota_usage (instance_id, unit, period_start, amount) VALUES ($1, $2, $3, $4)
 ON CONFLICT (instance_id, unit, period_start) DO UPDATE SET amount = quota_usage.amount + excluded.amount`,
			string(u.Instance), int64(u.Unit), store.Micros(u.Period), u.Amount); err != nil {
			return nil, err
		}
	}
	totals, err := totalsOf(ctx, tx, d, instances)
	if err != nil {
		return nil, err
	}
	for i, u := range uses {
		if !tallies[i].Quota.Exists() {
			continue
		}
		of := totals[counter{u.Instance, u.Unit}]
		tallies[i].Used = of[store.Micros(u.Period)]
		if err := forgetBefore(ctx, tx, u, of, tallies[i].Quota.Interval); err != nil {
			return nil, err
		}
	}
	return tallies, nil
}

// counter is what has rows of its own in the table of use.
type counter struct {
	instance ident.InstanceID
	unit     Unit
}

// totalsOf returns what instances have used: of each unit, by the beginning of the period.
func totalsOf(ctx context.Context, q store.Querier, d *store.Dialect, instances []string) (map[counter]map[int64]uint64, error) {
	totals := make(map[counter]map[int64]uint64)
	_, err := store.All(ctx, q, func(row store.Scanner) (struct{}, error) {
		var (
			c      counter
			period int64
			amount uint64
		)
		err := row.Scan(&c.instance, &c.unit, &period, &amount)
		if totals[c] == nil {
			totals[c] = make(map[int64]uint64)
		}
		totals[c][period] = amount
		return struct{}{}, err
	}, `SELECT instance_id, unit, period_start, amount FROM quota_usage WHERE `+d.InList("instance_id", "$1"), instances)
	if err != nil {
		return nil, fmt.Errorf("read what quotas have left: %w", err)
	}
	return totals, nil
}

// forgetBefore deletes what was used in periods before the one before that of u, if there is such.
// The one before stays: another node may still have something to add to it.
func forgetBefore(ctx context.Context, tx store.Tx, u Use, totals map[int64]uint64, interval time.Duration) error {
	oldest := store.Micros(u.Period) - interval.Microseconds()
	for period := range totals {
		if period < oldest {
			return tx.Exec(ctx, `DELETE FROM quota_usage WHERE instance_id = $1 AND unit = $2 AND period_start < $3`,
				string(u.Instance), int64(u.Unit), oldest)
		}
	}
	return nil
}

// forget deletes what has been used of a unit, in all periods.
func forget(ctx context.Context, tx store.Tx, instance ident.InstanceID, unit Unit) error {
	return tx.Exec(ctx, `DELETE FROM quota_usage WHERE instance_id = $1 AND unit = $2`, string(instance), int64(unit))
}

// Side is the table of use, for eventlog.Log.Aside: its rows go with their instance. They must go
// after the quotas, which is what keeps more from being recorded meanwhile.
var Side = eventlog.SideTable{Name: "quota_usage", Key: []string{"instance_id", "unit", "period_start"}}
