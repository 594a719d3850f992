package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"castellan/internal/egress"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestDeliver(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		r, w := receive(f), f.worker()
		f.must(f.enqueue("1", "7", r.to("before")))
		w.start()
		if got, want := r.next(f), (message{"7", "text/plain", "castellan", "before"}); got != want {
			f.Errorf("got %v, want %v", got, want)
		}
		w.ended("1", "7")
		w.sleeps(f, f.clock.Now().Add(Tick))
		f.must(f.enqueue("1", "8", r.to("a commit wakes"))) // no time passes
		if got := r.next(f); got.id != "8" {
			f.Errorf("got %v", got)
		}
		w.ended("1", "8")
		f.left("1", "delivery.due", "delivery.attempted", "delivery.succeeded",
			"delivery.due", "delivery.attempted", "delivery.succeeded")
		if w.worker.Succeeded() != 2 || w.worker.Failed() != 0 {
			f.Errorf("%d succeeded, %d failed", w.worker.Succeeded(), w.worker.Failed())
		}
		events, err := f.log.Of(f.Context(), f.db, "1", eventlog.Position{}, 3)
		f.must(err)
		if p := events[2].Payload; p != (Succeeded{Attempt: 1, Status: 200}) || events[2].Actor != worker || events[2].Owner != "1" {
			f.Errorf("the last event is %+v", events[2])
		}
	})
}

// An answer that is no success is tried again after the backoff, and not before.
func TestRetry(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		r, w := receive(f, http.StatusInternalServerError, http.StatusFound, http.StatusNoContent), f.worker()
		f.must(f.enqueue("1", "7", r.to("again and again")))
		w.start()
		for n, reason := range []string{"status 500", "status 302"} {
			r.next(f)
			s := w.failures("1", "7", n+1)
			whole := FirstBackoff << n
			if wait := s.NextAt.Sub(f.clock.Now()); wait < whole*4/5 || wait >= whole*6/5 {
				f.Errorf("after failure %d it waits %v", n+1, wait)
			}
			if s.Phase != Waiting || s.LastError != reason || !s.LastFailed.Equal(f.clock.Now()) || s.Attempts != n+1 {
				f.Errorf("after failure %d it is %+v", n+1, s)
			}
			w.advance(s.NextAt.Sub(f.clock.Now()) - time.Microsecond)
			w.sleeps(f, s.NextAt) // it has looked
			if len(r.got) != 0 {
				f.Error("it was sent too early")
			}
			w.advance(time.Microsecond)
		}
		if got := r.next(f); got.id != "7" || got.body != "again and again" {
			f.Errorf("got %v", got)
		}
		w.ended("1", "7")
		f.left("1", "delivery.due", "delivery.attempted", "delivery.failed", "delivery.attempted", "delivery.failed",
			"delivery.attempted", "delivery.succeeded")
		if w.worker.Succeeded() != 1 || w.worker.Failed() != 2 {
			f.Errorf("%d succeeded, %d failed", w.worker.Succeeded(), w.worker.Failed())
		}
		w.quiet()
	})
}

// What cannot be sent fails, with a reason that tells nothing of where it was to go.
func TestFailures(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		silent := receive(f, holding, holding)
		elsewhere := receive(f)
		redirects := func(to string) string {
			s := httptest.NewServer(http.RedirectHandler(to, http.StatusTemporaryRedirect))
			f.Cleanup(s.Close)
			return s.URL
		}
		w := f.worker()
		w.worker.Client = egress.New(egress.Config{
			Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Timeout: 100 * time.Millisecond,
		})
		for id, c := range map[ident.DeliveryID]struct {
			url, reason string
			phase       Phase
		}{
			"1": {"http://127.0.0.2:80/?hunter2", "the address is not allowed (loopback)", Waiting},
			"2": {"http://169.254.169.254/hunter2", "the address is not allowed (link-local)", Waiting},
			"3": {redirects(strings.Replace(elsewhere.URL, "127.0.0.1", "127.0.0.2", 1)), "the address is not allowed (loopback)", Waiting},
			"4": {silent.URL + "/hunter2", "no answer within 100ms", Waiting},
			"5": {"no URL hunter2", "the URL must begin with http:// or https://", GivenUp},
			"6": {"https://u:hunter2@acme.example", "the URL must not have a user or password", GivenUp},
			"7": {redirects("ftp://hunter2"), "redirected to a URL that cannot be called: must begin with http:// or https://", Waiting},
		} {
			f.Run(c.reason, func(t *testing.T) {
				f.must(f.enqueue("1", id, Due{Kind: "hook", URL: c.url, ContentType: "text/plain", Body: []byte("x")}))
				stop := w.start()
				s := w.failures("1", id, 1)
				stop()
				if s.LastError != c.reason || s.Phase != c.phase || (s.Body == nil) != (c.phase == GivenUp) {
					t.Errorf("%+v, want %q", s, c.reason)
				}
			})
		}
		if len(elsewhere.got) != 0 {
			f.Error("what must not be called was called")
		}
		w.quiet()
		f.must(f.service().Dismiss(f.Context(), "1", "6", "bob", "hook"))
		w.ended("1", "6")
	})
}

// After the last attempt it is kept for a while, and then forgotten.
func TestGiveUp(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		r, w := receive(f), f.worker()
		for range MaxAttempts + 1 {
			r.answer <- http.StatusGone
		}
		f.must(f.enqueue("1", "7", r.to("in vain")))
		w.start()
		began := f.clock.Now()
		var s State
		for n := range MaxAttempts {
			r.next(f)
			s = w.failures("1", "7", n+1)
			if n+1 < MaxAttempts {
				w.advance(s.NextAt.Sub(f.clock.Now()))
			}
		}
		if took := s.LastFailed.Sub(began); took < 20*time.Hour || took > 31*time.Hour {
			f.Errorf("given up after %v", took)
		}
		if s.Phase != GivenUp || s.Body != nil || !s.NextAt.Equal(s.LastFailed.Add(Keep)) {
			f.Errorf("given up it is %+v", s)
		}
		w.advance(Keep - time.Microsecond)
		w.sleeps(f, s.NextAt)
		_, err := Get(f.Context(), f.db, "1", "7")
		f.must(err)
		w.advance(time.Microsecond)
		w.ended("1", "7")
		if len(r.got) != 0 || !strings.Contains(w.logs.String(), "a delivery is given up") {
			f.Errorf("%d messages too many; logged:\n%s", len(r.got), w.logs)
		}
		w.quiet()
	})
}

// A node that dies after it has taken a lease holds a message up no longer than that.
func TestCrash(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		r, w := receive(f), f.worker()
		f.must(f.enqueue("1", "7", r.to("x")))
		dead := f.do("1", "7", Attempt{Now: f.clock.Now()}.Decide)
		w.start()
		w.advance(Lease - time.Microsecond)
		w.sleeps(f, dead.NextAt)
		if len(r.got) != 0 {
			f.Error("it was sent within the lease of another")
		}
		w.advance(time.Microsecond)
		r.next(f)
		w.ended("1", "7")
		f.left("1", "delivery.due", "delivery.attempted", "delivery.attempted", "delivery.succeeded")
		// The dead comes back: too late.
		f.do("1", "7", Fail{Now: f.clock.Now(), Attempt: 1, Error: "x"}.Decide)
		f.left("1", "delivery.due", "delivery.attempted", "delivery.attempted", "delivery.succeeded")
	})
}

// Of two nodes that live, one sends each message.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		f := newFixture(t, d.Open(t))
		other := f
		if d.Engine.MultiNode {
			other = newFixture(t, d.Open(t))
			other.clock = f.clock
		}
		const instances, each = 10, 5
		r := receive(t)
		nodes := []*working{f.worker(), other.worker()}
		for _, n := range nodes {
			n.start()
		}
		for i := range instances {
			instance := ident.InstanceID(fmt.Sprint(i))
			f.instance(instance)
			f.must(f.log.Write(t.Context(), instance, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				for n := range each {
					if err := Enqueue(ctx, w, ident.DeliveryID(fmt.Sprint(1+i*each+n)), r.to("x")); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		seen := make(map[string]int)
		for range instances * each {
			seen[r.next(t).id]++
		}
		nodes[0].until("all have arrived", func() bool {
			left, err := store.One(t.Context(), f.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
				`SELECT count(*) FROM deliveries`)
			f.must(err)
			return left == 0
		})
		if len(seen) != instances*each || len(r.got) != 0 {
			t.Errorf("%d messages arrived, and %d twice", len(seen), len(r.got))
		}
		if n := nodes[0].worker.Succeeded() + nodes[1].worker.Succeeded(); n != instances*each {
			t.Errorf("%d succeeded", n)
		}
	})
}

// What a removed instance has left is not sent, goes away, and keeps nobody waiting.
func TestRemovedInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		r, w := receive(f), f.worker()
		for i := range 3 * perLook {
			f.must(f.enqueue("1", ident.DeliveryID(fmt.Sprint(100+i)), r.to("removed")))
		}
		f.clock.Advance(time.Second)
		f.must(f.enqueue("2", "7", r.to("there")))
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return f.keys.Destroy(ctx, tx, "1") }))
		w.start()
		if got := r.next(f); got.id != "7" || got.body != "there" {
			f.Errorf("got %v", got)
		}
		w.ended("1", "100")
		w.ended("2", "7")
		f.left("2", "delivery.due", "delivery.attempted", "delivery.succeeded")
		if len(r.got) != 0 {
			f.Error("a message of a removed instance was sent")
		}
	})
}

// An instance that is removed while its message is under way leaves nothing either.
func TestRemovedUnderWay(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		r, w := receive(f, holding), f.worker()
		w.worker.Client = egress.New(egress.Config{
			Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Timeout: 200 * time.Millisecond,
		})
		f.must(f.enqueue("1", "7", r.to("x")))
		stop := w.start()
		r.next(f)
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return f.keys.Destroy(ctx, tx, "1") }))
		stop() // waits for the attempt
		if s, err := Get(f.Context(), f.db, "1", "7"); err != nil || s.Failures != 0 {
			f.Errorf("%+v, %v", s, err)
		}
		f.clock.Advance(Lease)
		w = f.worker()
		w.start()
		w.ended("1", "7")
	})
}

// A receiver that does not answer holds up few of the slots, and other instances not at all.
func TestFairness(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		slow, fast, w := receive(f), receive(f), f.worker()
		const many = 4 * perLook
		for i := range many {
			slow.answer <- holding
			f.must(f.enqueue("1", ident.DeliveryID(fmt.Sprint(100+i)), slow.to("x")))
		}
		w.start()
		for range PerInstance {
			slow.next(f)
		}
		f.clock.Advance(time.Millisecond)
		for i := range many {
			f.must(f.enqueue("2", ident.DeliveryID(fmt.Sprint(200+i)), fast.to("x")))
		}
		for range many {
			fast.next(f)
		}
		if len(slow.got) != 0 {
			f.Errorf("%d more attempts of the instance that waits", len(slow.got))
		}
		for i := range many {
			w.ended("2", ident.DeliveryID(fmt.Sprint(200+i)))
		}
		slow.CloseClientConnections() // which fails those that wait
		for range PerInstance {
			slow.next(f)
		}
	})
}

// However many messages others have for receivers that do not answer, an instance gets its turn
// when an attempt ends, before any of them gets one more than it.
func TestTurns(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		got, answer := make(chan string, 1000), make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got <- r.Header.Get(IDHeader)
			<-answer
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		f.Cleanup(slow.Close)
		f.Cleanup(func() { close(answer) })
		const others = Slots/PerInstance + 1
		for i := range others {
			instance := ident.InstanceID(fmt.Sprint("other ", i))
			f.instance(instance)
			for n := range perLook {
				f.must(f.enqueue(instance, ident.DeliveryID(fmt.Sprint(1000*(i+1)+n)), Due{Kind: "hook", URL: slow.URL, ContentType: "text/plain"}))
			}
		}
		w := f.worker()
		w.start()
		for range Slots {
			<-got
		}
		f.clock.Advance(time.Millisecond)
		f.instance("1")
		f.must(f.enqueue("1", "7", Due{Kind: "hook", URL: slow.URL, ContentType: "text/plain"}))
		for turn := 1; ; turn++ {
			answer <- struct{}{}
			if id := <-got; id == "7" {
				break
			}
			if turn == others {
				f.Fatalf("not among the first %d", turn)
			}
		}
	})
}

// A worker that stops finishes what is under way; one that is cut off leaves it to others.
func TestStop(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		w, got, answer := f.worker(), make(chan struct{}), make(chan struct{})
		r := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			got <- struct{}{}
			<-answer
		}))
		f.Cleanup(r.Close)
		for _, id := range []ident.DeliveryID{"7", "8", "9"} { // one more than it sends of an instance
			f.must(f.enqueue("1", id, Due{Kind: "hook", URL: r.URL, ContentType: "text/plain"}))
		}
		stopping, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			w.worker.Run(f.Context(), stopping)
		}()
		for range PerInstance {
			<-got
		}
		close(stopping)
		close(answer)
		<-ended
		f.left("1", "delivery.due", "delivery.due", "delivery.due", "delivery.attempted", "delivery.attempted",
			"delivery.succeeded", "delivery.succeeded")

		silent := receive(f, holding)
		f.must(f.enqueue("1", "10", silent.to("x")))
		ctx, cancel := context.WithCancel(f.Context())
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			w.worker.Run(ctx, nil)
		}()
		<-got // of 9
		silent.next(f)
		cancel()
		<-ended
		if s, err := Get(f.Context(), f.db, "1", "10"); err != nil || s.Phase != Attempting || s.Failures != 0 {
			f.Errorf("cut off it is %+v, %v", s, err)
		}
	})
}

// Commits that follow each other closely make a worker look once.
func TestPause(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		r, w := receive(f), f.worker()
		w.worker.Pause = time.Second
		w.start()
		w.sleeps(f, f.clock.Now().Add(Tick), f.clock.Now().Add(time.Second)) // there are signals without cause
		f.must(f.enqueue("1", "7", r.to("x")))
		w.sleeps(f, f.clock.Now().Add(time.Second))
		if len(r.got) != 0 {
			f.Error("it was sent within the pause")
		}
		w.advance(time.Second)
		r.next(f)
		w.ended("1", "7")
	})
}

// broken is a database, and keys in it, that fail when told to.
type broken struct {
	store.DB
	store.Sealers
	down atomic.Bool
}

func (b *broken) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	if b.down.Load() {
		return nil, store.ErrUnavailable
	}
	return b.DB.Query(ctx, sql, args...)
}

func (b *broken) Hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID) (store.Sealer, error) {
	if instance == "damaged" && b.down.Load() {
		return nil, errors.New("the key is damaged")
	}
	return b.Sealers.Hold(ctx, tx, d, instance)
}

// While the database is away a worker waits, and looks again.
func TestOutage(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		r, w := receive(f), f.worker()
		db := &broken{DB: f.db}
		w.worker.Deliveries = &Service{DB: db, Log: f.log}
		db.down.Store(true)
		w.start()
		w.sleeps(f, f.clock.Now().Add(Tick))
		f.must(f.enqueue("1", "7", r.to("x")))
		w.sleeps(f, f.clock.Now().Add(Tick))
		db.down.Store(false)
		w.advance(Tick)
		r.next(f)
		w.ended("1", "7")
		if !strings.Contains(w.logs.String(), "deliveries wait") {
			f.Errorf("logged:\n%s", w.logs)
		}
	})
}

// A delivery that cannot be begun, for whatever reason, keeps no other waiting.
func TestDamage(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("damaged", "2")
		r, w := receive(f), f.worker()
		for i := range 2 * perLook {
			f.must(f.enqueue("damaged", ident.DeliveryID(fmt.Sprint(100+i)), r.to("damaged")))
		}
		f.clock.Advance(time.Second)
		f.must(f.enqueue("2", "7", r.to("whole")))
		keys := &broken{Sealers: f.keys}
		keys.down.Store(true)
		w.worker.Deliveries = &Service{DB: f.db, Log: eventlog.New(f.db, keys, f.clock, Noun)}
		w.start()
		if got := r.next(f); got.body != "whole" {
			f.Errorf("got %v", got)
		}
		w.ended("2", "7")
		w.sleeps(f, f.clock.Now().Add(Tick))
		keys.down.Store(false)
		w.advance(Tick)
		for range 2 * perLook {
			r.next(f)
		}
	})
}
