package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

// fixture is a service on one database with the instances 1 and 2. Both have the users u and v, the
// organizations o and r, project p of o, and its grant g to r.
type fixture struct {
	*testing.T
	db      store.DB
	log     *eventlog.Log
	members *Service
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		clock := ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))
		f := &fixture{T: t, db: db}
		f.log = eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), clock, Noun)
		f.members = &Service{DB: db, Log: f.log, IDs: ident.NewSource(idgrant.New(db), clock)}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.write(id, func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				return neighbours(ctx, w, string(id))
			})
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

// neighbours makes the rows of other nouns.
func neighbours(ctx context.Context, tx store.Tx, at string) error {
	var errs []error
	exec := func(sql string, args ...any) { errs = append(errs, tx.Exec(ctx, sql, append([]any{at}, args...)...)) }
	for _, user := range []string{"u", "v"} {
		exec(`INSERT INTO users (instance_id, user_id, org_id, login_key, username, kind, state, name, access_token_type, first_name,
 last_name, display_name, preferred_language, email, email_verified, password_hash, password_change_required, sequence, created_at, changed_at)
 VALUES ($1, $2, 'o', $2, $2, 'machine', 'active', $2, 'bearer', '', '', '', '', '', FALSE, '', FALSE, 1, 1, 1)`, user)
	}
	for _, org := range []string{"o", "r"} {
		exec(`INSERT INTO orgs (instance_id, org_id, name, state, sequence, created_at, changed_at) VALUES ($1, $2, $2, 'active', 1, 1, 1)`, org)
	}
	exec(`INSERT INTO projects (instance_id, project_id, org_id, name, state, sequence, created_at, changed_at)
 VALUES ($1, 'p', 'o', 'P', 'active', 1, 1, 1)`)
	exec(`INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state,
 sequence, created_at, changed_at) VALUES ($1, 'g', 'p', 'o', 'r', '[]', 'active', 1, 1, 1)`)
	return errors.Join(errs...)
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) write(at ident.InstanceID, fn func(ctx context.Context, w *eventlog.Writer) error) {
	f.Helper()
	f.must(f.log.Write(f.Context(), at, "ada", fn))
}

// resources are one of each scope, with who owns it, a role for it, and the ids of the faults of a user
// that does not exist, or is a member already.
var resources = []struct {
	name           Resource
	id, owner      string
	role           string
	noUser, taken  string
	absent         Resource
	absentResource string
}{
	{Resource{}, "1", "1", "IAM_OWNER", "INSTA-GSXOn", "INSTA-pFDwe", Resource{}, ""},
	{Resource{Org: "r"}, "r", "r", "ORG_OWNER", "ORG-GoXOn", "ORG-poWwe", Resource{Org: "404"}, "QUERY-iTTGJ"},
	{Resource{Project: "p"}, "p", "o", "PROJECT_OWNER", "COMMAND-4f8sg", "PROJECT-PtXi1", Resource{Project: "404"}, "QUERY-fk2fs"},
	{Resource{Project: "p", Org: "r"}, "g", "o", "PROJECT_GRANT_OWNER", "COMMAND-4f8sg", "PROJECT-PtXi1", Resource{Project: "p", Org: "o"}, "PROJECT-D8JxR"},
}

// is checks a membership as it is read.
func (f *fixture) is(want State) {
	f.Helper()
	got, err := Get(f.Context(), f.db, "1", want.User, want.Scope, want.ScopeID)
	f.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("membership (-want +got):\n%s", diff)
	}
}

func (f *fixture) refuses(err error, kind fault.Kind, id string) {
	f.Helper()
	if fault.KindOf(err) != kind || fault.Of(err).ID != id {
		f.Errorf("%v, want %s", err, id)
	}
}

func TestCommands(t *testing.T) {
	for _, r := range resources {
		t.Run(string(r.name.Scope()), func(t *testing.T) {
			eachEngine(t, func(f *fixture) {
				ctx := f.Context()
				add := func(user ident.UserID) (State, error) {
					return f.members.Add(ctx, "1", "ada", r.name, New{User: user, Roles: []string{r.role}})
				}
				made, err := add("u")
				f.must(err)
				f.is(made)
				if made.Scope != r.name.Scope() || made.ScopeID != r.id || made.Owner != r.owner {
					f.Errorf("made %+v", made)
				}
				_, err = add("u")
				f.refuses(err, fault.AlreadyExists, r.taken)
				_, err = add("404")
				f.refuses(err, fault.FailedPrecondition, r.noUser)
				of := func(orgs ...ident.OrgID) func(ident.OrgID) bool {
					return func(org ident.OrgID) bool { return slices.Contains(orgs, org) }
				}
				_, err = f.members.Add(ctx, "1", "ada", r.name, New{User: "v", Roles: []string{r.role}, Whom: of("r")})
				f.refuses(err, fault.FailedPrecondition, r.noUser)
				_, err = f.members.Add(ctx, "2", "ada", r.name, New{User: "v", Roles: []string{r.role}, Whom: of("o")})
				f.must(err)
				changed, err := f.members.Change(ctx, "1", "bob", r.name, "u", Change{Roles: []string{r.role, r.role + "_VIEWER"}})
				f.must(err)
				f.is(changed)
				same, err := f.members.Change(ctx, "1", "bob", r.name, "u", Change{Roles: changed.Roles})
				f.must(err)
				f.is(same)
				_, err = f.members.Change(ctx, "1", "bob", r.name, "v", Change{Roles: changed.Roles})
				f.refuses(err, fault.NotFound, NotFound.ID)
				_, err = f.members.Remove(ctx, "2", "bob", r.name, "u")
				f.refuses(err, fault.NotFound, NotFound.ID)
				gone, err := f.members.Remove(ctx, "1", "bob", r.name, "u")
				f.must(err)
				if !gone.Removed {
					f.Errorf("removed: %+v", gone)
				}
				_, err = f.members.Remove(ctx, "1", "bob", r.name, "u")
				f.refuses(err, fault.NotFound, NotFound.ID)
				again, err := add("u") // who was a member can be one again
				f.must(err)
				f.is(again)
				prefix := strings.TrimSuffix(logtest.Types(t, f.db, f.log, "1")[0], "added")
				want := []string{prefix + "added", prefix + "changed", prefix + "removed", prefix + "added"}
				if left := logtest.Types(t, f.db, f.log, "1"); !slices.Equal(left, want) {
					f.Errorf("left %q", left)
				}
				if r.absentResource == "" {
					return
				}
				_, err = f.members.Add(ctx, "1", "ada", r.absent, New{User: "u", Roles: []string{r.role}})
				f.refuses(err, fault.NotFound, r.absentResource)
				_, err = f.members.Change(ctx, "1", "ada", r.absent, "u", Change{Roles: []string{r.role}})
				f.refuses(err, fault.NotFound, r.absentResource)
			})
		})
	}
}

// left says which memberships instance 1 has: user, scope.
func (f *fixture) left() string {
	f.Helper()
	all, err := store.All(f.Context(), f.db, scan, selected+` ORDER BY user_id, scope`, "1")
	f.must(err)
	var texts []string
	for _, s := range all {
		texts = append(texts, string(s.User)+":"+string(s.Scope))
	}
	return strings.Join(texts, " ")
}

func TestRemoveAll(t *testing.T) {
	const all = "u:instance u:org u:project u:project_grant v:instance v:org v:project v:project_grant"
	for name, c := range map[string]struct {
		of   Of
		want string
	}{
		"user":         {Of{User: "u"}, "v:instance v:org v:project v:project_grant"},
		"organization": {Of{Scope: Org, ScopeID: "r"}, strings.NewReplacer("u:org ", "", "v:org ", "").Replace(all)},
		"project":      {Of{Scope: Project, ScopeID: "p"}, strings.NewReplacer("u:project ", "", "v:project ", "").Replace(all)},
		"grant":        {Of{Scope: ProjectGrant, ScopeID: "g"}, "u:instance u:org u:project v:instance v:org v:project"},
		"nothing":      {Of{}, all},
		"another":      {Of{Scope: Org, ScopeID: "o"}, all},
	} {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(f *fixture) {
				for _, at := range []ident.InstanceID{"1", "2"} {
					for _, r := range resources {
						for _, user := range []ident.UserID{"u", "v"} {
							_, err := f.members.Add(f.Context(), at, "ada", r.name, New{User: user, Roles: []string{r.role}})
							f.must(err)
						}
					}
				}
				f.write("1", func(ctx context.Context, w *eventlog.Writer) error { return RemoveAll(ctx, w, f.db.Dialect(), c.of) })
				if got := f.left(); got != c.want {
					f.Errorf("left %q, want %q", got, c.want)
				}
				if n := len(logtest.Types(t, f.db, f.log, "2")); n != 8 {
					f.Errorf("another instance has %d events", n)
				}
			})
		})
	}
}

// More than one page of them goes in one write.
func TestRemoveMany(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			for i := range 2*page + 1 {
				add := Add{Org: "o", User: ident.UserID(fmt.Sprint(i)), Roles: []string{OrgOwner}}
				if _, err := eventlog.Begin(ctx, w, Noun, add.Origin("1"), add.Decide()...); err != nil {
					return err
				}
			}
			return nil
		})
		f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			return RemoveAll(ctx, w, f.db.Dialect(), Of{Scope: Org, ScopeID: "o"})
		})
		if got := f.left(); got != "" {
			f.Errorf("left %.100q", got)
		}
	})
}
