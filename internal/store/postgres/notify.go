package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// channel is the name under which nodes signal commits to each other; it is local to the database.
const channel = "castellan_commit"

const (
	// notifyPause is the least time between two NOTIFYs of a node: many commits, one signal.
	notifyPause = 5 * time.Millisecond
	// aliveCheck is how often a silent connection is tried: a peer that vanished says nothing.
	aliveCheck = 30 * time.Second
	// stepLimit bounds each command on the connection.
	stepLimit = 5 * time.Second
	// The pause before connecting again doubles from the first to the last.
	firstBackoff, lastBackoff = 50 * time.Millisecond, 5 * time.Second
)

// notifier tells other nodes that this one has committed, and hears it from them. It has one
// connection and one goroutine, from the first wake or listen on.
type notifier struct {
	cfg    *pgx.ConnConfig
	signal func()        // wakes the subscribers in this process
	stop   chan struct{} // closed by close

	mu        sync.Mutex
	stopped   chan struct{} // closed by the goroutine; nil before it is started
	pending   bool          // a commit was not told yet
	wanted    bool          // somebody subscribed
	hearing   bool          // the connection listens
	interrupt func()        // ends what the goroutine waits for
}

func newNotifier(cfg *pgx.ConnConfig, signal func()) *notifier {
	cfg = cfg.Copy()
	cfg.RuntimeParams["application_name"] += " signals"
	// A signal has nothing to keep: its commit need not wait for the disk.
	cfg.RuntimeParams["synchronous_commit"] = "off"
	// Waiting is ended on this side alone: there is no statement to cancel.
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}
	}
	return &notifier{cfg: cfg, signal: signal, stop: make(chan struct{}), interrupt: func() {}}
}

// wake says that a transaction has committed.
func (n *notifier) wake() { n.change(func() { n.pending = true }) }

// listen makes the notifier hear other nodes from now on.
func (n *notifier) listen() { n.change(func() { n.wanted = true }) }

// change alters what the goroutine has to do, and makes it look.
func (n *notifier) change(alter func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	alter()
	if n.stopped == nil {
		n.stopped = make(chan struct{})
		go n.run()
	}
	n.interrupt()
}

// close tells the last commits, if the server answers, and ends the goroutine. It may be called
// once, after the last wake.
func (n *notifier) close() {
	close(n.stop)
	n.mu.Lock()
	stopped := n.stopped
	n.interrupt()
	n.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

// closing reports whether close was called.
func (n *notifier) closing() bool {
	select {
	case <-n.stop:
		return true
	default:
		return false
	}
}

// run keeps a connection and serves it until close. When the connection breaks, readers look by
// themselves; what was not told or heard is made up for on the next connection.
func (n *notifier) run() {
	defer close(n.stopped)
	backoff := firstBackoff
	for {
		served, err := n.serve()
		if err == nil || n.closing() {
			return
		}
		if served {
			backoff = firstBackoff
		}
		select {
		case <-n.stop:
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// serve connects and does what there is to do until close, and then returns nil. served says
// that the connection was good for a while.
func (n *notifier) serve() (served bool, err error) {
	conn, err := n.connect()
	if err != nil {
		return false, err
	}
	defer n.disconnect(conn)
	for {
		told, err := n.work(conn)
		if err != nil {
			return served, err
		}
		served = true
		if n.closing() {
			return true, nil
		}
		if err := n.wait(conn, told); err != nil {
			return true, err
		}
	}
}

func (n *notifier) connect() (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	return pgx.ConnectConfig(ctx, n.cfg)
}

// disconnect closes the connection; commits told on it may not have been heard.
func (n *notifier) disconnect(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	_ = conn.Close(ctx) // the server ends the session either way
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending, n.hearing = true, false
}

// work listens and notifies as far as that is wanted. told says that it notified.
func (n *notifier) work(conn *pgx.Conn) (told bool, err error) {
	n.mu.Lock()
	listen, notify := n.wanted && !n.hearing, n.pending
	n.hearing, n.pending = n.wanted, false
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	if listen {
		if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
			return false, err
		}
		n.signal() // for what was committed before the server took note of us
	}
	if notify {
		_, err = conn.Exec(ctx, "NOTIFY "+channel)
	}
	return notify, err
}

// wait returns when there may be something to do. After a NOTIFY it lets some time pass, in
// which commits gather. Hearing another node it signals; hearing nothing for long it makes
// sure that the connection is alive.
func (n *notifier) wait(conn *pgx.Conn, told bool) error {
	limit := aliveCheck
	if told {
		limit = notifyPause
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if !told {
		n.interruptBy(cancel)
		defer n.interruptBy(func() {})
	}
	note, err := conn.WaitForNotification(ctx)
	switch {
	case err == nil:
		if note.PID != conn.PgConn().PID() {
			n.signal()
		}
		return nil
	case conn.IsClosed():
		return err
	case told || !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil
	}
	ctx, cancel = context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	return conn.Ping(ctx)
}

// interruptBy sets how waiting is ended, and ends it at once when there is something to do.
func (n *notifier) interruptBy(cancel func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.interrupt = cancel
	if n.pending || n.wanted && !n.hearing || n.closing() {
		cancel()
	}
}
