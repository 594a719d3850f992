package system_test

import (
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"castellan/internal/systemuser"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// TestStrangersLearnNothing is decision D2: whatever an anonymous caller asks for, and however
// badly, the answer is the same to the byte.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), "acme.example"))
		before := kit.Counts(t, n.DB())
		for _, header := range []http.Header{nil, {"Authorization": {"Bearer x.y.z"}}} {
			var first string
			for _, c := range []struct{ method, path, body string }{
				{"GET", "/system/v1/instances/" + made.GetInstanceId(), ""},
				{"GET", "/instances/" + made.GetInstanceId(), ""},
				{"GET", "/system/v1/instances/404", ""},
				{"GET", "/system/v1/instances/" + strings.Repeat("9", 300), ""},
				{"GET", "/system/v1/instances/%00", ""},
				{"POST", "/system/v1/instances/_create", goodJSON},
				{"POST", "/system/v1/instances/_create", `{"instanceName":"x","customDomain":"acme.example","machine":{"userName":"u","name":"n"}}`},
				{"POST", "/system/v1/instances/_create", `{"instanceName":""}`},
				{"POST", "/system/v1/instances/_create", `{malformed`},
				{"POST", "/system/v1/instances/_create", ""},
				{"POST", "/system/v1/instances/_create", strings.Repeat("x", 5_000_000)},
				{"DELETE", "/system/v1/instances/" + made.GetInstanceId(), ""},
				{"POST", "/system/v1/domains/acme.example/_exists", "{}"},
				{"DELETE", "/system/v1/instances/1/quotas/NO_SUCH_UNIT", ""},
			} {
				h := header.Clone()
				if h == nil {
					h = http.Header{}
				}
				h.Set("X-Request-Id", "the-same-for-all")
				status, got, text := kit.Raw(t, n.HTTP, c.method, n.URL+c.path, c.body, h)
				for _, differs := range []string{"Date", "Expires", "Connection"} {
					got.Del(differs)
				}
				if all := text + "\n" + flat(got); first == "" {
					first = all
				} else if diff := gocmp.Diff(first, all); status != http.StatusUnauthorized || diff != "" {
					t.Errorf("%s %s %.40q: %d (-first +this):\n%s", c.method, c.path, c.body, status, diff)
				}
			}
		}
		var messages []string
		for _, id := range []string{made.GetInstanceId(), "404", "", "a\x00b"} {
			a := kit.GRPC().Send(t, n.Client, kit.Call{Method: "GetInstance", Request: &systemv1.GetInstanceRequest{InstanceId: id}}, nil)
			messages = append(messages, a.String())
		}
		for _, m := range messages {
			if m != messages[0] || !strings.HasPrefix(m, "Unauthenticated") {
				t.Errorf("over grpc: %q", messages)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// flat writes a header in one text.
func flat(h http.Header) string {
	var b strings.Builder
	if err := h.Write(&b); err != nil {
		return err.Error()
	}
	return b.String()
}

// TestViewers may read and nothing else, and are told so before anything about the request.
func TestViewers(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		made := n.Create(t, kit.WithDomain(kit.Machine("Acme"), "acme.example"))
		before := kit.Counts(t, n.DB())
		token := kit.Viewer().Token(t)
		for _, w := range kit.Wires() {
			check := func(what, method string, a kit.Answer, code codes.Code, id string) {
				t.Helper()
				if a.Code != code || a.ID != id || len(a.Fields) > 0 {
					t.Errorf("%s, %s over %s: %v, want %v %q", method, what, w.Name, a, code, id)
				}
			}
			for what, wish := range map[string]*createRequest{
				"good": kit.Machine("Other"), "taken": kit.WithDomain(kit.Machine("Other"), "acme.example"), "bad": {}, "blank": kit.Machine(" "),
			} {
				a := w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: wish, Token: token}, nil)
				check(what, "CreateInstance", a, codes.PermissionDenied, "AUTH-5mWD2")
				if a.Message != "No matching permissions found (AUTH-5mWD2)" || strings.HasPrefix(w.Name, "rest") && a.HTTP != http.StatusForbidden {
					t.Errorf("over %s: %v", w.Name, a)
				}
			}
			read := new(systemv1.GetInstanceResponse)
			a := w.Send(t, n.Client, kit.Call{Method: "GetInstance", Request: &systemv1.GetInstanceRequest{InstanceId: made.GetInstanceId()}, Token: token}, read)
			check("known", "GetInstance", a, codes.OK, "")
			a = w.Send(t, n.Client, kit.Call{Method: "GetInstance", Request: unknown, Token: token}, nil)
			check("unknown", "GetInstance", a, codes.NotFound, "")
			if want := "unable to set instance using id 404: ID=QUERY-1kIjX Message=Instance not found"; a.Message != want || len(a.Details) != 0 {
				t.Errorf("over %s: %v, want %q without details", w.Name, a, want)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// TestMembershipsAreLimited: a membership of an instance counts for calls about that instance
// alone, one of an organization with its header alone; what a caller may not see it cannot tell
// from what is not there.
func TestMembershipsAreLimited(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		mine, other := n.Create(t, kit.Machine("Mine")), n.Create(t, kit.Machine("Other"))
		one, org, powerless := kit.NewUser("one"), kit.NewUser("org"), kit.NewUser("powerless")
		// In the reference's mapping IAM_OWNER has permissions of instances, none of the system.
		err := n.Reload(append(kit.Users(),
			one.Config(systemuser.MembershipConfig{MemberType: "IAM", AggregateID: mine.GetInstanceId(), Roles: []string{"SYSTEM_OWNER"}}),
			org.Config(systemuser.MembershipConfig{MemberType: "Organization", AggregateID: mine.GetDetails().GetResourceOwner(), Roles: []string{"ORG_OWNER"}}),
			powerless.Config(systemuser.MembershipConfig{MemberType: "System", Roles: []string{"IAM_OWNER"}})))
		if err != nil {
			t.Fatal(err)
		}
		before := kit.Counts(t, n.DB())
		inOrg := http.Header{"X-Zitadel-Orgid": {mine.GetDetails().GetResourceOwner()}}
		for _, c := range []struct {
			user   kit.User
			id     string
			header http.Header
			want   codes.Code
		}{
			{one, mine.GetInstanceId(), nil, codes.OK},
			{one, other.GetInstanceId(), nil, codes.PermissionDenied},
			{one, "404", nil, codes.PermissionDenied},
			{one, mine.GetInstanceId() + " ", nil, codes.PermissionDenied},
			{org, mine.GetInstanceId(), nil, codes.PermissionDenied},
			{org, mine.GetInstanceId(), inOrg, codes.PermissionDenied},
			{powerless, mine.GetInstanceId(), nil, codes.PermissionDenied},
			{powerless, "404", nil, codes.PermissionDenied},
		} {
			for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
				a := w.Send(t, n.Client, kit.Call{
					Method: "GetInstance", Request: &systemv1.GetInstanceRequest{InstanceId: c.id}, Token: c.user.Token(t), Header: c.header,
				}, nil)
				if a.Code != c.want {
					t.Errorf("%s reads %s over %s: %v, want %v", c.user.Name, c.id, w.Name, a, c.want)
				}
			}
		}
		for _, u := range []kit.User{one, org, powerless} {
			a := kit.REST().Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: kit.Machine("New"), Token: u.Token(t), Header: inOrg}, nil)
			if a.Code != codes.PermissionDenied {
				t.Errorf("%s creates: %v", u.Name, a)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}
