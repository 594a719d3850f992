package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"castellan/internal/store"
	"castellan/internal/store/postgres"
	"castellan/internal/store/storetest"
)

const patience = 30 * time.Second

func mustOpen(t *testing.T, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// admin is a connection beside the engine.
func admin(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func mustExec(t *testing.T, db store.DB, sql string, args ...any) {
	t.Helper()
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) })
	if err != nil {
		t.Fatal(err)
	}
}

func number(ctx context.Context, q store.Querier, sql string, args ...any) (int64, error) {
	return store.One(ctx, q, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) }, sql, args...)
}

func mustNumber(t *testing.T, q store.Querier, sql string, args ...any) int64 {
	t.Helper()
	n, err := number(t.Context(), q, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNodesStartAtOnce lets nodes start together on an empty database.
func TestNodesStartAtOnce(t *testing.T) {
	url := storetest.EmptyPostgresURL(t)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			db, err := postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := number(t.Context(), db, `SELECT count(*) FROM id_grants`); err != nil || n != 1024 {
				t.Errorf("id_grants has %d rows, %v", n, err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// commitID is what the next transaction would number its rows with.
func commitID(t *testing.T, db store.DB) int64 {
	t.Helper()
	var id int64
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		id, err = number(ctx, tx, `SELECT `+db.Dialect().CommitID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestCommitIDsGrowAfterRestore puts an event into the log as another cluster, far ahead, would
// have left it.
func TestCommitIDsGrowAfterRestore(t *testing.T) {
	url := storetest.PostgresURL(t)
	db := mustOpen(t, url)
	before := commitID(t, db)
	event := func(commit string, sequence int, args ...any) {
		t.Helper()
		mustExec(t, db, fmt.Sprintf(`INSERT INTO events (commit_id, instance_id, aggregate_type, aggregate_id, sequence,
 event_type, owner, actor, created_at, payload) VALUES (%s, 'i', 'k', 'a', %d, 't', 'o', 'u', 0, '')`, commit, sequence), args...)
	}
	event(db.Dialect().CommitID, 1)
	offset := func() int64 { return mustNumber(t, db, `SELECT value FROM commit_offset`) }

	mustOpen(t, url)
	if offset() != 0 {
		t.Fatalf("the offset is %d though the log is the cluster's own", offset())
	}
	foreign := before + 1_000_000_000
	event("$1", 2, foreign)
	second := mustOpen(t, url)
	for _, node := range []*postgres.DB{second, db} { // a node that was running before counts on too
		if id := commitID(t, node); id <= foreign || id > foreign+1000 {
			t.Errorf("the next commit has number %d, want a little more than %d", id, foreign)
		}
	}
	raised := offset()
	event(db.Dialect().CommitID, 3)
	mustOpen(t, url)
	if offset() != raised {
		t.Errorf("opening again raised the offset from %d to %d", raised, offset())
	}
	settled, err := store.All(t.Context(), db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT sequence FROM events WHERE `+db.Dialect().Settled+` ORDER BY commit_id, log_number`)
	if err != nil || len(settled) < 2 || settled[0] != 1 || settled[1] != 2 {
		t.Errorf("settled events are %v, %v", settled, err)
	}
}

// TestSettledWaitsForRunning begins a transaction, commits a later one, and looks: the later one
// must not be settled before the earlier has ended.
func TestSettledWaitsForRunning(t *testing.T) {
	db := mustOpen(t, storetest.PostgresURL(t))
	mustExec(t, db, `CREATE TABLE entries (number BIGINT GENERATED ALWAYS AS IDENTITY, commit_id BIGINT, who TEXT)`)
	entry := `INSERT INTO entries (commit_id, who) VALUES (` + db.Dialect().CommitID + `, $1) RETURNING number`
	settled := func() string {
		t.Helper()
		who, err := store.All(t.Context(), db, func(row store.Scanner) (s string, err error) { return s, row.Scan(&s) },
			`SELECT who FROM entries WHERE `+db.Dialect().Settled+` ORDER BY commit_id, number`)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(who, " ")
	}
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if _, err := number(ctx, tx, entry, "early"); err != nil {
			return err
		}
		mustExec(t, db, strings.TrimSuffix(entry, ` RETURNING number`), "late")
		if n := mustNumber(t, db, `SELECT count(*) FROM entries`); n != 1 {
			t.Errorf("%d entries are visible, want the late one", n)
		}
		if got := settled(); got != "" {
			t.Errorf("settled while the early one is running: %q", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for give := time.Now().Add(patience); settled() != "early late"; {
		// Transactions of other tests on the same server can hold it back for a moment.
		if time.Now().After(give) {
			t.Fatalf("settled at last: %q, want early late", settled())
		}
	}
}

// terminate ends the server's side of a transaction's connection.
func terminate(ctx context.Context, t *testing.T, c *pgx.Conn, tx store.Tx) {
	t.Helper()
	pid, err := number(ctx, tx, `SELECT pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, `SELECT pg_terminate_backend($1, 10000)`, pid); err != nil {
		t.Fatal(err)
	}
}

func TestConnectionLostBeforeCommit(t *testing.T) {
	url := storetest.PostgresURL(t)
	db, c := mustOpen(t, url), admin(t, url)
	mustExec(t, db, `CREATE TABLE x (id BIGINT)`)
	runs := 0
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if runs++; runs == 1 {
			terminate(ctx, t, c, tx)
		}
		_, err := number(ctx, tx, `INSERT INTO x (id) VALUES (1) RETURNING id`)
		return err
	})
	if n := mustNumber(t, db, `SELECT count(*) FROM x`); err != nil || runs != 2 || n != 1 {
		t.Errorf("after %d runs there are %d rows, %v; want 2 and 1", runs, n, err)
	}
}

func TestConnectionLostInCommit(t *testing.T) {
	url := storetest.PostgresURL(t)
	db, c := mustOpen(t, url), admin(t, url)
	runs := 0
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		runs++
		terminate(ctx, t, c, tx)
		return tx.Exec(ctx, `DELETE FROM id_grants`)
	})
	if !errors.Is(err, store.ErrUnavailable) || runs != 1 {
		t.Errorf("after %d runs: %v; an unknown outcome must be reported, and not tried again", runs, err)
	}
}

func TestConnectionLostWhileIdle(t *testing.T) {
	url := storetest.PostgresURL(t)
	db, c := mustOpen(t, url), admin(t, url)
	mustExec(t, db, `CREATE TABLE x (id BIGINT)`)
	kill := func() {
		t.Helper()
		if _, err := c.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE pid <> pg_backend_pid() AND datname = current_database()`); err != nil {
			t.Fatal(err)
		}
	}
	kill()
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		_, err := number(ctx, tx, `INSERT INTO x (id) VALUES (1) RETURNING id`)
		return err
	})
	if err != nil {
		t.Errorf("a transaction that begins on a dead connection: %v", err)
	}
	if n := mustNumber(t, db, `SELECT count(*) FROM x`); n != 1 {
		t.Errorf("it has written %d rows, want 1", n)
	}
	kill()
	if n, err := number(t.Context(), db, `SELECT count(*) FROM x`); n != 1 || err != nil {
		t.Errorf("a query on a dead connection: %d, %v, want 1", n, err)
	}
}

// refusing makes a sequence runs and a function that counts itself there, whatever becomes of the
// transaction, and fails as the server does with a given SQLSTATE.
const refusing = `CREATE FUNCTION refuse(code TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('runs'); RAISE EXCEPTION 'refused' USING ERRCODE = code; END $$`

// TestAnswersAreNotTriedAgain: a server that cannot do a statement, but says so on a connection
// that stays, is asked once.
func TestAnswersAreNotTriedAgain(t *testing.T) {
	db, err := postgres.Open(t.Context(), postgres.Config{URL: storetest.PostgresURL(t), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	mustExec(t, db, `CREATE SEQUENCE runs`)
	mustExec(t, db, refusing)
	backend := mustNumber(t, db, `SELECT pg_backend_pid()`)
	check := func(what, sql string, args ...any) {
		t.Helper()
		for name, run := range map[string]func() error{
			"a query": func() error { _, err := number(t.Context(), db, sql, args...); return err },
			"an update": func() error {
				return db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
					_, err := number(ctx, tx, sql, args...)
					return err
				})
			},
		} {
			mustNumber(t, db, `SELECT setval('runs', 1, false)`)
			if err := run(); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, %s: %v, want ErrUnavailable", what, name, err)
			}
			if runs := mustNumber(t, db, `SELECT last_value FROM runs WHERE is_called`); runs != 1 {
				t.Errorf("%s, %s: run %d times, want once", what, name, runs)
			}
			if now := mustNumber(t, db, `SELECT pg_backend_pid()`); now != backend {
				t.Errorf("%s, %s: the connection was given up", what, name)
				backend = now
			}
		}
	}
	// Canceled, locked, read only, short of resources, cannot read or write, a fault of the server.
	for _, code := range []string{"57014", "55P03", "25006", "53000", "53100", "53200", "53300", "58030", "XX000"} {
		check(code, `SELECT refuse($1)`, code)
	}
	mustNumber(t, db, `SELECT length(set_config('statement_timeout', '200', false))`)
	check("statement_timeout", `SELECT nextval('runs') FROM (SELECT nextval('runs'), pg_sleep(20)) AS slow`)
}

// TestSignalsComeBack breaks the connection a node listens on; commits of another node must be
// heard again, and what was missed in between be made up for.
func TestSignalsComeBack(t *testing.T) {
	url := storetest.PostgresURL(t)
	here, there := mustOpen(t, url+"&application_name=here"), mustOpen(t, url)
	c := admin(t, url)
	signal, stop := here.Committed()
	defer stop()
	wait := func(what string) {
		t.Helper()
		select {
		case <-signal:
		case <-time.After(patience):
			t.Fatalf("no signal %s", what)
		}
	}
	wait("when listening has begun")
	mustExec(t, there, `CREATE TABLE x (id BIGINT)`)
	wait("after a commit of another node")
	for range 3 {
		tag, err := c.Exec(t.Context(), `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE application_name = 'here signals' AND datname = current_database()`)
		if err != nil {
			t.Fatal(err)
		}
		if tag.RowsAffected() != 1 {
			t.Fatalf("%d connections listen, want 1", tag.RowsAffected())
		}
		wait("after listening was interrupted")
		mustExec(t, there, `INSERT INTO x (id) VALUES (1)`)
		wait("after another commit")
	}
}

// tripCounter counts how often a connection waits for an answer to what it has sent.
type tripCounter struct {
	net.Conn
	sent  atomic.Bool
	trips *atomic.Int64
}

func (c *tripCounter) Write(p []byte) (int, error) {
	c.sent.Store(true)
	return c.Conn.Write(p)
}

func (c *tripCounter) Read(p []byte) (int, error) {
	if c.sent.Swap(false) {
		c.trips.Add(1)
	}
	return c.Conn.Read(p)
}

// TestRoundTrips counts round trips, once the statements are prepared.
func TestRoundTrips(t *testing.T) {
	var trips atomic.Int64
	var first sync.Once
	db, err := postgres.OpenDialing(t.Context(), storetest.PostgresURL(t),
		func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			first.Do(func() { conn = &tripCounter{Conn: conn, trips: &trips} }) // the pool's, not the notifier's
			return conn, err
		})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	mustExec(t, db, `CREATE TABLE x (id BIGINT)`)
	insert := func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, `INSERT INTO x (id) VALUES ($1)`, 1) }
	count := func(ctx context.Context, q store.Querier) error {
		_, err := number(ctx, q, `SELECT count(*) FROM x`)
		return err
	}
	update := func(fns ...func(context.Context, store.Tx) error) func() error {
		return func() error {
			return db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
				for _, fn := range fns {
					if err := fn(ctx, tx); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	read := func(ctx context.Context, tx store.Tx) error { return count(ctx, tx) }
	for _, c := range []struct {
		name string
		run  func() error
		want int64
	}{
		{"nothing", update(), 0},
		{"three writes", update(insert, insert, insert), 1},
		{"a read and two writes", update(read, insert, insert), 2},
		{"writes between reads", update(insert, read, insert, read, insert), 3},
		{"a read outside", func() error { return count(t.Context(), db) }, 1},
		{"a snapshot of two reads", func() error {
			return db.Snapshot(t.Context(), func(ctx context.Context, q store.Querier) error {
				return errors.Join(count(ctx, q), count(ctx, q))
			})
		}, 3},
	} {
		for range 2 { // the first prepares
			trips.Store(0)
			if err := c.run(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		if got := trips.Load(); got != c.want {
			t.Errorf("%s took %d round trips, want %d", c.name, got, c.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	const secret = "hunter2secret"
	for name, url := range map[string]string{
		"malformed":  "postgres://user:" + secret + "@host:notaport/db",
		"no server":  "postgres://user:" + secret + "@127.0.0.1:1/db?connect_timeout=2",
		"no such db": storetest.PostgresURL(t) + "&dbname=nowhere&password=" + secret,
	} {
		db, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		if err == nil {
			t.Errorf("%s: opened", name)
			err = db.Close()
		}
		if name != "malformed" && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		if strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestUnsuitableDatabaseIsRefused(t *testing.T) {
	url := storetest.EmptyPostgresURL(t)
	c := admin(t, url)
	name := "ascii_" + strings.ReplaceAll(c.Config().Database, "castellan_test_", "")
	if _, err := c.Exec(t.Context(), `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'SQL_ASCII'
 LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.Exec(context.Background(), `DROP DATABASE `+name); err != nil {
			t.Error(err)
		}
	})
	_, err := postgres.Open(t.Context(), postgres.Config{URL: strings.ReplaceAll(url, c.Config().Database, name)})
	if err == nil || !strings.Contains(err.Error(), "UTF8") {
		t.Errorf("got %v, want an error about the encoding", err)
	}
}

// TestWrongTypeIsNoOutage gives an argument that does not fit its column.
func TestWrongTypeIsNoOutage(t *testing.T) {
	db := mustOpen(t, storetest.PostgresURL(t))
	mustExec(t, db, `CREATE TABLE x (id TEXT, n BIGINT)`)
	runs := 0
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		runs++
		return tx.Exec(ctx, `INSERT INTO x (n) VALUES ($1)`, true)
	})
	if err == nil || errors.Is(err, store.ErrUnavailable) || runs != 1 {
		t.Errorf("after %d runs: %v; want an error that blames the statement", runs, err)
	}
	mustExec(t, db, `INSERT INTO x (n) VALUES ($1)`, 1)
}
