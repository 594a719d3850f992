package instance

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

// fill begins instances whose names and dates are not in the order of their ids, some of them
// alike, every third with a domain more.
func (f *fixture) fill(n int) []State {
	f.Helper()
	names := []string{"b", "B", "a", "ä", "_", "a b", "漢字", "Z", "é", "b", "b"}
	all := make([]State, n)
	for i := range n {
		id := ident.InstanceID(fmt.Sprint(100 + i*37%101))
		if i%4 == 0 {
			f.clock.Advance(time.Minute)
		}
		generated := fmt.Sprintf("g%s.example", id)
		events := []eventlog.Payload{
			Added{Name: names[i%len(names)], Defaults: 1}, DomainAdded{Domain: generated, Generated: true},
		}
		if i%3 == 0 {
			events = append(events, DomainAdded{Domain: fmt.Sprintf("x%s.example", id)})
		}
		var err error
		all[i], err = f.add(id, append(events, DomainPrimarySet{Domain: generated})...)
		f.must(err)
	}
	return all
}

// lister is that of another node: it remembers nothing.
func (f *fixture) lister() *Lister { return NewLister(f.db, f.log, f.keys.Positions(), f.clock) }

// list walks to a page.
func (f *fixture) list(s Search) (Found, error) {
	f.Helper()
	return f.lister().List(f.Context(), Reading{Caller: "ada"}, s)
}

func ids(all []State) []string {
	list := make([]string, len(all))
	for i, s := range all {
		list[i] = s.ID
	}
	return list
}

// sorted returns what a search for all has to return, in its order.
func sorted(all []State, by Column, ascending bool) []State {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b State) int {
		order := 0
		switch by {
		case ByName:
			order = cmp.Compare(a.Name, b.Name)
		case ByCreation:
			order = a.CreatedAt.Compare(b.CreatedAt)
		}
		if order = cmp.Or(order, cmp.Compare(a.ID, b.ID)); !ascending {
			return -order
		}
		return order
	})
	return all
}

// Every page in every order is the part of the whole list that it should be, complete.
func TestList(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		if found, err := f.list(Search{}); err != nil || found.Total != 0 || len(found.Instances) != 0 {
			f.Errorf("of nothing: %+v, %v", found, err)
		}
		all := f.fill(23)
		for _, by := range []Column{ByID, ByName, ByCreation, 99} {
			for _, ascending := range []bool{true, false} {
				whole := sorted(all, by, ascending)
				for _, page := range []search.Page{
					{}, {Limit: 5}, {Limit: 5, Offset: 5}, {Limit: 5, Offset: 20}, {Limit: 23}, {Limit: 24}, {Limit: 1, Offset: 22},
					{Limit: 5, Offset: 23}, {Offset: 7}, {Offset: 24}, {Limit: 5, Offset: math.MaxUint64}, {Limit: math.MaxUint32},
				} {
					page.Ascending = ascending
					found, err := f.list(Search{Page: page, By: by})
					f.must(err)
					if diff := gocmp.Diff(append([]State(nil), search.Of(page, whole)...), found.Instances); diff != "" || found.Total != 23 {
						f.Errorf("by %d, %+v: total %d (-want +got):\n%s", by, page, found.Total, diff)
					}
				}
			}
		}
	})
}

func TestListSearches(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		all := f.fill(12)
		var first, other = all[0].ID, all[1].ID // the first has two domains
		_, err := (&Service{DB: f.db, Log: f.log}).AddDomain(f.Context(), ident.InstanceID(other), "ada", "bücher.example")
		f.must(err)
		for name, c := range map[string]struct {
			search Search
			want   []string
		}{
			"ids":                        {Search{IDs: [][]string{{first, other, "404", first}}}, []string{first, other}},
			"ids and ids":                {Search{IDs: [][]string{{first, other}, {other, all[2].ID}}}, []string{other}},
			"ids that exclude":           {Search{IDs: [][]string{{first}, {other}}}, nil},
			"no ids":                     {Search{IDs: [][]string{{}}}, nil},
			"no ids and ids":             {Search{IDs: [][]string{{first}, {}}}, nil},
			"part of an id":              {Search{IDs: [][]string{{first[:2], "%", "1_0"}}}, nil},
			"generated domain":           {Search{Domains: [][]string{{"g" + first + ".example"}}}, []string{first}},
			"two domains of one":         {Search{Domains: [][]string{{"g" + first + ".example", "x" + first + ".example"}}}, []string{first}},
			"one domain and the other":   {Search{Domains: [][]string{{"g" + first + ".example"}, {"x" + first + ".example"}}}, []string{first}},
			"domains of two":             {Search{Domains: [][]string{{"g" + first + ".example", "g" + other + ".example"}}}, []string{first, other}},
			"domains that exclude":       {Search{Domains: [][]string{{"g" + first + ".example"}, {"g" + other + ".example"}}}, nil},
			"one in both":                {Search{Domains: [][]string{{"g" + first + ".example"}, {"g" + first + ".example", "a.example"}}}, []string{first}},
			"domain in another form":     {Search{Domains: [][]string{{"BÜCHER.example"}}}, []string{other}},
			"domain that can be none":    {Search{Domains: [][]string{{"a_b", "g" + other + ".example"}}}, []string{other}},
			"domain of nobody":           {Search{Domains: [][]string{{"a.example"}}}, nil},
			"ids and domains":            {Search{IDs: [][]string{{first, other}}, Domains: [][]string{{"g" + other + ".example"}}}, []string{other}},
			"ids and domains of another": {Search{IDs: [][]string{{first}}, Domains: [][]string{{"g" + other + ".example"}}}, nil},
		} {
			for _, limit := range []uint32{0, 1} {
				c.search.Page = search.Page{Ascending: true, Limit: limit}
				slices.Sort(c.want)
				found, err := f.list(c.search)
				f.must(err)
				want := search.Of(c.search.Page, c.want)
				if got := ids(found.Instances); !slices.Equal(got, want) || found.Total != uint64(len(c.want)) {
					f.Errorf("%s, limit %d: %v of %d, want %v of %d", name, limit, got, found.Total, want, len(c.want))
				}
				for _, s := range found.Instances {
					if whole, err := Get(f.Context(), f.db, s.Instance); err != nil || gocmp.Diff(whole, s) != "" {
						f.Errorf("%s: listed %+v, read %+v, %v", name, s, whole, err)
					}
				}
			}
		}
	})
}

func TestSearchDomains(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2025, 6, 1, 12, minute, 0, 0, time.UTC) }
	s := State{Domains: []Domain{
		{Name: "acme-abc123.localhost", Generated: true, CreatedAt: at(1)},
		{Name: "xn--bcher-kva.example", CreatedAt: at(2)},
		{Name: "acme.example", Primary: true, CreatedAt: at(3)},
		{Name: "b.example", CreatedAt: at(2)},
	}}
	const generated, umlaut, acme, b = "acme-abc123.localhost", "xn--bcher-kva.example", "acme.example", "b.example"
	text := func(m search.Method, v string) []search.Text { return []search.Text{{Value: v, Method: m}} }
	for name, c := range map[string]struct {
		by   DomainSearch
		want []string // sorted up
	}{
		"all by creation":       {DomainSearch{}, []string{generated, b, umlaut, acme}},
		"all by name":           {DomainSearch{By: ByDomainName}, []string{generated, acme, b, umlaut}},
		"all by primary":        {DomainSearch{By: ByDomainPrimary}, []string{generated, b, umlaut, acme}},
		"all by generated":      {DomainSearch{By: ByDomainGenerated}, []string{acme, b, umlaut, generated}},
		"generated":             {DomainSearch{Generated: []bool{true}}, []string{generated}},
		"not generated":         {DomainSearch{Generated: []bool{false}, By: ByDomainName}, []string{acme, b, umlaut}},
		"both":                  {DomainSearch{Generated: []bool{false, true}}, nil},
		"primary":               {DomainSearch{Primary: []bool{true}}, []string{acme}},
		"neither":               {DomainSearch{Primary: []bool{false}, Generated: []bool{false}}, []string{b, umlaut}},
		"equals":                {DomainSearch{Names: text(search.Equals, "Acme.example")}, []string{acme}},
		"equals in its script":  {DomainSearch{Names: text(search.EqualsIgnoreCase, "BÜCHER.example")}, []string{umlaut}},
		"equals its A-label":    {DomainSearch{Names: text(search.Equals, "XN--bcher-kva.example")}, []string{umlaut}},
		"starts":                {DomainSearch{Names: text(search.StartsWith, "ACME")}, []string{generated, acme}},
		"starts in its script":  {DomainSearch{Names: text(search.StartsWith, "büch")}, []string{umlaut}},
		"contains":              {DomainSearch{Names: text(search.ContainsIgnoreCase, ".EX"), By: ByDomainName}, []string{acme, b, umlaut}},
		"contains a wildcard":   {DomainSearch{Names: text(search.Contains, "acme%")}, nil},
		"ends":                  {DomainSearch{Names: text(search.EndsWith, "host")}, []string{generated}},
		"ends, and is primary":  {DomainSearch{Names: text(search.EndsWith, ".example"), Primary: []bool{true}}, []string{acme}},
		"starts and ends":       {DomainSearch{Names: append(text(search.StartsWith, "a"), text(search.EndsWith, "e")...)}, []string{acme}},
		"contains what is none": {DomainSearch{Names: text(search.Contains, "c.d")}, nil},
	} {
		for _, ascending := range []bool{true, false} {
			for _, page := range []search.Page{{}, {Limit: 1}, {Limit: 2, Offset: 1}, {Offset: 9}} {
				page.Ascending = ascending
				c.by.Page = page
				want := slices.Clone(c.want)
				if !ascending {
					slices.Reverse(want)
				}
				want = search.Of(page, want)
				total, found := s.SearchDomains(c.by)
				got := make([]string, len(found))
				for i, d := range found {
					got[i] = d.Name
				}
				if total != len(c.want) || !slices.Equal(got, want) {
					t.Errorf("%s %+v: %v of %d, want %v of %d", name, page, got, total, want, len(c.want))
				}
			}
		}
	}
	if s.Domains[0].Name != generated || s.Domains[3].Name != b {
		t.Errorf("the search sorted the state: %+v", s.Domains)
	}
}

// BenchmarkList reads 100 of 100,000 instances, in every order: at the beginning, deep inside as who
// follows page after page, and there by a walk.
func BenchmarkList(b *testing.B) {
	const instances, page, deep = 100_000, 100, 99_900
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			db := e.New(b).Open(b)
			fillTables(b, db, instances)
			keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
			log := eventlog.New(db, keys, ident.SystemClock{}, Noun)
			lister := NewLister(db, log, keys.Positions(), ident.SystemClock{})
			read := func(b *testing.B, r Reading, s Search) Found {
				found, err := lister.List(b.Context(), r, s)
				if err != nil || len(found.Instances) != page || found.Total != instances {
					b.Fatal(len(found.Instances), found.Total, err)
				}
				return found
			}
			for _, by := range []Column{ByID, ByName, ByCreation} {
				s := Search{By: by, Page: search.Page{Limit: page}}
				b.Run("by "+columns[by]+" at first", func(b *testing.B) {
					for b.Loop() {
						read(b, Reading{}, s)
					}
				})
				s.Page.Offset = deep - page
				next := Reading{Page: read(b, Reading{Caller: "ada"}, s).Next, Caller: "ada"}
				s.Page.Offset = deep
				b.Run("by "+columns[by]+" following", func(b *testing.B) {
					for b.Loop() {
						read(b, next, s)
					}
				})
				b.Run("by "+columns[by]+" walking", func(b *testing.B) {
					for b.Loop() {
						read(b, Reading{Caller: "bob"}, s)
					}
				})
			}
			b.Run("by domain", func(b *testing.B) {
				for b.Loop() {
					found, err := lister.List(b.Context(), Reading{}, Search{Domains: [][]string{{"c0777.example", "g0778.example"}}})
					if err != nil || found.Total != 2 {
						b.Fatal(found.Total, err)
					}
				}
			})
			known := *lister.counted.Load()
			known.until = known.until.AddDate(1, 0, 0)
			for name, known := range map[string]*count{"count": nil, "count known": &known} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if n, err := lister.total(b.Context(), db, known, nil); err != nil || n != instances {
							b.Fatal(n, err)
						}
					}
				})
			}
		})
	}
}

// fillTables writes rows alone: events would cost more than all that is measured.
func fillTables(b *testing.B, db store.DB, instances int) {
	b.Helper()
	err := db.Update(b.Context(), func(ctx context.Context, tx store.Tx) error {
		for i := range instances {
			id := fmt.Sprint(339000000000000000 + i)
			s := State{Head: eventlog.Restore(ident.InstanceID(id), id, id, 7, int64(i), int64(i)), Name: fmt.Sprintf("Acme %04d", i*7919%instances)}
			s.Domains = []Domain{{Name: fmt.Sprintf("g%04d.example", i), Generated: true}, {Name: fmt.Sprintf("c%04d.example", i), Primary: true}}
			for _, t := range tables {
				for _, row := range t.Rows(s) {
					marks := "$1"
					for m := range row[1:] {
						marks += fmt.Sprintf(", $%d", m+2)
					}
					if err := tx.Exec(ctx, "INSERT INTO "+t.Name+" ("+t.Columns()+") VALUES ("+marks+")", row...); err != nil {
						return err
					}
				}
			}
		}
		return tx.Exec(ctx, "ANALYZE") // as every database does in time
	})
	if err != nil {
		b.Fatal(err)
	}
}
