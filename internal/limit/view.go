package limit

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
	Name: "instance_limits",
	Kept: eventlog.Kept{Epoch: eventlog.Settings},
	Key:  []string{"instance_id"},
	Rest: []string{"audit_log_retention", "block", "sequence", "created_at", "changed_at"},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{string(s.Instance), s.AuditLogRetention, s.Block}, s.Row()...)}
	},
}}

const getSQL = `SELECT instance_id, audit_log_retention, block, sequence, created_at, changed_at
 FROM instance_limits WHERE instance_id = $1`

// Get returns the limits of an instance, or the zero State when it never had any.
func Get(ctx context.Context, q store.Querier, instance ident.InstanceID) (State, error) {
	s, err := store.One(ctx, q, scan, getSQL, string(instance))
	if errors.Is(err, store.ErrNotFound) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("get the limits of instance %s: %w", instance, err)
	}
	return s, nil
}

// Retention returns the age up to which events of an instance can be read; 0 is any age.
func Retention(ctx context.Context, q store.Querier, instance ident.InstanceID) (time.Duration, error) {
	s, err := Get(ctx, q, instance)
	if err != nil || s.AuditLogRetention == nil {
		return 0, err
	}
	return *s.AuditLogRetention, nil
}

// scan reads one row.
func scan(row store.Scanner) (State, error) {
	var (
		s                State
		instance         string
		retention        *int64 // nanoseconds
		sequence         uint64
		created, changed int64
	)
	err := row.Scan(&instance, &retention, &s.Block, &sequence, &created, &changed)
	s.Head = eventlog.Restore(ident.InstanceID(instance), instance, instance, sequence, created, changed)
	if retention != nil {
		s.AuditLogRetention = (*time.Duration)(retention)
	}
	return s, err
}
