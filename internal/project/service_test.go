package project

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

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/org"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database, with the instances 1 and 2, which have the organizations a, b and c
// each, and a project of their own with the id own.
type fixture struct {
	*testing.T
	projects *Service
	clock    *ident.ManualClock
	// withdrawn are the roles that were taken from the authorizations of grants.
	withdrawn []string
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		log := eventlog.New(db, keys, f.clock, instance.Noun, org.Noun, Noun, RoleNoun, GrantNoun)
		f.projects = &Service{
			DB: db, Log: log, IDs: ident.NewSource(idgrant.New(db), f.clock),
			Org: func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.OrgID) error {
				return org.Keep(ctx, tx, db.Dialect(), at, id)
			},
			Withdraw: func(_ context.Context, _ *eventlog.Writer, grant ident.GrantID, roles []string) error {
				f.withdrawn = append(f.withdrawn, fmt.Sprint(grant, roles))
				return nil
			},
		}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
					instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: string(id) + ".example"},
					instance.DomainPrimarySet{Domain: string(id) + ".example"}, instance.ProjectSet{Project: "own"})
				for _, o := range []string{"a", "b", "c"} {
					if err == nil {
						events, _ := org.Add{Name: "Org " + o, Domain: o}.Decide()
						_, err = eventlog.Begin(ctx, w, org.Noun, eventlog.Origin{ID: o, Owner: o}, events...)
					}
				}
				if err == nil {
					_, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: "own", Owner: "a"}, Add{Name: "Own"}.Decide()...)
				}
				return err
			}))
		}
		fn(f)
		logtest.CheckFold(t, db, log)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// have makes a project of an organization, with roles.
func (f *fixture) have(of ident.OrgID, id ident.ProjectID, name string, roles ...string) {
	f.Helper()
	_, err := f.projects.Add(f.Context(), "1", of, "ada", id, New{Add{Name: name}})
	f.must(err)
	for _, key := range roles {
		_, err := f.projects.AddRole(f.Context(), "1", "ada", NewRole{Project: id, Key: key, DisplayName: strings.ToUpper(key)})
		f.must(err)
	}
}

// grant grants a project.
func (f *fixture) grant(id ident.ProjectID, to ident.OrgID, roles ...string) Grant {
	f.Helper()
	g, err := f.projects.AddGrant(f.Context(), "1", "ada", NewGrant{Project: id, Org: to, Roles: roles})
	f.must(err)
	return g
}

// left checks the types of the events behind the first n of instance 1.
func (f *fixture) left(n int, want ...string) {
	f.Helper()
	got := logtest.Types(f, f.projects.DB, f.projects.Log, "1")
	if n > len(got) || !slices.Equal(got[n:], want) {
		f.Errorf("left %v, want %v", got[min(n, len(got)):], want)
	}
}

// events is how many events instance 1 has.
func (f *fixture) events() int { return len(logtest.Types(f, f.projects.DB, f.projects.Log, "1")) }

func (f *fixture) refused(err error, want *logtest.Refusal) {
	f.Helper()
	logtest.CheckRefusal(f, err, *want)
}

func TestProjects(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made, err := f.projects.Add(f.Context(), "1", "a", "ada", "", New{Add{Name: "Shop", AccessRequired: true, Labeling: 1}})
		f.must(err)
		id := ident.ProjectID(made.ID)
		if id == "" || made.Org() != "a" || !made.Active {
			f.Errorf("made %+v", made)
		}
		f.clock.Advance(time.Hour)
		n := f.events()
		after, err := f.projects.Change(f.Context(), "1", "bob", id, Change{Name: ptr("Store"), RoleAssertion: ptr(true), AuthorizationRequired: ptr(true)})
		f.must(err)
		got, err := Get(f.Context(), f.projects.DB, "1", id)
		f.must(err)
		want := State{
			Head: made.Head, Name: "Store", Active: true, RoleAssertion: true, AuthorizationRequired: true, AccessRequired: true, Labeling: 1,
		}
		want.Sequence, want.ChangedAt = 2, f.clock.Now()
		if diff := cmp.Diff(want, got); diff != "" || cmp.Diff(got, after) != "" {
			f.Errorf("changed (-want +got):\n%s\nand returned %+v", diff, after)
		}
		again, err := f.projects.Change(f.Context(), "1", "bob", id, Change{Name: ptr("Store")})
		f.must(err)
		if diff := cmp.Diff(after, again); diff != "" {
			f.Errorf("changed nothing:\n%s", diff)
		}
		_, err = f.projects.Deactivate(f.Context(), "1", "bob", id)
		f.must(err)
		if s, err := Get(f.Context(), f.projects.DB, "1", id); err != nil || s.Active {
			f.Errorf("deactivated %+v, %v", s, err)
		}
		_, err = f.projects.Reactivate(f.Context(), "1", "bob", id)
		f.must(err)
		f.left(n, "project.changed", "project.deactivated", "project.reactivated")
	})
}

func TestProjectsRefused(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "p", "Shop")
		f.have("a", "q", "Other")
		n := f.events()
		add := func(of ident.OrgID, id ident.ProjectID, name string) error {
			_, err := f.projects.Add(f.Context(), "1", of, "ada", id, New{Add{Name: name}})
			return err
		}
		taken := refusal(fault.AlreadyExists, "V3-DKcYh", "name")
		f.refused(add("a", "", "SHOP"), taken)
		f.refused(add("b", "p", "New"), refusal(fault.AlreadyExists, "COMMAND-opamwu", "project_id"))
		f.refused(add("a", "", "\t"), refusal(fault.InvalidArgument, "PROJECT-IOVCC", "name"))
		if err := add("x", "", "New"); !errors.Is(err, org.NotFound) {
			f.Errorf("of no organization: %v", err)
		}
		change := func(id ident.ProjectID, wish Change) error {
			_, err := f.projects.Change(f.Context(), "1", "ada", id, wish)
			return err
		}
		f.refused(change("q", Change{Name: ptr("shop")}), taken)
		own := refusal(fault.FailedPrecondition, "PROJECT-self1", "project_id")
		f.refused(change("own", Change{Name: ptr("New")}), own)
		_, err := f.projects.Deactivate(f.Context(), "1", "ada", "own")
		f.refused(err, own)
		_, err = f.projects.Reactivate(f.Context(), "1", "ada", "own")
		f.refused(err, own)
		if err := change("x", Change{}); !errors.Is(err, NotFound) {
			f.Errorf("of no project: %v", err)
		}
		if _, err := f.projects.Change(f.Context(), "2", "ada", "p", Change{}); !errors.Is(err, NotFound) {
			f.Errorf("of another instance: %v", err)
		}
		f.left(n)
		f.must(add("b", "", "Shop"))                    // another organization has its own names
		f.must(change("q", Change{Name: ptr("OTHER")})) // its own in another case
	})
}

func TestRoles(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "p", "Shop")
		f.have("a", "q", "Other", "admin")
		n := f.events()
		add := NewRole{Project: "p", Key: "admin", DisplayName: "Administrator", Group: "staff"}
		made, err := f.projects.AddRole(f.Context(), "1", "ada", add)
		f.must(err)
		if made.Owner != "a" || made.Key != "admin" || made.ID == "" {
			f.Errorf("made %+v", made)
		}
		f.clock.Advance(time.Hour)
		after, err := f.projects.ChangeRole(f.Context(), "1", "bob", "p", "admin", ChangeRole{DisplayName: ptr("Boss"), Group: ptr("")})
		f.must(err)
		if !after.ChangedAt.Equal(f.clock.Now()) || after.DisplayName != "Boss" || after.Group != "" {
			f.Errorf("changed %+v", after)
		}
		_, total, page := listRoles(f, "p", RoleSearch{})
		if total != 1 || cmp.Diff(page[0], after) != "" {
			f.Errorf("read %+v after %+v", page, after)
		}
		f.left(n, "project.role.added", "project.role.changed")

		_, err = f.projects.AddRole(f.Context(), "1", "ada", add)
		f.refused(err, refusal(fault.AlreadyExists, "V3-DKcYh", "role_key"))
		add.Key = " "
		_, err = f.projects.AddRole(f.Context(), "1", "ada", add)
		f.refused(err, refusal(fault.InvalidArgument, "COMMAND-4m9vS", "role_key"))
		add.Key, add.Project = "x", "x"
		if _, err = f.projects.AddRole(f.Context(), "1", "ada", add); !errors.Is(err, NotFound) {
			f.Errorf("of no project: %v", err)
		}
		for _, of := range []ident.ProjectID{"p", "x"} {
			if _, err = f.projects.ChangeRole(f.Context(), "1", "bob", of, "none", ChangeRole{}); !errors.Is(err, RoleNotFound) {
				f.Errorf("no role of %s: %v", of, err)
			}
		}
		f.left(n, "project.role.added", "project.role.changed")
	})
}

// listRoles returns the keys that a search finds as a text, and what it returns.
func listRoles(f *fixture, of ident.ProjectID, s RoleSearch) (keys string, total int, page []Role) {
	f.Helper()
	total, page, err := ListRoles(f.Context(), f.projects.DB, "1", of, s)
	f.must(err)
	for _, r := range page {
		keys += " " + r.Key
	}
	return fmt.Sprint(total, keys), total, page
}

func TestGrants(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "p", "Shop", "x", "y", "z")
		n := f.events()
		made := f.grant("p", "b", "x", "y", "x")
		if made.Owner != "a" || made.Org != "b" || !slices.Equal(made.Roles, []string{"x", "y"}) {
			f.Errorf("made %+v", made)
		}
		f.clock.Advance(time.Hour)
		change := func(roles ...string) (Grant, error) {
			return f.projects.ChangeGrant(f.Context(), "1", "bob", "p", "b", ChangeGrant{Roles: roles})
		}
		after, err := change("z", "y")
		f.must(err)
		if _, err = change("z", "y"); err != nil || !slices.Equal(f.withdrawn, []string{made.ID + "[x]"}) {
			f.Errorf("withdrawn %v, %v", f.withdrawn, err)
		}
		_, listed, err := ListGrants(f.Context(), f.projects.DB, "1", GrantSearch{Shown: call.Reach{Instance: true}})
		f.must(err)
		if len(listed) != 1 || cmp.Diff(*listed[0].Grant, after) != "" || listed[0].GrantedOrgName != "Org b" || listed[0].Name != "Shop" {
			f.Errorf("listed %+v after %+v", listed, after)
		}
		for range 2 { // to be in a state already is no mistake
			off, err := f.projects.DeactivateGrant(f.Context(), "1", "bob", "p", "b")
			f.must(err)
			if off.Active {
				f.Errorf("deactivated %+v", off)
			}
		}
		for range 2 {
			on, err := f.projects.ReactivateGrant(f.Context(), "1", "bob", "p", "b")
			f.must(err)
			if !on.Active {
				f.Errorf("reactivated %+v", on)
			}
		}
		f.left(n, "project.grant.added", "project.grant.changed", "project.grant.deactivated", "project.grant.reactivated")
	})
}

func TestGrantsRefused(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "p", "Shop", "x")
		f.have("a", "q", "Other", "y")
		f.grant("p", "b", "x")
		n := f.events()
		add := func(of ident.ProjectID, to ident.OrgID, roles ...string) error {
			_, err := f.projects.AddGrant(f.Context(), "1", "ada", NewGrant{Project: of, Org: to, Roles: roles})
			return err
		}
		f.refused(add("p", "b"), refusal(fault.AlreadyExists, "V3-DKcYh", "granted_organization_id"))
		f.refused(add("p", "a"), refusal(fault.FailedPrecondition, "PROJECT-ckUpbvboAH", "granted_organization_id"))
		f.refused(add("p", "nobody"), refusal(fault.FailedPrecondition, "COMMAND-3m9gg", "granted_organization_id"))
		f.refused(add("p", "c", "x", "y"), refusal(fault.FailedPrecondition, "COMMAND-6m9gd", "role_keys[1]"))
		if err := add("none", "c"); !errors.Is(err, NotFound) {
			f.Errorf("of no project: %v", err)
		}
		_, err := f.projects.ChangeGrant(f.Context(), "1", "ada", "p", "b", ChangeGrant{Roles: []string{"y"}})
		f.refused(err, refusal(fault.FailedPrecondition, "COMMAND-6m9gd", "role_keys[0]"))
		for name, command := range map[string]func() (Grant, error){
			"change":     func() (Grant, error) { return f.projects.ChangeGrant(f.Context(), "1", "ada", "p", "c", ChangeGrant{}) },
			"deactivate": func() (Grant, error) { return f.projects.DeactivateGrant(f.Context(), "1", "ada", "q", "b") },
			"reactivate": func() (Grant, error) { return f.projects.ReactivateGrant(f.Context(), "1", "ada", "p", "c") },
		} {
			if _, err := command(); !errors.Is(err, GrantNotFound) {
				f.Errorf("%s of no grant: %v", name, err)
			}
		}
		broken := errors.New("broken")
		f.projects.Withdraw = func(context.Context, *eventlog.Writer, ident.GrantID, []string) error { return broken }
		if _, err := f.projects.ChangeGrant(f.Context(), "1", "ada", "p", "b", ChangeGrant{}); !errors.Is(err, broken) {
			f.Errorf("roles that cannot be withdrawn: %v", err)
		}
		f.left(n)
	})
}

// A role that is removed goes from every grant that has it, however many they are.
func TestWithdrawRole(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "p", "Shop", "x", "y")
		f.have("a", "q", "Other", "x")
		f.grant("q", "b", "x")
		f.grant("p", "c", "y")
		const many = page + 7
		f.must(f.projects.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			for i := range many {
				events, err := NewGrant{Project: "p", Org: ident.OrgID(fmt.Sprint("o", i)), Roles: []string{"y", "x"}}.Decide(
					ident.GrantID(fmt.Sprint("g", i)), "a", []string{"x", "y"})
				if err == nil {
					_, err = eventlog.Begin(ctx, w, GrantNoun, eventlog.Origin{ID: fmt.Sprint("g", i), Owner: "a"}, events...)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}))
		n := f.events()
		f.must(f.projects.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			return WithdrawRole(ctx, w, f.projects.DB.Dialect(), "p", "x")
		}))
		f.left(n, slices.Repeat([]string{"project.grant.cascade.changed"}, many)...)
		with := func(key string) int {
			total, _, err := ListGrants(f.Context(), f.projects.DB, "1", GrantSearch{
				Shown: call.Reach{Instance: true}, RoleKeys: []search.Text{{Value: key}}, Page: search.Page{Limit: 1},
			})
			f.must(err)
			return total
		}
		if with("x") != 1 || with("y") != many+1 {
			f.Errorf("%d grants have x, %d have y", with("x"), with("y"))
		}
	})
}

// Of all who want one name, key or grant at the same time one gets it.
func TestRaces(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "p", "Shop")
		const contenders = 6
		errs := make([][]error, 3)
		for i := range errs {
			errs[i] = make([]error, contenders)
		}
		var group sync.WaitGroup
		for c := range contenders {
			group.Go(func() { _, errs[0][c] = f.projects.Add(f.Context(), "1", "a", "ada", "", New{Add{Name: "Wanted"}}) })
			group.Go(func() {
				_, errs[1][c] = f.projects.AddRole(f.Context(), "1", "ada", NewRole{Project: "p", Key: "wanted", DisplayName: "W"})
			})
			group.Go(func() {
				_, errs[2][c] = f.projects.AddGrant(f.Context(), "1", "ada", NewGrant{Project: "p", Org: "b"})
			})
		}
		group.Wait()
		for _, of := range errs {
			won := 0
			for _, err := range of {
				if err == nil {
					won++
				} else {
					f.refused(err, refusal(fault.AlreadyExists, "V3-DKcYh", map[int]string{0: "name", 1: "role_key", 2: "granted_organization_id"}[slices.IndexFunc(errs, func(o []error) bool { return &o[0] == &of[0] })]))
				}
			}
			if won != 1 {
				f.Errorf("%d won: %v", won, of)
			}
		}
	})
}
