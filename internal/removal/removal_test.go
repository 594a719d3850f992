package removal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/app"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/user"
)

// is checks a list, of which the order does not matter.
func (f *fixture) is(what string, got []string, want ...string) {
	f.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		f.Errorf("%s: %v, want %v", what, got, want)
	}
}

// before checks that of two types of events all of the first come before all of the second.
func (f *fixture) before(events []string, first, second string) {
	f.Helper()
	i, j := slices.Index(events, second), -1
	for n, e := range events {
		if e == first {
			j = n
		}
	}
	if i < 0 || j < 0 || j > i {
		f.Errorf("%s does not come before %s: %v", first, second, events)
	}
}

func TestUser(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		n := f.events()
		after, err := f.removals.User(f.Context(), "1", "bob", "am")
		f.must(err)
		if after.ID != "am" || !after.Removed || after.Sequence != 2 {
			f.Errorf("removed %+v", after)
		}
		events := f.left(n)
		f.is("events", events, "user.pat.removed", "user.machine.key.removed", "user.metadata.removed", "user.grant.cascade.removed",
			"user.grant.cascade.removed", "instance.member.cascade.removed", "org.member.cascade.removed", "org.member.cascade.removed",
			"project.member.cascade.removed", "project.grant.member.cascade.removed", "oidc_session.expired", "user.removed")
		if events[len(events)-1] != "user.removed" {
			f.Errorf("the user does not end last: %v", events)
		}
		f.is("users", f.column("users", "user_id"), "ah", "bm")
		f.is("tokens", f.column("personal_access_tokens", "token_id"), "bt")
		f.is("keys", f.column("machine_keys", "key_id"))
		f.is("metadata", f.column("user_metadata", "metadata_id"))
		f.is("sessions", f.column("oidc_sessions", "session_id"), "session of bm")
		f.is("authorizations", f.column("authorizations", "authorization_id"), "own of ah", "granted of bm", "foreign of ah")
		f.is("members", f.column("members", "user_id || ' ' || scope_id"), "bm 1", "bm a", "bm b", "bm ap", "bm ag")
		if _, err := f.removals.User(f.Context(), "1", "bob", "am"); !errors.Is(err, user.NotFound) {
			f.Errorf("again: %v", err)
		}
		// A human with nothing of its own but authorizations.
		n = f.events()
		_, err = f.removals.User(f.Context(), "1", "bob", "ah")
		f.must(err)
		f.is("events", f.left(n), "user.grant.cascade.removed", "user.grant.cascade.removed", "user.removed")
	})
}

func TestProject(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		n := f.events()
		after, err := f.removals.Project(f.Context(), "1", "bob", "ap")
		f.must(err)
		if after.ID != "ap" || !after.Removed {
			f.Errorf("removed %+v", after)
		}
		events := f.left(n)
		f.is("events", events, "user.grant.cascade.removed", "user.grant.cascade.removed", "user.grant.cascade.removed",
			"project.grant.member.cascade.removed", "project.grant.member.cascade.removed", "project.grant.removed",
			"project.application.oidc.key.removed", "project.application.removed", "project.role.removed", "project.role.removed",
			"project.member.cascade.removed", "project.member.cascade.removed", "project.removed")
		f.before(events, "project.grant.member.cascade.removed", "project.grant.removed")
		f.before(events, "project.application.oidc.key.removed", "project.application.removed")
		if events[len(events)-1] != "project.removed" {
			f.Errorf("the project does not end last: %v", events)
		}
		f.is("projects", f.column("projects", "project_id"), "own", "bp")
		f.is("names", f.column("project_names", "project_id"), "own", "bp")
		f.is("roles", f.column("project_roles", "role_id"), "bpx")
		f.is("grants", f.column("project_grants", "grant_id"), "bg")
		f.is("apps", f.column("apps", "app_id"), "bc")
		f.is("keys of apps", f.column("app_keys", "key_id"), "bck")
		f.is("authorizations", f.column("authorizations", "authorization_id"), "granted of am", "foreign of ah")
		f.is("members", f.column("members", "user_id || ' ' || scope_id"), "am 1", "am a", "am b", "bm 1", "bm a", "bm b")

		if _, err := f.removals.Project(f.Context(), "1", "bob", "ap"); !errors.Is(err, project.NotFound) {
			f.Errorf("again: %v", err)
		}
		_, err = f.removals.Project(f.Context(), "1", "bob", "own")
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.FailedPrecondition, ID: "PROJECT-self1", Fields: []string{"project_id"}})
	})
}

func TestRole(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		n := f.events()
		after, err := f.removals.Role(f.Context(), "1", "bob", "ap", "x")
		f.must(err)
		if after.Key != "x" || !after.Removed {
			f.Errorf("removed %+v", after)
		}
		f.is("events", f.left(n), "user.grant.cascade.changed", "user.grant.cascade.changed", "project.grant.cascade.changed", "project.role.removed")
		f.is("roles", f.column("project_roles", "role_id"), "apy", "bpx")
		f.is("roles of grants", f.column("project_grant_roles", "grant_id || ' ' || role_key"), "ag y", "bg x")
		f.is("roles of authorizations", f.column("authorization_roles", "authorization_id || ' ' || role_key"),
			"own of am y", "own of ah y", "granted of am x", "foreign of ah x")
		f.is("authorizations", f.column("authorizations", "authorization_id"), "own of am", "own of ah", "granted of bm", "granted of am", "foreign of ah")

		for _, of := range []ident.ProjectID{"ap", "bp"} {
			if _, err := f.removals.Role(f.Context(), "1", "bob", of, "z"); !errors.Is(err, project.RoleNotFound) {
				f.Errorf("no role of %s: %v", of, err)
			}
		}
		if _, err := f.removals.Role(f.Context(), "1", "bob", "none", "x"); !errors.Is(err, project.NotFound) {
			f.Errorf("of no project: %v", err)
		}
		// Its key can be that of another role.
		f.must(f.removals.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Begin(ctx, w, project.RoleNoun, eventlog.Origin{ID: "new", Owner: "a"}, project.RoleAdded{Project: "ap", Key: "x"})
			return err
		}))
	})
}

func TestGrant(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		n := f.events()
		after, err := f.removals.Grant(f.Context(), "1", "bob", "ap", "b")
		f.must(err)
		if after.ID != "ag" || !after.Removed {
			f.Errorf("removed %+v", after)
		}
		f.is("events", f.left(n), "user.grant.cascade.removed", "project.grant.member.cascade.removed",
			"project.grant.member.cascade.removed", "project.grant.removed")
		f.is("grants", f.column("project_grants", "grant_id"), "bg")
		f.is("authorizations", f.column("authorizations", "authorization_id"), "own of am", "own of ah", "granted of am", "foreign of ah")
		if _, err := f.removals.Grant(f.Context(), "1", "bob", "ap", "b"); !errors.Is(err, project.GrantNotFound) {
			f.Errorf("again: %v", err)
		}
		if _, err := f.removals.Grant(f.Context(), "1", "bob", "none", "b"); !errors.Is(err, project.NotFound) {
			f.Errorf("of no project: %v", err)
		}
	})
}

func TestOrg(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		n := f.events()
		after, err := f.removals.Org(f.Context(), "1", "bob", "a")
		f.must(err)
		if after.ID != "a" || !after.Removed {
			f.Errorf("removed %+v", after)
		}
		events := f.left(n)
		counted := make(map[string]int)
		for _, e := range events {
			counted[e]++
		}
		if diff := cmp.Diff(map[string]int{
			"org.removed": 1, "org.policy.password.complexity.removed": 1, "user.removed": 2, "user.pat.removed": 1, "user.machine.key.removed": 1,
			"user.metadata.removed": 1, "oidc_session.expired": 1, "user.grant.cascade.removed": 5, "instance.member.cascade.removed": 1,
			"org.member.cascade.removed": 3, "project.member.cascade.removed": 2, "project.grant.member.cascade.removed": 2,
			"project.removed": 1, "project.role.removed": 2, "project.grant.removed": 2, "project.application.removed": 1,
			"project.application.oidc.key.removed": 1,
		}, counted); diff != "" {
			f.Errorf("events (-want +got):\n%s", diff)
		}
		for _, below := range []string{"user.removed", "project.removed", "project.grant.removed"} {
			f.before(events, below, "org.removed")
		}
		f.before(events, "user.pat.removed", "user.removed")
		if got, want := f.rows("1"), []string{
			"instances 1", "instance_domains 1", "orgs 3", "org_names 3", "org_domains 3", "org_metadata 3", "users 1",
			"personal_access_tokens 1", "oidc_sessions 1", "members 2", "projects 2", "project_names 2", "project_roles 1", "apps 1",
			"app_keys 1", "policies 1",
		}; !slices.Equal(got, want) {
			f.Errorf("rows are left: %v, want %v", got, want)
		}
		f.is("members", f.column("members", "user_id || ' ' || scope_id"), "bm 1", "bm b")
		f.is("projects", f.column("projects", "project_id"), "own", "bp")

		if _, err := f.removals.Org(f.Context(), "1", "bob", "a"); !errors.Is(err, org.NotFound) {
			f.Errorf("again: %v", err)
		}
		for id, want := range map[ident.OrgID]string{"d": "COMMA-wG9p1", "e": "COMMA-AF3JW"} {
			_, err := f.removals.Org(f.Context(), "1", "bob", id)
			logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.FailedPrecondition, ID: want, Fields: []string{"organization_id"}})
		}
		if _, err := f.removals.Org(f.Context(), "3", "bob", "a"); !errors.Is(err, org.NotFound) {
			f.Errorf("of no instance: %v", err)
		}
	})
}

// An organization that has more of everything than a page goes as a whole; what it had can be had again.
func TestLargeOrg(t *testing.T) {
	const many = 2*page + 3
	eachEngine(t, func(f *fixture) {
		f.must(f.removals.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			m := &maker{ctx: ctx, w: w}
			for i := range many {
				id := fmt.Sprintf("a%05d", i)
				begin(m, user.Noun, id, "a", user.MachineAdded{UserName: id, Name: "M", AccessTokenType: "bearer"})
				if i%3 == 0 {
					begin(m, pat.Noun, id, "a", pat.Add{Token: ident.TokenID(id), User: ident.UserID(id), Hash: []byte(id), ExpiresAt: logtest.At(9)}.Decide()...)
				}
				begin(m, project.Noun, id, "a", project.Added{Name: id})
				begin(m, project.RoleNoun, id, "a", project.RoleAdded{Project: "ap", Key: id})
				begin(m, app.Noun, id, "a", app.Added{App: ident.AppID(id), Project: "ap", Name: id},
					app.APIConfigAdded{App: ident.AppID(id), ClientID: id, AuthMethod: app.PrivateKeyJWT})
				begin(m, project.GrantNoun, id, "a", project.GrantAdded{Grant: ident.GrantID(id), Project: "ap", Org: ident.OrgID(id)})
				begin(m, project.GrantNoun, "b"+id, "b", project.GrantAdded{Grant: ident.GrantID("b" + id), Project: ident.ProjectID("b" + id), Org: "a"})
			}
			return errors.Join(m.errs...)
		}))
		_, err := f.removals.Org(f.Context(), "1", "bob", "a")
		f.must(err)
		for _, left := range f.rows("1") {
			if strings.Contains(left, fmt.Sprint(many)) {
				f.Errorf("left: %s", left)
			}
		}
		f.is("users", f.column("users", "user_id"), "bm")
		f.is("projects", f.column("projects", "project_id"), "own", "bp")
		f.is("grants", f.column("project_grants", "grant_id"))
		f.must(f.removals.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			m := &maker{ctx: ctx, w: w}
			begin(m, org.Noun, "a2", "a2", org.Added{Name: "a"}, org.DomainAdded{Domain: "a"}, org.DomainVerified{Domain: "a"}, org.DomainPrimarySet{Domain: "a"})
			begin(m, user.Noun, "new", "a2", user.MachineAdded{UserName: "a00001", Name: "M", AccessTokenType: "bearer"})
			return errors.Join(m.errs...)
		}))
	})
}

// What is added to an organization while it is removed goes with it, or is refused.
func TestOrgRace(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		projects := &project.Service{
			DB: f.removals.DB, Log: f.removals.Log, IDs: f.ids,
			Org: func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.OrgID) error {
				return org.Keep(ctx, tx, f.removals.DB.Dialect(), at, id)
			},
		}
		var group sync.WaitGroup
		start := make(chan struct{})
		run := func(fn func() error) {
			group.Go(func() {
				<-start
				if err := fn(); err != nil && fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.FailedPrecondition {
					f.Error(err)
				}
			})
		}
		for i := range 8 {
			run(func() error {
				_, err := projects.Add(f.Context(), "1", "a", "ada", "", project.New{Add: project.Add{Name: fmt.Sprint("New ", i)}})
				return err
			})
			run(func() error {
				_, err := projects.AddRole(f.Context(), "1", "ada", project.NewRole{Project: "ap", Key: fmt.Sprint("new ", i)})
				return err
			})
			run(func() error {
				_, err := projects.AddGrant(f.Context(), "1", "ada", project.NewGrant{Project: "bp", Org: []ident.OrgID{"a", "d"}[i%2]})
				if fault.KindOf(err) == fault.AlreadyExists {
					return nil
				}
				return err
			})
		}
		run(func() error {
			_, err := f.removals.Org(f.Context(), "1", "bob", "a")
			return err
		})
		close(start)
		group.Wait()
		f.is("projects", f.column("projects", "project_id"), "own", "bp")
		f.is("roles", f.column("project_roles", "role_id"), "bpx")
		for _, owner := range f.column("project_grants", "granted_org_id") {
			if owner == "a" {
				f.Error("a grant to the removed organization is left")
			}
		}
	})
}

// No organization becomes the default one while it is removed.
func TestDefaultRace(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		var group sync.WaitGroup
		var set, removed error
		group.Go(func() {
			set = f.removals.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := (&instance.Service{DB: f.removals.DB, Log: f.removals.Log}).Hold(ctx, w, "1"); err != nil {
					return err
				}
				if err := org.Keep(ctx, w, f.removals.DB.Dialect(), "1", "a"); err != nil {
					return err
				}
				s, err := instance.Get(ctx, w, "1")
				if err == nil {
					_, err = eventlog.Append(ctx, w, instance.Noun, s, instance.DefaultOrgSet{Org: "a"})
				}
				return err
			})
		})
		group.Go(func() { _, removed = f.removals.Org(f.Context(), "1", "bob", "a") })
		group.Wait()
		if (set == nil) == (removed == nil) {
			f.Errorf("set: %v, removed: %v", set, removed)
		}
	})
}
