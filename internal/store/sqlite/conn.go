package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// file is what every connection to one database shares.
type file struct {
	path string // absolute
	busy time.Duration
}

// Sizes, in the units of the pragmas: negative cache sizes are KiB of pages. A cached page takes
// twice its size, for the driver's allocator rounds up to powers of two: 4 MiB for the writer and
// 2 MiB for a reader. Larger ones gain nothing that can be measured: the operating system caches
// the file too.
const (
	writerCache = "cache_size(-2000)"
	readerCache = "cache_size(-1000)"
	// journalLimit cuts the write-ahead log back to this many bytes when it starts over, should
	// a long reader have made it grow.
	journalLimit = "journal_size_limit(67108864)"
	// noCheckpoint leaves checkpoints to the writer.
	noCheckpoint = "wal_autocheckpoint(0)"
)

// busyPause is about how long opening a connection pauses before it is tried again.
const busyPause = 4 * time.Millisecond

// quietTime is how long a connection must have been of no use before it gives back what it keeps for a busy time.
const quietTime = 3 * time.Second

// dsn returns the name by which the driver opens the file. Pragmas are run in the given order,
// after those that every connection has.
func (f file) dsn(pragmas ...string) string {
	path := filepath.ToSlash(f.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	q := url.Values{"_dqs": {"0"}} // "x" names a column and is never a string, as in PostgreSQL
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", f.busy.Milliseconds()))
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)")
	q.Add("_pragma", "temp_store(MEMORY)")
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// conn is one connection with its prepared statements. It goes straight to the driver:
// database/sql would add its own pool, locks and, for a ctx that can end, a goroutine to each
// read. One goroutine at a time may use it.
type conn struct {
	driver driver.Conn
	stmts  map[string]*stmt
	args   []driver.NamedValue // reused; the driver copies what it binds
}

// stmt is a prepared statement of one connection.
type stmt struct {
	driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	slow  bool // once took longer than slowStatement
}

// maxStatements bounds what a connection keeps prepared. Texts are constants, a few hundred in
// all; the bound keeps a text that is not from filling the memory.
const maxStatements = 1024

// slowStatement is the time from which on a statement is run so that its ctx can interrupt it.
// The driver starts a goroutine for that, which costs half as much as a read by key.
const slowStatement = time.Millisecond

// noCancel is the ctx of statements that must not be interrupted: those of the writer, where an
// interrupt could roll back neighbours.
var noCancel = context.Background()

// connect opens a connection. Where programs that wait for the file would wait for each other, as when several make it
// one with a write-ahead log, SQLite does not let them: then it is tried again, until the busy timeout.
func (f file) connect(pragmas ...string) (*conn, error) {
	connector, err := sqlite.NewConnector(f.dsn(pragmas...))
	if err != nil {
		return nil, unavailable(err)
	}
	begun := time.Now()
	dc, err := connector.Connect(noCancel)
	for isBusy(err) && time.Since(begun) < f.busy {
		time.Sleep(busyPause/2 + rand.N(busyPause))
		dc, err = connector.Connect(noCancel)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return &conn{driver: dc, stmts: make(map[string]*stmt)}, nil
}

// close ends the connection and its statements.
func (c *conn) close() error {
	c.forget()
	return c.driver.Close()
}

// forget closes all prepared statements. Their errors repeat those of their last run.
func (c *conn) forget() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	clear(c.stmts)
}

// statement returns the prepared form of sql.
func (c *conn) statement(sql string) (*stmt, error) {
	if s := c.stmts[sql]; s != nil {
		return s, nil
	}
	if len(c.stmts) >= maxStatements {
		c.forget()
	}
	ds, err := c.driver.Prepare(sql)
	if err != nil {
		return nil, c.translate(err)
	}
	s := &stmt{Stmt: ds}
	var isExec, isQuery bool
	s.exec, isExec = ds.(driver.StmtExecContext)
	s.query, isQuery = ds.(driver.StmtQueryContext)
	if !isExec || !isQuery {
		return nil, errors.New("sqlite: the driver's statements take no context")
	}
	c.stmts[sql] = s
	return s, nil
}

// shrink gives back the pages that the connection has in memory. The next statements read theirs again, most of them
// from the cache of the operating system.
func (c *conn) shrink() error { return c.exec("PRAGMA shrink_memory") }

// exec runs a statement that returns no rows.
func (c *conn) exec(sql string, args ...any) error {
	s, err := c.statement(sql)
	if err != nil {
		return err
	}
	named, err := c.bind(args)
	if err != nil {
		return err
	}
	_, err = s.exec.ExecContext(noCancel, named)
	return c.translate(err)
}

// query runs a statement that returns rows. ctx ends the reading of rows, and interrupts a
// statement known to be slow.
func (c *conn) query(ctx context.Context, sql string, args []any) (*rows, error) {
	s, err := c.statement(sql)
	if err != nil {
		return nil, err
	}
	named, err := c.bind(args)
	if err != nil {
		return nil, err
	}
	stepCtx := noCancel
	if s.slow {
		stepCtx = ctx
	}
	start := time.Now()
	dr, err := s.query.QueryContext(stepCtx, named)
	if time.Since(start) > slowStatement {
		s.slow = true
	}
	if err != nil {
		return nil, c.translate(err)
	}
	return &rows{ctx: ctx, conn: c, driver: dr, values: make([]driver.Value, len(dr.Columns()))}, nil
}
