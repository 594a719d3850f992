package user

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

// people are the users of the lists: id, organization, kind, user name, first and last name.
var people = [][6]string{
	{"1", "7", "human", "ada", "Ada", "Lovelace"},
	{"2", "7", "human", "Émile", "émile", "Zola"},
	{"3", "8", "human", "grace", "Grace", "Hopper"},
	{"4", "8", "machine", "ci", "", ""},
	{"5", "8", "human", "zoe", "adam", "Straße"},
}

// eachList has the people in instance 1, and their doubles in instance 2.
func eachList(t *testing.T, fn func(t *testing.T, db store.DB)) {
	eachEngine(t, func(f *fixture) {
		for _, at := range []ident.InstanceID{"1", "2"} {
			for _, p := range people {
				wish := Create{Org: ident.OrgID(p[1]), ID: ident.UserID(p[0]), UserName: p[3]}
				if p[2] == "machine" {
					wish.Machine = &AddMachine{Name: "Hopper's"}
				} else {
					wish.Human = &CreateHuman{AddHuman: AddHuman{FirstName: p[4], LastName: p[5], Email: p[3] + "@X.example", Phone: "+4179123456" + p[0]}}
				}
				_, _, err := f.users.Create(f.Context(), at, "bob", wish)
				f.must(err)
				f.clock.Advance(time.Minute)
			}
		}
		_, err := f.users.Lock(f.Context(), "1", "bob", "3")
		f.must(err)
		fn(f.T, f.db)
	})
}

func list(t *testing.T, db store.DB, s Search) string {
	t.Helper()
	total, page, err := List(t.Context(), db, "1", s)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(page))
	for i, s := range page {
		ids[i] = s.ID
		if got, err := Get(t.Context(), db, "1", ident.UserID(s.ID)); err != nil || got.Sequence != s.Sequence {
			t.Errorf("listed %+v, which is %+v, %v", s, got, err)
		}
	}
	return fmt.Sprintf("%d: %s", total, strings.Join(ids, " "))
}

func text(value string, method search.Method) search.Text {
	return search.Text{Value: value, Method: method}
}

func TestListConditions(t *testing.T) {
	a, e := Is(FirstName, text("ada", search.StartsWithIgnoreCase)), Is(LastName, text("STRASSE", search.EqualsIgnoreCase))
	cases := []struct {
		name string
		all  []Condition
		want string
	}{
		{"none", nil, "5: 1 2 3 4 5"},
		{"user name", []Condition{Is(UserName, text("ada", search.Equals))}, "1: 1"},
		{"user name in another case, exactly", []Condition{Is(UserName, text("ADA", search.Equals))}, "0: "},
		{"user name in another case", []Condition{Is(UserName, text("éMILE", search.EqualsIgnoreCase))}, "1: 2"},
		{"user name of a machine", []Condition{Is(UserName, text("C", search.StartsWithIgnoreCase))}, "1: 4"},
		{"first name", []Condition{a}, "2: 1 5"},
		{"first name, exactly", []Condition{Is(FirstName, text("émile", search.Equals))}, "1: 2"},
		{"last name", []Condition{e}, "1: 5"},
		{"display name", []Condition{Is(DisplayName, text("ace", search.Contains))}, "2: 1 3"},
		{"nick name that all humans have not", []Condition{Is(NickName, text("", search.Equals))}, "4: 1 2 3 5"},
		{"address", []Condition{Is(Email, text("ADA@x.example", search.EqualsIgnoreCase))}, "1: 1"},
		{"address, exactly", []Condition{Is(Email, text("ada@x.example", search.Equals))}, "0: "},
		{"address that is not ASCII", []Condition{Is(Email, text("ÉMILE@x.example", search.EqualsIgnoreCase))}, "1: 2"},
		{"addresses", []Condition{HasEmail([]string{"ada@X.example", "Émile@X.example", "grace@x.example"})}, "2: 1 2"},
		{"no addresses", []Condition{HasEmail(nil)}, "0: "},
		{"number", []Condition{Is(Phone, text("3", search.EndsWith))}, "1: 3"},
		{"ids", []Condition{HasID([]ident.UserID{"4", "1", "404"})}, "2: 1 4"},
		{"ids, and others", []Condition{HasID([]ident.UserID{"4", "1"}), HasID([]ident.UserID{"4", "2"})}, "1: 4"},
		{"no ids", []Condition{HasID(nil)}, "0: "},
		{"organization", []Condition{OwnedBy("8")}, "3: 3 4 5"},
		{"kind", []Condition{OfKind(Machine)}, "1: 4"},
		{"status", []Condition{HasStatus(LockedOut)}, "1: 3"},
		{"all", []Condition{OwnedBy("8"), OfKind(Human), a}, "1: 5"},
		{"all within", []Condition{listing.All([]Condition{OwnedBy("8"), listing.All([]Condition{OfKind(Human)})})}, "2: 3 5"},
		{"any", []Condition{listing.Any([]Condition{a, OfKind(Machine)})}, "3: 1 4 5"},
		{"any of none", []Condition{listing.Any(nil)}, "0: "},
		{"all of none", []Condition{listing.All(nil)}, "5: 1 2 3 4 5"},
		{"not", []Condition{listing.Not(OwnedBy("8"))}, "2: 1 2"},
		{"not, of what a machine has not", []Condition{listing.Not(a)}, "3: 2 3 4"},
		{"nested", []Condition{listing.Not(listing.Any([]Condition{listing.All([]Condition{OwnedBy("7"), listing.Not(a)}), HasStatus(LockedOut)})), OfKind(Human)}, "2: 1 5"},
	}
	eachList(t, func(t *testing.T, db store.DB) {
		for _, c := range cases {
			s := Search{Page: search.Page{Ascending: true}, Within: call.Reach{Instance: true}, All: c.all}
			if got := list(t, db, s); got != c.want {
				t.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestListPagesAndReach(t *testing.T) {
	everything := call.Reach{Instance: true}
	cases := []struct {
		name string
		Search
		want string
	}{
		{"down", Search{Within: everything}, "5: 5 4 3 2 1"},
		{"a page", Search{Within: everything, Page: search.Page{Offset: 1, Limit: 2, Ascending: true}}, "5: 2 3"},
		{"by user name", Search{Within: everything, By: ByUserName, Page: search.Page{Ascending: true}}, "5: 1 4 3 5 2"},
		{"by first name", Search{Within: everything, By: ByFirstName, Page: search.Page{Ascending: true}}, "5: 4 1 5 3 2"},
		{"by last name", Search{Within: everything, By: ByLastName, Page: search.Page{Ascending: true}}, "5: 4 3 1 5 2"},
		{"by nick name", Search{Within: everything, By: ByNickName, Page: search.Page{Ascending: true}}, "5: 1 2 3 4 5"},
		{"by display name", Search{Within: everything, By: ByDisplayName, Page: search.Page{Ascending: true}}, "5: 4 1 5 3 2"},
		{"by address", Search{Within: everything, By: ByEmail, Page: search.Page{Ascending: true}}, "5: 4 1 3 5 2"},
		{"by status", Search{Within: everything, By: ByStatus}, "5: 3 5 4 2 1"},
		{"by kind", Search{Within: everything, By: ByKind}, "5: 4 5 3 2 1"},
		{"by what there is not", Search{Within: everything, By: 99}, "5: 5 4 3 2 1"},
		{"nothing", Search{}, "0: "},
		{"itself", Search{Within: call.Reach{Self: "3"}}, "1: 3"},
		{"an organization and itself", Search{Within: call.Reach{Self: "1", Orgs: []ident.OrgID{"8", "9"}}}, "4: 5 4 3 1"},
		{"an organization, with a condition", Search{
			Within: call.Reach{Self: "1", Orgs: []ident.OrgID{"8"}}, All: []Condition{Is(FirstName, text("AD", search.StartsWithIgnoreCase))},
		}, "2: 5 1"},
	}
	eachList(t, func(t *testing.T, db store.DB) {
		for _, c := range cases {
			if got := list(t, db, c.Search); got != c.want {
				t.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}
	})
}

// An error of the database comes back.
func TestListError(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := List(ctx, db, "1", Search{}); err == nil {
			t.Error("a list was read after its context had ended")
		}
	})
}
