package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/systemuser"
	"castellan/internal/vault"

	castellansystemv1 "castellan/gen/castellan/system/v1"
)

// sink is the end of a stream where the client is.
type sink struct {
	grpc.ServerStream
	f      *fixture
	ctx    context.Context
	leave  context.CancelCauseFunc
	got    chan *castellansystemv1.WatchInstancesResponse
	broken error // of Send
	ended  chan error
}

func (s *sink) Context() context.Context { return s.ctx }

func (s *sink) Send(m *castellansystemv1.WatchInstancesResponse) error {
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

// watch opens a stream as a user.
func (f *fixture) watch(as ident.Actor, req *castellansystemv1.WatchInstancesRequest) *sink {
	f.Helper()
	s := &sink{f: f, got: make(chan *castellansystemv1.WatchInstancesResponse), ended: make(chan error, 1)}
	by, err := f.as(f.Context(), as)
	f.must(err)
	s.ctx, s.leave = context.WithCancelCause(call.With(f.Context(), call.Call{Actor: as, ActorSequence: by.Sequence, ActorKey: by.Key}))
	go func() { s.ended <- f.service.WatchInstances(req, s) }()
	f.Cleanup(func() { s.leave(nil) })
	return s
}

// next returns the next message.
func (s *sink) next() *castellansystemv1.WatchInstancesResponse {
	s.f.Helper()
	select {
	case m := <-s.got:
		if m.GetPosition() == "" || len(m.GetPosition()) > 500 {
			s.f.Errorf("the position is %q", m.GetPosition())
		}
		return m
	case err := <-s.ended:
		s.f.Fatalf("the stream has ended: %v", err)
		return nil
	}
}

// position returns the next message's position; there must be no change in it.
func (s *sink) position() string {
	s.f.Helper()
	m := s.next()
	if m.GetChange() != nil {
		s.f.Fatalf("a message with %v, want a position alone", m.GetChange())
	}
	return m.GetPosition()
}

// changes returns the next n messages, which must have changes, as texts.
func (s *sink) changes(n int) []string {
	s.f.Helper()
	var all []string
	for range n {
		all = append(all, show(s.next()))
	}
	return all
}

// show writes a message as instance, type, event and sequence.
func show(m *castellansystemv1.WatchInstancesResponse) string {
	c := m.GetChange()
	if c == nil {
		return "position"
	}
	return fmt.Sprintf("%s %s %s %d", c.GetInstanceId(), c.GetType().String()[len("CHANGE_TYPE_"):], c.GetEventType(), c.GetSequence())
}

// end waits for the end of the stream, taking what still comes, and returns its error.
func (s *sink) end() error {
	for {
		select {
		case <-s.got:
		case err := <-s.ended:
			return err
		}
	}
}

// quit ends the stream as a client that leaves does.
func (s *sink) quit() {
	s.f.Helper()
	s.leave(nil)
	if err := s.end(); !errors.Is(err, context.Canceled) {
		s.f.Errorf("the stream of a client that has left ended with %v", err)
	}
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// live makes every sort of change on an instance, and returns how they are shown.
func (f *fixture) live(id ident.InstanceID) []string {
	f.Helper()
	ctx, s := f.Context(), f.service.Instances
	f.make(id)
	_, err := s.Rename(ctx, id, operator, "Other")
	f.must(err)
	_, err = s.AddDomain(ctx, id, operator, string(id)+".example")
	f.must(err)
	begin(f, id, users, userRenamed{}) // no change of the instance
	begin(f, id, limits, limitsSet{})
	begin(f, id, quotas, quotaSet{})
	begin(f, id, features, featureSet{})
	_, err = s.Stop(ctx, id, operator)
	f.must(err)
	_, err = s.Start(ctx, id, viewer)
	f.must(err)
	_, err = s.Remove(ctx, id, operator)
	f.must(err)
	var want []string
	for _, w := range []string{
		"ADDED instance.added 1", "DOMAINS_CHANGED instance.domain.added 2", "DOMAINS_CHANGED instance.domain.primary.set 3",
		"CHANGED instance.changed 4", "DOMAINS_CHANGED instance.domain.added 5",
		"LIMITS_CHANGED limits.set 1", "QUOTAS_CHANGED quota.set 1", "FEATURES_CHANGED feature.instance.login_default_org.set 1",
		"STOPPED instance.stopped 6", "STARTED instance.started 7", "REMOVED instance.removed 8",
	} {
		want = append(want, string(id)+" "+w)
	}
	return want
}

// settle waits until nothing can come before the last event of an instance. A stream that begins
// now begins after it then.
func (f *fixture) settle(id ident.InstanceID) {
	f.Helper()
	tick, stop := ticks()
	defer stop()
	for last := f.last(id); ; <-tick {
		end, err := f.log.End(f.Context())
		f.must(err)
		if !end.Before(last) {
			return
		}
	}
}

func TestWatch(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.make("1")
		f.settle("1")
		w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{})
		w.position()
		want := f.live("2")
		first := w.next()
		f.same("the first", show(first), want[0])
		if c := first.GetChange(); c.GetActor() != operator || !c.GetAt().AsTime().Equal(start) {
			f.Errorf("by %q at %v", c.GetActor(), c.GetAt().AsTime())
		}
		f.same("as it happens", w.changes(len(want)-1), want[1:])
		w.quit()
	})
}

// Whichever position of a stream is brought back, what follows is what followed then: none missing,
// none twice.
func TestWatchResumes(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		want := append(f.live("1"), f.live("2")...)
		w := f.watch(viewer, &castellansystemv1.WatchInstancesRequest{FromBeginning: true})
		positions := []string{w.position()}
		var got []string
		for range want {
			m := w.next()
			positions, got = append(positions, m.GetPosition()), append(got, show(m))
		}
		w.quit()
		f.same("from the beginning", got, want)
		for i, position := range positions {
			w := f.watch(viewer, &castellansystemv1.WatchInstancesRequest{Position: position})
			w.position()
			f.same(fmt.Sprint("from position ", i), w.changes(len(want)-i), append([]string(nil), want[i:]...))
			w.quit()
		}
	})
}

// place is where a position of a user is in the log.
func (f *fixture) place(as, position string) eventlog.Position {
	f.Helper()
	text, err := f.service.Positions.Open(watchPurpose, as, position)
	f.must(err)
	p, err := eventlog.ParsePosition(string(text))
	f.must(err)
	return p
}

// last is the place of an instance's last event.
func (f *fixture) last(id ident.InstanceID) eventlog.Position {
	f.Helper()
	events, err := f.log.Of(f.Context(), f.db, id, eventlog.Position{}, 1000)
	f.must(err)
	return events[len(events)-1].Position
}

// beatTo lets the heart beat until a stream has come to a place, and returns its position then. No
// change must come meanwhile.
func (s *sink) beatTo(as string, place eventlog.Position) string {
	s.f.Helper()
	for {
		select {
		case s.f.beat <- start:
		case err := <-s.ended:
			s.f.Fatalf("the stream has ended: %v", err)
		}
		if position := s.position(); !s.f.place(as, position).Before(place) {
			return position
		}
	}
}

func TestWatchSomeInstances(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two, three := f.live("1"), f.live("2"), f.live("3")
		w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{FromBeginning: true, InstanceIds: []string{"1", "3", "404", "system"}})
		begun := w.position()
		f.same("two of three", w.changes(len(one)+len(three)), append(one, three...))
		// A heartbeat takes the position along, past what is not shown.
		four := f.live("4")
		beaten := w.beatTo(operator, f.last("4"))
		w.quit()
		five := f.live("5")
		w = f.watch(operator, &castellansystemv1.WatchInstancesRequest{Position: beaten})
		w.position()
		f.same("after the heartbeat", w.changes(len(five)), five)
		w.quit()
		// A position serves whatever is watched.
		w = f.watch(operator, &castellansystemv1.WatchInstancesRequest{Position: begun, InstanceIds: []string{"2", "4"}})
		w.position()
		f.same("others, from the first position", w.changes(len(two)+len(four)), append(two, four...))
		w.quit()
	})
}

// Events of nouns and versions that this program does not know do not stop a stream, nor do those
// whose key is destroyed.
func TestWatchSurvivesWhatItDoesNotKnow(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.must(eventlog.New(f.db, f.keys, f.clock, tomorrow, standIn("user", userRenamed{})).Write(f.Context(), "1", operator,
			func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, tomorrow, eventlog.Origin{ID: "1", Owner: "1"}, unknownOne{})
				return err
			}))
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return f.keys.Destroy(ctx, tx, "1") }))
		w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{FromBeginning: true})
		w.position()
		f.make("2")
		f.same("shown", w.changes(2), []string{"1 CHANGED instance.something.of.tomorrow 1", "2 ADDED instance.added 1"})
		w.quit()
	})
}

// refuse checks that a stream is refused before its first message.
func (f *fixture) refuse(what string, as ident.Actor, req *castellansystemv1.WatchInstancesRequest, kind fault.Kind, id string, fields ...string) {
	f.Helper()
	w := f.watch(as, req)
	select {
	case m := <-w.got:
		f.Errorf("%s: was sent %v", what, m)
	case err := <-w.ended:
		got := fault.Of(err)
		if got.Kind != kind || got.ID != id || len(got.Violations) != len(fields) || len(fields) > 0 && got.Violations[0].Field != fields[0] {
			f.Errorf("%s: %v, want %s %q", what, err, id, fields)
		}
	}
}

func TestWatchRefusesPositions(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.make("1")
		w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{})
		good := w.position()
		w.quit()
		at := []byte(f.last("1").String())
		for what, position := range map[string]string{
			"made up":               "7.12",
			"in the clear":          string(at),
			"truncated":             good[:len(good)-1],
			"changed":               "B" + good[1:],
			"of another user":       f.service.Positions.Seal(watchPurpose, viewer, at),
			"of another request":    f.service.Positions.Seal(auditPurpose, operator, at),
			"of another deployment": vault.NewPositions(vault.NewMasterKey([vault.KeySize]byte{2}, nil)).Seal(watchPurpose, operator, at),
		} {
			f.refuse(what, operator, &castellansystemv1.WatchInstancesRequest{Position: position},
				fault.InvalidArgument, "VAULT-pos01", "position")
		}
		f.refuse("sealed by us, and none", operator, &castellansystemv1.WatchInstancesRequest{
			Position: f.service.Positions.Seal(watchPurpose, operator, []byte("x")),
		}, fault.Internal, "")
		f.refuse("two beginnings", operator, &castellansystemv1.WatchInstancesRequest{Position: good, FromBeginning: true},
			fault.InvalidArgument, "WATCH-begin", "from_beginning")
	})
}

// A node serves a number of streams; a place that becomes free can be taken.
func TestWatchesAreCounted(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		var open []*sink
		for range f.service.MaxWatches {
			w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{})
			w.position()
			open = append(open, w)
		}
		for range 2 {
			f.refuse("one more", viewer, &castellansystemv1.WatchInstancesRequest{}, fault.ResourceExhausted, "WATCH-many1")
		}
		open[0].quit()
		w := f.watch(viewer, &castellansystemv1.WatchInstancesRequest{})
		w.position()
		for _, w := range append(open[1:], w) {
			w.quit()
		}
	})
}

// What is older than the retention of its instance is not shown, and the stream goes past it.
func TestWatchKeepsTheRetention(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		asked := map[ident.InstanceID]int{}
		f.service.Retention = func(_ context.Context, _ store.Querier, id ident.InstanceID) (time.Duration, error) {
			asked[id]++
			return map[ident.InstanceID]time.Duration{"1": time.Hour, "2": 0, "3": 2 * time.Hour}[id], nil
		}
		for _, id := range []ident.InstanceID{"1", "2", "3"} {
			f.make(id)
		}
		f.clock.Advance(time.Hour)
		for _, id := range []ident.InstanceID{"1", "3"} {
			_, err := f.service.Instances.Stop(f.Context(), id, operator)
			f.must(err)
		}
		f.clock.Advance(time.Hour)
		w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{FromBeginning: true})
		w.position()
		f.same("shown", w.changes(8), []string{
			"2 ADDED instance.added 1", "2 DOMAINS_CHANGED instance.domain.added 2", "2 DOMAINS_CHANGED instance.domain.primary.set 3",
			"3 ADDED instance.added 1", "3 DOMAINS_CHANGED instance.domain.added 2", "3 DOMAINS_CHANGED instance.domain.primary.set 3",
			"1 STOPPED instance.stopped 4", "3 STOPPED instance.stopped 4",
		})
		before := maps.Clone(asked)
		f.make("4") // its changes come next
		f.same("new", w.changes(3)[0], "4 ADDED instance.added 1")
		w.quit()
		f.same("asked for what is new", asked, before)
		// Once for each page: what two writes have left is on one, or on two when another write was under way, of
		// whomever, as the first was read.
		if one, two, three := before["1"], before["2"], before["3"]; two != 1 || one < 1 || one > 2 || three < 1 || three > 2 {
			f.Errorf("asked %v, for an instance with changes of one write and two with changes of two", before)
		}
		broken := errors.New("broken")
		f.clock.Advance(time.Hour)
		f.service.Retention = func(context.Context, store.Querier, ident.InstanceID) (time.Duration, error) { return 0, broken }
		w = f.watch(operator, &castellansystemv1.WatchInstancesRequest{FromBeginning: true})
		w.position()
		if err := w.end(); !errors.Is(err, broken) {
			f.Errorf("without an answer about the retention it ended with %v", err)
		}
	})
}

// Of an instance that was removed the removal is shown, and nothing before: its retention is reclaimed
// with the rest of it.
func TestWatchKeepsTheRetentionOfTheRemoved(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.service.Retention = func(ctx context.Context, q store.Querier, id ident.InstanceID) (time.Duration, error) {
			// Like limits, it is gone when the instance is reclaimed.
			left, err := store.All(ctx, q, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
				`SELECT 1 FROM removals WHERE instance_id = $1`, string(id))
			return time.Duration(len(left)) * time.Hour, err
		}
		first := f.live("1")
		f.make("2")
		shown := func(what string, want []string) {
			f.Helper()
			w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{FromBeginning: true})
			w.position()
			f.same(what, w.changes(len(want)), want)
			w.beatTo(operator, f.last("2")) // and no other
			w.quit()
		}
		second := []string{
			"2 ADDED instance.added 1", "2 DOMAINS_CHANGED instance.domain.added 2", "2 DOMAINS_CHANGED instance.domain.primary.set 3",
		}
		removal := first[len(first)-1:]
		shown("at once", append(slices.Clone(first), second...))
		f.clock.Advance(fresh)
		shown("after a minute", append(slices.Clone(first), second...))
		f.clock.Advance(time.Microsecond)
		shown("later", append(slices.Clone(removal), second...))
		for more := true; more; {
			var err error
			more, err = f.log.Reclaim(f.Context())
			f.must(err)
		}
		shown("reclaimed", append(slices.Clone(removal), second...))
		f.clock.Advance(1000 * time.Hour)
		shown("much later", append(slices.Clone(removal), second...))
	})
}

// addOwner adds a user who may do everything.
func (f *fixture) addOwner(name string) {
	f.Helper()
	_, err := f.service.Operators.Add(f.Context(), f.operator(), systemuser.Add{
		Name: name, PublicKey: publicKey(f), Memberships: []systemuser.Membership{{Type: systemuser.System, Roles: []string{"SYSTEM_OWNER"}}},
	})
	f.must(err)
}

// unauthenticated checks how a stream ends whose caller is known no more.
func (s *sink) unauthenticated(what string) {
	s.f.Helper()
	if err := s.end(); fault.Of(err).ID != "AUTH-7fs1e" {
		s.f.Errorf("%s: the stream ended with %v", what, err)
	}
}

// The stream of a user ends when it is removed or gets another key, and not because that has
// happened before.
func TestWatchEndsWithItsCaller(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.addOwner("ada")
		f.addOwner("bob")
		rotate := func(name string) {
			_, err := f.service.Operators.Rotate(f.Context(), f.operator(), name, systemuser.Rotate{PublicKey: publicKey(f), Keep: time.Hour})
			f.must(err)
		}
		rotate("ada")
		w := f.watch("ada", &castellansystemv1.WatchInstancesRequest{FromBeginning: true})
		w.position()
		rotate("bob") // of another
		f.make("1")
		f.same("shown", w.changes(3)[0], "1 ADDED instance.added 1")
		rotate("ada")
		w.unauthenticated("rotated")

		w = f.watch("ada", &castellansystemv1.WatchInstancesRequest{})
		w.position()
		_, err := f.service.Operators.Remove(f.Context(), f.operator(), "ada")
		f.must(err)
		w.unauthenticated("removed")

		// Of the configuration: noticed when the heart beats.
		users := configured(f)
		f.must(f.users.Reload(users))
		w = f.watch(viewer, &castellansystemv1.WatchInstancesRequest{})
		w.position()
		users[0].KeyData = publicKey(f) // of another
		f.must(f.users.Reload(users))
		f.beat <- start
		w.position()
		users[1].KeyData = publicKey(f)
		f.must(f.users.Reload(users))
		f.beat <- start
		w.unauthenticated("with another key in the configuration")

		w = f.watch(viewer, &castellansystemv1.WatchInstancesRequest{})
		w.position()
		f.must(f.users.Reload(users[:1]))
		f.beat <- start
		w.unauthenticated("no longer configured")

		w = f.watch(operator, &castellansystemv1.WatchInstancesRequest{})
		w.position()
		users[0].Memberships = []systemuser.MembershipConfig{{MemberType: "System", Roles: []string{"IAM_OWNER"}}}
		f.must(f.users.Reload(users[:1]))
		f.beat <- start
		if err := w.end(); fault.KindOf(err) != fault.PermissionDenied {
			f.Errorf("without the role the stream ended with %v", err)
		}
	})
}

func TestWatchEnds(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.make("1")
		stopping := fault.Plain(fault.Unavailable, "the server is stopping")
		w := f.watch(operator, &castellansystemv1.WatchInstancesRequest{})
		w.position()
		w.leave(stopping)
		if err := w.end(); !errors.Is(err, stopping) {
			f.Errorf("when the server stops: %v", err)
		}
		w = f.watch(operator, &castellansystemv1.WatchInstancesRequest{FromBeginning: true})
		w.leave(stopping) // before the first message is taken
		if err := w.end(); !errors.Is(err, stopping) {
			f.Errorf("when the server stops early: %v", err)
		}
		s := &sink{f: f, ctx: call.With(f.Context(), call.Call{Actor: operator}), broken: errors.New("i/o timeout")}
		if err := f.service.WatchInstances(&castellansystemv1.WatchInstancesRequest{}, s); fault.KindOf(err) != fault.Canceled || !errors.Is(err, s.broken) {
			f.Errorf("when the client does not read: %v", err)
		}
		gone, leave := context.WithCancel(call.With(f.Context(), call.Call{Actor: operator}))
		leave()
		if err := f.service.WatchInstances(&castellansystemv1.WatchInstancesRequest{}, &sink{f: f, ctx: gone}); !errors.Is(err, context.Canceled) {
			f.Errorf("when the client has left: %v", err)
		}
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `ALTER TABLE events RENAME TO elsewhere`)
		}))
		f.refuse("without the log", operator, &castellansystemv1.WatchInstancesRequest{}, fault.Internal, "")
	})
}

// TestEveryEventOfAnInstanceHasAType that is declared.
func TestEveryEventOfAnInstanceHasAType(t *testing.T) {
	for _, p := range instance.Noun.Payloads {
		typ, is := changeType(eventlog.Event{Aggregate: eventlog.Aggregate{Type: "instance"}, Type: p.EventType()})
		if !is || typ == castellansystemv1.ChangeType_CHANGE_TYPE_UNSPECIFIED {
			t.Errorf("%s: %v, %v", p.EventType(), typ, is)
		}
	}
	if _, is := changeType(eventlog.Event{Aggregate: eventlog.Aggregate{Type: systemuser.AggregateType}}); is {
		t.Error("what happens to a system user is shown as a change of an instance")
	}
}
