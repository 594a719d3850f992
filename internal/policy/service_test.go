package policy

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database with the instances 1 and 2, which were made at start.
type fixture struct {
	*testing.T
	db       store.DB
	clock    *ident.ManualClock
	log      *eventlog.Log
	policies *Service
}

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

var errNoOrg = fault.New(fault.NotFound, "ORG-1MRds", "Errors.Org.NotFound")

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, instance.Noun, Noun)
		f.policies = &Service{
			DB: db, Log: f.log, IDs: ident.NewSource(grant{}, f.clock),
			Hold: (&instance.Service{DB: db, Log: f.log}).Hold,
			HoldOrg: func(_ context.Context, _ store.Tx, _ ident.InstanceID, org ident.OrgID) error {
				if org == "gone" {
					return errNoOrg
				}
				return nil
			},
		}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
					instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: string(id) + ".example"})
				return err
			}))
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// asks checks how long a password must be, and who says so.
func (f *fixture) asks(id ident.InstanceID, org ident.OrgID, length int, from eventlog.Head, inherited bool) {
	f.Helper()
	got, err := Resolver{}.HeldComplexity(f.Context(), f.db, id, org)
	f.must(err)
	if got.Value.MinLength != length || got.Inherited != inherited || !cmp.Equal(got.From, from) {
		f.Errorf("in %q of %s: %+v", org, id, got)
	}
	short, err := Resolver{}.PasswordComplexity(f.Context(), f.db, id, org)
	if err != nil || short != got.Value {
		f.Errorf("in %q of %s: %+v, %v", org, id, short, err)
	}
}

func TestInheritance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx := f.Context()
		builtIn := func(id ident.InstanceID) eventlog.Head {
			return eventlog.Head{Instance: id, Owner: string(id), CreatedAt: start, ChangedAt: start}
		}
		f.asks("1", "", 8, builtIn("1"), true)
		f.asks("1", "7", 8, builtIn("1"), true)

		f.clock.Advance(time.Minute)
		set, err := f.policies.Change(ctx, "1", "bob", ComplexitySettings{MinLength: new(uint64(12))})
		f.must(err)
		if set.Owner != "1" || set.Sequence != 1 || !set.CreatedAt.Equal(start.Add(time.Minute)) {
			f.Errorf("head %+v", set.Head)
		}
		f.asks("1", "", 12, set.Head, true)
		f.asks("1", "7", 12, set.Head, true)
		f.asks("2", "7", 8, builtIn("2"), true)

		own, err := f.policies.AddOrg(ctx, "1", "7", "bob", strict(10))
		f.must(err)
		if own.Owner != "7" || own.Org != "7" {
			f.Errorf("own %+v", own)
		}
		f.asks("1", "7", 10, own.Head, false)
		f.asks("1", "8", 12, set.Head, true)
		f.asks("1", "", 12, set.Head, true)
		f.asks("2", "7", 8, builtIn("2"), true)

		f.clock.Advance(time.Minute)
		own, err = f.policies.ChangeOrg(ctx, "1", "7", "bob", strict(11))
		f.must(err)
		f.asks("1", "7", 11, own.Head, false)
		set, err = f.policies.Change(ctx, "1", "bob", ComplexitySettings{MinLength: new(uint64(13)), Symbol: new(false)})
		f.must(err)
		f.asks("1", "7", 11, own.Head, false) // has its own
		f.asks("1", "8", 13, set.Head, true)

		gone, err := f.policies.RemoveOrg(ctx, "1", "7", "bob", PasswordComplexity)
		f.must(err)
		if !gone.Removed || gone.Sequence != 3 {
			f.Errorf("gone %+v", gone)
		}
		f.asks("1", "7", 13, set.Head, true)
		again, err := f.policies.AddOrg(ctx, "1", "7", "bob", strict(9))
		f.must(err)
		if again.ID == own.ID || again.Sequence != 1 {
			f.Errorf("again %+v", again.Head)
		}
		f.asks("1", "7", 9, again.Head, false)

		want := []string{
			"instance.policy.password.complexity.changed", "org.policy.password.complexity.added",
			"org.policy.password.complexity.changed", "instance.policy.password.complexity.changed",
			"org.policy.password.complexity.removed", "org.policy.password.complexity.added",
		}
		if got := logtest.Types(f.T, f.db, f.log, "1")[2:]; !slices.Equal(got, want) {
			f.Errorf("events %v", got)
		}
	})
}

func TestRemoveAllOf(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx := f.Context()
		for _, org := range []ident.OrgID{"7", "8"} {
			_, err := f.policies.AddOrg(ctx, "1", org, "bob", strict(10))
			f.must(err)
		}
		remove := func(org ident.OrgID) {
			f.must(f.log.Write(ctx, "1", "bob", func(ctx context.Context, w *eventlog.Writer) error {
				return RemoveAllOf(ctx, w, f.db.Dialect(), org)
			}))
		}
		remove("7")
		remove("9") // has none
		left, err := Resolver{}.HeldComplexity(ctx, f.db, "1", "7")
		f.must(err)
		other, err := Resolver{}.HeldComplexity(ctx, f.db, "1", "8")
		f.must(err)
		if !left.Inherited || other.Inherited {
			f.Errorf("left %+v, of another organization %+v", left, other)
		}
	})
}

func TestOtherKinds(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx, r, set := f.Context(), Resolver{}, builtInSet(f.T)
		check := func(age defaults.PasswordAge, lockout defaults.Lockout, domain defaults.Domain, oidc defaults.OIDC) {
			f.Helper()
			gotAge, err := r.HeldAge(ctx, f.db, "1")
			f.must(err)
			gotLockout, err := r.HeldLockout(ctx, f.db, "1")
			f.must(err)
			gotDomain, err := r.Domain(ctx, f.db, "1", "7")
			f.must(err)
			gotOIDC, err := r.OIDC(ctx, f.db, "1")
			f.must(err)
			if gotAge.Value != age || gotLockout.Value != lockout || gotDomain != domain || gotOIDC != oidc {
				f.Errorf("%+v %+v %+v %+v", gotAge, gotLockout, gotDomain, gotOIDC)
			}
		}
		check(set.PasswordAge, set.Lockout, set.Domain, set.OIDC)
		for _, s := range []Settings{
			AgeSettings{MaxDays: new(uint64(90))}, LockoutSettings{MaxOTPAttempts: new(uint64(3))},
			DomainSettings{ValidateOrgDomains: new(true)}, OIDCSettings{IDTokenLifetime: new(time.Hour)},
		} {
			_, err := f.policies.Change(ctx, "1", "bob", s)
			f.must(err)
		}
		oidc := set.OIDC
		oidc.IDTokenLifetime = time.Hour
		check(defaults.PasswordAge{MaxDays: 90}, defaults.Lockout{MaxOTPAttempts: 3, ShowFailures: true},
			defaults.Domain{ValidateOrgDomains: true}, oidc)
		f.asks("1", "", 8, eventlog.Head{Instance: "1", Owner: "1", CreatedAt: start, ChangedAt: start}, true)
	})
}

func TestRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx := f.Context()
		id := func(err error) string { return fault.Of(err).ID }
		if _, err := f.policies.Change(ctx, "404", "bob", strict(10)); fault.KindOf(err) != fault.NotFound {
			f.Errorf("an instance that is not there: %v", err)
		}
		if _, err := f.policies.AddOrg(ctx, "1", "gone", "bob", strict(10)); id(err) != errNoOrg.ID {
			f.Errorf("an organization that is not there: %v", err)
		}
		if _, err := f.policies.Change(ctx, "1", "bob", strict(8)); id(err) != "INSTANCE-9jlsf" {
			f.Errorf("the same: %v", err)
		}
		if _, err := f.policies.RemoveOrg(ctx, "1", "7", "bob", PasswordComplexity); id(err) != "ORG-ADgs2" {
			f.Errorf("none: %v", err)
		}
		if _, err := (Resolver{}).OIDC(ctx, f.db, "404"); id(err) != "QUERY-n0wng" {
			f.Errorf("resolved for an instance that is not there: %v", err)
		}
		if got := logtest.Types(f.T, f.db, f.log, "1"); len(got) != 2 {
			f.Errorf("events %v", got)
		}
	})
}
