package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// damages are what can be wrong with the rows of shelves in table shelves and shelf_things, in an
// instance that has shelves a and b with the things x and y on them.
var damages = []string{
	`UPDATE shelves SET name = 'forged' WHERE shelf_id = 'a'`,
	`UPDATE shelves SET sequence = 1, changed_at = changed_at + 1 WHERE shelf_id = 'b'`,
	`UPDATE shelf_things SET note = 'forged' WHERE thing = 'x'`,
	`DELETE FROM shelf_things WHERE shelf_id = 'a' AND thing = 'y'`,
	`INSERT INTO shelf_things SELECT instance_id, 'b', 'y from a', '' FROM shelf_things WHERE thing = 'x'`,
	`INSERT INTO shelves SELECT instance_id, 'extra', owner, name, sequence, created_at, changed_at FROM shelves WHERE shelf_id = 'a'`,
	`DELETE FROM shelves WHERE shelf_id = 'b'`,
	// Rows of what has no key: before, between and after the instances of the tests.
	`INSERT INTO shelf_things VALUES ('0', 'a', 'x', '')`,
	`INSERT INTO shelf_things VALUES ('11', 'a', 'x', '')`,
	`INSERT INTO shelves VALUES ('99', 'a', 'org', 'a', 1, 1, 1)`,
}

func (f *fixture) damage() {
	f.Helper()
	before := f.rows()
	for _, sql := range damages {
		f.exec(sql)
	}
	if slices.Equal(before, f.rows()) {
		f.Fatal("nothing is damaged")
	}
}

// fill makes instances with two shelves of two things each.
func (f *fixture) fill(instances ...ident.InstanceID) {
	f.Helper()
	f.instance(instances...)
	for _, id := range instances {
		f.begin(id, "a", "x", "y")
		f.mustAppend(f.begin(id, "b"), thingPut{Thing: "z", Note: "on " + string(id)})
	}
}

// rebuildTable rebuilds in many transactions.
func (f *fixture) rebuildTable(table string, after ident.InstanceID) (eventlog.Rebuilt, error) {
	f.log.SetRebuildBatch(8, 3)
	return f.log.RebuildTable(f.Context(), table, eventlog.Progress{Last: after})
}

// wantRows checks both tables.
func (f *fixture) wantRows(want []string) {
	f.Helper()
	if diff := cmp.Diff(want, f.rows()); diff != "" {
		f.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestRebuildTable(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.fill("1", "2", "3", "4", "5", "6", "7")
		f.must(f.destroy("6", f.begin("6", "c")))
		f.reclaim()
		want := f.rows()
		for _, table := range f.log.Tables() {
			f.damage()
			done, err := f.rebuildTable(table, "")
			f.must(err)
			f.wantRows(want)
			// The events of a shelf: added, and two or one put.
			if diff := cmp.Diff(eventlog.Rebuilt{Progress: eventlog.Progress{Last: "99"}, Instances: 6 + 3, Events: 6 * 5}, done); diff != "" {
				f.Errorf("rebuilt (-want +got):\n%s", diff)
			}
		}
		logtest.CheckFold(f, f.db, f.log)

		for _, table := range []string{"events", "no", "", "shelves; DROP TABLE shelves", "SHELVES"} {
			if done, err := f.rebuildTable(table, ""); !errors.Is(err, eventlog.ErrNoTable) || done != (eventlog.Rebuilt{}) {
				f.Errorf("table %q: %+v, %v", table, done, err)
			}
		}
	})
}

// What a removed instance has left is not for a rebuild to delete, nor to keep.
func TestRebuildTableLeavesRemovals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.fill("1", "2", "3")
		f.must(f.destroy("2", f.begin("2", "c")))
		want := f.rows()
		f.exec(`UPDATE shelves SET name = 'forged' WHERE instance_id <> '2'`)
		_, err := f.rebuildTable("shelves", "")
		f.must(err)
		f.wantRows(want)
		f.reclaim()
		if n := f.count(`SELECT count(*) FROM shelf_things WHERE instance_id = '2'`); n != 0 {
			f.Errorf("%d rows are left of a removed instance", n)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Of two nouns one is rebuilt; an aggregate has more events than a rebuild holds at once.
func TestRebuildTableOfManyEvents(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		other := eventlog.NewNoun(eventlog.Noun[shelf]{
			Type: "other", Payloads: []eventlog.Payload{undeclared{}},
			Apply:  func(s shelf, e eventlog.Event) shelf { s.Head = s.After(e); return s },
			Tables: []eventlog.Table[shelf]{{Name: "others", Key: []string{"instance_id", "id"}, Rows: func(s shelf) [][]any { return [][]any{{string(s.Instance), s.ID}} }}},
		})
		f.exec(f.engine.DDL(`CREATE TABLE others (instance_id {text} NOT NULL, id {text} NOT NULL, PRIMARY KEY (instance_id, id)) {strict}`))
		f.log = f.newLog(shelves, other)
		f.instance("1", "2")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Begin(ctx, w, other, eventlog.Origin{ID: "o"}, undeclared{})
			return err
		}))
		var puts []eventlog.Payload
		for i := range 1500 {
			puts = append(puts, thingPut{Thing: fmt.Sprint(i % 50), Note: fmt.Sprint(i)})
		}
		f.mustAppend(f.begin("1", "a"), puts...)
		f.begin("1", "b", "last")
		f.begin("2", "a", "x")
		want := f.rows()
		f.exec(`DELETE FROM others`)
		f.damage()
		done, err := f.log.RebuildTable(f.Context(), "shelf_things", eventlog.Progress{})
		f.must(err)
		if done.Events != 1505 {
			f.Errorf("%d events folded, want 1505", done.Events)
		}
		f.wantRows(want)
		if n := f.count(`SELECT count(*) FROM others`); n != 0 {
			f.Errorf("the other noun was rebuilt too: %d rows", n)
		}
		_, err = f.log.RebuildTable(f.Context(), "others", eventlog.Progress{})
		f.must(err)
		logtest.CheckFold(f, f.db, f.log)
	})
}

// A rebuild that ends in the middle leaves whole instances, and goes on where it ended.
func TestRebuildTableGoesOn(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.fill("1", "2", "3", "4", "5", "6", "7")
		want := f.rows()
		f.damage()
		f.exec(`DELETE FROM shelf_things WHERE instance_id = '0'`)
		ctx, cancel := context.WithCancel(f.Context())
		defer cancel()
		f.log = f.newLog(declareShelf(func(n *eventlog.Noun[shelf]) {
			n.Apply = func(s shelf, e eventlog.Event) shelf {
				if e.Instance == "5" {
					cancel()
				}
				return applyShelf(s, e)
			}
		}))
		f.log.SetRebuildBatch(8, 3) // the transactions rebuild 1, 11 and 2, then 3 and 4, then 5 and 6
		done, err := f.log.RebuildTable(ctx, "shelves", eventlog.Progress{})
		if !errors.Is(err, context.Canceled) || done.Last != "4" || done.Events != 20 {
			f.Fatalf("rebuilt %+v, %v; want it to end after instance 4", done, err)
		}
		of := func(rows []string, healed bool) (part []string) {
			for _, row := range rows {
				if (row < "5") == healed {
					part = append(part, row)
				}
			}
			return part
		}
		if diff := cmp.Diff(of(want, true), of(f.rows(), true)); diff != "" {
			f.Errorf("rows up to instance 4 (-want +got):\n%s", diff)
		}
		if slices.Equal(of(want, false), of(f.rows(), false)) {
			f.Error("the rows after instance 4 are rebuilt too")
		}
		f.log = f.newLog(shelves)
		rest, err := f.rebuildTable("shelf_things", done.Last)
		f.must(err)
		if rest.Last != "99" || rest.Events != 15 {
			f.Errorf("the rest: %+v", rest)
		}
		f.wantRows(want)
		_, err = f.rebuildTable("shelves", "")
		f.must(err)
		f.wantRows(want)
	})
}

// An instance that is too large for one transaction is divided by its aggregates. A rebuild that ends in
// the middle leaves whole aggregates and goes on where it ended, so that it comes to its end however
// little time a call has.
func TestRebuildTableDividesAnInstance(t *testing.T) {
	const shelves, ofOne = 20, 4 // events
	eachEngine(t, func(f *fixture) {
		f.fill("1", "2", "3")
		for i := range shelves {
			id := fmt.Sprintf("s%02d", i)
			f.begin("2", id, id+"x", id+"y", id+"z")
		}
		want := f.rows()
		f.exec(`UPDATE shelves SET name = 'forged'`)
		f.exec(`DELETE FROM shelf_things WHERE shelf_id = 's07'`)
		for _, stray := range []string{" ", "s03a", "zz"} { // before, between and after all others
			f.exec(`INSERT INTO shelf_things VALUES ('2', $1, $2, '')`, stray, "stray "+stray)
		}

		var done eventlog.Progress
		calls, events := 0, 0
		for ended := false; !ended; calls++ {
			ctx, cancel := context.WithCancel(f.Context())
			folded := 0 // in this call
			f.log = f.newLog(declareShelf(func(n *eventlog.Noun[shelf]) {
				n.Apply = func(s shelf, e eventlog.Event) shelf {
					if folded++; folded > 24 { // after one transaction at least
						cancel()
					}
					return applyShelf(s, e)
				}
			}))
			f.log.SetRebuildBatch(8, 3)
			got, err := f.log.RebuildTable(ctx, "shelves", done)
			cancel()
			if ended = err == nil; !ended && !errors.Is(err, context.Canceled) {
				f.Fatal(err)
			}
			if got.Events == 0 || !ended && got.Progress == done {
				f.Fatalf("call %d did nothing: %+v, %v", calls, got, err)
			}
			done, events = got.Progress, events+got.Events
			if done.Part != "" && done.Part != "2" {
				f.Errorf("instance %s is rebuilt in part", done.Part)
			}
			seen := f.count(`SELECT count(*) FROM shelves WHERE instance_id = '2' AND shelf_id <= $1 AND name = 'forged'`, done.Aggregate)
			if done.Part != "" && seen != 0 {
				f.Errorf("%d shelves up to %q are as they were", seen, done.Aggregate)
			}
		}
		if calls < 4 || events != 3*5+shelves*ofOne || done.Last != "3" {
			f.Errorf("%d calls, %d events, %+v", calls, events, done)
		}
		f.wantRows(want)
		logtest.CheckFold(f, f.db, f.log)
	})
}

// A row in the way of another aggregate of a divided instance goes with the others of the instance.
func TestRebuildTableDividesNoInstanceWithARowInTheWay(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.fill("1", "2")
		want := f.rows()
		// Thing x of shelf a, which is rebuilt first, stands on shelf b.
		f.exec(`UPDATE shelf_things SET shelf_id = 'b' WHERE thing = 'x' AND instance_id = '1'`)
		f.log.SetRebuildBatch(1, 3)
		done, err := f.log.RebuildTable(f.Context(), "shelves", eventlog.Progress{})
		f.must(err)
		if done.Last != "2" || done.Part != "" || done.Instances != 2 || done.Events != 10 {
			f.Errorf("rebuilt %+v", done)
		}
		f.wantRows(want)
	})
}

// What a log that cannot be folded would give replaces nothing.
func TestRebuildTableRefusesADamagedLog(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.fill("1", "2", "3")
		for _, sql := range []string{
			`DELETE FROM events WHERE instance_id = '2' AND aggregate_id = 'a' AND sequence = 2`,
			`UPDATE events SET event_type = 'shelf.of.tomorrow' WHERE instance_id = '2' AND sequence = 1`,
		} {
			f.exec(sql)
			before := f.rows()
			f.log.SetRebuildBatch(1, 3)
			if done, err := f.log.RebuildTable(f.Context(), "shelves", eventlog.Progress{}); err == nil || done.Last != "1" {
				f.Errorf("%s: rebuilt %+v", sql, done)
			}
			f.wantRows(before)
		}
	})
}

// A damaged row holds what is unique beyond its instance, so the instance it belongs to cannot have it
// back before. Two instances that own it according to the log are an error.
func TestRebuildTableWithARowInTheWay(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.exec(`CREATE UNIQUE INDEX notes_of_all ON shelf_things (note) WHERE note <> ''`)
		f.fill("1", "2", "3", "4")
		want := f.rows()
		for _, sql := range []string{
			`UPDATE shelf_things SET instance_id = '4', shelf_id = 'c', thing = 'w' WHERE note = 'on 2'`,
			`UPDATE shelf_things SET instance_id = '9', shelf_id = 'c', thing = 'w' WHERE note = 'on 2'`,
		} {
			f.exec(sql)
			done, err := f.rebuildTable("shelves", "")
			f.must(err)
			if done.Instances != 4 || done.Events != 20 {
				f.Errorf("rebuilt %+v", done)
			}
			f.wantRows(want)
		}
		logtest.CheckFold(f, f.db, f.log)

		f.exec(`DELETE FROM shelf_things WHERE note = 'on 2'`)
		f.begin("4", "thief")
		s, err := load(f.Context(), f.db, "4", "thief", "")
		f.must(err)
		f.mustAppend(s, thingPut{Thing: "loot", Note: "on 2"})
		before := f.rows()
		_, err = f.rebuildTable("shelves", "")
		if !store.ConflictIn(err, "shelf_things") {
			f.Errorf("two owners: %v, want a conflict", err)
		}
		f.wantRows(before)
	})
}

// A writer that has read damaged rows ends before they are replaced. Meanwhile readers and writers of
// other instances go on.
func TestRebuildTableWaitsForWriters(t *testing.T) {
	rebuilds := map[string]func(f *fixture) error{
		"in turn": func(f *fixture) error {
			_, err := f.rebuildTable("shelves", "")
			return err
		},
		"all": func(f *fixture) error {
			return f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
				_, err := f.log.Rebuild(ctx, tx)
				return err
			})
		},
	}
	for name, rebuild := range rebuilds {
		t.Run(name, func(t *testing.T) {
			whereWritersOverlap(t, func(f *fixture) {
				f.fill("1", "2", "3", "4", "5")
				f.exec(`UPDATE shelves SET name = 'forged' WHERE shelf_id = 'b'`)
				read, end, written := make(chan struct{}), make(chan struct{}), make(chan error, 1)
				go func() {
					written <- f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
						s, err := load(ctx, w, "1", "b", "")
						if err != nil {
							return err
						}
						close(read)
						select {
						case <-end:
						case <-ctx.Done(): // the test has failed
							return ctx.Err()
						}
						_, err = eventlog.Append(ctx, w, shelves, s, thingPut{Thing: "new"})
						return err
					})
				}()
				<-read
				rebuilt := make(chan error, 1)
				go func() { rebuilt <- rebuild(f) }()
				<-f.blocked()
				if name == "in turn" {
					f.begin("4", "c", "w") // is not in the first group
				}
				if n := f.count(`SELECT count(*) FROM shelves WHERE name = 'forged'`); n != 5 {
					f.Errorf("%d rows are as they were, want 5", n)
				}
				close(end)
				f.must(<-written)
				f.must(<-rebuilt)
				if n := f.count(`SELECT count(*) FROM shelf_things WHERE thing = 'new'`); n != 1 {
					f.Errorf("%d rows of the write during the rebuild", n)
				}
				logtest.CheckFold(f, f.db, f.log)
			})
		})
	}
}

// A writer that comes while its instance is rebuilt waits, and then reads what is right; readers do
// not wait.
func TestWritersWaitForRebuildTable(t *testing.T) {
	whereWritersOverlap(t, func(f *fixture) {
		f.fill("1", "2", "3", "4")
		f.exec(`UPDATE shelves SET name = 'forged' WHERE shelf_id = 'b'`)
		inside, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		slow := f.newLog(declareShelf(func(n *eventlog.Noun[shelf]) {
			n.Apply = func(s shelf, e eventlog.Event) shelf {
				if e.Instance == "3" {
					once.Do(func() {
						close(inside)
						select {
						case <-release:
						case <-f.Context().Done(): // the test has failed
						}
					})
				}
				return applyShelf(s, e)
			}
		}))
		rebuilt := make(chan error, 1)
		go func() {
			_, err := slow.RebuildTable(f.Context(), "shelves", eventlog.Progress{})
			rebuilt <- err
		}()
		<-inside
		if n := f.count(`SELECT count(*) FROM shelves WHERE name = 'forged'`); n != 4 {
			f.Errorf("readers see %d old rows, want 4", n)
		}
		f.instance("5") // is not among the instances that are being rebuilt
		f.begin("5", "a", "x")
		written := make(chan error, 1)
		go func() {
			written <- f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
				s, err := load(ctx, w, "1", "b", "")
				if err == nil && s.Name != "b" {
					err = fmt.Errorf("read the name %q", s.Name)
				}
				if err == nil {
					_, err = eventlog.Append(ctx, w, shelves, s, thingPut{Thing: "new"})
				}
				return err
			})
		}()
		<-f.blocked()
		close(release)
		f.must(<-rebuilt)
		f.must(<-written)
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Writers that create, change and remove shelves and whole instances while tables are rebuilt again
// and again: nothing they did is lost or comes back, what was damaged is whole, and what nobody
// touched is seen at every moment.
func TestRebuildTableUnderWriters(t *testing.T) {
	const writers, writes, instances = 4, 30, 9
	eachEngine(t, func(f *fixture) {
		for i := range instances {
			f.fill(ident.InstanceID(fmt.Sprint(1 + i)))
		}
		f.exec(`UPDATE shelves SET name = 'forged' WHERE shelf_id = 'b'`)
		f.exec(`DELETE FROM shelf_things WHERE shelf_id = 'b'`)
		f.exec(`INSERT INTO shelf_things SELECT instance_id, 'ghost', 'ghost', '' FROM shelves WHERE shelf_id = 'a'`)
		f.log.SetRebuildBatch(8, 3)
		var busy sync.WaitGroup
		var writing atomic.Int64
		writing.Add(writers)
		for number := range writers {
			busy.Go(func() {
				defer writing.Add(-1)
				f.scribble(number, writes)
			})
		}
		rebuilds := 0
		for last := false; !last; rebuilds++ {
			last = writing.Load() == 0 && rebuilds > 1
			table := f.log.Tables()[rebuilds%2]
			if _, err := f.log.RebuildTable(f.Context(), table, eventlog.Progress{}); err != nil {
				f.Errorf("rebuild %d of %s: %v", rebuilds, table, err)
				break
			}
			if n := f.count(`SELECT count(*) FROM shelves WHERE shelf_id = 'a' AND name = 'a' AND instance_id <= '9' AND sequence = 3`); n != instances {
				f.Errorf("%d of %d rows that nobody touches are seen", n, instances)
			}
		}
		busy.Wait()
		f.Logf("%d rebuilds", rebuilds)
		f.reclaim()
		logtest.CheckFold(f, f.db, f.log)
	})
}

// scribble writes to the instances 1 to 9, and to others that it makes and removes itself. What it
// reads it locks, as commands do.
func (f *fixture) scribble(number, writes int) {
	random := rand.New(rand.NewPCG(7, uint64(number)))
	for i := range writes {
		old := ident.InstanceID(fmt.Sprint(1 + random.IntN(9)))
		own, id := ident.InstanceID(fmt.Sprintf("%d-%d-%d", 1+random.IntN(9), number, i)), fmt.Sprintf("own-%d-%d", number, i)
		begin := func(instance ident.InstanceID, create bool) error {
			return f.write(instance, func(ctx context.Context, w *eventlog.Writer) error {
				if create {
					if err := w.Create(ctx); err != nil {
						return err
					}
				}
				_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: id, Owner: "org"}, begun(id, id+"x", id+"y")...)
				return err
			})
		}
		change := func(instance ident.InstanceID, events ...eventlog.Payload) error {
			return f.write(instance, func(ctx context.Context, w *eventlog.Writer) error {
				s, err := load(ctx, w, instance, id, f.db.Dialect().ForUpdate)
				if err == nil {
					_, err = eventlog.Append(ctx, w, shelves, s, events...)
				}
				return err
			})
		}
		destroy := func() error {
			return f.write(own, func(ctx context.Context, w *eventlog.Writer) error { return w.Destroy(ctx) })
		}
		steps := []error{begin(old, false), begin(own, true), change(old, thingPut{Thing: id + "x", Note: id}, thingTaken{Thing: id + "y"})}
		switch i % 3 {
		case 0:
			steps = append(steps, change(old, shelfRemoved{}), destroy())
		case 1:
			steps = append(steps, change(own, shelfRemoved{}))
		}
		if err := errors.Join(steps...); err != nil {
			f.Errorf("writer %d, write %d: %v", number, i, err)
		}
	}
}
