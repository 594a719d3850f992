package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"castellan/internal/store"
)

//go:embed migrations/*.sql
var embedded embed.FS

// versionTable records the migrations that were applied. Its version_id is their number.
const versionTable = "schema_version"

// migrate brings the schema up to date. When it is already, that takes one short read; otherwise
// all that is missing becomes one transaction, in which other programs wait.
func (f file) migrate(ctx context.Context) (err error) {
	migrations, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return err
	}
	newest, err := newestVersion(migrations)
	if err != nil {
		return err
	}
	c, err := f.connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if done, err := c.upToDate(newest); done || err != nil {
		return err
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	done, err := c.upToDate(newest) // another program may have been faster
	if err == nil && !done {
		err = c.apply(ctx, migrations)
	}
	if err != nil {
		return errors.Join(err, c.exec("ROLLBACK"))
	}
	return c.exec("COMMIT")
}

// newestVersion is the number of the last migration the program has.
func newestVersion(migrations fs.FS) (newest int64, err error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, n)
	}
	return newest, nil
}

// upToDate reports whether no migration is missing. It returns store.ErrNewerSchema when the
// file has one that the program does not know.
func (c *conn) upToDate(newest int64) (bool, error) {
	tables, err := c.number("SELECT count(*) FROM sqlite_schema WHERE name = '" + versionTable + "'")
	if err != nil || tables == 0 {
		return false, err
	}
	current, err := c.number("SELECT coalesce(max(version_id), 0) FROM " + versionTable)
	if err != nil {
		return false, err
	}
	if current > newest {
		return false, fmt.Errorf("%w: it has version %d, the program %d", store.ErrNewerSchema, current, newest)
	}
	return current == newest, nil
}

// number reads one integer.
func (c *conn) number(query string) (int64, error) {
	return store.One(noCancel, querier{c}, func(row store.Scanner) (n int64, err error) {
		return n, row.Scan(&n)
	}, query)
}

// querier reads on a connection that is nobody else's.
type querier struct{ conn *conn }

// Query implements [store.Querier].
func (q querier) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	return q.conn.query(ctx, sql, args)
}

// apply runs the missing migrations in the transaction that c has begun.
func (c *conn) apply(ctx context.Context, migrations fs.FS) (err error) {
	db := sql.OpenDB(&lent{conn: c})
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, migrations,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", classify(err))
	}
	return nil
}

// lent lends a connection to database/sql, which the migration library wants. What is a
// transaction there is a savepoint here, and closing it does nothing.
type lent struct{ conn *conn }

var (
	_ driver.Connector   = (*lent)(nil)
	_ driver.ConnBeginTx = (*lent)(nil)
	_ driver.Tx          = (*lent)(nil)
)

// Connect implements [driver.Connector]: there is one connection.
func (l *lent) Connect(context.Context) (driver.Conn, error) { return l, nil }

// Driver implements [driver.Connector].
func (l *lent) Driver() driver.Driver { return &sqlite.Driver{} }

// Prepare implements [driver.Conn].
func (l *lent) Prepare(query string) (driver.Stmt, error) { return l.conn.driver.Prepare(query) }

// Close implements [driver.Conn].
func (l *lent) Close() error { return nil }

// Begin implements [driver.Conn].
func (l *lent) Begin() (driver.Tx, error) { return l, l.conn.exec("SAVEPOINT migration") }

// BeginTx implements [driver.ConnBeginTx].
func (l *lent) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return l.Begin() }

// Commit implements [driver.Tx].
func (l *lent) Commit() error { return l.conn.exec("RELEASE migration") }

// Rollback implements [driver.Tx].
func (l *lent) Rollback() error {
	return errors.Join(l.conn.exec("ROLLBACK TO migration"), l.conn.exec("RELEASE migration"))
}
