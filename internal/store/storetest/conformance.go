package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"castellan/internal/store"
)

// patience is how long a case waits for a signal that must come before it gives up. Nothing
// waits that long unless it fails.
const patience = 30 * time.Second

// suite is what a case of the conformance suite has: a fresh database with the tables below.
type suite struct {
	*testing.T
	engine   Engine
	database *Database
	db       store.DB
}

// tables are what the cases write. Every column a case does not name may be NULL.
var tables = []string{
	`CREATE TABLE things (
	id    {text} NOT NULL PRIMARY KEY,
	n     {int},
	label {text},
	data  {bytes},
	yes   {bool}
) {strict}`,
	`CREATE UNIQUE INDEX things_label ON things (label)`,
	`CREATE TABLE names (name {text} NOT NULL) {strict}`,
	`CREATE UNIQUE INDEX names_folded ON names (lower(name))`,
	`CREATE TABLE entries (
	log_number {serial},
	commit_id  {int} NOT NULL,
	writer     {int} NOT NULL
) {strict}`,
}

// conformanceCase is one requirement on an engine.
type conformanceCase struct {
	name string
	run  func(s *suite)
}

// Conformance runs every requirement of package store on an engine, each on a fresh database.
// A case that the engine names as an exception is skipped with its reason.
func Conformance(t *testing.T, e Engine) {
	var cases []conformanceCase
	for _, group := range [][]conformanceCase{transactionCases, valueCases, concurrencyCases, lifeCases} {
		cases = append(cases, group...)
	}
	known := make(map[string]bool)
	for _, c := range cases {
		known[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			if reason, excepted := e.Exceptions[c.name]; excepted {
				t.Skipf("%s is an exception: %s", e.Name, reason)
			}
			t.Parallel()
			d := e.New(t)
			s := &suite{T: t, engine: e, database: d, db: d.Open(t)}
			for _, table := range tables {
				s.mustExec(e.DDL(table))
			}
			c.run(s)
		})
	}
	for name := range e.Exceptions {
		if !known[name] {
			t.Errorf("exception %s of %s names no case", name, e.Name)
		}
	}
}

// update runs one statement in a transaction.
func (s *suite) exec(sql string, args ...any) error {
	return s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) })
}

func (s *suite) mustExec(sql string, args ...any) {
	s.Helper()
	if err := s.exec(sql, args...); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
}

// number reads one integer.
func (s *suite) number(q store.Querier, sql string, args ...any) int64 {
	s.Helper()
	n, err := one[int64](s.Context(), q, sql, args...)
	if err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	return n
}

// wantThings checks how many rows the table things has.
func (s *suite) wantThings(want int64) {
	s.Helper()
	if got := s.number(s.db, `SELECT count(*) FROM things`); got != want {
		s.Errorf("things has %d rows, want %d", got, want)
	}
}

// one reads one value.
func one[T any](ctx context.Context, q store.Querier, sql string, args ...any) (T, error) {
	return store.One(ctx, q, func(row store.Scanner) (v T, err error) { return v, row.Scan(&v) }, sql, args...)
}

// column reads one value of every row.
func column[T any](ctx context.Context, q store.Querier, sql string, args ...any) ([]T, error) {
	return store.All(ctx, q, func(row store.Scanner) (v T, err error) { return v, row.Scan(&v) }, sql, args...)
}

// insert is the statement most cases write.
const insert = `INSERT INTO things (id, n) VALUES ($1, $2)`

// errMine stands for an error of a caller's function.
var errMine = errors.New("the function refused")

// receive returns what comes from c, or ends the test when nothing does.
func receive[T any](s *suite, what string, c <-chan T) T {
	s.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		s.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// spawn runs fn in a goroutine and returns where its error arrives.
func spawn(fn func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- fn() }()
	return c
}

// held is a transaction that has written one row and stays open until release is closed.
type held struct {
	release chan struct{}
	done    <-chan error
}

// hold opens a transaction that inserts id, and returns when it has run its statement.
func (s *suite) hold(id string) held {
	s.Helper()
	h := held{release: make(chan struct{})}
	open := make(chan struct{}, 1)
	h.done = spawn(func() error {
		return s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
			if _, err := one[string](ctx, tx, insert+` RETURNING id`, id, 0); err != nil {
				return err
			}
			open <- struct{}{}
			<-h.release
			return nil
		})
	})
	receive(s, "a transaction to open", open)
	return h
}

// end lets the transaction commit.
func (h held) end(s *suite) {
	s.Helper()
	close(h.release)
	if err := receive(s, "the held transaction", h.done); err != nil {
		s.Errorf("the held transaction: %v", err)
	}
}

// mustBe fails unless err is target.
func (s *suite) mustBe(err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Fatalf("error is %v, want %v", err, target)
	}
}

// key makes distinct primary keys.
func key(i int) string { return fmt.Sprintf("key-%03d", i) }
