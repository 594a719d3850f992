package dispatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/api/transport"
	"castellan/internal/audit"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"

	instancev2 "castellan/gen/zitadel/instance/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// audited is a fixture whose calls are written down.
type audited struct {
	*fixture
	*testing.T
	db    store.DB
	clock *ident.ManualClock // of the log
}

func newAudited(t *testing.T, db store.DB, queue int) *audited {
	t.Helper()
	f, _, _ := newInstanceFixture()
	clock := ident.NewManualClock(ident.Epoch)
	log, err := audit.New(audit.Config{DB: db, Clock: clock, Logger: slog.New(slog.DiscardHandler), Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	f.d.Audit = log
	return &audited{fixture: f, T: t, db: db, clock: clock}
}

// entries returns what has been written down, oldest first, without times.
func (a *audited) entries() []audit.Entry {
	a.Helper()
	if err := a.d.Audit.Flush(a.Context()); err != nil {
		a.Fatal(err)
	}
	found, err := audit.List(a.Context(), a.db, audit.Search{})
	if err != nil {
		a.Fatal(err)
	}
	var entries []audit.Entry
	for i := len(found.Records) - 1; i >= 0; i-- {
		e := found.Records[i].Entry
		if e.At.IsZero() || e.Duration < 0 {
			a.Errorf("entry without a time: %+v", e)
		}
		e.At, e.Duration = ident.Epoch, 0
		entries = append(entries, e)
	}
	return entries
}

const (
	v2Service     = "/zitadel.instance.v2.InstanceService/"
	systemService = "/zitadel.system.v1.SystemService/"
)

// called is the entry of a call that ended as outcome says.
func called(actor ident.Actor, of ident.InstanceID, method string, about ident.InstanceID, outcome string) audit.Entry {
	return audit.Entry{
		At: ident.Epoch, Actor: actor, ActorInstance: of, Method: method, Protocol: "rest", Instance: about,
		RemoteAddress: "192.0.2.1:4711", RequestID: "r1", Outcome: outcome,
	}
}

func TestWhichCallsAreWrittenDown(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		a := newAudited(t, db, 0)
		update := func(id string) proto.Message {
			return &instancev2.UpdateInstanceRequest{InstanceId: id, InstanceName: "x"}
		}
		get := func(id string) proto.Message { return &instancev2.GetInstanceRequest{InstanceId: id} }
		long := strings.Repeat("9", 1000)
		steps := []struct {
			name, host, rpc, as string
			request             proto.Message
			want                []audit.Entry
		}{
			{"a write", "a.example", "UpdateInstance", "owner", update("B"), []audit.Entry{
				called("owner", "", v2Service+"UpdateInstance", "B", "OK"),
			}},
			{"a write by host", "b.example", "UpdateInstance", "user", update(""), []audit.Entry{
				called("user of B", "B", v2Service+"UpdateInstance", "B", "OK"),
			}},
			{"a read", "a.example", "GetInstance", "owner", get("A"), nil},
			{"a read of a user", "a.example", "GetInstance", "user", get(""), nil},
			{"a refused read", "a.example", "GetInstance", "nobody", get("A"), []audit.Entry{
				called("nobody", "", v2Service+"GetInstance", "A", "PermissionDenied"),
			}},
			{"a refused read elsewhere", "b.example", "GetInstance", "user", get(long), []audit.Entry{
				called("user of B", "B", v2Service+"GetInstance", ident.InstanceID(long[:200]), "PermissionDenied"),
			}},
			{"a refused write", "a.example", "UpdateInstance", "viewer", update("A"), []audit.Entry{
				called("viewer", "", v2Service+"UpdateInstance", "A", "PermissionDenied"),
			}},
			{"an invalid write", "a.example", "UpdateInstance", "owner", &instancev2.UpdateInstanceRequest{InstanceId: "A"}, []audit.Entry{
				called("owner", "", v2Service+"UpdateInstance", "A", "InvalidArgument"),
			}},
			{"stopped", "stopped.example", "GetInstance", "user", get(""), []audit.Entry{
				called("user of S", "S", v2Service+"GetInstance", "S", "Unavailable"),
			}},
			{"exhausted", "used.example", "GetInstance", "user", get(""), []audit.Entry{
				called("user of U", "U", v2Service+"GetInstance", "U", "ResourceExhausted"),
			}},
			{"a host that leads nowhere", "nowhere.example", "UpdateInstance", "owner", update(""), []audit.Entry{
				called("owner", "", v2Service+"UpdateInstance", "", "NotFound"),
			}},
			{"a stranger", "a.example", "UpdateInstance", "", update("A"), nil},
			{"an unknown token", "a.example", "UpdateInstance", "stranger", update("A"), nil},
		}
		var want []audit.Entry
		for _, s := range steps {
			a.host = s.host
			_ = a.v2(t, s.rpc, s.request, as(s.as))
			want = append(want, s.want...)
			if diff := cmp.Diff(want, a.entries()); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", s.name, diff)
			}
		}
		_ = a.run(t, "Healthz", &systemv1.HealthzRequest{}, http.Header{})
		_ = a.run(t, "UpdateInstance", &systemv1.UpdateInstanceRequest{InstanceId: "A", InstanceName: "x"}, as("user"))
		bad := as("owner")
		bad.Set("Idempotency-Key", "not a key")
		_ = a.run(t, "UpdateInstance", &systemv1.UpdateInstanceRequest{InstanceId: "A", InstanceName: "x"}, bad)
		a.d.AuditReads = true
		_ = a.run(t, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: "A"}, as("owner"))
		_ = a.run(t, "Healthz", &systemv1.HealthzRequest{}, as("owner"))
		want = append(want,
			called("user of "+ident.Actor(instances[a.host].ID), instances[a.host].ID, systemService+"UpdateInstance", "A", "PermissionDenied"),
			called("owner", "", systemService+"UpdateInstance", "", "InvalidArgument"), // its body was not looked at
			called("owner", "", systemService+"GetInstance", "A", "OK"))
		if diff := cmp.Diff(want, a.entries()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// answering runs a call whose handler gives an answer, or an error.
func (a *audited) answering(ctx context.Context, m protoreflect.MethodDescriptor, caller string, request, answer proto.Message, fails error) error {
	c := &transport.Call{
		Method: m, FullMethod: systemService + string(m.Name()), Protocol: transport.REST, RequestID: "r1", Peer: "192.0.2.1:4711",
		Host: a.host, Header: as(caller), ResponseHeader: http.Header{},
	}
	_, err := a.d.Dispatch(ctx, c, func(ctx context.Context, check transport.Check) (proto.Message, error) {
		if err := check(ctx, request); err != nil {
			return nil, err
		}
		a.handled = true
		if fails != nil {
			return nil, fails
		}
		return answer, nil
	})
	return err
}

func TestACreationIsAboutWhatItMade(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		a := newAudited(t, db, 0)
		m := method(t, systemv1.File_zitadel_system_proto, 0, "CreateInstance")
		request := &systemv1.CreateInstanceRequest{
			InstanceName: "x",
			Owner:        &systemv1.CreateInstanceRequest_Machine_{Machine: &systemv1.CreateInstanceRequest_Machine{UserName: "u", Name: "n"}},
		}
		_ = a.answering(t.Context(), m, "owner", request, &systemv1.CreateInstanceResponse{InstanceId: "9"}, nil)
		_ = a.answering(t.Context(), m, "owner", request, nil, store.ErrUnavailable)
		want := []audit.Entry{
			called("owner", "", systemService+"CreateInstance", "9", "OK"),
			called("owner", "", systemService+"CreateInstance", "", "Unavailable"),
		}
		if diff := cmp.Diff(want, a.entries()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestAWriteWaitsForItsPlace: when the audit log is full a write waits before it does anything, and
// gives up with its caller; a read goes on.
func TestAWriteWaitsForItsPlace(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		a := newAudited(t, db, 1)
		write := method(t, systemv1.File_zitadel_system_proto, 0, "UpdateInstance")
		update := &systemv1.UpdateInstanceRequest{InstanceId: "A", InstanceName: "x"}
		taken, err := a.d.Audit.Reserve(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.answering(gone, write, "owner", update, update, nil); !errors.Is(err, context.Canceled) || a.handled {
			t.Errorf("a write without a place: %v, handled %v", err, a.handled)
		}
		read := method(t, systemv1.File_zitadel_system_proto, 0, "GetInstance")
		get := &systemv1.GetInstanceRequest{InstanceId: "A"}
		if err := a.answering(t.Context(), read, "owner", get, get, nil); err != nil || !a.handled {
			t.Errorf("a read: %v", err)
		}
		a.handled = false

		done := make(chan error, 1)
		go func() { done <- a.answering(t.Context(), write, "owner", update, update, nil) }()
		select {
		case err := <-done:
			t.Fatalf("a write did not wait: %v", err)
		default:
		}
		taken.Release()
		if err := <-done; err != nil || !a.handled {
			t.Errorf("a write that had a place in the end: %v, handled %v", err, a.handled)
		}
		want := []audit.Entry{called("owner", "", systemService+"UpdateInstance", "A", "OK")}
		if diff := cmp.Diff(want, a.entries()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestARefusalWithoutAPlaceIsLogged(t *testing.T) {
	a := newAudited(t, nil, 1)
	var text bytes.Buffer
	a.d.Logger = slog.New(slog.NewTextHandler(&text, nil))
	if _, err := a.d.Audit.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	read := method(t, systemv1.File_zitadel_system_proto, 0, "GetInstance")
	err := a.answering(ctx, read, "nobody", &systemv1.GetInstanceRequest{InstanceId: "A"}, nil, nil)
	if fault.KindOf(err) != fault.PermissionDenied {
		t.Errorf("%v", err)
	}
	if got := text.String(); !strings.Contains(got, "entry.actor=nobody") || !strings.Contains(got, "entry.outcome=PermissionDenied") {
		t.Errorf("the log of the process has %q", got)
	}
}

// TestAPanicGivesThePlaceBack: what the dispatcher has taken it gives back, whatever happens.
func TestAPanicGivesThePlaceBack(t *testing.T) {
	a := newAudited(t, nil, 1)
	write := method(t, systemv1.File_zitadel_system_proto, 0, "UpdateInstance")
	c := &transport.Call{Method: write, Header: as("owner"), ResponseHeader: http.Header{}}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = a.d.Dispatch(t.Context(), c, func(context.Context, transport.Check) (proto.Message, error) { panic("broken") })
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.d.Audit.Reserve(ctx); err != nil {
		t.Errorf("the place is lost: %v", err)
	}
}
