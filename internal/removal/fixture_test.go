package removal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"castellan/internal/app"
	"castellan/internal/authorization"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/policy"
	"castellan/internal/project"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/usermetadata"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// nouns are those that anything can be removed of.
var nouns = []eventlog.Kind{
	instance.Noun, org.Noun, user.Noun, pat.Noun, machinekey.Noun, usermetadata.Noun, session.Noun, member.Noun,
	project.Noun, project.RoleNoun, project.GrantNoun, app.Noun, app.KeyNoun, authorization.Noun, policy.Noun,
}

// fixture is a service on one database, with the instances 1 and 2, in each of which there is the same
// world, see [fixture.world].
type fixture struct {
	*testing.T
	removals *Service
	ids      *ident.Source
	number   int
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		clock := ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f := &fixture{T: t, removals: &Service{DB: db, Log: eventlog.New(db, keys, clock, nouns...)}}
		f.ids = ident.NewSource(idgrant.New(db), clock)
		for _, at := range []ident.InstanceID{"1", "2"} {
			f.must(f.removals.Log.Write(t.Context(), at, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				return f.world(ctx, w)
			}))
		}
		neighbour := f.rows("2")
		fn(f)
		if after := f.rows("2"); !slices.Equal(neighbour, after) {
			t.Errorf("another instance has %v, before %v", after, neighbour)
		}
		logtest.CheckFold(t, db, f.removals.Log)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// maker appends the first events of aggregates.
type maker struct {
	ctx  context.Context
	w    *eventlog.Writer
	errs []error
}

func begin[S eventlog.State](m *maker, noun *eventlog.Noun[S], id, owner string, events ...eventlog.Payload) {
	_, err := eventlog.Begin(m.ctx, m.w, noun, eventlog.Origin{ID: id, Owner: owner}, events...)
	m.errs = append(m.errs, err)
}

// world makes what a removal could concern. Ids begin with the letter of the organization that owns what
// they name: d, the default one with the project of the instance itself, a and b.
//
//	projects      ap with the roles x and y, and the application ac; bp with the role x and the application bc
//	grants        ag of ap to b (x y), bg of bp to a (x)
//	users         am, a machine with all that is its own; ah; bm with a token
//	authorizations am and ah for ap; bm for ap by ag; am for bp by bg; ah for bp in b
//	members       am of a, b, ap, ag and the instance; bm of a, b, ap, ag and the instance
func (f *fixture) world(ctx context.Context, w *eventlog.Writer) error {
	m := &maker{ctx: ctx, w: w}
	at := string(w.Instance())
	begin(m, instance.Noun, at, at, instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: at + ".example", Generated: true},
		instance.DomainPrimarySet{Domain: at + ".example"}, instance.DefaultOrgSet{Org: "d"}, instance.ProjectSet{Project: "own"})
	for _, id := range []string{"d", "a", "b", "e"} {
		begin(m, org.Noun, id, id, org.Added{Name: id}, org.DomainAdded{Domain: id}, org.DomainVerified{Domain: id}, org.DomainPrimarySet{Domain: id},
			org.MetadataSet{Key: "k", Value: []byte(id)})
	}
	begin(m, project.Noun, "own", "e", project.Added{Name: "Own"})
	for _, id := range []string{"a", "b"} {
		begin(m, policy.Noun, id+"policy", id, policy.OrgComplexityAdded{})
		begin(m, project.Noun, id+"p", id, project.Added{Name: "P"})
		begin(m, project.RoleNoun, id+"px", id, project.RoleAdded{Project: ident.ProjectID(id + "p"), Key: "x"})
		begin(m, app.Noun, id+"c", id, app.Added{App: ident.AppID(id + "c"), Project: ident.ProjectID(id + "p"), Name: "C"},
			app.APIConfigAdded{App: ident.AppID(id + "c"), ClientID: id + "c", AuthMethod: app.PrivateKeyJWT})
		begin(m, app.KeyNoun, id+"ck", id, app.KeyAdded{App: ident.AppID(id + "c"), Key: ident.KeyID(id + "ck"), PublicKey: []byte("k"), Expiration: logtest.At(9)})
		begin(m, user.Noun, id+"m", id, user.MachineAdded{UserName: id + "m", Name: "M", AccessTokenType: "bearer"})
		begin(m, pat.Noun, id+"t", id, pat.Add{Token: ident.TokenID(id + "t"), User: ident.UserID(id + "m"), Hash: []byte(id), ExpiresAt: logtest.At(9)}.Decide()...)
	}
	begin(m, project.RoleNoun, "apy", "a", project.RoleAdded{Project: "ap", Key: "y"})
	begin(m, project.GrantNoun, "ag", "a", project.GrantAdded{Grant: "ag", Project: "ap", Org: "b", Roles: []string{"x", "y"}})
	begin(m, project.GrantNoun, "bg", "b", project.GrantAdded{Grant: "bg", Project: "bp", Org: "a", Roles: []string{"x"}})
	begin(m, user.Noun, "ah", "a", user.HumanAdded{UserName: "ah", Email: "ah@example.com"})
	begin(m, machinekey.Noun, "ak", "a", machinekey.Add{Key: "ak", User: "am", PublicKey: []byte("k"), ExpiresAt: logtest.At(9)}.Decide()...)
	begin(m, usermetadata.Noun, "ad", "a", usermetadata.Set{User: "am", Key: "k", Value: []byte("v")})
	for _, id := range []string{"am", "bm"} {
		begin(m, session.Noun, "session of "+id, id[:1], session.Added{Facts: session.Facts{User: ident.UserID(id), Org: ident.OrgID(id[:1])}})
		for _, on := range []struct {
			owner   string
			payload eventlog.Payload
		}{
			{at, member.InstanceAdded{User: ident.UserID(id), Roles: []string{"IAM_OWNER"}}},
			{"a", member.OrgAdded{Org: "a", User: ident.UserID(id), Roles: []string{"ORG_OWNER"}}},
			{"b", member.OrgAdded{Org: "b", User: ident.UserID(id), Roles: []string{"ORG_OWNER"}}},
			{"a", member.ProjectAdded{Project: "ap", User: ident.UserID(id), Roles: []string{"PROJECT_OWNER"}}},
			{"a", member.GrantAdded{Project: "ap", Grant: "ag", User: ident.UserID(id), Roles: []string{"PROJECT_GRANT_OWNER"}}},
		} {
			f.number++
			begin(m, member.Noun, fmt.Sprint("member ", f.number), on.owner, on.payload)
		}
	}
	for id, a := range map[string]struct {
		owner string
		added authorization.Added
	}{
		"own of am":     {"a", authorization.Added{User: "am", Project: "ap", Roles: []string{"x", "y"}}},
		"own of ah":     {"a", authorization.Added{User: "ah", Project: "ap", Roles: []string{"y"}}},
		"granted of bm": {"b", authorization.Added{User: "bm", Project: "ap", Grant: "ag", Roles: []string{"x"}}},
		"granted of am": {"a", authorization.Added{User: "am", Project: "bp", Grant: "bg", Roles: []string{"x"}}},
		"foreign of ah": {"b", authorization.Added{User: "ah", Project: "bp", Roles: []string{"x"}}},
	} {
		begin(m, authorization.Noun, id, a.owner, a.added)
	}
	return errors.Join(m.errs...)
}

// rows are how many rows an instance has in each table that has any.
func (f *fixture) rows(at ident.InstanceID) (rows []string) {
	f.Helper()
	for _, table := range f.removals.Log.Tables() {
		n, err := store.One(f.Context(), f.removals.DB, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
			`SELECT count(*) FROM `+table+` WHERE instance_id = $1`, string(at))
		f.must(err)
		if n > 0 {
			rows = append(rows, fmt.Sprint(table, " ", n))
		}
	}
	return rows
}

// column are the values of a column of a table in instance 1, sorted.
func (f *fixture) column(table, column string) (values []string) {
	f.Helper()
	values, err := store.All(f.Context(), f.removals.DB, func(row store.Scanner) (v string, err error) { return v, row.Scan(&v) },
		`SELECT `+column+` FROM `+table+` WHERE instance_id = '1' ORDER BY 1`)
	f.must(err)
	return values
}

// events is how many events instance 1 has.
func (f *fixture) events() int { return len(logtest.Types(f, f.removals.DB, f.removals.Log, "1")) }

// left are the types of the events behind the first n of instance 1, in their order.
func (f *fixture) left(n int) []string {
	f.Helper()
	return logtest.Types(f, f.removals.DB, f.removals.Log, "1")[n:]
}
