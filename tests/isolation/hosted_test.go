package isolation

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"castellan/internal/api/dispatch"
	"castellan/tests/kit"

	optionsv1 "castellan/gen/castellan/options/v1"
)

// country is an instance of others with two organizations, one and two, another instance with an organization
// home, and whoever calls: about one, where nobody has any business.
type country struct {
	*world
	one, two, home Target
	// absent is a place of which nothing exists.
	absent  Target
	callers []visitor
	// before is every row that names something of one.
	before map[string]string
}

// visitor is a caller, and what it may do something with: an organization of its own, or nothing.
type visitor struct {
	caller
	own Target
	// knows are names of what it knows of the organization.
	knows []string
}

func newCountry(w *world) *country {
	c := &country{world: w}
	c.one, c.two, c.home = c.place(c.theirs, "One"), c.place(c.theirs, "Two"), c.place(c.ours, "Home")
	c.absent = maps.Clone(c.one)
	for key := range c.one {
		if c.one[key] != c.theirs[key] {
			c.absent[key] = "404"
		}
	}
	c.absent["org_domain"] = "nothing.example"
	theirs, ours := c.theirs["domain"], c.ours["domain"]
	c.callers = []visitor{
		{caller: caller{name: "the owner of another organization", token: c.two["owner_token"], host: theirs}, own: c.two},
		{caller: caller{name: "the owner of a project of another organization", token: c.two["project_owner_token"], host: theirs}, own: c.two},
		{caller: caller{name: "a user of another organization", token: c.two["plain_token"], host: theirs}},
		{
			caller: caller{name: "a user of the organization", token: c.one["plain_token"], host: theirs},
			knows:  []string{"organization_id", "org_id"},
		},
		{caller: caller{name: "the owner of another instance at its host", token: c.home["token"], host: ours}, own: c.home},
		{caller: caller{name: "the owner of an organization of another instance at its host", token: c.home["owner_token"], host: ours}, own: c.home},
		{caller: caller{name: "the owner of another instance", token: c.home["token"], host: theirs}},
		{caller: caller{name: "the owner of an organization of another instance", token: c.home["owner_token"], host: theirs}},
	}
	for _, who := range c.world.callers {
		switch {
		case who.host == theirs:
			c.callers = append(c.callers, visitor{caller: who})
		case who.member && who.host == "":
			who.host, who.name = ours, who.name+" at its host"
			c.callers = append(c.callers, visitor{caller: who, own: c.home})
		}
	}
	c.before = c.stateOf(c.one)
	return c
}

// TestOrganizations calls everything of instances' own APIs as everyone about an organization that is not theirs, in
// their instance or in another one: nothing of it is read, changed or confirmed to exist.
func TestOrganizations(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		c := newCountry(newWorld(t, b))
		for _, full := range slices.Sorted(maps.Keys(cases)) {
			k := cases[full]
			if !k.kind.hosted() {
				continue
			}
			c.controlHosted(full, k)
			for _, v := range c.callers {
				c.elsewhere(full, k, v)
				c.woven(full, k, v)
			}
			c.checkStateOf(full)
		}
		// Only now, for what comes of these is in the way of others.
		for _, full := range slices.Sorted(maps.Keys(exceptions)) {
			for _, v := range c.callers {
				c.excepted(full, cases[full], v)
			}
		}
	})
}

// ownerLacks are calls that the owner of an organization may not make there, with the reason.
var ownerLacks = map[string]string{}

// controlHosted: the request is a good one for those who have a right to make it: the owner of the
// organization, or of the instance where that is needed.
func (c *country) controlHosted(full string, k case_) {
	c.Helper()
	at := c.home
	if authOf(c, full).GetWrite() {
		at = c.place(c.ours, "Control")
	}
	token := at["owner_token"]
	if k.kind == whole || ownerLacks[full] != "" {
		token = at["token"]
	}
	if a := c.call(caller{token: token, host: at["domain"]}, full, k.request(at)); a.code != codes.OK && !absent[full] {
		c.Errorf("%s by the owner: %v", full, a)
	}
}

// authOf is what a method declares.
func authOf(t testing.TB, full string) *optionsv1.Auth {
	t.Helper()
	return proto.GetExtension(method(t, full).Options(), optionsv1.E_Auth).(*optionsv1.Auth)
}

// elsewhere: a call about the organization is refused, or at least answered in the very words in which one about
// nothing is, and shows nothing.
func (c *country) elsewhere(full string, k case_, v visitor) {
	c.Helper()
	request, vain := k.request(c.one), k.request(c.absent)
	a := c.call(v.caller, full, request)
	turned := refused(a) || a.code == codes.NotFound
	legal := k.kind == list || k.kind == self || k.kind == whole && v.host != c.theirs["domain"]
	if k.kind != whole && !proto.Equal(request, vain) {
		n := c.call(v.caller, full, vain)
		if n.code != a.code || n.text != c.forgotten(a.text) {
			c.Errorf("%s by %s is answered %v, about nothing %v", full, v.name, a, n)
		}
	} else if !turned && !legal {
		c.Errorf("%s by %s: %v", full, v.name, a)
	}
	c.mute(full, v, a.text, request)
	if authOf(c, full).GetWrite() && !turned {
		return // what it did need not be done again
	}
	if status, text, ok := c.rest(v.caller, full, request); ok {
		known := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}
		if turned && !slices.Contains(known, status) {
			c.Errorf("%s over REST by %s: %d %s", full, v.name, status, text)
		}
		c.mute(full, v, text, request)
	}
}

// forgotten is a text in which what is of the organization is what is of nothing.
func (c *country) forgotten(text string) string {
	for key, value := range c.one {
		if value != c.absent[key] {
			text = strings.ReplaceAll(text, value, c.absent[key])
		}
	}
	return text
}

// exceptions are fields of a request that may name something of another organization, by method and path, with the
// reason. Only those of the same instance try them: in another one the same id is free, and names something else.
// Nothing is shown, and nothing that was there changes all the same.
var exceptions = map[string]map[string]string{}

// except lets a field of a method name something of others.
func except(full, path, reason string) {
	if exceptions[full] == nil {
		exceptions[full] = make(map[string]string)
	}
	exceptions[full][path] = reason
}

// woven: a call about what is the caller's own, in which one field names something of the organization, is answered
// like one in which the field names nothing, be it a refusal.
func (c *country) woven(full string, k case_, v visitor) {
	c.Helper()
	if v.own == nil || k.kind == self {
		return
	}
	for _, path := range Names(method(c, full).Input()) {
		key, ok := nameOf(full, path)
		if !ok || exceptions[full][path.String()] != "" {
			continue // TestEveryRPCHasACase says what is not ok
		}
		a := c.weave(full, k, v, path, c.one[key])
		if n := c.weave(full, k, v, path, c.absent[key]); n.code != a.code || n.text != c.forgotten(a.text) {
			c.Errorf("%s with the %s of another organization by %s: %v, with that of nothing %v", full, path, v.name, a, n)
		}
	}
}

// weave makes a call about what is the caller's own, but for one field. It shows nothing of the organization.
func (c *country) weave(full string, k case_, v visitor, path Path, value string) answer {
	c.Helper()
	request := k.request(v.own)
	Set(request, path, value)
	a := c.call(v.caller, full, request)
	c.mute(full, v, a.text, request)
	return a
}

// excepted: a call in which a field that may names something of the organization takes nothing from it.
func (c *country) excepted(full string, k case_, v visitor) {
	c.Helper()
	if v.own == nil || v.host != c.theirs["domain"] {
		return
	}
	for _, path := range Names(method(c, full).Input()) {
		if key, ok := nameOf(full, path); ok && exceptions[full][path.String()] != "" {
			c.weave(full, k, v, path, c.one[key])
			c.grown(full)
		}
	}
}

// grown: after an exception there may be more that names something of the organization, and nothing less.
func (c *country) grown(after string) {
	c.Helper()
	now := c.stateOf(c.one)
	for table, rows := range c.before {
		have := strings.Split(now[table], "\n")
		for row := range strings.SplitSeq(rows, "\n") {
			if !slices.Contains(have, row) {
				c.Fatalf("after %s the table %s has no more\n%s", after, table, row)
			}
		}
	}
	c.before = now
}

// mute fails the test when an answer shows more of the organization than the caller knew.
func (c *country) mute(full string, v visitor, text string, sent proto.Message) {
	c.Helper()
	said := fmt.Sprint(sent)
	for key, value := range c.one {
		common := value == c.theirs[key] && v.host == c.theirs["domain"] // its instance is the caller's, or was called
		if !common && !slices.Contains(v.knows, key) && !strings.Contains(said, value) && strings.Contains(text, value) {
			c.Errorf("%s by %s shows the %s %q: %q", full, v.name, key, value, text)
		}
	}
}

// stateOf is every row that names something of an organization.
func (c *country) stateOf(t Target) map[string]string {
	c.Helper()
	all := c.state(c.theirs)
	for table, rows := range all {
		kept := slices.DeleteFunc(strings.Split(rows, "\n"), func(row string) bool {
			for key, value := range t {
				if value != c.theirs[key] && strings.Contains(row, value) {
					return false
				}
			}
			return true
		})
		all[table] = strings.Join(kept, "\n")
	}
	if all["users"] == "" || all["projects"] == "" || all["events"] == "" {
		c.Fatalf("found no state of %v", t)
	}
	return all
}

// checkStateOf fails the test when the state of the organization is not what it was.
func (c *country) checkStateOf(after string) {
	c.Helper()
	now := c.stateOf(c.one)
	for _, table := range slices.Sorted(maps.Keys(c.before)) {
		if now[table] != c.before[table] {
			c.Fatalf("after %s the table %s changed from\n%s\nto\n%s", after, table, c.before[table], now[table])
		}
	}
}

// TestTheHeaderOfAnOrganization: that names an organization where the caller has no business is answered like one
// that names nothing, on calls that go by it, on calls that name another, and on calls about the caller itself.
func TestTheHeaderOfAnOrganization(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		c := newCountry(newWorld(t, b))
		for _, full := range []string{
			"zitadel.auth.v1.AuthService/GetMyUser", "zitadel.management.v1.ManagementService/GetPasswordComplexityPolicy",
			users + "/ListUsers", users + "/GetUserByID", projects + "/GetProject", permissions + "/ListAdministrators",
		} {
			for _, v := range c.callers {
				if slices.Contains(v.knows, "organization_id") {
					continue
				}
				about := v.own
				if about == nil {
					about = c.absent
				}
				request := cases[full].request(about)
				for _, key := range []string{"organization_id", "org_domain"} {
					naming := func(org string) answer {
						who := v.caller
						who.org = org
						return c.call(who, full, request)
					}
					a, n := naming(c.one[key]), naming(c.absent[key])
					if n.code != a.code || n.text != c.forgotten(a.text) {
						t.Errorf("%s by %s for the %s of another organization: %v, for that of nothing %v", full, v.name, key, a, n)
					}
					c.mute(full, v, a.text, request)
				}
			}
		}
	})
}

// TestWhatIsNotImplemented: an RPC that declares nothing is not implemented, which is told to those who are known.
func TestWhatIsNotImplemented(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		w := newWorld(t, b)
		for _, full := range w.served() {
			d := method(t, full)
			if authOf(t, full) != nil {
				if err := dispatch.Check(d); err != nil {
					t.Errorf("%s: %v", full, err)
				}
				continue
			}
			request := blank(t, d)
			for _, c := range []struct {
				who  caller
				want codes.Code
			}{
				{caller{host: w.ours["domain"]}, codes.Unauthenticated},
				{caller{host: w.ours["domain"], token: w.theirs["token"]}, codes.Unauthenticated},
				{caller{host: w.ours["domain"], token: w.ours["token"]}, codes.Unimplemented},
			} {
				if a := w.call(c.who, full, request); a.code != c.want {
					t.Errorf("%s: %v, want %v", full, a, c.want)
				}
			}
		}
	})
}

// blank is an empty request of a method.
func blank(t testing.TB, d protoreflect.MethodDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.Input().FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}
