package tenant_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/tests/kit"

	eventsv1 "castellan/gen/castellan/events/v1"
	adminv1 "castellan/gen/zitadel/admin/v1"
	eventv1 "castellan/gen/zitadel/event/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// list returns the events that are found.
func (x *tenant) list(req *adminv1.ListEventsRequest) []*eventv1.Event {
	x.Helper()
	got := new(adminv1.ListEventsResponse)
	x.read(adminAPI+"ListEvents", req, got)
	return got.GetEvents()
}

// typesOf are the types of events.
func typesOf(events []*eventv1.Event) (types []string) {
	for _, e := range events {
		types = append(types, e.GetType().GetType())
	}
	return types
}

func TestListEvents(t *testing.T) {
	eachWire(t, func(x *tenant) {
		made := x.Events()
		newest := slices.Clone(made)
		slices.Reverse(newest)
		x.write(adminAPI+"UpdateDomainPolicy", &adminv1.UpdateDomainPolicyRequest{ValidateOrgDomains: true}, nil,
			[]string{"instance.policy.domain.changed"})
		changed := "instance.policy.domain.changed"
		pat := x.list(&adminv1.ListEventsRequest{EventTypes: []string{"user.pat.added"}})
		domains := []string{"instance.domain.added", "instance.domain.added", "instance.domain.primary.set"}
		for _, c := range []struct {
			name string
			req  *adminv1.ListEventsRequest
			want []string
		}{
			{"everything", &adminv1.ListEventsRequest{}, append([]string{changed}, newest...)},
			{"everything, oldest first", &adminv1.ListEventsRequest{Asc: true, Limit: 2000}, append(slices.Clone(made), changed)},
			{"a page", &adminv1.ListEventsRequest{Limit: 2}, []string{changed, newest[0]}},
			{"of types", &adminv1.ListEventsRequest{EventTypes: []string{"instance.domain.added", "instance.domain.primary.set"}, Asc: true, Limit: 3}, domains},
			{"of a type of aggregate", &adminv1.ListEventsRequest{AggregateTypes: []string{"policy"}}, []string{changed}},
			{"of an aggregate", &adminv1.ListEventsRequest{AggregateId: x.Owner, AggregateTypes: []string{"user", "org"}}, []string{"user.machine.added"}},
			{"of an aggregate of any type", &adminv1.ListEventsRequest{AggregateId: x.Owner}, []string{"user.machine.added"}},
			{"of an editor", &adminv1.ListEventsRequest{EditorUserId: x.Owner}, []string{changed}},
			{"of an owner", &adminv1.ListEventsRequest{ResourceOwner: x.Org, AggregateTypes: []string{"user"}}, []string{"user.machine.added"}},
			{"of another owner", &adminv1.ListEventsRequest{ResourceOwner: "404"}, nil},
			{"later", &adminv1.ListEventsRequest{Asc: true, CreationDateFilter: &adminv1.ListEventsRequest_From{From: pat[0].GetCreationDate()}}, []string{changed}},
			{"later, as it was called", &adminv1.ListEventsRequest{Asc: true, CreationDate: pat[0].GetCreationDate()}, []string{changed}},
			{"earlier", &adminv1.ListEventsRequest{CreationDateFilter: &adminv1.ListEventsRequest_From{From: pat[0].GetCreationDate()}}, nil},
			{"between", &adminv1.ListEventsRequest{CreationDateFilter: &adminv1.ListEventsRequest_Range{Range: &adminv1.ListEventsRequestCreationDateRange{
				Since: pat[0].GetCreationDate(), Until: timestamppb.New(time.Now().Add(time.Hour)),
			}}}, []string{changed}},
			{"until", &adminv1.ListEventsRequest{CreationDateFilter: &adminv1.ListEventsRequest_Range{Range: &adminv1.ListEventsRequestCreationDateRange{
				Until: pat[0].GetCreationDate(),
			}}}, nil},
		} {
			if got := typesOf(x.list(c.req)); !slices.Equal(got, c.want) {
				x.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
		for _, asc := range []bool{true, false} {
			for _, e := range x.list(&adminv1.ListEventsRequest{Sequence: 3, Asc: asc}) {
				if e.GetSequence() <= 3 {
					x.Errorf("sequence %d", e.GetSequence())
				}
			}
		}
		x.refused(adminAPI+"ListEvents", &adminv1.ListEventsRequest{AggregateTypes: strings.Fields(strings.Repeat("x ", 11))}, codes.InvalidArgument, "")
		x.refused(adminAPI+"ListEvents", &adminv1.ListEventsRequest{EventTypes: strings.Fields(strings.Repeat("x ", 31))}, codes.InvalidArgument, "")
	})
}

// What an event says, and what it does not.
func TestEvent(t *testing.T) {
	eachWire(t, func(x *tenant) {
		x.write(adminAPI+"UpdateDomainPolicy", &adminv1.UpdateDomainPolicyRequest{ValidateOrgDomains: true}, nil,
			[]string{"instance.policy.domain.changed"})
		got := x.list(&adminv1.ListEventsRequest{Limit: 1})[0]
		x.equal(got.GetEditor(), &eventv1.Editor{UserId: x.Owner, DisplayName: "Robot", Service: "zitadel"})
		if a := got.GetAggregate(); a.GetId() == "" || a.GetResourceOwner() != x.ID || a.GetType().GetType() != "policy" ||
			a.GetType().GetLocalized().GetKey() != "AggregateTypes.policy" || a.GetType().GetLocalized().GetLocalizedMessage() != "Policy" {
			x.Errorf("aggregate %v", a)
		}
		if l := got.GetType().GetLocalized(); l.GetKey() != "EventTypes.instance.policy.domain.changed" || l.GetLocalizedMessage() != "Instance policy domain changed" {
			x.Errorf("localized %v", l)
		}
		if d := time.Since(got.GetCreationDate().AsTime()); d < 0 || d > kit.Patience || got.GetSequence() != 1 {
			x.Errorf("%v", got)
		}
		if p := fmt.Sprint(got.GetPayload().AsMap()); p != "map[validateOrgDomains:true]" {
			x.Errorf("payload %s", p)
		}
		added := x.list(&adminv1.ListEventsRequest{EventTypes: []string{"user.pat.added"}})[0]
		if p := added.GetPayload().AsMap(); p["tokenHash"] != nil || p["userId"] != x.Owner || p["scopes"] == nil {
			x.Errorf("payload of a token %v", p)
		}
		if e := added.GetEditor(); e.GetUserId() != kit.Operator().Name || e.GetDisplayName() != "" {
			x.Errorf("editor %v", e)
		}
	})
}

func TestTypesOfEvents(t *testing.T) {
	eachWire(t, func(x *tenant) {
		types, aggregates := new(adminv1.ListEventTypesResponse), new(adminv1.ListAggregateTypesResponse)
		x.read(adminAPI+"ListEventTypes", &adminv1.ListEventTypesRequest{}, types)
		x.read(adminAPI+"ListAggregateTypes", &adminv1.ListAggregateTypesRequest{}, aggregates)
		known, kinds := make(map[string]bool), make(map[string]bool)
		for _, typ := range types.GetEventTypes() {
			known[typ.GetType()] = typ.GetLocalized().GetKey() == "EventTypes."+typ.GetType()
		}
		for _, typ := range aggregates.GetAggregateTypes() {
			kinds[typ.GetType()] = typ.GetLocalized().GetKey() == "AggregateTypes."+typ.GetType()
		}
		for _, e := range x.list(&adminv1.ListEventsRequest{}) {
			if !known[e.GetType().GetType()] || !kinds[e.GetAggregate().GetType().GetType()] {
				x.Errorf("%s of a %s is not listed", e.GetType().GetType(), e.GetAggregate().GetType().GetType())
			}
		}
		if known["system.user.added"] || kinds["system_user"] {
			x.Error("what belongs to no instance is listed")
		}
	})
}

// operate makes a call as the operator that must succeed.
func (x *tenant) operate(method string, in proto.Message) {
	x.Helper()
	if a := kit.GRPC().Call(x, x.Node.Client, method, in, nil); a.Code != codes.OK {
		x.Fatalf("%s: %v", method, a)
	}
}

// The retention that the operator sets hides what is older, at once.
func TestRetentionHidesEvents(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		x.operate("SetLimits", &systemv1.SetLimitsRequest{InstanceId: x.ID, AuditLogRetention: durationpb.New(time.Hour)})
		if got := x.list(&adminv1.ListEventsRequest{}); len(got) != x.Made+1 {
			x.Errorf("within an hour there are %d events", len(got))
		}
		x.operate("SetLimits", &systemv1.SetLimitsRequest{InstanceId: x.ID, AuditLogRetention: durationpb.New(time.Microsecond)})
		if got := x.list(&adminv1.ListEventsRequest{}); len(got) != 0 {
			x.Errorf("within a moment there are %v", typesOf(got))
		}
		x.operate("ResetLimits", &systemv1.ResetLimitsRequest{InstanceId: x.ID})
		if got := x.list(&adminv1.ListEventsRequest{}); len(got) != x.Made+3 {
			x.Errorf("without a retention there are %d events", len(got))
		}
	})
}

const tailEvents = "castellan.events.v1.EventService/TailEvents"

// tail opens a stream at a host and takes its first message.
func (x *tenant) tail(wire, token string, at *kit.Client, req *eventsv1.TailEventsRequest) (*kit.Stream, string) {
	x.Helper()
	s := at.Stream(x, wire, kit.Call{Method: tailEvents, Request: req, Token: token})
	first := new(eventsv1.TailEventsResponse)
	if !s.Next(x.T, first) {
		x.Fatalf("the stream over %s: %v", wire, s.Answer)
	}
	if first.GetEvent() != nil || first.GetPosition() == "" {
		x.Fatalf("the first message over %s is %v", wire, first)
	}
	return s, first.GetPosition()
}

// tailOnceThereIsAPlace opens a stream after others were left: the server learns of that a moment later.
func (x *tenant) tailOnceThereIsAPlace() *kit.Stream {
	x.Helper()
	for deadline := time.Now().Add(kit.Patience); ; {
		s := x.At.Stream(x, "grpc", kit.Call{Method: tailEvents, Request: &eventsv1.TailEventsRequest{}, Token: x.Token})
		if s.Next(x.T, new(eventsv1.TailEventsResponse)) {
			return s
		}
		if s.Answer.ID != "TAIL-many1" || time.Now().After(deadline) {
			x.Fatalf("a stream in the place of one that was left: %v", s.Answer)
		}
	}
}

// next returns the types of the next n events, and the last position.
func (x *tenant) next(s *kit.Stream, n int) (types []string, position string) {
	x.Helper()
	for len(types) < n {
		m := new(eventsv1.TailEventsResponse)
		if !s.Next(x.T, m) {
			x.Fatalf("the stream has ended after %v: %v", types, s.Answer)
		}
		if m.GetEvent() != nil {
			types, position = append(types, m.GetEvent().GetType().GetType()), m.GetPosition()
		}
	}
	return types, position
}

// TestTailEvents over every protocol that streams: from the beginning, and from where it was; each event
// once, and those of other instances never.
func TestTailEvents(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		other := newTenant(x.T, x.Node, "other.example")
		for i, wire := range kit.Streams() {
			made := x.Events()
			s, _ := x.tail(wire, x.Token, x.At, &eventsv1.TailEventsRequest{Since: timestamppb.New(time.Unix(0, 0))})
			got, position := x.next(s, len(made))
			if !slices.Equal(got, made) {
				x.Errorf("over %s: %v, want %v", wire, got, made)
			}
			other.write(adminAPI+"UpdateDomainPolicy", &adminv1.UpdateDomainPolicyRequest{ValidateOrgDomains: i%2 == 0}, nil,
				[]string{"instance.policy.domain.changed"})
			x.addOrg(fmt.Sprint("7", i), fmt.Sprint("Org ", i))
			live, _ := x.next(s, 4)
			if want := []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set"}; !slices.Equal(live, want) {
				x.Errorf("over %s: %v, want %v", wire, live, want)
			}
			s.Close()
			again, _ := x.tail(wire, x.Token, x.At, &eventsv1.TailEventsRequest{Position: position, EventTypes: []string{"org.domain.verified", "org.added"}})
			if resumed, _ := x.next(again, 2); !slices.Equal(resumed, []string{"org.added", "org.domain.verified"}) {
				x.Errorf("resumed over %s: %v", wire, resumed)
			}
			again.Close()
			operator, _ := x.tail(wire, kit.Operator().Token(x), x.Node.Client, &eventsv1.TailEventsRequest{
				InstanceId: x.ID, Since: timestamppb.New(time.Unix(0, 0)), AggregateTypes: []string{"org"}, AggregateId: x.Org,
			})
			if orgs, _ := x.next(operator, 4); orgs[0] != "org.added" {
				x.Errorf("an operator over %s sees %v", wire, orgs)
			}
			operator.Close()
		}
	})
}

// ended waits for the end of a stream.
func ended(t *testing.T, s *kit.Stream) kit.Answer {
	t.Helper()
	for s.Next(t, new(eventsv1.TailEventsResponse)) {
	}
	return s.Answer
}

// A stream is refused like a call, and ends when its caller may not see any more what it shows.
func TestTailEventsIsRefused(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		other := newTenant(x.T, x.Node, "other.example")
		open := func(token string, at *kit.Client, req *eventsv1.TailEventsRequest) kit.Answer {
			x.Helper()
			return ended(x.T, at.Stream(x, "grpc", kit.Call{Method: tailEvents, Request: req, Token: token}))
		}
		s, position := x.tail("grpc", x.Token, x.At, &eventsv1.TailEventsRequest{})
		for name, c := range map[string]struct {
			answer kit.Answer
			code   codes.Code
			id     string
		}{
			"nobody":                     {open("", x.At, &eventsv1.TailEventsRequest{}), codes.Unauthenticated, ""},
			"an owner elsewhere":         {open(other.Token, x.At, &eventsv1.TailEventsRequest{}), codes.Unauthenticated, "AUTH-7fs1e"},
			"an owner of another":        {open(x.Token, x.At, &eventsv1.TailEventsRequest{InstanceId: other.ID}), codes.PermissionDenied, "AUTH-5mWD2"},
			"an owner of none":           {open(x.Token, x.At, &eventsv1.TailEventsRequest{InstanceId: "404"}), codes.PermissionDenied, "AUTH-5mWD2"},
			"an operator of none":        {open(kit.Operator().Token(x), x.Node.Client, &eventsv1.TailEventsRequest{InstanceId: "404"}), codes.NotFound, ""},
			"a position of another":      {open(other.Token, other.At, &eventsv1.TailEventsRequest{Position: position}), codes.InvalidArgument, "VAULT-pos01"},
			"a position of nobody":       {open(x.Token, x.At, &eventsv1.TailEventsRequest{Position: "p"}), codes.InvalidArgument, "VAULT-pos01"},
			"two beginnings":             {open(x.Token, x.At, &eventsv1.TailEventsRequest{Position: position, Since: timestamppb.Now()}), codes.InvalidArgument, "TAIL-begin"},
			"a date that is none":        {open(x.Token, x.At, &eventsv1.TailEventsRequest{Since: &timestamppb.Timestamp{Nanos: -1}}), codes.InvalidArgument, ""},
			"too many types":             {open(x.Token, x.At, &eventsv1.TailEventsRequest{EventTypes: strings.Fields(strings.Repeat("x ", 31))}), codes.InvalidArgument, ""},
			"a type that is empty":       {open(x.Token, x.At, &eventsv1.TailEventsRequest{EventTypes: []string{""}}), codes.InvalidArgument, ""},
			"a position that is too big": {open(x.Token, x.At, &eventsv1.TailEventsRequest{Position: strings.Repeat("x", 501)}), codes.InvalidArgument, ""},
		} {
			if c.answer.Code != c.code || c.answer.ID != c.id {
				x.Errorf("%s: %v, want %v %s", name, c.answer, c.code, c.id)
			}
		}
		operator, _ := x.tail("grpc", kit.Operator().Token(x), x.Node.Client, &eventsv1.TailEventsRequest{
			InstanceId: x.ID, EventTypes: []string{"limits.set", "instance.removed"},
		})
		// Ten of an instance, and not one more.
		streams := []*kit.Stream{s, operator}
		for len(streams) < 10 {
			more, _ := x.tail("grpc", x.Token, x.At, &eventsv1.TailEventsRequest{})
			streams = append(streams, more)
		}
		if a := open(x.Token, x.At, &eventsv1.TailEventsRequest{}); a.Code != codes.ResourceExhausted || a.ID != "TAIL-many1" {
			x.Errorf("the eleventh stream: %v", a)
		}
		if elsewhere, _ := other.tail("grpc", other.Token, other.At, &eventsv1.TailEventsRequest{}); elsewhere != nil {
			elsewhere.Close()
		}
		for _, s := range streams[2:] {
			s.Close()
		}
		x.tailOnceThereIsAPlace().Close()
		// The instance is blocked: its users are told no more, the operator is.
		x.operate("SetLimits", &systemv1.SetLimitsRequest{InstanceId: x.ID, Block: proto.Bool(true)})
		if a := ended(x.T, s); a.Code != codes.ResourceExhausted || a.ID != "LIMITS-molsj" {
			x.Errorf("the stream of an instance that was blocked: %v", a)
		}
		x.operate("RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: x.ID})
		if types, _ := x.next(operator, 2); !slices.Equal(types, []string{"limits.set", "instance.removed"}) {
			x.Errorf("the operator sees %v", types)
		}
		if a := ended(x.T, operator); a.Code != codes.NotFound {
			x.Errorf("the stream of an instance that was removed: %v", a)
		}
	})
}
