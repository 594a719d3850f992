package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"castellan/internal/store"
)

// transactionCases are what one transaction must keep.
var transactionCases = []conformanceCase{
	{"CommitIsVisible", commitIsVisible},
	{"ErrorRollsBack", errorRollsBack},
	{"ConflictNamesTable", conflictNamesTable},
	{"ConflictRollsBack", conflictRollsBack},
	{"FailedStatementFailsTransaction", failedStatementFailsTransaction},
	{"WrongStatementIsNoOutage", wrongStatementIsNoOutage},
	{"PanicRollsBack", panicRollsBack},
	{"GoexitRollsBack", goexitRollsBack},
	{"NestedUpdateIsRefused", nestedUpdateIsRefused},
	{"OneResultAtATime", oneResultAtATime},
	{"ArgumentsMayBeReused", argumentsMayBeReused},
	{"ManyStatements", manyStatements},
	{"ReadsOwnWrites", readsOwnWrites},
	{"OverIsOver", overIsOver},
}

// commitIsVisible reads after every commit, from another goroutine and another node.
func commitIsVisible(s *suite) {
	handles := map[string]store.DB{"the same handle": s.db}
	if s.engine.MultiNode {
		handles["another node"] = s.database.Open(s)
	}
	s.mustExec(insert, "a", 0)
	for want := range int64(20) {
		s.mustExec(`UPDATE things SET n = $1 WHERE id = 'a'`, want)
		for name, db := range handles {
			got := receive(s, "a read", spawnValue(func() (int64, error) {
				return one[int64](s.Context(), db, `SELECT n FROM things WHERE id = $1`, "a")
			}))
			if got.err != nil || got.v != want {
				s.Fatalf("%s reads %d, %v after the commit of %d", name, got.v, got.err, want)
			}
		}
	}
}

// result is a value or an error.
type result[T any] struct {
	v   T
	err error
}

// spawnValue runs fn in a goroutine and returns where its result arrives.
func spawnValue[T any](fn func() (T, error)) <-chan result[T] {
	c := make(chan result[T], 1)
	go func() {
		v, err := fn()
		c <- result[T]{v, err}
	}()
	return c
}

// errorRollsBack fails before and after the writes have reached the database.
func errorRollsBack(s *suite) {
	for _, sent := range []bool{false, true} {
		err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := tx.Exec(ctx, insert, "a", 1); err != nil {
				return err
			}
			if sent { // a query makes sure that what was held back has reached the database
				if _, err := one[int64](ctx, tx, `SELECT count(*) FROM things`); err != nil {
					return err
				}
			}
			return fmt.Errorf("wrapped: %w", errMine)
		})
		s.mustBe(err, errMine)
		s.wantThings(0)
	}
}

// conflictNamesTable breaks every kind of uniqueness, by statements held back and not.
func conflictNamesTable(s *suite) {
	s.mustExec(`INSERT INTO things (id, label) VALUES ('a', 'first')`)
	s.mustExec(`INSERT INTO names (name) VALUES ('Alice')`)
	for _, c := range []struct{ name, table, sql string }{
		{"primary key", "things", `INSERT INTO things (id) VALUES ('a')`},
		{"unique index", "things", `INSERT INTO things (id, label) VALUES ('b', 'first')`},
		{"update", "things", `UPDATE things SET label = 'first' WHERE id = 'z'`},
		{"index on an expression", "names", `INSERT INTO names (name) VALUES ('ALICE')`},
	} {
		s.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, engine: s.engine, database: s.database, db: s.db}
			if c.name == "update" {
				s.mustExec(`INSERT INTO things (id, label) VALUES ('z', 'last')`)
			}
			queued := s.exec(c.sql)
			if !store.ConflictIn(queued, c.table) {
				t.Errorf("Exec: %v, want a conflict in %s", queued, c.table)
			}
			asked := s.db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
				_, err := one[int64](ctx, tx, c.sql+` RETURNING 1`)
				return err
			})
			if !store.ConflictIn(asked, c.table) {
				t.Errorf("Query: %v, want a conflict in %s", asked, c.table)
			}
			if errors.Is(queued, store.ErrUnavailable) {
				t.Errorf("a conflict is taken for an outage: %v", queued)
			}
		})
	}
}

// conflictRollsBack looks for what a transaction wrote before its conflict.
func conflictRollsBack(s *suite) {
	s.mustExec(insert, "taken", 1)
	err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Exec(ctx, insert, "new", 1), tx.Exec(ctx, insert, "taken", 2))
	})
	if !store.ConflictIn(err, "things") {
		s.Errorf("got %v, want a conflict", err)
	}
	s.wantThings(1)
}

// failedStatementFailsTransaction ignores an error, which PostgreSQL would not allow.
func failedStatementFailsTransaction(s *suite) {
	s.mustExec(insert, "taken", 1)
	err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
		_, first := one[string](ctx, tx, insert+` RETURNING id`, "taken", 2)
		if !store.ConflictIn(first, "things") {
			s.Errorf("the query returns %v, want a conflict", first)
		}
		if second := tx.Exec(ctx, insert, "new", 1); !errors.Is(second, first) {
			s.Errorf("a statement after the failed one returns %v, want %v", second, first)
		}
		return nil // the failure is not passed on, and must come out all the same
	})
	if !store.ConflictIn(err, "things") {
		s.Errorf("got %v, want the conflict", err)
	}
	s.wantThings(1)
}

// wrongStatementIsNoOutage makes mistakes: a caller must not be told to try again later.
func wrongStatementIsNoOutage(s *suite) {
	check := func(what string, err error) {
		var conflict *store.ConflictError
		if err == nil || errors.Is(err, store.ErrUnavailable) || errors.As(err, &conflict) || errors.Is(err, store.ErrSerialization) {
			s.Errorf("%s: got %v, want an error that blames the statement", what, err)
		}
	}
	_, err := one[int64](s.Context(), s.db, `SELECT nonsense FROM nowhere`)
	check("query", err)
	check("exec", s.exec(`DELETE FROM nowhere`))
	check("missing value", s.exec(`INSERT INTO things (n) VALUES (1)`))
	check("type of an argument", s.exec(insert, "a", struct{ X int }{1}))
	check("snapshot", s.db.Snapshot(s.Context(), func(ctx context.Context, q store.Querier) error {
		_, err := one[int64](ctx, q, `SELECT nonsense FROM nowhere`)
		return err
	}))
	s.mustExec(insert, "a", 1) // and nothing is broken
	s.wantThings(1)
}

// panicRollsBack panics in a transaction and expects the same panic outside.
func panicRollsBack(s *suite) {
	for name, run := range map[string]func(fn func()) error{
		"update": func(fn func()) error {
			return s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
				if _, err := one[string](ctx, tx, insert+` RETURNING id`, "a", 1); err != nil {
					return err
				}
				fn()
				return nil
			})
		},
		"snapshot": func(fn func()) error {
			return s.db.Snapshot(s.Context(), func(ctx context.Context, q store.Querier) error { fn(); return nil })
		},
	} {
		func() {
			defer func() {
				if v, ok := recover().(error); !ok || !errors.Is(v, errMine) {
					s.Errorf("%s: recovered %v, want the panic of the function", name, v)
				}
			}()
			s.Errorf("%s returned %v despite the panic", name, run(func() { panic(errMine) }))
		}()
	}
	s.mustExec(insert, "b", 1)
	s.wantThings(1)
}

// goexitRollsBack is what t.FailNow in a transaction does.
func goexitRollsBack(s *suite) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := tx.Exec(ctx, insert, "a", 1); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		})
	}()
	receive(s, "the goroutine to end", ended)
	s.mustExec(insert, "b", 1)
	s.wantThings(1)
}

// nestedUpdateIsRefused would wait for itself on an engine with one writer.
func nestedUpdateIsRefused(s *suite) {
	err := s.db.Update(s.Context(), func(ctx context.Context, _ store.Tx) error {
		return s.db.Update(ctx, func(context.Context, store.Tx) error {
			s.Error("the inner function ran")
			return nil
		})
	})
	s.mustBe(err, store.ErrNested)
}

// oneResultAtATime tries a second statement while rows are open, and leaves rows open.
func oneResultAtATime(s *suite) {
	for i := range 3 {
		s.mustExec(insert, key(i), i)
	}
	const all = `SELECT id FROM things ORDER BY id`
	second := func(ctx context.Context, q store.Querier) error {
		rows, err := q.Query(ctx, all)
		if err != nil {
			return err
		}
		if !rows.Next() {
			return errors.New("no rows")
		}
		if _, err := q.Query(ctx, all); err == nil {
			s.Error("a second query ran while rows were open")
		}
		rows.Close()
		rows.Close() // twice is harmless
		if rows.Next() {
			s.Error("closed rows go on")
		}
		if keys, err := column[string](ctx, q, all); err != nil || len(keys) != 3 {
			s.Errorf("after closing the rows: %v, %v", keys, err)
		}
		_, err = q.Query(ctx, all) // left open: the transaction closes it
		return err
	}
	if err := s.db.Snapshot(s.Context(), second); err != nil {
		s.Errorf("snapshot: %v", err)
	}
	err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error { return second(ctx, tx) })
	if err != nil {
		s.Errorf("update: %v", err)
	}
}

// argumentsMayBeReused changes arguments after Exec, while the statement may be held back.
func argumentsMayBeReused(s *suite) {
	err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
		data, args := []byte{0}, make([]any, 2)
		for i := range 3 {
			data[0] = byte(i)
			args[0], args[1] = key(i), data
			if err := tx.Exec(ctx, `INSERT INTO things (id, data) VALUES ($1, $2)`, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	stored, err := column[[]byte](s.Context(), s.db, `SELECT data FROM things ORDER BY id`)
	if got := fmt.Sprint(stored); err != nil || got != "[[0] [1] [2]]" {
		s.Errorf("stored %s, %v", got, err)
	}
}

// manyStatements are more than an engine would hold back or prepare.
func manyStatements(s *suite) {
	const count = 1500
	err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
		for i := range count {
			if err := tx.Exec(ctx, insert, fmt.Sprint(i), i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	s.wantThings(count)
	err = s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
		for i := range count {
			if err := tx.Exec(ctx, insert, fmt.Sprint("again-", i%(count-1)), i); err != nil {
				return err
			}
		}
		return nil
	})
	if !store.ConflictIn(err, "things") {
		s.Errorf("got %v, want the conflict of the last statement", err)
	}
	s.wantThings(count)
}

// readsOwnWrites reads between writes, inside and outside.
func readsOwnWrites(s *suite) {
	err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
		for i := range 3 {
			if err := tx.Exec(ctx, insert, key(i), i); err != nil {
				return err
			}
			if n, err := one[int64](ctx, tx, `SELECT count(*) FROM things`); err != nil || n != int64(i)+1 {
				s.Errorf("read %d own rows, %v, want %d", n, err, i+1)
			}
			if n, err := one[int64](ctx, s.db, `SELECT count(*) FROM things`); err != nil || n != 0 {
				s.Errorf("others read %d rows, %v, before the commit", n, err)
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	s.wantThings(3)
}

// overIsOver keeps a transaction and a snapshot and uses them later, when their connections
// serve others.
func overIsOver(s *suite) {
	var kept store.Tx
	var reader store.Querier
	err := errors.Join(
		s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
			kept = tx
			return tx.Exec(ctx, insert, "a", 1)
		}),
		s.db.Snapshot(s.Context(), func(_ context.Context, q store.Querier) error {
			reader = q
			return nil
		}))
	if err != nil {
		s.Fatal(err)
	}
	if err := kept.Exec(s.Context(), insert, "b", 1); err == nil {
		s.Error("a transaction writes after its end")
	}
	for what, q := range map[string]store.Querier{"transaction": kept, "snapshot": reader} {
		if _, err := q.Query(s.Context(), `SELECT 1`); err == nil {
			s.Errorf("a %s reads after its end", what)
		}
	}
	s.wantThings(1)
}
