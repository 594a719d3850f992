package eventlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
)

func TestBeginAndAppend(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		start := f.clock.Now()
		s := f.begin("1", "a", "book")
		f.clock.Advance(time.Minute)
		s = f.mustAppend(s, thingPut{Thing: "lamp", Note: "red"}, thingTaken{Thing: "book"})

		want := shelf{
			Head: eventlog.Head{
				Instance: "1", ID: "a", Owner: "org", Sequence: 4, CreatedAt: start, ChangedAt: start.Add(time.Minute),
			},
			Name: "a", Things: map[string]string{"lamp": "red"},
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("returned state (-want +got):\n%s", diff)
		}
		saved, err := load(f.Context(), f.db, "1", "a", "")
		f.must(err)
		if diff := cmp.Diff(want, saved); diff != "" {
			t.Errorf("saved state (-want +got):\n%s", diff)
		}
		event := func(sequence uint64, at time.Time, p eventlog.Payload) eventlog.Event {
			return eventlog.Event{
				Instance: "1", Aggregate: eventlog.Aggregate{Type: "shelf", ID: "a"}, Sequence: sequence, Owner: "org",
				Actor: "ada", At: at, Type: p.EventType(), Payload: p,
			}
		}
		got := f.events("1")
		for i := range got {
			if i > 0 && !less(got[i-1].Position, got[i].Position) {
				f.Errorf("position %s comes before %s", got[i-1].Position, got[i].Position)
			}
			got[i].Position = eventlog.Position{}
		}
		if diff := cmp.Diff([]eventlog.Event{
			event(1, start, shelfAdded{Name: "a"}), event(2, start, thingPut{Thing: "book"}),
			event(3, start.Add(time.Minute), thingPut{Thing: "lamp", Note: "red"}),
			event(4, start.Add(time.Minute), thingTaken{Thing: "book"}),
		}, got); diff != "" {
			f.Errorf("events (-want +got):\n%s", diff)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// less reports whether a comes before b.
func less(a, b eventlog.Position) bool {
	return a.Commit < b.Commit || a.Commit == b.Commit && a.Number < b.Number
}

// Rows are inserted, updated and deleted by what differs between the states; a row that did
// not change is not touched.
func TestRowsByDifference(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		s := f.begin("1", "a", "kept", "changed", "gone")
		// Seen only if the row of an unchanged thing is written again.
		f.exec(`UPDATE shelf_things SET note = 'untouched' WHERE thing = 'kept'`)
		s = f.mustAppend(s, thingPut{Thing: "changed", Note: "new"}, thingTaken{Thing: "gone"}, thingPut{Thing: "added"})
		got, err := load(f.Context(), f.db, "1", "a", "")
		f.must(err)
		want := map[string]string{"kept": "untouched", "changed": "new", "added": ""}
		if diff := cmp.Diff(want, got.Things); diff != "" {
			f.Errorf("rows (-want +got):\n%s", diff)
		}
		f.exec(`UPDATE shelf_things SET note = '' WHERE thing = 'kept'`)
		logtest.CheckFold(f, f.db, f.log)

		f.mustAppend(s, shelfRemoved{})
		if n := f.count(`SELECT count(*) FROM shelf_things`) + f.count(`SELECT count(*) FROM shelves`); n != 0 {
			f.Errorf("%d rows of a removed shelf are left", n)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Rows that go make room before rows that come: a name that moves within an aggregate is no
// conflict, one that another aggregate has is.
func TestUniqueNames(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		a := f.begin("1", "a", "lamp")
		b := f.begin("1", "b")
		f.begin("2", "b", "lamp") // another instance has its own names
		if _, err := f.append(b, thingPut{Thing: "lamp"}); !store.ConflictIn(err, "shelf_things") {
			f.Errorf("taking a name: %v, want a conflict in shelf_things", err)
		}
		if n := len(f.events("1")); n != 3 {
			f.Errorf("%d events, want the 3 of before", n)
		}
		a = f.mustAppend(a, thingPut{Thing: "lamp", Note: "red"})
		f.mustAppend(a, thingTaken{Thing: "lamp"}, thingPut{Thing: "book", Note: "red"})
		f.mustAppend(b, thingPut{Thing: "lamp"})
		logtest.CheckFold(f, f.db, f.log)
	})
}

// However many aggregates a write appends to, each is saved once, as its last append has left it.
func TestManyAggregates(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		const many = 40
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			all := make([]shelf, many)
			for round := range 2 {
				for i := range all {
					id := fmt.Sprint(i)
					var err error
					if round == 0 {
						all[i], err = eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: id, Owner: "org"}, begun(id, "thing-"+id)...)
					} else {
						all[i], err = eventlog.Append(ctx, w, shelves, all[i], thingPut{Thing: "more-" + id})
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		}))
		if n := f.count(`SELECT count(*) FROM shelf_things`); n != 2*many {
			f.Errorf("%d things, want %d", n, 2*many)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// An aggregate is known as soon as it has begun, and stays so when it is removed; each instance has its own.
func TestKnown(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		f.mustAppend(f.begin("1", "a"), shelfRemoved{})
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "b", Owner: "org"}, begun("b")...)
			for id, want := range map[string]bool{"a": true, "b": true, "c": false} {
				if known, err := w.Known(ctx, eventlog.Aggregate{Type: "shelf", ID: id}); err != nil || known != want {
					f.Errorf("%s is known: %v, %v", id, known, err)
				}
			}
			return err
		}))
		f.must(f.write("2", func(ctx context.Context, w *eventlog.Writer) error {
			if known, err := w.Known(ctx, eventlog.Aggregate{Type: "shelf", ID: "a"}); err != nil || known {
				f.Errorf("a is known in another instance: %v, %v", known, err)
			}
			return nil
		}))
	})
}

// A write may save its states before it ends, and go on with them: a name that is free by then can be
// taken by another aggregate of the same write.
func TestSave(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		a, b := f.begin("1", "a", "lamp"), f.begin("1", "b")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) (err error) {
			a := a // of each run
			if a, err = eventlog.Append(ctx, w, shelves, a, thingTaken{Thing: "lamp"}); err != nil {
				return err
			}
			if _, err = eventlog.Append(ctx, w, shelves, b, thingPut{Thing: "lamp"}); err != nil {
				return err
			}
			if err := w.Save(ctx); err != nil {
				return err
			}
			if n, err := store.One(ctx, w, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
				`SELECT count(*) FROM shelf_things WHERE shelf_id = 'b'`); err != nil || n != 1 {
				f.Errorf("after Save b has %d things, %v", n, err)
			}
			_, err = eventlog.Append(ctx, w, shelves, a, thingPut{Thing: "book"})
			return err
		}))
		for id, want := range map[string]string{"a": "book", "b": "lamp"} {
			s, err := load(f.Context(), f.db, "1", id, "")
			if _, has := s.Things[want]; err != nil || len(s.Things) != 1 || !has {
				f.Errorf("%s holds %v, %v; want a %s", id, s.Things, err, want)
			}
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Several appends to one aggregate in one write see each other, and its rows are saved once:
// a name that is put and taken again within the write is never in a row.
func TestOneSaveEachWrite(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a", "lamp")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			s, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "b", Owner: "org"}, begun("b", "lamp")...)
			if err != nil {
				return err
			}
			if _, err = eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "c", Owner: "org"}, begun("c")...); err != nil {
				return err
			}
			if s, err = eventlog.Append(ctx, w, shelves, s, thingPut{Thing: "book"}); err != nil {
				return err
			}
			// lamp is on shelf a: saved after the first Begin, it would be a conflict.
			s, err = eventlog.Append(ctx, w, shelves, s, thingTaken{Thing: "lamp"})
			if s.Sequence != 4 {
				return fmt.Errorf("sequence %d, want 4", s.Sequence)
			}
			return err
		}))
		b, err := load(f.Context(), f.db, "1", "b", "")
		f.must(err)
		if diff := cmp.Diff(map[string]string{"book": ""}, b.Things); diff != "" || b.Sequence != 4 {
			f.Errorf("shelf b has the sequence %d and the things (-want +got):\n%s", b.Sequence, diff)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

func TestSequencesHaveNoGaps(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		states := []shelf{f.begin("1", "a"), f.begin("1", "b"), f.begin("2", "a")}
		refused := errors.New("refused")
		for i := range 12 {
			s := &states[i%3]
			// A write that fails leaves no hole.
			err := f.write(s.Instance, func(ctx context.Context, w *eventlog.Writer) error {
				if _, err := eventlog.Append(ctx, w, shelves, *s, thingPut{Thing: "x"}); err != nil {
					return err
				}
				return refused
			})
			if !errors.Is(err, refused) {
				f.Fatalf("Write = %v, want the error of fn", err)
			}
			*s = f.mustAppend(*s, thingPut{Thing: fmt.Sprint(s.ID, i)}, thingPut{Thing: fmt.Sprint(s.ID, i), Note: fmt.Sprint(s.ID, i)})
		}
		for _, instance := range []ident.InstanceID{"1", "2"} {
			next := map[eventlog.Aggregate]uint64{}
			for _, e := range f.events(instance) {
				next[e.Aggregate]++
				if e.Sequence != next[e.Aggregate] || e.Instance != instance {
					f.Errorf("%s/%s has sequence %d, want %d", e.Instance, e.Aggregate.ID, e.Sequence, next[e.Aggregate])
				}
			}
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// A write of a state that is no longer the newest is a conflict, whatever it wanted.
func TestStaleAppendIsAConflict(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		stale := f.begin("1", "a")
		f.mustAppend(stale, thingPut{Thing: "first"})
		_, err := f.append(stale, thingPut{Thing: "second"})
		if !store.ConflictIn(err, "events") {
			f.Errorf("a second append of sequence 2: %v, want a conflict in events", err)
		}
		err = f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "a", Owner: "org"}, begun("a")...)
			return err
		})
		if !store.ConflictIn(err, "events") {
			f.Errorf("a second beginning: %v, want a conflict in events", err)
		}
		got, err := load(f.Context(), f.db, "1", "a", "")
		f.must(err)
		if diff := cmp.Diff(map[string]string{"first": ""}, got.Things); diff != "" {
			f.Errorf("things (-want +got):\n%s", diff)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Many writers that append to one aggregate without locking it: each sequence is given once,
// and every loser is told.
func TestConcurrentAppendsToOneAggregate(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a")
		const writers = 12
		results := make(chan error, writers)
		for i := range writers {
			go func() {
				results <- f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
					s, err := load(ctx, w, "1", "a", "")
					if err != nil {
						return err
					}
					_, err = eventlog.Append(ctx, w, shelves, s, thingPut{Thing: fmt.Sprint(i)})
					return err
				})
			}()
		}
		var won int
		for range writers {
			switch err := <-results; {
			case err == nil:
				won++
			case !store.ConflictIn(err, "events"):
				f.Errorf("a loser was told %v, want a conflict in events", err)
			}
		}
		if n := len(f.events("1")); won == 0 || n != won+1 {
			f.Errorf("%d writers won, yet there are %d events", won, n)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// A writer that locks the row it reads waits for the others, and loses no race.
func TestLockedAppendsAllSucceed(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a")
		const writers = 12
		results := make(chan error, writers)
		for i := range writers {
			go func() {
				results <- f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
					s, err := load(ctx, w, "1", "a", f.db.Dialect().ForUpdate)
					if err != nil {
						return err
					}
					_, err = eventlog.Append(ctx, w, shelves, s, thingPut{Thing: fmt.Sprint(i)})
					return err
				})
			}()
		}
		for range writers {
			if err := <-results; err != nil {
				f.Error(err)
			}
		}
		s, err := load(f.Context(), f.db, "1", "a", "")
		f.must(err)
		if s.Sequence != writers+1 || len(s.Things) != writers {
			f.Errorf("sequence %d and %d things after %d appends", s.Sequence, len(s.Things), writers)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

func TestEventsOfAWriteShareTheirTime(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			for _, id := range []string{"a", "b"} {
				if _, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: id, Owner: "org"}, begun(id, id)...); err != nil {
					return err
				}
				f.clock.Advance(time.Second)
			}
			return nil
		}))
		f.begin("1", "c")
		events := f.events("1")
		for _, e := range events[:4] {
			if !e.At.Equal(events[0].At) {
				f.Errorf("%s of %s at %v, want %v", e.Type, e.Aggregate.ID, e.At, events[0].At)
			}
		}
		if !events[4].At.After(events[0].At) {
			f.Errorf("the next write is at %v, no later than %v", events[4].At, events[0].At)
		}
	})
}

func TestOfPages(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		f.begin("1", "a", "x", "y", "z")
		f.begin("2", "a", "x")
		f.begin("1", "b")
		want := f.events("1")
		var got []eventlog.Event
		var after eventlog.Position
		for len(got) <= len(want) {
			page, err := f.log.Of(f.Context(), f.db, "1", after, 2)
			f.must(err)
			if len(page) > 2 {
				f.Fatalf("a page of %d events, want at most 2", len(page))
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			after = page[len(page)-1].Position
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 5 {
			f.Errorf("%d events in pages of 2 (-want +got):\n%s", len(got), diff)
		}
		if none := f.events("3"); len(none) != 0 {
			f.Errorf("an instance that never was has %d events", len(none))
		}
	})
}

// No payload, and nothing that is in one, is stored in the clear.
func TestPayloadsAreSealed(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		const secret = "correct horse battery staple"
		f.begin("1", "a", secret)
		payloads, err := store.All(f.Context(), f.db, func(row store.Scanner) (b []byte, err error) {
			return b, row.Scan(&b)
		}, `SELECT payload FROM events ORDER BY commit_id, log_number`)
		f.must(err)
		if len(payloads) != 2 {
			f.Fatalf("%d payloads, want 2", len(payloads))
		}
		for _, p := range payloads {
			for _, clear := range []string{secret, "thing", "name", "{"} {
				if len(clear) > 1 && bytes.Contains(p, []byte(clear)) {
					f.Errorf("a payload holds %q in the clear", clear)
				}
			}
		}
		if bytes.Equal(payloads[0], payloads[1]) {
			f.Error("two payloads are the same")
		}
	})
}

// The writer is given what it needs to know.
func TestWriter(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			if w.Instance() != "1" || !w.Now().Equal(f.clock.Now()) {
				f.Errorf("writer of instance %q at %v", w.Instance(), w.Now())
			}
			sealer, err := w.Sealer(ctx)
			if err != nil {
				return err
			}
			again, err := w.Sealer(ctx)
			if err != nil || again != sealer {
				f.Errorf("a second Sealer = %v, %v, want the first", again, err)
			}
			plain, err := again.Open(sealer.Seal([]byte("x"), nil), nil)
			if string(plain) != "x" {
				f.Errorf("opened %q", plain)
			}
			return err
		}))
		if err := f.write("1", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }); !store.ConflictIn(err, "instance_keys") {
			f.Errorf("a second key: %v, want a conflict in instance_keys", err)
		}
	})
}

// A write that only begins an aggregate without events leaves nothing.
func TestBeginWithoutEvents(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			s, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "a", Owner: "org"})
			if s.Exists() {
				f.Error("a shelf without events exists")
			}
			return err
		}))
		if n := f.count(`SELECT count(*) FROM events`) + f.count(`SELECT count(*) FROM shelves`); n != 0 {
			f.Errorf("%d rows, want none", n)
		}
	})
}

func TestContextEndsAWrite(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		ctx, cancel := context.WithCancel(f.Context())
		err := f.log.Write(ctx, "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			if _, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "a", Owner: "org"}, begun("a")...); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			f.Errorf("Write = %v, want the error of the context", err)
		}
		if n := f.count(`SELECT count(*) FROM events`); n != 0 {
			f.Errorf("%d events, want none", n)
		}
	})
}

func TestLast(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		if last, at, err := f.log.Last(f.Context(), f.db); err != nil || last != (eventlog.Position{}) || !at.IsZero() {
			f.Errorf("of an empty log: %s, %s, %v", last, at, err)
		}
		f.instance("1", "2")
		f.begin("2", "a", "x")
		f.clock.Advance(time.Minute)
		f.begin("1", "a", "x")
		events := f.events("1")
		want := events[len(events)-1].Position
		if last, at, err := f.log.Last(f.Context(), f.db); err != nil || last != want || !at.Equal(f.clock.Now()) {
			f.Errorf("%s, %s, %v; want %s, %s", last, at, err, want, f.clock.Now())
		}
	})
}
