package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// errStop ends a follower that has seen enough.
var errStop = errors.New("stop")

// held is a write that has appended and does not end yet.
type held struct {
	f   *fixture
	end chan error // what fn shall return
	out chan error // what Write returned
}

// hold begins a shelf in a write that stays open, with its statements sent.
func (f *fixture) hold(instance ident.InstanceID, id string) held {
	f.Helper()
	h := held{f: f, end: make(chan error, 1), out: make(chan error, 1)}
	sent := make(chan struct{})
	go func() {
		h.out <- f.write(instance, func(ctx context.Context, w *eventlog.Writer) error {
			if _, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: id, Owner: "org"}, begun(id)...); err != nil {
				return err
			}
			if _, err := load(ctx, w, instance, id, ""); !errors.Is(err, store.ErrNotFound) {
				return err // reading, the engine has sent what it held back; rows come at the end
			}
			close(sent)
			select {
			case err := <-h.end:
				return err
			case <-ctx.Done(): // the test has failed
				return ctx.Err()
			}
		})
	}()
	select {
	case <-sent:
	case err := <-h.out:
		f.Fatalf("a write ended before it was held: %v", err)
	}
	return h
}

// finish makes fn return err and waits for the write.
func (h held) finish(err error) {
	h.f.Helper()
	h.end <- err
	if got := <-h.out; !errors.Is(got, err) {
		h.f.Fatalf("a held write returned %v, want %v", got, err)
	}
}

// follower follows the log from its start in the background. Nothing ticks but the test.
type follower struct {
	f    *fixture
	tick chan time.Time
	got  chan eventlog.Event
}

func (f *fixture) follow() follower {
	w := follower{f: f, tick: make(chan time.Time), got: make(chan eventlog.Event)}
	ctx, cancel := context.WithCancel(f.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- f.log.Follow(ctx, eventlog.Position{}, w.tick, func(ctx context.Context, events []eventlog.Event) error {
			for _, e := range events {
				select {
				case w.got <- e:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	f.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			f.Errorf("Follow = %v, want the error of its context", err)
		}
	})
	return w
}

// wants waits for the events of these shelves, in this order, one of each.
func (w follower) wants(shelves ...string) {
	w.f.Helper()
	for _, want := range shelves {
		for received := false; !received; {
			select {
			case e := <-w.got:
				if e.Aggregate.ID != want || e.Sequence != 1 {
					w.f.Fatalf("followed %s/%d, want shelf %s", e.Aggregate.ID, e.Sequence, want)
				}
				received = true
			case w.tick <- time.Time{}:
			}
		}
	}
}

// wantsNone fails when there is something to follow. Once the second tick is taken, the look
// after the first has ended.
func (w follower) wantsNone() {
	w.f.Helper()
	for range 2 {
		select {
		case e := <-w.got:
			w.f.Fatalf("followed %s/%d, want nothing", e.Aggregate.ID, e.Sequence)
		case w.tick <- time.Time{}:
		}
	}
}

func TestFollow(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		w := f.follow()
		w.wantsNone()
		f.begin("1", "a")
		f.begin("2", "b")
		w.wants("a", "b")
		w.wantsNone()
		f.begin("1", "c")
		w.wants("c")
	})
}

// A commit is signalled: a follower without ticks sees it. What held it back on the server
// may end unseen, so commits go on until it does.
func TestFollowIsWoken(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		found := make(chan error, 1)
		go func() {
			found <- f.log.Follow(f.Context(), eventlog.Position{}, nil,
				func(context.Context, []eventlog.Event) error { return errStop })
		}()
		for i := 0; ; i++ {
			f.begin("1", fmt.Sprint(i))
			select {
			case err := <-found:
				if !errors.Is(err, errStop) {
					f.Errorf("Follow = %v, want the error of handle", err)
				}
				return
			default:
			}
		}
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		ended := make(chan error, 1)
		tick := make(chan time.Time)
		go func() {
			ended <- f.log.Follow(ctx, eventlog.Position{}, tick, func(context.Context, []eventlog.Event) error {
				return errors.New("the log is empty")
			})
		}()
		tick <- time.Time{}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			f.Errorf("Follow = %v, want the error of its context", err)
		}
	})
}

// A batch is bounded, and what is left follows at once.
func TestFollowBatch(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		s := f.begin("1", "a")
		var puts []eventlog.Payload
		for i := range eventlog.FollowBatch + 100 {
			puts = append(puts, thingPut{Thing: fmt.Sprint(i)})
		}
		f.mustAppend(s, puts...)
		var sequences []uint64
		err := f.log.Follow(f.Context(), eventlog.Position{}, f.ticks(), func(_ context.Context, events []eventlog.Event) error {
			if len(events) == 0 || len(events) > eventlog.FollowBatch {
				return fmt.Errorf("a batch of %d events", len(events))
			}
			for _, e := range events {
				sequences = append(sequences, e.Sequence)
			}
			if len(sequences) == len(puts)+1 {
				return errStop
			}
			return nil
		})
		if !errors.Is(err, errStop) {
			f.Fatal(err)
		}
		for i, s := range sequences {
			if s != uint64(i+1) {
				f.Fatalf("event %d has sequence %d", i, s)
			}
		}
	})
}

// A transaction that began to write before others holds the follower back until it ends,
// whichever way it ends.
func TestOlderTransactionHoldsTheFollowerBack(t *testing.T) {
	whereWritersOverlap(t, func(f *fixture) {
		f.instance("1", "2")
		w := f.follow()
		f.begin("1", "first")
		w.wants("first")

		older := f.hold("1", "older")
		f.begin("2", "newer")
		w.wantsNone()
		older.finish(nil)
		w.wants("older", "newer")

		older = f.hold("1", "gone")
		f.begin("1", "newest")
		w.wantsNone()
		older.finish(errStop)
		w.wants("newest")
		w.wantsNone()
	})
}

// While a write is open, writes of other objects begin and end: of the same instance, and of
// another.
func TestWritersDoNotWait(t *testing.T) {
	whereWritersOverlap(t, func(f *fixture) {
		f.instance("1", "2")
		a := f.begin("1", "a")
		open := f.hold("1", "open")
		f.begin("1", "b")
		f.begin("2", "b")
		f.mustAppend(a, thingPut{Thing: "x"})
		open.finish(nil)
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Two writers append to one aggregate while the other is open: the later one waits for the
// outcome, and loses only if the first one wins.
func TestSecondAppendWaitsForTheFirst(t *testing.T) {
	whereWritersOverlap(t, func(f *fixture) {
		f.instance("1")
		for id, outcome := range map[string]error{"won": nil, "lost": errStop} {
			first := f.hold("1", id)
			second := make(chan error, 1)
			begun := make(chan struct{})
			go func() {
				second <- f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
					_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: id, Owner: "org"}, shelfAdded{Name: "second"})
					close(begun)
					return err
				})
			}()
			<-begun
			first.finish(outcome)
			err := <-second
			if outcome == nil && !store.ConflictIn(err, "events") || outcome != nil && err != nil {
				f.Errorf("first ended with %v, second with %v", outcome, err)
			}
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// A write that began early, and then appends to what a later one has changed meanwhile, must
// not come before it in the log: within an aggregate the order of the log is that of the
// sequences.
func TestOrderWithinAnAggregate(t *testing.T) {
	whereWritersOverlap(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a")
		f.begin("1", "b")
		runs := 0
		early, meanwhile := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
				runs++
				for _, id := range []string{"a", "b"} {
					s, err := load(ctx, w, "1", id, f.db.Dialect().ForUpdate)
					if err != nil {
						return err
					}
					if _, err = eventlog.Append(ctx, w, shelves, s, thingPut{Thing: "early " + id}); err != nil {
						return err
					}
					if id == "a" && runs == 1 {
						if _, err := load(ctx, w, "1", "a", ""); err != nil { // sends the append
							return err
						}
						close(early)
						<-meanwhile
					}
				}
				return nil
			})
		}()
		<-early
		b, err := load(f.Context(), f.db, "1", "b", "")
		f.must(err)
		f.mustAppend(b, thingPut{Thing: "late b"})
		close(meanwhile)
		f.must(<-done)
		last := map[string]uint64{}
		for _, e := range f.events("1") {
			if e.Sequence != last[e.Aggregate.ID]+1 {
				f.Errorf("%s/%d is at %s, after sequence %d", e.Aggregate.ID, e.Sequence, e.Position, last[e.Aggregate.ID])
			}
			last[e.Aggregate.ID] = e.Sequence
		}
		if last["a"] != 2 || last["b"] != 3 {
			f.Errorf("last sequences %v, want a:2 b:3", last)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}
