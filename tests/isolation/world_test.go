package isolation

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/systemuser"
	"castellan/tests/kit"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// world is a node with two instances that are in use, theirs and ours, and whoever calls it.
type world struct {
	*testing.T
	node         *kit.Node
	theirs, ours Target
	// nothing is a target of which nothing exists.
	nothing Target
	// stopped and blocked are instances of others that may not be used.
	stopped, blocked Target
	callers          []caller

	mu    sync.Mutex
	conns map[string]*grpc.ClientConn // by host
	made  int
}

// caller is someone who calls, and where.
type caller struct {
	name, token, host string
	// org is the organization that its header x-zitadel-orgid names; empty: there is no such header.
	org string
	// member says that it may do to our instance whatever its members may, when it names it.
	member bool
}

func newWorld(t *testing.T, b *kit.Backend) *world {
	w := &world{T: t, node: b.Start(t, nil), conns: make(map[string]*grpc.ClientConn)}
	w.theirs, w.ours = w.target("Theirs"), w.target("Ours")
	w.nothing = make(Target)
	for name := range w.theirs {
		w.nothing[name] = "404"
	}
	for _, name := range []string{"domain", "trusted_domain"} {
		w.nothing[name] = "nothing.example"
	}
	w.stopped, w.blocked = w.target("Stopped"), w.target("Blocked")
	w.begin("castellan.system.v1.InstanceLifecycleService/StopInstance",
		&castellansystemv1.StopInstanceRequest{InstanceId: w.stopped["instance_id"]})
	w.begin("zitadel.system.v1.SystemService/SetLimits",
		&systemv1.SetLimitsRequest{InstanceId: w.blocked["instance_id"], Block: proto.Bool(true)})
	member, stranger := kit.NewUser("member-of-ours"), kit.NewUser("stranger")
	err := w.node.Reload(append(kit.Users(),
		member.Config(systemuser.MembershipConfig{MemberType: "IAM", AggregateID: w.ours["instance_id"], Roles: []string{"IAM_OWNER"}}),
		stranger.Config(systemuser.MembershipConfig{MemberType: "Organization", AggregateID: "1", Roles: []string{"ORG_OWNER"}})))
	if err != nil {
		t.Fatal(err)
	}
	ourToken, theirHost := w.ours["token"], w.theirs["domain"]
	w.callers = []caller{
		{name: "nobody"},
		{name: "nobody at their host", host: theirHost},
		{name: "someone with a bad token", token: "x.y.z", host: theirHost},
		{name: "an unprivileged system user", token: stranger.Token(t)},
		{name: "an unprivileged system user at their host", token: stranger.Token(t), host: theirHost},
		{name: "a system user who is a member of ours", token: member.Token(t), member: true},
		{name: "a system user who is a member of ours at their host", token: member.Token(t), host: theirHost, member: true},
		{name: "the owner of ours", token: ourToken},
		{name: "the owner of ours at its host", token: ourToken, host: w.ours["domain"], member: true},
		{name: "the owner of ours at their host", token: ourToken, host: theirHost},
	}
	return w
}

// target makes an instance that has one of everything.
func (w *world) target(name string) Target {
	w.Helper()
	w.made++
	domain := fmt.Sprintf("%s-%d.example", strings.ToLower(name), w.made)
	made := w.node.Create(w.T, kit.WithDomain(kit.Machine(fmt.Sprintf("%s %d", name, w.made)), domain))
	id := made.GetInstanceId()
	t := Target{
		"instance_id": id, "domain": domain, "token": made.GetPat(),
		"trusted_domain": "trusted." + domain,
		"user_id":        kit.Column[string](w, w.node.DB(), `SELECT user_id FROM users WHERE instance_id = $1`, id)[0],
		"org_id":         made.GetDetails().GetResourceOwner(),
		"system_user":    fmt.Sprintf("robot-%d", w.made),
	}
	for _, method := range []string{"SetQuota", "SetLimits", "SetInstanceFeature"} {
		method = "zitadel.system.v1.SystemService/" + method
		w.begin(method, cases[method].request(t))
	}
	w.begin("castellan.system.v1.InstanceLifecycleService/AddSystemUser", &castellansystemv1.AddSystemUserRequest{
		Id: t["system_user"], PublicKey: kit.NewUser(t["system_user"]).PublicPEM(), Memberships: []*castellansystemv1.Membership{{
			Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_INSTANCE, AggregateId: id, Roles: []string{"SYSTEM_OWNER"},
		}},
	})
	w.begin("zitadel.instance.v2.InstanceService/AddTrustedDomain", &instancev2.AddTrustedDomainRequest{
		InstanceId: id, TrustedDomain: t["trusted_domain"],
	})
	return t
}

// begin makes a call that must succeed, as the operator.
func (w *world) begin(full string, request proto.Message) {
	w.Helper()
	if a := w.call(w.operator(), full, request); a.code != codes.OK {
		w.Fatalf("%s, %v: %v", full, request, a)
	}
}

// operator may do everything.
func (w *world) operator() caller {
	return caller{name: "the operator", token: kit.Operator().Token(w), member: true}
}

// answer is everything a caller gets to see of a call.
type answer struct {
	code codes.Code
	text string // message and details, or the bytes of the answer
}

func (a answer) String() string { return fmt.Sprintf("%v %q", a.code, a.text) }

// method finds the descriptor of service/method.
func method(t testing.TB, full string) protoreflect.MethodDescriptor {
	t.Helper()
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(full, "/", ".")))
	if err != nil {
		t.Fatalf("%s: %v", full, err)
	}
	return d.(protoreflect.MethodDescriptor)
}

// call makes a call over gRPC. Of a stream it reads the first message.
func (w *world) call(c caller, full string, request proto.Message) answer {
	w.Helper()
	var into emptypb.Empty // keeps what it does not know, as bytes
	s := w.invoke(c, full, request, &into)
	if s.Code() == codes.OK {
		return answer{codes.OK, string(into.ProtoReflect().GetUnknown())}
	}
	return answer{s.Code(), fmt.Sprint(s.Message(), s.Details())}
}

// invoke makes a call over gRPC and reads the answer, or the first message of a stream, into into; nowhere
// when it is nil.
func (w *world) invoke(c caller, full string, request, into proto.Message) *status.Status {
	w.Helper()
	conn, err := w.conn(c.host)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.Context(), kit.Patience)
	defer cancel()
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
	}
	if c.org != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-zitadel-orgid", c.org)
	}
	if into == nil {
		into = &emptypb.Empty{}
	}
	if method(w, full).IsStreamingServer() {
		err = first(ctx, conn, full, request, into)
	} else {
		err = conn.Invoke(ctx, "/"+full, request, into)
	}
	return status.Convert(err)
}

// first reads the first message of a stream.
func first(ctx context.Context, conn *grpc.ClientConn, full string, request, into proto.Message) error {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+full)
	if err == nil {
		err = stream.SendMsg(request)
	}
	if err == nil || err == io.EOF { //nolint:errorlint // SendMsg returns it as it is: the status comes with RecvMsg
		_ = stream.CloseSend() // what went wrong comes with the answer
		err = stream.RecvMsg(into)
	}
	return err
}

// conn is a connection whose calls name host.
func (w *world) conn(host string) (*grpc.ClientConn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns[host] != nil {
		return w.conns[host], nil
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if host != "" {
		options = append(options, grpc.WithAuthority(host))
	}
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(w.node.URL, "http://"), options...)
	if err != nil {
		return nil, err
	}
	w.Cleanup(func() { _ = conn.Close() })
	w.conns[host] = conn
	return conn, nil
}

// served are the methods of all services the node says it serves, but for those of gRPC itself.
func (w *world) served() []string {
	w.Helper()
	conn, err := w.conn("")
	if err != nil {
		w.Fatal(err)
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(w.Context())
	if err == nil {
		err = stream.Send(&reflectionv1.ServerReflectionRequest{
			MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
		})
	}
	if err != nil {
		w.Fatal(err)
	}
	list, err := stream.Recv()
	if err != nil {
		w.Fatal(err)
	}
	var all []string
	for _, s := range list.GetListServicesResponse().GetService() {
		if strings.HasPrefix(s.GetName(), "grpc.") {
			continue
		}
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(s.GetName()))
		if err != nil {
			w.Fatalf("the service %s has no descriptor here: %v", s.GetName(), err)
		}
		methods := d.(protoreflect.ServiceDescriptor).Methods()
		for i := range methods.Len() {
			all = append(all, s.GetName()+"/"+string(methods.Get(i).Name()))
		}
	}
	slices.Sort(all)
	return all
}

// state is every row of every table that belongs to a target, and that names it as an instance.
func (w *world) state(t Target) map[string]string {
	w.Helper()
	db := w.node.DB()
	all := make(map[string]string)
	for table, columns := range w.columns(db) {
		if !slices.Contains(columns, "instance_id") || besides[table] {
			continue
		}
		shown := make([]string, len(columns))
		for i, c := range columns {
			shown[i] = map[string]string{"sqlite": "quote(" + c + ")", "postgres": "coalesce(" + c + "::text, 'NULL')"}[db.Dialect().Name]
		}
		rows := kit.Column[string](w, db, `SELECT `+strings.Join(shown, " || ' ' || ")+` FROM `+table+
			` WHERE instance_id = $1`, t["instance_id"])
		slices.Sort(rows)
		all[table] = strings.Join(rows, "\n")
	}
	if len(all["users"]) == 0 || len(all["events"]) == 0 {
		w.Fatalf("found no state of %v", t)
	}
	return all
}

// besides are tables that say nothing of what an instance is: that calls were refused is noted, as it should;
// and what nodes remember is forgotten when an operator clears a view.
var besides = map[string]bool{"audit_log": true, "cache_epochs": true}

// columnsSQL lists table and column, separated by a space, by dialect.
var columnsSQL = map[string]string{
	"sqlite":   `SELECT m.name || ' ' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`,
	"postgres": `SELECT table_name || ' ' || column_name FROM information_schema.columns WHERE table_schema = current_schema()`,
}

func (w *world) columns(db store.DB) map[string][]string {
	w.Helper()
	all := make(map[string][]string)
	for _, pair := range kit.Column[string](w, db, columnsSQL[db.Dialect().Name]) {
		table, column, _ := strings.Cut(pair, " ")
		all[table] = append(all[table], column)
	}
	return all
}

// checkState fails the test when the state of a target is not what it was.
func (w *world) checkState(after string, t Target, before map[string]string) {
	w.Helper()
	now := w.state(t)
	for _, table := range slices.Sorted(maps.Keys(before)) {
		if now[table] != before[table] {
			w.Fatalf("after %s the table %s changed from\n%s\nto\n%s", after, table, before[table], now[table])
		}
	}
}

// secrets are what a caller who has no business with a target must not be shown.
func (w *world) secrets(t Target, sent proto.Message) []string {
	said := fmt.Sprint(sent)
	var all []string
	for _, value := range t {
		if !strings.Contains(said, value) {
			all = append(all, value)
		}
	}
	return all
}

// request over REST: what a browser of theirs would send.
func (w *world) rest(c caller, full string, request proto.Message) (status int, text string, ok bool) {
	w.Helper()
	d := method(w, full)
	verb, path, body, found := restOf(w, d, request)
	if !found {
		return 0, "", false
	}
	status, _, text = w.send(c, verb, path, body, nil)
	return status, text, true
}

// connect makes a call over the Connect protocol in JSON. Its answer has the cookies that were set, too.
func (w *world) connect(c caller, full string, request proto.Message) string {
	w.Helper()
	body, err := protojson.Marshal(request)
	if err != nil {
		w.Fatal(err)
	}
	status, header, text := w.send(c, http.MethodPost, "/"+full, string(body), http.Header{"Content-Type": {"application/json"}})
	return fmt.Sprintf("%d %q %s", status, header.Values("Set-Cookie"), text)
}

// send makes an HTTP request.
func (w *world) send(c caller, verb, path, body string, header http.Header) (status int, sent http.Header, text string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), verb, w.node.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	maps.Copy(r.Header, header)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.host != "" {
		r.Host = c.host
	}
	res, err := w.node.HTTP.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return res.StatusCode, res.Header, string(all)
}
