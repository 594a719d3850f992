package org

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"castellan/internal/call"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
)

func TestList(t *testing.T) {
	text := func(value string, method search.Method) []search.Text {
		return []search.Text{{Value: value, Method: method}}
	}
	among := func(ids ...ident.OrgID) call.Reach { return call.Reach{Orgs: ids} }
	up := search.Page{Ascending: true}
	cases := []struct {
		name string
		by   Search
		want string
	}{
		{"all, down", Search{}, "4: c b a d"},
		{"all, up", Search{Page: up}, "4: d a b c"},
		{"by name", Search{Page: up, By: ByName}, "4: a d b c"},
		{"by name, down", Search{By: ByName}, "4: c b d a"},
		{"a page", Search{Page: search.Page{Ascending: true, Offset: 1, Limit: 2}}, "4: a b"},
		{"behind the end", Search{Page: search.Page{Offset: 4}}, "4: "},
		{"those that may be shown", Search{Shown: among("a", "c", "x")}, "2: c a"},
		{"none may be shown", Search{Shown: call.Reach{Projects: []ident.ProjectID{"a"}, Self: "a"}}, "0: "},
		{"by id", Search{IDs: []ident.OrgID{"b"}}, "1: b"},
		{"by two ids", Search{IDs: []ident.OrgID{"b", "a"}}, "0: "},
		{"by an id that may not be shown", Search{Shown: among("a"), IDs: []ident.OrgID{"b"}}, "0: "},
		{"by name, exactly", Search{Names: text("Alpha", search.Equals)}, "1: a"},
		{"by the beginning of a name", Search{Names: text("BE", search.StartsWithIgnoreCase)}, "1: b"},
		{"active", Search{Active: []bool{true}}, "3: c a d"},
		{"inactive", Search{Active: []bool{false}}, "1: b"},
		{"both", Search{Active: []bool{false, true}}, "0: "},
		{"the default", Search{Default: true}, "1: d"},
		{"by domain", Search{Domains: text("Bücher.example", search.Equals)}, "1: c"},
		{"by domain, as an A-label", Search{Domains: text("XN--BCHER-KVA.example", search.Equals)}, "1: c"},
		{"by a part of a domain", Search{Domains: text(".ACME.", search.Contains)}, "4: c b a d"},
		{"by a part of an A-label", Search{Domains: text("xn--", search.StartsWith)}, "1: c"},
		{"by two domains", Search{Domains: append(text("example", search.EndsWith), text("gamma", search.StartsWith)...)}, "1: c"},
		{"by a domain that is not verified", Search{Domains: text("wish.example", search.Equals)}, "0: "},
		{"by what is no domain", Search{Domains: text("%", search.Contains)}, "0: "},
	}
	eachEngine(t, func(f *fixture) {
		for _, o := range [][2]string{{"d", "Alphabet"}, {"a", "Alpha"}, {"b", "Beta"}, {"c", "gamma"}} {
			f.have(o[0], o[1])
			f.clock.Advance(time.Minute)
		}
		_, err := f.orgs.AddDomain(f.Context(), "1", "c", "ada", "bücher.example")
		f.must(err)
		_, err = f.orgs.Deactivate(f.Context(), "1", "b", "ada")
		f.must(err)
		f.orgs.Asks = func(context.Context, store.Querier, ident.InstanceID, ident.OrgID) (bool, error) { return true, nil }
		_, err = f.orgs.AddDomain(f.Context(), "1", "c", "ada", "wish.example")
		f.must(err)
		_, err = f.beginAt("2", "x", "Alpha") // is in no list of instance 1
		f.must(err)
		for _, c := range cases {
			if reflect.ValueOf(c.by.Shown).IsZero() {
				c.by.Shown.Instance = true
			}
			total, page, err := List(f.Context(), f.orgs.DB, "1", c.by)
			if err != nil {
				f.Errorf("%s: %v", c.name, err)
				continue
			}
			got := fmt.Sprintf("%d: ", total)
			for i, s := range page {
				got += strings.Repeat(" ", min(i, 1)) + s.ID
				if want, err := Get(f.Context(), f.orgs.DB, "1", ident.OrgID(s.ID)); err != nil || s.Name != want.Name || s.Active != want.Active ||
					s.PrimaryDomain() != want.PrimaryDomain() || s.Head != want.Head {
					f.Errorf("%s: listed %+v, is %+v, %v", c.name, s, want, err)
				}
			}
			if got != c.want {
				f.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestSearchDomains(t *testing.T) {
	s := State{}
	for i, name := range []string{"b.example", "bücher.example", "a.example"} {
		s.Domains = append(s.Domains, Domain{Name: name, CreatedAt: logtest.At(uint64(i))})
	}
	for want, by := range map[string]DomainSearch{
		"3 a.example bücher.example b.example": {},
		"3 b.example bücher.example":           {Page: search.Page{Ascending: true, Limit: 2}},
		"3 bücher.example b.example a.example": {By: ByDomainName},
		"1 bücher.example":                     {Names: []search.Text{{Value: "XN--", Method: search.StartsWith}}},
		"2 b.example bücher.example": {
			Page: search.Page{Ascending: true}, Names: []search.Text{{Value: "b", Method: search.StartsWith}, {Value: "E", Method: search.EndsWith}},
		},
		"0": {Names: []search.Text{{Value: "x"}}},
	} {
		total, page := s.SearchDomains(by)
		got := fmt.Sprint(total)
		for _, d := range page {
			got += " " + d.Name
		}
		if got != want {
			t.Errorf("%+v finds %q, want %q", by, got, want)
		}
	}
}

func TestListMetadata(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "Acme", "b", "Bcme")
		for _, id := range []ident.OrgID{"a", "b"} {
			_, err := f.orgs.SetMetadata(f.Context(), "1", id, "ada", []Metadata{
				{Key: "color", Value: []byte(id)}, {Key: "Size", Value: []byte{0, 255}}, {Key: "colour", Value: []byte("x")},
			})
			f.must(err)
		}
		up := search.Page{Ascending: true}
		for want, by := range map[string]MetadataSearch{
			"3: Size=\x00\xff color=a colour=x": {Page: up},
			"3: colour=x":                       {Page: search.Page{Limit: 1}},
			"1: Size=\x00\xff":                  {Keys: []search.Text{{Value: "SIZE", Method: search.EqualsIgnoreCase}}},
			"2: color=a colour=x":               {Page: up, Keys: []search.Text{{Value: "colo", Method: search.StartsWith}}},
			"0:":                                {Keys: []search.Text{{Value: "size"}}},
		} {
			total, page, err := ListMetadata(f.Context(), f.orgs.DB, "1", "a", by)
			got := fmt.Sprintf("%d:", total)
			for _, m := range page {
				got += fmt.Sprintf(" %s=%s", m.Key, m.Value)
				if !m.CreatedAt.Equal(f.clock.Now()) || !m.ChangedAt.Equal(f.clock.Now()) {
					f.Errorf("the dates of %+v are not %v", m, f.clock.Now())
				}
			}
			if err != nil || got != want {
				f.Errorf("%+v finds %q, want %q, %v", by, got, want, err)
			}
		}
		if _, _, err := ListMetadata(f.Context(), f.orgs.DB, "2", "a", MetadataSearch{}); !errors.Is(err, NotFound) {
			f.Errorf("of another instance: %v", err)
		}
		large := make([]byte, maxValues/2+1)
		for _, key := range []string{"1", "2"} {
			_, err := f.orgs.SetMetadata(f.Context(), "1", "b", "ada", []Metadata{{Key: key, Value: large}})
			f.must(err)
		}
		_, _, err := ListMetadata(f.Context(), f.orgs.DB, "1", "b", MetadataSearch{})
		logtest.CheckRefusal(f, err, *refusal(fault.FailedPrecondition, "META-page1", "pagination.limit"))
		if total, page, err := ListMetadata(f.Context(), f.orgs.DB, "1", "b", MetadataSearch{Page: search.Page{Limit: 4}}); err != nil || total != 5 || len(page) != 4 {
			f.Errorf("%d of %d, %v", len(page), total, err)
		}
	})
}
