package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"castellan/internal/store"
)

// Config says how to reach a database. Only URL is required.
type Config struct {
	// URL of the database, or a list of key=value, as libpq takes them. It may hold a password
	// and is never logged.
	URL string
	// MaxConns bounds the connections of this node's pool. Zero means pool_max_conns of the URL,
	// or else the number of processors, at least 4. Two more connections carry signals, and hold
	// the gate.
	MaxConns int
}

const (
	// connectLimit ends an attempt to connect, unless the URL says connect_timeout.
	connectLimit = 10 * time.Second
	// cancelLimit is how long the server may take to answer after a statement was cancelled;
	// then the connection is given up.
	cancelLimit = 3 * time.Second
	// idleLimit makes the server end a transaction whose node has gone silent, unless the URL
	// says idle_in_transaction_session_timeout.
	idleLimit = time.Minute
	// oldestVersion is the first server version supported, as server_version_num.
	oldestVersion = 140000
)

// DB is a pool of connections to one database. It implements [store.DB].
type DB struct {
	pool      *pgxpool.Pool
	waiters   waiters
	committed store.Broadcast
	notifier  *notifier
	lone      *lone
	closing   sync.Once
}

var _ store.DB = (*DB)(nil)

// The subselects are evaluated once for a statement, not for each row.
var dialect = store.Dialect{
	Name:        "postgres",
	ForUpdate:   " FOR UPDATE",
	ForKeyShare: " FOR KEY SHARE",
	// Advisory locks, and not locks of tables or rows: they are taken before anything is read, so
	// that nobody waits for them while holding what a rebuild replaces, and they leave writers of
	// other instances alone. They are waited for by few connections, see [waiters].
	WriteLock:      writeLock,
	RebuildLock:    rebuildLock,
	RebuildAllLock: rebuildAllLock,
	WriterSlot:     "pg_backend_pid() % 8",
	CommitID:       "(pg_current_xact_id()::text::bigint + (SELECT value FROM commit_offset))",
	Settled: "commit_id < (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + value" +
		" FROM commit_offset)",
	LogAfter:  "(commit_id, log_number) > (COMMIT, NUMBER)",
	LogBefore: "(commit_id, log_number) < (COMMIT, NUMBER)",
	// Not IN: that is a join, for which the planner guesses how many members there are.
	MemberOf: "= ANY (ARRAY(SELECT json_array_elements_text(LIST::text::json)))",
}

// Open connects and migrates the schema. Several nodes may do so at once.
//
// It returns store.ErrNewerSchema when a newer program has migrated it, and
// store.ErrUnavailable when the database cannot be reached.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	g := newGate(lonePeriod)
	pc, err := poolConfig(cfg, g)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, pc.ConnConfig, g); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	d := newDB(pool, pc, g)
	if err := d.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return d, nil
}

func newDB(pool *pgxpool.Pool, pc *pgxpool.Config, g *gate) *DB {
	d := &DB{pool: pool, waiters: newWaiters(pc.MaxConns)}
	d.notifier = newNotifier(pc.ConnConfig, d.committed.Signal)
	d.lone = newLone(g, pc.ConnConfig)
	return d
}

// poolConfig reads the URL and adds what the engine needs; all connections of the pool go through the gate.
// Errors do not show the password.
func poolConfig(cfg Config, g *gate) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = int32(min(cfg.MaxConns, 10_000))
	}
	cc := pc.ConnConfig
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = connectLimit
	}
	for param, value := range map[string]string{
		"application_name":                    "castellan",
		"idle_in_transaction_session_timeout": strconv.FormatInt(idleLimit.Milliseconds(), 10),
	} {
		if _, given := cc.RuntimeParams[param]; !given {
			cc.RuntimeParams[param] = value
		}
	}
	// When ctx ends, ask the server to stop and wait for its answer: whether a COMMIT on its way
	// counted is then known, and the connection is kept.
	cc.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelLimit}
	}
	pc.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if err := g.enter(ctx, c); err != nil {
			return err
		}
		return raiseOffset(ctx, c)
	}
	pc.BeforeClose = g.leave
	return pc, nil
}

// Query implements [store.Querier]. A query that is met by a broken connection, before its first
// row, is run again: it only reads. One that the server has answered, and be it that it gave up, is not.
func (d *DB) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	args, err := bind(args)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		c, err := d.acquire(ctx)
		if err != nil {
			return nil, err
		}
		r, gone, err := query(ctx, c, sql, args)
		if err == nil {
			return r, nil
		}
		if !gone || attempt == attempts || ctx.Err() != nil {
			return nil, err
		}
		d.pool.Reset() // what broke one connection has often broken all
	}
}

// query runs a query on a connection, which goes back to the pool with an error or when the rows
// are closed. The first row is fetched, because an error may come in its place. gone says that
// the connection is.
func query(ctx context.Context, c *pgxpool.Conn, sql string, args []any) (_ *rows, gone bool, err error) {
	r, err := c.Query(ctx, sql, args...)
	x := &rows{rows: r, ctx: ctx, conn: c.Conn(), release: c.Release, fetched: true}
	if err == nil {
		if x.first = r.Next(); !x.first {
			err = r.Err()
		}
	}
	if err != nil {
		err = translate(ctx, c.Conn(), err)
		gone = lost(c.Conn(), err)
		c.Release()
		return nil, gone, err
	}
	return x, false, nil
}

// lost reports whether err, which has been translated, means that the connection c is gone: cut,
// or ended by a server that shuts down or has crashed. A server that is only unable to do what it
// was told, such as for a time limit or a full disk, answers and keeps the connection; then trying
// again would only add to its troubles.
func lost(c *pgx.Conn, err error) bool { return errors.Is(err, store.ErrUnavailable) && c.IsClosed() }

// acquire takes a connection from the pool. One that has been idle for a second is tried
// first, so that a restart of the server is not met by a transaction.
func (d *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	c, err := d.pool.Acquire(ctx)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, unavailable(err)
}

// Snapshot implements [store.DB]: a REPEATABLE READ transaction that only reads.
func (d *DB) Snapshot(ctx context.Context, fn func(ctx context.Context, q store.Querier) error) error {
	c, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	s := newSession(c.Conn(), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	defer s.end()
	return fn(ctx, s)
}

// attempts is how often a query or a transaction is run, at most.
const attempts = 5

// Update implements [store.DB]. fn is run again after a deadlock, and when the connection broke
// before COMMIT was sent: in both cases nothing of it remains. It is also run again, once, when a lock on
// an instance was not to be had; then it waits, after it has given its connection back and
// got a place among the [waiters].
func (d *DB) Update(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if ctx.Value(inUpdate{d}) != nil {
		return store.ErrNested
	}
	inner := context.WithValue(ctx, inUpdate{d}, true)
	patient := false
	for attempt := 1; ; attempt++ {
		again, err := d.try(ctx, inner, patient, fn)
		if !patient && errors.Is(err, errHeld) {
			if err := d.waiters.enter(ctx); err != nil {
				return err
			}
			defer d.waiters.leave()
			patient = true
			continue
		}
		if err == nil || !again || attempt == attempts || ctx.Err() != nil {
			return err
		}
		if errors.Is(err, store.ErrUnavailable) {
			d.pool.Reset() // as in Query: a connection is gone
		}
	}
}

// inUpdate is the key under which the ctx of a transaction says whose it is.
type inUpdate struct{ db *DB }

// try runs fn in one transaction. again is true when it failed for a reason that may be gone
// the next time, and certainly left nothing. Unless it is patient, errHeld is one of them.
func (d *DB) try(ctx, inner context.Context, patient bool, fn func(context.Context, store.Tx) error) (again bool, err error) {
	c, err := d.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer c.Release()
	s := newSession(c.Conn(), "BEGIN ISOLATION LEVEL READ COMMITTED")
	s.patient = patient
	defer s.end() // also when fn panics
	if err = fn(inner, s); err == nil {
		err = s.commit(ctx)
	}
	if errors.Is(s.err, errHeld) {
		return true, s.err // whatever fn has made of it
	}
	if s.committing {
		// Also one that was refused counts: a reader may look once more for nothing.
		d.lone.committed()
	}
	if err != nil {
		if s.committing {
			d.lone.doubt(c.Conn())
		}
		gone := lost(c.Conn(), s.err) && !s.committing
		return gone || errors.Is(s.err, store.ErrSerialization), err
	}
	if s.begun {
		d.committed.Signal()
		d.notifier.wake()
	}
	return false, nil
}

// Dialect implements [store.DB].
func (d *DB) Dialect() *store.Dialect { return &dialect }

// Committed implements [store.DB].
func (d *DB) Committed() (signal <-chan struct{}, stop func()) {
	signal, stop = d.committed.Subscribe()
	d.notifier.listen()
	return signal, stop
}

// Version implements [store.DB]. It is known while this node is the only one.
func (d *DB) Version() (version uint64, ok bool) { return d.lone.version() }

// Ping implements [store.DB].
func (d *DB) Ping(ctx context.Context) error {
	c, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return translate(ctx, c.Conn(), c.Ping(ctx))
}

// Close implements [store.DB]. The last commits are still signalled to other nodes.
func (d *DB) Close() error {
	d.closing.Do(func() {
		d.pool.Close()
		d.lone.close()
		d.notifier.close()
	})
	return nil
}

// raiseOffset makes commit ids greater than all in the log, should the cluster's transaction
// numbers be behind them: the data came from another cluster. In the cluster that wrote the
// log that is never so, and the statement is one look at the end of an index.
func raiseOffset(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `UPDATE commit_offset SET value = newest.id + 1 - next.xid
FROM (SELECT max(commit_id) AS id FROM events) AS newest,
     (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid) AS next
WHERE newest.id >= next.xid + value`)
	if err != nil {
		return fmt.Errorf("raise the commit offset: %w", err)
	}
	return nil
}
