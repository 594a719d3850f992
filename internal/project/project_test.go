package project

import (
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func ptr[T any](v T) *T { return &v }

func refusal(kind fault.Kind, id string, fields ...string) *logtest.Refusal {
	return &logtest.Refusal{Kind: kind, ID: id, Fields: fields}
}

func (n New) when(State) ([]eventlog.Payload, error) { return n.Decide() }

func TestAdd(t *testing.T) {
	all := Add{Name: "ACME", RoleAssertion: true, AuthorizationRequired: true, AccessRequired: true, Labeling: 2}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name:  "of the instance",
			When:  func(State) ([]eventlog.Payload, error) { return Add{Name: "ACME"}.Decide(), nil },
			Then:  []eventlog.Payload{Added{Name: "ACME"}},
			State: &State{Name: "ACME", Active: true},
		},
		{
			Name:  "with all that can be set",
			When:  New{all}.when,
			Then:  []eventlog.Payload{Added{Name: "ACME", RoleAssertion: true, AuthorizationRequired: true, AccessRequired: true, Labeling: 2}},
			State: &State{Name: "ACME", Active: true, RoleAssertion: true, AuthorizationRequired: true, AccessRequired: true, Labeling: 2},
		},
		{Name: "the name loses surrounding space", When: New{Add{Name: " A B\t"}}.when, Then: []eventlog.Payload{Added{Name: "A B"}}},
		{Name: "blank name", When: New{Add{Name: " \t"}}.when, Fault: refusal(fault.InvalidArgument, "PROJECT-IOVCC", "name")},
	})
}

func TestChange(t *testing.T) {
	given := []eventlog.Payload{Added{Name: "ACME", RoleAssertion: true, Labeling: 1}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "everything", Given: given,
			When: Change{
				Name: ptr(" New "), RoleAssertion: ptr(false), AuthorizationRequired: ptr(true), AccessRequired: ptr(true), Labeling: ptr(0),
			}.Decide,
			Then: []eventlog.Payload{Changed{
				Name: ptr("New"), RoleAssertion: ptr(false), AuthorizationRequired: ptr(true), AccessRequired: ptr(true), Labeling: ptr(0),
			}},
			State: &State{Name: "New", Active: true, AuthorizationRequired: true, AccessRequired: true},
		},
		{
			Name: "what differs", Given: given, When: Change{Name: ptr("ACME"), RoleAssertion: ptr(true), Labeling: ptr(2)}.Decide,
			Then:  []eventlog.Payload{Changed{Labeling: ptr(2)}},
			State: &State{Name: "ACME", Active: true, RoleAssertion: true, Labeling: 2},
		},
		{Name: "nothing differs", Given: given, When: Change{Name: ptr("ACME"), AccessRequired: ptr(false)}.Decide},
		{Name: "nothing is wished", Given: given, When: Change{}.Decide},
		{Name: "blank name", Given: given, When: Change{Name: ptr("\n")}.Decide, Fault: refusal(fault.InvalidArgument, "COMMAND-4m9vS", "name")},
	})
}

func TestState(t *testing.T) {
	given := []eventlog.Payload{Added{Name: "ACME"}}
	inactive := []eventlog.Payload{Added{Name: "ACME"}, Deactivated{}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "deactivate", Given: given, When: Deactivate{}.Decide, Then: []eventlog.Payload{Deactivated{}}, State: &State{Name: "ACME"}},
		{Name: "reactivate", Given: inactive, When: Reactivate{}.Decide, Then: []eventlog.Payload{Reactivated{}}, State: &State{Name: "ACME", Active: true}},
		{Name: "inactive already", Given: inactive, When: Deactivate{}.Decide, Fault: refusal(fault.FailedPrecondition, "COMMAND-mki55")},
		{Name: "active already", Given: given, When: Reactivate{}.Decide, Fault: refusal(fault.FailedPrecondition, "COMMAND-5M9bs")},
	})
	removed := logtest.Fold(t, Noun, Added{Name: "ACME"}, Removed{})
	for _, table := range Noun.Tables {
		if rows := table.Rows(removed); rows != nil {
			t.Errorf("removed, and yet %s has %v", table.Name, rows)
		}
	}
}

func TestRole(t *testing.T) {
	given := []eventlog.Payload{RoleAdded{Project: "7", Key: "admin", DisplayName: "Admin", Group: "all"}}
	logtest.Run(t, RoleNoun, []logtest.Case[Role]{
		{
			Name: "add",
			When: func(Role) ([]eventlog.Payload, error) {
				return NewRole{Project: "7", Key: "admin", DisplayName: "Admin", Group: "all"}.Decide()
			},
			Then:  given,
			State: &Role{Project: "7", Key: "admin", DisplayName: "Admin", Group: "all"},
		},
		{
			Name: "add without a key",
			When: func(Role) ([]eventlog.Payload, error) {
				return NewRole{Project: "7", Key: " ", DisplayName: "A"}.Decide()
			},
			Fault: refusal(fault.InvalidArgument, "COMMAND-4m9vS", "role_key"),
		},
		{
			Name: "change", Given: given, When: ChangeRole{DisplayName: ptr("Boss"), Group: ptr("")}.Decide,
			Then:  []eventlog.Payload{RoleChanged{Key: "admin", DisplayName: ptr("Boss"), Group: ptr("")}},
			State: &Role{Project: "7", Key: "admin", DisplayName: "Boss"},
		},
		{Name: "change nothing", Given: given, When: ChangeRole{DisplayName: ptr("Admin")}.Decide},
	})
	if rows := roleTables[0].Rows(logtest.Fold(t, RoleNoun, given[0], RoleRemoved{Key: "admin"})); rows != nil {
		t.Errorf("removed, and yet there is %v", rows)
	}
}

func TestGrant(t *testing.T) {
	given := []eventlog.Payload{GrantAdded{Grant: "g", Project: "7", Org: "b", Roles: []string{"x", "y"}}}
	inactive := append(append([]eventlog.Payload(nil), given...), GrantDeactivated{Grant: "g"})
	id := func(events []eventlog.Payload) []eventlog.Payload { return events }
	add := func(org string, roles ...string) func(Grant) ([]eventlog.Payload, error) {
		return func(Grant) ([]eventlog.Payload, error) {
			return NewGrant{Project: "7", Org: "b", Roles: roles}.Decide("g", "a", []string{"x", "y"})
		}
	}
	change := func(roles ...string) func(Grant) ([]eventlog.Payload, error) {
		return func(g Grant) ([]eventlog.Payload, error) {
			g.ID = "g"
			return ChangeGrant{Roles: roles}.Decide(g, []string{"x", "y", "z"})
		}
	}
	many := make([]string, 1001)
	logtest.Run(t, GrantNoun, []logtest.Case[Grant]{
		{
			Name: "add, a role twice", When: add("b", "x", "y", "x"), Then: id(given),
			State: &Grant{Project: "7", Org: "b", Roles: []string{"x", "y"}, Active: true},
		},
		{
			Name: "add without roles", When: add("b"), Then: []eventlog.Payload{GrantAdded{Grant: "g", Project: "7", Org: "b"}},
			State: &Grant{Project: "7", Org: "b", Active: true},
		},
		{Name: "add a role that is none", When: add("b", "x", "z"), Fault: refusal(fault.FailedPrecondition, "COMMAND-6m9gd", "role_keys[1]")},
		{
			Name:  "add to the owner",
			When:  func(Grant) ([]eventlog.Payload, error) { return NewGrant{Project: "7", Org: "a"}.Decide("g", "a", nil) },
			Fault: refusal(fault.FailedPrecondition, "PROJECT-ckUpbvboAH", "granted_organization_id"),
		},
		{Name: "add too many", When: add("b", many...), Fault: refusal(fault.InvalidArgument, "SEARCH-max01", "role_keys")},
		{
			Name: "change", Given: given, When: change("z", "y"),
			Then:  []eventlog.Payload{GrantChanged{Grant: "g", Roles: []string{"z", "y"}}},
			State: &Grant{Project: "7", Org: "b", Roles: []string{"z", "y"}, Active: true},
		},
		{
			Name: "change to none", Given: given, When: change(), Then: []eventlog.Payload{GrantChanged{Grant: "g"}},
			State: &Grant{Project: "7", Org: "b", Active: true},
		},
		{Name: "change nothing", Given: given, When: change("x", "y", "y")},
		{Name: "change to what is none", Given: given, When: change("w"), Fault: refusal(fault.FailedPrecondition, "COMMAND-6m9gd", "role_keys[0]")},
		{
			Name: "deactivate", Given: given, When: withID(DeactivateGrant{}.Decide), Then: []eventlog.Payload{GrantDeactivated{Grant: "g"}},
			State: &Grant{Project: "7", Org: "b", Roles: []string{"x", "y"}},
		},
		{
			Name: "reactivate", Given: inactive, When: withID(ReactivateGrant{}.Decide), Then: []eventlog.Payload{GrantReactivated{Grant: "g"}},
			State: &Grant{Project: "7", Org: "b", Roles: []string{"x", "y"}, Active: true},
		},
		{Name: "inactive already", Given: inactive, When: DeactivateGrant{}.Decide},
		{Name: "active already", Given: given, When: ReactivateGrant{}.Decide},
		{
			Name: "a role goes", Given: given,
			When:  withID(func(g Grant) ([]eventlog.Payload, error) { return g.without("x"), nil }),
			Then:  []eventlog.Payload{GrantCascadeChanged{Grant: "g", Roles: []string{"y"}}},
			State: &Grant{Project: "7", Org: "b", Roles: []string{"y"}, Active: true},
		},
	})
	removed := logtest.Fold(t, GrantNoun, given[0], GrantRemoved{Grant: "g"})
	for _, table := range GrantNoun.Tables {
		if rows := table.Rows(removed); rows != nil {
			t.Errorf("removed, and yet %s has %v", table.Name, rows)
		}
	}
}

// withID gives a decision the grant with the id g.
func withID(decide func(Grant) ([]eventlog.Payload, error)) func(Grant) ([]eventlog.Payload, error) {
	return func(g Grant) ([]eventlog.Payload, error) {
		g.ID = "g"
		return decide(g)
	}
}

// Keys of roles may hold any character.
func TestRolesInAColumn(t *testing.T) {
	for _, roles := range [][]string{nil, {"a"}, {`"`, ",", "a b", "\n", "日本", `\`}} {
		got, err := decodeRoles(encodeRoles(roles))
		if err != nil || len(got) != len(roles) {
			t.Errorf("%q became %q, %v", roles, got, err)
			continue
		}
		for i := range roles {
			if got[i] != roles[i] {
				t.Errorf("%q became %q", roles, got)
			}
		}
	}
	if _, err := decodeRoles("damaged"); err == nil {
		t.Error("a damaged column was read")
	}
}
