// Package store says what castellan asks of a database, in terms both engines can keep.
//
// It owns the interfaces, the errors, the dialect and small helpers to scan rows. It does
// not know any table, and no driver: engines live in store/sqlite and store/postgres, and
// turn driver errors into the errors of this package. storetest holds the one conformance
// suite they all pass.
//
// SQL is written once, in the text both engines take: $1 parameters in any order,
// ON CONFLICT, RETURNING, row values, IS NOT DISTINCT FROM. What differs is a named fragment
// on [Dialect]. Values are stored so that the same text and the same Go code fit both:
//
//	Go                    PostgreSQL           SQLite (STRICT)
//	string, ids           TEXT COLLATE "C"     TEXT
//	int64, int, uint64    BIGINT               INTEGER
//	time (see [Micros])   BIGINT               INTEGER
//	bool                  BOOLEAN              INTEGER, 0 or 1
//	[]byte                BYTEA                BLOB
//
// COLLATE "C" makes PostgreSQL sort text by its bytes, as SQLite does, whatever the locale of
// the database. A bool is written in SQL as TRUE or FALSE or as an argument, and tested by
// its name alone (WHERE active), never compared with a number.
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Querier reads. SQL texts must be constants: engines keep a prepared statement for each.
//
// Arguments are strings, integers, bools and []byte, named types of those, and pointers to
// them; a nil pointer, a nil []byte and nil are NULL. A []string is a list for [Dialect.InList]. Text must be valid UTF-8 without NUL,
// an integer must fit int64; anything else is an error of the statement.
type Querier interface {
	// Query runs a statement that returns rows. The caller closes them, or reads to the end.
	// The reader of a [Tx] or a Snapshot holds one result at a time: the rows of a query must be
	// closed before the next statement. Outside of them each open result occupies a connection
	// of a bounded pool, so no second query is run before the first is closed.
	// It returns ErrUnavailable when the database cannot be reached, or ctx's error.
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
}

// Rows is the result of a query, one row at a time.
type Rows interface {
	Next() bool
	// Scan copies the columns of the current row into dest: *string, *int64, *int, *uint64,
	// *bool, *[]byte, pointers to named types of those, and pointers to those for NULL
	// (**string is set to nil). NULL into *[]byte is nil, an empty value is not. A value out of
	// range is an error, and so may be every conversion between text, numbers and truth: do not
	// count on any. After an error the rows are closed, and Err returns it too.
	Scan(dest ...any) error
	Err() error
	Close()
}

// Tx is a write transaction.
//
// A statement given to Exec may be run at once or held back and sent together with later
// ones in a single round trip; its error then surfaces at the next Query or at commit. So a
// command first reads all it needs, then writes.
//
// A statement that fails also fails the transaction: later statements return that error again,
// and so does Update when fn returns nil nevertheless.
type Tx interface {
	Querier
	// Exec queues a statement that returns no rows.
	// Its error, wherever it surfaces, may be a *ConflictError.
	Exec(ctx context.Context, sql string, args ...any) error
}

// DB is an opened database whose schema is up to date.
type DB interface {
	// Query of a DB runs outside any transaction and sees everything committed before it began.
	Querier
	// Snapshot runs fn with a reader that sees one moment throughout, that of its first query. fn
	// reads with q alone: every other method takes another connection of the same pool.
	Snapshot(ctx context.Context, fn func(ctx context.Context, q Querier) error) error
	// Update runs fn in a transaction and commits it durably when fn returns nil. When Update
	// returns nil, every read on every node that starts afterwards sees the change; when it
	// returns an error of fn or of the database, nothing of fn remains. Should the connection
	// break during the commit itself, the outcome is unknown and ErrUnavailable is returned.
	//
	// fn may run more than once (after ErrSerialization or a connection lost before the commit, at
	// most a few times), so it must have no effect but through tx, and read with tx alone. It must
	// not call Update itself, which returns ErrNested. Slow work (hashing, key generation) belongs before Update:
	// on SQLite there is one writer. A panic in fn rolls back and goes on to the caller.
	//
	// It returns the error of fn, a *ConflictError, ErrUnavailable, or ctx's error; after
	// ctx's error nothing of fn remains, unless ErrUnavailable is returned with it.
	Update(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	// Dialect returns the fragments in which the engines differ.
	Dialect() *Dialect
	// Committed returns a channel that receives, without ever blocking a writer, after
	// transactions of this or any other node have committed. Signals are coalesced, and one
	// may come late or without cause: a reader that waits on it also looks by itself now and
	// then. stop ends the subscription.
	Committed() (signal <-chan struct{}, stop func())
	// Version changes with every commit, before that is answered: two that are the same, and ok, mean that
	// no commit was answered between them, on any node. ok is false while only the database knows: when there may
	// be other nodes.
	Version() (version uint64, ok bool)
	// Ping returns nil when the database answers.
	Ping(ctx context.Context) error
	// Close waits for running transactions and releases everything.
	Close() error
}

// Dialect is what the engines spell differently, as values.
type Dialect struct {
	// Name is "sqlite" or "postgres", for logs and metrics.
	Name string
	// ForUpdate ends a SELECT that locks the rows it returns; empty where there is one writer.
	ForUpdate string
	// ForKeyShare ends a SELECT whose rows nobody may delete until the transaction ends; any number
	// of transactions may do so at once. Empty where there is one writer.
	ForKeyShare string
	// WriteLock is a statement for Exec, as are the next two, with which a transaction begins to write to the instance $1: it waits
	// for a rebuild of that instance, and makes one wait until the transaction ends. Writers do not
	// wait for each other. Empty where there is one writer; so are the next two. When the lock is held
	// fn of Update runs again from the start: most who wait do so without a connection.
	WriteLock string
	// RebuildLock makes a transaction the only one that writes to the instance $1, until it ends.
	// It is the first thing the transaction does; of several instances, in the order of their ids.
	RebuildLock string
	// RebuildAllLock makes a transaction the only one that writes to any instance, until it ends. It
	// is the first thing the transaction does.
	RebuildAllLock string
	// WriterSlot is an SQL expression: a small number from 0 on, by which transactions that run at the same
	// time and add to the same counter find rows of their own, as far as there are enough.
	WriterSlot string
	// CommitID is an SQL expression: the number of the running transaction, never smaller than
	// that of a transaction that has already committed and was visible to a follower
	// (see docs/adr on the event log).
	CommitID string
	// Settled is an SQL condition on the column commit_id: no transaction with a number up to
	// that one is still running.
	Settled string
	// LogAfter is an SQL condition on the columns commit_id and log_number: they are greater than a
	// pair, in the form in which an index on both is used. COMMIT and NUMBER stand where the
	// parameters are. See [Dialect.After].
	LogAfter string
	// LogBefore is LogAfter the other way round, see [Dialect.Before].
	LogBefore string
	// MemberOf follows a column in the SQL condition that it is in a list, in the form in which an
	// index on the column is used. LIST stands where the parameter is. See [Dialect.InList].
	MemberOf string
}

// After returns an SQL condition: what has the columns commit_id and log_number stands behind a
// position of the log, whose numbers are the parameters commit and number, such as $1 and $2.
func (d *Dialect) After(commit, number string) string {
	return strings.NewReplacer("COMMIT", commit, "NUMBER", number).Replace(d.LogAfter)
}

// Before returns the SQL condition that it stands before that position.
func (d *Dialect) Before(commit, number string) string {
	return strings.NewReplacer("COMMIT", commit, "NUMBER", number).Replace(d.LogBefore)
}

// InList returns an SQL condition: the text in column is one of a list. param is a parameter
// such as $1, whose argument is a []string of any length; one statement is prepared for all
// lengths. An empty list has no members.
func (d *Dialect) InList(column, param string) string {
	return column + " " + strings.Replace(d.MemberOf, "LIST", param, 1)
}

// Errors of every engine. Test with errors.Is.
var (
	// ErrNotFound is returned by One when no row matches.
	ErrNotFound = errors.New("store: no such row")
	// ErrUnavailable means the database cannot be reached or is shutting down.
	ErrUnavailable = errors.New("store: database unavailable")
	// ErrSerialization means the transaction lost a race and may be run again; Update does so
	// itself a few times before it returns it.
	ErrSerialization = errors.New("store: transaction lost a race")
	// ErrNested is returned by an Update called with the ctx of another Update's fn. It is a
	// mistake in the program: on SQLite it would wait for itself.
	ErrNested = errors.New("store: Update called inside Update")
	// ErrNewerSchema is returned when a database is opened that a newer program has migrated.
	ErrNewerSchema = errors.New("store: the database has a newer schema than this program knows")
)

// ConflictError means that a row would break the uniqueness of a table.
type ConflictError struct {
	Table string // the table whose primary key or unique index refused the row
	Cause error  // the driver's error, for the log
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("store: row conflicts in table %s: %v", e.Table, e.Cause)
}

// Unwrap returns the driver's error.
func (e *ConflictError) Unwrap() error { return e.Cause }

// ConflictIn reports whether err is a conflict in the given table.
func ConflictIn(err error, table string) bool {
	var c *ConflictError
	return errors.As(err, &c) && c.Table == table
}
