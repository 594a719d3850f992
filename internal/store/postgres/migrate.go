package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"castellan/internal/store"
)

//go:embed migrations/*.sql
var embedded embed.FS

const (
	// versionTable records the migrations that were applied. Its version_id is their number.
	versionTable = "schema_version"
	// migrationLock is the advisory lock nodes take to migrate one after another: "castella" in
	// ASCII.
	migrationLock = 0x63617374656c6c61
	// closeLimit bounds saying goodbye to the server.
	closeLimit = 5 * time.Second
)

// migrate brings the schema up to date, through the gate. When it is already, that takes two short reads.
func migrate(ctx context.Context, cfg *pgx.ConnConfig, g *gate) error {
	migrations, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return err
	}
	newest, err := newestVersion(migrations)
	if err != nil {
		return err
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return translate(ctx, nil, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		_ = c.Close(ctx) // the server ends the session, and its lock, either way
	}()
	if err := checkServer(ctx, c); err != nil {
		return translate(ctx, c, err)
	}
	if done, err := upToDate(ctx, c, newest); done || err != nil {
		return translate(ctx, c, err)
	}
	if err := enterIfThere(ctx, c, g); err != nil {
		return translate(ctx, c, err)
	}
	defer g.leave(c)
	// The lock lasts as long as this transaction, which has to stay open without doing anything.
	if _, err := c.Exec(ctx, "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return translate(ctx, c, err)
	}
	if _, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return translate(ctx, c, err)
	}
	if done, err := upToDate(ctx, c, newest); done || err != nil {
		return translate(ctx, c, err) // another node was faster
	}
	return apply(ctx, cfg, migrations)
}

// enterIfThere makes c go through the gate, unless the schema is older than that: then nobody is alone.
func enterIfThere(ctx context.Context, c *pgx.Conn, g *gate) error {
	said, err := say(ctx, c, `SELECT to_regclass('lone_node') IS NOT NULL`)
	if err != nil || said[0] != "t" {
		return err
	}
	return g.enter(ctx, c)
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

// checkServer refuses a server on which the engine would not work.
func checkServer(ctx context.Context, c *pgx.Conn) error {
	var version int
	var encoding string
	err := c.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')").
		Scan(&version, &encoding)
	if err != nil {
		return err
	}
	if version < oldestVersion {
		return fmt.Errorf("the server is too old: version %d, needed is %d", version, oldestVersion)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has encoding %s, needed is UTF8", encoding)
	}
	return nil
}

// upToDate reports whether no migration is missing. It returns store.ErrNewerSchema when the
// database has one that the program does not know.
func upToDate(ctx context.Context, c *pgx.Conn, newest int64) (bool, error) {
	var exists bool
	err := c.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&exists)
	if err != nil || !exists {
		return false, err
	}
	var current int64
	err = c.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable).Scan(&current)
	if err != nil {
		return false, err
	}
	if current > newest {
		return false, fmt.Errorf("%w: it has version %d, the program %d", store.ErrNewerSchema, current, newest)
	}
	return current == newest, nil
}

// apply runs the missing migrations on connections of its own.
func apply(ctx context.Context, cfg *pgx.ConnConfig, migrations fs.FS) (err error) {
	db := stdlib.OpenDB(*cfg.Copy())
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", translate(ctx, nil, err))
	}
	return nil
}
