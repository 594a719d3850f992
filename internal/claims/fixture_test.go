package claims

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"castellan/internal/app"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/org"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/usermetadata"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is instance A with the organizations 1 (one.example) and 2 (two.example). Its own project is 10,
// of 1; 11 and 12 are of 1 as well, and 11 is granted to 2. ada is a human and bot a machine, both of 1;
// bob is a human of 2.
type fixture struct {
	testing.TB
	db     store.DB
	log    *eventlog.Log
	claims *Claims
	reads  *counter
}

// counter counts the reads of a database.
type counter struct {
	store.DB
	reads int
}

func (c *counter) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	c.reads++
	return c.DB.Query(ctx, sql, args...)
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) { fn(newFixture(t, db)) })
}

func newFixture(t testing.TB, db store.DB) *fixture {
	t.Helper()
	f := &fixture{TB: t, db: db, reads: &counter{DB: db}}
	f.claims = New(f.reads)
	keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	f.log = eventlog.New(db, keys, ident.NewManualClock(start),
		instance.Noun, org.Noun, user.Noun, usermetadata.Noun, project.Noun, app.Noun)
	f.write("A", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) })
	begin(f, instance.Noun, "A", "A", instance.Added{Name: "A", Defaults: 1}, instance.ProjectSet{Project: "10"})
	for id, name := range map[string]string{"1": "one", "2": "two"} {
		domain := name + ".example"
		begin(f, org.Noun, id, id, org.Added{Name: name}, org.DomainAdded{Domain: domain}, org.DomainVerified{Domain: domain},
			org.DomainPrimarySet{Domain: domain})
	}
	for _, id := range []string{"10", "11", "12"} {
		begin(f, project.Noun, id, "1", project.Added{Name: "Project " + id})
	}
	begin(f, app.Noun, "21", "1", app.Added{App: "21", Project: "11", Name: "App"},
		app.OIDCConfigAdded{App: "21", ClientID: "client"})
	begin(f, user.Noun, "ada", "1",
		user.HumanAdded{
			UserName: "ada@one.example", FirstName: "Ada", LastName: "Lovelace", NickName: "Countess", DisplayName: "Ada Lovelace",
			PreferredLanguage: "en-GB", Gender: user.Female, Email: "ada@mail.example", Phone: "+442079460000",
		},
		user.EmailVerified{}, user.PhoneVerified{})
	begin(f, user.Noun, "bob", "2", user.HumanAdded{
		UserName: "bob", FirstName: "Bob", LastName: "B", DisplayName: "Bob B", Email: "bob@mail.example",
	})
	begin(f, user.Noun, "bot", "1", user.MachineAdded{UserName: "bot", Name: "A machine", AccessTokenType: "bearer"})
	f.exec(`INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state, sequence, created_at, changed_at)
 VALUES ('A', '90', '11', '1', '2', '["reader","writer"]', 'active', 1, 1, 1)`)
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) write(at ident.InstanceID, fn func(ctx context.Context, w *eventlog.Writer) error) {
	f.Helper()
	f.must(f.log.Write(f.Context(), at, "op", fn))
}

// begin writes the events of a new thing of instance A.
func begin[S eventlog.State](f *fixture, noun *eventlog.Noun[S], id, owner string, events ...eventlog.Payload) {
	f.Helper()
	f.write("A", func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, noun, eventlog.Origin{ID: id, Owner: owner}, events...)
		return err
	})
}

// exec changes rows past the log.
func (f *fixture) exec(sql string, args ...any) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) }))
}

// authorize gives a user roles on a project in an organization, by a grant of the project or none.
func (f *fixture) authorize(id ident.UserID, project, grant, org string, roles ...string) {
	f.Helper()
	keys, err := json.Marshal(roles)
	f.must(err)
	f.exec(`INSERT INTO authorizations (instance_id, authorization_id, user_id, project_id, project_grant_id, org_id, role_keys, state, sequence, created_at, changed_at)
 VALUES ('A', $1, $2, $3, $4, $5, $6, 'active', 1, 1, 1)`, strings.Join([]string{string(id), project, org}, "-"), id, project, grant, org, string(keys))
}

// about returns the claims of a user as JSON, and checks that they have cost no more reads than promised.
func (f *fixture) about(s Subject) string {
	f.Helper()
	f.reads.reads = 0
	told, err := f.claims.About(f.Context(), "A", s)
	f.must(err)
	if f.reads.reads > 3 {
		f.Errorf("%+v costs %d reads", s, f.reads.reads)
	}
	text, err := json.MarshalIndent(told, "", "  ")
	f.must(err)
	return string(text)
}

// scopes reads scopes.
func (f *fixture) scopes(text string) Scopes {
	f.Helper()
	s, err := ParseScopes(text)
	f.must(err)
	return s
}
