package store

import (
	"context"
	"time"
)

// Scanner reads the columns of one row.
type Scanner interface {
	Scan(dest ...any) error
}

// One runs a query that returns at most one row of interest and scans it.
// It returns ErrNotFound when there is none, or the error of the query.
func One[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), sql string, args ...any) (T, error) {
	var zero T
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return zero, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return zero, err
		}
		return zero, ErrNotFound
	}
	return scan(rows)
}

// All runs a query and scans every row.
func All[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Micros turns a time into the form in which it is stored: microseconds since 1970, UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time turns a stored time back.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
