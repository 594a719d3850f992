package lifecycle

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/systemuser"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// added is the body of a request for a user with a fresh key.
func added(t testing.TB, id string, memberships ...map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"id": id, "publicKey": publicKey(t), "memberships": memberships})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// member is a membership in JSON.
func member(typ, id string, roles ...string) map[string]any {
	return map[string]any{"type": "MEMBERSHIP_TYPE_" + typ, "aggregateId": id, "roles": roles}
}

// listed returns the users that are listed, without their keys, which differ each time.
func (f *fixture) listed() *castellansystemv1.ListSystemUsersResponse {
	f.Helper()
	var list castellansystemv1.ListSystemUsersResponse
	f.call(&list, http.MethodPost, "/system_users/_search", "{}")
	for _, u := range list.GetResult() {
		for _, k := range u.GetKeys() {
			if len(k.GetFingerprint()) != 64 || strings.Trim(k.GetFingerprint(), "0123456789abcdef") != "" {
				f.Errorf("the fingerprint of %s is %q", u.GetId(), k.GetFingerprint())
			}
			k.Fingerprint = ""
		}
	}
	return &list
}

func TestUsersComeAndGo(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		robot := &castellansystemv1.SystemUser{
			Id: "robot", Source: castellansystemv1.SystemUserSource_SYSTEM_USER_SOURCE_DATABASE,
			Memberships: []*castellansystemv1.Membership{
				{Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_INSTANCE, AggregateId: "1", Roles: []string{"SYSTEM_OWNER"}},
				{Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_SYSTEM, Roles: []string{"SYSTEM_OWNER_VIEWER"}},
			},
			Keys: []*castellansystemv1.SystemUserKey{{}},
			Details: &zitadelv1.ObjectDetails{
				Sequence: 1, CreationDate: timestamppb.New(start), ChangeDate: timestamppb.New(start), ResourceOwner: "system",
			},
		}
		known := []*castellansystemv1.SystemUser{
			{
				Id: operator, Source: castellansystemv1.SystemUserSource_SYSTEM_USER_SOURCE_CONFIGURATION,
				Memberships: []*castellansystemv1.Membership{{Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_SYSTEM, Roles: []string{"SYSTEM_OWNER"}}},
				Keys:        []*castellansystemv1.SystemUserKey{{}},
			},
			{
				Id: viewer, Source: castellansystemv1.SystemUserSource_SYSTEM_USER_SOURCE_CONFIGURATION,
				Memberships: []*castellansystemv1.Membership{{Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_SYSTEM, Roles: []string{"SYSTEM_OWNER_VIEWER"}}},
				Keys:        []*castellansystemv1.SystemUserKey{{}},
			},
		}
		list := func(users ...*castellansystemv1.SystemUser) {
			f.Helper()
			f.equal(f.listed(), &castellansystemv1.ListSystemUsersResponse{
				Details: &zitadelv1.ListDetails{TotalResult: uint64(len(users))}, Result: users,
			})
		}
		list(known...)

		var made castellansystemv1.AddSystemUserResponse
		f.call(&made, http.MethodPost, "/system_users", added(f, "Robot", member("INSTANCE", "1", "SYSTEM_OWNER"), member("SYSTEM", "", "SYSTEM_OWNER_VIEWER")))
		f.equal(&made, &castellansystemv1.AddSystemUserResponse{
			Id: "robot", Details: &zitadelv1.ObjectDetails{Sequence: 1, CreationDate: timestamppb.New(start), ResourceOwner: "system"},
		})
		list(known[0], robot, known[1])

		f.clock.Advance(time.Minute)
		now := timestamppb.New(start.Add(time.Minute))
		key, err := json.Marshal(map[string]string{"publicKey": publicKey(f), "keepPreviousFor": "3600s"})
		f.must(err)
		var rotated castellansystemv1.RotateSystemUserKeyResponse
		f.call(&rotated, http.MethodPut, "/system_users/ROBOT/key", string(key))
		f.equal(&rotated, &castellansystemv1.RotateSystemUserKeyResponse{Details: &zitadelv1.ObjectDetails{Sequence: 2, ChangeDate: now, ResourceOwner: "system"}})
		robot.Details.Sequence, robot.Details.ChangeDate = 2, now
		robot.Keys = append(robot.Keys, &castellansystemv1.SystemUserKey{KeptUntil: timestamppb.New(start.Add(time.Minute + time.Hour))})
		list(known[0], robot, known[1])

		var removed castellansystemv1.RemoveSystemUserResponse
		f.call(&removed, http.MethodDelete, "/system_users/robot", "")
		f.equal(&removed, &castellansystemv1.RemoveSystemUserResponse{Details: &zitadelv1.ObjectDetails{Sequence: 3, ChangeDate: now, ResourceOwner: "system"}})
		list(known...)
		want := []string{"system.user.added", "system.user.key.rotated", "system.user.removed"}
		if got := f.types(ident.System); !slices.Equal(got, want) {
			f.Errorf("events %v, want %v", got, want)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

func TestUsersAreRefused(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const post, put, remove = http.MethodPost, http.MethodPut, http.MethodDelete
		viewing := member("SYSTEM", "", "SYSTEM_OWNER_VIEWER")
		f.call(&castellansystemv1.AddSystemUserResponse{}, post, "/system_users", added(f, "robot", viewing))
		good := added(f, "other", viewing)
		key, err := json.Marshal(map[string]string{"publicKey": publicKey(f)})
		f.must(err)
		kept := func(d string) string { return strings.Replace(string(key), "{", `{"keepPreviousFor":"`+d+`",`, 1) }
		long := strings.Repeat("x", 201)
		for _, c := range []struct {
			as, verb, path, body string
			status               int
			id                   string
			fields               []string
		}{
			{"nobody", post, "/system_users/_search", "{}", 401, "AUTH-7fs1e", nil},
			{"nobody", post, "/system_users", good, 401, "AUTH-7fs1e", nil},
			{"nobody", put, "/system_users/robot/key", string(key), 401, "AUTH-7fs1e", nil},
			{"nobody", remove, "/system_users/robot", "", 401, "AUTH-7fs1e", nil},
			{viewer, post, "/system_users", good, 403, "AUTH-5mWD2", nil},
			{viewer, put, "/system_users/robot/key", string(key), 403, "AUTH-5mWD2", nil},
			{viewer, remove, "/system_users/robot", "", 403, "AUTH-5mWD2", nil},
			{"robot", remove, "/system_users/robot", "", 403, "AUTH-5mWD2", nil},
			{operator, post, "/system_users", added(f, "", viewing), 400, "", []string{"id"}},
			{operator, post, "/system_users", added(f, long, viewing), 400, "", []string{"id"}},
			{operator, post, "/system_users", added(f, " x", viewing), 400, "SYSUSER-name1", []string{"id"}},
			{operator, post, "/system_users", added(f, "ROBOT", viewing), 409, "SYSUSER-have1", []string{"id"}},
			{operator, post, "/system_users", added(f, viewer, viewing), 409, "SYSUSER-have1", []string{"id"}},
			{operator, post, "/system_users", added(f, "x"), 400, "SYSUSER-role1", []string{"memberships"}},
			{operator, post, "/system_users", `{"id":"x","memberships":[]}`, 400, "", []string{"public_key"}},
			{operator, post, "/system_users", `{"id":"x","publicKey":"x"}`, 400, "SYSUSER-key01", []string{"public_key"}},
			{operator, post, "/system_users", added(f, "x", member("UNSPECIFIED", "", "SYSTEM_OWNER")), 400, "", []string{"memberships[0].type"}},
			{operator, post, "/system_users", added(f, "x", viewing, member("SYSTEM", "", "X")), 400, "SYSUSER-role1", []string{"memberships[1]"}},
			{operator, post, "/system_users", added(f, "x", member("INSTANCE", "", "SYSTEM_OWNER")), 400, "SYSUSER-role1", []string{"memberships[0]"}},
			{operator, post, "/system_users", added(f, "x", member("INSTANCE", "system", "SYSTEM_OWNER")), 400, "SYSUSER-role1", []string{"memberships[0]"}},
			{operator, post, "/system_users", added(f, "x", member("INSTANCE", "1", "IAM_OWNER")), 403, "SYSUSER-grant", []string{"memberships[0]"}},
			{operator, put, "/system_users/none/key", string(key), 404, "SYSUSER-none1", []string{"id"}},
			{operator, put, "/system_users/" + viewer + "/key", string(key), 400, "SYSUSER-conf1", []string{"id"}},
			{operator, put, "/system_users/robot/key", `{"publicKey":"x"}`, 400, "SYSUSER-key01", []string{"public_key"}},
			{operator, put, "/system_users/robot/key", `{}`, 400, "", []string{"public_key"}},
			{operator, put, "/system_users/robot/key", kept("86400.000000001s"), 400, "SYSUSER-keep1", []string{"keep_previous_for"}},
			{operator, put, "/system_users/robot/key", kept("-1s"), 400, "SYSUSER-keep1", []string{"keep_previous_for"}},
			{operator, remove, "/system_users/none", "", 404, "SYSUSER-none1", []string{"id"}},
			{operator, remove, "/system_users/" + operator, "", 400, "SYSUSER-conf1", []string{"id"}},
			{operator, remove, "/system_users/" + long, "", 400, "", []string{"id"}},
		} {
			f.refused(c.as, c.verb, c.path, c.body, c.status, c.id, c.fields...)
		}
		if a := f.send(viewer, post, "/system_users/_search", "{}"); a.Status != http.StatusOK {
			f.Errorf("a viewer lists users: %d %s", a.Status, a.body)
		}
	})
}

// TestTheLastUserStays over the API: a system without configured users keeps somebody who can let
// others in.
func TestTheLastUserStays(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.addOwner("ada")
		f.must(f.users.Reload(nil))
		f.refused("ada", http.MethodDelete, "/system_users/ada", "", http.StatusBadRequest, "SYSUSER-last1", "id")
		if a := f.send("ada", http.MethodPost, "/system_users", added(f, "bob", member("SYSTEM", "", "SYSTEM_OWNER"))); a.Status != http.StatusOK {
			f.Fatalf("add: %s", a.body)
		}
		if a := f.send("ada", http.MethodDelete, "/system_users/ada", ""); a.Status != http.StatusOK {
			f.Errorf("oneself: %s", a.body)
		}
		f.refused("ada", http.MethodDelete, "/system_users/bob", "", http.StatusUnauthorized, "AUTH-7fs1e")
	})
}

// reader may look after one instance.
func reader(t testing.TB) systemuser.Add {
	return systemuser.Add{Name: "reader", PublicKey: publicKey(t), Memberships: []systemuser.Membership{
		{Type: systemuser.IAM, AggregateID: "1", Roles: []string{"SYSTEM_OWNER"}},
	}}
}
