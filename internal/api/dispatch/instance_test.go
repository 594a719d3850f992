package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"castellan/internal/access"
	"castellan/internal/api/transport"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/origin"
	"castellan/internal/quota"
	"castellan/internal/systemuser"
	"castellan/internal/vault"

	optionsv1 "castellan/gen/castellan/options/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// The hosts of the tests, and how the instances they lead to are.
var instances = map[string]access.Instance{
	"a.example":       {ID: "A"},
	"b.example":       {ID: "B"},
	"stopped.example": {ID: "S", Stopped: true},
	"blocked.example": {ID: "K", Blocked: true},
	"both.example":    {ID: "SK", Stopped: true, Blocked: true},
	"used.example":    {ID: "U", Requests: quota.Terms{Quota: "empty"}},
}

// directory knows instances, and a token that is of use on each of them: of an owner, for all tests
// that do not say otherwise.
type directory struct {
	roles []string
	// more memberships of the user, and what the instances have, by what names it.
	more   []access.Membership
	orgs   map[string]ident.OrgID
	owners map[access.Thing]access.Owner
	found  int // how often it was asked for an organization or an owner
	asked  int // how often it was asked for a host alone
	fails  error
	bound  string // the thumbprint of the key that its token is bound to
}

var (
	goodToken, otherToken = vault.NewToken(nil), vault.NewToken(nil)
	errUnknownHost        = fault.Plain(fault.NotFound, "unable to set instance")
)

func (d *directory) ByOrigin(_ context.Context, o origin.Origin) (access.Instance, error) {
	d.asked++
	if d.fails != nil {
		return access.Instance{}, d.fails
	}
	i, ok := instances[o.InstanceHost]
	if !ok {
		return i, errUnknownHost
	}
	return i, nil
}

func (d *directory) ByBearer(ctx context.Context, o origin.Origin, bearer string) (access.User, error) {
	return d.ByBound(ctx, o, bearer, "")
}

func (d *directory) ByBound(_ context.Context, o origin.Origin, bearer, thumbprint string) (access.User, error) {
	host, _, _ := strings.Cut(o.InstanceHost, ":") // whatever the port
	i, ok := instances[host]
	switch {
	case d.fails != nil:
		return access.User{}, d.fails
	case !ok || bearer != goodToken.Reveal() || thumbprint != d.bound:
		return access.User{}, fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
	}
	u := access.User{ID: "user of " + ident.UserID(i.ID), Instance: i, ResourceOwner: "home", Memberships: d.more}
	if len(d.roles) > 0 {
		u.Memberships = append([]access.Membership{{Scope: member.Instance, ID: string(i.ID), Roles: d.roles}}, d.more...)
	}
	return u, nil
}

func (d *directory) FindOrg(_ context.Context, _ ident.InstanceID, name string) (ident.OrgID, error) {
	d.found++
	id, ok := d.orgs[name]
	if !ok {
		return "", fault.New(fault.PermissionDenied, "AUTH-Bs7Ds", "Organisation doesn't exist")
	}
	return id, d.fails
}

func (d *directory) Owner(_ context.Context, _ ident.InstanceID, t access.Thing) (access.Owner, error) {
	d.found++
	o, ok := d.owners[t]
	if !ok {
		return o, access.Missing(t.Kind)
	}
	return o, d.fails
}

// meter counts, and refuses those whose quota is empty.
type meter struct{ counted []ident.InstanceID }

func (m *meter) Admit(_ context.Context, instance ident.InstanceID, terms quota.Terms) error {
	m.counted = append(m.counted, instance)
	if terms.Quota == "empty" {
		return fault.New(fault.ResourceExhausted, "QUOTA-vjAy8", "Quota.Access.Exhausted")
	}
	return nil
}

// callers are the system users of the tests, by token.
type callers map[string][]systemuser.Membership

func (c callers) Authenticate(_ context.Context, authorization []string) (systemuser.Caller, error) {
	for name, memberships := range c {
		if len(authorization) == 1 && authorization[0] == "Bearer "+name {
			return systemuser.Caller{Name: ident.Actor(name), Memberships: memberships}, nil
		}
	}
	return systemuser.Caller{}, fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
}

// system is a membership of the system.
func system(roles ...string) []systemuser.Membership {
	return []systemuser.Membership{{Type: systemuser.System, Roles: roles}}
}

// newInstanceFixture is a fixture for callers of every kind.
func newInstanceFixture() (*fixture, *directory, *meter) {
	dir, used := &directory{roles: []string{"IAM_OWNER"}}, &meter{}
	return &fixture{host: "a.example", d: &Dispatcher{
		Users: callers{
			"owner":    system("SYSTEM_OWNER"),
			"viewer":   system("SYSTEM_OWNER_VIEWER"),
			"nobody":   system(),
			"everyIAM": system("IAM_OWNER"),
			"ofA":      {{Type: systemuser.IAM, AggregateID: "A", Roles: []string{"IAM_OWNER"}}},
			"ofOrg":    {{Type: systemuser.Organization, AggregateID: "7", Roles: []string{"IAM_OWNER"}}},
		},
		Directory: dir, Meter: used,
		Logger: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry()),
	}}, dir, used
}

// as is the header of a caller: a system user by name, or the user of the instance of the host.
func as(caller string) http.Header {
	switch caller {
	case "":
		return http.Header{}
	case "user":
		caller = goodToken.Reveal()
	case "stranger":
		caller = otherToken.Reveal()
	}
	return http.Header{"Authorization": {"Bearer " + caller}}
}

// v2 runs a call of zitadel.instance.v2.InstanceService.
func (f *fixture) v2(t *testing.T, rpc string, request proto.Message, header http.Header) error {
	t.Helper()
	f.handled = false
	return f.runMethod(method(t, instancev2.File_zitadel_instance_v2_instance_service_proto, 0, rpc), request, header)
}

// TestEveryCallerAndEveryAddress is who may call what about which instance: every kind of caller,
// with every way to say which instance is meant.
func TestEveryCallerAndEveryAddress(t *testing.T) {
	const (
		ok        = ""
		who       = "AUTH-7fs1e"
		denied    = "AUTH-5mWD2"
		stopped   = "INST-stop1"
		blocked   = "LIMITS-molsj"
		exhausted = "QUOTA-vjAy8"
		unknown   = "no id"
		byHost    = ""
	)
	tests := []struct {
		caller, host, named string
		read, write         string // the answers of GetInstance and UpdateInstance
		about               ident.InstanceID
	}{
		// Strangers get one answer, whatever they call.
		{"", "a.example", byHost, who, who, ""},
		{"stranger", "a.example", byHost, who, who, ""},
		{"stranger", "nowhere.example", "A", who, who, ""},
		{"stranger", "stopped.example", "A", who, who, ""},
		{"user", "nowhere.example", byHost, who, who, ""},
		{"user", "nowhere.example", "A", who, who, ""},
		// Users of an instance: their own, however they say so, and no other, there or not.
		{"user", "a.example", byHost, ok, ok, "A"},
		{"user", "a.example", "A", ok, ok, "A"},
		{"user", "a.example", "B", denied, denied, ""},
		{"user", "a.example", "404", denied, denied, ""},
		{"user", "stopped.example", byHost, stopped, stopped, ""},
		{"user", "stopped.example", "S", stopped, stopped, ""},
		{"user", "stopped.example", "A", stopped, stopped, ""},
		{"user", "blocked.example", byHost, blocked, blocked, ""},
		{"user", "blocked.example", "K", blocked, blocked, ""},
		{"user", "both.example", byHost, stopped, stopped, ""},
		{"user", "used.example", byHost, exhausted, exhausted, ""},
		{"user", "used.example", "U", exhausted, exhausted, ""},
		{"user", "used.example", "A", denied, denied, ""}, // what is refused does not count
		// Members of the system: everything, and what they name is never gated.
		{"owner", "a.example", byHost, ok, ok, "A"},
		{"owner", "a.example", "B", ok, ok, "B"},
		{"owner", "nowhere.example", "B", ok, ok, "B"},
		{"owner", "a.example", "404", ok, ok, "404"}, // the handler finds that there is none
		{"owner", "stopped.example", "S", ok, ok, "S"},
		{"owner", "a.example", "S", ok, ok, "S"},
		{"owner", "blocked.example", "K", ok, ok, "K"},
		{"owner", "stopped.example", byHost, stopped, stopped, ""},
		{"owner", "blocked.example", byHost, blocked, blocked, ""},
		{"owner", "used.example", byHost, ok, ok, "U"},
		{"owner", "nowhere.example", byHost, unknown, unknown, ""},
		{"viewer", "a.example", byHost, ok, denied, "A"},
		{"viewer", "a.example", "B", ok, denied, "B"},
		{"viewer", "nowhere.example", byHost, unknown, denied, ""},
		{"nobody", "a.example", byHost, denied, denied, ""},
		{"nobody", "a.example", "A", denied, denied, ""},
		{"nobody", "nowhere.example", byHost, denied, denied, ""}, // decision D2: 403 before 404
		// What has become of an instance is told to those who may call about it.
		{"nobody", "stopped.example", byHost, denied, denied, ""},
		{"nobody", "blocked.example", byHost, denied, denied, ""},
		{"nobody", "both.example", byHost, denied, denied, ""},
		{"viewer", "stopped.example", byHost, stopped, denied, ""},
		{"viewer", "blocked.example", byHost, blocked, denied, ""},
		{"ofA", "stopped.example", byHost, denied, denied, ""},
		{"ofA", "blocked.example", byHost, denied, denied, ""},
		// Members of one instance: as its users, wherever they call.
		{"ofA", "a.example", byHost, ok, ok, "A"},
		{"ofA", "a.example", "A", ok, ok, "A"},
		{"ofA", "nowhere.example", "A", ok, ok, "A"},
		{"ofA", "b.example", byHost, denied, denied, ""},
		{"ofA", "a.example", "B", denied, denied, ""},
		{"ofA", "nowhere.example", byHost, denied, denied, ""},
		{"everyIAM", "b.example", byHost, ok, ok, "B"},
		{"everyIAM", "a.example", "A", ok, ok, "A"},
		{"everyIAM", "nowhere.example", byHost, denied, denied, ""},
		// A header cannot make a membership of an organization one of the instance.
		{"ofOrg", "a.example", byHost, denied, denied, ""},
		{"ofOrg", "a.example", "A", denied, denied, ""},
	}
	for _, tt := range tests {
		for rpc, want := range map[string]string{"GetInstance": tt.read, "UpdateInstance": tt.write} {
			f, dir, used := newInstanceFixture()
			f.host = tt.host
			header := as(tt.caller)
			header.Set("X-Zitadel-Orgid", "7")
			var request interface {
				proto.Message
				GetInstanceId() string
			} = &instancev2.GetInstanceRequest{InstanceId: tt.named}
			if rpc == "UpdateInstance" {
				request = &instancev2.UpdateInstanceRequest{InstanceId: tt.named, InstanceName: "x"}
			}
			err := f.v2(t, rpc, request, header)
			got := ""
			if err != nil {
				if got = fault.Of(err).ID; got == "" {
					got = unknown
				}
			}
			where := strings.Join([]string{tt.caller, tt.host, tt.named, rpc}, " ")
			if got != want || f.handled != (want == ok) {
				t.Errorf("%s: %v, handled %v; want %q", where, err, f.handled, want)
				continue
			}
			if want == unknown && !errors.Is(err, errUnknownHost) {
				t.Errorf("%s: %v", where, err)
			}
			if want == ok && ident.InstanceID(request.GetInstanceId()) != tt.about {
				t.Errorf("%s: the handler is told of %q, want %q", where, request.GetInstanceId(), tt.about)
			}
			counts := want == ok && tt.caller == "user" || want == exhausted
			if counts != (len(used.counted) == 1) || len(used.counted) > 1 {
				t.Errorf("%s: counted for %q", where, used.counted)
			}
			if (tt.named != "" || tt.caller == "user" || tt.caller == "") && dir.asked != 0 {
				t.Errorf("%s: the directory was asked %d times", where, dir.asked)
			}
		}
	}
}

func TestTheActorIsTheUser(t *testing.T) {
	f, _, _ := newInstanceFixture()
	if err := f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, as("user")); err != nil || f.call.Actor != "user of A" {
		t.Errorf("%+v, %v", f.call, err)
	}
}

func TestMembersMayWhatTheirRolesGrant(t *testing.T) {
	f, dir, used := newInstanceFixture()
	dir.roles = []string{"IAM_OWNER_VIEWER"}
	if err := f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, as("user")); err != nil {
		t.Errorf("a viewer reads: %v", err)
	}
	used.counted = nil
	err := f.v2(t, "UpdateInstance", &instancev2.UpdateInstanceRequest{}, as("user"))
	if fault.Of(err).ID != "AUTH-5mWD2" || f.handled || len(used.counted) != 0 {
		t.Errorf("a viewer writes: %v; counted %v", err, used.counted)
	}
	dir.roles = nil
	if err := f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, as("user")); fault.Of(err).ID != "AUTH-5mWD2" {
		t.Errorf("no member: %v", err)
	}
}

// TestSystemMethodsAreForSystemUsers: whatever roles a user of an instance has, and in whatever
// state the instance is, what declares no permission for members is refused.
func TestSystemMethodsAreForSystemUsers(t *testing.T) {
	for _, host := range []string{"a.example", "stopped.example", "blocked.example", "used.example"} {
		f, dir, used := newInstanceFixture()
		f.host = host
		dir.roles = []string{"IAM_OWNER", "SYSTEM_OWNER"}
		for name, err := range map[string]error{
			"system": f.run(t, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: string(instances[host].ID)}, as("user")),
			"create": f.run(t, "CreateInstance", &systemv1.CreateInstanceRequest{}, as("user")),
			"delete": f.v2(t, "DeleteInstance", &instancev2.DeleteInstanceRequest{InstanceId: string(instances[host].ID)}, as("user")),
			"list":   f.v2(t, "ListInstances", &instancev2.ListInstancesRequest{}, as("user")),
		} {
			if fault.Of(err).ID != "AUTH-5mWD2" || f.handled {
				t.Errorf("%s at %s: %v", name, host, err)
			}
		}
		if len(used.counted) != 0 || f.sent.Get("Set-Cookie") != "" {
			t.Errorf("at %s: counted %v, sent %v", host, used.counted, f.sent)
		}
	}
}

// TestTheOrderOfChecksOfMembers breaks everything that comes after a check together with it.
func TestTheOrderOfChecksOfMembers(t *testing.T) {
	invalid := func() proto.Message { return &instancev2.UpdateInstanceRequest{} }
	steps := []struct {
		name string
		host string
		as   string
		role string
		want fault.Kind
	}{
		{"who", "stopped.example", "stranger", "", fault.Unauthenticated},
		{"stopped", "both.example", "user", "", fault.Unavailable},
		{"blocked", "blocked.example", "user", "", fault.ResourceExhausted},
		{"permission", "used.example", "user", "", fault.PermissionDenied},
		{"quota", "used.example", "user", "IAM_OWNER", fault.ResourceExhausted},
		{"valid", "a.example", "user", "IAM_OWNER", fault.InvalidArgument},
	}
	for _, s := range steps {
		f, dir, _ := newInstanceFixture()
		f.host, dir.roles = s.host, []string{s.role}
		if err := f.v2(t, "UpdateInstance", invalid(), as(s.as)); fault.KindOf(err) != s.want || f.handled {
			t.Errorf("%s: %v, want kind %v", s.name, err, s.want)
		}
	}
}

// TestAFilledInstanceIsValidated: what the host stands for meets the rules of the message as if the
// caller had written it.
func TestAFilledInstanceIsValidated(t *testing.T) {
	f, _, _ := newInstanceFixture()
	seen := ""
	m := method(t, instancev2.File_zitadel_instance_v2_instance_service_proto, 0, "GetInstance")
	c := &transport.Call{Method: m, Protocol: transport.Connect, Host: "b.example", Header: as("owner"), ResponseHeader: http.Header{}}
	_, err := f.d.Dispatch(t.Context(), c, func(ctx context.Context, check transport.Check) (proto.Message, error) {
		request := &instancev2.GetInstanceRequest{}
		if err := check(ctx, request); err != nil {
			return nil, err
		}
		seen = request.GetInstanceId()
		return &instancev2.GetInstanceResponse{}, nil
	})
	if err != nil || seen != "B" {
		t.Errorf("%q, %v", seen, err)
	}
}

// TestAdmitKnowsTokens: a token is refused, or known, before there is a request.
func TestAdmitKnowsTokens(t *testing.T) {
	f, dir, _ := newInstanceFixture()
	m := method(t, instancev2.File_zitadel_instance_v2_instance_service_proto, 0, "GetInstance")
	admit := func(caller, host string) (*transport.Call, error) {
		c := &transport.Call{Method: m, Protocol: transport.GRPC, Host: host, Header: as(caller), ResponseHeader: http.Header{}}
		return c, f.d.Admit(t.Context(), c)
	}
	for _, host := range []string{"a.example", "nowhere.example"} {
		if _, err := admit("stranger", host); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a stranger at %s: %v", host, err)
		}
	}
	c, err := admit("user", "b.example")
	if err != nil {
		t.Fatal(err)
	}
	// What Admit has found out is not asked again.
	dir.fails = errors.New("asked again")
	request := &instancev2.GetInstanceRequest{}
	_, err = f.d.Dispatch(t.Context(), c, func(ctx context.Context, check transport.Check) (proto.Message, error) {
		return &instancev2.GetInstanceResponse{}, check(ctx, request)
	})
	if err != nil || request.GetInstanceId() != "B" {
		t.Errorf("%v, %v", request, err)
	}
	if _, err := admit("user", "b.example"); err == nil || fault.KindOf(err) == fault.Unauthenticated {
		t.Errorf("a directory that fails: %v", err)
	}
}

// TestWhatLooksLikeATokenIsNone: only what has the form of a token, alone in its header, is looked up
// in an instance.
func TestWhatLooksLikeATokenIsNone(t *testing.T) {
	good := goodToken.Reveal()
	last := "x"
	if strings.HasSuffix(good, last) {
		last = "y"
	}
	for name, values := range map[string][]string{
		"mistyped":    {"Bearer " + good[:len(good)-1] + last},
		"longer":      {"Bearer " + good + "x"},
		"with spaces": {"Bearer  " + good},
		"lower case":  {"bearer " + good},
		"twice":       {"Bearer " + good, "Bearer " + good},
		"in one":      {"Bearer " + good + " Bearer " + good},
		"basic":       {"Basic " + good},
		"alone":       {good},
		"empty":       {""},
	} {
		f, _, _ := newInstanceFixture()
		err := f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, http.Header{"Authorization": values})
		if fault.KindOf(err) != fault.Unauthenticated || f.handled {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForwardedHostsDoNotCount(t *testing.T) {
	f, _, _ := newInstanceFixture()
	header := as("owner")
	for _, name := range []string{"X-Forwarded-Host", "X-Zitadel-Instance-Host", "X-Zitadel-Public-Host", "Forwarded", "Host"} {
		header.Set(name, "b.example")
	}
	header.Set("Forwarded", "host=b.example")
	request := &instancev2.GetInstanceRequest{}
	if err := f.v2(t, "GetInstance", request, header); err != nil || request.GetInstanceId() != "A" {
		t.Errorf("%v, %v", request, err)
	}
}

func TestADirectoryThatFailsIsNoAnswer(t *testing.T) {
	f, dir, _ := newInstanceFixture()
	dir.fails = errors.New("broken")
	for _, caller := range []string{"owner", "user"} {
		err := f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, as(caller))
		if fault.KindOf(err) != fault.Internal || !errors.Is(err, dir.fails) || f.handled {
			t.Errorf("%s: %v", caller, err)
		}
	}
	f.d.Directory = nil
	if err := f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, as("owner")); fault.KindOf(err) != fault.Unimplemented {
		t.Errorf("without a directory: %v", err)
	}
	if err := f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, as("user")); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("a user without a directory: %v", err)
	}
}

func TestTheCookieOfAnExhaustedInstance(t *testing.T) {
	const set = "zitadel.quota.exhausted=true; Path=/; Max-Age=300; SameSite=Lax"
	const unset = "zitadel.quota.exhausted=; Path=/; Max-Age=0; SameSite=Lax"
	for name, tt := range map[string]struct {
		host, caller, has string
		want              string
	}{
		"blocked":                      {"blocked.example", "user", "", set},
		"blocked for a system user":    {"blocked.example", "owner", "", set},
		"blocked for another":          {"blocked.example", "nobody", "", ""},
		"blocked for a member of A":    {"blocked.example", "ofA", "zitadel.quota.exhausted=true", ""},
		"exhausted":                    {"used.example", "user", "", set},
		"stopped":                      {"stopped.example", "user", "", ""},
		"open":                         {"a.example", "user", "", ""},
		"open again":                   {"a.example", "user", "x=y; zitadel.quota.exhausted=true", unset},
		"open again for a system user": {"a.example", "owner", "zitadel.quota.exhausted=true", unset},
		"refused":                      {"a.example", "nobody", "zitadel.quota.exhausted=true", ""},
		"a stranger":                   {"a.example", "", "zitadel.quota.exhausted=true", ""},
	} {
		f, _, _ := newInstanceFixture()
		f.host = tt.host
		header := as(tt.caller)
		if tt.has != "" {
			header.Set("Cookie", tt.has)
		}
		_ = f.v2(t, "GetInstance", &instancev2.GetInstanceRequest{}, header)
		if got := f.sent.Get("Set-Cookie"); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestNoSystemMethodIsOfInstances holds what makes the System API usable whatever has become of an
// instance: none of its methods goes by host or admits users of instances.
func TestNoSystemMethodIsOfInstances(t *testing.T) {
	d := &Dispatcher{}
	checked := 0
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if p := file.Package(); p != "zitadel.system.v1" && p != "castellan.system.v1" {
			return true
		}
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				checked++
				if d.policyOf(methods.Get(j)).ofInstances() {
					t.Errorf("%s is gated by the state of an instance", methods.Get(j).FullName())
				}
			}
		}
		return true
	})
	if checked < 24 {
		t.Errorf("looked at %d methods only", checked)
	}
}

// TestByHostNeedsAFieldToFill: an RPC that goes by host and has nowhere to say which instance it is
// serves nobody.
func TestByHostNeedsAFieldToFill(t *testing.T) {
	options := &descriptorpb.MethodOptions{}
	proto.SetExtension(options, optionsv1.E_Auth, &optionsv1.Auth{Permission: "system.instance.read", ByHost: true})
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("M"), Field: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("instance_id"), Number: proto.Int32(1),
			Label: descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		}}}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Get"), InputType: proto.String(".test.M"), OutputType: proto.String(".test.M"), Options: options,
		}}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, _, _ := newInstanceFixture()
	err = f.runMethod(file.Services().Get(0).Methods().Get(0), &instancev2.GetInstanceRequest{}, as("owner"))
	if diff := cmp.Diff(errUndeclared.Message, fault.Of(err).Message); diff != "" || f.handled {
		t.Errorf("%v", err)
	}
}
