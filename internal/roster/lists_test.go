package roster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/authorization"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/member"
	"castellan/internal/search"
	"castellan/internal/store"
)

// all, up, and the first minute of the tests.
var (
	all     = call.Reach{Instance: true}
	up      = search.Page{Ascending: true}
	begun   = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	nothing = call.Reach{}
)

// exec changes rows past the log.
func (f *fixture) exec(sql string, args ...any) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) }))
}

// tenant makes, in instance 1, the organizations o1 and o2, project p1 of o1 and p2 of o2, grant g of p1 to o2, and
// the users ada and bob of o1 and o2, and the machine bot of o2. Instance 2 has as much, of another ada.
func (f *fixture) tenant() {
	f.Helper()
	for _, at := range []string{"1", "2"} {
		for _, org := range []string{"1", "2"} {
			f.exec(`INSERT INTO orgs (instance_id, org_id, name, state, sequence, created_at, changed_at) VALUES ($1, $2, $3, 'active', 1, 1, 1)`,
				at, "o"+org, "Org "+org)
			f.exec(`INSERT INTO projects (instance_id, project_id, org_id, name, state, sequence, created_at, changed_at)
 VALUES ($1, $2, $3, $4, 'active', 1, 1, 1)`, at, "p"+org, "o"+org, "Project "+org)
		}
		f.exec(`INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state,
 sequence, created_at, changed_at) VALUES ($1, 'g', 'p1', 'o1', 'o2', '["reader"]', 'active', 1, 1, 1)`, at)
		for _, role := range []string{"reader", "Writer"} {
			f.exec(`INSERT INTO project_roles (instance_id, project_id, role_key, role_id, org_id, display_name, group_name,
 sequence, created_at, changed_at) VALUES ($1, 'p1', $2, $2, 'o1', $3, 'staff', 1, 1, 1)`, at, role, "Role "+role)
		}
		for _, u := range [][4]string{{"ada", "o1", "human", "Ada L."}, {"bob", "o2", "human", "Bob"}, {"bot", "o2", "machine", "no"}} {
			f.exec(`INSERT INTO users (instance_id, user_id, org_id, login_key, username, kind, state, name, access_token_type, first_name,
 last_name, display_name, preferred_language, email, email_verified, password_hash, password_change_required, sequence, created_at, changed_at)
 VALUES ($1, $2, $3, $4, $4, $5, 'active', 'Robot', 'bearer', '', '', $6, '', '', FALSE, '', FALSE, 1, 1, 1)`,
				at, u[0], u[1], u[0]+"@"+u[1], u[2], u[3])
		}
	}
}

// texts of what a page has.
func found[T any](total int, page []T, id func(T) string) string {
	var ids []string
	for _, one := range page {
		ids = append(ids, id(one))
	}
	return fmt.Sprintf("%d: %s", total, strings.Join(ids, " "))
}

func (f *fixture) authorization(at, id, user, project, grant, org, roles, state string, minute int) {
	f.Helper()
	created := store.Micros(begun.Add(time.Duration(minute) * time.Minute))
	f.exec(`INSERT INTO authorizations (instance_id, authorization_id, user_id, project_id, project_grant_id, org_id, role_keys, state,
 sequence, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10)`, at, id, user, project, grant, org, roles, state, created, -created)
	keys, err := authorization.DecodeRoles(roles)
	f.must(err)
	for _, key := range keys {
		f.exec(`INSERT INTO authorization_roles (instance_id, authorization_id, role_key, project_id) VALUES ($1, $2, $3, $4)`, at, id, key, project)
	}
}

func TestAuthorizations(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.tenant()
		f.authorization("1", "a1", "ada", "p1", "", "o1", `["Writer","reader"]`, "active", 1)
		f.authorization("1", "a2", "bob", "p1", "g", "o2", `["reader"]`, "active", 2)
		f.authorization("1", "a3", "bot", "p1", "", "o1", `[]`, "inactive", 3)
		f.authorization("1", "a4", "ada", "p2", "", "o2", `[]`, "active", 4)
		f.authorization("2", "a5", "ada", "p1", "", "o1", `["reader"]`, "active", 5)
		text := func(v string, m search.Method) []search.Text { return []search.Text{{Value: v, Method: m}} }
		for name, c := range map[string]struct {
			s    AuthorizationSearch
			want string
		}{
			"all":                      {AuthorizationSearch{Within: all}, "4: a4 a3 a2 a1"},
			"page":                     {AuthorizationSearch{Within: all, Page: search.Page{Ascending: true, Offset: 1, Limit: 2}}, "4: a2 a3"},
			"by change":                {AuthorizationSearch{Within: all, By: ByAuthorizationChange}, "4: a1 a2 a3 a4"},
			"by id":                    {AuthorizationSearch{Within: all, Page: up, By: ByAuthorization}, "4: a1 a2 a3 a4"},
			"by user":                  {AuthorizationSearch{Within: all, Page: up, By: ByAuthorizationUser}, "4: a1 a4 a2 a3"},
			"by project":               {AuthorizationSearch{Within: all, By: ByAuthorizationProject}, "4: a4 a3 a2 a1"},
			"by organization":          {AuthorizationSearch{Within: all, Page: up, By: ByAuthorizationOrg}, "4: a1 a3 a2 a4"},
			"by the user's":            {AuthorizationSearch{Within: all, Page: up, By: ByAuthorizationUserOrg}, "4: a1 a4 a2 a3"},
			"by no column":             {AuthorizationSearch{Within: all, Page: up, By: 99}, "4: a1 a2 a3 a4"},
			"ids":                      {AuthorizationSearch{Within: all, IDs: [][]string{{"a1", "a2", "a5"}, {"a2", "a3"}}}, "1: a2"},
			"users":                    {AuthorizationSearch{Within: all, Page: up, Users: [][]string{{"ada", "bot"}}}, "3: a1 a3 a4"},
			"organization":             {AuthorizationSearch{Within: all, Page: up, Orgs: []ident.OrgID{"o2"}}, "2: a2 a4"},
			"organization of the user": {AuthorizationSearch{Within: all, Page: up, UserOrgs: []ident.OrgID{"o2"}}, "2: a2 a3"},
			"state":                    {AuthorizationSearch{Within: all, Statuses: []authorization.Status{authorization.Inactive}}, "1: a3"},
			"login name":               {AuthorizationSearch{Within: all, Page: up, LoginNames: text("BO", search.StartsWithIgnoreCase)}, "2: a2 a3"},
			"display name":             {AuthorizationSearch{Within: all, DisplayNames: text("robot", search.EqualsIgnoreCase)}, "1: a3"},
			"project":                  {AuthorizationSearch{Within: all, Page: up, Projects: []ident.ProjectID{"p1"}}, "3: a1 a2 a3"},
			"project name":             {AuthorizationSearch{Within: all, ProjectNames: text("T 2", search.EndsWithIgnoreCase)}, "1: a4"},
			"grant":                    {AuthorizationSearch{Within: all, Grants: []ident.GrantID{"g"}}, "1: a2"},
			"role":                     {AuthorizationSearch{Within: all, Page: up, Roles: text("reader", search.Equals)}, "2: a1 a2"},
			"role in another case":     {AuthorizationSearch{Within: all, Roles: text("writer", search.Equals)}, "0: "},
			"role like":                {AuthorizationSearch{Within: all, Page: up, Roles: text("ER", search.EndsWithIgnoreCase)}, "2: a1 a2"},
			"two roles":                {AuthorizationSearch{Within: all, Roles: append(text("reader", search.Equals), text("W", search.StartsWith)...)}, "1: a1"},
			"nothing in reach":         {AuthorizationSearch{Within: nothing}, "0: "},
			"its own":                  {AuthorizationSearch{Within: call.Reach{Self: "ada"}, Page: up}, "2: a1 a4"},
			"an organization":          {AuthorizationSearch{Within: call.Reach{Orgs: []ident.OrgID{"o2"}}, Page: up}, "2: a2 a4"},
			"the owner of a project":   {AuthorizationSearch{Within: call.Reach{Orgs: []ident.OrgID{"o1"}}, Page: up}, "3: a1 a2 a3"},
			"a project":                {AuthorizationSearch{Within: call.Reach{Projects: []ident.ProjectID{"p2"}}}, "1: a4"},
			"a grant":                  {AuthorizationSearch{Within: call.Reach{Grants: []ident.GrantID{"g"}}}, "1: a2"},
			"a grant and itself":       {AuthorizationSearch{Within: call.Reach{Grants: []ident.GrantID{"g"}, Self: "bot"}, Page: up}, "2: a2 a3"},
		} {
			total, page, err := Authorizations(f.Context(), f.db, "1", c.s)
			f.must(err)
			if got := found(total, page, func(a Authorization) string { return string(a.ID) }); got != c.want {
				f.Errorf("%s: found %q, want %q", name, got, c.want)
			}
		}
		_, page, err := Authorizations(f.Context(), f.db, "1", AuthorizationSearch{Within: all, IDs: [][]string{{"a1", "a2"}}, Page: up})
		f.must(err)
		at := func(minute time.Duration) time.Time { return begun.Add(minute * time.Minute) }
		reader, writer := ProjectRole{"reader", "Role reader", "staff"}, ProjectRole{"Writer", "Role Writer", "staff"}
		want := []Authorization{
			{
				ID: "a1", CreatedAt: at(1), ChangedAt: time.UnixMicro(-at(1).UnixMicro()).UTC(), Status: authorization.Active, Org: "o1", OrgName: "Org 1",
				Project: "p1", ProjectName: "Project 1", ProjectOrg: "o1", Roles: []ProjectRole{writer, reader},
				Holder: Holder{User: "ada", Org: "o1", LoginName: "ada@o1", DisplayName: "Ada L."},
			},
			{
				ID: "a2", CreatedAt: at(2), ChangedAt: time.UnixMicro(-at(2).UnixMicro()).UTC(), Status: authorization.Active, Org: "o2", OrgName: "Org 2",
				Project: "p1", ProjectName: "Project 1", ProjectOrg: "o1", Roles: []ProjectRole{reader},
				Holder: Holder{User: "bob", Org: "o2", LoginName: "bob@o2", DisplayName: "Bob"},
			},
		}
		if diff := cmp.Diff(want, page); diff != "" {
			f.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func (f *fixture) member(at, id, user, scope, scopeID, owner, roles string, minute int) {
	f.Helper()
	created := store.Micros(begun.Add(time.Duration(minute) * time.Minute))
	f.exec(`INSERT INTO members (instance_id, user_id, scope, scope_id, member_id, owner, roles, sequence, created_at, changed_at)
 VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9)`, at, user, scope, scopeID, id, owner, roles, created, created+1)
}

// everywhere is what a member of the instance sees, on what it holds a permission of each scope.
func everywhere(r call.Reach) map[member.Scope]call.Reach {
	return map[member.Scope]call.Reach{member.Instance: r, member.Org: r, member.Project: r, member.ProjectGrant: r}
}

// label names a membership.
func label(a Administrator) string { return string(a.Holder.User) + ":" + string(a.Scope) }

func TestAdministrators(t *testing.T) {
	moment := func(minute int, m search.TimeMethod) search.Moment {
		return search.Moment{Time: begun.Add(time.Duration(minute) * time.Minute), Method: m}
	}
	text := func(v string, m search.Method) search.Text { return search.Text{Value: v, Method: m} }
	on := func(conditions ...AdministratorCondition) AdministratorSearch {
		return AdministratorSearch{Within: everywhere(all), Page: up, All: conditions}
	}
	within := func(m map[member.Scope]call.Reach) AdministratorSearch {
		return AdministratorSearch{Within: m, Page: up}
	}
	cases := map[string]struct {
		s    AdministratorSearch
		want string
	}{
		"all":          {on(), "5: ada:instance ada:org bob:org bot:project bob:project_grant"},
		"page":         {AdministratorSearch{Within: everywhere(all), Page: search.Page{Offset: 1, Limit: 2}}, "5: bot:project bob:org"},
		"by user":      {AdministratorSearch{Within: everywhere(all), By: ByAdministratorUser, Page: up}, "5: ada:instance ada:org bob:org bob:project_grant bot:project"},
		"by change":    {AdministratorSearch{Within: everywhere(all), By: ByAdministratorChange}, "5: bob:project_grant bot:project bob:org ada:org ada:instance"},
		"by no column": {AdministratorSearch{Within: everywhere(all), By: 99, Page: up}, "5: ada:instance ada:org bob:org bot:project bob:project_grant"},

		"created":         {on(WasCreated(moment(3, search.Before))), "2: ada:instance ada:org"},
		"created between": {on(WasCreated(moment(1, search.After)), WasCreated(moment(3, search.BeforeOrAt))), "2: ada:org bob:org"},
		"changed":         {on(WasChanged(moment(4, search.After))), "2: bot:project bob:project_grant"},
		"users":           {on(IsUser([]string{"ada", "404"})), "2: ada:instance ada:org"},
		"nobody":          {on(IsUser(nil)), "0: "},
		"of organization": {on(OfUserOrg("o2")), "3: bob:org bot:project bob:project_grant"},
		"login name":      {on(HasLoginName(text("B", search.StartsWithIgnoreCase))), "3: bob:org bot:project bob:project_grant"},
		"display name":    {on(HasDisplayName(text("Robot", search.Equals))), "1: bot:project"},
		"the instance":    {on(IsOn(member.Instance, "1", "", "")), "1: ada:instance"},
		"an organization": {on(IsOn(member.Org, "o1", "", "")), "1: ada:org"},
		"a project":       {on(IsOn(member.Project, "p1", "", "")), "1: bot:project"},
		"a grant":         {on(IsOn(member.ProjectGrant, "", "p1", "o2")), "1: bob:project_grant"},
		"another grant":   {on(IsOn(member.ProjectGrant, "", "p1", "o1")), "0: "},
		"role":            {on(HasRole("ORG_USER_MANAGER")), "1: bob:org"},
		"part of a role":  {on(HasRole("ORG_OWNER_")), "0: "},
		"not":             {on(listing.Not(IsUser([]string{"ada"}))), "3: bob:org bot:project bob:project_grant"},
		"not a grant":     {on(listing.Not(IsOn(member.ProjectGrant, "", "p1", "o2"))), "4: ada:instance ada:org bob:org bot:project"},
		"not created":     {on(listing.Not(WasCreated(moment(3, search.Before)))), "3: bob:org bot:project bob:project_grant"},
		"any":             {on(listing.Any([]AdministratorCondition{HasRole("IAM_OWNER"), IsOn(member.Project, "p1", "", "")})), "2: ada:instance bot:project"},
		"none of any":     {on(listing.Any(nil)), "0: "},
		"all of none":     {on(listing.All(nil)), "5: ada:instance ada:org bob:org bot:project bob:project_grant"},
		"any within all": {
			on(listing.All([]AdministratorCondition{
				OfUserOrg("o2"), listing.Any([]AdministratorCondition{HasRole("ORG_OWNER"), HasRole("PROJECT_OWNER")}),
			})), "2: bob:org bot:project",
		},

		"nothing in reach":      {within(nil), "0: "},
		"its own":               {within(everywhere(call.Reach{Self: "bob"})), "2: bob:org bob:project_grant"},
		"of the instance alone": {within(map[member.Scope]call.Reach{member.Instance: all}), "1: ada:instance"},
		"of projects alone":     {within(map[member.Scope]call.Reach{member.Project: all}), "1: bot:project"},
		"one organization":      {within(everywhere(call.Reach{Orgs: []ident.OrgID{"o1"}})), "3: ada:org bot:project bob:project_grant"},
		"granted a project":     {within(everywhere(call.Reach{Orgs: []ident.OrgID{"o2"}})), "2: bob:org bob:project_grant"},
		"one project":           {within(everywhere(call.Reach{Projects: []ident.ProjectID{"p1"}})), "2: bot:project bob:project_grant"},
		"one grant":             {within(everywhere(call.Reach{Grants: []ident.GrantID{"g"}})), "1: bob:project_grant"},
		"of projects of an organization": {
			within(map[member.Scope]call.Reach{member.Project: {Orgs: []ident.OrgID{"o1"}}, member.Instance: {Self: "ada"}}),
			"3: ada:instance ada:org bot:project",
		},
	}
	eachEngine(t, func(f *fixture) {
		f.tenant()
		f.member("1", "m1", "ada", "instance", "1", "1", "IAM_OWNER", 1)
		f.member("1", "m2", "ada", "org", "o1", "o1", "ORG_OWNER", 2)
		f.member("1", "m3", "bob", "org", "o2", "o2", "ORG_OWNER ORG_USER_MANAGER", 3)
		f.member("1", "m4", "bot", "project", "p1", "o1", "PROJECT_OWNER", 4)
		f.member("1", "m5", "bob", "project_grant", "g", "o1", "PROJECT_GRANT_OWNER", 5)
		f.member("2", "m6", "ada", "instance", "2", "2", "IAM_OWNER", 6)
		for name, c := range cases {
			total, page, err := Administrators(f.Context(), f.db, "1", c.s)
			f.must(err)
			if got := found(total, page, label); got != c.want {
				f.Errorf("%s: found %q, want %q", name, got, c.want)
			}
		}
		_, page, err := Administrators(f.Context(), f.db, "1", on())
		f.must(err)
		at := func(minute time.Duration) time.Time { return begun.Add(minute * time.Minute) }
		ada := Holder{User: "ada", Org: "o1", LoginName: "ada@o1", DisplayName: "Ada L."}
		bob := Holder{User: "bob", Org: "o2", LoginName: "bob@o2", DisplayName: "Bob"}
		bot := Holder{User: "bot", Org: "o2", LoginName: "bot@o2", DisplayName: "Robot"}
		want := []Administrator{
			{CreatedAt: at(1), Roles: []string{"IAM_OWNER"}, Holder: ada, Scope: member.Instance, ScopeID: "1"},
			{CreatedAt: at(2), Roles: []string{"ORG_OWNER"}, Holder: ada, Scope: member.Org, ScopeID: "o1", Name: "Org 1"},
			{CreatedAt: at(3), Roles: []string{"ORG_OWNER", "ORG_USER_MANAGER"}, Holder: bob, Scope: member.Org, ScopeID: "o2", Name: "Org 2"},
			{
				CreatedAt: at(4), Roles: []string{"PROJECT_OWNER"}, Holder: bot, Scope: member.Project, ScopeID: "p1", Name: "Project 1",
				Project: "p1", ProjectOrg: "o1",
			},
			{
				CreatedAt: at(5), Roles: []string{"PROJECT_GRANT_OWNER"}, Holder: bob, Scope: member.ProjectGrant, ScopeID: "g", Name: "Project 1",
				Project: "p1", ProjectOrg: "o1", GrantedOrg: "o2",
			},
		}
		for i := range want {
			want[i].ChangedAt = want[i].CreatedAt.Add(time.Microsecond)
		}
		if diff := cmp.Diff(want, page); diff != "" {
			f.Errorf("(-want +got):\n%s", diff)
		}
	})
}
