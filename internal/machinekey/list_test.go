package machinekey

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/search"
)

func TestList(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		text := publicPEM(f.T)
		var made []State
		for _, at := range []ident.InstanceID{"1", "2"} {
			for i, user := range []ident.UserID{"ci", "bot", "ci"} {
				expires := start.Add(time.Duration(10-i) * time.Hour)
				s, _, err := f.keys.Add(f.Context(), at, "bob", Wish{User: user, Expires: expires, PublicKey: text})
				f.must(err)
				made = append(made, s)
				f.clock.Advance(time.Minute)
			}
		}
		// name says which of those made a listed one is.
		name := func(id string) string {
			for i, s := range made {
				if s.ID == id {
					return fmt.Sprint(i)
				}
			}
			return "?"
		}
		everything := call.Reach{Instance: true}
		minute := func(n time.Duration) time.Time { return start.Add(n * time.Minute) }
		for _, c := range []struct {
			name string
			Search
			want string
		}{
			{"all", Search{Within: everything}, "3: 2 1 0"},
			{"a page", Search{Within: everything, Page: search.Page{Offset: 1, Limit: 1, Ascending: true}}, "3: 1"},
			{"by id", Search{Within: everything, By: ByID, Page: search.Page{Ascending: true}}, "3: 0 1 2"},
			{"by user", Search{Within: everything, By: ByUser}, "3: 2 0 1"},
			{"by organization", Search{Within: everything, By: ByOrg}, "3: 2 1 0"},
			{"by expiry", Search{Within: everything, By: ByExpiry}, "3: 0 1 2"},
			{"by what there is not", Search{Within: everything, By: 99}, "3: 2 1 0"},
			{"id", Search{Within: everything, IDs: []ident.KeyID{ident.KeyID(made[1].ID)}}, "1: 1"},
			{"user", Search{Within: everything, Users: []ident.UserID{"ci"}}, "2: 2 0"},
			{"two users", Search{Within: everything, Users: []ident.UserID{"ci", "bot"}}, "0: "},
			{"organization", Search{Within: everything, Orgs: []ident.OrgID{"7"}}, "3: 2 1 0"},
			{"another organization", Search{Within: everything, Orgs: []ident.OrgID{"8"}}, "0: "},
			{"made", Search{Within: everything, Created: []search.Moment{{Time: minute(0), Method: search.After}, {Time: minute(2), Method: search.Before}}}, "1: 1"},
			{"expires", Search{Within: everything, Expires: []search.Moment{{Time: start.Add(9 * time.Hour), Method: search.BeforeOrAt}}}, "2: 2 1"},
			{"nothing", Search{}, "0: "},
			{"its own", Search{Within: call.Reach{Self: "bot"}}, "1: 1"},
			{"an organization's", Search{Within: call.Reach{Self: "x", Orgs: []ident.OrgID{"7"}}}, "3: 2 1 0"},
		} {
			total, page, err := List(f.Context(), f.db, "1", c.Search)
			f.must(err)
			names := make([]string, len(page))
			for i, s := range page {
				names[i] = name(s.ID)
			}
			if got := fmt.Sprintf("%d: %s", total, strings.Join(names, " ")); got != c.want {
				f.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}
	})
}
