package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/call"
	"castellan/internal/expiry"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/member"
)

// things are one of each kind, which [fixture.things] makes, and where they lie.
var things = map[Thing]Owner{
	{Kind: Org, ID: "7"}:                         {Org: "7"},
	{Kind: OrgDomain, ID: "Home.A.example"}:      {Org: "7"},
	{Kind: UserKind, ID: "ada"}:                  {Org: "7"},
	{Kind: Project, ID: "p"}:                     {Org: "7", Project: "p"},
	{Kind: ProjectGrant, ID: "p", Second: "8"}:   {Org: "7", Project: "p", Grant: "g"},
	{Kind: GrantedProject, ID: "p", Second: "8"}: {Org: "7", OtherOrg: "8", Project: "p", Grant: "g"},
	{Kind: App, ID: "app"}:                       {Org: "7", Project: "p"},
	{Kind: AppKey, ID: "key"}:                    {Org: "7", Project: "p"},
	{Kind: Authorization, ID: "own"}:             {Org: "7", OtherOrg: "7", Project: "p"},
	{Kind: Authorization, ID: "granted"}:         {Org: "8", OtherOrg: "7", Project: "p", Grant: "g"},
}

// things makes what the tests ask for, in instance A.
func (f *fixture) things() {
	f.Helper()
	f.exec(`INSERT INTO projects (instance_id, project_id, org_id, name, state, sequence, created_at, changed_at)
 VALUES ('A', 'p', '7', 'p', 'active', 1, 1, 1)`)
	f.exec(`INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state, sequence, created_at,
 changed_at) VALUES ('A', 'g', 'p', '7', '8', '[]', 'active', 1, 1, 1)`)
	f.exec(`INSERT INTO apps (instance_id, app_id, org_id, project_id, name, kind, client_id, auth_method, is_console, dev_mode,
 sequence, created_at, changed_at) VALUES ('A', 'app', '7', 'p', 'app', 'api', 'c', 'basic', FALSE, FALSE, 1, 1, 1)`)
	f.exec(`INSERT INTO authorizations (instance_id, authorization_id, user_id, project_id, project_grant_id, org_id, role_keys, state,
 sequence, created_at, changed_at) VALUES ('A', 'own', 'ada', 'p', '', '7', '[]', 'active', 1, 1, 1),
 ('A', 'granted', 'ada', 'p', 'g', '8', '[]', 'active', 1, 1, 1)`)
	f.exec(`INSERT INTO app_keys (instance_id, key_id, app_id, org_id, public_key, expires_at, sequence, created_at, changed_at)
 VALUES ('A', 'key', 'app', '7', $1, 1, 1, 1, 1)`, []byte("key"))
}

func TestWhereThingsLie(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.things()
		asked := &counting{Querier: f.db}
		f.dir.config.DB = asked
		for thing, want := range things {
			got, err := f.dir.Owner(f.Context(), "A", thing)
			f.must(err)
			if diff := cmp.Diff(want, got); diff != "" {
				f.Errorf("%+v (-want +got):\n%s", thing, diff)
			}
			if n := asked.statements.Swap(0); n != 1 {
				f.Errorf("%+v costs %d statements", thing, n)
			}
			elsewhere, unknown, empty := thing, thing, thing
			unknown.ID, empty.ID = "404", ""
			for _, missing := range []struct {
				at ident.InstanceID
				t  Thing
			}{{"B", elsewhere}, {"A", unknown}, {"A", empty}, {"", thing}} {
				if thing.Kind == Org && missing.at == "B" {
					continue // B has one of that id, too
				}
				if o, err := f.dir.Owner(f.Context(), missing.at, missing.t); !errors.Is(err, Missing(thing.Kind)) || o != (Owner{}) {
					f.Errorf("%+v of %q: %+v, %v", missing.t, missing.at, o, err)
				}
			}
			asked.statements.Store(0)
		}
		for kind := range ownerSQL {
			if how := Missing(kind); how.Kind != fault.NotFound || how.ID == "" {
				f.Errorf("kind %d is missed with %v", kind, how)
			}
			if !anyOf(kind) {
				f.Errorf("no thing of kind %d was looked for", kind)
			}
		}
		if _, err := f.dir.Owner(f.Context(), "A", Thing{ID: "7"}); err == nil || errors.As(err, new(*fault.Error)) {
			f.Errorf("of no kind: %v", err)
		}
	})
}

// anyOf reports whether things has one of a kind.
func anyOf(kind Kind) bool {
	for thing := range things {
		if thing.Kind == kind {
			return true
		}
	}
	return false
}

func TestOwnerIn(t *testing.T) {
	o := Owner{Org: "1", OtherOrg: "2", Project: "p", Grant: "g"}
	for _, c := range []struct {
		owner Owner
		reach call.Reach
		want  bool
	}{
		{o, call.Reach{}, false},
		{o, call.Reach{Instance: true}, true},
		{o, call.Reach{Orgs: []ident.OrgID{"1"}}, true},
		{o, call.Reach{Orgs: []ident.OrgID{"2"}}, true},
		{o, call.Reach{Orgs: []ident.OrgID{"3"}}, false},
		{o, call.Reach{Projects: []ident.ProjectID{"p"}}, true},
		{o, call.Reach{Projects: []ident.ProjectID{"q"}}, false},
		{o, call.Reach{Grants: []ident.GrantID{"g"}}, true},
		{o, call.Reach{Grants: []ident.GrantID{"h"}}, false},
		{Owner{Org: "1"}, call.Reach{Orgs: []ident.OrgID{""}}, false},
	} {
		if got := c.owner.In(c.reach); got != c.want {
			t.Errorf("%+v in %+v: %t", c.owner, c.reach, got)
		}
	}
}

func TestFindOrg(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.org("A", "8", "7") // its domain is the id of another, which wins
		f.org("B", "9", "nine.example")
		f.exec(`UPDATE org_domains SET is_verified = FALSE WHERE org_id = '9'`)
		for name, want := range map[string]ident.OrgID{
			"7": "7", "8": "8", "home.a.example": "7", "HOME.a.Example": "7",
			"9": "", "home.b.example": "", "404": "", "": "", strings.Repeat("x", 5000): "", "' OR 1=1 --": "",
		} {
			got, err := f.dir.FindOrg(f.Context(), "A", name)
			if got != want || (want == "") != errors.Is(err, NoOrg) || want != "" && err != nil {
				f.Errorf("%.100q: %q, %v", name, got, err)
			}
		}
		if _, err := f.dir.FindOrg(f.Context(), "B", "nine.example"); !errors.Is(err, NoOrg) {
			f.Errorf("a domain that is not verified: %v", err)
		}
	})
}

// TestMembershipsComeWithTheToken: all of them, in one read.
func TestMembershipsComeWithTheToken(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.exec(`INSERT INTO members (instance_id, user_id, scope, scope_id, owner, roles, sequence, created_at, changed_at) VALUES
 ('A', 'ada', 'org', '8', '8', 'ORG_OWNER ORG_USER_MANAGER', 1, 1, 1),
 ('A', 'ada', 'project', 'p', '8', 'PROJECT_OWNER', 1, 1, 1),
 ('A', 'ada', 'project_grant', 'g', '8', 'PROJECT_GRANT_OWNER', 1, 1, 1),
 ('B', 'ada', 'org', '9', '9', 'ORG_OWNER', 1, 1, 1)`)
		asked := &counting{Querier: f.db}
		f.dir.config.DB = asked
		who, err := f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["ada"].Reveal())
		f.must(err)
		if n := asked.statements.Load(); n != 2 {
			f.Errorf("%d statements", n)
		}
		want := call.Reach{
			Instance: true, Orgs: []ident.OrgID{"8"}, Projects: []ident.ProjectID{"p"}, Grants: []ident.GrantID{"g"}, Self: "ada",
		}
		if diff := cmp.Diff(want, who.Reach("project.read")); diff != "" {
			f.Errorf("(-want +got):\n%s", diff)
		}
		if who.ResourceOwner != "7" || len(who.Memberships) != 4 {
			f.Errorf("%+v", who)
		}
		f.user("A", "plain", expiry.Never, member.Add{})
		who, err = f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["plain"].Reveal())
		f.must(err)
		if len(who.Memberships) > 0 || !who.Reach("user.read").None() || who.ResourceOwner != "7" {
			f.Errorf("%+v", who)
		}
	})
}
