package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"castellan/internal/store"
)

const (
	// flushAt is how many statements are held back at most.
	flushAt = 500
	// rollbackLimit bounds how long undoing a transaction may take, whose ctx may have ended.
	rollbackLimit = 5 * time.Second
)

// errRowsOpen means that a statement was run before the rows of the last one were closed.
var errRowsOpen = errors.New("store: the rows of an earlier query are still open")

// errOver means that a transaction or snapshot was used after its function had returned.
var errOver = errors.New("store: the transaction is over")

// errRolledBack means that the server answered COMMIT with ROLLBACK.
var errRolledBack = errors.New("postgres: the transaction had failed before its commit")

// session is a transaction as its function sees it: it implements [store.Tx], and for a
// snapshot [store.Querier].
type session struct {
	conn       *pgx.Conn
	begin      string // how the transaction begins; sent with its first statement
	begun      bool   // begin was sent
	committing bool   // COMMIT was sent
	done       bool   // COMMIT was answered
	patient    bool   // it waits for locks
	pending    *batch
	rows       *rows // open result
	err        error // of the first statement that failed
	over       bool  // the connection is somebody else's again
}

// batch is what is held back.
type batch struct {
	pgx.Batch
	tries []int // which of its statements try to lock
}

func newSession(c *pgx.Conn, begin string) *session {
	return &session{conn: c, begin: begin, pending: &batch{}}
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

// Exec implements [store.Tx]: the statement is held back. Its arguments are copied, for the
// caller may use them again.
func (s *session) Exec(ctx context.Context, sql string, args ...any) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	args, err := bind(args)
	if err != nil {
		s.err = err
		return err
	}
	for i, arg := range args {
		if b, ok := arg.([]byte); ok {
			args[i] = slices.Clone(b)
		}
	}
	if try, locks := trying(sql); locks && !s.patient {
		s.queue(try, args)
		s.pending.tries = append(s.pending.tries, s.pending.Len()-1)
	} else {
		s.queue(sql, args)
	}
	if s.pending.Len() < flushAt {
		return nil
	}
	return s.flush(ctx)
}

// flush sends what is held back.
func (s *session) flush(ctx context.Context) error {
	results, sent := s.send(ctx)
	err := skip(results, sent, sent.Len())
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return s.fail(ctx, err)
	}
	return nil
}

// Query implements [store.Querier]: what is held back goes along.
func (s *session) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	r := &rows{ctx: ctx, conn: s.conn, session: s}
	args, err := bind(args)
	if err != nil {
		s.err = err
		return nil, err
	}
	if s.begun && s.pending.Len() == 0 {
		r.rows, err = s.conn.Query(ctx, sql, args...)
	} else {
		s.queue(sql, args)
		results, sent := s.send(ctx)
		if err = skip(results, sent, sent.Len()-1); err == nil {
			r.rows, err = results.Query()
		}
		if err != nil {
			_ = results.Close() // repeats err, or what followed a lock that is held
		}
		r.batch = results
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	s.rows = r
	return r, nil
}

// bind turns arguments into plain types, in a new slice. What could not be stored is found here:
// the driver would only find it with the statement half sent, and give up the connection.
func bind(args []any) ([]any, error) {
	bound := make([]any, len(args))
	for i, arg := range args {
		var err error
		if bound[i], err = store.Arg(arg); err != nil {
			return nil, fmt.Errorf("argument $%d: %w", i+1, err)
		}
	}
	return bound, nil
}

// queue holds a statement back; before the first goes the one that begins the transaction.
func (s *session) queue(sql string, args []any) {
	if !s.begun && s.pending.Len() == 0 {
		s.pending.Queue(s.begin)
	}
	s.pending.Queue(sql, args...)
}

// send puts what is held back on the wire and returns it with the results that will come.
func (s *session) send(ctx context.Context) (results pgx.BatchResults, sent *batch) {
	sent = s.pending
	s.pending, s.begun = &batch{}, true
	return s.conn.SendBatch(ctx, &sent.Batch), sent
}

// skip reads the first n results of what was sent, of statements whose rows nobody wants. It returns
// errHeld for a lock that was not to be had.
func skip(results pgx.BatchResults, sent *batch, n int) error {
	for i := range n {
		tag, err := results.Exec()
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 && slices.Contains(sent.tries, i) {
			return errHeld
		}
	}
	return nil
}

// commit sends what is held back, and COMMIT, in one round trip. A transaction without any
// statement needs none. One that has asked for locks and read nothing since needs two: it must know
// that it has them.
func (s *session) commit(ctx context.Context) error {
	s.closeRows()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if !s.begun && s.pending.Len() == 0 {
		return nil
	}
	if len(s.pending.tries) > 0 {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.queue("COMMIT", nil)
	s.committing = true
	results, sent := s.send(ctx)
	err := skip(results, sent, sent.Len()-1)
	var tag pgconn.CommandTag
	if err == nil {
		tag, err = results.Exec()
	}
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err == nil && tag.String() != "COMMIT" {
		err = errRolledBack
	}
	if err != nil {
		return s.fail(ctx, err)
	}
	s.done = true
	return nil
}

// end refuses further use, and undoes a transaction that was not committed. When that cannot be
// said to the server the connection is given up, which undoes it too.
func (s *session) end() {
	s.closeRows()
	s.over = true
	if s.done || !s.begun || s.conn.IsClosed() || s.conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackLimit)
	defer cancel()
	if _, err := s.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = s.conn.Close(ctx) // the pool replaces it
	}
}

// fail records the first error of the session and returns it.
func (s *session) fail(ctx context.Context, err error) error {
	s.err = translate(ctx, s.conn, err)
	if errors.As(err, new(pgx.ErrPreprocessingBatch)) {
		s.committing = false // nothing of the batch was sent
	}
	if s.committing && s.conn.IsClosed() {
		s.err = unavailable(s.err) // even when ctx ended: the outcome is unknown
	}
	return s.err
}

// closeRows closes a result that was left open.
func (s *session) closeRows() {
	if s.rows != nil {
		s.rows.Close()
	}
}

// rows implements [store.Rows]. It occupies its connection until it is closed.
type rows struct {
	ctx    context.Context
	conn   *pgx.Conn
	rows   pgx.Rows
	batch  pgx.BatchResults // the batch the rows ended, or nil
	err    error
	closed bool

	// The first row was fetched already, and is there.
	fetched, first bool

	// Who gets the connection back: the pool, or a session that goes on.
	release func()
	session *session
}

// Next implements [store.Rows].
func (r *rows) Next() bool {
	if r.fetched {
		r.fetched = false
		if r.first && !r.closed {
			return true
		}
	} else if !r.closed && r.rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan implements [store.Rows]. After an error the rows are closed.
func (r *rows) Scan(dest ...any) error {
	err := r.rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

// Err implements [store.Rows].
func (r *rows) Err() error { return r.err }

// Close implements [store.Rows].
func (r *rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.rows.Close()
	err := r.rows.Err()
	if r.batch != nil {
		if closeErr := r.batch.Close(); err == nil {
			err = closeErr
		}
	}
	if r.session != nil {
		r.session.rows = nil
		if err != nil {
			r.err = r.session.fail(r.ctx, err)
		}
		return
	}
	r.err = translate(r.ctx, r.conn, err)
	r.release()
}
