// Package storetest runs tests on every engine of package store, and holds the suite that
// every engine passes.
//
// It owns how tests get databases: a fresh file for SQLite, a fresh database on a PostgreSQL
// server for the other. The server is started from the binaries of the system on first use,
// once for each test binary, and ends with it (see [Main]). No test shares a database with
// another, so tests may run in parallel.
//
// Two variables of the environment change that:
//
//	CASTELLAN_TEST_POSTGRES_URL  use this server; its role must be allowed to create databases
//	CASTELLAN_TEST_ENGINES       a list such as "sqlite": leave the other engines out
package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"castellan/internal/store"
	"castellan/internal/store/postgres"
	"castellan/internal/store/sqlite"
)

// Engine is one implementation of package store.
type Engine struct {
	// Name is the dialect's name.
	Name string
	// MultiNode says that several nodes can open one database.
	MultiNode bool
	// Exceptions are the cases of the conformance suite that do not hold, by name, and why.
	Exceptions map[string]string
	// Types are the engine's spellings for what differs in the definition of a table: {text},
	// {int}, {bool}, {bytes}, {serial} and, after the closing parenthesis, {strict}.
	Types map[string]string

	create func(t testing.TB) func(ctx context.Context) (store.DB, error)
}

// DDL returns the definition of a table with the engine's types in place of {text} and so on.
func (e Engine) DDL(text string) string {
	for name, spelling := range e.Types {
		text = strings.ReplaceAll(text, "{"+name+"}", spelling)
	}
	return text
}

// New returns a fresh, migrated database that is removed when the test ends.
func (e Engine) New(t testing.TB) *Database {
	t.Helper()
	return &Database{Engine: e, open: e.create(t)}
}

// SQLite is the engine of package sqlite, on a file in the test's temporary directory.
func SQLite() Engine {
	return Engine{
		Name: "sqlite",
		Exceptions: map[string]string{
			"WritersDoNotWait":       "SQLite has one writer: transactions run one after another and share commits",
			"DeadlockIsRetried":      "with one writer there are no deadlocks",
			"RebuildsExcludeWriters": "with one writer nobody else writes during a rebuild",
		},
		Types: map[string]string{
			"text": "TEXT", "int": "INTEGER", "bool": "INTEGER", "bytes": "BLOB",
			"serial": "INTEGER PRIMARY KEY AUTOINCREMENT", "strict": "STRICT",
		},
		create: func(t testing.TB) func(context.Context) (store.DB, error) {
			path := filepath.Join(t.TempDir(), "castellan.db")
			migrated, err := migratedFile()
			if err == nil {
				err = os.WriteFile(path, migrated, 0o600)
			}
			if err != nil {
				t.Fatalf("create a SQLite database: %v", err)
			}
			return func(ctx context.Context) (store.DB, error) {
				return opened(sqlite.Open(ctx, sqlite.Config{Path: path}))
			}
		},
	}
}

// migratedFile is what a migrated database has in its file. The migrations run once for all databases of a process,
// as on PostgreSQL: under the race detector they take longer than most tests.
var migratedFile = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "castellan-sqlite-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "castellan.db")
	db, err := sqlite.Open(context.Background(), sqlite.Config{Path: path})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	// Closing has moved everything into the one file; a log that is left would be missing from copies.
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return nil, fmt.Errorf("a closed SQLite database has a log of %d bytes", info.Size())
	}
	return os.ReadFile(path)
})

// Postgres is the engine of package postgres.
func Postgres() Engine {
	return Engine{
		Name:      "postgres",
		MultiNode: true,
		Types: map[string]string{
			"text": `TEXT COLLATE "C"`, "int": "BIGINT", "bool": "BOOLEAN", "bytes": "BYTEA",
			"serial": "BIGINT GENERATED ALWAYS AS IDENTITY", "strict": "",
		},
		create: func(t testing.TB) func(context.Context) (store.DB, error) {
			url := PostgresURL(t)
			return func(ctx context.Context) (store.DB, error) {
				return opened(postgres.Open(ctx, postgres.Config{URL: url}))
			}
		},
	}
}

// opened makes a nil engine a nil interface.
func opened[D store.DB](db D, err error) (store.DB, error) {
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Database is one database of a test. Where the engine is MultiNode each Open is a node of its
// own; otherwise one handle may be open at a time.
type Database struct {
	Engine Engine

	open func(ctx context.Context) (store.DB, error)
}

// Open opens a handle that is closed when the test ends. An error ends the test.
func (d *Database) Open(t testing.TB) store.DB {
	t.Helper()
	db, err := d.TryOpen(t.Context())
	if err != nil {
		t.Fatalf("open the %s database: %v", d.Engine.Name, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the %s database: %v", d.Engine.Name, err)
		}
	})
	return db
}

// TryOpen opens a handle that the caller closes. It returns the errors of the engine.
func (d *Database) TryOpen(ctx context.Context) (store.DB, error) { return d.open(ctx) }

// EachEngine runs fn as a subtest on a fresh database of every engine.
func EachEngine(t *testing.T, fn func(t *testing.T, db store.DB)) {
	t.Helper()
	EachDatabase(t, func(t *testing.T, d *Database) { fn(t, d.Open(t)) })
}

// EachDatabase is [EachEngine] for tests that open the database themselves, for instance a
// second time, or as several nodes.
func EachDatabase(t *testing.T, fn func(t *testing.T, d *Database)) {
	t.Helper()
	for _, e := range []Engine{SQLite(), Postgres()} {
		t.Run(e.Name, func(t *testing.T) {
			skipLeftOut(t, e.Name)
			fn(t, e.New(t))
		})
	}
}

// skipLeftOut skips a test that needs an engine which the environment leaves out.
func skipLeftOut(t testing.TB, engine string) {
	t.Helper()
	chosen := os.Getenv("CASTELLAN_TEST_ENGINES")
	if chosen != "" && !slices.Contains(strings.Split(chosen, ","), engine) {
		t.Skipf("not run on %s: CASTELLAN_TEST_ENGINES is %q", engine, chosen)
	}
}
