package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// rebuild rebuilds all tables and returns the number of events folded.
func (f *fixture) rebuild(log *eventlog.Log) (n int) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		n, err = log.Rebuild(ctx, tx)
		return err
	}))
	return n
}

// rows returns every row of both tables as text.
func (f *fixture) rows() []string {
	f.Helper()
	all, err := store.All(f.Context(), f.db, func(row store.Scanner) (string, error) {
		var c [6]string
		var n [2]int64
		err := row.Scan(&c[0], &c[1], &c[2], &c[3], &n[0], &n[1])
		return fmt.Sprint(c, n), err
	}, `SELECT instance_id, shelf_id, owner, name, sequence, created_at + changed_at FROM shelves
 UNION ALL SELECT instance_id, shelf_id, thing, note, 0, 0 FROM shelf_things ORDER BY 1, 2, 3, 4`)
	f.must(err)
	return all
}

func TestRebuildGivesTheSameRows(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		a := f.begin("1", "a", "x", "y")
		b := f.begin("1", "b", "z")
		f.begin("2", "a", "x")
		f.mustAppend(a, thingTaken{Thing: "x"}, thingPut{Thing: "y", Note: "red"})
		f.mustAppend(b, shelfRemoved{})
		want := f.rows()
		if len(want) != 4 {
			f.Fatalf("%d rows before the rebuild, want 4: %v", len(want), want)
		}
		f.exec(`DELETE FROM shelf_things`)
		f.exec(`UPDATE shelves SET name = 'forged'`)
		f.exec(`INSERT INTO shelves SELECT instance_id, 'extra', owner, name, sequence, created_at, changed_at FROM shelves WHERE instance_id = '2'`)
		if n := f.rebuild(f.log); n != 10 {
			f.Errorf("%d events folded, want 10", n)
		}
		if diff := cmp.Diff(want, f.rows()); diff != "" {
			f.Errorf("rows after the rebuild (-want +got):\n%s", diff)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// More events than a rebuild holds at once, in aggregates that cross the pages.
func TestRebuildOfManyEvents(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		s := f.begin("1", "a")
		var puts []eventlog.Payload
		for i := range 1500 {
			puts = append(puts, thingPut{Thing: fmt.Sprint(i % 50), Note: fmt.Sprint(i)})
		}
		f.mustAppend(s, puts...)
		f.begin("1", "b", "last")
		want := f.rows()
		if n := f.rebuild(f.log); n != 1503 {
			f.Errorf("%d events folded, want 1503", n)
		}
		if diff := cmp.Diff(want, f.rows()); diff != "" {
			f.Errorf("rows after the rebuild (-want +got):\n%s", diff)
		}
	})
}

// A fold that differs from the one that wrote is found: the check can fail.
func TestCheckFoldFindsAnotherFold(t *testing.T) {
	folds := map[string]func(s shelf, e eventlog.Event) shelf{
		"another value": func(s shelf, e eventlog.Event) shelf {
			s = applyShelf(s, e)
			s.Name += "!"
			return s
		},
		"a row too few": func(s shelf, e eventlog.Event) shelf {
			s = applyShelf(s, e)
			delete(s.Things, "x")
			return s
		},
		"a row too many": func(s shelf, e eventlog.Event) shelf {
			s = applyShelf(s, e)
			s.Things["extra"] = ""
			return s
		},
	}
	want := map[string][]logtest.Difference{
		"another value":  {{Table: "shelves", Saved: 1, Folded: 1}},
		"a row too few":  {{Table: "shelf_things", Saved: 1}},
		"a row too many": {{Table: "shelf_things", Folded: 1}},
	}
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a", "x", "y")
		for name, fold := range folds {
			log := f.newLog(declareShelf(func(n *eventlog.Noun[shelf]) { n.Apply = fold }))
			got, err := logtest.Differences(f.Context(), f.db, log)
			f.must(err)
			if diff := cmp.Diff(want[name], got); diff != "" {
				f.Errorf("%s: differences (-want +got):\n%s", name, diff)
			}
		}
		logtest.CheckFold(f, f.db, f.log) // nothing of the checks is kept
	})
}

// What belongs to an instance whose key is destroyed can be listed, and not read.
func TestDestroyedKey(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		f.begin("1", "a", "x")
		f.begin("2", "a", "x")
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			return f.keys.Destroy(ctx, tx, "1")
		}))
		for instance, readable := range map[ident.InstanceID]bool{"1": false, "2": true} {
			for _, e := range f.events(instance) {
				if (e.Payload != nil) != readable || e.Type == "" || e.Sequence == 0 || e.Owner != "org" {
					f.Errorf("event of instance %s: %+v", instance, e)
				}
			}
		}
		if got := logtest.Types(f, f.db, f.log, "1"); cmp.Diff([]string{"shelf.added", "shelf.thing.put"}, got) != "" {
			f.Errorf("types = %v", got)
		}
		seen := 0
		err := f.log.Follow(f.Context(), eventlog.Position{}, f.ticks(), func(_ context.Context, events []eventlog.Event) error {
			for _, e := range events {
				if (e.Payload != nil) != (e.Instance == "2") {
					f.Errorf("followed %+v", e)
				}
			}
			if seen += len(events); seen == 4 {
				return errStop
			}
			return nil
		})
		if !errors.Is(err, errStop) {
			f.Fatal(err)
		}
		if n := f.rebuild(f.log); n != 2 {
			f.Errorf("%d events folded, want the 2 of instance 2", n)
		}
		if rows := f.rows(); len(rows) != 2 {
			f.Errorf("rows after the rebuild: %v, want those of instance 2 alone", rows)
		}
	})
}

// An event that is missing is not passed over.
func TestRebuildRefusesAGap(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a", "x", "y")
		for sequence := range 2 {
			undo := errors.New("undo")
			err := f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
				if err := tx.Exec(ctx, `DELETE FROM events WHERE sequence = $1`, sequence+1); err != nil {
					return err
				}
				if _, err := f.log.Rebuild(ctx, tx); err == nil {
					f.Errorf("the events are folded without the one of sequence %d", sequence+1)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				f.Fatal(err)
			}
		}
	})
}

// The log of a newer program, with a noun this one does not know, is not folded in part.
func TestRebuildRefusesAnUnknownNoun(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a", "x")
		rack := declareShelf(func(n *eventlog.Noun[shelf]) { n.Type = "rack" })
		if _, err := logtest.Differences(f.Context(), f.db, f.newLog(rack)); err == nil {
			f.Error("the events of a shelf are folded without a noun for it")
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}
