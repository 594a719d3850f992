package oidc

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"castellan/internal/defaults"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/token"
	"castellan/internal/vault"
)

// started begins a session with a refresh token, and makes its access token.
func (w *world) started(f session.Facts, jwt bool) (access, refresh string) {
	w.Helper()
	granted, err := w.sessions.Start(w.Context(), "A", f, defaults.OIDC{
		AccessTokenLifetime: time.Hour, RefreshTokenIdleExpiration: 24 * time.Hour, RefreshTokenExpiration: 48 * time.Hour,
	})
	w.must(err)
	issued, err := w.provider.Tokens.Issue(w.Context(), "A", "http://a.example", token.Wish{
		Facts: granted.Facts, Session: granted.Session, Number: granted.Number, At: granted.At, Lifetime: time.Hour, JWT: jwt,
	})
	w.must(err)
	return issued.Text, granted.Refresh
}

func (w *world) revoked(client, text string) answer {
	w.Helper()
	return w.post(pathRevocation, client, "token", text)
}

// ofUse reports whether an access token is of use, and fails when not all ways agree.
func (w *world) ofUse(text string) bool {
	w.Helper()
	_, err := w.provider.Tokens.Verify(w.Context(), "A", "http://a.example", text)
	if err != nil && !errors.Is(err, token.ErrToken) {
		w.Fatal(err)
	}
	told := w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+text).status == http.StatusOK
	active := w.ask("api", text).body["active"] == true
	if told != (err == nil) || active != told {
		w.Errorf("verified: %v, userinfo: %v, introspection: %v", err, told, active)
	}
	return told
}

func TestRevocation(t *testing.T) {
	eachWorld(t, func(w *world) {
		for name, jwt := range map[string]bool{"sealed": false, "JWT": true} {
			text, another := w.issue(facts("openid"), jwt), w.issue(facts("openid"), jwt)
			for _, again := range []string{"", " again"} {
				a := w.revoked("web", text)
				if a.status != 200 || a.text != "" || a.header.Get("Cache-Control") != "no-store" {
					w.Errorf("%s%s: %d %q", name, again, a.status, a.text)
				}
			}
			if w.ofUse(text) {
				w.Errorf("%s: it is of use", name)
			}
			if !w.ofUse(another) {
				w.Errorf("%s: another is not", name)
			}
		}
		for name, text := range map[string]string{
			"text": "x", "of another instance": w.issueAt("B", facts("openid"), false), "a JWT of another": w.issueAt("B", facts("openid"), true),
		} {
			if a := w.revoked("web", text); a.status != 200 || a.text != "" {
				w.Errorf("%s: %d %q", name, a.status, a.text)
			}
		}
		if a := w.do("POST", "http://b.example"+pathRevocation, "token="+w.issueAt("B", facts(), false), "Authorization", basic("web", "secret")); a.status != 200 {
			w.Errorf("at B: %d %s", a.status, a.text)
		}
	})
}

func TestRevocationOfASession(t *testing.T) {
	eachWorld(t, func(w *world) {
		access, refresh := w.started(facts("openid"), false)
		if a := w.revoked("web", refresh); a.status != 200 {
			w.Errorf("%d %s", a.status, a.text)
		}
		if w.ofUse(access) {
			w.Error("the access token of a session that was revoked is of use")
		}
		access, refresh = w.started(facts("openid"), true)
		if a := w.post(pathRevocation, "web", "token", access, "token_type_hint", "refresh_token"); a.status != 200 {
			w.Errorf("with a wrong hint: %d %s", a.status, a.text)
		}
		if w.ofUse(access) {
			w.Error("an access token that was revoked is of use")
		}
		if _, err := w.sessions.Renew(w.Context(), "A", session.Renewal{
			Refresh: refresh, Client: "web", Lifetimes: defaults.OIDC{AccessTokenLifetime: 1, RefreshTokenIdleExpiration: 1},
			Check: noCheck,
		}); err != nil {
			w.Errorf("the refresh token beside it: %v", err)
		}
	})
}

// TestWhoMayRevoke lets others try.
func TestWhoMayRevoke(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.sql(`UPDATE users SET secret_hash = $1 WHERE user_id = 'bot'`, vault.HashSecret("secret"))
		access, refresh := w.started(facts("openid"), false)
		ofSPA := facts("openid")
		ofSPA.Client, ofSPA.Grounds = "spa", []session.Ground{{Kind: session.App, User: "ada", Client: "spa"}}
		public, machine := w.issue(ofSPA, false), w.issue(ofBot("openid"), false)
		refused := func(name string, a answer, status int, code string) {
			w.Helper()
			if !a.is(status, code) {
				w.Errorf("%s: %d %s", name, a.status, a.text)
			}
		}
		refused("another client, an access token", w.revoked("api", access), 400, codeInvalidClient)
		refused("another client, a refresh token", w.revoked("api", refresh), 400, codeInvalidClient)
		refused("a machine, the token of a client", w.revoked("bot", access), 400, codeInvalidClient)
		refused("a client, that of a machine", w.revoked("web", machine), 400, codeInvalidClient)
		refused("a wrong secret", w.do("POST", pathRevocation, "token="+access, "Authorization", basic("web", "x")), 401, codeInvalidClient)
		refused("nobody", w.do("POST", pathRevocation, "token="+access), 400, codeInvalidClient)
		refused("a name, of a client with a secret", w.do("POST", pathRevocation, "token="+access+"&client_id=web"), 400, codeInvalidClient)
		refused("another public client", w.do("POST", pathRevocation, "token="+access+"&client_id=spa"), 400, codeInvalidClient)
		refused("no token", w.post(pathRevocation, "web"), 400, codeInvalidRequest)
		refused("a personal access token", w.revoked("bot", w.pats["A"].Reveal()), 400, "unsupported_token_type")
		for name, text := range map[string]string{"client": access, "machine": machine} {
			if !w.ofUse(text) {
				w.Errorf("the token of a %s is not of use", name)
			}
		}
		for name, a := range map[string]answer{
			"public":  w.do("POST", pathRevocation, "token="+public+"&client_id=spa"),
			"machine": w.revoked("bot", machine),
		} {
			if a.status != 200 {
				w.Errorf("its own, %s: %d %s", name, a.status, a.text)
			}
		}
		if w.ofUse(public) || w.ofUse(machine) {
			w.Error("they are of use")
		}
	})
}

// TestRevokedWhileOfNoUse revokes a token of a user who is not active: it stays so when the user is again.
func TestRevokedWhileOfNoUse(t *testing.T) {
	eachWorld(t, func(w *world) {
		text := w.issue(facts("openid"), false)
		w.sql(`UPDATE users SET state = 'inactive' WHERE user_id = 'ada'`)
		if a := w.revoked("web", text); a.status != 200 {
			w.Errorf("%d %s", a.status, a.text)
		}
		w.sql(`UPDATE users SET state = 'active' WHERE user_id = 'ada'`)
		if w.ofUse(text) {
			w.Error("it is of use")
		}
	})
}

// noCheck refuses nothing.
func noCheck(context.Context, store.Querier, session.State) error { return nil }
