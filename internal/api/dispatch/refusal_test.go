package dispatch

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/api/transport"
	"castellan/internal/audit"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// free reports whether there is a place in the audit log.
func (a *audited) free() bool {
	ctx, cancel := context.WithCancel(a.Context())
	cancel()
	slot, err := a.d.Audit.Reserve(ctx)
	slot.Release()
	return err == nil
}

// fill takes all places of a log that has one.
func (a *audited) fill() {
	a.Helper()
	if _, err := a.d.Audit.Reserve(a.Context()); err != nil {
		a.Fatal(err)
	}
}

// through runs a call by host of zitadel.instance.v2.InstanceService whose request is read by run.
func (a *audited) through(ctx context.Context, rpc, caller string, run transport.Run) error {
	c := &transport.Call{
		Method:     method(a.T, instancev2.File_zitadel_instance_v2_instance_service_proto, 0, rpc),
		FullMethod: v2Service + rpc, Protocol: transport.REST, RequestID: "r1", Peer: "192.0.2.1:4711",
		Host: a.host, Header: as(caller), ResponseHeader: http.Header{},
	}
	_, err := a.d.Dispatch(ctx, c, run)
	return err
}

// TestOnlyWhoMayHoldsAPlace: a body that never ends keeps nobody from writing, and neither does a call
// that is refused. The place is taken when the handler runs.
func TestOnlyWhoMayHoldsAPlace(t *testing.T) {
	for name, tt := range map[string]struct {
		caller, host, role, newName string
		want                        fault.Kind // 0: the handler runs
	}{
		"no role":     {"user", "a.example", "", "x", fault.PermissionDenied},
		"exhausted":   {"user", "used.example", "IAM_OWNER", "x", fault.ResourceExhausted},
		"invalid":     {"user", "a.example", "IAM_OWNER", "", fault.InvalidArgument},
		"member":      {"user", "a.example", "IAM_OWNER", "x", 0},
		"nobody":      {"nobody", "a.example", "", "x", fault.PermissionDenied},
		"system user": {"owner", "a.example", "", "x", 0},
	} {
		a := newAudited(t, nil, 1)
		a.host = tt.host
		a.d.Directory.(*directory).roles = []string{tt.role}
		ran := false
		err := a.through(t.Context(), "UpdateInstance", tt.caller, func(ctx context.Context, check transport.Check) (proto.Message, error) {
			if !a.free() {
				t.Errorf("%s: has a place before its body is read", name)
			}
			err := check(ctx, &instancev2.UpdateInstanceRequest{InstanceName: tt.newName})
			ran = err == nil
			if a.free() == ran {
				t.Errorf("%s: has a place: %v, after %v", name, ran, err)
			}
			return nil, err
		})
		if ran != (tt.want == 0) || !ran && fault.KindOf(err) != tt.want {
			t.Errorf("%s: %v, ran %v", name, err, ran)
		}
	}
}

// TestARefusalWaitsForNothing: with no place in the audit log a write is refused at once all the same.
func TestARefusalWaitsForNothing(t *testing.T) {
	broken := fault.Plain(fault.InvalidArgument, "no JSON")
	read := func(request proto.Message, fails error) transport.Run {
		return func(ctx context.Context, check transport.Check) (proto.Message, error) {
			if fails != nil {
				return nil, fails
			}
			return nil, check(ctx, request)
		}
	}
	for name, tt := range map[string]struct {
		caller string
		run    transport.Run
		want   fault.Kind
	}{
		"a user":                      {"user", read(&instancev2.UpdateInstanceRequest{InstanceName: "x"}, nil), fault.PermissionDenied},
		"a system user":               {"viewer", read(&instancev2.UpdateInstanceRequest{InstanceName: "x"}, nil), fault.PermissionDenied},
		"a user's bad body":           {"user", read(nil, broken), fault.InvalidArgument},
		"a system user's bad body":    {"owner", read(nil, broken), fault.InvalidArgument},
		"a system user's bad request": {"owner", read(&instancev2.UpdateInstanceRequest{}, nil), fault.InvalidArgument},
	} {
		a := newAudited(t, nil, 1)
		a.d.Directory.(*directory).roles = nil
		var text bytes.Buffer
		a.d.Logger = slog.New(slog.NewTextHandler(&text, nil))
		a.fill()
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // who waits is told so
		if err := a.through(ctx, "UpdateInstance", tt.caller, tt.run); fault.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want kind %v", name, err, tt.want)
		}
		logged, counted := strings.Contains(text.String(), "entry.actor="+tt.caller), testutil.ToFloat64(a.d.Metrics.full)
		if system := tt.caller != "user"; logged != system || (counted == 1) == system {
			t.Errorf("%s: counted %v, logged %q", name, counted, text.String())
		}
	}
}

// TestRefusalsOfUsersDoNotFillTheLog: of what a user of an instance is refused the first of a kind in a
// minute is written down; of a system user everything is.
func TestRefusalsOfUsersDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		const times = 20
		a := newAudited(t, db, 0)
		a.d.Directory.(*directory).roles = nil
		var want []audit.Entry
		refuse := func(what, rpc, host, caller string, request proto.Message, outcome string, of ident.InstanceID, entries int) {
			t.Helper()
			a.host = host
			before := testutil.ToFloat64(a.d.Metrics.repeated)
			for range times {
				if err := a.v2(t, rpc, request, as(caller)); transport.CodeOf(err) != outcome {
					t.Fatalf("%s: %v", what, err)
				}
			}
			actor := ident.Actor(caller)
			if of != "" {
				actor = "user of " + ident.Actor(of)
			}
			for range entries {
				want = append(want, called(actor, of, v2Service+rpc, instances[host].ID, outcome))
			}
			if diff := cmp.Diff(want, a.entries()); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", what, diff)
			}
			if got := testutil.ToFloat64(a.d.Metrics.repeated) - before; int(got) != times-entries {
				t.Errorf("%s: %v were counted, want %d", what, got, times-entries)
			}
		}
		get := func() proto.Message { return &instancev2.GetInstanceRequest{} }
		update := func() proto.Message { return &instancev2.UpdateInstanceRequest{InstanceName: "x"} }
		refuse("reads", "GetInstance", "a.example", "user", get(), "PermissionDenied", "A", 1)
		refuse("more reads", "GetInstance", "a.example", "user", get(), "PermissionDenied", "A", 0)
		refuse("writes", "UpdateInstance", "a.example", "user", update(), "PermissionDenied", "A", 1)
		refuse("another instance's user", "GetInstance", "b.example", "user", get(), "PermissionDenied", "B", 1)
		refuse("of a stopped instance", "GetInstance", "stopped.example", "user", get(), "Unavailable", "S", 1)
		a.clock.Advance(time.Minute)
		refuse("a minute later", "GetInstance", "a.example", "user", get(), "PermissionDenied", "A", 1)
		refuse("a system user", "GetInstance", "a.example", "nobody", get(), "PermissionDenied", "", times)

		a.d.Directory.(*directory).roles = []string{"IAM_OWNER"}
		refuse("without a quota", "GetInstance", "used.example", "user", get(), "ResourceExhausted", "U", 1)
		refuse("invalid", "UpdateInstance", "a.example", "user", &instancev2.UpdateInstanceRequest{}, "InvalidArgument", "A", 1)
		refuse("what succeeds", "UpdateInstance", "a.example", "user", update(), "OK", "A", times)
	})
}

// TestAReadOfAMemberIsNotAudited: the call that is made most often has nothing to do with the audit log,
// unless it is asked for.
func TestAReadOfAMemberIsNotAudited(t *testing.T) {
	for name, reads := range map[string]bool{"off": false, "on": true} {
		a := newAudited(t, nil, 1)
		a.d.AuditReads = reads
		err := a.through(t.Context(), "GetInstance", "user", func(ctx context.Context, check transport.Check) (proto.Message, error) {
			err := check(ctx, &instancev2.GetInstanceRequest{})
			if a.free() == reads {
				t.Errorf("%s: the handler runs with a place: %v", name, !reads)
			}
			return &instancev2.GetInstanceResponse{}, err
		})
		if n := a.d.Audit.Len(); err != nil || a.free() == reads || (n == 1) != reads {
			t.Errorf("%s: %v; %d entries", name, err, n)
		}
	}
	a := newAudited(t, nil, 1)
	a.fill()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	read := func(ctx context.Context, check transport.Check) (proto.Message, error) {
		return &instancev2.GetInstanceResponse{}, check(ctx, &instancev2.GetInstanceRequest{})
	}
	if err := a.through(ctx, "GetInstance", "user", read); err != nil || a.d.Audit.Len() != 0 {
		t.Errorf("with a full log: %v", err)
	}
}

// TestMeasuresOfTheOperatorNameTheInstance: what is done to an instance is found by its id.
func TestMeasuresOfTheOperatorNameTheInstance(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		a := newAudited(t, db, 0)
		own := castellansystemv1.File_castellan_system_v1_lifecycle_proto
		lifecycle := "/" + string(own.Services().Get(0).FullName()) + "/"
		steps := []struct {
			file        protoreflect.FileDescriptor
			prefix, rpc string
			request     proto.Message
		}{
			{own, lifecycle, "StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: "A"}},
			{own, lifecycle, "StartInstance", &castellansystemv1.StartInstanceRequest{InstanceId: "A"}},
			{systemv1.File_zitadel_system_proto, systemService, "SetLimits", &systemv1.SetLimitsRequest{InstanceId: "A", Block: proto.Bool(true)}},
			{systemv1.File_zitadel_system_proto, systemService, "ResetLimits", &systemv1.ResetLimitsRequest{InstanceId: "A"}},
		}
		var want []audit.Entry
		for _, s := range steps {
			if err := a.runMethod(method(t, s.file, 0, s.rpc), s.request, as("owner")); err != nil {
				t.Errorf("%s: %v", s.rpc, err)
			}
			want = append(want, called("owner", "", s.prefix+s.rpc, "A", "OK"))
		}
		if diff := cmp.Diff(want, a.entries()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
