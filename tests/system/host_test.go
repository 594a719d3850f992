package system_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/audit"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/server"
	"castellan/tests/kit"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// tenant is an instance with a domain of its own and the token of its owner.
type tenant struct {
	id, token, owner string
	at               *kit.Client // calls by the domain
}

func newTenant(t *testing.T, n *kit.Node, domain string) tenant {
	t.Helper()
	made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), domain))
	owner := kit.Column[string](t, n.DB(), `SELECT user_id FROM users WHERE instance_id = $1`, made.GetInstanceId())
	return tenant{id: made.GetInstanceId(), token: made.GetPat(), owner: owner[0], at: n.At(t, domain)}
}

// rpcWires are the protocols in which a call need not name its instance.
func rpcWires() []kit.Wire {
	var wires []kit.Wire
	for _, w := range kit.Wires() {
		if w.Serves(instanceV2 + "/GetInstance") {
			wires = append(wires, w)
		}
	}
	return wires
}

func getV2(id string) *instancev2.GetInstanceRequest {
	return &instancev2.GetInstanceRequest{InstanceId: id}
}

func updateV2(id, name string) *instancev2.UpdateInstanceRequest {
	return &instancev2.UpdateInstanceRequest{InstanceId: id, InstanceName: name}
}

// TestMembersOfAnInstance calls with the tokens of two instances, by the hosts of both and by their
// ids: a token is of use at its own host and for its own instance.
func TestMembersOfAnInstance(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		a, other := newTenant(t, n, "a.example"), newTenant(t, n, "b.example")
		for _, w := range rpcWires() {
			send := func(at *kit.Client, method, token string, request, answer proto.Message) kit.Answer {
				t.Helper()
				return w.Send(t, at, kit.Call{Method: method, Request: request, Token: token}, answer)
			}
			refused := func(what string, got kit.Answer, code codes.Code, id string) {
				t.Helper()
				if got.Code != code || got.ID != id {
					t.Errorf("%s over %s: %v, want %v %q", what, w.Name, got, code, id)
				}
			}
			const get, update = instanceV2 + "/GetInstance", instanceV2 + "/UpdateInstance"
			for _, named := range []string{"", a.id} {
				got := new(instancev2.GetInstanceResponse)
				if x := send(a.at, get, a.token, getV2(named), got); x.Code != codes.OK || got.GetInstance().GetId() != a.id {
					t.Errorf("own instance as %q over %s: %v, %v", named, w.Name, x, got)
				}
				got = new(instancev2.GetInstanceResponse)
				if x := send(a.at, get, kit.Viewer().Token(t), getV2(named), got); x.Code != codes.OK || got.GetInstance().GetId() != a.id {
					t.Errorf("a system user by the host as %q over %s: %v, %v", named, w.Name, x, got)
				}
			}
			if x := send(a.at, update, a.token, updateV2("", "by "+w.Name), nil); x.Code != codes.OK {
				t.Errorf("rename over %s: %v", w.Name, x)
			}
			refused("another's id", send(a.at, get, a.token, getV2(other.id), nil), codes.PermissionDenied, "AUTH-5mWD2")
			refused("another's id", send(a.at, update, a.token, updateV2(other.id, "x"), nil), codes.PermissionDenied, "AUTH-5mWD2")
			refused("no id", send(a.at, get, a.token, getV2("404"), nil), codes.PermissionDenied, "AUTH-5mWD2")
			refused("another's host", send(other.at, get, a.token, getV2(""), nil), codes.Unauthenticated, "AUTH-7fs1e")
			refused("another's host", send(other.at, get, a.token, getV2(a.id), nil), codes.Unauthenticated, "AUTH-7fs1e")
			refused("the system's host", send(n.Client, get, a.token, getV2(a.id), nil), codes.Unauthenticated, "AUTH-7fs1e")
			refused("deletion", send(a.at, instanceV2+"/DeleteInstance", a.token,
				&instancev2.DeleteInstanceRequest{InstanceId: a.id}, nil), codes.PermissionDenied, "AUTH-5mWD2")
			refused("a wrong token", send(a.at, get, a.token[:len(a.token)-1]+"_", getV2(""), nil), codes.Unauthenticated, "AUTH-7fs1e")

			nowhere := send(n.At(t, "c.example"), get, kit.Operator().Token(t), getV2(""), nil)
			refused("an unknown host", nowhere, codes.NotFound, "")
			const text = "unable to set instance using origin http://c.example (ExternalDomain is " + kit.Domain +
				"): ID=QUERY-1kIjX Message=Instance not found"
			if nowhere.Message != text {
				t.Errorf("an unknown host over %s: %q", w.Name, nowhere.Message)
			}
		}
		// The System API is not theirs, and they learn nothing from it.
		for _, w := range kit.Wires() {
			for _, id := range []string{a.id, other.id, "404"} {
				call := kit.Call{Method: "GetInstance", Request: &systemv1.GetInstanceRequest{InstanceId: id}, Token: a.token}
				if got := w.Send(t, a.at, call, nil); got.Code != codes.PermissionDenied || got.ID != "AUTH-5mWD2" {
					t.Errorf("the System API over %s: %v", w.Name, got)
				}
				if got := w.Send(t, n.Client, call, nil); got.Code != codes.Unauthenticated || got.ID != "AUTH-7fs1e" {
					t.Errorf("the System API at its own host over %s: %v", w.Name, got)
				}
			}
		}
		// What a member did is recorded as the member's doing.
		actors := kit.Column[string](t, n.DB(),
			`SELECT DISTINCT actor FROM events WHERE instance_id = $1 AND event_type = 'instance.changed'`, a.id)
		if diff := gocmp.Diff([]string{a.owner}, actors); diff != "" {
			t.Errorf("actors (-want +got):\n%s", diff)
		}
	})
}

// TestAStoppedInstance: it serves neither its members nor who calls by its host, and no more does a
// blocked one (contract section 2.8); the System API goes on, also under its new name. When it has been removed its host and its tokens are nobody's.
func TestAStoppedInstance(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		a, other := newTenant(t, n, "a.example"), newTenant(t, n, "b.example")
		life := &instance.Service{DB: n.DB(), Log: n.Events()}
		must := func(_ instance.State, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check := func(step string, member, byHost codes.Code, id string) {
			t.Helper()
			for _, w := range rpcWires() {
				for who, c := range map[string]struct {
					token string
					want  codes.Code
				}{"member": {a.token, member}, "operator": {kit.Operator().Token(t), byHost}} {
					got := w.Send(t, a.at, kit.Call{Method: instanceV2 + "/GetInstance", Request: getV2(""), Token: c.token}, nil)
					if got.Code != c.want || id != "" && got.ID != id {
						t.Errorf("%s, %s over %s: %v, want %v", step, who, w.Name, got, c.want)
					}
					if strings.HasPrefix(w.Name, "connect") && got.Code == codes.Unavailable && got.HTTP != http.StatusServiceUnavailable {
						t.Errorf("%s over %s: status %d", step, w.Name, got.HTTP)
					}
				}
				if x := w.Send(t, other.at, kit.Call{Method: instanceV2 + "/GetInstance", Request: getV2(""), Token: other.token}, nil); x.Code != codes.OK {
					t.Errorf("%s, another instance over %s: %v", step, w.Name, x)
				}
			}
		}
		check("running", codes.OK, codes.OK, "")
		must(life.Stop(t.Context(), ident.InstanceID(a.id), "op"))
		check("stopped", codes.Unavailable, codes.Unavailable, "INST-stop1")
		for method, request := range map[string]proto.Message{
			"GetInstance": &systemv1.GetInstanceRequest{InstanceId: a.id}, instanceV2 + "/GetInstance": getV2(a.id),
		} {
			for _, at := range []*kit.Client{n.Client, a.at} {
				if x := kit.GRPC().Send(t, at, kit.Call{Method: method, Request: request, Token: kit.Viewer().Token(t)}, nil); x.Code != codes.OK {
					t.Errorf("%s of a stopped instance at %s: %v", method, at.URL, x)
				}
			}
		}
		must(life.Start(t.Context(), ident.InstanceID(a.id), "op"))
		check("started", codes.OK, codes.OK, "")
		for block, want := range map[bool]struct {
			code codes.Code
			id   string
		}{true: {codes.ResourceExhausted, "LIMITS-molsj"}, false: {codes.OK, ""}} {
			limits := &systemv1.SetLimitsRequest{InstanceId: a.id, Block: proto.Bool(block)}
			if x := kit.REST().Call(t, n.Client, "SetLimits", limits, &systemv1.SetLimitsResponse{}); x.Code != codes.OK {
				t.Fatal(x)
			}
			check(limits.String(), want.code, want.code, want.id)
			if _, x := n.Get(t, a.id); x.Code != codes.OK {
				t.Errorf("the System API: %v", x)
			}
		}
		if x := kit.REST().Call(t, n.Client, "ResetLimits", &systemv1.ResetLimitsRequest{InstanceId: a.id}, &systemv1.ResetLimitsResponse{}); x.Code != codes.OK {
			t.Fatal(x)
		}
		must(life.Remove(t.Context(), ident.InstanceID(a.id), "op"))
		check("removed", codes.Unauthenticated, codes.NotFound, "")
	})
}

// TestLimitsAndQuotas: a blocked instance and one whose quota is used up answer 429 to their members
// and by host, and say so to browsers; system users who name them go on, and never use a quota.
func TestLimitsAndQuotas(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		operator := kit.Operator().Token(t)
		for _, w := range rpcWires() {
			a := newTenant(t, n, w.Name+".example")
			get := func(who, token, id string, request proto.Message, has string) {
				t.Helper()
				got := w.Send(t, a.at, kit.Call{
					Method: instanceV2 + "/GetInstance", Request: request, Token: token,
					Header: http.Header{"Cookie": {"zitadel.quota.exhausted=true"}},
				}, nil)
				code, status := codes.OK, http.StatusOK
				if id != "" {
					code, status = codes.ResourceExhausted, http.StatusTooManyRequests
				}
				if got.Code != code || got.ID != id || strings.HasPrefix(w.Name, "connect") && got.HTTP != status {
					t.Errorf("%s over %s: %v, want %v %q", who, w.Name, got, code, id)
				}
				if cookie := got.Header.Get("Set-Cookie"); w.Name != "grpc" && !strings.HasPrefix(cookie, has) || cookie != "" && has == "" {
					t.Errorf("%s over %s: Set-Cookie %q, want %q", who, w.Name, cookie, has)
				}
			}
			do := func(method string, request proto.Message) {
				t.Helper()
				if got := kit.GRPC().Send(t, n.Client, kit.Call{Method: method, Request: request, Token: operator}, nil); got.Code != codes.OK {
					t.Fatalf("%s: %v", method, got)
				}
			}
			const set, unset = "zitadel.quota.exhausted=true; Path=/; Max-Age=300", "zitadel.quota.exhausted=; Path=/; Max-Age=0"
			get("a member", a.token, "", getV2(""), unset)
			do("SetLimits", &systemv1.SetLimitsRequest{InstanceId: a.id, Block: proto.Bool(true)})
			get("a member of a blocked instance", a.token, "LIMITS-molsj", getV2(""), set)
			get("an operator by the host of a blocked instance", operator, "LIMITS-molsj", getV2(""), set)
			get("an operator who names it", operator, "", getV2(a.id), "")
			do("SetLimits", &systemv1.SetLimitsRequest{InstanceId: a.id, Block: proto.Bool(false)})
			get("a member again", a.token, "", getV2(""), unset)

			do("SetQuota", &systemv1.SetQuotaRequest{
				InstanceId: a.id, Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.New(time.Now().Add(-time.Hour)),
				ResetInterval: durationpb.New(24 * time.Hour), Amount: 2, Limit: true,
			})
			get("an operator, uncounted", operator, "", getV2(""), unset)
			get("an operator, uncounted", operator, "", getV2(a.id), "")
			get("the first", a.token, "", getV2(""), unset)
			get("the second", a.token, "", getV2(a.id), unset)
			get("the third", a.token, "QUOTA-vjAy8", getV2(""), set)
			get("an operator", operator, "", getV2(""), unset)
			do("RemoveQuota", &systemv1.RemoveQuotaRequest{InstanceId: a.id, Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED})
			get("without a quota", a.token, "", getV2(""), unset)
		}
	})
}

// TestTheAuditLog: who wrote, and who was refused, stands there once the node has stopped; and reads
// only where they are asked for. What a user is refused again and again stands there once.
func TestTheAuditLog(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		a := newTenant(t, n, "a.example")
		send := func(at *kit.Client, w kit.Wire, method, token string, request proto.Message) {
			t.Helper()
			w.Send(t, at, kit.Call{Method: method, Request: request, Token: token, Header: http.Header{"X-Request-Id": {"r-" + w.Name}}}, nil)
		}
		get, viewer := &systemv1.GetInstanceRequest{InstanceId: a.id}, kit.Viewer().Token(t)
		send(n.Client, kit.REST(), "GetInstance", viewer, get)
		send(n.Client, kit.REST(), "GetInstance", "nobody", get)
		send(n.Client, kit.GRPC(), "RemoveInstance", viewer, &systemv1.RemoveInstanceRequest{InstanceId: a.id})
		send(a.at, kit.GRPC(), instanceV2+"/UpdateInstance", a.token, updateV2("", "x"))
		send(a.at, kit.GRPC(), instanceV2+"/GetInstance", a.token, getV2(""))
		for range 3 {
			send(a.at, kit.GRPC(), instanceV2+"/GetInstance", a.token, getV2("404"))
		}
		operator := kit.Operator().Token(t)
		send(n.Client, kit.GRPC(), "SetLimits", operator, &systemv1.SetLimitsRequest{InstanceId: a.id, Block: proto.Bool(true)})
		send(n.Client, kit.REST(), "castellan.system.v1.InstanceLifecycleService/StopInstance", operator,
			&castellansystemv1.StopInstanceRequest{InstanceId: a.id})
		n.Stop(t)

		n = b.Start(t, func(c *server.Config) { c.AuditReads = true })
		send(n.Client, kit.REST(), "GetInstance", viewer, get)
		n.Stop(t)

		n = b.Start(t, nil)
		found, err := audit.List(t.Context(), n.DB(), audit.Search{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range found.Records {
			got = append(got, strings.Join([]string{
				string(r.Actor), string(r.ActorInstance), r.Method[strings.LastIndex(r.Method, ".")+1:], r.Protocol,
				string(r.Instance), r.Outcome, r.RequestID[:min(len(r.RequestID), 6)],
			}, " "))
			if r.Duration <= 0 || time.Since(r.At) > time.Hour || !strings.HasPrefix(r.RemoteAddress, "127.0.0.1:") {
				t.Errorf("%+v", r)
			}
		}
		creation := got[len(got)-1]
		want := []string{
			"viewer  SystemService/GetInstance rest " + a.id + " OK r-rest",
			"operator  InstanceLifecycleService/StopInstance rest " + a.id + " OK r-rest",
			"operator  SystemService/SetLimits grpc " + a.id + " OK r-grpc",
			a.owner + " " + a.id + " InstanceService/GetInstance grpc 404 PermissionDenied r-grpc",
			a.owner + " " + a.id + " InstanceService/UpdateInstance grpc " + a.id + " OK r-grpc",
			"viewer  SystemService/RemoveInstance grpc " + a.id + " PermissionDenied r-grpc",
			creation,
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !strings.HasPrefix(creation, "operator  SystemService/CreateInstance rest "+a.id+" OK ") {
			t.Errorf("the creation stands there as %q", creation)
		}
	})
}
