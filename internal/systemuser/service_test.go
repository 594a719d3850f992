package systemuser

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/assertion"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// node is one node on a database, with its own view of the configuration.
type node struct {
	*testing.T
	db      store.DB
	reads   *counting
	log     *eventlog.Log
	clock   *ident.ManualClock
	users   *Registry
	service *Service
}

// counting counts the queries of a registry, and can hold them up.
type counting struct {
	store.Querier
	n    atomic.Int64
	wait atomic.Pointer[func()]
}

func (c *counting) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	c.n.Add(1)
	if wait := c.wait.Load(); wait != nil {
		(*wait)()
	}
	return c.Querier.Query(ctx, sql, args...)
}

// eachEngine runs fn with two nodes on a fresh database of every engine. Their configuration has
// ed25519, who may do everything, and viewer.
func eachEngine(t *testing.T, fn func(a, b *node)) {
	t.Helper()
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		clock := ident.NewManualClock(testNow)
		db := d.Open(t)
		a := newNode(t, db, clock, testUsers(t)[5:])
		if d.Engine.MultiNode {
			db = d.Open(t)
		}
		fn(a, newNode(t, db, clock, testUsers(t)[5:]))
	})
}

func newNode(t *testing.T, db store.DB, clock *ident.ManualClock, configured []Config) *node {
	t.Helper()
	users, err := NewRegistry(configured, testIssuer, clock)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{T: t, db: db, reads: &counting{Querier: db}, clock: clock, users: users}
	users.Ask(n.reads)
	n.log = eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), clock, Noun)
	n.service = &Service{DB: db, Log: n.log, Users: users, Clock: clock}
	n.must(n.service.Prepare(t.Context()))
	return n
}

func (n *node) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

// add adds a user as ed25519.
func (n *node) add(name, key string, memberships ...Membership) State {
	n.Helper()
	s, err := n.service.Add(n.Context(), n.as("ed25519"), Add{Name: name, PublicKey: key, Memberships: memberships})
	n.must(err)
	return s
}

// as is the proof of a caller that uses the key that counts now; of one whom nobody knows it is the
// name alone.
func (n *node) as(name string) Proof {
	n.Helper()
	list, err := n.service.List(n.Context())
	n.must(err)
	for _, l := range list {
		if string(l.Name) == name && !l.Overridden {
			return Proof{Name: l.Name, Sequence: l.Sequence, Key: l.Keys[0].Fingerprint}
		}
	}
	return Proof{Name: ident.Actor(name)}
}

// refused checks the fault of a command, and that it left no event.
func (n *node) refused(err error, kind fault.Kind, id string, before []string) {
	n.Helper()
	if f := fault.Of(err); f == nil || f.Kind != kind || f.ID != id {
		n.Errorf("err = %v, want kind %d, %s", err, kind, id)
	}
	if after := n.types(); !slices.Equal(after, before) {
		n.Errorf("a command that was refused left events: %v, before %v", after, before)
	}
}

func (n *node) types() []string {
	n.Helper()
	return logtest.Types(n, n.db, n.log, ident.System)
}

// accepts checks that a node knows the sender of a token.
func (n *node) accepts(what, token, name string) {
	n.Helper()
	if c, err := n.users.Verify(n.Context(), token); err != nil || string(c.Name) != name {
		n.Errorf("%s: %v, %v; want %s", what, c, err, name)
	}
}

// by256 and byRSA are tokens of a user, signed with one key or another.
func by256(name string) string {
	return forge(`{"alg":"ES256"}`, claimsOf(name).String(), es(crypto.SHA256, keys().P256))
}

func byRSA(name string) string {
	return forge(`{"alg":"RS256"}`, claimsOf(name).String(), rs(crypto.SHA256, keys().RSA))
}

// A user that is added, rotated or removed on one node is known so to the other at once, whatever
// that remembers.
func TestEffectiveOnEveryNodeAtOnce(t *testing.T) {
	eachEngine(t, func(a, b *node) {
		old, fresh := by256("robot"), byRSA("robot")
		each := func(check func(n *node)) {
			check(a)
			check(b)
			check(b) // by what it remembers
		}
		each(func(n *node) { assertRefused(n.T, n.users, "not yet added", old, "no system user") })

		a.add("Robot", publicPEM(a, keys().P256), robots...)
		each(func(n *node) { n.accepts("added", old, "robot") })
		each(func(n *node) { assertRefused(n.T, n.users, "another key", fresh, "the token of") })
		c, err := b.users.Verify(b.Context(), old)
		if err != nil || c.May("system.instance.read", Scope{Instance: "1"}) != nil || c.May("system.instance.read", Scope{}) == nil {
			b.Errorf("it may %v, %v", c, err)
		}

		_, err = a.service.Rotate(a.Context(), a.as("ed25519"), "robot", Rotate{PublicKey: publicPEM(a, keys().RSA), Keep: time.Minute})
		a.must(err)
		each(func(n *node) { n.accepts("the new key", fresh, "robot") })
		each(func(n *node) { n.accepts("the key that is kept", old, "robot") })
		a.clock.Advance(time.Minute - time.Microsecond)
		each(func(n *node) { n.accepts("the key that is kept for another moment", old, "robot") })
		a.clock.Advance(time.Microsecond)
		each(func(n *node) { assertRefused(n.T, n.users, "a key that is no longer kept", old, "replaced") })

		_, err = b.service.Rotate(a.Context(), b.as("robot"), "robot", Rotate{PublicKey: publicPEM(a, keys().P256)})
		b.must(err)
		each(func(n *node) { assertRefused(n.T, n.users, "a key that was replaced at once", fresh, "the token of") })
		each(func(n *node) { n.accepts("what has become the new key", old, "robot") })

		_, err = b.service.Remove(b.Context(), b.as("ed25519"), "robot")
		b.must(err)
		each(func(n *node) { assertRefused(n.T, n.users, "removed", old, "no system user") })

		// The name with another key is another user: nothing of the one before counts.
		b.add("robot", publicPEM(a, keys().RSA), reads...)
		each(func(n *node) { assertRefused(n.T, n.users, "the key before", old, "the token of") })
		each(func(n *node) { n.accepts("added again", fresh, "robot") })
		if c, err := a.users.Still(a.Context(), nil, a.as("robot")); err != nil || c.May("system.instance.read", Scope{}) != nil {
			a.Errorf("Still = %v, %v", c, err)
		}
		want := []string{
			"system.user.added", "system.user.key.rotated", "system.user.key.rotated", "system.user.removed", "system.user.added",
		}
		if got := a.types(); !slices.Equal(got, want) {
			a.Errorf("events %v, want %v", got, want)
		}
		logtest.CheckFold(a, a.db, a.log)
	})
}

// A certificate in the database counts as long as it is valid.
func TestAddedCertificate(t *testing.T) {
	eachEngine(t, func(a, b *node) {
		a.add("robot", certificatePEM(a, keys().P256, testNow, testNow.Add(time.Minute)), reads...)
		token := by256("robot")
		b.accepts("in its time", token, "robot")
		b.clock.Advance(time.Minute + time.Second)
		assertRefused(b.T, b.users, "later", token, "certificate is valid from")
	})
}

// Users of the configuration cost no read, others one a call; strangers none, unless they come with
// all that needs no key.
func TestReadsOfTheRegistry(t *testing.T) {
	eachEngine(t, func(a, _ *node) {
		a.add("robot", publicPEM(a, keys().P256), reads...)
		sign := es(crypto.SHA256, keys().P256)
		header := `{"alg":"ES256"}`
		for name, tt := range map[string]struct {
			token string
			reads int64
		}{
			"configured":              {forge(`{"alg":"EdDSA"}`, claimsOf("ed25519").String(), eddsa(keys().Ed25519)), 0},
			"configured, forged":      {forge(header, claimsOf("ed25519").String(), sign), 0},
			"added":                   {by256("robot"), 1},
			"added, forged":           {byRSA("robot"), 1},
			"unknown":                 {by256("nobody"), 1},
			"no token":                {"x", 0},
			"not base64url":           {by256("robot")[1:], 0},
			"another audience":        {forge(header, claimsOf("robot").With("aud", `"https://other.example"`).String(), sign), 0},
			"expired":                 {forge(header, claimsOf("robot").With("exp", fmt.Sprint(testNow.Unix())).String(), sign), 0},
			"too old":                 {forge(header, claimsOf("robot").With("iat", fmt.Sprint(testNow.Unix()-3601)).String(), sign), 0},
			"of tomorrow":             {forge(header, claimsOf("robot").With("iat", fmt.Sprint(testNow.Unix()+86400)).String(), sign), 0},
			"iss is not sub":          {forge(header, claimsOf("robot").With("sub", `"other"`).String(), sign), 0},
			"critical":                {forge(`{"alg":"ES256","crit":["x"]}`, claimsOf("robot").String(), sign), 0},
			"a name in upper case":    {by256("ROBOT"), 0},
			"an empty name":           {by256(""), 0},
			"a name with a NUL":       {forge(header, claimsOf("robot").With("iss", `"a\u0000"`).With("sub", `"a\u0000"`).String(), sign), 0},
			"a name that is too long": {by256(strings.Repeat("x", 201)), 0},
		} {
			for range 2 {
				before := a.reads.n.Load()
				_, err := a.users.Verify(a.Context(), tt.token)
				if err != nil && fault.Of(err).ID != "AUTH-7fs1e" {
					a.Errorf("%s: %v", name, err)
				}
				if got := a.reads.n.Load() - before; got != tt.reads {
					a.Errorf("%s: %d reads, want %d", name, got, tt.reads)
				}
			}
		}
	})
}

// However many strangers there are, few of them have the database asked at the same time, and
// who has proved who it is does not wait behind them.
func TestStrangersDoNotOccupyTheDatabase(t *testing.T) {
	eachEngine(t, func(a, _ *node) {
		a.add("robot", publicPEM(a, keys().P256), reads...)
		known := by256("robot")
		a.accepts("known", known, "robot")

		var now, most atomic.Int64
		arrived, release := make(chan struct{}, maxAsking), make(chan struct{})
		wait := func() {
			for n := now.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			arrived <- struct{}{}
			<-release
			now.Add(-1)
		}
		a.reads.wait.Store(&wait)
		var strangers sync.WaitGroup
		for i := range 10 * maxAsking {
			strangers.Go(func() {
				if _, err := a.users.Verify(a.Context(), by256(fmt.Sprint("nobody", i))); fault.Of(err).ID != "AUTH-7fs1e" {
					a.Errorf("a stranger: %v", err)
				}
			})
		}
		for range maxAsking {
			<-arrived
		}
		gone, leave := context.WithCancel(a.Context())
		leave()
		if _, err := a.users.Verify(gone, by256("late")); !errors.Is(err, context.Canceled) {
			a.Errorf("a stranger who has left: %v", err)
		}
		a.reads.wait.Store(nil)
		a.accepts("known, behind strangers", known, "robot")
		a.reads.wait.Store(&wait)
		go func() {
			for range arrived {
			}
		}()
		close(release)
		strangers.Wait()
		close(arrived)
		if most.Load() > maxAsking {
			a.Errorf("%d strangers at once, want at most %d", most.Load(), maxAsking)
		}
	})
}

// When the database does not answer, that is what the caller is told: the token may be right.
func TestVerifyWithoutDatabase(t *testing.T) {
	eachEngine(t, func(a, _ *node) {
		a.add("robot", publicPEM(a, keys().P256), reads...)
		known := by256("robot")
		a.accepts("known", known, "robot")
		robot := a.as("robot")
		gone, cancel := context.WithCancel(a.Context())
		cancel()
		for what, token := range map[string]string{"known": known, "new": by256("other")} {
			if _, err := a.users.Verify(gone, token); err == nil || fault.KindOf(err) == fault.Unauthenticated {
				a.Errorf("%s: %v", what, err)
			}
		}
		if _, err := a.users.Still(gone, nil, robot); err == nil || fault.KindOf(err) == fault.Unauthenticated {
			a.Errorf("Still: %v", err)
		}
	})
}

// Users of the configuration are not changed, and win over those of the database.
func TestConfiguredUsers(t *testing.T) {
	eachEngine(t, func(a, _ *node) {
		ctx := a.Context()
		var before []string
		_, err := a.service.Add(ctx, a.as("ed25519"), Add{Name: "Viewer", PublicKey: publicPEM(a, keys().P256), Memberships: reads})
		a.refused(err, fault.AlreadyExists, "SYSUSER-have1", before)
		_, err = a.service.Rotate(ctx, a.as("ed25519"), "viewer", Rotate{PublicKey: publicPEM(a, keys().P256)})
		a.refused(err, fault.FailedPrecondition, "SYSUSER-conf1", before)
		_, err = a.service.Remove(ctx, a.as("ed25519"), "viewer")
		a.refused(err, fault.FailedPrecondition, "SYSUSER-conf1", before)
		for _, name := range []string{"nobody", "", strings.Repeat("x", 300), "a\x00"} {
			_, err = a.service.Rotate(ctx, a.as("ed25519"), name, Rotate{PublicKey: publicPEM(a, keys().P256)})
			a.refused(err, fault.NotFound, "SYSUSER-none1", before)
			_, err = a.service.Remove(ctx, a.as("ed25519"), name)
			a.refused(err, fault.NotFound, "SYSUSER-none1", before)
		}
		_, err = a.service.Add(ctx, a.as("nobody"), Add{Name: "robot", PublicKey: publicPEM(a, keys().P256), Memberships: reads})
		a.refused(err, fault.Unauthenticated, "AUTH-7fs1e", before)
		_, err = a.service.Rotate(ctx, a.as("nobody"), "robot", Rotate{})
		a.refused(err, fault.Unauthenticated, "AUTH-7fs1e", before)
		_, err = a.service.Add(ctx, a.as("viewer"), Add{Name: "robot", PublicKey: publicPEM(a, keys().P256), Memberships: owner.Memberships})
		a.refused(err, fault.PermissionDenied, "SYSUSER-grant", before)

		// Later the configuration takes the name of a user that was added.
		a.add("robot", publicPEM(a, keys().P256), reads...)
		a.accepts("added", by256("robot"), "robot")
		a.must(a.users.Reload(append(testUsers(a)[5:], Config{Name: "robot", KeyData: publicPEM(a, keys().RSA)})))
		a.accepts("configured", byRSA("robot"), "robot")
		assertRefused(a.T, a.users, "overridden", by256("robot"), "the token of")
		list, err := a.service.List(ctx)
		a.must(err)
		names := []string{}
		for _, l := range list {
			names = append(names, fmt.Sprintf("%s %v %v", l.Name, l.Configured, l.Overridden))
		}
		if diff := cmp.Diff([]string{
			"ed25519 true false", "robot true false", "robot false true", "viewer true false",
		}, names); diff != "" {
			a.Errorf("listed (-want +got):\n%s", diff)
		}
		_, err = a.service.Rotate(ctx, a.as("ed25519"), "robot", Rotate{PublicKey: publicPEM(a, keys().P256)})
		a.refused(err, fault.FailedPrecondition, "SYSUSER-conf1", a.types())
		_, err = a.service.Remove(ctx, a.as("ed25519"), "robot")
		a.must(err)
		a.accepts("still configured", byRSA("robot"), "robot")
		_, err = a.service.Remove(ctx, a.as("ed25519"), "robot")
		a.refused(err, fault.FailedPrecondition, "SYSUSER-conf1", a.types())
	})
}

func TestList(t *testing.T) {
	eachEngine(t, func(a, b *node) {
		a.add("zoe", certificatePEM(a, keys().P256, testNow, testNow.Add(time.Hour)), robots...)
		a.add("adam", publicPEM(a, keys().RSA), reads...)
		a.add("gone", publicPEM(a, keys().RSA), reads...)
		_, err := a.service.Remove(a.Context(), a.as("ed25519"), "gone")
		a.must(err)
		a.clock.Advance(time.Second)
		_, err = a.service.Rotate(a.Context(), a.as("ed25519"), "adam", Rotate{PublicKey: publicPEM(a, keys().P256), Keep: time.Minute})
		a.must(err)
		fingerprint := func(key crypto.Signer) string {
			k, err := assertion.NewKey(key.Public())
			a.must(err)
			return k.Fingerprint
		}
		p256, ed := fingerprint(keys().P256), fingerprint(keys().Ed25519)
		head := func(name string, sequence uint64, changed time.Time) eventlog.Head {
			return eventlog.Head{
				Instance: ident.System, ID: name, Owner: string(ident.System), Sequence: sequence,
				CreatedAt: testNow, ChangedAt: changed,
			}
		}
		adam := Listed{Name: "adam", Memberships: reads, Head: head("adam", 2, testNow.Add(time.Second)), Keys: []KeyInfo{
			{Fingerprint: p256}, {Fingerprint: fingerprint(keys().RSA), Until: testNow.Add(time.Second + time.Minute)},
		}}
		want := []Listed{
			adam,
			{Name: "ed25519", Memberships: owner.Memberships, Configured: true, Keys: []KeyInfo{{Fingerprint: ed}}},
			{Name: "viewer", Memberships: reads, Configured: true, Keys: []KeyInfo{{Fingerprint: ed}}},
			{Name: "zoe", Memberships: robots, Head: head("zoe", 1, testNow), Keys: []KeyInfo{
				{Fingerprint: p256, NotBefore: testNow, NotAfter: testNow.Add(time.Hour)},
			}},
		}
		got, err := b.service.List(b.Context())
		b.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			b.Errorf("listed (-want +got):\n%s", diff)
		}
		b.clock.Advance(time.Minute)
		want[0].Keys = adam.Keys[:1]
		got, err = b.service.List(b.Context())
		b.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			b.Errorf("later (-want +got):\n%s", diff)
		}
	})
}

// Somebody must remain who can let others in: of the database, or of the configuration.
func TestTheLastWayIn(t *testing.T) {
	eachEngine(t, func(a, _ *node) {
		ctx := a.Context()
		a.add("first", publicPEM(a, keys().P256), owner.Memberships...)
		a.add("second", publicPEM(a, keys().P256), owner.Memberships...)
		a.add("helper", publicPEM(a, keys().P256), append(slices.Clone(reads), robots...)...)
		a.add("brief", certificatePEM(a, keys().P256, testNow, testNow.Add(time.Minute)), owner.Memberships...)
		a.clock.Advance(time.Hour) // past brief's certificate
		_, err := a.service.Remove(ctx, a.as("first"), "first")
		a.must(err) // oneself, too
		// Nor counts one whom the configuration overrides with less.
		a.add("hidden", publicPEM(a, keys().P256), owner.Memberships...)
		a.must(a.users.Reload(append(testUsers(a)[6:], Config{
			Name: "hidden", KeyData: publicPEM(a, keys().RSA), Memberships: testUsers(a)[6].Memberships,
		})))
		_, err = a.service.Remove(ctx, a.as("second"), "second")
		a.refused(err, fault.FailedPrecondition, "SYSUSER-last1", a.types())
		_, err = a.service.Remove(ctx, a.as("second"), "helper")
		a.must(err)
		a.must(a.users.Reload(testUsers(a)[5:]))
		_, err = a.service.Remove(ctx, a.as("second"), "second")
		a.must(err)
		logtest.CheckFold(a, a.db, a.log)
	})
}

// Of two who remove each other at the same time, one remains.
func TestRemovingEachOther(t *testing.T) {
	eachEngine(t, func(a, b *node) {
		for i := range 5 {
			a.must(errors.Join(a.users.Reload(testUsers(a)[5:]), b.users.Reload(testUsers(b)[5:])))
			one, two := fmt.Sprint("one", i), fmt.Sprint("two", i)
			a.add(one, publicPEM(a, keys().P256), owner.Memberships...)
			a.add(two, publicPEM(a, keys().P256), owner.Memberships...)
			a.must(errors.Join(a.users.Reload(nil), b.users.Reload(nil)))
			byOne, byTwo := a.as(one), b.as(two)
			errs := make(chan error, 2)
			go func() { _, err := a.service.Remove(a.Context(), byOne, two); errs <- err }()
			go func() { _, err := b.service.Remove(b.Context(), byTwo, one); errs <- err }()
			removed := 0
			for range 2 {
				if err := <-errs; err == nil {
					removed++
				} else if fault.Of(err).ID != "AUTH-7fs1e" {
					a.Errorf("err = %v", err)
				}
			}
			if removed != 1 {
				a.Errorf("%d of two were removed", removed)
			}
			left, err := a.service.List(a.Context())
			a.must(err)
			a.must(a.users.Reload(testUsers(a)[5:]))
			for _, l := range left {
				_, err := a.service.Remove(a.Context(), a.as("ed25519"), string(l.Name))
				a.must(err)
			}
		}
		logtest.CheckFold(a, a.db, a.log)
	})
}

// Who is removed does nothing afterwards: what it wishes at the same time comes before its removal in
// the log, or is refused.
func TestTheRemovedDoNothing(t *testing.T) {
	eachEngine(t, func(a, b *node) {
		admin := a.as("ed25519")
		wishes := map[string]func(by Proof, i int) error{
			"add": func(by Proof, i int) error {
				_, err := b.service.Add(b.Context(), by, Add{Name: fmt.Sprint("friend", i), PublicKey: publicPEM(b, keys().P256), Memberships: reads})
				return err
			},
			"rotate": func(by Proof, _ int) error {
				_, err := b.service.Rotate(b.Context(), by, "bob", Rotate{PublicKey: publicPEM(b, keys().RSA)})
				return err
			},
			"remove": func(by Proof, i int) error {
				_, err := b.service.Remove(b.Context(), by, fmt.Sprint("victim", i))
				return err
			},
		}
		a.add("bob", publicPEM(a, keys().P256), reads...)
		for what, wish := range wishes {
			for i := range 8 {
				a.add("mallory", publicPEM(a, keys().P256), owner.Memberships...)
				a.add(fmt.Sprint("victim", i), publicPEM(a, keys().P256), reads...)
				mallory, done := a.as("mallory"), make(chan error, 1)
				go func() { done <- wish(mallory, i) }()
				_, err := a.service.Remove(a.Context(), admin, "mallory")
				a.must(err)
				if err := <-done; err != nil && fault.Of(err).ID != "AUTH-7fs1e" {
					a.Errorf("%s: err = %v", what, err)
				}
				if err := wish(mallory, i); fault.Of(err).ID != "AUTH-7fs1e" {
					a.Errorf("%s, later: err = %v", what, err)
				}
				if _, err := a.service.Remove(a.Context(), admin, fmt.Sprint("victim", i)); err != nil && fault.Of(err).ID != "SYSUSER-none1" {
					a.Errorf("clean up: %v", err)
				}
				if _, err := a.service.Remove(a.Context(), admin, fmt.Sprint("friend", i)); err != nil && fault.Of(err).ID != "SYSUSER-none1" {
					a.Errorf("clean up: %v", err)
				}
			}
		}
		events, err := a.log.Of(a.Context(), a.db, ident.System, eventlog.Position{}, 1000)
		a.must(err)
		known := map[ident.Actor]bool{"ed25519": true}
		for _, e := range events {
			if !known[e.Actor] {
				a.Errorf("%s of %s by %s, who had been removed", e.Type, e.Aggregate.ID, e.Actor)
			}
			known[ident.Actor(e.Aggregate.ID)] = e.Type != Removed{}.EventType()
		}
		logtest.CheckFold(a, a.db, a.log)
	})
}

// A caller counts as what it was authenticated as, not by its name: another one of that name, or one
// whose key or configuration changed since, does not do what it wished.
func TestStill(t *testing.T) {
	eachEngine(t, func(a, b *node) {
		ctx := a.Context()
		gone := func(what string, p Proof) {
			a.Helper()
			if _, err := b.users.Still(ctx, nil, p); fault.Of(err).ID != "AUTH-7fs1e" {
				a.Errorf("%s: err = %v", what, err)
			}
			_, err := b.service.Remove(ctx, p, "robot")
			a.refused(err, fault.Unauthenticated, "AUTH-7fs1e", a.types())
		}
		still := func(what string, p Proof) {
			a.Helper()
			if c, err := b.users.Still(ctx, nil, p); err != nil || c.Name != p.Name || c.Key != p.Key || c.Sequence != p.Sequence {
				a.Errorf("%s: %v, %v", what, c, err)
			}
		}
		proof := func(n *node, token string) Proof {
			a.Helper()
			c, err := n.users.Verify(ctx, token)
			a.must(err)
			return Proof{Name: c.Name, Sequence: c.Sequence, Key: c.Key}
		}
		a.add("robot", publicPEM(a, keys().P256), owner.Memberships...)
		first := proof(a, by256("robot"))
		still("added", first)
		still("remembered", proof(a, by256("robot")))
		gone("without a key", Proof{Name: first.Name, Sequence: first.Sequence})
		_, err := a.service.Rotate(ctx, a.as("ed25519"), "robot", Rotate{PublicKey: publicPEM(a, keys().RSA), Keep: time.Minute})
		a.must(err)
		gone("rotated", first)
		kept, fresh := proof(a, by256("robot")), proof(a, byRSA("robot"))
		still("by the key that is kept", kept)
		a.clock.Advance(time.Minute)
		gone("by the key that was kept", kept)
		still("by the new key", fresh)

		a.must(b.users.Reload(append(testUsers(a)[5:], Config{Name: "robot", KeyData: publicPEM(a, keys().P256)})))
		gone("overridden", fresh)
		configured := proof(b, by256("robot"))
		still("configured", configured)
		a.must(b.users.Reload(append(testUsers(a)[5:], Config{Name: "robot", KeyData: publicPEM(a, keys().P256)})))
		still("configured again", configured)
		a.must(b.users.Reload(append(testUsers(a)[5:], Config{Name: "robot", KeyData: publicPEM(a, keys().P384)})))
		gone("with another key", configured)
		a.must(b.users.Reload(testUsers(a)[5:]))
		gone("no longer configured", configured)

		_, err = a.service.Remove(ctx, a.as("ed25519"), "robot")
		a.must(err)
		gone("removed", fresh)
		a.add("robot", publicPEM(a, keys().RSA), owner.Memberships...)
		gone("added again with the same key", fresh)
	})
}

// Of any number of calls that want a name at the same time, one gets it.
func TestRaceForAName(t *testing.T) {
	eachEngine(t, func(a, b *node) {
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() {
				n := []*node{a, b}[i%2]
				_, err := n.service.Add(n.Context(), n.as("ed25519"), Add{Name: "robot", PublicKey: publicPEM(n, keys().P256), Memberships: reads})
				errs <- err
			}()
		}
		added := 0
		for range cap(errs) {
			if err := <-errs; err == nil {
				added++
			} else if fault.Of(err).ID != "SYSUSER-have1" {
				a.Errorf("err = %v", err)
			}
		}
		if added != 1 {
			a.Errorf("%d got the name", added)
		}
		logtest.CheckFold(a, a.db, a.log)
	})
}

// Nodes that start on a new database at the same time make one key.
func TestPrepareRace(t *testing.T) {
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		dbs := []store.DB{d.Open(t)}
		for range 3 {
			if d.Engine.MultiNode {
				dbs = append(dbs, d.Open(t))
			} else {
				dbs = append(dbs, dbs[0])
			}
		}
		errs := make(chan error, len(dbs))
		for _, db := range dbs {
			go func() {
				keyring := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
				s := &Service{DB: db, Log: eventlog.New(db, keyring, ident.SystemClock{}, Noun)}
				errs <- s.Prepare(t.Context())
			}()
		}
		for range dbs {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		n, err := store.One(t.Context(), dbs[0], func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
			`SELECT count(*) FROM instance_keys WHERE instance_id = $1`, string(ident.System))
		if err != nil || n != 1 {
			t.Errorf("%d keys, %v", n, err)
		}
	})
}

func TestTooManyUsers(t *testing.T) {
	eachEngine(t, func(a, _ *node) {
		a.must(a.db.Update(a.Context(), func(ctx context.Context, tx store.Tx) error {
			for i := range MaxUsers - 1 {
				s := State{PublicKey: publicPEM(a, keys().P256), Memberships: reads}
				s.Head = eventlog.Head{Instance: ident.System, ID: fmt.Sprint("user", i), Sequence: 1}
				err := tx.Exec(ctx, `INSERT INTO system_users (`+Noun.Tables[0].Columns()+`)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, Noun.Tables[0].Rows(s)[0]...)
				if err != nil {
					return err
				}
			}
			return nil
		}))
		a.add("last", publicPEM(a, keys().P256), reads...)
		_, err := a.service.Add(a.Context(), a.as("ed25519"), Add{Name: "more", PublicKey: publicPEM(a, keys().P256), Memberships: reads})
		a.refused(err, fault.ResourceExhausted, "SYSUSER-many1", a.types())
	})
}

// BenchmarkVerifyAdded is the cost of a call of a user of the database, which reads its row.
func BenchmarkVerifyAdded(b *testing.B) {
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			db := e.New(b).Open(b)
			clock := ident.NewManualClock(testNow)
			users, err := NewRegistry(testUsers(b), testIssuer, clock)
			if err != nil {
				b.Fatal(err)
			}
			users.Ask(db)
			s := &Service{
				DB: db, Users: users, Clock: clock,
				Log: eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), clock, Noun),
			}
			if err := s.Prepare(b.Context()); err != nil {
				b.Fatal(err)
			}
			ed, err := assertion.NewKey(keys().Ed25519.Public())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Add(b.Context(), Proof{Name: "ed25519", Key: ed.Fingerprint}, Add{Name: "robot", PublicKey: publicPEM(b, keys().P256), Memberships: reads}); err != nil {
				b.Fatal(err)
			}
			token := by256("robot")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := users.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
