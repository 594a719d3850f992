package usermetadata

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"castellan/internal/ident"
	"castellan/internal/search"
)

func TestList(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		set := func(at ident.InstanceID, user ident.UserID, entries ...Entry) {
			_, err := f.metadata.Set(f.Context(), at, "bob", user, entries)
			f.must(err)
		}
		set("1", "ci", Entry{"team", []byte("red")}, Entry{"Team", []byte("blue")}, Entry{"cost", nil})
		set("1", "ada", Entry{"team", []byte("blue")})
		set("2", "ci", Entry{"team", []byte("red")}, Entry{"other", []byte("red")})

		key := func(value string, method search.Method) search.Text { return search.Text{Value: value, Method: method} }
		for _, c := range []struct {
			name string
			Search
			want string
		}{
			{"all", Search{User: "ci", Page: search.Page{Ascending: true}}, "3: Team=blue cost= team=red"},
			{"a page, down", Search{User: "ci", Page: search.Page{Offset: 1, Limit: 1}}, "3: cost="},
			{"a key", Search{User: "ci", Keys: []search.Text{key("team", search.Equals)}}, "1: team=red"},
			{"a key in any case", Search{User: "ci", Keys: []search.Text{key("TEAM", search.EqualsIgnoreCase)}}, "2: team=red Team=blue"},
			{"two keys", Search{User: "ci", Keys: []search.Text{key("T", search.Contains), key("c", search.Contains)}}, "0: "},
			{"of somebody else", Search{User: "nobody"}, "0: "},
		} {
			total, page, err := List(f.Context(), f.db, "1", c.Search)
			f.must(err)
			texts := make([]string, len(page))
			for i, s := range page {
				texts[i] = fmt.Sprintf("%s=%s", s.Key, s.Value)
			}
			if got := fmt.Sprintf("%d: %s", total, strings.Join(texts, " ")); got != c.want {
				f.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}

		for _, c := range []struct {
			name string
			Having
			want []ident.UserID
		}{
			{"anything", Having{}, []ident.UserID{"ada", "ci"}},
			{"a key", Having{Keys: []search.Text{key("cost", search.Equals)}}, []ident.UserID{"ci"}},
			{"a value", Having{Values: [][]byte{[]byte("blue")}}, []ident.UserID{"ada", "ci"}},
			{"no value", Having{Values: [][]byte{nil}}, []ident.UserID{"ci"}},
			{"a key with a value", Having{Keys: []search.Text{key("team", search.Equals)}, Values: [][]byte{[]byte("blue")}}, []ident.UserID{"ada"}},
			{"a key with another value", Having{Keys: []search.Text{key("tea", search.StartsWith)}, OtherValues: [][]byte{[]byte("blue")}}, []ident.UserID{"ci"}},
			{"what nobody has", Having{Keys: []search.Text{key("other", search.Equals)}}, []ident.UserID{}},
		} {
			users, err := c.Users(f.Context(), f.db, "1")
			f.must(err)
			slices.Sort(users)
			if !slices.Equal(users, c.want) {
				f.Errorf("%s: %v, want %v", c.name, users, c.want)
			}
		}
	})
}

// What is on a page has to fit into an answer.
func TestListTooLarge(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const n = 3
		value := bytes.Repeat([]byte{1}, maxAnswer/n+1)
		for i := range n {
			_, err := f.metadata.Set(f.Context(), "1", "bob", "ci", []Entry{{fmt.Sprint(i), value}})
			f.must(err)
		}
		f.refused("META-page1", func() error {
			_, _, err := List(f.Context(), f.db, "1", Search{User: "ci"})
			return err
		})
		if _, page, err := List(f.Context(), f.db, "1", Search{User: "ci", Page: search.Page{Limit: 2}}); err != nil || len(page) != 2 {
			f.Errorf("a smaller page: %d, %v", len(page), err)
		}
	})
}
