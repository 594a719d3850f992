package system_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/server"
	"castellan/internal/systemuser"
	"castellan/tests/kit"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// owner is the membership of who may do everything.
func owner() *castellansystemv1.Membership {
	return &castellansystemv1.Membership{
		Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_SYSTEM, Roles: []string{"SYSTEM_OWNER"},
	}
}

// addUser adds a user as the operator.
func addUser(t testing.TB, c *kit.Client, u kit.User, memberships ...*castellansystemv1.Membership) {
	t.Helper()
	do(t, c, lifecycle+"AddSystemUser", &castellansystemv1.AddSystemUserRequest{
		Id: u.Name, PublicKey: u.PublicPEM(), Memberships: memberships,
	}, nil)
}

// eachWire runs fn for every protocol that serves the operators' own service.
func eachWire(fn func(w kit.Wire)) {
	for _, w := range kit.Wires() {
		if w.Name != kit.Printed().Name { // its paths are not printed without their prefix
			fn(w)
		}
	}
}

// TestStopAndStart over every protocol: what an instance is shown as, and what it leaves.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		id := n.Create(t, kit.Machine("Acme")).GetInstanceId()
		begun := len(logtest.Types(t, n.DB(), n.Events(), ident.InstanceID(id)))
		var want []string
		eachWire(func(w kit.Wire) {
			call := func(method string, request proto.Message, state instancev1.State) {
				t.Helper()
				for range 2 { // the second time nothing is left to do
					if a := w.Call(t, n.Client, lifecycle+method, request, nil); a.Code != codes.OK {
						t.Errorf("%s over %s: %v", method, w.Name, a)
					}
				}
				if got, _ := n.Get(t, id); got.GetInstance().GetState() != state {
					t.Errorf("after %s over %s the state is %v", method, w.Name, got.GetInstance().GetState())
				}
			}
			call("StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: id}, instancev1.State_STATE_STOPPED)
			call("StartInstance", &castellansystemv1.StartInstanceRequest{InstanceId: id}, instancev1.State_STATE_RUNNING)
			want = append(want, "instance.stopped", "instance.started")
			a := w.Call(t, n.Client, lifecycle+"StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: "404"}, nil)
			if a.Code != codes.NotFound {
				t.Errorf("over %s an instance that does not exist: %v", w.Name, a)
			}
		})
		if diff := gocmp.Diff(want, logtest.Types(t, n.DB(), n.Events(), ident.InstanceID(id))[begun:]); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// TestSystemUsers over every protocol: a user is added, listed, gets another key and is removed, and
// what each of its keys is good for is so on the other node at once.
func TestSystemUsers(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		one := b.Start(t, nil)
		nodes := []*kit.Node{one}
		if b.MultiNode() {
			nodes = append(nodes, b.Start(t, nil))
		}
		var want []string
		eachWire(func(w kit.Wire) {
			call := func(method string, request, answer proto.Message) {
				t.Helper()
				if a := w.Call(t, one.Client, lifecycle+method, request, answer); a.Code != codes.OK {
					t.Fatalf("%s over %s: %v", method, w.Name, a)
				}
			}
			first, second := kit.NewUser("robot"), kit.NewUser("robot")
			tokens := map[string]string{"first": first.Token(t), "second": second.Token(t)}
			good := func(when string, keys ...string) {
				t.Helper()
				counts := map[string]codes.Code{"first": codes.Unauthenticated, "second": codes.Unauthenticated}
				for _, key := range keys {
					counts[key] = codes.OK
				}
				for i, n := range nodes {
					for key, code := range counts {
						a := w.Send(t, n.Client, kit.Call{Method: "ListInstances", Request: &systemv1.ListInstancesRequest{}, Token: tokens[key]}, nil)
						if a.Code != code {
							t.Errorf("%s, the %s key on node %d over %s: %v, want %v", when, key, i, w.Name, a, code)
						}
					}
				}
			}
			good("before")
			var added castellansystemv1.AddSystemUserResponse
			call("AddSystemUser", &castellansystemv1.AddSystemUserRequest{
				Id: "Robot", PublicKey: first.PublicPEM(), Memberships: []*castellansystemv1.Membership{owner()},
			}, &added)
			if added.GetId() != "robot" {
				t.Errorf("added %v", &added)
			}
			good("added", "first")
			call("RotateSystemUserKey", &castellansystemv1.RotateSystemUserKeyRequest{
				Id: "robot", PublicKey: second.PublicPEM(), KeepPreviousFor: durationpb.New(time.Hour),
			}, nil)
			good("rotated, the old one kept", "first", "second")
			var list castellansystemv1.ListSystemUsersResponse
			call("ListSystemUsers", &castellansystemv1.ListSystemUsersRequest{}, &list)
			if diff := gocmp.Diff([]string{
				"operator SYSTEM_USER_SOURCE_CONFIGURATION 1 keys", "robot SYSTEM_USER_SOURCE_DATABASE 2 keys",
				"viewer SYSTEM_USER_SOURCE_CONFIGURATION 1 keys",
			}, texts(&list)); diff != "" {
				t.Errorf("listed over %s (-want +got):\n%s", w.Name, diff)
			}
			call("RotateSystemUserKey", &castellansystemv1.RotateSystemUserKeyRequest{Id: "robot", PublicKey: first.PublicPEM()}, nil)
			good("rotated back", "first")
			call("RemoveSystemUser", &castellansystemv1.RemoveSystemUserRequest{Id: "robot"}, nil)
			good("removed")
			want = append(want, "system.user.added", "system.user.key.rotated", "system.user.key.rotated", "system.user.removed")
		})
		if diff := gocmp.Diff(want, logtest.Types(t, one.DB(), one.Events(), ident.System)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		logtest.CheckFold(t, one.DB(), one.Events())
	})
}

// texts says of each user where it is from and how many keys it has.
func texts(list *castellansystemv1.ListSystemUsersResponse) (all []string) {
	for _, u := range list.GetResult() {
		all = append(all, fmt.Sprintf("%s %s %d keys", u.GetId(), u.GetSource(), len(u.GetKeys())))
	}
	return all
}

// TestAddedUsersSurvive a restart, and are enough: a system without configured users, whose last one
// stays.
func TestAddedUsersSurvive(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		robot := kit.NewUser("robot")
		addUser(t, n.Client, robot, owner())
		n.Stop(t)
		n = b.Start(t, func(c *server.Config) { c.SystemUsers = nil })
		as := func(method string, request proto.Message, code codes.Code, id string) {
			t.Helper()
			a := kit.GRPC().Send(t, n.Client, kit.Call{Method: method, Request: request, Token: robot.Token(t)}, nil)
			if a.Code != code || a.ID != id {
				t.Errorf("%s: %v, want %v %q", method, a, code, id)
			}
		}
		as("CreateInstance", kit.Machine("Acme"), codes.OK, "")
		as(lifecycle+"RemoveSystemUser", &castellansystemv1.RemoveSystemUserRequest{Id: "robot"}, codes.FailedPrecondition, "SYSUSER-last1")
		if a := kit.GRPC().Call(t, n.Client, "ListInstances", &systemv1.ListInstancesRequest{}, nil); a.Code != codes.Unauthenticated {
			t.Errorf("a user that is no longer configured: %v", a)
		}
	})
}

// TestMembershipsOfAddedUsers count as those of configured ones, and nobody gives more than it has.
func TestMembershipsOfAddedUsers(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		mine, other := n.Create(t, kit.Machine("Mine")), n.Create(t, kit.Machine("Other"))
		robot, keeper := kit.NewUser("robot"), kit.NewUser("keeper")
		addUser(t, n.Client, robot, &castellansystemv1.Membership{
			Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_INSTANCE, AggregateId: mine.GetInstanceId(), Roles: []string{"SYSTEM_OWNER"},
		})
		// A viewer may list users, and no more.
		if err := n.Reload(append(kit.Users(), keeper.Config(systemuser.MembershipConfig{MemberType: "System", Roles: []string{"SYSTEM_OWNER_VIEWER"}}))); err != nil {
			t.Fatal(err)
		}
		before := kit.Counts(t, n.DB())
		for _, c := range []struct {
			who     kit.User
			method  string
			request proto.Message
			code    codes.Code
			id      string
		}{
			{robot, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: mine.GetInstanceId()}, codes.OK, ""},
			{robot, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: other.GetInstanceId()}, codes.PermissionDenied, "AUTH-5mWD2"},
			{robot, lifecycle + "StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: other.GetInstanceId()}, codes.PermissionDenied, "AUTH-5mWD2"},
			{robot, lifecycle + "ListSystemUsers", &castellansystemv1.ListSystemUsersRequest{}, codes.PermissionDenied, "AUTH-5mWD2"},
			{robot, lifecycle + "AddSystemUser", &castellansystemv1.AddSystemUserRequest{}, codes.PermissionDenied, "AUTH-5mWD2"},
			{keeper, lifecycle + "ListSystemUsers", &castellansystemv1.ListSystemUsersRequest{}, codes.OK, ""},
			{keeper, lifecycle + "RotateSystemUserKey", &castellansystemv1.RotateSystemUserKeyRequest{Id: "robot", PublicKey: keeper.PublicPEM()}, codes.PermissionDenied, "AUTH-5mWD2"},
			{kit.Operator(), lifecycle + "AddSystemUser", &castellansystemv1.AddSystemUserRequest{
				Id: "x", PublicKey: keeper.PublicPEM(), Memberships: []*castellansystemv1.Membership{{
					Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_INSTANCE, AggregateId: mine.GetInstanceId(), Roles: []string{"IAM_OWNER"},
				}},
			}, codes.PermissionDenied, "SYSUSER-grant"},
			{kit.Operator(), "GetInstance", &systemv1.GetInstanceRequest{InstanceId: "system"}, codes.NotFound, ""},
			{kit.Operator(), "RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: "system"}, codes.NotFound, ""},
			{kit.Operator(), "ListIAMMembers", &systemv1.ListIAMMembersRequest{InstanceId: "system"}, codes.NotFound, ""},
			{kit.Operator(), "SetLimits", &systemv1.SetLimitsRequest{InstanceId: "system", Block: proto.Bool(true)}, codes.NotFound, ""},
			{kit.Operator(), "BulkSetLimits", &systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{
				{InstanceId: mine.GetInstanceId(), Block: proto.Bool(true)}, {InstanceId: "system", Block: proto.Bool(true)},
			}}, codes.NotFound, ""},
		} {
			a := kit.REST().Send(t, n.Client, kit.Call{Method: c.method, Request: c.request, Token: c.who.Token(t)}, nil)
			if a.Code != c.code || a.ID != c.id {
				t.Errorf("%s as %s: %v, want %v %q", c.method, c.who.Name, a, c.code, c.id)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// TestAuditEntries over every protocol: the calls that were made are there, page by page, and a
// position serves the one who got it.
func TestAuditEntries(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		id := n.Create(t, kit.Machine("Acme")).GetInstanceId()
		do(t, n.Client, lifecycle+"StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: id}, nil)
		a := kit.REST().Send(t, n.Client, kit.Call{
			Method: "RemoveInstance", Request: &systemv1.RemoveInstanceRequest{InstanceId: id}, Token: kit.Viewer().Token(t),
		}, nil)
		if a.Code != codes.PermissionDenied {
			t.Fatal(a)
		}
		want := []string{
			"viewer RemoveInstance PermissionDenied", "operator StopInstance OK", "operator CreateInstance OK",
		}
		eachWire(func(w kit.Wire) {
			page := func(u kit.User, request *castellansystemv1.ListAuditEntriesRequest) (*castellansystemv1.ListAuditEntriesResponse, kit.Answer) {
				t.Helper()
				answer := new(castellansystemv1.ListAuditEntriesResponse)
				return answer, w.Send(t, n.Client, kit.Call{Method: lifecycle + "ListAuditEntries", Request: request, Token: u.Token(t)}, answer)
			}
			var got []string
			for position, pages := "", 0; pages == 0 || position != ""; pages++ {
				answer, a := page(kit.Viewer(), &castellansystemv1.ListAuditEntriesRequest{InstanceId: id, Limit: 2, Position: position})
				if a.Code != codes.OK || pages > 2 {
					t.Fatalf("page %d over %s: %v", pages, w.Name, a)
				}
				for _, e := range answer.GetEntries() {
					_, method, _ := strings.Cut(e.GetMethod()[1:], "/")
					got = append(got, e.GetActor()+" "+method+" "+e.GetOutcome())
				}
				if position = answer.GetNextPosition(); position != "" {
					if _, a := page(kit.Operator(), &castellansystemv1.ListAuditEntriesRequest{Position: position}); a.ID != "VAULT-pos01" {
						t.Errorf("over %s a position of another user: %v", w.Name, a)
					}
				}
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("over %s (-want +got):\n%s", w.Name, diff)
			}
		})
	})
}
