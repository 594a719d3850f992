package access

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/member"
)

// TestReach: a role counts on what it is made for, and the reach of a permission is what all roles that
// grant it give together.
func TestReach(t *testing.T) {
	on := func(scope member.Scope, id string, roles ...string) Membership {
		return Membership{Scope: scope, ID: id, Roles: roles}
	}
	for name, c := range map[string]struct {
		permission string
		has        []Membership
		want       call.Reach
	}{
		"nothing":                      {"user.read", nil, call.Reach{}},
		"the instance":                 {"user.write", []Membership{on(member.Instance, "A", "IAM_OWNER")}, call.Reach{Instance: true}},
		"a lesser role":                {"user.write", []Membership{on(member.Instance, "A", "IAM_OWNER_VIEWER")}, call.Reach{}},
		"one of two roles":             {"user.read", []Membership{on(member.Org, "1", "NO_SUCH_ROLE", "ORG_OWNER")}, call.Reach{Orgs: []ident.OrgID{"1"}}},
		"another instance":             {"user.write", []Membership{on(member.Instance, "B", "IAM_OWNER")}, call.Reach{}},
		"ORG on the instance":          {"user.write", []Membership{on(member.Instance, "A", "ORG_OWNER")}, call.Reach{}},
		"IAM on an organization":       {"user.write", []Membership{on(member.Org, "1", "IAM_OWNER")}, call.Reach{}},
		"SYSTEM on the instance":       {"system.instance.read", []Membership{on(member.Instance, "A", "SYSTEM_OWNER")}, call.Reach{}},
		"PROJECT on an organization":   {"project.read", []Membership{on(member.Org, "1", "PROJECT_OWNER")}, call.Reach{}},
		"PROJECT_GRANT on a project":   {"project.read", []Membership{on(member.Project, "p", "PROJECT_GRANT_OWNER")}, call.Reach{}},
		"PROJECT on a grant":           {"project.read", []Membership{on(member.ProjectGrant, "g", "PROJECT_OWNER")}, call.Reach{}},
		"SELF on an organization":      {"org.create", []Membership{on(member.Org, "1", "SELF_MANAGEMENT_GLOBAL")}, call.Reach{}},
		"in no scope that is known":    {"project.read", []Membership{on("galaxy", "A", "IAM_OWNER")}, call.Reach{}},
		"a permission nobody declared": {"", []Membership{on(member.Instance, "A", "IAM_OWNER")}, call.Reach{}},
		"all of it": {
			"project.read", []Membership{
				on(member.Org, "1", "ORG_OWNER"), on(member.Org, "2", "ORG_OWNER_VIEWER"), on(member.Org, "3", "ORG_SETTINGS_MANAGER"),
				on(member.Project, "p", "PROJECT_OWNER_VIEWER"), on(member.ProjectGrant, "g", "PROJECT_GRANT_OWNER"),
			},
			call.Reach{Orgs: []ident.OrgID{"1", "2"}, Projects: []ident.ProjectID{"p"}, Grants: []ident.GrantID{"g"}},
		},
	} {
		u := User{ID: "ada", Instance: Instance{ID: "A"}, ResourceOwner: "1", Memberships: c.has}
		c.want.Self = "ada"
		if diff := cmp.Diff(c.want, u.Reach(c.permission)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheOrganizationOfACall(t *testing.T) {
	u := User{ID: "ada", ResourceOwner: "1", Memberships: []Membership{
		{Scope: member.Org, ID: "2", Owner: "2"}, {Scope: member.ProjectGrant, ID: "g", Owner: "3"},
	}}
	if u.Org() != "1" || u.User() != "ada" {
		t.Errorf("%+v", u)
	}
	for _, org := range []ident.OrgID{"1", "2", "3"} {
		if of, err := u.For(org); err != nil || of.Org() != org || u.Org() != "1" {
			t.Errorf("for %s: %+v, %v", org, of, err)
		}
	}
	if of, err := u.For("4"); !errors.Is(err, NoOrg) || of.ID != "" {
		t.Errorf("where it is nobody: %+v, %v", of, err)
	}
	u.Memberships = append(u.Memberships, Membership{Scope: member.Instance, ID: "A", Owner: "A"})
	if _, err := u.For("4"); err != nil {
		t.Errorf("of the instance: %v", err)
	}
}
