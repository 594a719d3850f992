package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/access"
	"castellan/internal/api/transport"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/origin"
	"castellan/internal/store"
	"castellan/internal/systemuser"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// knownUser knows one token.
type knownUser struct{ roles []string }

func (u knownUser) Authenticate(_ context.Context, authorization []string) (systemuser.Caller, error) {
	if len(authorization) != 1 || authorization[0] != "Bearer good" {
		return systemuser.Caller{}, fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
	}
	return systemuser.Caller{Name: "op", Memberships: []systemuser.Membership{{Type: systemuser.System, Roles: u.roles}}}, nil
}

// fixture runs calls of one RPC through a dispatcher, with a handler that records its caller.
type fixture struct {
	d       *Dispatcher
	host    string // that the calls are sent to
	handled bool
	call    call.Call
	fails   error
	sent    http.Header // with the last answer
	asked   *transport.Call
}

func newFixture(roles ...string) *fixture {
	return &fixture{d: &Dispatcher{
		Users: knownUser{roles}, Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry()),
		PublicServices: []string{"grpc.health.v1.Health"},
	}}
}

func method(t *testing.T, service protoreflect.FileDescriptor, index int, name string) protoreflect.MethodDescriptor {
	t.Helper()
	m := service.Services().Get(index).Methods().ByName(protoreflect.Name(name))
	if m == nil {
		t.Fatalf("there is no RPC %s", name)
	}
	return m
}

func (f *fixture) run(t *testing.T, rpc string, request proto.Message, header http.Header) error {
	t.Helper()
	return f.runMethod(method(t, systemv1.File_zitadel_system_proto, 0, rpc), request, header)
}

func (f *fixture) runMethod(m protoreflect.MethodDescriptor, request proto.Message, header http.Header) error {
	c := &transport.Call{
		Method: m, FullMethod: "/" + string(m.Parent().FullName()) + "/" + string(m.Name()),
		Protocol: transport.REST, Header: header, ResponseHeader: http.Header{},
		Host: f.host, Peer: "192.0.2.1:4711", RequestID: "r1",
	}
	f.sent, f.asked = c.ResponseHeader, c
	_, err := f.d.Dispatch(context.Background(), c, func(ctx context.Context, check transport.Check) (proto.Message, error) {
		if err := check(ctx, request); err != nil {
			return nil, err
		}
		f.handled = true
		if !f.d.policyOf(m).public {
			f.call = call.From(ctx)
		}
		return request, f.fails
	})
	return err
}

func signedIn(pairs ...string) http.Header {
	h := http.Header{"Authorization": {"Bearer good"}}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestTheOrderOfChecks(t *testing.T) {
	valid := &systemv1.GetInstanceRequest{InstanceId: "1"}
	invalid := &systemv1.GetInstanceRequest{InstanceId: strings.Repeat("x", 201)}
	tests := map[string]struct {
		roles   []string
		rpc     string
		request proto.Message
		header  http.Header
		want    fault.Kind
		handled bool
	}{
		"anonymous before invalid": {[]string{"SYSTEM_OWNER"}, "GetInstance", invalid, http.Header{}, fault.Unauthenticated, false},
		"unauthorised before invalid": {
			[]string{"SYSTEM_OWNER_VIEWER"}, "CreateInstance", &systemv1.CreateInstanceRequest{}, signedIn(), fault.PermissionDenied, false,
		},
		"invalid before the handler": {[]string{"SYSTEM_OWNER"}, "GetInstance", invalid, signedIn(), fault.InvalidArgument, false},
		"viewers read":               {[]string{"SYSTEM_OWNER_VIEWER"}, "GetInstance", valid, signedIn(), 0, true},
		"public needs nobody":        {nil, "Healthz", &systemv1.HealthzRequest{}, http.Header{}, 0, true},
		"no roles, no permission":    {nil, "GetInstance", valid, signedIn(), fault.PermissionDenied, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(tt.roles...)
			err := f.run(t, tt.rpc, tt.request, tt.header)
			if f.handled != tt.handled {
				t.Errorf("handled = %v, want %v", f.handled, tt.handled)
			}
			if tt.handled && err != nil {
				t.Errorf("err = %v", err)
			}
			if !tt.handled && fault.KindOf(err) != tt.want {
				t.Errorf("err = %v, want kind %v", err, tt.want)
			}
		})
	}
}

func TestServicesThatDeclareNothingServeNobody(t *testing.T) {
	m := method(t, grpc_health_v1.File_grpc_health_v1_health_proto, 0, "Check")
	f := newFixture("SYSTEM_OWNER")
	if err := f.runMethod(m, &grpc_health_v1.HealthCheckRequest{}, http.Header{}); err != nil || !f.handled {
		t.Errorf("a public service: handled %v, err %v", f.handled, err)
	}
	f = newFixture("SYSTEM_OWNER")
	f.d.PublicServices = nil
	if err := f.runMethod(m, &grpc_health_v1.HealthCheckRequest{}, signedIn()); fault.KindOf(err) != fault.PermissionDenied || f.handled {
		t.Errorf("a service that declares nothing: handled %v, err %v", f.handled, err)
	}
}

func TestHandlersLearnWhoCalls(t *testing.T) {
	f := newFixture("SYSTEM_OWNER")
	header := signedIn("Idempotency-Key", "k-1", "Castellan-Page", "p-1")
	if err := f.run(t, "ListInstances", &systemv1.ListInstancesRequest{}, header); err != nil {
		t.Fatal(err)
	}
	want := call.Call{Actor: ident.Actor("op"), IdempotencyKey: "k-1", Page: "p-1", Answer: http.Header{}}
	if diff := cmp.Diff(want, f.call); diff != "" {
		t.Error(diff)
	}
}

// A page is refused where there are no such pages, by the name of its header.
func TestPagesAreRefused(t *testing.T) {
	for _, method := range []string{"ListDomains", "GetInstance"} {
		f := newFixture("SYSTEM_OWNER")
		request := map[string]proto.Message{
			"ListDomains": &systemv1.ListDomainsRequest{InstanceId: "1"}, "GetInstance": &systemv1.GetInstanceRequest{InstanceId: "1"},
		}[method]
		err := f.run(t, method, request, signedIn(call.PageHeader, "p-1"))
		if f.handled || !names(err, call.PageHeader) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// names reports whether an error is of the input, and of one field.
func names(err error, field string) bool {
	f := fault.Of(err)
	return f != nil && f.Kind == fault.InvalidArgument && len(f.Violations) == 1 && f.Violations[0].Field == field
}

func TestBadIdempotencyKeysAreRefused(t *testing.T) {
	for _, key := range []string{"", "a b", "ü", strings.Repeat("k", 256), "a\tb"} {
		f := newFixture("SYSTEM_OWNER")
		err := f.run(t, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: "1"}, signedIn("Idempotency-Key", key))
		if fault.Of(err) == nil || fault.Of(err).ID != "ONCE-name1" || f.handled {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestTwoIdempotencyKeysAreRefused(t *testing.T) {
	f := newFixture("SYSTEM_OWNER")
	h := signedIn()
	h["Idempotency-Key"] = []string{"a", "b"}
	err := f.run(t, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: "1"}, h)
	if fault.Of(err) == nil || fault.Of(err).ID != "ONCE-name1" || f.handled {
		t.Errorf("%v", err)
	}
}

func TestStoreErrorsBecomeFaults(t *testing.T) {
	broken := errors.New("broken")
	mine := fault.New(fault.NotFound, "X-1", "gone")
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"unavailable":   {fmt.Errorf("write: %w", store.ErrUnavailable), fault.Unavailable},
		"serialization": {store.ErrSerialization, fault.Aborted},
		"conflict":      {&store.ConflictError{Table: "events", Cause: broken}, fault.Aborted},
		"fault":         {mine, fault.NotFound},
		"unknown":       {broken, fault.Internal},
	}
	for name, tt := range tests {
		f := newFixture("SYSTEM_OWNER")
		f.fails = tt.err
		err := f.run(t, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: "1"}, signedIn())
		if fault.KindOf(err) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v (kind %v), want kind %v", name, err, fault.KindOf(err), tt.want)
		}
	}
}

func TestEveryFieldAtFaultIsNamed(t *testing.T) {
	long := strings.Repeat("ü", 201)
	err := validate(&systemv1.CreateInstanceRequest{
		FirstOrgName: long,
		Owner: &systemv1.CreateInstanceRequest_Human_{Human: &systemv1.CreateInstanceRequest_Human{
			UserName: long,
			Email:    &systemv1.CreateInstanceRequest_Email{Email: "no address"},
		}},
	})
	f := fault.Of(err)
	if want := "invalid CreateInstanceRequest.InstanceName: value length must be between 1 and 200 runes, inclusive"; f.Message != want {
		t.Errorf("message %q, want %q", f.Message, want)
	}
	var fields []string
	for _, v := range f.Violations {
		fields = append(fields, v.Field)
	}
	want := []string{"instance_name", "first_org_name", "human.user_name", "human.email.email"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestNULIsRefusedWhereverItIs(t *testing.T) {
	for field, request := range map[string]proto.Message{
		"instance_name":         &systemv1.CreateInstanceRequest{InstanceName: "a\x00"},
		"machine.name":          &systemv1.CreateInstanceRequest{InstanceName: "a", Owner: &systemv1.CreateInstanceRequest_Machine_{Machine: &systemv1.CreateInstanceRequest_Machine{Name: "\x00"}}},
		"limits[1].instance_id": &systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{{InstanceId: "1"}, {InstanceId: "\x002"}}},
	} {
		f := fault.Of(validate(request))
		if f == nil || len(f.Violations) != 1 || f.Violations[0].Field != field {
			t.Errorf("%s: %v", field, f)
		}
	}
}

func TestTheSystemIsNoInstance(t *testing.T) {
	for _, request := range []proto.Message{
		&systemv1.GetInstanceRequest{InstanceId: "system"},
		&systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{{InstanceId: "1"}, {InstanceId: "system"}}},
	} {
		if err := validate(request); !errors.Is(err, instance.NotFound(ident.System)) {
			t.Errorf("%v: %v", request, err)
		}
	}
	if err := validate(&systemv1.ExistsDomainRequest{Domain: "system"}); err != nil {
		t.Errorf("a domain of that name: %v", err)
	}
}

// away is an authenticator whose database does not answer.
type away struct{}

func (away) Authenticate(context.Context, []string) (systemuser.Caller, error) {
	return systemuser.Caller{}, fmt.Errorf("look up: %w", store.ErrUnavailable)
}

func TestWhoCannotBeLookedUpIsNoStranger(t *testing.T) {
	f := newFixture()
	f.d.Users = away{}
	c := &transport.Call{Method: method(t, systemv1.File_zitadel_system_proto, 0, "GetInstance"), Header: signedIn()}
	if err := f.d.Admit(t.Context(), c); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Admit = %v", err)
	}
	if err := f.run(t, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: "1"}, signedIn()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Dispatch = %v", err)
	}
}

// slow is who never answers: a database that hangs, behind system users and tokens alike. It notes
// whether it was told to give up some time.
type slow struct {
	Directory
	limited bool
}

func (s *slow) Authenticate(ctx context.Context, _ []string) (systemuser.Caller, error) {
	return systemuser.Caller{}, s.hang(ctx)
}

func (s *slow) ByBearer(ctx context.Context, _ origin.Origin, _ string) (access.User, error) {
	return access.User{}, s.hang(ctx)
}

func (s *slow) hang(ctx context.Context) error {
	until, ok := ctx.Deadline()
	s.limited = ok && time.Until(until) <= callTimeout
	return context.DeadlineExceeded
}

// TestNobodyIsLookedUpForEver: before a message of gRPC, gRPC-Web or Connect is read there is no limit
// but this one, whoever calls.
func TestNobodyIsLookedUpForEver(t *testing.T) {
	for name, header := range map[string]http.Header{"system user": signedIn(), "user of an instance": as("user")} {
		f, hangs := newFixture(), &slow{}
		f.d.Users, f.d.Directory = hangs, hangs
		c := &transport.Call{
			Method:   method(t, systemv1.File_zitadel_system_proto, 0, "GetInstance"),
			Protocol: transport.GRPC, Header: header, ResponseHeader: http.Header{},
		}
		if err := f.d.Admit(t.Context(), c); !errors.Is(err, context.DeadlineExceeded) || !hangs.limited {
			t.Errorf("a %s: %v, limited %v", name, err, hangs.limited)
		}
	}
}

func TestCallsAreCounted(t *testing.T) {
	f := newFixture("SYSTEM_OWNER")
	for _, h := range []http.Header{signedIn(), signedIn(), {}} {
		_ = f.run(t, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: "1"}, h)
	}
	const name = "/zitadel.system.v1.SystemService/GetInstance"
	if n := testutil.ToFloat64(f.d.Metrics.codes.WithLabelValues(name, "OK")); n != 2 {
		t.Errorf("OK = %v, want 2", n)
	}
	if n := testutil.ToFloat64(f.d.Metrics.codes.WithLabelValues(name, "Unauthenticated")); n != 1 {
		t.Errorf("Unauthenticated = %v, want 1", n)
	}
}
