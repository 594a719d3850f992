package project

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/search"
)

func text(value string, method search.Method) []search.Text {
	return []search.Text{{Value: value, Method: method}}
}

// world has projects p (Shop, of a), q (shelf, of a), r (Bank, of b), each made a minute after the one before,
// and grants of p to b and c, with the roles x and y, and of r to a, in the same way.
func world(f *fixture) {
	tick := func() { f.clock.Advance(time.Minute) }
	tick()
	f.have("a", "p", "Shop", "x", "y")
	tick()
	f.have("a", "q", "shelf")
	tick()
	f.have("b", "r", "Bank", "Xx")
	tick()
	f.grant("p", "b", "x", "y")
	tick()
	f.grant("p", "c", "y")
	tick()
	f.grant("r", "a", "Xx")
}

var everything = call.Reach{Instance: true}

func TestList(t *testing.T) {
	up := search.Page{Ascending: true}
	all := func(s Search) Search {
		s.Projects, s.Grants = everything, everything
		return s
	}
	orgs := func(ids ...ident.OrgID) call.Reach { return call.Reach{Orgs: ids} }
	cases := []struct {
		name string
		by   Search
		want string
	}{
		{"all, down", all(Search{}), "7: r>a p>c p>b r q p own"},
		{"all, up", all(Search{Page: up}), "7: own p q r p>b p>c r>a"},
		{"by id", all(Search{Page: up, By: ByID}), "7: own p>b p>c p q r>a r"},
		{"by name", all(Search{Page: up, By: ByName}), "7: r>a r own p>b p>c p q"},
		{"by change", all(Search{Page: up, By: ByChange}), "7: own p q r p>b p>c r>a"},
		{"a page", all(Search{Page: search.Page{Ascending: true, Offset: 3, Limit: 2}}), "7: r p>b"},
		{"by name, exactly", all(Search{Page: up, Names: text("Shop", search.Equals)}), "3: p p>b p>c"},
		{"by name, in any case", all(Search{Page: up, Names: text("SH", search.StartsWithIgnoreCase)}), "4: p q p>b p>c"},
		{"by ids", all(Search{Page: up, IDs: [][]string{{"q", "r", "x"}}}), "3: q r r>a"},
		{"by two lists of ids", all(Search{Page: up, IDs: [][]string{{"q", "r"}, {"p", "q"}}}), "1: q"},
		{"owned", all(Search{Page: up, Owned: []ident.OrgID{"b"}}), "2: r r>a"},
		{"granted", all(Search{Page: up, Granted: []ident.OrgID{"b"}}), "1: p>b"},
		{"either", all(Search{Page: up, Either: []ident.OrgID{"b"}}), "3: r p>b r>a"},
		{"nothing may be shown", Search{}, "0:"},
		{"projects of an organization", Search{Page: up, Projects: orgs("b")}, "1: r"},
		{"grants of and to an organization", Search{Page: up, Grants: orgs("b")}, "2: p>b r>a"},
		{"both", Search{Page: up, Projects: orgs("b"), Grants: orgs("b")}, "3: r p>b r>a"},
		{
			"a project and its grants",
			Search{Page: up, Projects: call.Reach{Projects: []ident.ProjectID{"p"}}, Grants: call.Reach{Projects: []ident.ProjectID{"p"}}}, "3: p p>b p>c",
		},
		{"all projects, no grants", Search{Page: up, Projects: everything}, "4: own p q r"},
		{"by name, of those that may be shown", Search{Page: up, Projects: orgs("a"), Names: text("b", search.Contains)}, "0:"},
	}
	eachEngine(t, func(f *fixture) {
		world(f)
		for _, c := range cases {
			total, page, err := List(f.Context(), f.projects.DB, "1", c.by)
			if err != nil {
				f.Errorf("%s: %v", c.name, err)
				continue
			}
			got := fmt.Sprintf("%d:", total)
			for _, l := range page {
				got += " " + l.ID
				if l.Grant != nil {
					got += ">" + string(l.Grant.Org)
					if l.GrantedOrgName != "Org "+string(l.Grant.Org) || string(l.Grant.Project) != l.ID {
						f.Errorf("%s: listed %+v", c.name, l)
					}
				}
				if s, err := Get(f.Context(), f.projects.DB, "1", ident.ProjectID(l.ID)); err != nil || s != l.State {
					f.Errorf("%s: listed %+v, is %+v, %v", c.name, l.State, s, err)
				}
			}
			if got != c.want {
				f.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
		// What a grant alone reaches.
		_, grants, err := ListGrants(f.Context(), f.projects.DB, "1", GrantSearch{Shown: everything, Granted: []ident.OrgID{"c"}})
		f.must(err)
		one := call.Reach{Grants: []ident.GrantID{grants[0].Grant.GrantID()}}
		if total, page, err := List(f.Context(), f.projects.DB, "1", Search{Projects: one, Grants: one}); err != nil || total != 1 || page[0].Grant.Org != "c" {
			f.Errorf("a grant reaches %d: %+v, %v", total, page, err)
		}
		if total, page, err := List(f.Context(), f.projects.DB, "2", all(Search{})); err != nil || total != 1 || page[0].ID != "own" {
			f.Errorf("the other instance has %d: %+v, %v", total, page, err)
		}
	})
}

func TestListGrants(t *testing.T) {
	up := search.Page{Ascending: true}
	cases := []struct {
		name string
		by   GrantSearch
		want string
	}{
		{"all, down", GrantSearch{}, "3: r>a p>c p>b"},
		{"by project", GrantSearch{Page: up, By: ByID}, "3: p>b p>c r>a"},
		{"by change", GrantSearch{Page: up, By: ByChange}, "3: p>b p>c r>a"},
		{"a page", GrantSearch{Page: search.Page{Ascending: true, Offset: 1, Limit: 1}}, "3: p>c"},
		{"by name", GrantSearch{Page: up, Names: text("SHOP", search.EqualsIgnoreCase)}, "2: p>b p>c"},
		{"by role", GrantSearch{Page: up, RoleKeys: text("x", search.Equals)}, "1: p>b"},
		{"by role, in any case", GrantSearch{Page: up, RoleKeys: text("X", search.StartsWithIgnoreCase)}, "2: p>b r>a"},
		{"by two roles", GrantSearch{Page: up, RoleKeys: append(text("x", search.Equals), text("y", search.Contains)...)}, "1: p>b"},
		{"by projects", GrantSearch{Page: up, IDs: [][]string{{"r", "x"}}}, "1: r>a"},
		{"owned", GrantSearch{Page: up, Owned: []ident.OrgID{"a"}}, "2: p>b p>c"},
		{"granted", GrantSearch{Page: up, Granted: []ident.OrgID{"a"}}, "1: r>a"},
		{"of and to an organization", GrantSearch{Page: up, Shown: call.Reach{Orgs: []ident.OrgID{"b"}}}, "2: p>b r>a"},
		{"of a project", GrantSearch{Page: up, Shown: call.Reach{Projects: []ident.ProjectID{"p"}}}, "2: p>b p>c"},
		{"none may be shown", GrantSearch{Shown: call.Reach{Self: "ada"}}, "0:"},
	}
	eachEngine(t, func(f *fixture) {
		world(f)
		for _, c := range cases {
			if s := c.by.Shown; !s.Instance && s.None() && s.Self == "" {
				c.by.Shown = everything
			}
			total, page, err := ListGrants(f.Context(), f.projects.DB, "1", c.by)
			if err != nil {
				f.Errorf("%s: %v", c.name, err)
				continue
			}
			got := fmt.Sprintf("%d:", total)
			for _, l := range page {
				got += " " + l.ID + ">" + string(l.Grant.Org)
			}
			if got != c.want {
				f.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestListRoles(t *testing.T) {
	up := search.Page{Ascending: true}
	eachEngine(t, func(f *fixture) {
		f.have("a", "q", "Other", "not")
		f.have("a", "p", "Shop")
		for _, key := range []string{"b", "a", "C"} {
			f.clock.Advance(time.Minute)
			_, err := f.projects.AddRole(f.Context(), "1", "ada", NewRole{Project: "p", Key: key, DisplayName: "Role " + key, Group: key})
			f.must(err)
		}
		f.clock.Advance(time.Minute)
		_, err := f.projects.ChangeRole(f.Context(), "1", "ada", "p", "a", ChangeRole{Group: ptr("new")})
		f.must(err)
		for _, c := range []struct {
			by   RoleSearch
			want string
		}{
			{RoleSearch{}, "3 C a b"},
			{RoleSearch{Page: up}, "3 b a C"},
			{RoleSearch{Page: up, By: ByID}, "3 C a b"},
			{RoleSearch{Page: up, By: ByChange}, "3 b C a"},
			{RoleSearch{Page: search.Page{Offset: 1, Limit: 1}}, "3 a"},
			{RoleSearch{Keys: text("c", search.EqualsIgnoreCase)}, "1 C"},
			{RoleSearch{Page: up, DisplayNames: text("role", search.StartsWithIgnoreCase)}, "3 b a C"},
			{RoleSearch{DisplayNames: text("Role b", search.Equals)}, "1 b"},
			{RoleSearch{Keys: text("a", search.Equals), DisplayNames: text("Role b", search.Equals)}, "0"},
		} {
			if got, _, _ := listRoles(f, "p", c.by); got != c.want {
				f.Errorf("%+v finds %q, want %q", c.by, got, c.want)
			}
		}
		if _, _, err := ListRoles(f.Context(), f.projects.DB, "2", "p", RoleSearch{}); !errors.Is(err, NotFound) {
			f.Errorf("of another instance: %v", err)
		}
	})
}
