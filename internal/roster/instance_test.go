package roster

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/member"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a log of users and memberships on one database.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	log   *eventlog.Log
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, instance.Noun, user.Noun, member.Noun)
		fn(f)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// write is one transaction on an instance.
func (f *fixture) write(id ident.InstanceID, fn func(ctx context.Context, w *eventlog.Writer) error) {
	f.Helper()
	f.must(f.log.Write(f.Context(), id, "ada", fn))
}

func (f *fixture) instance(id ident.InstanceID) {
	f.Helper()
	f.write(id, func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		domain := string(id) + ".example"
		_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
			instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: domain}, instance.DomainPrimarySet{Domain: domain})
		return err
	})
}

// user adds a user of an organization, with memberships, a minute after the one before.
func (f *fixture) user(in ident.InstanceID, id, org string, who eventlog.Payload, of ...member.Add) {
	f.Helper()
	f.clock.Advance(time.Minute)
	f.write(in, func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, user.Noun, eventlog.Origin{ID: id, Owner: org}, who)
		for _, add := range of {
			if add.User = ident.UserID(id); err == nil {
				_, err = eventlog.Begin(ctx, w, member.Noun, add.Origin(in), add.Decide()...)
			}
		}
		return err
	})
}

func human(first, last, email string) user.HumanAdded {
	return user.HumanAdded{
		UserName: strings.ToLower(first), FirstName: first, LastName: last, DisplayName: first + " " + last, Email: email,
	}
}

// people adds four members, a member of an organization, and somebody who is none.
func (f *fixture) people() {
	f.Helper()
	f.instance("1")
	f.instance("2")
	owner := member.Add{Roles: []string{member.InstanceOwner}}
	ofOrg := member.Add{Org: "o1", Roles: []string{member.OrgOwner}}
	f.user("1", "13", "o2", human("Ärmel", "Straße", "a@x.example"), owner)
	f.user("1", "11", "o1", user.MachineAdded{UserName: "robot@acme", Name: "Robot", AccessTokenType: "bearer"}, ofOrg, owner)
	f.user("1", "12", "o1", human("Bo", "100%", "Bo@X.example"), member.Add{Roles: []string{"IAM_OWNER", "IAM_X"}})
	f.user("1", "10", "o2", human("bob", "Lovelace", "bob@y.example"), owner, ofOrg)
	f.user("1", "14", "o1", human("Org", "Only", "org@y.example"), ofOrg)
	f.user("1", "15", "o1", human("No", "Body", "no@y.example"))
	f.user("2", "11", "o9", human("Bo", "Other", "other@x.example"), owner)
	logtest.CheckFold(f, f.db, f.log)
}

// The rows say all there is to say about a member, of either kind.
func TestMembers(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.people()
		total, page, err := OfInstance(f.Context(), f.db, "1", Search{Page: search.Page{Ascending: true}})
		f.must(err)
		at := func(minute int) time.Time { return time.Date(2025, 6, 1, 12, minute, 0, 0, time.UTC) }
		want := []Member{
			{
				User: "10", UserOrg: "o2", UserKind: user.Human, LoginName: "bob", DisplayName: "bob Lovelace",
				FirstName: "bob", LastName: "Lovelace", Email: "bob@y.example",
				Owner: "1", Roles: []string{"IAM_OWNER"}, Sequence: 1, CreatedAt: at(4), ChangedAt: at(4),
			},
			{
				User: "11", UserOrg: "o1", UserKind: user.Machine, LoginName: "robot@acme", DisplayName: "Robot",
				Owner: "1", Roles: []string{"IAM_OWNER"}, Sequence: 1, CreatedAt: at(2), ChangedAt: at(2),
			},
			{
				User: "12", UserOrg: "o1", UserKind: user.Human, LoginName: "bo", DisplayName: "Bo 100%",
				FirstName: "Bo", LastName: "100%", Email: "Bo@X.example",
				Owner: "1", Roles: []string{"IAM_OWNER", "IAM_X"}, Sequence: 1, CreatedAt: at(3), ChangedAt: at(3),
			},
			{
				User: "13", UserOrg: "o2", UserKind: user.Human, LoginName: "ärmel", DisplayName: "Ärmel Straße",
				FirstName: "Ärmel", LastName: "Straße", Email: "a@x.example",
				Owner: "1", Roles: []string{"IAM_OWNER"}, Sequence: 1, CreatedAt: at(1), ChangedAt: at(1),
			},
		}
		if diff := cmp.Diff(want, page); diff != "" || total != 4 {
			f.Errorf("%d members (-want +got):\n%s", total, diff)
		}
		if _, _, err := OfInstance(f.Context(), f.db, "3", Search{}); !errors.Is(err, instance.NotFound("3")) {
			f.Errorf("of no instance: %v, want NotFound", err)
		}
		ended, cancel := context.WithCancel(f.Context())
		cancel()
		if _, _, err := OfInstance(ended, f.db, "1", Search{}); !errors.Is(err, context.Canceled) {
			f.Errorf("%v, want the error of its context", err)
		}
	})
}

func TestSearch(t *testing.T) {
	text := func(m search.Method, v string) []search.Text { return []search.Text{{Value: v, Method: m}} }
	cases := map[string]struct {
		search Search
		want   string // sorted up
	}{
		"by user":                   {Search{}, "10 11 12 13"},
		"by creation":               {Search{By: ByCreation}, "13 11 12 10"},
		"by change":                 {Search{By: ByChange}, "13 11 12 10"},
		"by organization":           {Search{By: ByUserOrg}, "11 12 10 13"},
		"by what is no column":      {Search{By: 99}, "10 11 12 13"},
		"first name":                {Search{FirstNames: text(search.Equals, "Bo")}, "12"},
		"first name in no case":     {Search{FirstNames: text(search.StartsWithIgnoreCase, "BO")}, "10 12"},
		"not only ASCII":            {Search{FirstNames: text(search.EqualsIgnoreCase, "äRMEL")}, "13"},
		"last name":                 {Search{LastNames: text(search.EqualsIgnoreCase, "STRASSE")}, "13"},
		"last name with wildcard":   {Search{LastNames: text(search.Contains, "%")}, "12"},
		"address":                   {Search{Emails: text(search.EndsWith, "@x.example")}, "13"},
		"address in no case":        {Search{Emails: text(search.EndsWithIgnoreCase, "@x.example")}, "12 13"},
		"all humans":                {Search{Emails: text(search.Contains, "")}, "10 12 13"},
		"machines have no address":  {Search{Emails: text(search.Equals, "")}, ""},
		"user":                      {Search{Users: []ident.UserID{"11"}}, "11"},
		"two users":                 {Search{Users: []ident.UserID{"11", "12"}}, ""},
		"member of an organization": {Search{Users: []ident.UserID{"14"}}, ""},
		"names that exclude":        {Search{FirstNames: append(text(search.Equals, "Bo"), text(search.Equals, "bob")...)}, ""},
		"name and address": {
			Search{FirstNames: text(search.StartsWithIgnoreCase, "b"), Emails: text(search.Contains, "y")}, "10",
		},
	}
	eachEngine(t, func(f *fixture) {
		f.people()
		for name, c := range cases {
			for _, ascending := range []bool{true, false} {
				for _, page := range []search.Page{{}, {Limit: 1}, {Limit: 2, Offset: 1}, {Offset: 3}, {Offset: math.MaxUint64, Limit: 7}} {
					page.Ascending = ascending
					c.search.Page = page
					want := strings.Fields(c.want)
					all := len(want)
					if !ascending {
						slices.Reverse(want)
					}
					total, found, err := OfInstance(f.Context(), f.db, "1", c.search)
					f.must(err)
					got := make([]string, len(found))
					for i, m := range found {
						got[i] = string(m.User)
					}
					if want = search.Of(page, want); total != all || !slices.Equal(got, want) {
						f.Errorf("%s %+v: %v of %d, want %v of %d", name, page, got, total, want, all)
					}
				}
			}
		}
	})
}
