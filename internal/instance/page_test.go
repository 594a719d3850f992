package instance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
)

// orders are all ways in which instances are listed.
func orders() (all []Search) {
	for _, by := range []Column{ByID, ByName, ByCreation} {
		for _, ascending := range []bool{true, false} {
			all = append(all, Search{By: by, Page: search.Page{Ascending: ascending, Limit: 3}})
		}
	}
	return all
}

// following reads a list page after page, in one of two ways.
type following struct {
	lister *Lister
	search Search
	sealed bool // by the Next of each page, and not by offsets
	next   Reading
}

func newFollowing(l *Lister, s Search, sealed bool) *following {
	return &following{lister: l, search: s, sealed: sealed, next: Reading{Caller: "ada"}}
}

// page returns the next page.
func (r *following) page(ctx context.Context) (Found, error) {
	found, err := r.lister.List(ctx, r.next, r.search)
	if r.sealed {
		r.next.Page = found.Next
	} else {
		r.search.Page.Offset += uint64(len(found.Instances))
	}
	return found, err
}

// rest reads all pages that are left and returns the ids on them.
func (r *following) rest(f *fixture) (seen []string) {
	f.Helper()
	for {
		found, err := r.page(f.Context())
		f.must(err)
		seen = append(seen, ids(found.Instances)...)
		if full := len(found.Instances) == r.search.Page.Size(); full != (found.Next != "") {
			f.Errorf("a page of %d instances has the next page %q", len(found.Instances), found.Next)
		} else if !full {
			return seen
		}
	}
}

// wantIDs checks a page.
func (f *fixture) wantIDs(what string, found Found, err error, want []string, total int) {
	f.Helper()
	f.must(err)
	if got := ids(found.Instances); !slices.Equal(got, want) || found.Total != uint64(total) {
		f.Errorf("%s: %v of %d, want %v of %d", what, got, found.Total, want, total)
	}
}

func TestFollow(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		all := f.fill(23)
		for _, s := range orders() {
			whole := ids(sorted(all, s.By, s.Page.Ascending))
			for _, sealed := range []bool{false, true} {
				if got := newFollowing(f.lister(), s, sealed).rest(f); !slices.Equal(got, whole) {
					f.Errorf("%+v, sealed %v: %v, want %v", s, sealed, got, whole)
				}
			}
			some := s
			some.IDs = [][]string{whole[5:17]}
			if got := newFollowing(f.lister(), some, false).rest(f); !slices.Equal(got, whole[5:17]) {
				f.Errorf("%+v: %v, want %v", some, got, whole[5:17])
			}
		}
	})
}

// drop removes an instance.
func (f *fixture) drop(id ident.InstanceID) {
	f.Helper()
	_, err := (&Service{DB: f.db, Log: f.log}).Remove(f.Context(), id, "ada")
	f.must(err)
}

// TestPlaces is about who is led to the place of a page, and who walks. In a list of 10 to 18, sorted
// down, the first page is 18 17 16. Then 18 is lost without an event, which nobody can know of, so
// that the two ways lead to different rows; and something happens.
func TestPlaces(t *testing.T) {
	const behind, walked = "15 14 13", "14 13 12"
	byName := func(s *Search) { s.By = ByName }
	cases := map[string]struct {
		list     func(*Search) // both pages
		happens  func(*fixture)
		reading  Reading
		change   func(*Search) // the second page
		wait     time.Duration
		another  bool // node
		want     string
		wantPage string // with the sealed position of the first page
	}{
		"who follows":        {want: behind, wantPage: behind},
		"by name":            {list: byName, want: behind, wantPage: behind},
		"soon":               {wait: time.Minute - 1, want: behind, wantPage: behind},
		"late":               {wait: time.Minute, want: walked, wantPage: behind},
		"on another node":    {another: true, want: walked, wantPage: behind},
		"another caller":     {reading: Reading{Caller: "bob"}, want: walked, wantPage: "VAULT-pos01"},
		"another size":       {change: func(s *Search) { s.Page.Limit = 2 }, want: "15 14", wantPage: "15 14"},
		"another offset":     {change: func(s *Search) { s.Page.Offset = 4 }, want: "13 12 11", wantPage: behind},
		"the first page":     {change: func(s *Search) { s.Page.Offset = 0 }, want: "17 16 15", wantPage: behind},
		"another direction":  {change: func(s *Search) { s.Page.Ascending = true }, want: "13 14 15", wantPage: "VAULT-pos01"},
		"another column":     {change: byName, want: walked, wantPage: "VAULT-pos01"},
		"the default column": {change: func(s *Search) { s.By = 77 }, want: behind, wantPage: behind},
		"among ids":          {change: func(s *Search) { s.IDs = [][]string{{"17", "16", "15", "14"}} }, want: "14", wantPage: "VAULT-pos01"},
		"among domains":      {change: func(s *Search) { s.Domains = [][]string{{"g10.example"}} }, want: "", wantPage: "VAULT-pos01"},

		"one has come":           {happens: func(f *fixture) { f.number(19); f.number(20) }, want: "16 15 14", wantPage: behind},
		"one has gone":           {happens: func(f *fixture) { f.drop("17") }, want: "13 12 11", wantPage: behind},
		"one has gone behind it": {happens: func(f *fixture) { f.drop("10") }, want: walked, wantPage: behind},
		"one is renamed":         {happens: func(f *fixture) { f.rename("17", "a") }, want: behind, wantPage: behind},
		"one is renamed, by name": {
			list: byName, happens: func(f *fixture) { f.rename("17", "a") }, want: "13 12 11", wantPage: behind,
		},
		"so much that nobody looks": {
			happens: func(f *fixture) { f.append("12", slices.Repeat([]eventlog.Payload{Changed{Name: "n12"}}, 1000)...) }, want: walked, wantPage: behind,
		},
	}
	eachEngine(t, func(f *fixture) {
		for name, c := range cases {
			f.wipe()
			for id := range 9 {
				f.number(10 + id)
			}
			lister, s := f.lister(), Search{Page: search.Page{Limit: 3}}
			if c.list != nil {
				c.list(&s)
			}
			first, err := lister.List(f.Context(), Reading{Caller: "ada"}, s)
			f.wantIDs("the first page", first, err, []string{"18", "17", "16"}, 9)
			f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
				return tx.Exec(ctx, `DELETE FROM instances WHERE instance_id = '18'`)
			}))
			f.clock.Advance(c.wait)
			if c.happens != nil {
				c.happens(f)
			}
			if c.another {
				lister = f.lister()
			}
			reading := c.reading
			if reading.Caller == "" {
				reading.Caller = "ada"
			}
			second := s
			second.Page.Offset = 3
			if c.change != nil {
				c.change(&second)
			}
			outcome := func() string {
				found, err := lister.List(f.Context(), reading, second)
				var refused *fault.Error
				if errors.As(err, &refused) && refused.Kind == fault.InvalidArgument {
					if len(refused.Violations) != 1 || refused.Violations[0].Field != call.PageHeader {
						f.Errorf("%s: the violations are %v, want one of the header", name, refused.Violations)
					}
					return refused.ID
				}
				f.must(err)
				text := fmt.Sprint(ids(found.Instances))
				return text[1 : len(text)-1]
			}
			if got := outcome(); got != c.want {
				f.Errorf("%s, by offset: %s, want %s", name, got, c.want)
			}
			reading.Page = first.Next
			if got := outcome(); got != c.wantPage {
				f.Errorf("%s, by position: %s, want %s", name, got, c.wantPage)
			}
			for _, forged := range []string{"x", first.Next + "A", first.Next[1:], first.Next[:20] + "AAAA" + first.Next[24:]} {
				reading.Page = forged
				if got := outcome(); got != "VAULT-pos01" {
					f.Errorf("%s, a forged position: %s", name, got)
				}
			}
		}
	})
}

// number adds an instance that is called by a number.
func (f *fixture) number(n int) {
	f.Helper()
	_, err := f.add(ident.InstanceID(fmt.Sprint(n)), Added{Name: fmt.Sprint("n", n)}, DomainAdded{Domain: fmt.Sprintf("g%d.example", n), Generated: true})
	f.must(err)
}

// rename gives an instance another name.
func (f *fixture) rename(id ident.InstanceID, name string) {
	f.Helper()
	_, err := (&Service{DB: f.db, Log: f.log}).Rename(f.Context(), id, "ada", name)
	f.must(err)
}

// append gives an instance events.
func (f *fixture) append(id ident.InstanceID, events ...eventlog.Payload) {
	f.Helper()
	before, err := Get(f.Context(), f.db, id)
	f.must(err)
	f.must(f.log.Write(f.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Append(ctx, w, Noun, before, events...)
		return err
	}))
}

// Who goes by the total finds what has come, wherever it stands.
func TestEndOfAListThatHasGrown(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		all := sorted(f.fill(4), ByID, false)
		reading := newFollowing(f.lister(), Search{Page: search.Page{Limit: 2}}, false)
		for range 2 {
			_, err := reading.page(f.Context())
			f.must(err)
		}
		found, err := reading.page(f.Context())
		f.wantIDs("the end", found, err, nil, 4)
		_, err = f.add("999", with("new.example")...) // is before all others
		f.must(err)
		found, err = reading.page(f.Context())
		f.wantIDs("what has moved there", found, err, ids(all[3:]), 5)
	})
}

// wipe makes the log and its tables empty.
func (f *fixture) wipe() {
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
		for _, table := range append(f.log.Tables(), "events", "instance_keys", "removals") {
			if err := tx.Exec(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		return nil
	}))
}

// model is a list, its follower, and what has been seen of it.
type model struct {
	*fixture
	names  map[string]string    // of the instances there are
	since  map[string]bool      // those that were there all the time, under one name
	made   map[string]time.Time // when
	number int
	seen   []string
}

func (m *model) add(t *rapid.T) {
	m.number++
	id := rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "id") + fmt.Sprint(m.number)
	name := rapid.SampledFrom([]string{"a", "b", "B", "ä"}).Draw(t, "name")
	if rapid.Bool().Draw(t, "later") {
		m.clock.Advance(time.Second) // a few of them, and places are not forgotten
	}
	_, err := m.fixture.add(ident.InstanceID(id), Added{Name: name}, DomainAdded{Domain: fmt.Sprintf("g%d.example", m.number), Generated: true})
	m.must(err)
	m.names[id], m.made[id] = name, m.clock.Now()
}

// pick returns one of the instances there are, or an empty text.
func (m *model) pick(t *rapid.T) string {
	all := make([]string, 0, len(m.names))
	for id := range m.names {
		all = append(all, id)
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	return rapid.SampledFrom(all).Draw(t, "instance")
}

func (m *model) change(t *rapid.T) {
	id := m.pick(t)
	switch step := rapid.SampledFrom([]string{"add", "add", "remove", "rename"}).Draw(t, "step"); {
	case step == "add" || id == "":
		m.add(t)
	case step == "remove":
		m.drop(ident.InstanceID(id))
		delete(m.names, id)
		delete(m.since, id)
	default:
		m.names[id] += "!"
		m.rename(ident.InstanceID(id), m.names[id])
		delete(m.since, id)
	}
}

// TestFollowUnderChange is a property: whatever comes, goes and is renamed between two pages, each page
// that begins at an offset is the one there is; who follows the sealed positions sees each instance that
// was there all the time once, in its place; what else is seen was there; and the total is right.
func TestFollowUnderChange(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		rapid.Check(f.T, func(t *rapid.T) {
			f.wipe()
			m := &model{fixture: f, names: make(map[string]string), made: make(map[string]time.Time), since: make(map[string]bool)}
			s := rapid.SampledFrom(orders()).Draw(t, "order")
			s.Page.Limit = rapid.Uint32Range(1, 4).Draw(t, "limit")
			for range rapid.IntRange(0, 9).Draw(t, "instances") {
				m.add(t)
			}
			for id := range m.names {
				m.since[id] = true
			}
			reading := newFollowing(f.lister(), s, rapid.Bool().Draw(t, "sealed"))
			for last := false; !last; {
				from := int(reading.search.Page.Offset)
				found, err := reading.page(f.Context())
				if err != nil || found.Total != uint64(len(m.names)) {
					t.Fatalf("total %d, %v, want %d", found.Total, err, len(m.names))
				}
				for _, one := range found.Instances {
					if m.names[one.ID] != one.Name {
						t.Fatalf("%s is shown as %q, and is %q", one.ID, one.Name, m.names[one.ID])
					}
					m.seen = append(m.seen, one.ID)
				}
				if !reading.sealed {
					all := m.list(s, nil)
					from = min(from, len(all))
					if want := all[from:min(from+int(s.Page.Limit), len(all))]; !slices.Equal(ids(found.Instances), want) {
						t.Fatalf("at offset %d %v, want %v", from, ids(found.Instances), want)
					}
				}
				last = len(found.Instances) < int(s.Page.Limit)
				for range rapid.IntRange(0, 2).Draw(t, "changes") {
					if len(m.names) < 20 && !last {
						m.change(t)
					}
				}
			}
			if reading.sealed {
				m.check(t, s)
			}
		})
		logtest.CheckFold(f, f.db, f.log)
	})
}

// list returns the ids of the instances there are, or of some of them, in the order of a search.
func (m *model) list(s Search, some map[string]bool) []string {
	var all []State
	for id, name := range m.names {
		if some == nil || some[id] {
			all = append(all, State{Head: eventlog.Head{ID: id, CreatedAt: m.made[id]}, Name: name})
		}
	}
	return ids(sorted(all, s.By, s.Page.Ascending))
}

// check compares what was seen, of what was there all the time, with the order it must have.
func (m *model) check(t *rapid.T, s Search) {
	want := m.list(s, m.since)
	got := slices.DeleteFunc(slices.Clone(m.seen), func(id string) bool { return !m.since[id] })
	if !slices.Equal(got, want) {
		t.Fatalf("of those that stayed %v were seen, want %v; all that was seen: %v", got, want, m.seen)
	}
}

// TestFollowWhileOthersWrite follows sealed positions with writers that do not wait for pages.
func TestFollowWhileOthersWrite(t *testing.T) {
	const writers = 3
	eachEngine(t, func(f *fixture) {
		all := f.fill(40)
		stays := func(id string) bool { return slices.ContainsFunc(all, func(s State) bool { return s.ID == id }) }
		stop := make(chan struct{})
		var busy sync.WaitGroup
		for number := range writers {
			busy.Go(func() {
				random := rand.New(rand.NewPCG(5, uint64(number)))
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					id := ident.InstanceID(fmt.Sprintf("%d-%d-%d", 100+random.IntN(101), number, i))
					_, err := f.add(id, Added{Name: string(rune('A' + random.IntN(50)))}, DomainAdded{Domain: fmt.Sprintf("w%d-%d.example", number, i), Generated: true})
					if err == nil && i%4 != 0 {
						_, err = (&Service{DB: f.db, Log: f.log}).Remove(f.Context(), id, "ada")
					}
					if err != nil {
						f.Error(err)
						return
					}
				}
			})
		}
		for _, s := range orders() {
			s.Page.Limit = 7
			want := ids(sorted(all, s.By, s.Page.Ascending))
			got := newFollowing(f.lister(), s, true).rest(f)
			got = slices.DeleteFunc(got, func(id string) bool { return !stays(id) })
			if !slices.Equal(got, want) {
				f.Errorf("by %d, ascending %v: %v, want %v", s.By, s.Page.Ascending, got, want)
			}
		}
		close(stop)
		busy.Wait()
		logtest.CheckFold(f, f.db, f.log)
	})
}
