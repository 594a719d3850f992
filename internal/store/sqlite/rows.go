package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"castellan/internal/store"
)

// rows implements [store.Rows] on one connection, which it occupies until it is closed.
type rows struct {
	ctx    context.Context
	conn   *conn
	driver driver.Rows
	values []driver.Value
	err    error
	closed bool

	// Who gets the connection back: a pool, or a session that goes on.
	readers *readers
	session *session
}

// Next implements [store.Rows].
func (r *rows) Next() bool {
	if r.closed {
		return false
	}
	if err := r.ctx.Err(); err != nil {
		r.fail(err)
		return false
	}
	err := r.driver.Next(r.values)
	if err == nil {
		return true
	}
	if !errors.Is(err, io.EOF) {
		r.fail(r.conn.translate(err))
		return false
	}
	r.Close()
	return false
}

// fail ends the rows with an error.
func (r *rows) fail(err error) {
	r.err = err
	if r.session != nil {
		r.session.err = err
	}
	r.Close()
}

// errNoRow means that Scan was called without a row to scan.
var errNoRow = errors.New("sqlite: scan without a row")

// Scan implements [store.Rows].
func (r *rows) Scan(dest ...any) error {
	if r.closed {
		return errNoRow
	}
	err := scan(r.values, dest)
	if err != nil {
		r.fail(err)
	}
	return err
}

// Err implements [store.Rows].
func (r *rows) Err() error { return r.err }

// Close implements [store.Rows]. The driver's error would repeat that of the last step.
func (r *rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	_ = r.driver.Close()
	switch {
	case r.session != nil:
		r.session.rows = nil
	case r.readers != nil:
		r.readers.put(r.conn)
	}
}

// session is a transaction as its function sees it: it implements [store.Tx], and for a
// snapshot [store.Querier]. The first error of a statement ends it, as in PostgreSQL.
type session struct {
	conn *conn
	rows *rows // open result
	err  error // of the first statement that failed
	over bool  // the connection is somebody else's again
}

// ready says whether another statement may run.
func (s *session) ready(ctx context.Context) error {
	if s.over {
		return errOver
	}
	if s.err == nil {
		s.err = ctx.Err()
	}
	if s.err != nil {
		return s.err
	}
	if s.rows != nil {
		return errRowsOpen
	}
	return nil
}

// Query implements [store.Querier].
func (s *session) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	r, err := s.conn.query(ctx, sql, args)
	if err != nil {
		s.err = err
		return nil, err
	}
	r.session, s.rows = s, r
	return r, nil
}

// Exec implements [store.Tx]. Statements run at once.
func (s *session) Exec(ctx context.Context, sql string, args ...any) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.err = s.conn.exec(sql, args...)
	return s.err
}

// end closes a result that was left open, and refuses further use.
func (s *session) end() {
	if s.rows != nil {
		s.rows.Close()
	}
	s.over = true
}
