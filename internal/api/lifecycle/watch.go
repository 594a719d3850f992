package lifecycle

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/systemuser"

	castellansystemv1 "castellan/gen/castellan/system/v1"
)

const (
	// watchPurpose is what positions of streams are sealed for. They are places in the log, so one
	// serves whatever instances are watched.
	watchPurpose = "castellan.system.v1.WatchInstances"
	// watchPermission is the one the method declares; it is asked for again while a stream goes on.
	watchPermission = "system.instance.read"
	// fresh is the age up to which a change is shown without asking for the retention of its
	// instance: whoever was there saw it anyway.
	fresh = time.Minute
)

var (
	errManyWatches = fault.New(fault.ResourceExhausted, "WATCH-many1", "Errors.Watch.TooMany")
	errTwoBegins   = fault.Invalid("WATCH-begin", "Errors.Watch.BeginAmbiguous", "from_beginning",
		"must not be set together with position")
	errNotTaken = fault.Plain(fault.Canceled, "the caller does not take what is sent")
)

// stream is what a watch writes to.
type stream interface {
	Send(message *castellansystemv1.WatchInstancesResponse) error
	Context() context.Context
}

// WatchInstances sends what happens to instances, from where the caller wants it.
func (s *Service) WatchInstances(req *castellansystemv1.WatchInstancesRequest, out castellansystemv1.InstanceLifecycleService_WatchInstancesServer) error {
	if s.watching.Add(1) > int64(s.MaxWatches) {
		s.watching.Add(-1)
		return errManyWatches
	}
	defer s.watching.Add(-1)
	ctx := out.Context()
	by := proofOf(ctx)
	w := &watch{service: s, out: out, caller: by.Name, by: by}
	if ids := req.GetInstanceIds(); len(ids) > 0 {
		w.only = make(map[ident.InstanceID]bool, len(ids))
		for _, id := range ids {
			w.only[ident.InstanceID(id)] = true
		}
	}
	err := w.begin(ctx, req)
	if err == nil {
		err = w.run(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // why the stream ends, whatever the step it was at made of it
	}
	return err
}

// watch is one stream. It is for one goroutine.
type watch struct {
	service *Service
	out     stream
	caller  ident.Actor
	by      systemuser.Proof          // what the caller was authenticated by
	only    map[ident.InstanceID]bool // nil: all instances

	after eventlog.Position // where the stream has come to
}

// begin finds the position after which the stream begins.
func (w *watch) begin(ctx context.Context, req *castellansystemv1.WatchInstancesRequest) (err error) {
	if req.GetPosition() != "" && req.GetFromBeginning() {
		return errTwoBegins
	}
	switch {
	case req.GetPosition() != "":
		place, err := w.service.Positions.Open(watchPurpose, string(w.caller), req.GetPosition())
		if err != nil {
			return err
		}
		w.after, err = eventlog.ParsePosition(string(place))
		return err // sealed by us, so it is ours to be wrong
	case req.GetFromBeginning():
		return nil
	default:
		w.after, err = w.service.Log.End(ctx)
		return err
	}
}

// run sends the first position, then changes as they come and positions as the heart beats.
func (w *watch) run(ctx context.Context) error {
	reader := w.service.Tail.Open()
	defer reader.Close()
	beat, stop := w.service.Beat()
	defer stop()
	if err := w.send(w.after, nil); err != nil {
		return err
	}
	for {
		events, more, err := reader.Read(ctx, w.after)
		if err != nil {
			return err
		}
		if err := w.show(ctx, events); err != nil {
			return err
		}
		if len(events) > 0 {
			more = closed // there may be more to read at once, but the heart beats meanwhile, too
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat:
			if err := w.beat(ctx); err != nil {
				return err
			}
		case <-more:
		}
	}
}

// closed is always ready.
var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// beat sends the position, to a caller who may still be told: whoever can make no more calls with its
// key is told no more either.
func (w *watch) beat(ctx context.Context) error {
	caller, err := w.service.Operators.Users.Still(ctx, nil, w.by)
	if err == nil {
		err = caller.May(watchPermission, systemuser.Scope{})
	}
	if err != nil {
		return err
	}
	return w.send(w.after, nil)
}

// show sends those of the next events that are changes the caller wants to see.
func (w *watch) show(ctx context.Context, events []eventlog.Event) error {
	asked := make(map[ident.InstanceID]reach)
	for _, e := range events {
		if w.endedBy(e) {
			return systemuser.TokenInvalid("its user was removed, or its key rotated")
		}
		if typ, is := changeType(e); is && (w.only == nil || w.only[e.Instance]) {
			tooOld, err := w.tooOld(ctx, e, asked)
			if err != nil {
				return err
			}
			if !tooOld {
				if err := w.send(e.Position, changeOf(e, typ)); err != nil {
					return err
				}
			}
		}
		w.after = e.Position
	}
	return nil
}

// endedBy reports whether an event takes from the caller what it was authenticated by.
func (w *watch) endedBy(e eventlog.Event) bool {
	return e.Instance == ident.System && e.Aggregate.Type == systemuser.AggregateType &&
		e.Aggregate.ID == string(w.caller) && w.by.Sequence > 0 && e.Sequence > w.by.Sequence
}

// reach is how far back changes of an instance are shown.
type reach struct {
	age   time.Duration // 0: any
	ended bool          // the instance was removed
}

// tooOld reports whether a change is past the retention of its instance, or comes before the removal
// of one that was removed. asked remembers what was found out.
func (w *watch) tooOld(ctx context.Context, e eventlog.Event, asked map[ident.InstanceID]reach) (bool, error) {
	age := w.service.Clock.Now().Sub(e.At)
	if age <= fresh {
		return false, nil
	}
	r, known := asked[e.Instance]
	if !known {
		var err error
		if r, err = w.reach(ctx, e.Instance); err != nil {
			return false, err
		}
		asked[e.Instance] = r
	}
	if r.ended {
		return e.Aggregate.Type != instance.Noun.Type || e.Type != instance.Removed{}.EventType(), nil
	}
	return r.age > 0 && age > r.age, nil
}

// reach asks for the retention of an instance, and only then whether the instance is there: as long as
// it is, nobody has reclaimed its limits.
func (w *watch) reach(ctx context.Context, id ident.InstanceID) (r reach, err error) {
	s := w.service
	if s.Retention != nil {
		if r.age, err = s.Retention(ctx, s.DB, id); err != nil {
			return r, err
		}
	}
	r.ended, err = s.Log.Ended(ctx, s.DB, id)
	return r, err
}

// send sends one message.
func (w *watch) send(at eventlog.Position, change *castellansystemv1.Change) error {
	err := w.out.Send(&castellansystemv1.WatchInstancesResponse{
		Position: w.service.Positions.Seal(watchPurpose, string(w.caller), []byte(at.String())),
		Change:   change,
	})
	if err != nil {
		return errNotTaken.WithCause(err)
	}
	return nil
}

// changeOf shows an event.
func changeOf(e eventlog.Event, typ castellansystemv1.ChangeType) *castellansystemv1.Change {
	return &castellansystemv1.Change{
		InstanceId: string(e.Instance), Type: typ, EventType: e.Type, Sequence: e.Sequence,
		At: timestamppb.New(e.At), Actor: string(e.Actor),
	}
}

// The aggregates beside the instance whose events are changes of it, by their names in the log
// (contract section 6).
var changesOf = map[string]castellansystemv1.ChangeType{
	"limits":  castellansystemv1.ChangeType_CHANGE_TYPE_LIMITS_CHANGED,
	"quota":   castellansystemv1.ChangeType_CHANGE_TYPE_QUOTAS_CHANGED,
	"feature": castellansystemv1.ChangeType_CHANGE_TYPE_FEATURES_CHANGED,
}

// changeTypes are the events of an instance that have a type of their own.
var changeTypes = map[string]castellansystemv1.ChangeType{
	instance.Added{}.EventType():   castellansystemv1.ChangeType_CHANGE_TYPE_ADDED,
	instance.Stopped{}.EventType(): castellansystemv1.ChangeType_CHANGE_TYPE_STOPPED,
	instance.Started{}.EventType(): castellansystemv1.ChangeType_CHANGE_TYPE_STARTED,
	instance.Removed{}.EventType(): castellansystemv1.ChangeType_CHANGE_TYPE_REMOVED,
}

// changeType says what sort of change an event is, and whether it is one at all. An event that this
// version does not know is a change of its aggregate.
func changeType(e eventlog.Event) (typ castellansystemv1.ChangeType, is bool) {
	if e.Aggregate.Type != instance.Noun.Type {
		typ, is = changesOf[e.Aggregate.Type]
		return typ, is
	}
	switch {
	case strings.HasPrefix(e.Type, "instance.domain."), strings.HasPrefix(e.Type, "instance.trusted_domains."):
		return castellansystemv1.ChangeType_CHANGE_TYPE_DOMAINS_CHANGED, true
	}
	if typ, is = changeTypes[e.Type]; !is {
		typ = castellansystemv1.ChangeType_CHANGE_TYPE_CHANGED
	}
	return typ, true
}
