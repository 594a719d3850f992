package member

import (
	"slices"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/role"
	"castellan/internal/search"
)

func (a Add) when(State) ([]eventlog.Payload, error) { return a.Decide(), nil }

func TestAdd(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name:  "of the instance",
			When:  Add{User: "7", Roles: []string{InstanceOwner}}.when,
			Then:  []eventlog.Payload{InstanceAdded{User: "7", Roles: []string{"IAM_OWNER"}}},
			State: &State{User: "7", Scope: Instance, ScopeID: string(logtest.Instance), Roles: []string{"IAM_OWNER"}},
		},
		{
			Name:  "of an organization",
			When:  Add{Org: "8", User: "7", Roles: []string{OrgOwner, "X"}}.when,
			Then:  []eventlog.Payload{OrgAdded{Org: "8", User: "7", Roles: []string{"ORG_OWNER", "X"}}},
			State: &State{User: "7", Scope: Org, ScopeID: "8", Roles: []string{"ORG_OWNER", "X"}},
		},
	})
}

// The first memberships are named after what they are about, and owned by it.
func TestOrigin(t *testing.T) {
	cases := []struct {
		add  Add
		want eventlog.Origin
	}{
		{Add{User: "7"}, eventlog.Origin{ID: "instance:7", Owner: "1"}},
		{Add{User: "7", Org: "8"}, eventlog.Origin{ID: "org:8:7", Owner: "8"}},
		{Add{User: "7", Org: "9"}, eventlog.Origin{ID: "org:9:7", Owner: "9"}},
	}
	for _, c := range cases {
		if got := c.add.Origin("1"); got != c.want {
			t.Errorf("%+v has the origin %+v, want %+v", c.add, got, c.want)
		}
	}
}

// scopes have, of each scope, a thing, two roles for it, what happens to a membership of it, and the id of
// the fault of roles that are none.
var scopes = []struct {
	thing                            Thing
	one, other                       string
	added, changed, removed, cascade eventlog.Payload
	refusal                          string
}{
	{
		Thing{Scope: Instance, ID: string(logtest.Instance)}, "IAM_OWNER", "IAM_ORG_MANAGER", InstanceAdded{User: "7", Roles: []string{"IAM_OWNER"}},
		InstanceChanged{User: "7", Roles: []string{"IAM_ORG_MANAGER"}}, InstanceRemoved{User: "7"}, InstanceCascadeRemoved{User: "7"}, "INSTANCE-3m9fs",
	},
	{
		Thing{Scope: Org, ID: "8"}, "ORG_OWNER", "ORG_USER_MANAGER", OrgAdded{Org: "8", User: "7", Roles: []string{"ORG_OWNER"}},
		OrgChanged{User: "7", Roles: []string{"ORG_USER_MANAGER"}}, OrgRemoved{User: "7"}, OrgCascadeRemoved{User: "7"}, "Org-4N8es",
	},
	{
		Thing{Scope: Project, ID: "9"}, "PROJECT_OWNER", "PROJECT_OWNER_VIEWER", ProjectAdded{Project: "9", User: "7", Roles: []string{"PROJECT_OWNER"}},
		ProjectChanged{User: "7", Roles: []string{"PROJECT_OWNER_VIEWER"}}, ProjectRemoved{User: "7"}, ProjectCascadeRemoved{User: "7"}, "PROJECT-3m9ds",
	},
	{
		Thing{Scope: ProjectGrant, ID: "5", Project: "9"}, "PROJECT_GRANT_OWNER", "PROJECT_GRANT_OWNER_VIEWER",
		GrantAdded{Project: "9", Grant: "5", User: "7", Roles: []string{"PROJECT_GRANT_OWNER"}},
		GrantChanged{User: "7", Roles: []string{"PROJECT_GRANT_OWNER_VIEWER"}}, GrantRemoved{User: "7"}, GrantCascadeRemoved{User: "7"}, "PROJECT-m0sDf",
	},
}

func TestEachScope(t *testing.T) {
	for _, s := range scopes {
		t.Run(string(s.thing.Scope), func(t *testing.T) {
			add := func(roles ...string) func(State) ([]eventlog.Payload, error) {
				return func(State) ([]eventlog.Payload, error) { return New{User: "7", Roles: roles}.Decide(s.thing) }
			}
			state := func(removed bool, roles ...string) *State {
				return &State{User: "7", Scope: s.thing.Scope, ScopeID: s.thing.ID, Roles: roles, Removed: removed}
			}
			given := []eventlog.Payload{s.added}
			refused := func(id string, field string) *logtest.Refusal {
				return &logtest.Refusal{Kind: fault.InvalidArgument, ID: id, Fields: []string{field}}
			}
			many := slices.Repeat([]string{s.one}, search.MaxValues+1)
			logtest.Run(t, Noun, []logtest.Case[State]{
				{Name: "add", When: add(s.one), Then: given, State: state(false, s.one)},
				{Name: "add without roles", When: add(), Fault: refused(s.refusal, "roles")},
				{Name: "add a role there is not", When: add(s.one, s.one+"_X"), Fault: refused(s.refusal, "roles[1]")},
				{Name: "add a role of the system", When: add("SYSTEM_OWNER"), Fault: refused(s.refusal, "roles[0]")},
				{Name: "add too many", When: add(many...), Fault: refused("SEARCH-max01", "roles")},
				{Name: "change", Given: given, When: Change{Roles: []string{s.other}}.Decide, Then: []eventlog.Payload{s.changed}, State: state(false, s.other)},
				{Name: "change to the same", Given: given, When: Change{Roles: []string{s.one}}.Decide},
				{Name: "change to none", Given: given, When: Change{}.Decide, Fault: refused(s.refusal, "roles")},
				{Name: "remove", Given: given, When: Remove{}.Decide, Then: []eventlog.Payload{s.removed}, State: state(true, s.one)},
				{Name: "remove with its user", Given: given, When: Remove{Cascade: true}.Decide, Then: []eventlog.Payload{s.cascade}, State: state(true, s.one)},
			})
		})
	}
}

// A role is for one kind of thing.
func TestTakes(t *testing.T) {
	for _, name := range role.Instance.Roles() {
		var by []Scope
		for _, s := range []Scope{Instance, Org, Project, ProjectGrant, ""} {
			if s.Takes(name) {
				by = append(by, s)
			}
		}
		system := slices.Contains([]string{"SYSTEM_OWNER", "SYSTEM_OWNER_VIEWER", "SELF_MANAGEMENT_GLOBAL"}, name)
		if (len(by) == 1) == system {
			t.Errorf("%s is taken by %q", name, by)
		}
	}
}
