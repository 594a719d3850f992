package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database with the instances 1 and 2.
type fixture struct {
	*testing.T
	db      store.DB
	clock   *ident.ManualClock
	log     *eventlog.Log
	service *Service
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(logtest.At(0))}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, Noun)
		f.service = &Service{
			DB: db, Log: f.log, Clock: f.clock, IDs: ident.NewSource(idgrant.New(db), f.clock), Bearers: keys.Bearers(),
		}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
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

func (f *fixture) start() Granted {
	f.Helper()
	g, err := f.service.Start(f.Context(), "1", someFacts(), lifetimes)
	f.must(err)
	return g
}

// allow is a check that refuses nothing.
func allow(context.Context, store.Querier, State) error { return nil }

func (f *fixture) renew(refresh string) (Granted, error) {
	f.Helper()
	return f.service.Renew(f.Context(), "1", Renewal{Refresh: refresh, Client: "c", Lifetimes: lifetimes, Check: allow})
}

func (f *fixture) refused(err error, what string) {
	f.Helper()
	if !errors.Is(err, ErrRefresh) {
		f.Errorf("%s: %v, want %v", what, err, ErrRefresh)
	}
}

// has checks the events of the sessions of instance 1, in order.
func (f *fixture) has(want ...string) {
	f.Helper()
	if got := logtest.Types(f, f.db, f.log, "1"); !slices.Equal(got, want) {
		f.Errorf("events %v, want %v", got, want)
	}
}

func (f *fixture) state(id ident.SessionID) State {
	f.Helper()
	s, err := get(f.Context(), f.db, "", "1", id)
	f.must(err)
	return s
}

const (
	added, access, refresh = "oidc_session.added", "oidc_session.access_token.added", "oidc_session.refresh_token.added"
	renewed, revoked       = "oidc_session.refresh_token.renewed", "oidc_session.refresh_token.revoked"
	accessRevoked, expired = "oidc_session.access_token.revoked", "oidc_session.expired"
)

func TestRefreshTokensRotate(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		first := f.start()
		if first.Number != 1 || !first.At.Equal(logtest.At(0)) || !strings.HasPrefix(first.Refresh, string(vault.RefreshBearer)) {
			f.Errorf("started as %+v", first)
		}
		f.clock.Advance(time.Minute)
		second, err := f.renew(first.Refresh)
		f.must(err)
		if second.Session != first.Session || second.Number != 2 || second.Refresh == first.Refresh || !second.At.Equal(logtest.At(1)) {
			f.Errorf("renewed as %+v", second)
		}
		g, err := f.service.Renew(f.Context(), "1", Renewal{
			Refresh: second.Refresh, Client: "c", Scopes: []string{"openid"}, Lifetimes: lifetimes, Check: allow,
		})
		f.must(err)
		if !slices.Equal(g.Facts.Scopes, []string{"openid"}) || g.Facts.User != "u" {
			f.Errorf("renewed with less as %+v", g.Facts)
		}
		if s := f.state(first.Session); !slices.Equal(s.Scopes, someFacts().Scopes) || s.Generation != 3 || s.Owner != "o" {
			f.Errorf("the session is %+v", s)
		}
		f.has(added, access, refresh, access, renewed, access, renewed)
	})
}

// TestToBeShownIsNotToBeUsed looks at refresh tokens, which changes nothing.
func TestToBeShownIsNotToBeUsed(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		first := f.start()
		second, err := f.renew(first.Refresh)
		f.must(err)
		s, id, err := f.service.Shown(f.Context(), "1", second.Refresh)
		if err != nil || id != RefreshID(first.Session, 2) || s.User != "u" || s.Generation != 2 {
			f.Errorf("%s of %+v: %v", id, s, err)
		}
		for what, c := range map[string]struct {
			at   ident.InstanceID
			text string
		}{
			"used before": {"1", first.Refresh}, "text": {"1", "x"}, "of another instance": {"2", second.Refresh}, "changed": {"1", second.Refresh + "A"},
		} {
			_, _, err := f.service.Shown(f.Context(), c.at, c.text)
			f.refused(err, what)
		}
		f.has(added, access, refresh, access, renewed)
		f.clock.Advance(lifetimes.RefreshTokenIdleExpiration)
		_, _, err = f.service.Shown(f.Context(), "1", second.Refresh)
		f.refused(err, "when it has expired")
		third := f.start()
		f.must(f.service.RevokeRefresh(f.Context(), "1", third.Refresh, "c"))
		_, _, err = f.service.Shown(f.Context(), "1", third.Refresh)
		f.refused(err, "when it was revoked")
	})
}

func TestReuseRevokesTheSession(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		first := f.start()
		second, err := f.renew(first.Refresh)
		f.must(err)
		_, err = f.renew(first.Refresh)
		f.refused(err, "used before")
		f.has(added, access, refresh, access, renewed, revoked)
		_, err = f.renew(second.Refresh)
		f.refused(err, "the newest one, after that")
		_, err = f.renew(first.Refresh)
		f.refused(err, "used before, again")
		f.has(added, access, refresh, access, renewed, revoked)
		if !f.state(first.Session).Revoked {
			f.Error("the session is not revoked")
		}
	})
}

// TestOneOfManyRenews: of those who use one refresh token at the same time one gets the next, and the
// others give it away that there are two.
func TestOneOfManyRenews(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		g := f.start()
		var group sync.WaitGroup
		results := make(chan error, 8)
		for range cap(results) {
			group.Go(func() {
				_, err := f.renew(g.Refresh)
				results <- err
			})
		}
		group.Wait()
		close(results)
		renewals := 0
		for err := range results {
			if err == nil {
				renewals++
			} else {
				f.refused(err, "second")
			}
		}
		if renewals != 1 {
			f.Errorf("renewed %d times", renewals)
		}
		f.has(added, access, refresh, access, renewed, revoked)
	})
}

func TestRenewRefuses(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		g := f.start()
		for i := range len(g.Refresh) {
			_, err := f.renew(g.Refresh[:i] + string([]byte{g.Refresh[i] ^ 1}) + g.Refresh[i+1:])
			f.refused(err, fmt.Sprint("byte ", i))
		}
		refusal := errors.New("not now")
		for name, tt := range map[string]struct {
			at     ident.InstanceID
			client string
			want   error
			scopes []string
			check  func(context.Context, store.Querier, State) error
		}{
			"another instance": {at: "2", client: "c", want: ErrRefresh},
			"another client":   {at: "1", client: "d", want: ErrRefresh},
			"more scopes":      {at: "1", client: "c", want: ErrScope, scopes: []string{"email"}},
			"its check": {at: "1", client: "c", want: refusal, check: func(ctx context.Context, q store.Querier, s State) error {
				if held, err := get(ctx, q, "", "1", ident.SessionID(s.ID)); err != nil || held.User != "u" {
					f.Errorf("the check reads %+v, %v", held, err)
				}
				return refusal
			}},
		} {
			check := tt.check
			if check == nil {
				check = allow
			}
			_, err := f.service.Renew(f.Context(), tt.at, Renewal{Refresh: g.Refresh, Client: tt.client, Scopes: tt.scopes, Lifetimes: lifetimes, Check: check})
			if !errors.Is(err, tt.want) {
				f.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		f.has(added, access, refresh)
		f.clock.Advance(24*time.Hour - time.Microsecond)
		next, err := f.renew(g.Refresh)
		f.must(err) // nothing of what was refused has used it up
		f.clock.Advance(24 * time.Hour)
		_, err = f.renew(next.Refresh)
		f.refused(err, "idle for too long")
	})
}

func TestRevoke(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		g := f.start()
		f.refused(f.service.RevokeRefresh(f.Context(), "2", g.Refresh, "c"), "another instance")
		f.refused(f.service.RevokeRefresh(f.Context(), "1", "x", "c"), "no token")
		if err := f.service.RevokeRefresh(f.Context(), "1", g.Refresh, "d"); !errors.Is(err, ErrClient) {
			f.Errorf("another client: %v", err)
		}
		next, err := f.renew(g.Refresh)
		f.must(err)
		f.must(f.service.RevokeRefresh(f.Context(), "1", g.Refresh, "c")) // one that was renewed names its session too
		f.must(f.service.RevokeRefresh(f.Context(), "1", next.Refresh, "c"))
		_, err = f.renew(next.Refresh)
		f.refused(err, "revoked")
		f.has(added, access, refresh, access, renewed, revoked)
	})
}

func TestRevokeAccessTokens(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		g := f.start()
		of := Access{Session: g.Session, Number: 1, User: "u", Org: "o", Expires: logtest.At(60)}
		f.must(f.service.RevokeAccess(f.Context(), "1", of))
		next, err := f.renew(g.Refresh)
		f.must(err)
		if s := f.state(g.Session); s.RevokedThrough != 1 || s.Revoked || next.Number != 2 {
			f.Errorf("the session is %+v, its next token number %d", s, next.Number)
		}
		alone := Access{Session: "77", Number: 1, User: "u", Org: "o", Expires: logtest.At(60)}
		var group sync.WaitGroup
		for range 8 { // several at the same time begin one session
			group.Go(func() {
				if err := f.service.RevokeAccess(f.Context(), "1", alone); err != nil {
					f.Error(err)
				}
			})
		}
		group.Wait()
		if s := f.state("77"); s.RevokedThrough != 1 || s.User != "u" || s.Owner != "o" || s.Sequence != 1 {
			f.Errorf("what began with a revocation is %+v", s)
		}
		late := alone
		late.Session, late.Expires = "78", logtest.At(0)
		f.must(f.service.RevokeAccess(f.Context(), "1", late))
		if s := f.state("78"); s.Exists() {
			f.Errorf("the revocation of an expired token left %+v", s)
		}
		f.has(added, access, refresh, accessRevoked, access, renewed, accessRevoked)
		if err := f.service.RevokeAccess(f.Context(), "3", alone); !errors.Is(err, eventlog.ErrNoInstance) {
			f.Errorf("of no instance: %v", err)
		}
	})
}

func TestSweep(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.must(f.service.Sweep(f.Context()))
		g := f.start()
		var alone []ident.SessionID
		for i := range sweepPage + 7 { // more than one page, of two instances
			id := ident.SessionID(fmt.Sprint(1000 + i))
			at := ident.InstanceID(fmt.Sprint(1 + i%2))
			f.must(f.service.RevokeAccess(f.Context(), at, Access{Session: id, Number: 1, User: "u", Org: "o", Expires: logtest.At(10)}))
			if at == "1" {
				alone = append(alone, id)
			}
		}
		f.clock.Advance(10*time.Minute + sweepMargin - time.Microsecond)
		f.must(f.service.Sweep(f.Context()))
		if !f.state(alone[0]).Exists() {
			f.Error("swept before its time")
		}
		f.clock.Advance(time.Microsecond)
		var group sync.WaitGroup
		for range 3 { // nodes do not mind each other
			group.Go(func() {
				if err := f.service.Sweep(f.Context()); err != nil {
					f.Error(err)
				}
			})
		}
		group.Wait()
		left, err := ended(f.Context(), f.db, store.Micros(f.clock.Now()), place{}, 10)
		f.must(err)
		if len(left) != 0 || !f.state(g.Session).Exists() {
			f.Errorf("left are %v; the session that goes on is %+v", left, f.state(g.Session))
		}
		counts := make(map[string]int)
		for _, typ := range logtest.Types(f, f.db, f.log, "1") {
			counts[typ]++
		}
		if counts[expired] != len(alone) {
			f.Errorf("%d sessions ended %d times", len(alone), counts[expired])
		}
		if _, err := f.renew(g.Refresh); err != nil {
			f.Errorf("the session that goes on: %v", err)
		}
	})
}

// TestSweepLeavesRemovedInstances: what they have left is reclaimed, and does not stop a sweep.
func TestSweepLeavesRemovedInstances(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, at := range []ident.InstanceID{"1", "2"} {
			f.must(f.service.RevokeAccess(f.Context(), at, Access{Session: "9", Number: 1, User: "u", Org: "o", Expires: logtest.At(10)}))
		}
		f.must(f.log.Write(f.Context(), "2", "ada", func(ctx context.Context, w *eventlog.Writer) error { return w.Destroy(ctx) }))
		f.clock.Advance(time.Hour)
		f.must(f.service.Sweep(f.Context()))
		f.has(accessRevoked, expired)
	})
}
