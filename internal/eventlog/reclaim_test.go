package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// destroy ends an instance whose first shelf is removed in the same write.
func (f *fixture) destroy(instance ident.InstanceID, s shelf) error {
	return f.write(instance, func(ctx context.Context, w *eventlog.Writer) error {
		if _, err := eventlog.Append(ctx, w, shelves, s, shelfRemoved{}); err != nil {
			return err
		}
		return w.Destroy(ctx)
	})
}

// reclaim reclaims until nothing is left and returns the number of transactions.
func (f *fixture) reclaim() (steps int) {
	f.Helper()
	for more := true; more; steps++ {
		var err error
		more, err = f.log.Reclaim(f.Context())
		f.must(err)
	}
	return steps
}

// What is destroyed cannot be read, written or rebuilt; its rows go, and nothing else does.
func TestDestroy(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		s := f.begin("1", "a", "x", "y")
		var things []string
		for i := range eventlog.ReclaimBatch + 10 {
			things = append(things, fmt.Sprint(i))
		}
		f.begin("1", "b", things...)
		f.begin("2", "a", "x")
		count := func() int64 { return f.count(`SELECT count(*) FROM shelf_things WHERE instance_id = '1'`) }

		f.must(f.destroy("1", s))
		if count() != int64(len(things)) {
			f.Errorf("%d things after the removal, want those that nobody removed", count())
		}
		for _, e := range f.events("1") {
			if e.Payload != nil {
				f.Fatalf("%s can still be read", e.Type)
			}
		}
		err := f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "c", Owner: "org"}, begun("c")...)
			return err
		})
		if !errors.Is(err, eventlog.ErrNoInstance) || !errors.Is(err, store.ErrNotFound) {
			f.Errorf("a write on a removed instance: %v", err)
		}
		if steps := f.reclaim(); steps < 4 {
			f.Errorf("reclaimed in %d transactions", steps)
		}
		if n := count(); n != 0 {
			f.Errorf("%d things are left", n)
		}
		if n := f.count(`SELECT count(*) FROM removals`); n != 0 {
			f.Errorf("%d removals are left", n)
		}
		logtest.CheckFold(f, f.db, f.log)
		if n := f.count(`SELECT count(*) FROM shelf_things`); n != 1 {
			f.Errorf("instance 2 has %d things, want 1", n)
		}
	})
}

func TestNothingIsAppendedAfterDestroy(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		err := f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			if err := w.Destroy(ctx); err != nil {
				return err
			}
			_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "a", Owner: "org"}, begun("a")...)
			return err
		})
		if !errors.Is(err, eventlog.ErrNoInstance) {
			f.Errorf("%v, want ErrNoInstance", err)
		}
		f.begin("1", "a") // the write is undone as a whole
	})
}

// Rows of tables that are no fold go too; those of others stay.
func TestReclaimTakesSideTables(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.exec(f.engine.DDL(`CREATE TABLE tallies (instance_id {text} NOT NULL, what {text} NOT NULL, PRIMARY KEY (instance_id, what)) {strict}`))
		f.exec(`INSERT INTO tallies (instance_id, what) VALUES ('1', 'a'), ('1', 'b'), ('2', 'a')`)
		f.log.Aside(eventlog.SideTable{Name: "tallies", Key: []string{"instance_id", "what"}})
		f.instance("1")
		f.must(f.destroy("1", f.begin("1", "a")))
		f.reclaim()
		if n := f.count(`SELECT count(*) FROM tallies`); n != 1 {
			f.Errorf("%d tallies are left, want that of instance 2", n)
		}
	})
}

// A write that has begun ends before the key goes, so that it leaves nothing behind that is not
// reclaimed; or it loses.
func TestDestroyWaitsForWriters(t *testing.T) {
	whereWritersOverlap(t, func(f *fixture) {
		f.instance("1")
		s := f.begin("1", "a")
		open := f.hold("1", "open")
		removed := make(chan error, 1)
		go func() { removed <- f.destroy("1", s) }()
		select {
		case err := <-removed:
			f.Fatalf("the removal did not wait: %v", err)
		case <-f.blocked():
		}
		open.finish(nil)
		f.must(<-removed)
		f.reclaim()
		if n := f.count(`SELECT count(*) FROM shelves`); n != 0 {
			f.Errorf("%d shelves are left", n)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// blocked returns a channel that is closed when the server shows a transaction of this database that
// waits for a lock.
func (f *fixture) blocked() <-chan struct{} {
	found := make(chan struct{})
	go func() {
		for f.Context().Err() == nil {
			waiting, err := store.All(f.Context(), f.db, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) },
				`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
			if err != nil || waiting[0] > 0 {
				close(found)
				return
			}
		}
	}()
	return found
}

// Another node, or this one after a restart, reclaims what is left; this one does so at once.
func TestRunReclaim(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		one, two := f.begin("1", "a", "x"), f.begin("2", "a", "x")
		f.begin("1", "b", "y")
		f.begin("2", "b", "y")
		f.must(f.newLog(shelves).WriteEach(f.Context(), []ident.InstanceID{"1"}, "ada", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Append(ctx, w, shelves, one, shelfRemoved{})
			return errors.Join(err, w.Destroy(ctx))
		}))
		ctx, cancel := context.WithCancel(f.Context())
		tick, ended := make(chan time.Time), make(chan struct{})
		go func() {
			defer close(ended)
			f.log.RunReclaim(ctx, tick, func(err error) { f.Error(err) })
		}()
		tick <- time.Time{} // what was left at the start has been reclaimed
		if n := f.count(`SELECT count(*) FROM shelf_things WHERE instance_id = '1'`); n != 0 {
			f.Errorf("%d things of instance 1 are left", n)
		}
		signal, stop := f.db.Committed()
		defer stop()
		again := f.ticks()
		f.must(f.destroy("2", two))
		for f.count(`SELECT count(*) FROM removals`) > 0 {
			select {
			case <-signal:
			case <-again:
			}
		}
		cancel()
		<-ended
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Nodes that reclaim at the same time leave no rows to nobody.
func TestReclaimOfSeveralNodes(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		var things []string
		for i := range 3 * eventlog.ReclaimBatch {
			things = append(things, fmt.Sprint(i))
		}
		for round := range 3 {
			id := ident.InstanceID(fmt.Sprint(round))
			f.instance(id)
			f.begin(id, "b", things...)
			f.must(f.destroy(id, f.begin(id, "a")))
			var nodes sync.WaitGroup
			for range 3 {
				nodes.Go(func() {
					for more := true; more; {
						var err error
						if more, err = f.log.Reclaim(f.Context()); err != nil {
							f.Error(err)
						}
					}
				})
			}
			nodes.Wait()
			if n := f.count(`SELECT count(*) FROM shelf_things`); n != 0 {
				f.Fatalf("round %d left %d things", round, n)
			}
		}
	})
}

// Several instances are written together or not at all.
func TestWriteEach(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		add := func(fail error) error {
			return f.log.WriteEach(f.Context(), []ident.InstanceID{"2", "1"}, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "a", Owner: "org"}, begun("a", "x")...)
				if err == nil && w.Instance() == "1" {
					err = fail
				}
				return err
			})
		}
		if err := add(errStop); !errors.Is(err, errStop) {
			f.Errorf("%v, want the error of fn", err)
		}
		if n := len(f.events("1")) + len(f.events("2")); n != 0 {
			f.Errorf("%d events of a write that failed", n)
		}
		f.must(add(nil))
		if n := len(f.events("1")) + len(f.events("2")); n != 4 {
			f.Errorf("%d events, want 4", n)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}
