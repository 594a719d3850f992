package quota

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

var tables = []eventlog.Table[State]{{
	Name:      "quotas",
	Kept:      eventlog.Kept{Epoch: eventlog.Settings},
	Key:       []string{"instance_id", "unit"},
	Aggregate: "quota_id",
	Rest: []string{
		"quota_id", "period_from", "reset_interval", "amount", "is_limited", "notifications",
		"sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), int64(s.Unit), s.ID, store.Micros(s.From), s.Interval.Microseconds(), int64(s.Amount),
			s.Limited, encode(s.Notifications),
		}, s.Row()...)}
	},
}}

// kept is a notification as its row has it: with what it has told.
type kept struct {
	Notification
	Period    int64  `json:"duePeriod,omitempty"` // microseconds
	Threshold uint64 `json:"dueThreshold,omitempty"`
}

// encode writes notifications into one column.
func encode(notifications []Notification) string {
	rows := make([]kept, len(notifications))
	for i, n := range notifications {
		rows[i].Notification = n
		if n.Due.Threshold > 0 {
			rows[i].Period, rows[i].Threshold = store.Micros(n.Due.Period), n.Due.Threshold
		}
	}
	data, err := json.Marshal(rows)
	if err != nil {
		panic(err) // text and numbers can be written
	}
	return string(data)
}

// decode reads what encode has written.
func decode(text string) ([]Notification, error) {
	var rows []kept
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return nil, fmt.Errorf("decode the notifications of a quota: %w", err)
	}
	var notifications []Notification
	for _, r := range rows {
		if r.Threshold > 0 {
			r.Due = Due{Period: store.Time(r.Period), Threshold: r.Threshold}
		}
		notifications = append(notifications, r.Notification)
	}
	return notifications, nil
}

// columns are those of a quota, as scan reads them.
const columns = `instance_id, unit, quota_id, period_from, reset_interval, amount, is_limited, notifications,
 sequence, created_at, changed_at`

// Get returns the quota of a unit, or the zero State when there is none.
func Get(ctx context.Context, q store.Querier, instance ident.InstanceID, unit Unit) (State, error) {
	return get(ctx, q, instance, unit, `SELECT `+columns+` FROM quotas WHERE instance_id = $1 AND unit = $2`)
}

// hold is Get of a quota that nobody changes until tx ends.
func hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, unit Unit) (State, error) {
	return get(ctx, tx, instance, unit, `SELECT `+columns+` FROM quotas WHERE instance_id = $1 AND unit = $2`+d.ForUpdate)
}

func get(ctx context.Context, q store.Querier, instance ident.InstanceID, unit Unit, sql string) (State, error) {
	s, err := store.One(ctx, q, scan, sql, string(instance), int64(unit))
	if errors.Is(err, store.ErrNotFound) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("get quota %d of instance %s: %w", unit, instance, err)
	}
	return s, nil
}

// scan reads one row of columns.
func scan(row store.Scanner) (State, error) {
	var (
		s                                State
		instance, id, notifications      string
		from, interval, created, changed int64
		sequence                         uint64
	)
	err := row.Scan(&instance, &s.Unit, &id, &from, &interval, &s.Amount, &s.Limited, &notifications,
		&sequence, &created, &changed)
	if err != nil {
		return s, err
	}
	s.Head = eventlog.Restore(ident.InstanceID(instance), id, instance, sequence, created, changed)
	s.Terms = TermsOf(ident.QuotaID(id), s.Unit, from, interval, s.Amount, s.Limited)
	s.Notifications, err = decode(notifications)
	return s, err
}

// TermsOf makes terms of the columns quota_id, unit, period_from, reset_interval, amount and is_limited,
// for who reads them with other tables.
func TermsOf(id ident.QuotaID, unit Unit, from, interval int64, amount uint64, limited bool) Terms {
	return Terms{
		Quota: id, Unit: unit, From: store.Time(from), Interval: time.Duration(interval) * time.Microsecond,
		Amount: amount, Limited: limited,
	}
}
