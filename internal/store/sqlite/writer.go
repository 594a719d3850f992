package sqlite

import (
	"context"
	"errors"
	"time"

	"castellan/internal/store"
)

// groupLimit is how many transactions are made durable by one commit, at most. It bounds how
// long the first of them waits for its answer.
const groupLimit = 128

// checkpointAt is how many pages of 4 KiB the write-ahead log holds before they are moved to the
// file. More makes that cheaper, for pages written often are moved once, and opening the file
// after a crash slower.
const checkpointAt = 4000

// errAborted stands for a fn that did not return: it panicked, or ended its goroutine.
var errAborted = errors.New("store: transaction function did not return")

// writer owns the one connection that writes. Its goroutine begins and commits; in between it
// lends the connection to one caller after another, who runs its function in its own
// goroutine: a panic, or the end of a test, is then that caller's alone.
type writer struct {
	file      file
	conn      *conn  // nil after a failure, until the next group
	committed func() // called after each commit

	turns   chan *turn // unbuffered: what is handed over is taken at once
	stop    chan struct{}
	stopped chan struct{}
}

// turn is one caller's way through the writer. The channels are signals in one direction each,
// in this order: begun, ran, done.
type turn struct {
	session session
	nested  bool // in a savepoint, for others wrote before it in this group

	begun chan error // from the writer: the connection is yours, or the error
	ran   chan error // from the caller: the connection is yours again, and what fn returned
	done  chan error // from the writer: the answer
}

func newWriter(f file, committed func()) (*writer, error) {
	w := &writer{
		file: f, committed: committed,
		turns: make(chan *turn), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := w.connect(); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

func (w *writer) connect() (err error) {
	w.conn, err = w.file.connect(writerCache, journalLimit, noCheckpoint)
	return err
}

// update runs fn in a transaction, see [store.DB.Update]. inner is the ctx for fn.
func (w *writer) update(ctx, inner context.Context, fn func(context.Context, store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := &turn{begun: make(chan error, 1), ran: make(chan error, 1), done: make(chan error, 1)}
	select {
	case w.turns <- t:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	if err := <-t.begun; err != nil {
		return err
	}
	t.take(inner, fn)
	return <-t.done
}

// take runs fn during the turn and gives the connection back, whatever fn does. When fn panics
// its writes are undone before the panic goes on, and nobody reads the answer.
func (t *turn) take(ctx context.Context, fn func(context.Context, store.Tx) error) {
	err := errAborted
	defer func() {
		t.session.end()
		if t.nested {
			err = t.endSavepoint(err)
		}
		t.ran <- err
	}()
	if t.nested {
		if err = t.session.conn.exec("SAVEPOINT command"); err != nil {
			t.session.err = err
			return
		}
		err = errAborted
	}
	err = fn(ctx, &t.session)
	if err == nil {
		err = t.session.err // a statement failed and fn made nothing of it
	}
	if err == nil {
		err = ctx.Err()
	}
}

// endSavepoint keeps or undoes what the turn wrote and returns its error. When that fails the
// session holds the error, and the group ends.
func (t *turn) endSavepoint(err error) error {
	c := t.session.conn
	if err == nil {
		if err = c.exec("RELEASE command"); err != nil {
			t.session.err = err
		}
		return err
	}
	if rollback := errors.Join(c.exec("ROLLBACK TO command"), c.exec("RELEASE command")); rollback != nil {
		t.session.err = unavailable(rollback)
	}
	return err
}

// run is the goroutine of the writer.
func (w *writer) run() {
	defer close(w.stopped)
	quiet := time.NewTimer(quietTime)
	defer quiet.Stop()
	for {
		select {
		case t := <-w.turns:
			w.group(t)
			quiet.Reset(quietTime)
		case <-quiet.C:
			w.shrink()
		case <-w.stop:
			return
		}
	}
}

// shrink gives back what the connection keeps for a busy time. One that cannot do that is given up.
func (w *writer) shrink() {
	if w.conn == nil {
		return
	}
	if err := w.conn.shrink(); err != nil {
		w.reset()
	}
}

// group runs one SQLite transaction: first, and whoever waits when a turn ends.
func (w *writer) group(first *turn) {
	if err := w.begin(); err != nil {
		w.refuse(first, err)
		return
	}
	type outcome struct {
		turn *turn
		err  error
	}
	var answers []outcome
	var broken error
	for t := first; t != nil; {
		t.session.conn, t.nested = w.conn, len(answers) > 0
		t.begun <- nil
		err := <-t.ran
		if err != nil && !t.nested {
			// Nothing else was written yet: the whole transaction is undone, and the error, which
			// rests on nothing uncommitted, is answered at once.
			w.rollback()
			t.done <- err
			return
		}
		answers = append(answers, outcome{t, err})
		if errors.Is(t.session.err, store.ErrUnavailable) {
			broken = t.session.err // SQLite may have undone the transaction, neighbours and all
			break
		}
		t = w.waiting(len(answers))
	}
	if broken == nil {
		broken = w.conn.exec("COMMIT")
	}
	if broken != nil {
		w.reset()
		broken = unavailable(broken)
	} else {
		w.committed()
	}
	for _, a := range answers {
		if broken != nil {
			a.err = broken
		}
		a.turn.done <- a.err
	}
	if broken == nil {
		w.checkpoint()
	}
}

// checkpoint moves the write-ahead log into the file when it has grown long enough. SQLite would
// do it in COMMIT, with everyone waiting for their answer. An error is no loss: the log keeps
// what it has, and the next group tries again.
func (w *writer) checkpoint() {
	length, moved, err := w.log("PRAGMA wal_checkpoint(NOOP)")
	if err == nil && length-moved >= checkpointAt {
		_, _, _ = w.log("PRAGMA wal_checkpoint(PASSIVE)")
	}
}

// log runs a checkpoint pragma and returns how many pages the log has, and how many of them are
// in the file already.
func (w *writer) log(pragma string) (length, moved int64, err error) {
	rows, err := w.conn.query(noCancel, pragma, nil)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	var busy int64
	if rows.Next() {
		err = rows.Scan(&busy, &length, &moved)
	}
	return length, moved, errors.Join(err, rows.Err())
}

// waiting returns the next caller who waits already, or nil. n are in the group so far.
func (w *writer) waiting(n int) *turn {
	if n >= groupLimit {
		return nil
	}
	select {
	case t := <-w.turns:
		return t
	default:
		return nil
	}
}

// begin starts a transaction, waiting for another process up to the busy timeout.
func (w *writer) begin() error {
	if w.conn == nil {
		if err := w.connect(); err != nil {
			return err
		}
	}
	err := w.conn.exec("BEGIN IMMEDIATE")
	if err == nil {
		return nil
	}
	w.reset()
	return unavailable(err)
}

// refuse answers first, and everyone who waits, with err: each would have waited for the busy
// timeout again.
func (w *writer) refuse(first *turn, err error) {
	for t := first; t != nil; t = w.waiting(0) {
		t.begun <- err
	}
}

// rollback undoes the transaction.
func (w *writer) rollback() {
	if err := w.conn.exec("ROLLBACK"); err != nil {
		w.reset()
	}
}

// reset gives up a connection whose state is in doubt, and with it its transaction. The next
// group opens another.
func (w *writer) reset() {
	_ = w.conn.close() // what broke it is reported already
	w.conn = nil
}

// finish lets the running group end and refuses everyone else. It may be called once.
func (w *writer) finish() {
	close(w.stop)
	<-w.stopped
}

// close closes the connection of a finished writer.
func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	return w.conn.close()
}
