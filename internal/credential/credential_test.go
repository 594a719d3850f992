package credential_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"castellan/internal/call"
	"castellan/internal/credential"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// keys are machine keys of which no more is read than their ids.
var keys = credential.Kind[string]{
	Table: "machine_keys", ID: "key_id",
	Select: `SELECT key_id FROM machine_keys WHERE instance_id = $1`,
	Scan: func(ident.InstanceID) func(store.Scanner) (string, error) {
		return func(row store.Scanner) (id string, err error) { return id, row.Scan(&id) }
	},
	IDOf: func(id string) string { return id },
}

// TestList: of three keys of organization 7 in instance 1, each is made a minute after the one before, and expires an
// hour before it. Instance 2 has the same.
func TestList(t *testing.T) {
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for _, at := range []string{"1", "2"} {
				for i, user := range []string{"ci", "bot", "ci"} {
					made := store.Micros(start.Add(time.Duration(i) * time.Minute))
					err := tx.Exec(ctx, `INSERT INTO machine_keys (instance_id, key_id, org_id, user_id, public_key, expires_at, sequence, created_at, changed_at)
 VALUES ($1, $2, '7', $3, $4, $5, 1, $6, $6)`, at, fmt.Sprint(i), user, []byte("key"), store.Micros(start.Add(time.Duration(10-i)*time.Hour)), made)
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
		type wanted = credential.Search
		everything := call.Reach{Instance: true}
		for _, c := range []struct {
			name string
			wanted
			want string
		}{
			{"all", wanted{Within: everything}, "3: 2 1 0"},
			{"a page", wanted{Within: everything, Page: search.Page{Offset: 1, Limit: 1, Ascending: true}}, "3: 1"},
			{"a page beyond the end", wanted{Within: everything, Page: search.Page{Offset: 3}}, "3: "},
			{"by id", wanted{Within: everything, By: credential.ByID, Page: search.Page{Ascending: true}}, "3: 0 1 2"},
			{"by user", wanted{Within: everything, By: credential.ByUser}, "3: 2 0 1"},
			{"by organization", wanted{Within: everything, By: credential.ByOrg}, "3: 2 1 0"},
			{"by expiry", wanted{Within: everything, By: credential.ByExpiry}, "3: 0 1 2"},
			{"by what there is not", wanted{Within: everything, By: 99}, "3: 2 1 0"},
			{"id", wanted{Within: everything, IDs: []string{"1"}}, "1: 1"},
			{"two ids", wanted{Within: everything, IDs: []string{"1", "2"}}, "0: "},
			{"user", wanted{Within: everything, Users: []ident.UserID{"ci"}}, "2: 2 0"},
			{"two users", wanted{Within: everything, Users: []ident.UserID{"ci", "bot"}}, "0: "},
			{"organization", wanted{Within: everything, Orgs: []ident.OrgID{"7"}}, "3: 2 1 0"},
			{"another organization", wanted{Within: everything, Orgs: []ident.OrgID{"8"}}, "0: "},
			{"made", wanted{Within: everything, Created: []search.Moment{
				{Time: start, Method: search.After}, {Time: start.Add(2 * time.Minute), Method: search.Before},
			}}, "1: 1"},
			{"expires", wanted{Within: everything, Expires: []search.Moment{{Time: start.Add(9 * time.Hour), Method: search.BeforeOrAt}}}, "2: 2 1"},
			{"nothing", wanted{}, "0: "},
			{"its own", wanted{Within: call.Reach{Self: "bot"}}, "1: 1"},
			{"an organization's", wanted{Within: call.Reach{Self: "x", Orgs: []ident.OrgID{"7"}}}, "3: 2 1 0"},
		} {
			total, page, err := keys.List(t.Context(), db, "1", c.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d: %s", total, strings.Join(page, " ")); got != c.want {
				t.Errorf("%s: found %q, want %q", c.name, got, c.want)
			}
		}
	})
}
