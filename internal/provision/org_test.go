package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/app"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/policy"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/usermetadata"
)

// checked is passwords that can be checked too, which nobody here does.
type checked struct{ *passwords }

func (checked) Verify(context.Context, string, string, string) (bool, error) { panic("not asked for") }

// orgs makes organizations on the database of a fixture, and returns an instance of which a machine is the
// owner.
func (f *fixture) orgs() (s *Orgs, at ident.InstanceID) {
	f.Helper()
	at = f.mustSetUp(machine()).Instance
	log := eventlog.New(f.service.DB, f.keyring, f.clock,
		instance.Noun, org.Noun, user.Noun, usermetadata.Noun, pat.Noun, machinekey.Noun, member.Noun,
		project.Noun, app.Noun, policy.Noun)
	s = &Orgs{
		DB: f.service.DB, Log: log, IDs: f.service.IDs,
		Orgs: &org.Service{DB: f.service.DB, Log: log, ExternalDomain: "id.example"},
		Users: &user.Service{
			DB: f.service.DB, Log: log, IDs: f.service.IDs, Clock: f.clock, Passwords: checked{f.passwords}, Policies: policy.Resolver{},
			KeepOrg: func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.OrgID) error {
				return org.Keep(ctx, tx, f.service.DB.Dialect(), at, id)
			},
			DomainOwner: org.OwnerOf,
		},
	}
	return s, at
}

// owner is the user who owns an instance.
func (f *fixture) owner(at ident.InstanceID) string {
	return f.row(1, `SELECT user_id FROM members WHERE instance_id = $1 AND scope = 'instance'`, string(at))[0]
}

// person is the wish for an administrator who is new.
func person(name string, roles ...string) Admin {
	return Admin{Roles: roles, New: &user.Create{Human: &user.CreateHuman{AddHuman: user.AddHuman{
		FirstName: name, LastName: "Lovelace", Email: name + "@acme.example",
	}}}}
}

// members returns the users and roles of the members of an organization, in the order of the users.
func (f *fixture) members(at ident.InstanceID, of ident.OrgID) [][]string {
	return f.rows(2, `SELECT user_id, roles FROM members WHERE instance_id = $1 AND scope = 'org' AND scope_id = $2 ORDER BY user_id`, string(at), string(of))
}

func TestAddOrg(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		s, at := f.orgs()
		owns := f.owner(at)
		before := logtest.Types(f, s.DB, s.Log, at)

		ada := person("ada")
		ada.New.Human.Password = user.Password{Plain: password}
		ada.New.Human.EmailCode = true
		metadata := usermetadata.Service{DB: s.DB, Log: s.Log, IDs: s.IDs, Clock: f.clock}
		put, err := metadata.Putting(f.Context(), []usermetadata.Entry{{Key: "k", Value: []byte("v")}})
		f.must(err)
		ada.New.Also = func(ctx context.Context, w *eventlog.Writer, after user.State) error {
			return put(ctx, w, ident.UserID(after.ID), ident.OrgID(after.Owner))
		}
		bot := Admin{New: &user.Create{ID: "bot", UserName: "bot", Machine: &user.AddMachine{Name: "Bot", AccessTokenType: user.Bearer}}, Roles: []string{"ORG_OWNER_VIEWER"}}
		owner := Admin{User: ident.UserID(owns), Roles: []string{"ORG_USER_MANAGER", "ORG_OWNER_VIEWER"}}

		added, err := s.Add(f.Context(), at, actor, AddOrg{ID: "mine", Name: "Mine", Admins: []Admin{ada, owner, bot}})
		f.must(err)
		if added.Org.ID != "mine" || added.Org.Name != "Mine" || !strings.HasPrefix(added.Org.PrimaryDomain(), "mine.") {
			f.Errorf("made %+v", added.Org)
		}
		if len(added.Users) != 2 || added.Users[0].Codes.Email == "" || added.Users[1] != (AddedUser{ID: "bot"}) {
			f.Fatalf("made users %+v", added.Users)
		}
		u, err := user.Get(f.Context(), s.DB, at, added.Users[0].ID)
		f.must(err)
		if u.Owner != "mine" || u.UserName != "ada@acme.example" || u.PasswordHash != hashed(password) {
			f.Errorf("made %+v", u)
		}
		want := []string{
			"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set",
			"user.human.added", "user.human.email.code.added", "user.metadata.set", "org.member.added",
			"org.member.added", "user.machine.added", "org.member.added",
		}
		if left := logtest.Types(f, s.DB, s.Log, at)[len(before):]; !slices.Equal(left, want) {
			f.Errorf("left %v, want %v", left, want)
		}
		roles := make(map[string]string)
		for _, m := range f.members(at, "mine") {
			roles[m[0]] = m[1]
		}
		if diff := cmp.Diff(map[string]string{
			string(added.Users[0].ID): "ORG_OWNER", "bot": "ORG_OWNER_VIEWER", owns: "ORG_USER_MANAGER ORG_OWNER_VIEWER",
		}, roles); diff != "" {
			f.Errorf("members (-want +got):\n%s", diff)
		}

		alone, err := s.Add(f.Context(), at, actor, AddOrg{Name: "Alone"})
		f.must(err)
		if alone.Org.ID == "" || len(alone.Users) > 0 || len(f.members(at, ident.OrgID(alone.Org.ID))) > 0 {
			f.Errorf("made %+v", alone)
		}
		logtest.CheckFold(f, s.DB, s.Log)
	})
}

func TestAddOrgRefusals(t *testing.T) {
	twice := Admin{User: "u"}
	many := make([]Admin, 101)
	for i := range many {
		many[i] = person(fmt.Sprint("p", i))
	}
	nameless := person("eve")
	nameless.New.Human.FirstName = " "
	weak := person("eve")
	weak.New.Human.Password.Plain = "weak"
	named := func(name string) Admin {
		a := person(name)
		a.New.UserName = "taken"
		return a
	}
	gone := person("eve")
	gone.New.ID = "known"
	cases := map[string]struct {
		wish   AddOrg
		id     string
		fields []string
	}{
		"blank":                   {AddOrg{Name: " "}, "ORG-mruNY", []string{"name"}},
		"the name of another":     {AddOrg{Name: "OTHER", Admins: []Admin{person("eve")}}, "V3-DKcYh", []string{"name"}},
		"the id of another":       {AddOrg{Name: "New", ID: "other"}, "ORG-lapo2n", []string{"organization_id"}},
		"a role there is not":     {AddOrg{Name: "New", Admins: []Admin{person("eve"), {User: "u", Roles: []string{"IAM_OWNER"}}}}, "Org-4N8es", []string{"admins[1].roles[0]"}},
		"nobody":                  {AddOrg{Name: "New", Admins: []Admin{person("eve"), {User: "nobody"}}}, "ORG-GoXOn", []string{"admins[1].user_id"}},
		"somebody twice":          {AddOrg{Name: "New", Admins: []Admin{twice, person("eve"), twice}}, "ORG-poWwe", []string{"admins[2].user_id"}},
		"very many":               {AddOrg{Name: "New", Admins: many}, "SEARCH-max01", []string{"admins"}},
		"somebody without a name": {AddOrg{Name: "New", Admins: []Admin{person("bob"), nameless}}, "USER-UCej2", []string{"admins[1]." + user.FieldFirstName}},
		"a weak password":         {AddOrg{Name: "New", Admins: []Admin{weak}}, "COMMA-HuJf6", []string{"admins[0]." + user.FieldPassword}},
		"a user name twice":       {AddOrg{Name: "New", Admins: []Admin{named("eve"), named("mal")}}, "V3-DKcYh", []string{"admins[1].username"}},
		"the id of another user":  {AddOrg{Name: "New", Admins: []Admin{gone}}, "COMMAND-7yiox1isql", nil},
	}
	eachEngine(t, func(f *fixture) {
		s, at := f.orgs()
		known := person("known")
		known.New.ID = "known"
		_, err := s.Add(f.Context(), at, actor, AddOrg{ID: "other", Name: "Other", Admins: []Admin{known}})
		f.must(err)
		before := logtest.Types(f, s.DB, s.Log, at)
		for name, c := range cases {
			_, err := s.Add(f.Context(), at, actor, c.wish)
			var fields []string
			got := fault.Of(err)
			for _, v := range got.Violations {
				if !slices.Contains(fields, v.Field) {
					fields = append(fields, v.Field)
				}
			}
			if err == nil || got.ID != c.id || !slices.Equal(fields, c.fields) {
				f.Errorf("%s: %v %v, want %s %v", name, err, fields, c.id, c.fields)
			}
		}
		if after := logtest.Types(f, s.DB, s.Log, at); len(after) != len(before) {
			f.Errorf("what was refused left %v", after[len(before):])
		}
		logtest.CheckFold(f, s.DB, s.Log)
	})
}

// Those who begin at the same time wish for the same id, or for names that give the same domain.
func TestAddOrgAtOnce(t *testing.T) {
	const n = 6
	eachEngine(t, func(f *fixture) {
		s, at := f.orgs()
		race := func(wish func(i int) AddOrg) (errs []error) {
			errs = make([]error, n)
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() { _, errs[i] = s.Add(f.Context(), at, actor, wish(i)) })
			}
			all.Wait()
			return errs
		}
		won := 0
		for _, err := range race(func(i int) AddOrg { return AddOrg{ID: "one", Name: fmt.Sprint("Name ", i)} }) {
			if err == nil {
				won++
			} else if fault.Of(err).ID != "ORG-lapo2n" {
				f.Errorf("an id at once: %v", err)
			}
		}
		if won != 1 {
			f.Errorf("%d have the id", won)
		}
		for _, err := range race(func(i int) AddOrg { return AddOrg{Name: "Same" + strings.Repeat("!", i)} }) {
			f.must(err)
		}
		domains := f.rows(1, `SELECT domain FROM org_domains WHERE instance_id = $1 AND domain LIKE 'same%'`, string(at))
		slices.SortFunc(domains, slices.Compare)
		if len(slices.CompactFunc(domains, slices.Equal)) != n {
			f.Errorf("domains %v, want %d", domains, n)
		}
		logtest.CheckFold(f, s.DB, s.Log)
	})
}
