package users

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"testing"
	"time"

	"castellan/internal/call"
	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/pat"
	"castellan/internal/role"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/usermetadata"
	"castellan/internal/vault"

	userv2 "castellan/gen/zitadel/user/v2"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is the service on one database with instance 1, whose organization 7 has the machine ci and
// the humans ada and boss, of whom boss is ORG_OWNER.
type fixture struct {
	*testing.T
	*Service
	db    store.DB
	clock *ident.ManualClock
	log   *eventlog.Log
	as    rights
}

// rights are those of a caller: a user of an organization with roles there, or on the instance.
type rights struct {
	user     ident.UserID
	org      ident.OrgID
	instance []string
	inOrg    []string
}

func (r rights) User() ident.UserID { return r.user }
func (r rights) Org() ident.OrgID   { return r.org }
func (r rights) Reach(permission string) call.Reach {
	grants := func(name string) bool { return role.Instance.Grants(name, permission) }
	reach := call.Reach{Self: r.user, Instance: slices.ContainsFunc(r.instance, grants)}
	if slices.ContainsFunc(r.inOrg, grants) {
		reach.Orgs = append(reach.Orgs, r.org)
	}
	return reach
}

// The callers of the tests.
var (
	owner   = rights{user: "owner", org: "7", instance: []string{"IAM_OWNER"}}
	manager = rights{user: "manager", org: "7", inOrg: []string{"ORG_USER_MANAGER"}}
	herself = rights{user: "ada", org: "7"}
)

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

// plainly hashes nothing, at once.
type plainly struct{}

func (plainly) Hash(_ context.Context, _, password string) (string, error) {
	return "$" + password, nil
}
func (plainly) Verify(_ context.Context, _, encoded, password string) (bool, error) {
	return encoded == "$"+password, nil
}

type policies struct{}

func (policies) PasswordComplexity(context.Context, store.Querier, ident.InstanceID, ident.OrgID) (defaults.PasswordComplexity, error) {
	return defaults.PasswordComplexity{MinLength: 8}, nil
}

// pool makes keys when they are asked for.
type pool struct{}

func (pool) Take(context.Context) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start), as: owner}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, user.Noun, usermetadata.Noun, pat.Noun, machinekey.Noun, member.Noun)
		ids := ident.NewSource(grant{}, f.clock)
		keep := func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.UserID) (ident.OrgID, bool, error) {
			u, err := user.Keep(ctx, tx, db.Dialect(), at, id)
			return ident.OrgID(u.Owner), u.Kind == user.Machine, err
		}
		f.Service = &Service{
			DB: db,
			Users: &user.Service{
				DB: db, Log: f.log, IDs: ids, Clock: f.clock, Passwords: plainly{}, Policies: policies{},
				KeepOrg: func(context.Context, store.Tx, ident.InstanceID, ident.OrgID) error { return nil },
				DomainOwner: func(context.Context, store.Querier, ident.InstanceID, string) (ident.OrgID, error) {
					return "", nil
				},
			},
			Tokens: &pat.Service{DB: db, Log: f.log, IDs: ids, Clock: f.clock, Keep: keep},
			Keys:   &machinekey.Service{DB: db, Log: f.log, IDs: ids, Clock: f.clock, Keys: pool{}, Keep: keep},
			Metadata: &usermetadata.Service{
				DB: db, Log: f.log, IDs: ids, Clock: f.clock,
				Keep: func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.UserID) (ident.OrgID, error) {
					org, _, err := keep(ctx, tx, at, id)
					return org, err
				},
			},
		}
		f.must(f.log.Write(t.Context(), "1", "setup", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
		f.setUp()
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

// setUp makes the users.
func (f *fixture) setUp() {
	f.Helper()
	for _, id := range []string{"ada", "boss"} {
		_, err := f.CreateUser(f.ctx(), "1", &userv2.CreateUserRequest{OrganizationId: "7", UserId: &id, Username: &id, UserType: aHuman(id)})
		f.must(err)
	}
	id := "ci"
	_, err := f.CreateUser(f.ctx(), "1", &userv2.CreateUserRequest{OrganizationId: "7", UserId: &id, Username: &id, UserType: aMachine("CI")})
	f.must(err)
	f.must(f.log.Write(f.Context(), "1", "setup", func(ctx context.Context, w *eventlog.Writer) error {
		for _, who := range []ident.UserID{"boss", "ci"} {
			m := member.Add{Org: "7", User: who, Roles: []string{"ORG_OWNER"}}
			if _, err := eventlog.Begin(ctx, w, member.Noun, m.Origin("1"), m.Decide()...); err != nil {
				return err
			}
		}
		return nil
	}))
}

func aHuman(name string) *userv2.CreateUserRequest_Human_ {
	return &userv2.CreateUserRequest_Human_{Human: &userv2.CreateUserRequest_Human{
		Profile: &userv2.SetHumanProfile{GivenName: name, FamilyName: "Tester"},
		Email:   &userv2.SetHumanEmail{Email: name + "@acme.example"},
	}}
}

func aMachine(name string) *userv2.CreateUserRequest_Machine_ {
	return &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: name}}
}

// ctx is the context of a call by f.as.
func (f *fixture) ctx() context.Context {
	return call.With(f.Context(), call.Call{Actor: ident.Actor(f.as.user), Rights: f.as})
}

// by is the fixture with another caller.
func (f *fixture) by(as rights) *fixture {
	other := *f
	other.as = as
	return &other
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refused checks the id of a fault and the fields it names, and that nothing was written.
func (f *fixture) refused(err error, id string, named ...string) {
	f.Helper()
	if err == nil || fault.Of(err).ID != id {
		f.Errorf("err = %v, want %s", err, id)
		return
	}
	var got []string
	for _, v := range fault.Of(err).Violations {
		got = append(got, v.Field)
	}
	if !slices.Equal(got, named) {
		f.Errorf("%s names %q, want %q", id, got, named)
	}
}

// get returns a user as it is shown.
func (f *fixture) get(id string) *userv2.User {
	f.Helper()
	got, err := f.GetUserByID(f.ctx(), "1", &userv2.GetUserByIDRequest{UserId: id})
	f.must(err)
	return got.GetUser()
}

func is[T any](v T) *T { return &v }
