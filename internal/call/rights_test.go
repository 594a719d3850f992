package call

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/role"
)

func TestReach(t *testing.T) {
	onInstance, onOrg := Reach{Instance: true}, Reach{Orgs: []ident.OrgID{"o1", "o2"}}
	onProject, onGrant := Reach{Projects: []ident.ProjectID{"p"}}, Reach{Grants: []ident.GrantID{"g"}}
	self := Reach{Self: "ada"}
	all := []Reach{onInstance, onOrg, onProject, onGrant, self, {}}
	for _, c := range []struct {
		what string
		in   func(Reach) bool
		want []bool // of all
	}{
		{"nothing", Reach.None, []bool{false, false, false, false, true, true}},
		{"an organization", func(r Reach) bool { return r.Org("o2") }, []bool{true, true, false, false, false, false}},
		{"another organization", func(r Reach) bool { return r.Org("o3") }, []bool{true, false, false, false, false, false}},
		{"no organization", func(r Reach) bool { return r.Org("") }, []bool{true, false, false, false, false, false}},
		{"a project", func(r Reach) bool { return r.Project("p", "o3") }, []bool{true, false, true, false, false, false}},
		{"a project of an organization", func(r Reach) bool { return r.Project("q", "o1") }, []bool{true, true, false, false, false, false}},
		{"a grant", func(r Reach) bool { return r.Grant("g", "q", "o3") }, []bool{true, false, false, true, false, false}},
		{"a grant of a project", func(r Reach) bool { return r.Grant("h", "p", "o3") }, []bool{true, false, true, false, false, false}},
		{"a grant of an organization", func(r Reach) bool { return r.Grant("h", "q", "o1") }, []bool{true, true, false, false, false, false}},
	} {
		for i, r := range all {
			if got := c.in(r); got != c.want[i] {
				t.Errorf("%s in %+v: %t", c.what, r, got)
			}
		}
	}
}

// rights are roles on organizations.
type rights map[ident.OrgID][]string

func (r rights) Reach(permission string) (to Reach) {
	for org, roles := range r {
		if slices.ContainsFunc(roles, func(name string) bool { return role.Instance.Grants(name, permission) }) {
			to.Orgs = append(to.Orgs, org)
		}
	}
	return to
}
func (rights) User() ident.UserID { return "ada" }
func (rights) Org() ident.OrgID   { return "7" }

func TestNobodyGivesWhatItLacks(t *testing.T) {
	for _, c := range []struct {
		has   rights
		gives []string
		may   bool
	}{
		{rights{"7": {"ORG_OWNER"}}, []string{"ORG_OWNER", "ORG_USER_MANAGER"}, true},
		{rights{"7": {"ORG_OWNER"}}, []string{"ORG_ADMIN_IMPERSONATOR"}, true}, // an owner has role.GiveAny
		{rights{"7": {"ORG_OWNER"}}, []string{"PROJECT_OWNER"}, true},
		{rights{"8": {"ORG_OWNER"}}, []string{"ORG_OWNER"}, false}, // owns another organization
		{rights{"7": {"ORG_USER_MANAGER"}}, []string{"ORG_USER_MANAGER"}, true},
		{rights{"7": {"ORG_USER_MANAGER"}}, []string{"ORG_USER_MANAGER", "ORG_OWNER"}, false},
		{rights{"7": {"ORG_OWNER_VIEWER", "ORG_USER_MANAGER"}}, []string{"ORG_USER_PERMISSION_EDITOR"}, true},
		{rights{"7": {"ORG_OWNER_VIEWER", "ORG_USER_MANAGER"}}, []string{"ORG_SETTINGS_MANAGER"}, false},
		{rights{}, []string{"ORG_USER_SELF_MANAGER"}, false},
		{rights{}, []string{"NO_SUCH_ROLE"}, true}, // gives nothing
		{rights{}, nil, true},
	} {
		err := MayGive(c.has, c.gives, func(r Reach) bool { return r.Org("7") })
		if (err == nil) != c.may {
			t.Errorf("%v gives %v: %v", c.has, c.gives, err)
		}
		if err == nil {
			continue
		}
		if f := fault.Of(err); f.Kind != fault.PermissionDenied || f.ID != "AUTH-5mWD2" || !strings.Contains(f.Message, c.gives[len(c.gives)-1]) {
			t.Errorf("refused with %v", err)
		}
		if errors.Unwrap(err) == nil {
			t.Error("the log does not learn what is lacking")
		}
	}
}
