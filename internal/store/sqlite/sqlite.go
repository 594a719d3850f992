package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"castellan/internal/store"
)

// Config says how to open a database. Only Path is required.
type Config struct {
	// Path of the file. It is made with mode 0600 when it does not exist, and its directory with
	// 0700; those that exist keep their modes.
	Path string
	// Readers is how many reads can run at the same time. Zero means one for each processor, at
	// least 4 and at most 8. Each holds up to 2 MiB of cache once it is used.
	Readers int
	// BusyTimeout is how long a write waits for another process that holds the file. Zero means
	// 5 seconds.
	BusyTimeout time.Duration
}

// withDefaults returns c with zeros replaced.
func (c Config) withDefaults() Config {
	if c.Readers <= 0 {
		c.Readers = min(max(runtime.GOMAXPROCS(0), 4), 8)
	}
	if c.BusyTimeout <= 0 {
		c.BusyTimeout = 5 * time.Second
	}
	return c
}

// DB is an open file. It implements [store.DB].
type DB struct {
	readers   *readers
	writer    *writer
	committed store.Broadcast
	commits   atomic.Uint64
	closing   sync.Once
	closed    error // of the one Close
}

var _ store.DB = (*DB)(nil)

var dialect = store.Dialect{
	Name:        "sqlite",
	ForUpdate:   "", // the one writer holds every lock already
	ForKeyShare: "",
	WriterSlot:  "0",    // the one writer
	CommitID:    "0",    // log numbers are given in the order of commits, so they order the log alone
	Settled:     "TRUE", // what can be seen was committed before everything that cannot
	// Every commit id is 0. Of a pair with the row id SQLite would use the first half of the index
	// alone, and so read the log from its start.
	LogAfter:  "commit_id = COMMIT AND log_number > NUMBER",
	LogBefore: "commit_id = COMMIT AND log_number < NUMBER",
	MemberOf:  "IN (SELECT value FROM json_each(LIST))",
}

// Open opens the file, makes it when there is none, and migrates its schema.
//
// It returns store.ErrNewerSchema when a newer program has migrated it, and
// store.ErrUnavailable when the file cannot be opened or another process keeps hold of it.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	cfg = cfg.withDefaults()
	path, err := create(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Path, unavailable(err))
	}
	f := file{path: path, busy: cfg.BusyTimeout}
	if err := f.migrate(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	d := &DB{readers: newReaders(f, cfg.Readers)}
	if d.writer, err = newWriter(f, d.count); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	return d, nil
}

// count is called after every commit, before its callers are answered.
func (d *DB) count() {
	d.commits.Add(1)
	d.committed.Signal()
}

// create makes the directory and the file where there are none. SQLite itself would make the
// file with the modes of the umask; what it puts beside the file has the mode of the file.
func create(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	return path, f.Close()
}

// Query implements [store.Querier].
func (d *DB) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	c, err := d.readers.take(ctx)
	if err != nil {
		return nil, err
	}
	r, err := c.query(ctx, sql, args)
	if err != nil {
		d.readers.put(c)
		return nil, err
	}
	r.readers = d.readers
	return r, nil
}

// Snapshot implements [store.DB]: a read transaction of one reader. What is committed while it
// runs stays in the write-ahead log, so a long one makes that file grow.
func (d *DB) Snapshot(ctx context.Context, fn func(ctx context.Context, q store.Querier) error) error {
	c, err := d.readers.take(ctx)
	if err != nil {
		return err
	}
	s := &session{conn: c}
	defer func() {
		s.end()
		if err := c.exec("COMMIT"); err != nil {
			d.readers.drop(c)
			return
		}
		d.readers.put(c)
	}()
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	return fn(ctx, s)
}

// Update implements [store.DB]; see the package comment.
func (d *DB) Update(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if ctx.Value(inUpdate{d}) != nil {
		return store.ErrNested
	}
	return d.writer.update(ctx, context.WithValue(ctx, inUpdate{d}, true), fn)
}

// inUpdate is the key under which the ctx of a transaction says whose it is.
type inUpdate struct{ db *DB }

// Dialect implements [store.DB].
func (d *DB) Dialect() *store.Dialect { return &dialect }

// Committed implements [store.DB]. There is one node, this one.
func (d *DB) Committed() (signal <-chan struct{}, stop func()) { return d.committed.Subscribe() }

// Version implements [store.DB]: it counts the commits of the one writer.
func (d *DB) Version() (version uint64, ok bool) { return d.commits.Load(), true }

// Ping implements [store.DB]: it reads the schema from the file.
func (d *DB) Ping(ctx context.Context) error {
	rows, err := d.Query(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1")
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

// Close implements [store.DB]. Transactions that have begun are committed, callers still waiting
// for their turn get ErrUnavailable, and readers are waited for.
func (d *DB) Close() error {
	d.closing.Do(func() {
		d.writer.finish()                                           // its transactions may still read
		d.closed = errors.Join(d.readers.close(), d.writer.close()) // the last to close empties the log
	})
	return d.closed
}
