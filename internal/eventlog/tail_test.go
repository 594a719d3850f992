package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
)

// ticker makes ticks for followers of the tests.
func (f *fixture) ticker() (<-chan time.Time, func()) {
	t := time.NewTicker(5 * time.Millisecond)
	return t.C, t.Stop
}

// next reads events after a position, waiting for them if need be.
func (f *fixture) next(r *eventlog.TailReader, after eventlog.Position) []eventlog.Event {
	f.Helper()
	for {
		events, more, err := r.Read(f.Context(), after)
		f.must(err)
		if len(events) > 0 {
			return events
		}
		<-more
	}
}

// collect reads n events after a position, in as many reads as it takes.
func (f *fixture) collect(r *eventlog.TailReader, after eventlog.Position, n int) (all []eventlog.Event) {
	f.Helper()
	for len(all) < n {
		events := f.next(r, after)
		if len(events) > eventlog.FollowBatch {
			f.Fatalf("%d events at once", len(events))
		}
		all, after = append(all, events...), events[len(events)-1].Position
	}
	return all
}

// envelopes are all events of an instance as followers without payloads see them.
func (f *fixture) envelopes(instance ident.InstanceID) []eventlog.Event {
	f.Helper()
	events := f.events(instance)
	for i := range events {
		events[i].Payload = nil
	}
	return events
}

// end waits until everything that is written is settled, and returns where that ends.
func (f *fixture) end() eventlog.Position {
	f.Helper()
	all := f.events("1")
	want := all[len(all)-1].Position
	for {
		end, err := f.log.End(f.Context())
		f.must(err)
		if !end.Before(want) {
			return end
		}
		tick, stop := f.ticker()
		<-tick
		stop()
	}
}

func TestEndOfTheLog(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		end, err := f.log.End(f.Context())
		if err != nil || end != (eventlog.Position{}) {
			f.Fatalf("End of an empty log = %s, %v", end, err)
		}
		f.instance("1")
		f.begin("1", "a", "x")
		if end, last := f.end(), f.events("1")[1].Position; end != last {
			f.Errorf("End = %s, want that of the last event, %s", end, last)
		}
	})
}

// A follower of envelopes is given what another cannot be: events of a noun that is not declared,
// and those whose key has been destroyed.
func TestFollowEnvelopesSurvives(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		f.begin("1", "a", "x")
		f.begin("2", "b", "y")
		want := append(f.envelopes("1"), f.envelopes("2")...)
		f.exec(`DELETE FROM instance_keys WHERE instance_id = $1`, "1")
		ignorant := f.newLog()
		var got []eventlog.Event
		err := ignorant.FollowEnvelopes(f.Context(), eventlog.Position{}, f.ticks(), func(_ context.Context, events []eventlog.Event) error {
			if got = append(got, events...); len(got) == len(want) {
				return errStop
			}
			return nil
		})
		if !errors.Is(err, errStop) || !slices.Equal(got, want) {
			f.Errorf("followed %v, %v; want %v", got, err, want)
		}
		if err := ignorant.Follow(f.Context(), eventlog.Position{}, f.ticks(), func(context.Context, []eventlog.Event) error {
			return errStop
		}); err == nil || errors.Is(err, errStop) {
			f.Errorf("a follower with payloads was given events it cannot read: %v", err)
		}
	})
}

// Readers that begin at the start, in the middle and at the end are given the same events, those
// written before they were opened and those written later.
func TestTail(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		for i := range 4 {
			f.begin("1", fmt.Sprint("old", i), fmt.Sprint("x", i))
		}
		end := f.end()
		tail := eventlog.NewTail(f.log, f.ticker)
		a, b, c := tail.Open(), tail.Open(), tail.Open()
		defer a.Close()
		defer b.Close()
		defer c.Close()
		old := f.envelopes("1")
		if got := f.collect(a, eventlog.Position{}, len(old)); !slices.Equal(got, old) {
			f.Errorf("from the start: %v, want %v", got, old)
		}
		for i := range 4 {
			f.begin("1", fmt.Sprint("new", i), fmt.Sprint("y", i))
		}
		all := f.envelopes("1")
		for what, c := range map[string]struct {
			r     *eventlog.TailReader
			after eventlog.Position
			want  []eventlog.Event
		}{
			"from the start":  {a, eventlog.Position{}, all},
			"from the middle": {b, all[2].Position, all[3:]},
			"from the end":    {c, end, all[len(old):]},
			"within a write":  {c, all[len(old)].Position, all[len(old)+1:]},
		} {
			if got := f.collect(c.r, c.after, len(c.want)); !slices.Equal(got, c.want) {
				f.Errorf("%s: %v, want %v", what, got, c.want)
			}
		}
	})
}

// A tail that keeps few events drops old ones; a reader that was too slow reads them from the
// log, and misses none.
func TestTailForgets(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "first")
		start := f.end()
		tail := eventlog.NewTail(f.log, f.ticker)
		tail.Keep(3)
		quick, slow := tail.Open(), tail.Open()
		defer quick.Close()
		defer slow.Close()
		at := start
		for i := range 20 {
			f.begin("1", fmt.Sprint(i), fmt.Sprint("x", i))
			got := f.collect(quick, at, 2)
			at = got[len(got)-1].Position
		}
		want := f.envelopes("1")[1:]
		if got := f.collect(slow, start, len(want)); !slices.Equal(got, want) {
			f.Errorf("the slow one was given %v, want %v", got, want)
		}
		if kept := tail.Kept(); kept > 6 {
			f.Errorf("%d events are kept, of 3 wanted", kept)
		}
	})
}

// Without readers nothing runs; with new ones it begins again.
func TestTailRests(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		stopped := make(chan struct{}, 1)
		tail := eventlog.NewTail(f.log, func() (<-chan time.Time, func()) {
			tick, stop := f.ticker()
			return tick, func() { stop(); stopped <- struct{}{} }
		})
		after := eventlog.Position{}
		for i := range 2 {
			a, b := tail.Open(), tail.Open()
			f.begin("1", fmt.Sprint(i))
			after = f.next(a, after)[0].Position
			a.Close()
			a.Close()
			select {
			case <-stopped:
				f.Fatal("the follower has ended although there is a reader")
			default:
			}
			b.Close()
			<-stopped
		}
	})
}

// When the log cannot be read, readers are told, and later ones try anew.
func TestTailFails(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.exec(`ALTER TABLE events RENAME TO elsewhere`)
		tail := eventlog.NewTail(f.log, f.ticker)
		r := tail.Open()
		var err error
		for err == nil {
			var more <-chan struct{}
			if _, more, err = r.Read(f.Context(), eventlog.Position{}); err == nil {
				<-more
			}
		}
		f.exec(`ALTER TABLE elsewhere RENAME TO events`)
		f.instance("1")
		f.begin("1", "a")
		again := tail.Open()
		defer again.Close()
		r.Close() // of a run that is over: the new one goes on
		if got := f.next(again, eventlog.Position{}); len(got) != 1 {
			f.Errorf("read %v", got)
		}
	})
}

// However many readers are far back, few read the log at the same time; one that leaves does not
// wait for its turn.
func TestTailReadsAreBounded(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		f.begin("1", "a")
		f.end()
		tail := eventlog.NewTail(f.log, f.ticker)
		release := tail.Occupy()
		r := tail.Open()
		defer r.Close()
		gone, leave := context.WithCancel(f.Context())
		leave()
		if _, _, err := r.Read(gone, eventlog.Position{}); !errors.Is(err, context.Canceled) {
			f.Errorf("one that leaves: %v", err)
		}
		got := make(chan []eventlog.Event)
		go func() {
			events, _, err := r.Read(f.Context(), eventlog.Position{})
			if err != nil {
				f.Error(err)
			}
			got <- events
		}()
		select {
		case events := <-got:
			f.Errorf("read %v although there was no place", events)
		default:
		}
		release()
		if events := <-got; len(events) != 1 {
			f.Errorf("read %v", events)
		}
	})
}
