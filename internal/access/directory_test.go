package access

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/origin"
	"castellan/internal/pat"
	"castellan/internal/quota"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a directory on one database, with instances A and B at a.example and b.example. The
// user ada of A is its owner, bob of B that of B; eve is a user of A and a member of an organization.
type fixture struct {
	testing.TB
	db     store.DB
	clock  *ident.ManualClock
	log    *eventlog.Log
	dir    *Directory
	tokens map[string]vault.Token // by name of the user
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) { fn(newFixture(t, db)) })
}

func newFixture(t testing.TB, db store.DB) *fixture {
	t.Helper()
	f := &fixture{TB: t, db: db, clock: ident.NewManualClock(start), tokens: make(map[string]vault.Token)}
	keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	f.log = eventlog.New(db, keys, f.clock, instance.Noun, org.Noun, user.Noun, pat.Noun, member.Noun, quota.Noun)
	f.dir = NewDirectory(Config{DB: db, Clock: f.clock, ExternalDomain: "id.example"})
	f.instance("A", "a.example", "ada")
	f.instance("B", "b.example", "bob")
	f.user("A", "eve", expiry.Never, member.Add{Org: "7", Roles: []string{"ORG_OWNER", "IAM_OWNER"}})
	return f
}

// at is the origin of a request to a host.
func at(host string) origin.Origin { return origin.Origin{Scheme: "https", InstanceHost: host} }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// write runs a transaction on an instance.
func (f *fixture) write(id ident.InstanceID, fn func(ctx context.Context, w *eventlog.Writer) error) {
	f.Helper()
	f.must(f.log.Write(f.Context(), id, "op", fn))
}

// instance begins an instance with one domain and an owner.
func (f *fixture) instance(id ident.InstanceID, domain, owner string) {
	f.Helper()
	f.write(id, func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
			instance.Added{Name: string(id), Defaults: 1}, instance.DomainAdded{Domain: domain}, instance.DomainPrimarySet{Domain: domain})
		return err
	})
	f.org(id, "7", "home."+domain)
	f.user(id, owner, expiry.Never, member.Add{Roles: []string{"IAM_OWNER_VIEWER", "IAM_OWNER"}})
}

// org adds an organization with a verified domain.
func (f *fixture) org(id ident.InstanceID, name, domain string) {
	f.Helper()
	f.write(id, func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, org.Noun, eventlog.Origin{ID: name, Owner: name},
			org.Added{Name: name}, org.DomainAdded{Domain: domain}, org.DomainVerified{Domain: domain})
		return err
	})
}

// user adds a user with a token and a membership; none when it has no roles.
func (f *fixture) user(id ident.InstanceID, name string, expires time.Time, m member.Add) {
	f.Helper()
	token := vault.NewToken(nil)
	f.tokens[name] = token
	f.write(id, func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, user.Noun, eventlog.Origin{ID: name, Owner: "7"}, user.MachineAdded{UserName: name, Name: name})
		if err != nil {
			return err
		}
		_, err = eventlog.Begin(ctx, w, pat.Noun, eventlog.Origin{ID: "token of " + name, Owner: "7"},
			pat.Add{User: ident.UserID(name), Hash: token.Hash(), ExpiresAt: expires}.Decide()...)
		if err != nil || m.Roles == nil {
			return err
		}
		m.User = ident.UserID(name)
		_, err = eventlog.Begin(ctx, w, member.Noun, m.Origin(id), m.Decide()...)
		return err
	})
}

// exec changes rows past the log, to what no command can make yet.
func (f *fixture) exec(sql string, args ...any) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) }))
}

func TestAHostLeadsToItsInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for host, want := range map[string]ident.InstanceID{"a.example": "A", "B.example:8080": "B"} {
			got, err := f.dir.ByOrigin(f.Context(), at(host))
			f.must(err)
			if diff := cmp.Diff(Instance{ID: want}, got); diff != "" {
				f.Errorf("%s (-want +got):\n%s", host, diff)
			}
			f.must(got.Usable())
		}
	})
}

func TestAHostThatLeadsNowhere(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, host := range []string{"c.example", "a.example.", "id.example", "example", "", strings.Repeat("x", 5000)} {
			_, err := f.dir.ByOrigin(f.Context(), at(host))
			want := "unable to set instance using origin https://" + host[:min(len(host), 260)] +
				" (ExternalDomain is id.example): ID=QUERY-1kIjX Message=Instance not found"
			if fault.KindOf(err) != fault.NotFound || fault.Of(err).Public() != want {
				f.Errorf("%.100q: %v", host, err)
			}
		}
		if _, err := f.dir.ByOrigin(f.Context(), origin.Origin{Scheme: "http", InstanceHost: "c.example:1"}); !strings.Contains(err.Error(), " http://c.example:1 ") {
			f.Error(err)
		}
	})
}

func TestWhatAnInstanceMayNot(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		usable := func(want error) {
			f.Helper()
			got, err := f.dir.ByOrigin(f.Context(), at("a.example"))
			f.must(err)
			if err := got.Usable(); !errors.Is(err, want) {
				f.Errorf("%v, want %v", err, want)
			}
		}
		f.exec(`INSERT INTO instance_limits (instance_id, audit_log_retention, block, sequence, created_at, changed_at)
 VALUES ('A', 1, NULL, 1, 1, 1), ('B', NULL, TRUE, 1, 1, 1)`)
		usable(nil)
		f.exec(`UPDATE instance_limits SET block = FALSE WHERE instance_id = 'A'`)
		usable(nil)
		f.exec(`UPDATE instance_limits SET block = TRUE WHERE instance_id = 'A'`)
		usable(Blocked)

		life := &instance.Service{DB: f.db, Log: f.log}
		_, err := life.Stop(f.Context(), "A", "op")
		f.must(err)
		usable(Stopped)
		_, err = life.Start(f.Context(), "A", "op")
		f.must(err)
		usable(Blocked)

		_, err = life.Remove(f.Context(), "A", "op")
		f.must(err)
		if _, err := f.dir.ByOrigin(f.Context(), at("a.example")); fault.KindOf(err) != fault.NotFound {
			f.Errorf("the host of a removed instance: %v", err)
		}
		if _, err := f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["ada"].Reveal()); !unauthenticated(err) {
			f.Errorf("a token of a removed instance: %v", err)
		}
	})
}

func TestTheQuotaComesAlong(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		set := func(unit quota.Unit, id string) quota.Terms {
			terms := quota.Terms{
				Quota: ident.QuotaID(id), Unit: unit, From: start, Interval: time.Hour, Amount: 1000, Limited: true,
			}
			f.write("A", func(ctx context.Context, w *eventlog.Writer) error {
				_, err := eventlog.Begin(ctx, w, quota.Noun, eventlog.Origin{ID: id, Owner: "A"}, quota.Added{
					Unit: terms.Unit, From: terms.From, Interval: terms.Interval, Amount: terms.Amount, Limited: terms.Limited,
				})
				return err
			})
			return terms
		}
		requests := func(want quota.Terms) {
			f.Helper()
			got, err := f.dir.ByOrigin(f.Context(), at("a.example"))
			f.must(err)
			if diff := cmp.Diff(want, got.Requests); diff != "" {
				f.Errorf("(-want +got):\n%s", diff)
			}
		}
		set(quota.ActionsAllRunSeconds, "11")
		requests(quota.Terms{}) // that is of another unit
		requests(set(quota.RequestsAllAuthenticated, "12"))
		who, err := f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["ada"].Reveal())
		f.must(err)
		if who.Instance.Requests.Quota != "12" {
			f.Errorf("a user comes with %+v", who.Instance)
		}
		if other, err := f.dir.ByOrigin(f.Context(), at("b.example")); err != nil || other.Requests != (quota.Terms{}) {
			f.Errorf("another instance has %+v, %v", other.Requests, err)
		}
	})
}

// unauthenticated reports whether err is the one answer to every token that is of no use.
func unauthenticated(err error) bool {
	return errors.Is(err, errToken) && fault.Of(err).Public() == "Errors.Token.Invalid (AUTH-7fs1e)" &&
		fault.KindOf(err) == fault.Unauthenticated
}

func TestTokens(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		who, err := f.dir.ByBearer(f.Context(), at("A.example:443"), f.tokens["ada"].Reveal())
		f.must(err)
		if who.ID != "ada" || who.Instance.ID != "A" {
			f.Errorf("%+v", who)
		}
		f.must(who.May("iam.write", "A"))

		mutated := []byte(f.tokens["ada"].Reveal())
		tokens := 0
		for i := range mutated {
			was := mutated[i]
			mutated[i] ^= 1
			if _, err := vault.ParseToken(string(mutated)); err == nil {
				tokens++
				if _, err := f.dir.ByBearer(f.Context(), at("a.example"), string(mutated)); !unauthenticated(err) {
					f.Errorf("byte %d changed: %v", i, err)
				}
			}
			mutated[i] = was
		}
		if tokens > 0 {
			f.Errorf("%d changes of one bit were not noticed by the sum", tokens)
		}

		f.user("A", "late", start.Add(time.Hour), member.Add{Roles: []string{"IAM_OWNER"}})
		_, err = f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["late"].Reveal())
		f.must(err)
		f.clock.Advance(time.Hour - time.Microsecond)
		_, err = f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["late"].Reveal())
		f.must(err)
		f.clock.Advance(time.Microsecond) // the expiry is the first moment at which it is of no use

		f.user("A", "gone", expiry.Never, member.Add{Roles: []string{"IAM_OWNER"}})
		f.exec(`DELETE FROM users WHERE user_id = 'gone'`)
		f.user("A", "idle", expiry.Never, member.Add{Roles: []string{"IAM_OWNER"}})
		f.exec(`UPDATE users SET state = 'inactive' WHERE user_id = 'idle'`)
		f.user("A", "lost", expiry.Never, member.Add{Roles: []string{"IAM_OWNER"}})
		f.org("A", "8", "lost.example")
		f.exec(`UPDATE users SET org_id = '8' WHERE user_id = 'lost'`)
		f.exec(`UPDATE orgs SET state = 'inactive' WHERE org_id = '8'`)

		for name, c := range map[string]struct {
			host  string
			token vault.Token
		}{
			"expired":                {"a.example", f.tokens["late"]},
			"removed user":           {"a.example", f.tokens["gone"]},
			"inactive user":          {"a.example", f.tokens["idle"]},
			"inactive organization":  {"a.example", f.tokens["lost"]},
			"of another instance":    {"a.example", f.tokens["bob"]},
			"at another instance":    {"b.example", f.tokens["ada"]},
			"at an unknown host":     {"c.example", f.tokens["ada"]},
			"at the system":          {"id.example", f.tokens["ada"]},
			"at a host that is none": {"[::1]:80", f.tokens["ada"]},
			"never made":             {"a.example", vault.NewToken(nil)},
			"no token":               {"a.example", vault.Token{}},
		} {
			if who, err := f.dir.ByBearer(f.Context(), at(c.host), c.token.Reveal()); !unauthenticated(err) || who.ID != "" {
				f.Errorf("%s: %+v, %v", name, who, err)
			}
		}
	})
}

func TestWhatUsersMay(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.user("A", "reader", expiry.Never, member.Add{Roles: []string{"IAM_OWNER_VIEWER"}})
		f.user("A", "nobody", expiry.Never, member.Add{})
		f.user("A", "strange", expiry.Never, member.Add{Roles: []string{"NO_SUCH_ROLE", "SYSTEM_OWNER"}})
		for _, c := range []struct {
			host, name, permission string
			about                  ident.InstanceID
			may                    bool
		}{
			{"a.example", "ada", "iam.read", "A", true},
			{"a.example", "ada", "iam.write", "A", true},
			{"a.example", "ada", "iam.write", "B", false},
			{"a.example", "ada", "iam.write", "C", false},
			{"a.example", "ada", "iam.write", "", false},
			{"a.example", "ada", "system.instance.read", "A", false},
			{"a.example", "ada", "", "A", false},
			{"a.example", "reader", "iam.read", "A", true},
			{"a.example", "reader", "iam.write", "A", false},
			{"a.example", "eve", "iam.read", "A", false}, // a member of an organization alone
			{"a.example", "eve", "iam.read", "7", false},
			{"a.example", "nobody", "iam.read", "A", false},
			{"a.example", "strange", "system.instance.read", "A", false},
			{"b.example", "bob", "iam.read", "B", true},
			{"b.example", "bob", "iam.read", "A", false},
		} {
			who, err := f.dir.ByBearer(f.Context(), at(c.host), f.tokens[c.name].Reveal())
			f.must(err)
			err = who.May(c.permission, c.about)
			if c.may && err != nil {
				f.Errorf("%s, %s of %q: %v", c.name, c.permission, c.about, err)
			}
			if !c.may && (!errors.Is(err, call.Denied) || fault.Of(err).Public() != "No matching permissions found (AUTH-5mWD2)") {
				f.Errorf("%s, %s of %q: %v", c.name, c.permission, c.about, err)
			}
		}
		// Who loses its membership has lost it at once.
		f.exec(`DELETE FROM members WHERE user_id = 'ada'`)
		who, err := f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["ada"].Reveal())
		f.must(err)
		if err := who.May("iam.read", "A"); !errors.Is(err, call.Denied) {
			f.Errorf("no member any more: %v", err)
		}
	})
}

// counting counts statements.
type counting struct {
	store.Querier
	statements atomic.Int32
}

func (c *counting) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	c.statements.Add(1)
	return c.Querier.Query(ctx, sql, args...)
}

func TestHowOftenTheDatabaseIsAsked(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		asked := &counting{Querier: f.db}
		f.dir.config.DB = asked
		check := func(what string, want int32) {
			f.Helper()
			if n := asked.statements.Swap(0); n != want {
				f.Errorf("%s: %d statements, want %d", what, n, want)
			}
		}
		_, _ = f.dir.ByOrigin(f.Context(), at("a.example"))
		check("a host", 1)
		_, _ = f.dir.ByOrigin(f.Context(), at("[::1]"))
		check("a host that is none", 0)
		_, _ = f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["ada"].Reveal())
		check("a token", 2)
		_, _ = f.dir.ByBearer(f.Context(), at("c.example"), f.tokens["ada"].Reveal())
		check("a token at an unknown host", 1)
	})
}

// TestPublicHosts: a proxy may show an instance under one of its trusted domains, or of its own, and no other.
func TestPublicHosts(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.exec(`INSERT INTO instance_trusted_domains (instance_id, domain, sequence, created_at) VALUES
 ('A', 'shown.example', 1, 1), ('B', 'other.example', 1, 1)`)
		f.exec(`INSERT INTO instance_domains (domain, instance_id, is_generated, is_primary, sequence, created_at, changed_at)
 VALUES ('second.example', 'A', FALSE, FALSE, 1, 1, 1)`)
		asked := &counting{Querier: f.db}
		f.dir.config.DB = asked
		for public, c := range map[string]struct {
			ok    bool
			costs int32
		}{
			"": {true, 1}, "a.example": {true, 1}, "A.example:8443": {true, 1},
			"shown.example": {true, 2}, "SHOWN.example:8443": {true, 2}, "second.example": {true, 2},
			"other.example": {false, 2}, "b.example": {false, 2}, "evil.example": {false, 2}, "x.shown.example": {false, 2},
			"[::1]:80": {false, 1}, "shown.example.": {false, 1},
		} {
			o := at("a.example:8080")
			o.PublicHost = public
			asked.statements.Store(0)
			got, err := f.dir.ByOrigin(f.Context(), o)
			if n := asked.statements.Load(); n != c.costs {
				f.Errorf("%q: %d statements, want %d", public, n, c.costs)
			}
			who, tokenErr := f.dir.ByBearer(f.Context(), o, f.tokens["ada"].Reveal())
			if c.ok {
				f.must(err)
				f.must(tokenErr)
				if got.ID != "A" || who.ID != "ada" {
					f.Errorf("%q: %+v, %+v", public, got, who)
				}
				continue
			}
			for _, err := range []error{err, tokenErr} {
				if fault.KindOf(err) != fault.NotFound || !strings.Contains(fault.Of(err).Public(), "https://"+public+" ") ||
					!strings.Contains(err.Error(), "ID=QUERY-IuGh1 ") {
					f.Errorf("%q: %v", public, err)
				}
			}
			if _, err := f.dir.ByBearer(f.Context(), o, f.tokens["bob"].Reveal()); !unauthenticated(err) {
				f.Errorf("%q, to a stranger: %v", public, err)
			}
		}
	})
}

// failing is a database that is away.
type failing struct{}

func (failing) Query(context.Context, string, ...any) (store.Rows, error) {
	return nil, store.ErrUnavailable
}

func TestADatabaseThatIsAwayIsNoAnswer(t *testing.T) {
	d := NewDirectory(Config{DB: failing{}, Clock: ident.NewManualClock(start)})
	if _, err := d.ByOrigin(t.Context(), at("a.example")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ByOrigin: %v", err)
	}
	if _, err := d.ByBearer(t.Context(), at("a.example"), vault.NewToken(nil).Reveal()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ByToken: %v", err)
	}
}

// halting is a database whose answers wait.
type halting struct {
	store.Querier
	asked chan struct{} // one for each statement that has come
	reply chan struct{} // lets one statement go on
}

func (h *halting) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	h.asked <- struct{}{}
	<-h.reply
	return h.Querier.Query(ctx, sql, args...)
}

// TestStrangersDoNotOccupyTheDatabase: with tokens that have proved nothing, however many, only a few
// look-ups run at once; a token that was of use before does not wait behind them, until it is of no
// use any more.
func TestStrangersDoNotOccupyTheDatabase(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		h := &halting{Querier: f.db, asked: make(chan struct{}, 100), reply: make(chan struct{}, 100)}
		free := func(statements int) {
			for range statements {
				h.reply <- struct{}{}
			}
		}
		f.dir.config.DB = h
		free(2)
		_, err := f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["ada"].Reveal())
		f.must(err)
		<-h.asked
		<-h.asked

		const strangers = 10
		done := make(chan error, strangers)
		for range strangers {
			go func() {
				_, err := f.dir.ByBearer(f.Context(), at("a.example"), vault.NewToken(nil).Reveal())
				done <- err
			}()
		}
		for range maxAsking {
			<-h.asked
		}
		if len(h.asked) != 0 || len(f.dir.asking) != maxAsking {
			f.Errorf("%d look-ups run, and %d more statements", len(f.dir.asking), len(h.asked))
		}
		gone, cancel := context.WithCancel(f.Context())
		cancel()
		if _, err := f.dir.ByBearer(gone, at("a.example"), f.tokens["bob"].Reveal()); !errors.Is(err, context.Canceled) {
			f.Errorf("a stranger who leaves: %v", err)
		}
		known := make(chan error, 1)
		go func() {
			_, err := f.dir.ByBearer(f.Context(), at("a.example"), f.tokens["ada"].Reveal())
			known <- err
		}()
		<-h.asked // while all places are taken
		free(2*strangers + 2)
		f.must(<-known)
		for range strangers {
			if err := <-done; !unauthenticated(err) {
				f.Errorf("a stranger: %v", err)
			}
		}
		f.dir.config.DB = f.db
		if _, err := f.dir.ByBearer(f.Context(), at("b.example"), f.tokens["ada"].Reveal()); !unauthenticated(err) {
			f.Errorf("another instance: %v", err)
		}
		if _, proved := f.dir.proved.GetIfPresent([32]byte(f.tokens["ada"].Hash())); proved {
			f.Error("a token that was of no use passes strangers")
		}
	})
}
