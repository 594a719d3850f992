package admin

import (
	"context"
	"sync"
	"time"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/journal"
	"castellan/internal/vault"

	eventsv1 "castellan/gen/castellan/events/v1"
)

const (
	// tailPurpose is what positions of streams are sealed for. They are places in the log, so one serves
	// whatever conditions a stream has.
	tailPurpose = "castellan.events.v1.TailEvents"
	// tailPage is how many entries a stream reads at once, at most.
	tailPage = 100
)

var (
	errManyTails = fault.New(fault.ResourceExhausted, "TAIL-many1", "Errors.Events.TooManyStreams")
	errTwoBegins = fault.Invalid("TAIL-begin", "Errors.Events.BeginAmbiguous", "since",
		"must not be set together with position")
	errNotTaken = fault.Plain(fault.Canceled, "the caller does not take what is sent")
)

// Events implements eventsv1.EventServiceServer.
type Events struct {
	eventsv1.UnimplementedEventServiceServer

	Journal *journal.Reader
	// Tail tells when there is more to read.
	Tail *eventlog.Tail
	// Positions seals what clients bring back.
	Positions *vault.Positions
	// Beat makes the ticks at which a stream sends its position although nothing has happened; 20
	// seconds is what the interface promises.
	Beat func() (tick <-chan time.Time, stop func())
	// MaxTails is how many streams this node serves at once, MaxOfInstance how many of one instance.
	MaxTails, MaxOfInstance int

	mu      sync.Mutex
	tailing map[ident.InstanceID]int // streams that are served, of instances that have some
	total   int
}

// TailEvents sends what happens in an instance, from where the caller wants it.
func (s *Events) TailEvents(req *eventsv1.TailEventsRequest, out eventsv1.EventService_TailEventsServer) error {
	at := ident.InstanceID(req.GetInstanceId())
	if !s.enter(at) {
		return errManyTails
	}
	defer s.leave(at)
	ctx := out.Context()
	c := call.From(ctx)
	t := &tail{service: s, out: out, at: at, caller: string(at) + " " + string(c.Actor), again: c.Again, query: eventlog.Query{
		AggregateTypes: req.GetAggregateTypes(), AggregateID: req.GetAggregateId(), Types: req.GetEventTypes(),
		Settled: true, Limit: tailPage,
	}}
	err := t.begin(ctx, req)
	if err == nil {
		err = t.run(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // why the stream ends, whatever the step it was at made of it
	}
	return err
}

// enter takes a place for a stream; there may be none.
func (s *Events) enter(at ident.InstanceID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.MaxTails || s.tailing[at] >= s.MaxOfInstance {
		return false
	}
	if s.tailing == nil {
		s.tailing = make(map[ident.InstanceID]int)
	}
	s.tailing[at]++
	s.total++
	return true
}

// leave gives it back.
func (s *Events) leave(at ident.InstanceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.tailing[at]--; s.tailing[at] == 0 {
		delete(s.tailing, at)
	}
}

// tail is one stream. It is for one goroutine.
type tail struct {
	service *Events
	out     eventsv1.EventService_TailEventsServer
	at      ident.InstanceID
	caller  string // whose the positions are
	again   func(context.Context) error
	// query is what is read next: everything the stream has to show up to query.Past was sent.
	query eventlog.Query
}

// begin finds out where the stream begins.
func (t *tail) begin(ctx context.Context, req *eventsv1.TailEventsRequest) (err error) {
	if err := instance.Require(ctx, t.service.Journal.DB, t.at); err != nil {
		return err
	}
	switch {
	case req.GetPosition() != "" && req.GetSince() != nil:
		return errTwoBegins
	case req.GetPosition() != "":
		place, err := t.service.Positions.Open(tailPurpose, t.caller, req.GetPosition())
		if err != nil {
			return err
		}
		t.query.Past, err = eventlog.ParsePosition(string(place))
		return err // sealed by us, so it is ours to be wrong
	case req.GetSince() != nil:
		since, err := date(req.GetSince(), "since")
		t.query.After = since.Add(-time.Microsecond) // what was written then is shown
		return err
	default:
		t.query.Past, err = t.service.Journal.Log.End(ctx)
		return err
	}
}

// run sends the first position, then events as they come and positions as the heart beats.
func (t *tail) run(ctx context.Context) error {
	reader := t.service.Tail.Open()
	defer reader.Close()
	beat, stop := t.service.Beat()
	defer stop()
	if err := t.send(t.query.Past, nil); err != nil {
		return err
	}
	for {
		if err := t.catchUp(ctx); err != nil {
			return err
		}
		if err := t.await(ctx, reader, beat); err != nil {
			return err
		}
	}
}

// catchUp sends everything there is by now.
func (t *tail) catchUp(ctx context.Context) error {
	for {
		end, err := t.service.Journal.Log.End(ctx)
		if err != nil {
			return err
		}
		entries, err := t.service.Journal.Find(ctx, t.at, t.query)
		if err != nil {
			return err
		}
		if err := t.show(ctx, entries); err != nil {
			return err
		}
		if len(entries) < tailPage {
			// Up to where the log ended before it was read, there is no more.
			if t.query.Past.Before(end) {
				t.query.Past = end
			}
			return nil
		}
	}
}

// show sends entries to a caller who may still see them.
func (t *tail) show(ctx context.Context, entries []journal.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := t.again(ctx); err != nil {
		return err
	}
	for _, e := range entries {
		if err := t.send(e.Position, &e); err != nil {
			return err
		}
		t.query.Past = e.Position
		if e.Type == (instance.Removed{}).EventType() {
			return instance.NotFound(t.at)
		}
	}
	return nil
}

// await returns when something has happened in the instance, and sends positions meanwhile.
func (t *tail) await(ctx context.Context, reader *eventlog.TailReader, beat <-chan time.Time) error {
	for {
		events, more, err := reader.Read(ctx, t.query.Past)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Instance == t.at {
				return nil
			}
			t.query.Past = e.Position
		}
		if len(events) > 0 {
			more = ready // there may be more at once, but the heart beats meanwhile, too
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat:
			if err := t.again(ctx); err != nil {
				return err
			}
			if err := t.send(t.query.Past, nil); err != nil {
				return err
			}
		case <-more:
		}
	}
}

// ready is always ready.
var ready = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// send sends one message.
func (t *tail) send(at eventlog.Position, e *journal.Entry) error {
	m := &eventsv1.TailEventsResponse{Position: t.service.Positions.Seal(tailPurpose, t.caller, []byte(at.String()))}
	if e != nil {
		shown, err := eventOf(*e)
		if err != nil {
			return err
		}
		m.Event = shown
	}
	if err := t.out.Send(m); err != nil {
		return errNotTaken.WithCause(err)
	}
	return nil
}
