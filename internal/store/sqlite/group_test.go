package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"castellan/internal/store"
)

// workbench is a writer whose goroutine is the test, so that a test says who is in a group.
type workbench struct {
	*writer
	commits int
}

func newWorkbench(t *testing.T) *workbench {
	t.Helper()
	path, err := create(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	b := &workbench{}
	b.writer = &writer{
		file: file{path: path, busy: 20 * time.Millisecond}, committed: func() { b.commits++ },
		turns: make(chan *turn, 2*groupLimit), stop: make(chan struct{}),
	}
	b.run(t, func(ctx context.Context, tx store.Tx) error {
		return tx.Exec(ctx, `CREATE TABLE rows (id TEXT NOT NULL PRIMARY KEY) STRICT`)
	})
	b.commits = 0
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

type txFunc = func(ctx context.Context, tx store.Tx) error

// run lets functions wait for their turn, in this order, and then serves until nobody waits. It
// returns the answers.
func (b *workbench) run(t *testing.T, fns ...txFunc) []error {
	t.Helper()
	answers := make([]chan error, len(fns))
	for i, fn := range fns {
		answers[i] = make(chan error, 1)
		go func() {
			defer func() {
				if v := recover(); v != nil {
					answers[i] <- v.(error)
				}
			}()
			answers[i] <- b.update(t.Context(), t.Context(), fn)
		}()
		for len(b.turns) <= i { // there is no signal for "blocked on a channel"
			runtime.Gosched()
		}
	}
	for len(b.turns) > 0 {
		b.group(<-b.turns)
	}
	errs := make([]error, len(fns))
	for i, c := range answers {
		errs[i] = <-c
	}
	return errs
}

// ids returns what is in the table, as another connection sees it.
func (b *workbench) ids(t *testing.T) string {
	t.Helper()
	c, err := b.file.connect()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := store.All(t.Context(), querier{c}, func(row store.Scanner) (id string, err error) {
		return id, row.Scan(&id)
	}, `SELECT id FROM rows ORDER BY id`)
	if err := errors.Join(err, c.close()); err != nil {
		t.Fatal(err)
	}
	return strings.Join(ids, " ")
}

func add(ids ...string) txFunc {
	return func(ctx context.Context, tx store.Tx) error {
		for _, id := range ids {
			if err := tx.Exec(ctx, `INSERT INTO rows (id) VALUES ($1)`, id); err != nil {
				return err
			}
		}
		return nil
	}
}

var errMine = errors.New("refused")

// addThen writes and then does something else.
func addThen(id string, then txFunc) txFunc {
	return func(ctx context.Context, tx store.Tx) error {
		if err := add(id)(ctx, tx); err != nil {
			return err
		}
		return then(ctx, tx)
	}
}

func refuse(context.Context, store.Tx) error { return errMine }

func want(t *testing.T, b *workbench, errs []error, targets []error, ids string, commits int) {
	t.Helper()
	for i, err := range errs {
		if !errors.Is(err, targets[i]) || targets[i] == nil && err != nil {
			t.Errorf("transaction %d returns %v, want %v", i, err, targets[i])
		}
	}
	if got := b.ids(t); got != ids {
		t.Errorf("the table holds %q, want %q", got, ids)
	}
	if b.commits != commits {
		t.Errorf("%d commits, want %d", b.commits, commits)
	}
}

func TestGroupSharesACommit(t *testing.T) {
	b := newWorkbench(t)
	want(t, b, b.run(t, add("a"), add("b"), add("c")), []error{nil, nil, nil}, "a b c", 1)
	want(t, b, b.run(t, add("d")), []error{nil}, "a b c d", 2)
}

func TestGroupIsBounded(t *testing.T) {
	b := newWorkbench(t)
	fns := slices.Repeat([]txFunc{func(context.Context, store.Tx) error { return nil }}, groupLimit+1)
	want(t, b, b.run(t, fns...), make([]error, len(fns)), "", 2)
}

func TestFailureLeavesNeighbours(t *testing.T) {
	b := newWorkbench(t)
	panicking := addThen("p", func(context.Context, store.Tx) error { panic(errMine) })
	open := addThen("o", func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Query(ctx, `SELECT id FROM rows`) // never closed
		return err
	})
	want(t, b, b.run(t, add("a"), addThen("b", refuse), add("c"), panicking, open, add("d")),
		[]error{nil, errMine, nil, errMine, nil, nil}, "a c d o", 1)
}

func TestFirstFailureNeedsNoCommit(t *testing.T) {
	b := newWorkbench(t)
	want(t, b, b.run(t, addThen("a", refuse), addThen("b", refuse)), []error{errMine, errMine}, "", 0)
	want(t, b, b.run(t, addThen("a", refuse), add("b"), addThen("c", refuse)), []error{errMine, nil, errMine}, "b", 1)
}

func TestConflictInGroup(t *testing.T) {
	b := newWorkbench(t)
	errs := b.run(t, add("a"), add("b", "a"), add("c"))
	if !store.ConflictIn(errs[1], "rows") {
		t.Errorf("the second returns %v, want a conflict with what the first has not yet committed", errs[1])
	}
	want(t, b, []error{errs[0], errs[2]}, []error{nil, nil}, "a c", 1)
}

// TestBrokenGroupIsLost fills the disk, as SQLite sees it, in the middle of a group. Those in the
// group so far lose their writes and are told; the next go on with a new connection.
func TestBrokenGroupIsLost(t *testing.T) {
	b := newWorkbench(t)
	fill := func(ctx context.Context, tx store.Tx) error {
		c := tx.(*session).conn
		if err := c.exec(`PRAGMA max_page_count = 1`); err != nil {
			return err
		}
		if err := add(strings.Repeat("x", 1<<20))(ctx, tx); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("writing to a full disk: %v, want ErrUnavailable", err)
		}
		return nil // and Update must say so nevertheless
	}
	want(t, b, b.run(t, add("a"), addThen("b", fill), add("c")),
		[]error{store.ErrUnavailable, store.ErrUnavailable, nil}, "c", 1)
	want(t, b, b.run(t, addThen("d", fill), add("e")), []error{store.ErrUnavailable, nil}, "c e", 2)
}

// TestFailedCommitIsTold makes COMMIT fail. Nobody in the group may take their writes for kept,
// nor an error for final that may rest on them.
func TestFailedCommitIsTold(t *testing.T) {
	b := newWorkbench(t)
	b.run(t, func(ctx context.Context, tx store.Tx) error {
		return tx.Exec(ctx, `CREATE TABLE children (id TEXT REFERENCES rows (id) DEFERRABLE INITIALLY DEFERRED) STRICT`)
	})
	b.commits = 0
	if err := b.conn.exec(`PRAGMA foreign_keys = ON`); err != nil {
		t.Fatal(err)
	}
	orphan := func(ctx context.Context, tx store.Tx) error {
		return tx.Exec(ctx, `INSERT INTO children (id) VALUES ('nobody')`)
	}
	want(t, b, b.run(t, add("a"), orphan, addThen("b", refuse)),
		slices.Repeat([]error{store.ErrUnavailable}, 3), "", 0)
	want(t, b, b.run(t, add("c")), []error{nil}, "c", 1)
}

// TestBusyRefusesAllWaiting lets another process hold the file.
func TestBusyRefusesAllWaiting(t *testing.T) {
	b := newWorkbench(t)
	other, err := b.file.connect()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	want(t, b, b.run(t, add("a"), add("b"), add("c")), slices.Repeat([]error{store.ErrUnavailable}, 3), "", 0)
	if took := time.Since(start); took >= 3*b.file.busy+time.Second {
		t.Errorf("three callers waited %s, longer than one timeout", took)
	}
	if err := errors.Join(other.exec(`ROLLBACK`), other.close()); err != nil {
		t.Fatal(err)
	}
	want(t, b, b.run(t, add("a"), add("b")), []error{nil, nil}, "a b", 1)
}
