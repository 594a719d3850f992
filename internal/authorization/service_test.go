package authorization

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database with the instances 1 and 2. In both, organization o owns project p with
// the roles a, b and c, and has granted a and b to organization r by grant g; u and v are users.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	log   *eventlog.Log
	auths *Service
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
		f.log = eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), f.clock, Noun)
		f.auths = &Service{DB: db, Log: f.log, IDs: ident.NewSource(idgrant.New(db), f.clock)}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.write(id, func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				return f.neighbours(ctx, w)
			})
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

// neighbours makes the rows of other nouns.
func (f *fixture) neighbours(ctx context.Context, w *eventlog.Writer) error {
	at := string(w.Instance())
	for _, user := range []string{"u", "v"} {
		err := w.Exec(ctx, `INSERT INTO users (instance_id, user_id, org_id, login_key, username, kind, state, name, access_token_type, first_name,
 last_name, display_name, preferred_language, email, email_verified, password_hash, password_change_required, sequence, created_at, changed_at)
 VALUES ($1, $2, 'o', $2, $2, 'machine', 'active', $2, 'bearer', '', '', '', '', '', FALSE, '', FALSE, 1, 1, 1)`, at, user)
		if err != nil {
			return err
		}
	}
	err := w.Exec(ctx, `INSERT INTO projects (instance_id, project_id, org_id, name, state, sequence, created_at, changed_at)
 VALUES ($1, 'p', 'o', 'P', 'active', 1, 1, 1)`, at)
	for _, role := range []string{"a", "b", "c"} {
		if err == nil {
			err = w.Exec(ctx, `INSERT INTO project_roles (instance_id, project_id, role_key, role_id, org_id, display_name, group_name,
 sequence, created_at, changed_at) VALUES ($1, 'p', $2, $2, 'o', '', '', 1, 1, 1)`, at, role)
		}
	}
	if err == nil {
		err = w.Exec(ctx, `INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state,
 sequence, created_at, changed_at) VALUES ($1, 'g', 'p', 'o', 'r', '["a","b"]', 'active', 1, 1, 1)`, at)
	}
	return err
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

func (f *fixture) add(user ident.UserID, org ident.OrgID, roles ...string) State {
	f.Helper()
	made, err := f.auths.Add(f.Context(), "1", "ada", New{User: user, Project: "p", Org: org, Roles: roles})
	f.must(err)
	return made
}

// is checks an authorization as it is read.
func (f *fixture) is(want State) {
	f.Helper()
	got, err := Get(f.Context(), f.db, "1", ident.AuthorizationID(want.ID))
	f.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("authorization %s (-want +got):\n%s", want.ID, diff)
	}
}

func TestAdd(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		own := f.add("u", "o", "a", "c")
		f.is(own)
		granted := f.add("u", "r", "b")
		f.is(granted)
		made, err := f.auths.Add(f.Context(), "1", "ada", New{User: "v", Project: "p", Org: "o", Whom: func(org ident.OrgID) bool { return org == "o" }})
		f.must(err)
		f.is(made)
		if own.Grant != "" || own.Org() != "o" || granted.Grant != "g" || granted.Org() != "r" {
			f.Errorf("given in %s by %q, and in %s by %q", own.Org(), own.Grant, granted.Org(), granted.Grant)
		}
		for _, c := range []struct {
			wish New
			want *fault.Error
		}{
			{New{User: "u", Project: "p", Org: "o", Roles: []string{"b"}}, errTaken},
			{New{User: "404", Project: "p", Org: "o"}, errNoUser},
			{New{User: "v", Project: "p", Org: "o", Whom: func(org ident.OrgID) bool { return org != "o" }}, errNoUser},
			{New{User: "v", Project: "404", Org: "o"}, errNoProject},
			{New{User: "v", Project: "p", Org: "404"}, errNoGrant},
			{New{User: "v", Project: "p", Org: "o", Roles: []string{"x"}}, errNoRole},
			{New{User: "v", Project: "p", Org: "r", Roles: []string{"c"}}, errNoRole}, // a role that is not granted
		} {
			if _, err := f.auths.Add(f.Context(), "1", "ada", c.wish); fault.Of(err).ID != c.want.ID || fault.KindOf(err) != c.want.Kind {
				f.Errorf("%+v: %v, want %v", c.wish, err, c.want)
			}
		}
		if _, err := Get(f.Context(), f.db, "2", ident.AuthorizationID(own.ID)); !errors.Is(err, NotFound) {
			f.Errorf("at another instance: %v", err)
		}
		other, err := f.auths.Add(f.Context(), "2", "ada", New{User: "u", Project: "p", Org: "o"})
		f.must(err)
		if other.Instance != "2" {
			f.Errorf("%+v", other.Head)
		}
	})
}

func TestCommands(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made := f.add("u", "r", "a")
		id := ident.AuthorizationID(made.ID)
		f.clock.Advance(time.Minute)
		changed, err := f.auths.Change(f.Context(), "1", "bob", id, Change{Roles: []string{"b", "a"}})
		f.must(err)
		f.is(changed)
		if !changed.ChangedAt.Equal(f.clock.Now()) || !slices.Equal(changed.Roles, []string{"b", "a"}) {
			f.Errorf("changed to %+v", changed)
		}
		f.clock.Advance(time.Minute)
		same, err := f.auths.Change(f.Context(), "1", "bob", id, Change{Roles: []string{"b", "a"}})
		f.must(err)
		f.is(same)
		if same.Sequence != changed.Sequence {
			f.Error("the same roles were written")
		}
		if _, err := f.auths.Change(f.Context(), "1", "bob", id, Change{Roles: []string{"c"}}); fault.Of(err).ID != errNoRole.ID {
			f.Errorf("a role that is not granted: %v", err)
		}
		for range 2 { // again it changes nothing
			off, err := f.auths.Deactivate(f.Context(), "1", "bob", id)
			f.must(err)
			f.is(off)
			if off.Status != Inactive || off.Sequence != 3 {
				f.Errorf("deactivated: %+v", off)
			}
		}
		on, err := f.auths.Activate(f.Context(), "1", "bob", id)
		f.must(err)
		f.is(on)
		gone, err := f.auths.Remove(f.Context(), "1", "bob", id)
		f.must(err)
		if !gone.Removed {
			f.Errorf("removed: %+v", gone)
		}
		want := []string{"user.grant.added", "user.grant.changed", "user.grant.deactivated", "user.grant.reactivated", "user.grant.removed"}
		if left := logtest.Types(t, f.db, f.log, "1"); !slices.Equal(left, want) {
			f.Errorf("left %q", left)
		}
		f.is(f.add("u", "r", "a")) // what was removed can be given again
		for at, id := range map[ident.InstanceID]ident.AuthorizationID{"1": id, "2": id} {
			for what, do := range map[string]func() (State, error){
				"change":     func() (State, error) { return f.auths.Change(f.Context(), at, "bob", id, Change{}) },
				"deactivate": func() (State, error) { return f.auths.Deactivate(f.Context(), at, "bob", id) },
				"activate":   func() (State, error) { return f.auths.Activate(f.Context(), at, "bob", id) },
				"remove":     func() (State, error) { return f.auths.Remove(f.Context(), at, "bob", id) },
			} {
				if _, err := do(); !errors.Is(err, NotFound) {
					f.Errorf("%s at %s: %v", what, at, err)
				}
			}
		}
	})
}

// left says which authorizations instance 1 has: user, organization, roles.
func (f *fixture) left() string {
	f.Helper()
	all, err := store.All(f.Context(), f.db, scan, selected+` ORDER BY user_id, org_id`, "1")
	f.must(err)
	var texts []string
	for _, s := range all {
		texts = append(texts, fmt.Sprintf("%s/%s:%s", s.User, s.Org(), strings.Join(s.Roles, "+")))
	}
	return strings.Join(texts, " ")
}

func TestCascade(t *testing.T) {
	cases := map[string]struct {
		of    Of
		roles []string // nil: the authorizations go
		want  string
	}{
		"user":                {Of{User: "u"}, nil, "v/o:a+c v/r:b"},
		"project":             {Of{Project: "p"}, nil, ""},
		"grant":               {Of{Grant: "g"}, nil, "u/o:a+b v/o:a+c"},
		"organization":        {Of{Org: "o"}, nil, "u/r:a+b v/r:b"},
		"user in a project":   {Of{User: "u", Project: "p"}, nil, "v/o:a+c v/r:b"},
		"nothing":             {Of{}, nil, "u/o:a+b u/r:a+b v/o:a+c v/r:b"},
		"nothing there is":    {Of{Project: "404"}, nil, "u/o:a+b u/r:a+b v/o:a+c v/r:b"},
		"role of a project":   {Of{Project: "p"}, []string{"a"}, "u/o:b u/r:b v/o:c v/r:b"},
		"roles of a grant":    {Of{Project: "p", Grant: "g"}, []string{"a", "b"}, "u/o:a+b u/r: v/o:a+c v/r:"},
		"role of no one":      {Of{Project: "p"}, []string{"x"}, "u/o:a+b u/r:a+b v/o:a+c v/r:b"},
		"no role of anything": {Of{Project: "p"}, []string{}, "u/o:a+b u/r:a+b v/o:a+c v/r:b"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(f *fixture) {
				f.add("u", "o", "a", "b")
				f.add("u", "r", "a", "b")
				f.add("v", "o", "a", "c")
				f.add("v", "r", "b")
				_, err := f.auths.Add(f.Context(), "2", "ada", New{User: "u", Project: "p", Org: "o", Roles: []string{"a"}})
				f.must(err)
				f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
					if c.roles == nil {
						return RemoveAll(ctx, w, f.db.Dialect(), c.of)
					}
					return Withdraw(ctx, w, f.db.Dialect(), c.of, c.roles...)
				})
				if got := f.left(); got != c.want {
					f.Errorf("left %q, want %q", got, c.want)
				}
				if n := len(logtest.Types(t, f.db, f.log, "2")); n != 1 {
					f.Errorf("another instance has %d events", n)
				}
			})
		})
	}
}

// More than one page of them goes in one write.
func TestCascadeOfMany(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const many = 2*page + 1
		f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			for i := range many {
				_, err := eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: fmt.Sprint(i), Owner: "o"},
					Added{User: ident.UserID(fmt.Sprint("u", i)), Project: "p", Roles: []string{"a", "b"}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			if err := Withdraw(ctx, w, f.db.Dialect(), Of{Project: "p"}, "b"); err != nil {
				return err
			}
			return RemoveAll(ctx, w, f.db.Dialect(), Of{Project: "p"})
		})
		if got := f.left(); got != "" {
			f.Errorf("left %.100q", got)
		}
		if n := len(logtest.Types(t, f.db, f.log, "1")); n != 3*many {
			f.Errorf("%d events of %d authorizations", n, many)
		}
	})
}

// Of many who give the same at once one does, and the others are told.
func TestAddAtOnce(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const many = 8
		errs := make([]error, many)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() {
				_, errs[i] = f.auths.Add(f.Context(), "1", "ada", New{User: "u", Project: "p", Org: "o", Roles: []string{"a"}})
			})
		}
		group.Wait()
		given := 0
		for _, err := range errs {
			if err == nil {
				given++
			} else if !errors.Is(err, errTaken) {
				f.Errorf("refused: %v", err)
			}
		}
		if given != 1 || f.left() != "u/o:a" {
			f.Errorf("given %d times: %s", given, f.left())
		}
	})
}
