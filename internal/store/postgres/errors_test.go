package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"castellan/internal/store"
)

func TestTranslate(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	sentinels := []error{store.ErrUnavailable, store.ErrSerialization, context.Canceled}
	server := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want error // nil: the statement is at fault
	}{
		{t.Context(), server("40001"), store.ErrSerialization},
		{t.Context(), server("40P01"), store.ErrSerialization},
		{ended, server("40001"), store.ErrSerialization},
		{t.Context(), server("57014"), store.ErrUnavailable}, // a statement timeout
		{ended, server("57014"), context.Canceled},
		{t.Context(), server("57P01"), store.ErrUnavailable},
		{t.Context(), server("08006"), store.ErrUnavailable},
		{t.Context(), server("53300"), store.ErrUnavailable},
		{t.Context(), server("25006"), store.ErrUnavailable},
		{t.Context(), server("25P03"), store.ErrUnavailable},
		{t.Context(), server("55P03"), store.ErrUnavailable},
		{t.Context(), server("42P01"), nil},
		{t.Context(), server("23502"), nil},
		{t.Context(), server("22021"), nil},
		{t.Context(), server(""), nil},
		{t.Context(), io.ErrUnexpectedEOF, store.ErrUnavailable},
		{ended, io.ErrUnexpectedEOF, context.Canceled},
		{t.Context(), errors.New("cannot scan"), nil},
	} {
		got := translate(c.ctx, nil, c.err)
		for _, s := range sentinels {
			if errors.Is(got, s) != errors.Is(c.want, s) {
				t.Errorf("%v becomes %v, want %v", c.err, got, c.want)
			}
		}
		if !errors.Is(got, c.err) {
			t.Errorf("%v hides its cause %v", got, c.err)
		}
	}
	if translate(t.Context(), nil, nil) != nil {
		t.Error("no error becomes one")
	}
	conflict := &pgconn.PgError{Code: "23505", TableName: "users"}
	if got := translate(t.Context(), nil, conflict); !store.ConflictIn(got, "users") || !errors.Is(got, conflict) {
		t.Errorf("a unique violation becomes %v", got)
	}
}
