package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"castellan/internal/store"
)

func mustOpen(t *testing.T, cfg Config) *DB {
	t.Helper()
	db, err := Open(t.Context(), cfg)
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

func mustExec(t *testing.T, db *DB, sql string, args ...any) {
	t.Helper()
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) })
	if err != nil {
		t.Fatal(err)
	}
}

func number(ctx context.Context, q store.Querier, sql string, args ...any) (int64, error) {
	return store.One(ctx, q, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) }, sql, args...)
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	dir := filepath.Join(t.TempDir(), "new", "dir")
	path := filepath.Join(dir, "castellan.db")
	db := mustOpen(t, Config{Path: path})
	mustExec(t, db, `CREATE TABLE x (id TEXT) STRICT`)
	for name, want := range map[string]fs.FileMode{
		dir: 0o700, filepath.Dir(dir): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(name), got, want)
		}
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"with space", "a?mode=memory", "100%", "%41", "a#b", "a&b;c=d", "Zürich", "it's", "file:x"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		db := mustOpen(t, Config{Path: path})
		mustExec(t, db, `CREATE TABLE x (id TEXT) STRICT`)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 || files[0].Name() != name {
			t.Errorf("opening %q left %v, %v", name, files, err)
		}
	}
}

func TestNoDatabase(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("this is not a database, but long enough to have a header of one hundred bytes: "+
		"it would be a pity to overwrite it"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"garbage": garbage, "a directory": t.TempDir(), "below a file": garbage + "/db", "nothing": ""} {
		db, err := Open(t.Context(), Config{Path: path, BusyTimeout: time.Millisecond})
		if err == nil {
			err = db.Close()
			t.Errorf("opened %s, closing returned %v", name, err)
		} else if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// TestOpenedByManyAtOnce lets programs start at the same time on a file that is not there yet.
func TestOpenedByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "castellan.db")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			db, err := Open(t.Context(), Config{Path: path})
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

// TestFailedMigrationLeavesNothing runs the migrations on a file that has a table in their way.
func TestFailedMigrationLeavesNothing(t *testing.T) {
	f := file{path: filepath.Join(t.TempDir(), "castellan.db"), busy: time.Second}
	c, err := f.connect()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.exec(`CREATE TABLE events (id TEXT) STRICT`), c.close()); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Config{Path: f.path}); err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, %v, want the error of the migration", db, err)
	}
	if c, err = f.connect(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.number(`SELECT count(*) FROM sqlite_schema WHERE type = 'table'`); err != nil || n != 1 {
		t.Errorf("afterwards there are %d tables, %v, want the one from before", n, err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

// TestAnsweredIsDurable copies the files as they are on disk after each answer, as if the machine
// had stopped then, and opens the copy.
func TestAnsweredIsDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "castellan.db")
	db := mustOpen(t, Config{Path: path})
	mustExec(t, db, `CREATE TABLE x (id INTEGER) STRICT`)
	for i := range int64(10) {
		mustExec(t, db, `INSERT INTO x (id) VALUES ($1)`, i)
		twin := filepath.Join(t.TempDir(), "copy.db")
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(twin+suffix, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := number(t.Context(), mustOpen(t, Config{Path: twin}), `SELECT count(*) FROM x`); err != nil || n != i+1 {
			t.Errorf("after %d answers the copy holds %d rows, %v", i+1, n, err)
		}
	}
}

// TestLogIsMovedToTheFile writes much more than the log may hold.
func TestLogIsMovedToTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "castellan.db")
	db := mustOpen(t, Config{Path: path})
	mustExec(t, db, `CREATE TABLE x (data BLOB) STRICT`)
	const page = 4096
	chunk := make([]byte, 256*page)
	for range 4 * checkpointAt / 256 {
		mustExec(t, db, `INSERT INTO x (data) VALUES ($1)`, chunk)
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if limit := int64(checkpointAt * page * 3 / 2); info.Size() > limit {
		t.Errorf("the log has grown to %d bytes, want at most %d", info.Size(), limit)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Close left the log: %v", err)
	}
}

func TestReadersAreBounded(t *testing.T) {
	db := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "castellan.db"), Readers: 2})
	var held []store.Rows
	for range 2 {
		rows, err := db.Query(t.Context(), `SELECT slot FROM id_grants`)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, rows)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := number(ctx, db, `SELECT 1`); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third read: %v, want the ctx's error", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := number(t.Context(), db, `SELECT 1`)
		waiting <- err
	}()
	held[0].Close()
	if err := <-waiting; err != nil {
		t.Errorf("a read after another has ended: %v", err)
	}
	held[1].Close()
}

func TestReadersCannotWrite(t *testing.T) {
	db := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "castellan.db")})
	if _, err := number(t.Context(), db, `DELETE FROM id_grants RETURNING slot`); err == nil {
		t.Error("a query outside of Update has written")
	}
	if n, err := number(t.Context(), db, `SELECT count(*) FROM id_grants`); err != nil || n != 1024 {
		t.Errorf("id_grants has %d rows, %v", n, err)
	}
}

// TestSlowStatementIsInterrupted runs a statement that was slow before, and now would take years.
func TestSlowStatementIsInterrupted(t *testing.T) {
	db := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "castellan.db"), Readers: 1})
	const count = `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < $1) SELECT count(*) FROM c`
	if n, err := number(t.Context(), db, count, 200_000); err != nil || n != 200_000 {
		t.Fatal(n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if n, err := number(ctx, db, count, int64(1)<<60); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %d, %v, want the ctx's error", n, err)
	}
	if n, err := number(t.Context(), db, count, 10); err != nil || n != 10 {
		t.Errorf("the connection afterwards: %d, %v", n, err)
	}
}

func TestPreparedStatementsAreBounded(t *testing.T) {
	db := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "castellan.db"), Readers: 1})
	for i := range maxStatements + 10 {
		if n, err := number(t.Context(), db, fmt.Sprintf(`SELECT %d`, i)); err != nil || n != int64(i) {
			t.Fatal(n, err)
		}
	}
	c := db.readers.pop()
	defer func() { db.readers.idle = append(db.readers.idle, c) }()
	if n := len(c.stmts); n == 0 || n > maxStatements {
		t.Errorf("%d statements are prepared, want at most %d", n, maxStatements)
	}
}

// TestLogIsReadFromAPosition: whoever follows the log does not read again what it has seen.
func TestLogIsReadFromAPosition(t *testing.T) {
	db := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "castellan.db")})
	plan, err := store.One(t.Context(), db, func(row store.Scanner) (step string, err error) {
		var id, parent, unused int64
		return step, row.Scan(&id, &parent, &unused, &step)
	}, `EXPLAIN QUERY PLAN SELECT event_type FROM events WHERE `+db.Dialect().After("$1", "$2")+` AND `+db.Dialect().Settled+`
 ORDER BY commit_id, log_number LIMIT $3`, 0, 7, 10)
	if err != nil || !strings.Contains(plan, "commit_id=? AND log_number>?") {
		t.Errorf("the plan is %q, %v", plan, err)
	}
}

// TestShrink: a connection that has given back its cache works as before, and a writer that has none gives back
// nothing.
func TestShrink(t *testing.T) {
	w := writer{file: file{path: filepath.Join(t.TempDir(), "castellan.db"), busy: time.Second}}
	w.shrink()
	if err := w.connect(); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`CREATE TABLE x (n INTEGER) STRICT`, `INSERT INTO x VALUES (1)`, `INSERT INTO x VALUES (2)`} {
		w.shrink()
		if err := w.conn.exec(sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// TestReadersThatNobodyNeedsAreClosed: those of a busy time do not keep their caches for ever, and those that are
// used stay.
func TestReadersThatNobodyNeedsAreClosed(t *testing.T) {
	db := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "castellan.db"), Readers: 4})
	use := func(n int) {
		t.Helper()
		taken := make([]*conn, n)
		for i := range taken {
			c, err := db.readers.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			taken[i] = c
		}
		for _, c := range taken {
			db.readers.put(c)
		}
	}
	before := false
	for i, step := range []struct {
		used, left int
		again      bool // there will be another trim
	}{
		{4, 4, true}, {2, 2, true}, {2, 2, true}, {1, 1, true}, {3, 3, true}, {0, 1, false}, {0, 1, false}, {1, 1, true},
	} {
		use(step.used)
		db.readers.mu.Lock()
		due := db.readers.trimming != nil && db.readers.trimming.Stop() // it is called here
		db.readers.mu.Unlock()
		if due != (before || step.used > 0) {
			t.Errorf("step %d: a trim is due: %v", i+1, due)
		}
		before = step.again
		db.readers.trim()
		if left, again := len(db.readers.idle), db.readers.trimming != nil; left != step.left || again != step.again {
			t.Errorf("step %d: %d are left, another trim: %v; want %d, %v", i+1, left, again, step.left, step.again)
		}
	}
	if n, err := number(t.Context(), db, `SELECT 7`); err != nil || n != 7 {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}
