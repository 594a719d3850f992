package usage

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/delivery"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/quota"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// from is when the first period of the tests begins. Periods last an hour.
var from = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

// watched is a database that tells how it is used, and can be stopped.
type watched struct {
	store.DB
	reads, writes atomic.Int64
	// before, unless it is nil, runs before each transaction. With an error there is none.
	before atomic.Pointer[func(ctx context.Context) error]
}

func (w *watched) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	w.reads.Add(1)
	return w.DB.Query(ctx, sql, args...)
}

func (w *watched) Update(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	w.writes.Add(1)
	if before := w.before.Load(); before != nil {
		if err := (*before)(ctx); err != nil {
			return err
		}
	}
	return w.DB.Update(ctx, fn)
}

// stop makes transactions run before first; nil lets them go on.
func (w *watched) stop(before func(ctx context.Context) error) {
	if before == nil {
		w.before.Store(nil)
		return
	}
	w.before.Store(&before)
}

// fixture is a node on one database with the instances 1 and 2.
type fixture struct {
	*testing.T
	db     *watched
	clock  *ident.ManualClock
	log    *eventlog.Log
	ids    *ident.Source
	quotas *quota.Service
	meter  *Meter
}

// delivered is what was put up for delivery.
type delivered struct {
	Instance ident.InstanceID
	URL      string
	Due      quota.NotificationDue
}

// grant gives one slot to a source for ever, or err.
type grant struct{ err error }

func (g grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(10, 0, 0)}, g.err
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: &watched{DB: db}, clock: ident.NewManualClock(from.Add(90 * time.Minute))}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(f.db, keys, f.clock, instance.Noun, quota.Noun, delivery.Noun)
		f.log.Aside(quota.Side)
		f.ids = ident.NewSource(grant{}, f.clock)
		f.quotas = &quota.Service{DB: db, Log: f.log, IDs: f.ids, Hold: f.instances().Hold}
		f.meter = f.node()
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
					instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: string(id) + ".example"})
				return err
			}))
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

func (f *fixture) instances() *instance.Service { return &instance.Service{DB: f.db, Log: f.log} }

// node returns another meter on the same database: that of another node, or of this one after it was
// restarted.
func (f *fixture) node() *Meter {
	return New(Config{DB: f.db, Log: f.log, Clock: f.clock, IDs: f.ids})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// quota gives an instance a quota of requests.
func (f *fixture) quota(id ident.InstanceID, amount uint64, limited bool, notifications ...quota.NotificationWish) quota.Terms {
	f.Helper()
	s, err := f.quotas.Set(f.Context(), id, "bob", quota.Wish{
		Unit: quota.RequestsAllAuthenticated, From: from, Interval: time.Hour, Amount: amount, Limited: limited,
		Notifications: notifications,
	})
	f.must(err)
	return s.Terms
}

// admitted asks n times and returns how often the answer was yes.
func (f *fixture) admitted(m *Meter, id ident.InstanceID, t quota.Terms, n int) (yes int) {
	f.Helper()
	for range n {
		err := m.Admit(f.Context(), id, t)
		if err == nil {
			yes++
		} else if !errors.Is(err, Exhausted) {
			f.Fatal(err)
		}
	}
	return yes
}

// flush flushes m; it must succeed.
func (f *fixture) flush(m *Meter) {
	f.Helper()
	f.must(m.Flush(f.Context()))
}

// used is what the database knows of the running period of an instance.
func (f *fixture) used(id ident.InstanceID) uint64 {
	f.Helper()
	n, err := quota.Used(f.Context(), f.db.DB, id, quota.RequestsAllAuthenticated, f.clock.Now().Truncate(time.Hour))
	f.must(err)
	return n
}

// counts checks numbers that have a name.
func (f *fixture) counts(what string, got, want int) {
	f.Helper()
	if got != want {
		f.Errorf("%s: %d, want %d", what, got, want)
	}
}

// On one node a limit holds exactly, in every period anew, also after a restart.
func TestLimit(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms, other := f.quota("1", 10, true), f.quota("2", 5, true)
		f.counts("at first", f.admitted(f.meter, "1", terms, 4), 4)
		f.flush(f.meter)
		f.counts("after a flush", f.admitted(f.meter, "1", terms, 20), 6)
		f.counts("of another", f.admitted(f.meter, "2", other, 20), 5)
		f.flush(f.meter)
		f.counts("when nothing is left", f.admitted(f.meter, "1", terms, 5), 0)
		f.counts("after a restart", f.admitted(f.node(), "1", terms, 5), 0)
		f.counts("used", int(f.used("1")), 10)
		f.clock.Advance(30 * time.Minute)
		f.counts("in the next period", f.admitted(f.meter, "1", terms, 20), 10)
		f.flush(f.meter)
		f.counts("used in the next period", int(f.used("1")), 10)

		more := f.quota("1", 12, true)
		f.counts("with a greater amount", f.admitted(f.meter, "1", more, 20), 2)
		unlimited := f.quota("1", 12, false)
		f.counts("without a limit", f.admitted(f.meter, "1", unlimited, 20), 20)
		limited := f.quota("1", 12, true)
		f.counts("with a limit again", f.admitted(f.meter, "1", limited, 20), 0)
		f.flush(f.meter)
		f.counts("used in the end", int(f.used("1")), 32)
	})
}

// Exhausted is the fault that clients know.
func TestExhausted(t *testing.T) {
	if Exhausted.Public() != "Quota.Access.Exhausted (QUOTA-vjAy8)" {
		t.Error(Exhausted.Public())
	}
}

func TestWhatIsNotCounted(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.counts("without a quota", f.admitted(f.meter, "1", quota.Terms{}, 3), 3)
		f.meter.Count("1", quota.Terms{}, 3)
		terms := f.quota("1", 0, true)
		terms.From = f.clock.Now().Add(time.Microsecond)
		f.counts("before the first period", f.admitted(f.meter, "1", terms, 3), 3)
		f.meter.Count("1", terms, 3)
		f.meter.Count("1", f.quota("2", 1, true), 0)
		f.counts("counters", len(f.meter.counters), 0)
		writes := f.db.writes.Load()
		f.flush(f.meter)
		f.counts("writes", int(f.db.writes.Load()-writes), 0)

		terms.From = f.clock.Now()
		f.counts("of an amount of nothing", f.admitted(f.meter, "1", terms, 3), 0)
	})
}

// Counting writes nothing, and reads what is not known once. What is not used is not kept.
func TestCountingIsInMemory(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms, unlimited := f.quota("1", 1000, true), f.quota("2", 1, false)
		reads, writes := f.db.reads.Load(), f.db.writes.Load()
		f.admitted(f.meter, "1", terms, 100)
		f.counts("reads", int(f.db.reads.Load()-reads), 1)
		f.admitted(f.meter, "2", unlimited, 100)
		f.meter.Count("2", unlimited, 1000)
		f.counts("reads without a limit", int(f.db.reads.Load()-reads), 1)
		f.counts("writes", int(f.db.writes.Load()-writes), 0)
		f.flush(f.meter)
		f.counts("writes of a flush", int(f.db.writes.Load()-writes), 1)
		reads = f.db.reads.Load()
		f.admitted(f.meter, "1", terms, 100)
		f.counts("reads after a flush", int(f.db.reads.Load()-reads), 0)
		f.counts("counters", len(f.meter.counters), 2)
		f.flush(f.meter)
		f.counts("counters that were used", len(f.meter.counters), 1)
		f.flush(f.meter)
		f.counts("counters after no use", len(f.meter.counters), 0)
		f.flush(f.meter)
		f.counts("writes in the end", int(f.db.writes.Load()-writes), 2)
		f.counts("used", int(f.used("1")), 200)
		f.counts("used of another", int(f.used("2")), 1100)
	})
}

// A limit that is reached is known without asking, as long as somebody asks.
func TestExhaustedIsKept(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 1, true)
		f.admitted(f.meter, "1", terms, 1)
		f.flush(f.meter)
		reads := f.db.reads.Load()
		for range 3 {
			f.counts("admitted", f.admitted(f.meter, "1", terms, 5), 0)
			f.flush(f.meter)
		}
		f.counts("reads", int(f.db.reads.Load()-reads), 0)
	})
}

// Of many who ask at the same time, while others flush, exactly as many are admitted as there is.
func TestManyAtTheSameTime(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const askers, each, amount = 20, 200, 3000
		terms := f.quota("1", amount, true)
		f.meter.Count("1", terms, 10)
		var yes atomic.Int64
		var asking, flushing sync.WaitGroup
		done := make(chan struct{})
		flushing.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f.flush(f.meter)
				}
			}
		})
		for range askers {
			asking.Go(func() { yes.Add(int64(f.admitted(f.meter, "1", terms, each))) })
		}
		asking.Wait()
		close(done)
		flushing.Wait()
		f.flush(f.meter)
		f.counts("admitted", int(yes.Load()), amount-10)
		f.counts("used", int(f.used("1")), amount)
	})
}

// Two nodes add up, and each learns of the other when it writes.
func TestTwoNodes(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 10, true)
		one, two := f.meter, f.node()
		f.counts("on one", f.admitted(one, "1", terms, 4), 4)
		f.counts("on the other", f.admitted(two, "1", terms, 4), 4)
		f.flush(one)
		f.flush(two)
		f.counts("used", int(f.used("1")), 8)
		f.counts("on the one that wrote last", f.admitted(two, "1", terms, 4), 2)
		f.counts("on the one that does not know", f.admitted(one, "1", terms, 4), 4)
		f.flush(two)
		f.flush(one)
		f.counts("used in the end", int(f.used("1")), 14)
		f.counts("on one, at last", f.admitted(one, "1", terms, 4), 0)
		f.counts("on the other, at last", f.admitted(two, "1", terms, 4), 0)
	})
}

// Nodes that write at the same time lose nothing, and tell each threshold once.
func TestTwoNodesAtTheSameTime(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const rounds, each = 20, 10
		wish := quota.NotificationWish{Percent: 10, Repeat: true, CallURL: "https://again.example/"}
		terms := map[ident.InstanceID]quota.Terms{
			"1": f.quota("1", rounds*each, false, wish), "2": f.quota("2", rounds*each, false, wish),
		}
		var nodes sync.WaitGroup
		for _, m := range []*Meter{f.meter, f.node(), f.node()} {
			nodes.Go(func() {
				for range rounds {
					for id, t := range terms {
						m.Count(id, t, each)
					}
					if err := m.Flush(f.Context()); err != nil && !errors.Is(err, store.ErrSerialization) {
						f.Error(err)
					}
				}
				for m.Flush(f.Context()) != nil && f.Context().Err() == nil {
				}
			})
		}
		nodes.Wait()
		for id := range terms {
			f.counts("used", int(f.used(id)), 3*rounds*each)
			var last uint64
			for _, d := range f.deliveries(id) {
				if d.Due.Threshold <= last || d.Due.Threshold > 300 {
					f.Errorf("%d%% is told after %d%%", d.Due.Threshold, last)
				}
				last = d.Due.Threshold
			}
			f.counts("the last threshold told", int(last), 300)
		}
	})
}

// A crash loses what was not flushed, and no more.
func TestCrash(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 10, true)
		f.admitted(f.meter, "1", terms, 3)
		f.flush(f.meter)
		f.admitted(f.meter, "1", terms, 4)
		f.counts("after a crash", f.admitted(f.node(), "1", terms, 20), 7)
	})
}

// What could not be written is written later, once.
func TestWriteFails(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 10, true)
		f.admitted(f.meter, "1", terms, 3)
		f.db.stop(func(context.Context) error { return store.ErrUnavailable })
		if err := f.meter.Flush(f.Context()); !errors.Is(err, store.ErrUnavailable) {
			f.Errorf("Flush = %v", err)
		}
		f.counts("meanwhile", f.admitted(f.meter, "1", terms, 4), 4)
		if err := f.meter.Flush(f.Context()); !errors.Is(err, store.ErrUnavailable) {
			f.Errorf("Flush = %v", err)
		}
		f.db.stop(nil)
		f.counts("used meanwhile", int(f.used("1")), 0)
		f.flush(f.meter)
		f.flush(f.meter)
		f.counts("used", int(f.used("1")), 7)
		f.counts("in the end", f.admitted(f.meter, "1", terms, 10), 3)
	})
}

// A flush of many instances is several transactions. One that fails keeps no other from being written,
// and what it had is written with the next flush, once.
func TestPortions(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two := f.quota("1", 10, true), f.quota("2", 10, true)
		f.meter.portion = 1
		f.admitted(f.meter, "1", one, 3)
		f.admitted(f.meter, "2", two, 4)
		first := true
		f.db.stop(func(context.Context) error {
			if first {
				first = false
				return store.ErrUnavailable
			}
			return nil
		})
		if err := f.meter.Flush(f.Context()); !errors.Is(err, store.ErrUnavailable) {
			f.Errorf("Flush = %v", err)
		}
		f.counts("used of the first", int(f.used("1")), 0)
		f.counts("used of the second", int(f.used("2")), 4)
		f.counts("then admitted of the first", f.admitted(f.meter, "1", one, 20), 7)
		f.counts("then admitted of the second", f.admitted(f.meter, "2", two, 20), 6)
		writes := f.db.writes.Load()
		f.flush(f.meter)
		f.counts("writes", int(f.db.writes.Load()-writes), 2)
		f.counts("used of the first in the end", int(f.used("1")), 10)
		f.counts("used of the second in the end", int(f.used("2")), 10)
	})
}

// Uses are divided between instances only, and none is lost.
func TestPortion(t *testing.T) {
	of := func(ids ...ident.InstanceID) (uses []quota.Use) {
		for _, id := range ids {
			uses = append(uses, quota.Use{Instance: id})
		}
		return uses
	}
	for _, c := range []struct {
		uses, part, rest []quota.Use
		instances        int
	}{
		{of("1"), of("1"), nil, 1},
		{of("1", "1", "2"), of("1", "1"), of("2"), 1},
		{of("1", "1", "2"), of("1", "1", "2"), nil, 2},
		{of("1", "2", "2", "3", "3"), of("1", "2", "2"), of("3", "3"), 2},
	} {
		part, rest := portion(c.uses, c.instances)
		if diff := cmp.Diff([][]quota.Use{c.part, c.rest}, [][]quota.Use{part, rest}, cmp.AllowUnexported(quota.Schedule{})); diff != "" {
			t.Errorf("%v by %d (-want +got):\n%s", c.uses, c.instances, diff)
		}
	}
}

// What is on its way to the database counts once: who does not know waits until it has arrived.
func TestAdmitWaitsForFlush(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 10, true)
		f.meter.Count("1", terms, 4)
		begun, goOn := make(chan struct{}), make(chan struct{})
		f.db.stop(func(context.Context) error {
			close(begun)
			<-goOn
			return nil
		})
		flushed := make(chan error)
		go func() { flushed <- f.meter.Flush(f.Context()) }()
		<-begun
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		if err := f.meter.Admit(ctx, "1", terms); !errors.Is(err, context.Canceled) {
			f.Errorf("Admit = %v", err)
		}
		if err := f.meter.Flush(ctx); !errors.Is(err, context.Canceled) {
			f.Errorf("Flush = %v", err)
		}
		yes := make(chan int)
		go func() { yes <- f.admitted(f.meter, "1", terms, 20) }()
		close(goOn)
		f.must(<-flushed)
		f.counts("admitted", <-yes, 6)
		f.db.stop(nil)
		f.flush(f.meter)
		f.counts("used", int(f.used("1")), 10)
	})
}

// Who cannot be told what was used is told so.
func TestReadFails(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 10, true)
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		if err := f.meter.Admit(ctx, "1", terms); !errors.Is(err, context.Canceled) {
			f.Errorf("Admit = %v", err)
		}
		f.counts("afterwards", f.admitted(f.meter, "1", terms, 20), 10)
	})
}

// A quota that was removed, and the one that came after it, have nothing in common.
func TestAnotherQuota(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 10, true)
		f.admitted(f.meter, "1", terms, 10)
		f.flush(f.meter)
		f.meter.Count("1", terms, 5)
		_, err := f.quotas.Remove(f.Context(), "1", "bob", quota.RequestsAllAuthenticated)
		f.must(err)
		again := f.quota("1", 10, true)
		f.flush(f.meter)
		f.counts("used", int(f.used("1")), 0)
		f.counts("admitted", f.admitted(f.meter, "1", again, 20), 10)
		f.flush(f.meter)
		f.counts("used of the other", int(f.used("1")), 10)
	})
}

// No sum grows beyond what a database can keep.
func TestMost(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", quota.MaxAmount, true)
		f.meter.Count("1", terms, 1<<63)
		f.meter.Count("1", terms, 1<<63)
		f.flush(f.meter)
		f.counts("used", int(f.used("1")), most)
	})
}

// At every tick what was counted is written; at the end, what was counted since. An error is told
// once, until it is over.
func TestRun(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 100, true)
		ctx, stop := context.WithCancel(f.Context())
		tick, done := make(chan time.Time), make(chan struct{})
		var told []error
		go func() {
			defer close(done)
			f.meter.Run(ctx, tick, time.Minute, func(err error) { told = append(told, err) })
		}()
		twice := func() { // the second tick is taken when the first has been dealt with
			tick <- f.clock.Now()
			tick <- f.clock.Now()
		}
		f.admitted(f.meter, "1", terms, 3)
		twice()
		f.counts("used after a tick", int(f.used("1")), 3)
		f.db.stop(func(context.Context) error { return store.ErrUnavailable })
		f.admitted(f.meter, "1", terms, 3)
		twice()
		twice()
		f.db.stop(nil)
		twice()
		f.counts("used after an error", int(f.used("1")), 6)
		f.admitted(f.meter, "1", terms, 3)
		stop()
		<-done
		f.counts("used in the end", int(f.used("1")), 9)
		f.counts("errors told", len(told), 1)
	})
}

// A loss at the end is told, and does not take longer than the grace.
func TestRunEndsInLoss(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.admitted(f.meter, "1", f.quota("1", 100, true), 3)
		f.db.stop(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, stop := context.WithCancel(f.Context())
		stop()
		var told []error
		f.meter.Run(ctx, nil, time.Nanosecond, func(err error) { told = append(told, err) })
		if len(told) != 1 || !errors.Is(told[0], context.DeadlineExceeded) {
			f.Errorf("told %v", told)
		}
		f.db.stop(nil)
	})
}

// due is a notification of the test.
func due(id ident.InstanceID, s quota.State, n int, period time.Time, threshold, used uint64) delivered {
	return delivered{Instance: id, URL: s.Notifications[n].CallURL, Due: quota.NotificationDue{
		Unit: s.Unit, ID: s.Notifications[n].ID, CallURL: s.Notifications[n].CallURL, PeriodStart: period, Threshold: threshold, Usage: used,
	}}
}

// notified checks what has been put up for delivery.
func (f *fixture) notified(want ...delivered) {
	f.Helper()
	var got []delivered
	for _, id := range []ident.InstanceID{"1", "2"} {
		got = append(got, f.deliveries(id)...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

// deliveries are the messages an instance has put up for delivery. The log of its quotas must say the
// same.
func (f *fixture) deliveries(id ident.InstanceID) (all []delivered) {
	f.Helper()
	var logged, told []quota.NotificationDue
	events, err := f.log.Of(f.Context(), f.db.DB, id, eventlog.Position{}, 1000)
	f.must(err)
	for _, e := range events {
		switch p := e.Payload.(type) {
		case quota.NotificationDue:
			logged = append(logged, p)
		case delivery.Due:
			d := delivered{Instance: id, URL: p.URL}
			f.must(json.Unmarshal(p.Body, &d.Due))
			all, told = append(all, d), append(told, d.Due)
			if p.Kind != "quota" || p.ContentType != "application/json" || e.Owner != string(id) || e.Actor != "castellan" {
				f.Errorf("%+v of %s by %s", p, e.Owner, e.Actor)
			}
		}
	}
	if diff := cmp.Diff(logged, told); diff != "" {
		f.Errorf("what was logged and what is told (-logged +told):\n%s", diff)
	}
	return all
}

// The message has the names that its receivers know (contract section 2.8).
func TestMessage(t *testing.T) {
	body, err := json.Marshal(quota.NotificationDue{
		Unit: quota.RequestsAllAuthenticated, ID: "7", CallURL: "https://a.example/?b=c&d", PeriodStart: from, Threshold: 20, Usage: 30,
	})
	const want = `{"unit":1,"id":"7","callURL":"https://a.example/?b=c\u0026d","periodStart":"2025-06-01T00:00:00Z","threshold":20,"usage":30}`
	if err != nil || string(body) != want {
		t.Errorf("%s, %v, want %s", body, err, want)
	}
}

// A threshold is told once in a period, whoever counts, also after a restart; a repeated one at every
// multiple, of which the highest is told.
func TestNotifications(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		terms := f.quota("1", 10, true,
			quota.NotificationWish{Percent: 50, CallURL: "https://once.example/"},
			quota.NotificationWish{Percent: 20, Repeat: true, CallURL: "https://again.example/?a=b&c=d"})
		s, err := quota.Get(f.Context(), f.db, "1", terms.Unit)
		f.must(err)
		first, second := from.Add(time.Hour), from.Add(2*time.Hour)
		f.admitted(f.meter, "1", terms, 1)
		f.flush(f.meter)
		f.notified()
		f.admitted(f.meter, "1", terms, 1)
		f.flush(f.meter)
		want := []delivered{due("1", s, 1, first, 20, 2)}
		f.notified(want...)

		two := f.node()
		f.admitted(two, "1", terms, 1)
		f.flush(two)
		f.notified(want...)
		f.admitted(two, "1", terms, 5)
		f.flush(two)
		want = append(want, due("1", s, 0, first, 50, 8), due("1", s, 1, first, 80, 8))
		f.notified(want...)
		f.admitted(f.meter, "1", terms, 5) // it does not know what the other has counted
		f.flush(f.meter)
		want = append(want, due("1", s, 1, first, 120, 13))
		f.notified(want...)

		f.meter.Count("1", terms, 1)
		f.clock.Advance(30 * time.Minute)
		f.admitted(f.meter, "1", terms, 10)
		f.flush(f.meter) // of both periods
		want = append(want, due("1", s, 1, first, 140, 14), due("1", s, 0, second, 50, 10), due("1", s, 1, second, 100, 10))
		f.notified(want...)
		late := f.node()
		late.Count("1", terms, 100)
		f.flush(late)
		want = append(want, due("1", s, 1, second, 1100, 110))
		f.notified(want...)
	})
}

// A quota by the day becomes one by the month, whose period has begun before what was told and begins
// when a day did that was used: nothing of that counts, nor what was counted and not written, and what
// is due is told.
func TestAnotherSchedule(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		set := func(interval time.Duration) quota.State {
			s, err := f.quotas.Set(f.Context(), "1", "bob", quota.Wish{
				Unit: quota.RequestsAllAuthenticated, From: from, Interval: interval, Amount: 10, Limited: true,
				Notifications: []quota.NotificationWish{{Percent: 80, CallURL: "https://once.example/"}},
			})
			f.must(err)
			return s
		}
		const day, month = 24 * time.Hour, 30 * 24 * time.Hour
		days := set(day)
		f.counts("on the first day", f.admitted(f.meter, "1", days.Terms, 5), 5)
		f.flush(f.meter)
		late := f.node()
		late.Count("1", days.Terms, 3) // of the first day, written on the second
		f.clock.Advance(day)
		f.counts("on the second day", f.admitted(f.meter, "1", days.Terms, 8), 8)
		f.flush(f.meter)
		want := []delivered{due("1", days, 0, from.Add(day), 80, 8)}
		f.notified(want...)

		months := set(month)
		f.flush(late)
		f.counts("in the month", f.admitted(f.meter, "1", months.Terms, 20), 10)
		f.flush(f.meter)
		f.notified(append(want, due("1", months, 0, from, 80, 10))...)
		f.counts("on another node", f.admitted(f.node(), "1", months.Terms, 5), 0)

		again := set(day)
		f.counts("by the day again", f.admitted(f.meter, "1", again.Terms, 20), 10)
	})
}

// A smaller amount makes due what has been used by then.
func TestNotificationsOfASmallerAmount(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := quota.NotificationWish{Percent: 100, CallURL: "https://once.example/"}
		f.admitted(f.meter, "1", f.quota("1", 1000, false, wish), 10)
		f.flush(f.meter)
		f.notified()
		f.admitted(f.meter, "1", f.quota("1", 5, false, wish), 1)
		f.flush(f.meter)
		s, err := quota.Get(f.Context(), f.db, "1", quota.RequestsAllAuthenticated)
		f.must(err)
		f.notified(due("1", s, 0, from.Add(time.Hour), 100, 11))
	})
}

// What cannot be put up for delivery is not counted yet, so that it is not forgotten.
func TestDeliveryFails(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := quota.NotificationWish{Percent: 100, CallURL: "https://once.example/"}
		terms, other := f.quota("1", 1, true, wish), f.quota("2", 100, true)
		f.admitted(f.meter, "1", terms, 1)
		f.admitted(f.meter, "2", other, 1)
		noIDs := errors.New("no ids")
		f.meter.cfg.IDs = ident.NewSource(grant{noIDs}, f.clock)
		if err := f.meter.Flush(f.Context()); !errors.Is(err, noIDs) {
			f.Errorf("Flush = %v", err)
		}
		f.notified()
		f.counts("used", int(f.used("1")+f.used("2")), 0)
		f.meter.cfg.IDs = f.ids
		f.flush(f.meter)
		f.flush(f.meter)
		s, err := quota.Get(f.Context(), f.db, "1", terms.Unit)
		f.must(err)
		f.notified(due("1", s, 0, from.Add(time.Hour), 100, 1))
		f.counts("used in the end", int(f.used("1")+f.used("2")), 2)
	})
}

// An instance that is removed while its use is counted is in nobody's way.
func TestRemovedInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		wish := quota.NotificationWish{Percent: 1, CallURL: "https://once.example/"}
		terms, other := f.quota("1", 1, false, wish), f.quota("2", 1, false)
		count := func() {
			f.admitted(f.meter, "1", terms, 1)
			f.admitted(f.meter, "2", other, 1)
		}
		count()
		_, err := f.instances().Remove(f.Context(), "1", "bob")
		f.must(err)
		f.flush(f.meter) // its quota is still there
		for more := true; more; {
			more, err = f.log.Reclaim(f.Context())
			f.must(err)
		}
		count()
		f.flush(f.meter) // and now is not
		f.counts("used", int(f.used("2")), 2)
		f.counts("used of the removed one", int(f.used("1")), 0)
		f.notified()
	})
}
