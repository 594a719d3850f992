package listing_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// rows are the organizations of the tests: id, name, state.
var rows = [][3]string{
	{"1", "Alpha", "active"}, {"2", "beta", "active"}, {"3", "BETA", "inactive"},
	{"4", "Straße", "active"}, {"5", "Alpha", "inactive"}, {"6", "100%_x", "active"},
}

func eachEngine(t *testing.T, fn func(t *testing.T, db store.DB)) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for i, r := range rows {
				for _, instance := range []string{"7", "8"} { // 8 is a neighbour, whose rows are in no list of 7
					err := tx.Exec(ctx, `INSERT INTO orgs (instance_id, org_id, name, state, sequence, created_at, changed_at)
 VALUES ($1, $2, $3, $4, 1, $5, $5)`, instance, r[0], r[1], r[2], int64(i/2))
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		fn(t, db)
	})
}

// find returns the total and the ids of a page of the organizations of instance 7.
func find(t *testing.T, db store.DB, page search.Page, by string, ask func(l *listing.List)) string {
	t.Helper()
	l := listing.New(db.Dialect(), "orgs", "org_id")
	l.And("instance_id = " + l.Arg("7"))
	ask(l)
	var found string
	err := db.Snapshot(t.Context(), func(ctx context.Context, q store.Querier) error {
		total, ids, err := l.Find(ctx, q, page, by)
		found = fmt.Sprintf("%d: %s", total, strings.Join(ids, " "))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFind(t *testing.T) {
	up := search.Page{Ascending: true}
	cases := []struct {
		name string
		page search.Page
		by   string
		ask  func(l *listing.List)
		want string
	}{
		{"all, down", search.Page{}, "org_id", func(*listing.List) {}, "6: 6 5 4 3 2 1"},
		{"all, up", up, "org_id", func(*listing.List) {}, "6: 1 2 3 4 5 6"},
		{"equals are sorted by id", search.Page{}, "created_at", func(*listing.List) {}, "6: 6 5 4 3 2 1"},
		{"by name", up, "name", func(*listing.List) {}, "6: 6 1 5 3 4 2"},
		{"a page", search.Page{Ascending: true, Offset: 2, Limit: 2}, "org_id", func(*listing.List) {}, "6: 3 4"},
		{"behind the end", search.Page{Offset: 6, Limit: 2}, "org_id", func(*listing.List) {}, "6: "},
		{"a condition", up, "org_id", func(l *listing.List) { l.And("state = " + l.Arg("inactive")) }, "2: 3 5"},
		{"among", up, "org_id", func(l *listing.List) { l.Among("org_id", "5", "2", "404") }, "2: 2 5"},
		{"among none", up, "org_id", func(l *listing.List) { l.Among("org_id") }, "0: "},
		{"among twice", up, "org_id", func(l *listing.List) { l.Among("org_id", "5", "2"); l.Among("org_id", "3", "2") }, "1: 2"},
		{"among two columns", up, "org_id", func(l *listing.List) { l.Among("org_id", "5", "2"); l.Among("state", "active") }, "1: 2"},
		{"text, exactly", up, "org_id", func(l *listing.List) { l.Compare("name", search.Text{Value: "Alpha"}) }, "2: 1 5"},
		{"text, in any case", up, "org_id", func(l *listing.List) {
			l.Compare("name", search.Text{Value: "STRASSE", Method: search.EqualsIgnoreCase})
		}, "1: 4"},
		{"text, with signs of patterns", up, "org_id", func(l *listing.List) {
			l.Compare("name", search.Text{Value: "%_", Method: search.Contains})
		}, "1: 6"},
		{"two texts and a condition", up, "org_id", func(l *listing.List) {
			l.And("state = " + l.Arg("active"))
			l.Compare("name", search.Text{Value: "b", Method: search.StartsWithIgnoreCase})
			l.Compare("name", search.Text{Value: "TA", Method: search.EndsWithIgnoreCase})
		}, "1: 2"},
		{"a page of texts", search.Page{Ascending: true, Offset: 1, Limit: 1}, "org_id", func(l *listing.List) {
			l.Compare("name", search.Text{Value: "A", Method: search.ContainsIgnoreCase})
		}, "5: 2"},
	}
	eachEngine(t, func(t *testing.T, db store.DB) {
		for _, c := range cases {
			if got := find(t, db, c.page, c.by, c.ask); got != c.want {
				t.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}
	})
}

// A caller sees what lies in its reach, and counts nothing else.
func TestWithin(t *testing.T) {
	// The state of an organization stands for whatever else a row lies in.
	columns := listing.Columns{Org: "org_id", OtherOrg: "state", Project: "name", Grant: "name", Self: "org_id"}
	cases := []struct {
		name    string
		reach   call.Reach
		columns listing.Columns
		want    string
	}{
		{"nothing", call.Reach{}, columns, "0: "},
		{"the instance", call.Reach{Instance: true}, columns, "6: 1 2 3 4 5 6"},
		{"organizations", call.Reach{Orgs: []ident.OrgID{"2", "5"}}, columns, "2: 2 5"},
		{"another organization", call.Reach{Orgs: []ident.OrgID{"inactive"}}, columns, "2: 3 5"},
		{"a project", call.Reach{Projects: []ident.ProjectID{"beta"}}, columns, "1: 2"},
		{"a grant", call.Reach{Grants: []ident.GrantID{"BETA"}}, columns, "1: 3"},
		{"itself", call.Reach{Self: "6"}, columns, "1: 6"},
		{"all of it", call.Reach{Orgs: []ident.OrgID{"1"}, Projects: []ident.ProjectID{"beta"}, Grants: []ident.GrantID{"BETA"}, Self: "6"}, columns, "4: 1 2 3 6"},
		{"where rows do not lie", call.Reach{Orgs: []ident.OrgID{"1"}, Projects: []ident.ProjectID{"beta"}, Grants: []ident.GrantID{"BETA"}, Self: "6"}, listing.Columns{}, "0: "},
	}
	eachEngine(t, func(t *testing.T, db store.DB) {
		for _, c := range cases {
			got := find(t, db, search.Page{Ascending: true}, "org_id", func(l *listing.List) { l.Within(c.reach, c.columns) })
			if got != c.want {
				t.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}
	})
}

// A column that a join leaves NULL meets no condition on a text.
func TestNull(t *testing.T) {
	eachEngine(t, func(t *testing.T, db store.DB) {
		const from = "orgs o LEFT JOIN projects p ON p.instance_id = o.instance_id AND p.org_id = o.org_id"
		l := listing.New(db.Dialect(), from, "o.org_id")
		l.And("o.instance_id = " + l.Arg("7"))
		l.Compare("p.name", search.Text{Value: "", Method: search.Contains})
		total, ids, err := l.Find(t.Context(), db, search.Page{}, "o.org_id")
		if err != nil || total != 0 || len(ids) != 0 {
			t.Errorf("found %d, %v, %v", total, ids, err)
		}
	})
}

// An error of the database comes back, of either way to search.
func TestErrors(t *testing.T) {
	eachEngine(t, func(t *testing.T, db store.DB) {
		for _, texts := range [][]search.Text{nil, {{Value: "a", Method: search.Contains}}} {
			l := listing.New(db.Dialect(), "no_such_table", "org_id")
			l.Compare("name", texts...)
			if _, _, err := l.Find(t.Context(), db, search.Page{}, "org_id"); err == nil {
				t.Error("a list of no table was found")
			}
		}
	})
}

func TestSort(t *testing.T) {
	got := listing.Sort([]string{"3", "1", "404", "2"}, []string{"1", "2", "3"}, func(s string) string { return s })
	if !slices.Equal(got, []string{"3", "1", "2"}) {
		t.Errorf("sorted %v", got)
	}
}

// Conditions on times, and those that are not left to the database.
func TestMomentsAndChecks(t *testing.T) {
	at := func(micros int64, method search.TimeMethod) search.Moment {
		return search.Moment{Time: store.Time(micros), Method: method}
	}
	up := search.Page{Ascending: true}
	eachEngine(t, func(t *testing.T, db store.DB) {
		for _, c := range []struct {
			name string
			ask  func(l *listing.List)
			want string
		}{
			{"at", func(l *listing.List) { l.Moment("created_at", at(1, search.At)) }, "2: 3 4"},
			{"after", func(l *listing.List) { l.Moment("created_at", at(1, search.After)) }, "2: 5 6"},
			{"after or at", func(l *listing.List) { l.Moment("created_at", at(1, search.AfterOrAt)) }, "4: 3 4 5 6"},
			{"before", func(l *listing.List) { l.Moment("created_at", at(1, search.Before)) }, "2: 1 2"},
			{"before or at", func(l *listing.List) { l.Moment("created_at", at(1, search.BeforeOrAt)) }, "4: 1 2 3 4"},
			{"between", func(l *listing.List) {
				l.Moment("created_at", at(0, search.After), at(2, search.Before))
			}, "2: 3 4"},
			{"never", func(l *listing.List) { l.Moment("created_at", at(2, search.After), at(1, search.Before)) }, "0: "},
			{"checks and texts", func(l *listing.List) {
				l.Check(func(v []*string) bool { return *v[0] == "active" || *v[1] == "5" }, "state", "org_id")
				l.Text("name", "name", search.Text{Value: "a", Method: search.ContainsIgnoreCase})
				l.Check(func(v []*string) bool { return *v[0] != "beta" }, "name")
			}, "3: 1 4 5"},
		} {
			if got := find(t, db, up, "org_id", c.ask); got != c.want {
				t.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}
	})
}
