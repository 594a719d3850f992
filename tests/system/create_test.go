package system_test

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/tests/kit"

	authnv1 "castellan/gen/zitadel/authn/v1"
	instancev1 "castellan/gen/zitadel/instance/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// never is the expiry of a credential for which none was asked (contract section 1.4).
const never = "9999-12-31T23:59:59Z"

// user is the row of an owner, as far as a wish decides it.
type user struct {
	kind, userName, name         string
	first, last, display, locale string
	email                        string
	verified, change, password   bool
}

// shape is a kind of wish, and what must become of it.
type shape struct {
	name string
	wish *systemv1.CreateInstanceRequest
	// owner are the events of the owner and its credentials.
	owner []string
	user  user
	// tokenEnds and keyEnds are when the credentials expire; empty: there is none.
	tokenEnds, keyEnds string
	// language is the default language, when it is not the built-in one.
	language string
	// custom is the custom domain as it is stored.
	custom string
	// instance and org are the names, when they are not those in the wish.
	instance, org string
}

var robot = user{kind: "machine", userName: "robot", name: "Robot"}

var ada = user{
	kind: "human", userName: "ada", first: "Ada", last: "Lovelace", display: "Ada Lovelace",
	email: "ada@example.com", verified: true, password: true,
}

// shapes are all forms of owner, and each field that is optional, given and not.
func shapes() []shape {
	const soon = "2031-02-03T04:05:06.789012Z"
	machine := []string{"user.machine.added"}
	token := []string{"user.machine.added", "user.pat.added"}
	key := []string{"user.machine.added", "user.machine.key.added"}
	both := []string{"user.machine.added", "user.pat.added", "user.machine.key.added"}
	verified := []string{"user.human.added", "user.human.email.verified"}
	edit := func(r *systemv1.CreateInstanceRequest, f func(*systemv1.CreateInstanceRequest)) *systemv1.CreateInstanceRequest {
		f(r)
		return r
	}
	with := func(u user, f func(*user)) user {
		f(&u)
		return u
	}
	return []shape{
		{name: "machine with token", wish: kit.Machine("Acme"), owner: token, user: robot, tokenEnds: never},
		{name: "machine with key", owner: key, user: robot, keyEnds: never,
			wish: edit(kit.WithKey(kit.Machine("Acme")), func(r *systemv1.CreateInstanceRequest) { r.GetMachine().PersonalAccessToken = nil })},
		{name: "machine with both, which expire", owner: both, user: robot, tokenEnds: soon, keyEnds: "2032-01-01T00:00:00Z",
			wish: edit(kit.WithKey(kit.Machine("Acme")), func(r *systemv1.CreateInstanceRequest) {
				r.GetMachine().PersonalAccessToken.ExpirationDate = timestamppb.New(moment(soon))
				r.GetMachine().MachineKey.ExpirationDate = timestamppb.New(moment("2032-01-01T00:00:00Z"))
			})},
		{name: "machine with the zero time as expiry", owner: both, user: robot, tokenEnds: never, keyEnds: never,
			wish: edit(kit.WithKey(kit.Machine("Acme")), func(r *systemv1.CreateInstanceRequest) {
				r.GetMachine().PersonalAccessToken.ExpirationDate = timestamppb.New(time.Time{})
				r.GetMachine().MachineKey.ExpirationDate = timestamppb.New(moment("0001-01-01T00:00:00Z"))
			})},
		{name: "machine with a user name in odd form", owner: token, tokenEnds: never,
			user: with(robot, func(u *user) { u.userName = " Robot \t" }),
			wish: edit(kit.Machine("Acme"), func(r *systemv1.CreateInstanceRequest) { r.GetMachine().UserName = " Robot \t" })},
		{name: "machine with neither", owner: machine, user: robot,
			wish: edit(kit.Machine("Acme"), func(r *systemv1.CreateInstanceRequest) { r.GetMachine().PersonalAccessToken = nil })},
		{name: "person, verified, with password", wish: kit.Human("Acme"), owner: verified, user: ada},
		{name: "person, not verified, must change password", owner: []string{"user.human.added"},
			user: with(ada, func(u *user) { u.verified, u.change = false, true }),
			wish: edit(kit.Human("Acme"), func(r *systemv1.CreateInstanceRequest) {
				r.GetHuman().Email.IsEmailVerified = false
				r.GetHuman().Password.PasswordChangeRequired = true
			})},
		{name: "person without password and user name", owner: verified,
			user: with(ada, func(u *user) { u.password, u.userName = false, "@acme."+kit.Domain }),
			wish: edit(kit.Human("Acme"), func(r *systemv1.CreateInstanceRequest) {
				r.GetHuman().Password = nil
				r.GetHuman().UserName = ""
			})},
		{name: "person with a language", owner: []string{"user.human.added"},
			user: with(ada, func(u *user) { u.password, u.verified, u.locale = false, false, "de-CH" }),
			wish: edit(kit.Human("Acme"), func(r *systemv1.CreateInstanceRequest) {
				r.GetHuman().Password = nil
				r.GetHuman().Email.IsEmailVerified = false
				r.GetHuman().Profile.PreferredLanguage = "de-ch"
			})},
		{name: "person with a user name in odd form and no known language", owner: verified,
			user: with(ada, func(u *user) { u.userName = " Ada L. " }),
			wish: edit(kit.Human("Acme"), func(r *systemv1.CreateInstanceRequest) {
				r.GetHuman().UserName, r.GetHuman().Profile.PreferredLanguage = " Ada L. ", "no tag"
			})},
		{name: "person with a blank user name", owner: verified,
			user: with(ada, func(u *user) { u.userName = "@acme." + kit.Domain }),
			wish: edit(kit.Human("Acme"), func(r *systemv1.CreateInstanceRequest) { r.GetHuman().UserName = "  " })},
		{name: "custom domain", wish: kit.WithDomain(kit.Machine("Acme"), "Login.Acme.Example"),
			owner: token, user: robot, tokenEnds: never, custom: "login.acme.example"},
		{name: "custom domain in another script", wish: kit.WithDomain(kit.Machine("Acme"), "anmeldung.bücher.example"),
			owner: token, user: robot, tokenEnds: never, custom: "anmeldung.xn--bcher-kva.example"},
		{name: "language", owner: token, user: robot, tokenEnds: never, language: "de",
			wish: edit(kit.Machine("Acme"), func(r *systemv1.CreateInstanceRequest) { r.DefaultLanguage = "de" })},
		{name: "the built-in language", owner: token, user: robot, tokenEnds: never,
			wish: edit(kit.Machine("Acme"), func(r *systemv1.CreateInstanceRequest) { r.DefaultLanguage = "en" })},
		{name: "everything", owner: both, user: robot, tokenEnds: never, keyEnds: never, language: "pt-BR",
			custom: "all.example", instance: "Acme & Söhne", org: "Head Office",
			wish: edit(kit.WithDomain(kit.WithKey(kit.Machine("  Acme & Söhne ")), "all.example"), func(r *systemv1.CreateInstanceRequest) {
				r.FirstOrgName, r.DefaultLanguage = " Head Office ", "pt-br"
			})},
	}
}

// moment reads RFC 3339.
func moment(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err) // a mistake in this file
	}
	return at
}

// events are all the events a shape must leave, in order.
func (s shape) events() []string {
	all := []string{"instance.added"}
	if s.language != "" {
		all = append(all, "instance.default.language.set")
	}
	all = append(all, "instance.domain.added")
	if s.custom != "" {
		all = append(all, "instance.domain.added")
	}
	all = append(all, "instance.domain.primary.set",
		"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set")
	all = append(all, s.owner...)
	all = append(all, "org.member.added", "instance.member.added", "project.added")
	for range 3 {
		all = append(all, "project.application.added", "project.application.config.api.added")
	}
	return append(all, "project.application.added", "project.application.config.oidc.added",
		"instance.default.org.set", "instance.iam.project.set", "instance.iam.console.set")
}

// sequence is that of the instance after the call: one for each of its own events.
func (s shape) sequence() uint64 {
	n := uint64(6)
	if s.language != "" {
		n++
	}
	if s.custom != "" {
		n++
	}
	return n
}

// TestCreateInstance creates every shape over every protocol, and reads it back at once.
func TestCreateInstance(t *testing.T) {
	for _, w := range kit.Wires() {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
				n := b.Start(t, nil)
				nodes := []*kit.Node{n}
				if b.MultiNode() {
					nodes = append(nodes, b.Start(t, nil))
				}
				for _, s := range shapes() {
					t.Run(s.name, func(t *testing.T) { s.check(t, w, nodes) })
				}
				if got := kit.CheckWhole(t, n.DB()); len(got) != len(shapes()) {
					t.Errorf("%d instances, want %d", len(got), len(shapes()))
				}
			})
		})
	}
}

// check creates a shape on the first node and looks at everything it left.
func (s shape) check(t *testing.T, w kit.Wire, nodes []*kit.Node) {
	n := nodes[0]
	made := new(systemv1.CreateInstanceResponse)
	before := time.Now().Truncate(time.Microsecond)
	if a := w.Call(t, n.Client, "CreateInstance", s.wish, made); a.Code != codes.OK {
		t.Fatalf("refused: %v", a)
	}
	after := time.Now()
	id := made.GetInstanceId()

	// D1: at once, on every node.
	reads := make([]*systemv1.GetInstanceResponse, len(nodes))
	for i, node := range nodes {
		reads[i] = new(systemv1.GetInstanceResponse)
		if a := w.Call(t, node.Client, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: id}, reads[i]); a.Code != codes.OK {
			t.Fatalf("node %d does not see instance %s: %v", i+1, id, a)
		}
		s.checkRead(t, made, reads[i])
		if diff := gocmp.Diff(reads[0], reads[i], protocmp.Transform()); diff != "" {
			t.Errorf("node %d answers otherwise:\n%s", i+1, diff)
		}
	}

	d := made.GetDetails()
	if at := d.GetCreationDate().AsTime(); at.Before(before) || at.After(after) {
		t.Errorf("creation date %v is not between %v and %v", at, before, after)
	}
	if d.GetChangeDate() != nil {
		t.Errorf("change date %v; a creation has none", d.GetChangeDate())
	}
	if d.GetSequence() != s.sequence() {
		t.Errorf("sequence %d, want %d", d.GetSequence(), s.sequence())
	}
	checkID(t, "instance", id)
	checkID(t, "resource owner", d.GetResourceOwner())

	if diff := gocmp.Diff(s.events(), logtest.Types(t, n.DB(), n.Events(), ident.InstanceID(id))); diff != "" {
		t.Errorf("other events than expected (-want +got):\n%s", diff)
	}
	s.checkRows(t, n, made)
	s.checkToken(t, n, made)
	s.checkKey(t, n, made)
	logtest.CheckFold(t, n.DB(), n.Events())
}

var decimal = regexp.MustCompile(`^[1-9][0-9]{15,18}$`)

func checkID(t *testing.T, what, id string) {
	t.Helper()
	if !decimal.MatchString(id) || len(id) == 19 && id > "9223372036854775807" {
		t.Errorf("%s id %q is not a 64-bit decimal number", what, id)
	}
}

// checkRead checks every field of GetInstance (contract section 2.2, decisions D5 and D6).
func (s shape) checkRead(t *testing.T, made *systemv1.CreateInstanceResponse, read *systemv1.GetInstanceResponse) {
	t.Helper()
	id, at := made.GetInstanceId(), made.GetDetails().GetCreationDate()
	domains := read.GetInstance().GetDomains()
	slices.SortFunc(domains, func(a, b *instancev1.Domain) int { return cmp.Compare(b2i(b.GetGenerated()), b2i(a.GetGenerated())) })
	var generated string
	if len(domains) > 0 {
		generated = domains[0].GetDomain()
	}
	details := func(sequence uint64) *zitadelv1.ObjectDetails {
		return &zitadelv1.ObjectDetails{Sequence: sequence, CreationDate: at, ChangeDate: at, ResourceOwner: id}
	}
	first := uint64(2) // of the events of the instance, the one that added the generated domain
	if s.language != "" {
		first++
	}
	want := &instancev1.InstanceDetail{
		Id: id, Details: details(s.sequence()), State: instancev1.State_STATE_RUNNING,
		Name: cmp.Or(s.instance, s.wish.GetInstanceName()), Version: kit.Version,
		Domains: []*instancev1.Domain{{Details: details(first + 1), Domain: generated, Primary: true, Generated: true}},
	}
	if s.custom != "" {
		want.Domains[0].Primary, want.Domains[0].Details.Sequence = false, first
		want.Domains = append(want.Domains, &instancev1.Domain{Details: details(first + 2), Domain: s.custom, Primary: true})
	}
	if diff := gocmp.Diff(want, read.GetInstance(), protocmp.Transform()); diff != "" {
		t.Errorf("GetInstance (-want +got):\n%s", diff)
	}
	if ok, err := regexp.MatchString(`^acme(-sohne)?-[a-z0-9]{6}\.castellan\.test$`, generated); err != nil || !ok {
		t.Errorf("generated domain %q", generated)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkRows compares the rows of organization, owner and language.
func (s shape) checkRows(t *testing.T, n *kit.Node, made *systemv1.CreateInstanceResponse) {
	t.Helper()
	text := func(sql string) string {
		t.Helper()
		got := kit.Column[string](t, n.DB(), sql, made.GetInstanceId())
		if len(got) != 1 {
			t.Fatalf("%s: %d rows", sql, len(got))
		}
		return got[0]
	}
	truth := func(sql string) bool {
		t.Helper()
		return len(kit.Column[string](t, n.DB(), sql, made.GetInstanceId())) == 1
	}
	column := func(name string) string { return text(`SELECT ` + name + ` FROM users WHERE instance_id = $1`) }
	got := user{
		kind: column("kind"), userName: column("username"), name: column("name"),
		first: column("first_name"), last: column("last_name"), display: column("display_name"),
		locale: column("preferred_language"), email: column("email"),
		verified: truth(`SELECT user_id FROM users WHERE instance_id = $1 AND email_verified`),
		change:   truth(`SELECT user_id FROM users WHERE instance_id = $1 AND password_change_required`),
		password: strings.HasPrefix(column("password_hash"), "$argon2id$"),
	}
	if diff := gocmp.Diff(s.user, got, gocmp.AllowUnexported(user{})); diff != "" {
		t.Errorf("the owner (-want +got):\n%s", diff)
	}
	if !s.user.password && column("password_hash") != "" {
		t.Errorf("an owner without password has the hash %q", column("password_hash"))
	}
	if got := text(`SELECT default_language FROM instances WHERE instance_id = $1`); got != s.language {
		t.Errorf("default language %q, want %q", got, s.language)
	}
	org := made.GetDetails().GetResourceOwner()
	if got := text(`SELECT org_id FROM orgs WHERE instance_id = $1`); got != org {
		t.Errorf("the resource owner is %s, the organization %s", org, got)
	}
	want := cmp.Or(s.org, s.instance, s.wish.GetInstanceName())
	if got := text(`SELECT name FROM orgs WHERE instance_id = $1`); got != want {
		t.Errorf("the organization is called %q, want %q", got, want)
	}
	if !truth(`SELECT app_id FROM apps WHERE instance_id = $1 AND is_console AND dev_mode`) {
		t.Error("the console of a server without TLS is not in development mode")
	}
	if s.wish.GetMachine().GetMachineKey().GetType() == authnv1.KeyType_KEY_TYPE_JSON && len(made.GetMachineKey()) == 0 {
		t.Error("asked for a key and got none")
	}
}
