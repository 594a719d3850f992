package logtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// CheckFold fails t unless the tables of all nouns of log hold exactly the rows that a
// rebuild from the log gives. Nothing may write to db meanwhile; nothing of the check
// remains.
func CheckFold(t testing.TB, db store.DB, log *eventlog.Log) {
	t.Helper()
	differences, err := Differences(t.Context(), db, log)
	if err != nil {
		t.Fatalf("check the fold: %v", err)
	}
	for _, d := range differences {
		t.Errorf("state is not the fold of its events: %s", d)
	}
	unowned, err := log.Unowned(t.Context(), db)
	if err != nil {
		t.Fatalf("check the fold: %v", err)
	}
	for _, table := range unowned {
		t.Errorf("table %s has rows of an aggregate that has no events", table)
	}
}

// Difference is a table whose rows are not the fold of the log.
type Difference struct {
	Table string
	// Saved counts the rows the table has and a rebuild does not give, Folded the reverse. A
	// row with another value counts in both.
	Saved, Folded int64
}

// String says the difference in words.
func (d Difference) String() string {
	return fmt.Sprintf("table %s: %d rows a rebuild does not give, %d rows missing", d.Table, d.Saved, d.Folded)
}

// errUndo ends the transaction of a check.
var errUndo = errors.New("logtest: nothing of a check is kept")

// Differences returns the tables whose rows are not what a rebuild gives. It returns the
// errors of [eventlog.Log.Rebuild] and [store.DB.Update].
func Differences(ctx context.Context, db store.DB, log *eventlog.Log) ([]Difference, error) {
	var found []Difference
	err := db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		found = nil
		for i, table := range log.Tables() {
			// What removed instances have left is no state; it is reclaimed in its time.
			sql := "CREATE TEMP TABLE " + copyOf(i) + " AS SELECT * FROM " + table +
				" WHERE instance_id NOT IN (SELECT instance_id FROM removals)"
			if err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("copy %s: %w", table, err)
			}
		}
		if _, err := log.Rebuild(ctx, tx); err != nil {
			return err
		}
		for i, table := range log.Tables() {
			d, err := compare(ctx, tx, table, copyOf(i))
			if err != nil {
				return err
			}
			if d.Saved+d.Folded > 0 {
				found = append(found, d)
			}
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		return nil, err
	}
	return found, nil
}

// copyOf names the copy of the table with a number. The names are few, so that engines do
// not prepare ever more statements.
func copyOf(i int) string { return fmt.Sprintf("logtest_saved_%d", i) }

// compare counts in both directions. Every table has a primary key, so no row is twice in it
// and EXCEPT loses none.
func compare(ctx context.Context, tx store.Tx, table, saved string) (Difference, error) {
	d := Difference{Table: table}
	const sql = "SELECT count(*) FROM (SELECT * FROM %s EXCEPT SELECT * FROM %s) AS difference"
	count := func(a, b string) (int64, error) {
		n, err := store.One(ctx, tx, scanCount, fmt.Sprintf(sql, a, b))
		if err != nil {
			return 0, fmt.Errorf("compare %s: %w", table, err)
		}
		return n, nil
	}
	var err error
	if d.Saved, err = count(saved, table); err != nil {
		return d, err
	}
	d.Folded, err = count(table, saved)
	return d, err
}

func scanCount(row store.Scanner) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}

// Types returns the types of all events an instance has, in the order of the log.
func Types(t testing.TB, db store.DB, log *eventlog.Log, instance ident.InstanceID) []string {
	t.Helper()
	const page = 100
	var types []string
	var after eventlog.Position
	for {
		events, err := log.Of(t.Context(), db, instance, after, page)
		if err != nil {
			t.Fatalf("list the events of instance %s: %v", instance, err)
		}
		for _, e := range events {
			types = append(types, e.Type)
			after = e.Position
		}
		if len(events) < page {
			return types
		}
	}
}
