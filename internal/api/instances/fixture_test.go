package instances_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/dispatch"
	"castellan/internal/api/instances"
	"castellan/internal/api/transport"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/systemuser"
	"castellan/internal/vault"

	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
	zitadelv1 "castellan/gen/zitadel/v1"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is both services on one database, served over HTTP. One of them is called.
type fixture struct {
	*testing.T
	name
	db    store.DB
	log   *eventlog.Log
	clock *ident.ManualClock
	conn  *grpc.ClientConn
	made  int // instances
}

// name is a name of the service, and what its requests call the fields that v2 calls
// custom_domain and trusted_domain, in JSON.
type name struct {
	service, customDomain, trustedDomain string
}

var names = []name{
	{"zitadel.instance.v2.InstanceService", "customDomain", "trustedDomain"},
	{"zitadel.instance.v2beta.InstanceService", "domain", "domain"},
}

func (n name) beta() bool { return strings.Contains(n.service, "beta") }

// field is the name of a field as violations have it.
func field(json string) string {
	var b strings.Builder
	for _, r := range json {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// eachName runs fn on each engine for each name of the service.
func eachName(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	for _, n := range names {
		t.Run(n.service, func(t *testing.T) {
			storetest.EachEngine(t, func(t *testing.T, db store.DB) { fn(newFixture(t, db, n)) })
		})
	}
}

func newFixture(t *testing.T, db store.DB, n name) *fixture {
	t.Helper()
	f := &fixture{T: t, name: n, db: db, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
	keyring := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	f.log = eventlog.New(db, keyring, f.clock, instance.Noun)
	calls := transport.New(transport.Config{
		Logger: slog.New(slog.DiscardHandler),
		Dispatcher: &dispatch.Dispatcher{
			Users: callers{}, Logger: slog.New(slog.DiscardHandler), Metrics: dispatch.NewMetrics(prometheus.NewRegistry()),
		},
	})
	service := &instances.Service{
		DB: db, Instances: f.service(), Version: "test", Lister: instance.NewLister(db, f.log, keyring.Positions(), f.clock),
	}
	instancev2.RegisterInstanceServiceServer(calls, service)
	instancev2beta.RegisterInstanceServiceServer(calls, &instances.Beta{Service: service})
	server := httptest.NewUnstartedServer(calls.Handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	var err error
	f.conn, err = grpc.NewClient("passthrough:///"+server.Listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	f.must(err)
	t.Cleanup(func() { f.must(f.conn.Close()) })
	return f
}

// service changes instances past the API.
func (f *fixture) service() *instance.Service { return &instance.Service{DB: f.db, Log: f.log} }

// callers knows an operator and a viewer, by tokens that are their names.
type callers struct{}

const operator, viewer, nobody = "operator", "viewer", "nobody"

func (callers) Authenticate(_ context.Context, authorization []string) (systemuser.Caller, error) {
	roles := map[string]string{"Bearer " + operator: "SYSTEM_OWNER", "Bearer " + viewer: "SYSTEM_OWNER_VIEWER"}
	if len(authorization) != 1 || roles[authorization[0]] == "" {
		return systemuser.Caller{}, fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
	}
	return systemuser.Caller{
		Name:        ident.Actor(strings.TrimPrefix(authorization[0], "Bearer ")),
		Memberships: []systemuser.Membership{{Type: systemuser.System, Roles: []string{roles[authorization[0]]}}},
	}, nil
}

// request is one call.
type request struct {
	method, body string // the body is JSON
	as           string // empty: the operator
}

// answer is what came back.
type answer struct {
	code    codes.Code
	message string
	id      string   // of the ErrorDetail
	fields  []string // of the BadRequest
	// out is the message of a success.
	out proto.Message
}

func (f *fixture) send(r request) answer {
	f.Helper()
	method := f.method(r.method)
	in, out := f.message(method.Input()), f.message(method.Output())
	f.must(protojson.Unmarshal([]byte(r.body), in))
	if r.as == "" {
		r.as = operator
	}
	ctx := metadata.AppendToOutgoingContext(f.Context(), "authorization", "Bearer "+r.as)
	err := f.conn.Invoke(ctx, "/"+f.name.service+"/"+r.method, in, out)
	s := status.Convert(err)
	a := answer{code: s.Code(), message: s.Message(), out: out}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *zitadelv1.ErrorDetail:
			a.id = d.GetId()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				a.fields = append(a.fields, v.GetField())
			}
		}
	}
	return a
}

// method is the descriptor of a method of the service called.
func (f *fixture) method(name string) protoreflect.MethodDescriptor {
	f.Helper()
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(f.name.service + "." + name))
	f.must(err)
	return d.(protoreflect.MethodDescriptor)
}

// message returns an empty message of a type.
func (f *fixture) message(d protoreflect.MessageDescriptor) proto.Message {
	f.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	f.must(err)
	return kind.New().Interface()
}

// call sends a request that must succeed, and reads its answer into out, a message of v2. Those of
// v2beta have the same numbers, so that they are read as well.
func (f *fixture) call(out proto.Message, r request) {
	f.Helper()
	a := f.send(r)
	if a.code != codes.OK {
		f.Fatalf("%s %s: %v %s", r.method, r.body, a.code, a.message)
	}
	wire, err := proto.Marshal(a.out)
	f.must(err)
	f.must(proto.UnmarshalOptions{}.Unmarshal(wire, out))
	if unknown := out.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		f.Errorf("%s: a %T has more than a %T", r.method, a.out, out)
	}
}

// answers checks the whole answer to a request, a message of v2.
func (f *fixture) answers(r request, want proto.Message) {
	f.Helper()
	got := want.ProtoReflect().New().Interface()
	f.call(got, r)
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		f.Errorf("%s %s (-want +got):\n%s", r.method, r.body, diff)
	}
}

// refused sends a request and checks the fault it is answered with. It must change nothing.
func (f *fixture) refused(r request, code codes.Code, id string, fields ...string) {
	f.Helper()
	before := f.count()
	a := f.send(r)
	if a.code != code || a.id != id || !slices.Equal(a.fields, fields) || id != "" && !strings.HasSuffix(a.message, "("+id+")") {
		f.Errorf("%s %s: %v %s, id %q, fields %q; want %v, %q, %q", r.method, r.body, a.code, a.message, a.id, a.fields, code, id, fields)
	}
	if after := f.count(); after != before {
		f.Errorf("%s left %d events", r.method, after-before)
	}
}

// guarded checks that who may not make a call learns nothing by it, and that about an instance that
// does not exist, or no longer, it answers id to who may. body has a verb for the id of the instance.
func (f *fixture) guarded(method, body, id string, reads bool) {
	f.Helper()
	for _, absent := range []string{"404", f.removed()} {
		r := request{method: method, body: fmt.Sprintf(body, absent)}
		f.refused(r, codes.NotFound, id)
		r.as = nobody
		f.refused(r, codes.Unauthenticated, "AUTH-7fs1e")
		if r.as = viewer; reads {
			f.refused(r, codes.NotFound, id)
		} else {
			f.refused(r, codes.PermissionDenied, "AUTH-5mWD2")
		}
	}
}

// removed is the id of an instance that exists no more.
func (f *fixture) removed() string {
	f.Helper()
	id := f.create("Gone", "gone.example")
	_, err := f.service().Remove(f.Context(), ident.InstanceID(id), "ada")
	f.must(err)
	return id
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// create makes an instance, with a custom domain unless it is empty, and returns its id. Ids begin
// with 101, so that their order is that of the calls.
func (f *fixture) create(name, custom string) string {
	f.Helper()
	f.made++
	id := fmt.Sprint(100 + f.made)
	events, err := instance.Add{Name: name, Generated: "i" + id + ".id.example", Custom: custom}.Decide()
	f.must(err)
	f.must(f.log.Write(f.Context(), ident.InstanceID(id), "ada", func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: id, Owner: id}, events...)
		return err
	}))
	return id
}

// count is the number of events of all instances.
func (f *fixture) count() int {
	f.Helper()
	n, err := store.One(f.Context(), f.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM events`)
	f.must(err)
	return n
}

// events is how many events an instance has.
func (f *fixture) events(id string) int {
	f.Helper()
	return len(logtest.Types(f, f.db, f.log, ident.InstanceID(id)))
}

// left checks which events the calls since before have left on an instance, and that they fold
// into the rows that are there.
func (f *fixture) left(id string, before int, want ...string) {
	f.Helper()
	if got := logtest.Types(f, f.db, f.log, ident.InstanceID(id))[before:]; !slices.Equal(got, want) {
		f.Errorf("events %v, want %v", got, want)
	}
	logtest.CheckFold(f, f.db, f.log)
}

// get reads an instance.
func (f *fixture) get(id string) instance.State {
	f.Helper()
	s, err := instance.GetTrusted(f.Context(), f.db, ident.InstanceID(id))
	f.must(err)
	return s
}

// now is the time of the calls.
func (f *fixture) now() *timestamppb.Timestamp { return timestamppb.New(f.clock.Now()) }
