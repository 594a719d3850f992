package session

import (
	"testing"
	"time"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

var lifetimes = defaults.OIDC{
	AccessTokenLifetime: time.Hour, IDTokenLifetime: time.Hour,
	RefreshTokenIdleExpiration: 24 * time.Hour, RefreshTokenExpiration: 72 * time.Hour,
}

// someFacts have a value in every field.
func someFacts() Facts {
	return Facts{
		User: "u", Org: "o", Client: "c", Audience: []string{"c", "p"}, Scopes: []string{"openid", "profile"},
		Methods: []string{"pwd"}, AuthTime: logtest.At(0), Nonce: "n", Thumbprint: "t",
		Actor:   &Actor{User: "v", Issuer: "https://i", Actor: &Actor{User: "w"}},
		Grounds: []Ground{{Kind: AppKey, User: "u", Client: "c", ID: "k"}, {Kind: MachineKey, User: "v", ID: "m", Session: "s", Number: 2}},
	}
}

// begun are the events of a session with one access token and one refresh token, at the minutes 1 to 3.
func begun() []eventlog.Payload {
	events, err := Start{Session: logtest.ID, Facts: someFacts(), Lifetimes: lifetimes}.Decide()
	if err != nil {
		panic(err)
	}
	return events
}

func started() State {
	return State{
		Facts: someFacts(), Tokens: 1, Generation: 1, IdleUntil: logtest.At(3).Add(24 * time.Hour),
		RefreshUntil: logtest.At(3).Add(72 * time.Hour), Ends: logtest.At(3).Add(24 * time.Hour),
	}
}

func TestStart(t *testing.T) {
	s := started()
	logtest.Run(t, Noun, []logtest.Case[State]{{
		Name: "with all there is", When: func(State) ([]eventlog.Payload, error) {
			return Start{Session: logtest.ID, Facts: someFacts(), Lifetimes: lifetimes}.Decide()
		},
		Then: []eventlog.Payload{
			Added{someFacts()},
			AccessTokenAdded{logtest.ID + "-at_1", 1, []string{"openid", "profile"}, time.Hour},
			RefreshTokenAdded{logtest.ID + "-rt_1", 72 * time.Hour, 24 * time.Hour},
		},
		State: &s,
	}})
	for name, change := range map[string]func(*Facts){
		"no user": func(f *Facts) { f.User = "" }, "no organization": func(f *Facts) { f.Org = "" },
		"no ground": func(f *Facts) { f.Grounds = nil },
		"grounds":   func(f *Facts) { f.Grounds = make([]Ground, MaxGrounds+1) },
		"actors": func(f *Facts) {
			for range MaxActors {
				f.Actor = &Actor{Actor: f.Actor}
			}
		},
	} {
		f := someFacts()
		change(&f)
		if events, err := (Start{Facts: f}).Decide(); err == nil || events != nil {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}

func TestRenew(t *testing.T) {
	refused := &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "OIDCS-JOI23"}
	renew := func(change func(*Renew)) func(State) ([]eventlog.Payload, error) {
		r := Renew{Now: logtest.At(4), Generation: 1, Client: "c", Lifetimes: lifetimes}
		change(&r)
		return r.Decide
	}
	next := []eventlog.Payload{
		AccessTokenAdded{logtest.ID + "-at_2", 2, []string{"openid", "profile"}, time.Hour},
		RefreshTokenRenewed{logtest.ID + "-rt_2", 24 * time.Hour},
	}
	renewed := started()
	renewed.Tokens, renewed.Generation = 2, 2
	renewed.IdleUntil = logtest.At(5).Add(24 * time.Hour)
	renewed.Ends = renewed.IdleUntil
	last := func(n int) []eventlog.Payload { // a session that was renewed n times
		events := begun()
		for range n {
			events = append(events, next...)
		}
		return events
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "once", Given: begun(), When: renew(func(*Renew) {}), Then: next, State: &renewed},
		{
			Name: "with fewer scopes", Given: begun(), When: renew(func(r *Renew) { r.Scopes = []string{"openid"} }),
			Then: []eventlog.Payload{AccessTokenAdded{logtest.ID + "-at_2", 2, []string{"openid"}, time.Hour}, next[1]}, State: &renewed,
		},
		{
			Name: "with no scopes", Given: begun(), When: renew(func(r *Renew) { r.Scopes = []string{} }),
			Then: []eventlog.Payload{AccessTokenAdded{logtest.ID + "-at_2", 2, []string{}, time.Hour}, next[1]},
		},
		{
			Name: "with more scopes", Given: begun(), When: renew(func(r *Renew) { r.Scopes = []string{"openid", "email"} }),
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "OIDCS-scope"},
		},
		{Name: "at the last moment", Given: begun(), When: renew(func(r *Renew) { r.Now = logtest.At(3).Add(24*time.Hour - 1) }), Then: next},
		{Name: "too late", Given: begun(), When: renew(func(r *Renew) { r.Now = logtest.At(3).Add(24 * time.Hour) }), Fault: refused},
		{Name: "another client", Given: begun(), When: renew(func(r *Renew) { r.Client = "d" }), Fault: refused},
		{Name: "no client", Given: begun(), When: renew(func(r *Renew) { r.Client = "" }), Fault: refused},
		{Name: "no session", When: renew(func(*Renew) {}), Fault: refused},
		{Name: "of the future", Given: begun(), When: renew(func(r *Renew) { r.Generation = 2 }), Fault: refused},
		{Name: "none", Given: begun(), When: renew(func(r *Renew) { r.Generation = 0 }), Fault: refused},
		{Name: "revoked", Given: append(begun(), RefreshTokenRevoked{}), When: renew(func(*Renew) {}), Fault: refused},
		{Name: "swept", Given: append(begun(), Expired{}), When: renew(func(*Renew) {}), Fault: refused},
		{Name: "begun by a revocation", Given: []eventlog.Payload{AccessTokenRevoked{Number: 1, User: "u", Expires: logtest.At(99)}}, When: renew(func(r *Renew) { r.Client = "" }), Fault: refused},
		{
			Name: "used before", Given: last(2), When: renew(func(r *Renew) { r.Generation = 2 }),
			Then: []eventlog.Payload{RefreshTokenRevoked{Reused: true}},
		},
		{Name: "used before, by another client", Given: last(1), When: renew(func(r *Renew) { r.Client = "d" }), Fault: refused},
	})
}

// TestRefreshTokensEnd: whatever renews them, refresh tokens of a session end together.
func TestRefreshTokensEnd(t *testing.T) {
	s := logtest.Fold(t, Noun, begun()...)
	for _, hours := range []time.Duration{20, 40, 60} {
		e := eventlog.Event{
			Instance: s.Instance, Aggregate: eventlog.Aggregate{ID: s.ID}, Sequence: s.Sequence + 1,
			At: logtest.At(3).Add(hours * time.Hour), Payload: RefreshTokenRenewed{IdleLifetime: 24 * time.Hour},
		}
		s = apply(s, e)
	}
	if end := logtest.At(3).Add(72 * time.Hour); !s.IdleUntil.Equal(end) || !s.Ends.Equal(end) || s.Generation != 4 {
		t.Errorf("ends at %s and %s with refresh token %d, want %s", s.IdleUntil, s.Ends, s.Generation, end)
	}
}

func TestRevokeAccess(t *testing.T) {
	access := Access{Session: logtest.ID, Number: 2, User: "u", Org: "o", Expires: logtest.At(60)}
	revoked := AccessTokenRevoked{logtest.ID + "-at_2", 2, "u", logtest.At(60)}
	revoke := func(now time.Time) func(State) ([]eventlog.Payload, error) {
		return func(s State) ([]eventlog.Payload, error) { return access.Decide(s, now), nil }
	}
	stored := started()
	stored.RevokedThrough = 2
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "nothing was stored", When: revoke(logtest.At(1)), Then: []eventlog.Payload{revoked},
			State: &State{Facts: Facts{User: "u"}, RevokedThrough: 2, Ends: logtest.At(60)},
		},
		{Name: "of a session", Given: begun(), When: revoke(logtest.At(1)), Then: []eventlog.Payload{revoked}, State: &stored},
		{Name: "twice", Given: []eventlog.Payload{revoked}, When: revoke(logtest.At(1))},
		{Name: "after a later one", Given: []eventlog.Payload{AccessTokenRevoked{Number: 3}}, When: revoke(logtest.At(1))},
		{Name: "after an earlier one", Given: []eventlog.Payload{AccessTokenRevoked{Number: 1}}, When: revoke(logtest.At(1)), Then: []eventlog.Payload{revoked}},
		{Name: "of a revoked session", Given: append(begun(), RefreshTokenRevoked{}), When: revoke(logtest.At(1))},
		{Name: "of a swept session", Given: append(begun(), Expired{}), When: revoke(logtest.At(1))},
		{Name: "an expired one", When: revoke(logtest.At(60))},
	})
}

func TestRevokeAndExpire(t *testing.T) {
	whole := func(s State) ([]eventlog.Payload, error) { return revoke(s), nil }
	at := func(now time.Time) func(State) ([]eventlog.Payload, error) {
		return func(s State) ([]eventlog.Payload, error) { return expire(s, now), nil }
	}
	ends := started().Ends
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "revoked", Given: begun(), When: whole, Then: []eventlog.Payload{RefreshTokenRevoked{}}},
		{Name: "revoked twice", Given: append(begun(), RefreshTokenRevoked{}), When: whole},
		{Name: "revoked when swept", Given: append(begun(), Expired{}), When: whole},
		{Name: "swept", Given: begun(), When: at(ends), Then: []eventlog.Payload{Expired{}}},
		{Name: "swept when revoked", Given: append(begun(), RefreshTokenRevoked{}), When: at(ends), Then: []eventlog.Payload{Expired{}}},
		{Name: "swept too early", Given: begun(), When: at(ends.Add(-1))},
		{Name: "swept twice", Given: append(begun(), Expired{}), When: at(ends)},
	})
}

func FuzzParseShown(f *testing.F) {
	f.Add([]byte("1:2:3"))
	f.Add([]byte("::"))
	f.Add([]byte("1:18446744073709551616:3"))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, ok := parseShown(content)
		if again, same := parseShown(r.content()); ok && (!same || again != r) {
			t.Errorf("%q is read as %+v, and that as %+v", content, r, again)
		}
	})
}
