package sqlite

import (
	"errors"
	"fmt"
	"strings"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"castellan/internal/store"
)

// errClosed is what a closed database answers.
var errClosed = fmt.Errorf("%w: closed", store.ErrUnavailable)

// errRowsOpen means that a statement was run before the rows of the last one were closed.
// PostgreSQL cannot do that on one connection, so here it is refused too.
var errRowsOpen = errors.New("store: the rows of an earlier query are still open")

// errOver means that a transaction or snapshot was used after its function had returned.
var errOver = errors.New("store: the transaction is over")

// unavailable marks err as a failure of the database.
func unavailable(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// translate turns an error of the driver into an error of package store.
func (c *conn) translate(err error) error {
	var e *driver.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return &store.ConflictError{Table: c.conflictTable(e.Error()), Cause: err}
	}
	return classify(err)
}

// classify says whether the statement is at fault or the database. An error without a code, such
// as a missing argument, is a mistake of the statement and stays as it is.
func classify(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE,
		sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("sqlite: %w", err)
	}
	return unavailable(err) // busy, locked, I/O error, disk full, out of memory, not a database
}

// isBusy reports whether another connection holds a lock that is in the way.
func isBusy(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// conflictTable finds the table in "UNIQUE constraint failed: table.column, ...". For an index
// on an expression SQLite says "index 'name'" instead.
func (c *conn) conflictTable(msg string) string {
	_, what, _ := strings.Cut(msg, "UNIQUE constraint failed: ")
	if quoted, isIndex := strings.CutPrefix(what, "index '"); isIndex {
		name, _, _ := strings.Cut(quoted, "'")
		return c.tableOfIndex(name)
	}
	table, _, _ := strings.Cut(what, ".")
	return table
}

// tableOfIndex returns the table of an index, or the name of the index when that fails: the
// conflict is what matters to the caller.
func (c *conn) tableOfIndex(index string) string {
	table := index
	rows, err := c.query(noCancel, "SELECT tbl_name FROM sqlite_schema WHERE type = 'index' AND name = $1", []any{index})
	if err != nil {
		return table
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(&table); err != nil {
			return index
		}
	}
	return table
}
