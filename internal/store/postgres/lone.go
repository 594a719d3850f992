package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// lonePause is how long a node that was not alone waits before it looks again.
const lonePause = time.Second

// lone knows whether this node is the only one that can write; then its own commits are all there are. It holds
// the gate shut while that is so, on a connection of its own, and makes sure of it now and then, as long as
// somebody wants to know. It believes it for lonePeriod after it was last sure, and not after another node has asked
// to come in. docs/adr/0019-lone-node.md says why that is enough.
type lone struct {
	gate    *gate
	cfg     *pgx.ConnConfig
	pause   time.Duration // lonePause
	commits atomic.Uint64 // of this node; and one more for each time that it became alone

	// Until when it believes, since began and as Unix time, in nanoseconds. Both clocks must agree: one
	// does not go on while the machine is suspended, the other one can be set.
	began            time.Time
	until, untilUnix atomic.Int64

	wanted atomic.Bool     // somebody wants to know since the goroutine looked last
	open   context.Context // ends with close
	stop   context.CancelFunc

	mu        sync.Mutex
	stopped   chan struct{} // closed by the goroutine; nil before it is started
	interrupt func()        // ends what the goroutine waits for
	doubts    uint64        // how often it was said that nobody knows what a session does

	told func() // called when it has been looked, and when belief ends, by tests; nil is nobody
}

func newLone(g *gate, cfg *pgx.ConnConfig) *lone {
	cfg = cfg.Copy()
	cfg.RuntimeParams["application_name"] += " lone"
	// That the gate is shut must outlast a crash of the server.
	cfg.RuntimeParams["synchronous_commit"] = "on"
	// Waiting is ended on this side alone: there is no statement to cancel.
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}
	}
	l := &lone{gate: g, cfg: cfg, pause: lonePause, began: time.Now(), interrupt: func() {}}
	l.open, l.stop = context.WithCancel(context.Background())
	return l
}

// version returns how many commits there were, when the node is alone. The time is looked at first: what is
// counted afterwards can only be more.
func (l *lone) version() (commits uint64, ok bool) {
	now := time.Now()
	left := time.Duration(l.until.Load()) - now.Sub(l.began)
	ok = left > 0 && now.UnixNano() < l.untilUnix.Load()
	if !ok || left < l.gate.period/2 {
		l.want()
	}
	if !ok {
		return 0, false
	}
	return l.commits.Load(), true
}

// committed counts a commit, before it is answered.
func (l *lone) committed() { l.commits.Add(1) }

// doubt says that a session has failed to commit. When it has had no answer, nobody knows whether it counts or will: it
// is none of this node's any more, and the node is not alone before it has ended.
func (l *lone) doubt(c *pgx.Conn) {
	if !c.IsClosed() && !c.PgConn().IsBusy() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate.leave(c)
	l.doubts++
	l.until.Store(0)
}

// believe makes the node alone, as of a time before it was seen to be so, unless there were doubts since.
func (l *lone) believe(sure time.Time, doubts uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if doubts != l.doubts {
		return
	}
	if now := time.Now(); now.Sub(l.began) >= time.Duration(l.until.Load()) || now.UnixNano() >= l.untilUnix.Load() {
		l.commits.Add(1) // others may have been there in the meantime
	}
	until := sure.Add(l.gate.period)
	l.untilUnix.Store(until.UnixNano())
	l.until.Store(int64(until.Sub(l.began)))
}

// forget makes the node not alone.
func (l *lone) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until.Store(0)
	l.tell()
}

func (l *lone) tell() {
	if l.told != nil {
		l.told()
	}
}

// want makes the goroutine look.
func (l *lone) want() {
	if l.wanted.Load() || l.wanted.Swap(true) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == nil && !l.closing() {
		l.stopped = make(chan struct{})
		go l.run()
	}
	l.interrupt()
}

// close makes the node not alone and ends the goroutine. It may be called once.
func (l *lone) close() {
	l.mu.Lock()
	l.stop()
	l.interrupt()
	stopped := l.stopped
	l.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

func (l *lone) closing() bool { return l.open.Err() != nil }

// run keeps a connection and serves it until close. When it breaks, so does the belief.
func (l *lone) run() {
	defer close(l.stopped)
	for !l.closing() {
		err := l.serve()
		l.forget()
		if err == nil {
			return
		}
		_ = rest(l.open, l.pause) // whether it is over is looked at next
	}
}

// serve connects and does what there is to do until close, and then returns nil.
func (l *lone) serve() error {
	ctx, cancel := context.WithTimeout(l.open, stepLimit)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, l.cfg)
	if err != nil {
		return err
	}
	k := &keeper{lone: l, conn: c}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
		defer cancel()
		_ = c.Close(ctx) // the server ends the session, and opens the gate, either way
	}()
	if _, err := say(ctx, c, "LISTEN "+loneChannel); err != nil {
		return err
	}
	for !l.closing() {
		if err := k.work(); err != nil {
			return err
		}
		if err := k.wait(); err != nil {
			return err
		}
	}
	return k.letIn()
}

// keeper is the session that holds the gate.
type keeper struct {
	*lone
	conn *pgx.Conn
	shut bool      // it holds the gate shut
	next time.Time // not to try again before
}

// work makes sure that the node is alone, or tries to become it, if somebody wants to know.
func (k *keeper) work() error {
	if !k.shut && time.Now().Before(k.next) {
		return nil
	}
	if !k.wanted.Swap(false) {
		return nil
	}
	defer k.tell() // also of a look in vain: who still wants to know has to say so again
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	if !k.shut {
		if err := k.tryShut(ctx); err != nil || !k.shut {
			return err
		}
	}
	return k.makeSure(ctx)
}

// makeSure looks who is there, and believes that the node is alone or opens the gate.
func (k *keeper) makeSure(ctx context.Context) error {
	k.mu.Lock()
	doubts := k.doubts
	k.mu.Unlock()
	sure := time.Now()
	l, err := k.gate.look(ctx, k.conn)
	switch {
	case err != nil:
		return err
	case l.shut != k.conn.PgConn().PID():
		return errors.New("postgres: the gate is not held by who shut it")
	case l.others:
		return k.letIn()
	}
	k.believe(sure, doubts)
	return nil
}

// tryShut shuts the gate, if nobody else is there. That this was for this node is said when nobody else can believe
// any more that it is alone: then our own new sessions need not wait at it.
func (k *keeper) tryShut(ctx context.Context) error {
	k.next = time.Now().Add(k.pause)
	l, err := k.gate.look(ctx, k.conn)
	if err != nil || l.others || l.shut != 0 {
		return err
	}
	said, err := say(ctx, k.conn, fmt.Sprintf(`SELECT pg_try_advisory_lock(%d, %d)`, loneSpace, gateKey))
	if err != nil || said[0] != "t" {
		return err
	}
	k.shut = true
	said, err = say(ctx, k.conn, `SELECT held FROM lone_node`)
	if err == nil && said[0] == "t" { // somebody has ended without a word
		err = rest(k.lone.open, patience(k.gate.period))
	}
	if err != nil {
		return err
	}
	said, err = say(ctx, k.conn, `UPDATE lone_node SET held = TRUE RETURNING held`)
	if err == nil && said[0] != "t" {
		err = errors.New("postgres: the row of lone_node is missing")
	}
	if err == nil {
		_, err = say(ctx, k.conn, fmt.Sprintf(`SELECT pg_advisory_lock_shared(%d, %d)`, loneSpace, k.gate.node|keeperBit))
	}
	return err
}

// letIn opens the gate, when the node has stopped to believe. Who waits there is to see that it was not left
// without a word: that is committed before.
func (k *keeper) letIn() error {
	k.forget()
	if !k.shut {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	k.shut, k.next = false, time.Now().Add(k.pause)
	_, err := say(ctx, k.conn, `UPDATE lone_node SET held = FALSE`)
	if err == nil {
		_, err = say(ctx, k.conn, fmt.Sprintf(`SELECT pg_advisory_unlock_shared(%[1]d, %[2]d), pg_advisory_unlock(%[1]d, %[3]d)`,
			loneSpace, k.gate.node|keeperBit, gateKey))
	}
	return err
}

// wait returns when there may be something to do. It opens the gate for who asks.
func (k *keeper) wait() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !k.shut && time.Now().Before(k.next) {
		var over context.CancelFunc
		ctx, over = context.WithDeadline(ctx, k.next)
		defer over()
	}
	k.interruptBy(cancel)
	defer k.interruptBy(func() {})
	note, err := k.conn.WaitForNotification(ctx)
	switch {
	case err != nil && k.conn.IsClosed():
		return err
	case err == nil && note.Payload != strconv.Itoa(int(k.gate.node)):
		return k.letIn()
	}
	return nil
}

// interruptBy sets how waiting is ended, and ends it at once when there is something to do.
func (k *keeper) interruptBy(cancel func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interrupt = cancel
	if k.closing() || k.wanted.Load() && (k.shut || !time.Now().Before(k.next)) {
		cancel()
	}
}
