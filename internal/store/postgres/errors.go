package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"castellan/internal/store"
)

// SQLSTATE codes and classes, PostgreSQL manual, appendix A.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	queryCanceled        = "57014"
	readOnlyTransaction  = "25006" // the server became a standby
	idleTimeout          = "25P03"
	lockNotAvailable     = "55P03"

	classConnection   = "08"
	classResources    = "53"
	classIntervention = "57" // shutdown, crash, statement timeout
	classSystem       = "58"
	classInternal     = "XX"
)

// unavailable marks err as a failure of the database.
func unavailable(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// translate turns an error of the driver into an error of package store. c may be nil.
func translate(ctx context.Context, c *pgx.Conn, err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && !errors.As(err, new(*pgconn.ConnectError)) {
		return translateServer(ctx, pg, err)
	}
	var notSent pgx.ErrPreprocessingBatch
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case ofNetwork(err):
		return unavailable(err)
	case errors.As(err, &notSent):
		// An argument does not fit the type of its column. The driver gave up the connection, but
		// that is not the database's fault.
		return fmt.Errorf("postgres: %w", err)
	case c != nil && c.IsClosed():
		return unavailable(err)
	}
	return fmt.Errorf("postgres: %w", err) // such as a scan into the wrong type
}

// ofNetwork reports whether err comes from the connection and not from what was said on it.
func ofNetwork(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, new(*pgconn.ConnectError)) || pgconn.SafeToRetry(err)
}

// translateServer is translate for an error the server has sent.
func translateServer(ctx context.Context, pg *pgconn.PgError, err error) error {
	switch pg.Code {
	case uniqueViolation:
		return &store.ConflictError{Table: pg.TableName, Cause: err}
	case serializationFailure, deadlockDetected:
		return fmt.Errorf("%w: %w", store.ErrSerialization, err)
	case queryCanceled:
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return unavailable(err)
	case readOnlyTransaction, idleTimeout, lockNotAvailable:
		return unavailable(err)
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case classConnection, classResources, classIntervention, classSystem, classInternal:
		return unavailable(err)
	}
	return fmt.Errorf("postgres: %w", err)
}
