package admin

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/journal"
	"castellan/internal/limit"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"

	eventsv1 "castellan/gen/castellan/events/v1"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is the service of streams on one database with the instances 1 and 2.
type fixture struct {
	*testing.T
	db     store.DB
	log    *eventlog.Log
	clock  *ident.ManualClock
	events *Events
	beat   chan time.Time
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{
			T: t, db: db, beat: make(chan time.Time),
			clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)),
		}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, instance.Noun, limit.Noun)
		f.events = &Events{
			Journal: &journal.Reader{DB: db, Log: f.log, Clock: f.clock}, Positions: keys.Positions(),
			Tail: eventlog.NewTail(f.log, func() (<-chan time.Time, func()) {
				t := time.NewTicker(5 * time.Millisecond) // tests that run in parallel share a server
				return t.C, t.Stop
			}),
			Beat:     func() (<-chan time.Time, func()) { return f.beat, func() {} },
			MaxTails: 3, MaxOfInstance: 2,
		}
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
		f.settle()
		fn(f)
	})
}

// settle waits until nothing can come before the end of the log any more: a stream that begins there
// begins with what comes then. Tests that run in parallel share a server, and with it the order of
// transactions.
func (f *fixture) settle() {
	f.Helper()
	last, _, err := f.log.Last(f.Context(), f.db)
	f.must(err)
	ctx, done := context.WithCancel(f.Context())
	defer done()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	err = f.log.FollowEnvelopes(ctx, eventlog.Position{}, ticker.C, func(_ context.Context, events []eventlog.Event) error {
		if !events[len(events)-1].Position.Before(last) {
			done()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		f.Fatal(err)
	}
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// rename makes one event.
func (f *fixture) rename(id ident.InstanceID, name string) {
	f.Helper()
	_, err := (&instance.Service{DB: f.db, Log: f.log}).Rename(f.Context(), id, "ada", name)
	f.must(err)
}

// sink is the end of a stream where the client is.
type sink struct {
	grpc.ServerStream
	f      *fixture
	ctx    context.Context
	leave  context.CancelCauseFunc
	got    chan *eventsv1.TailEventsResponse
	ended  chan error
	broken error      // of Send
	denied chan error // what the next question whether the caller may still be told is answered
}

// Context implements grpc.ServerStream.
func (s *sink) Context() context.Context { return s.ctx }

// Send implements the stream.
func (s *sink) Send(m *eventsv1.TailEventsResponse) error {
	if s.broken != nil {
		return s.broken
	}
	select {
	case s.got <- m:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// tail opens a stream.
func (f *fixture) tail(req *eventsv1.TailEventsRequest, change ...func(*sink)) *sink {
	f.Helper()
	s := &sink{f: f, got: make(chan *eventsv1.TailEventsResponse), ended: make(chan error, 1), denied: make(chan error, 1)}
	ctx, leave := context.WithCancelCause(f.Context())
	s.leave = leave
	s.ctx = call.With(ctx, call.Call{Actor: "bob", Again: func(context.Context) error {
		select {
		case err := <-s.denied:
			return err
		default:
			return nil
		}
	}})
	for _, c := range change {
		c(s)
	}
	go func() { s.ended <- f.events.TailEvents(req, s) }()
	return s
}

// next returns the type of the next event, empty for a message that has a position alone.
func (s *sink) next() string {
	s.f.Helper()
	select {
	case m := <-s.got:
		if m.GetPosition() == "" {
			s.f.Errorf("no position in %v", m)
		}
		return m.GetEvent().GetType().GetType()
	case err := <-s.ended:
		s.f.Fatalf("the stream ended: %v", err)
	case <-time.After(30 * time.Second):
		s.f.Fatal("nothing comes")
	}
	return ""
}

// end returns how the stream ends.
func (s *sink) end() error {
	s.f.Helper()
	select {
	case err := <-s.ended:
		return err
	case m := <-s.got:
		s.f.Fatalf("the stream goes on with %v", m)
	case <-time.After(30 * time.Second):
		s.f.Fatal("the stream does not end")
	}
	return nil
}

var errDenied = fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")

func TestTheHeartBeats(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		s := f.tail(&eventsv1.TailEventsRequest{InstanceId: "1"})
		s.next()
		for range 2 {
			f.beat <- time.Time{}
			if got := s.next(); got != "" {
				f.Errorf("%s, although nothing has happened", got)
			}
		}
		f.rename("2", "Other") // of no interest
		f.rename("1", "Acme")
		if got := s.next(); got != "instance.changed" {
			f.Errorf("got %q", got)
		}
		s.denied <- errDenied
		f.beat <- time.Time{}
		if err := s.end(); !errors.Is(err, errDenied) {
			f.Errorf("ended with %v", err)
		}
	})
}

// Nothing is told to a caller who may not be told any more.
func TestNobodyIsToldTooMuch(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		s := f.tail(&eventsv1.TailEventsRequest{InstanceId: "1"})
		s.next()
		s.denied <- errDenied
		f.rename("1", "Acme")
		if err := s.end(); !errors.Is(err, errDenied) {
			f.Errorf("ended with %v", err)
		}
	})
}

func TestEndsOfAStream(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		stopping, gone := errors.New("the server stops"), errors.New("gone")
		s := f.tail(&eventsv1.TailEventsRequest{InstanceId: "1"})
		s.next()
		s.leave(stopping)
		if err := s.end(); !errors.Is(err, stopping) {
			f.Errorf("left: %v", err)
		}
		s = f.tail(&eventsv1.TailEventsRequest{InstanceId: "1"}, func(s *sink) { s.broken = gone })
		if err := s.end(); fault.KindOf(err) != fault.Canceled || !errors.Is(err, gone) {
			f.Errorf("broken: %v", err)
		}
	})
}

func TestHowManyStreams(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		open := func(id string) *sink {
			s := f.tail(&eventsv1.TailEventsRequest{InstanceId: id})
			s.next()
			return s
		}
		full := func(id string) {
			f.Helper()
			if err := f.tail(&eventsv1.TailEventsRequest{InstanceId: id}).end(); !errors.Is(err, errManyTails) {
				f.Errorf("another stream of %s: %v", id, err)
			}
		}
		streams := []*sink{open("1"), open("1")}
		full("1")
		streams = append(streams, open("2"))
		full("2")
		for _, s := range streams {
			s.leave(nil)
			if err := <-s.ended; !errors.Is(err, context.Canceled) {
				f.Errorf("a stream ended with %v", err)
			}
		}
		if f.events.total != 0 || len(f.events.tailing) != 0 {
			f.Errorf("%d streams are left, %v", f.events.total, f.events.tailing)
		}
		open("1").leave(nil)
	})
}

// A stream that has much to show shows all of it, in order, and goes on.
func TestManyEvents(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const many = 2*tailPage + 7
		for i := range many {
			f.rename("1", string(rune('a'+i%26))+time.Duration(i).String())
		}
		s := f.tail(&eventsv1.TailEventsRequest{InstanceId: "1", Since: timestampOf(f.clock.Now())})
		got := []string{s.next()}
		for len(got) < many+3 {
			got = append(got, s.next())
		}
		if n := slices.Index(got, "instance.changed"); n != 3 {
			f.Errorf("events %v", got[:5])
		}
		f.rename("1", "last")
		if got := s.next(); got != "instance.changed" {
			f.Errorf("then %s", got)
		}
		s.leave(nil)
	})
}
