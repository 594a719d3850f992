package oidc

import (
	"crypto"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/app"
	"castellan/internal/assertion/assertiontest"
	"castellan/internal/expiry"
	"castellan/internal/session"
	"castellan/internal/vault"
)

// ask introspects a token as an application with a secret.
func (w *world) ask(client, text string) answer {
	w.Helper()
	return w.post(pathIntrospection, client, "token", text)
}

// inactive reports whether an answer says that a token is of no use, and nothing else.
func (a answer) inactive() bool {
	return a.status == http.StatusOK && cmp.Equal(a.body, map[string]any{"active": false})
}

func TestIntrospection(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.sql(`INSERT INTO authorizations (instance_id, authorization_id, user_id, project_id, project_grant_id, org_id, role_keys, state, sequence, created_at, changed_at)
 VALUES ('A', '1', 'ada', '11', '', '1', '["reader"]', 'active', 1, 1, 1), ('A', '2', 'bot', '11', '', '1', '["writer"]', 'active', 1, 1, 1)`)
		f := facts("openid", "profile", "email")
		w.member("", "bot", "IAM_END_USER_IMPERSONATOR")
		w.member("", "bob", "IAM_END_USER_IMPERSONATOR")
		f.Actor = &session.Actor{User: "bot", Issuer: "http://a.example", Actor: &session.Actor{User: "bob"}}
		seconds := func(t time.Time) float64 { return float64(t.Unix()) }
		roles := func(key string) map[string]any { return map[string]any{key: map[string]any{"1": "one.example"}} }
		want := map[string]any{
			"active": true, "iss": "http://a.example", "aud": []any{"web", "11"}, "scope": "openid profile email", "client_id": "web",
			"token_type": "Bearer", "iat": seconds(start), "nbf": seconds(start), "exp": seconds(start.Add(time.Hour)),
			"auth_time": seconds(start.Add(-time.Minute)), "amr": []any{"pwd"},
			"act": map[string]any{"sub": "bot", "iss": "http://a.example", "act": map[string]any{"sub": "bob"}},
			"sub": "ada", "username": "ada@one.example", "preferred_username": "ada@one.example", "name": "Ada L",
			"given_name": "Ada", "family_name": "L", "updated_at": seconds(start), "email": "ada@mail.example", "email_verified": false,
			"urn:zitadel:iam:org:project:roles": roles("reader"), "urn:zitadel:iam:org:project:11:roles": roles("reader"),
		}
		for name, jwt := range map[string]bool{"sealed": false, "JWT": true} {
			text := w.issue(f, jwt)
			for _, client := range []string{"api", "web"} {
				got := w.ask(client, text).body
				if id, _ := got["jti"].(string); id == "" {
					w.Errorf("%s by %s has no jti", name, client)
				}
				delete(got, "jti")
				if diff := cmp.Diff(want, got); diff != "" {
					w.Errorf("%s by %s (-want +got):\n%s", name, client, diff)
				}
			}
			if a := w.ask("other", text); !a.inactive() {
				w.Errorf("%s by an application it is not meant for: %s", name, a.text)
			}
		}
		// A personal access token is meant for all.
		if diff := cmp.Diff(map[string]any{
			"active": true, "iss": "http://a.example", "aud": []any{"api", "11"}, "scope": "openid profile", "jti": "pat",
			"token_type": "Bearer", "iat": seconds(start), "nbf": seconds(start), "exp": seconds(expiry.Never),
			"auth_time": seconds(start), "sub": "bot", "username": "bot", "preferred_username": "bot", "name": "Bot",
			"updated_at": seconds(start), "urn:zitadel:iam:org:project:roles": roles("writer"),
			"urn:zitadel:iam:org:project:11:roles": roles("writer"),
		}, w.ask("api", w.pats["A"].Reveal()).body); diff != "" {
			w.Errorf("a personal access token (-want +got):\n%s", diff)
		}
		if a := w.ask("other", w.pats["A"].Reveal()); a.body["active"] != true || a.body["urn:zitadel:iam:org:project:roles"] != nil {
			w.Errorf("a personal access token by another application: %s", a.text)
		}
	})
}

// TestIntrospectionOfRefreshTokens: only who it was given to, and says what it is, is told about a refresh token.
func TestIntrospectionOfRefreshTokens(t *testing.T) {
	eachWorld(t, func(w *world) {
		f := facts("openid", "profile")
		f.Thumbprint = "print"
		access, refresh := w.started(f, false)
		hinted := func(client, text string) answer {
			return w.post(pathIntrospection, client, "token", text, "token_type_hint", "refresh_token")
		}
		want := map[string]any{
			"active": true, "iss": "http://a.example", "aud": []any{"web", "11"}, "scope": "openid profile", "client_id": "web", "sub": "ada",
			"token_type": "N_A", "auth_time": float64(start.Add(-time.Minute).Unix()), "amr": []any{"pwd"},
			"exp": float64(start.Add(24 * time.Hour).Unix()), "cnf": map[string]any{"jkt": "print"},
		}
		got := hinted("web", refresh).body
		if id, _ := got["jti"].(string); !strings.HasSuffix(id, "-rt_1") {
			w.Errorf("jti %q", id)
		}
		delete(got, "jti")
		if diff := cmp.Diff(want, got); diff != "" {
			w.Errorf("(-want +got):\n%s", diff)
		}
		if a := hinted("web", access); a.body["active"] != true || a.body["token_type"] != "DPoP" {
			w.Errorf("an access token with the wrong hint: %s", a.text)
		}
		for name, a := range map[string]answer{
			"without a hint": w.ask("web", refresh), "with another": w.post(pathIntrospection, "web", "token", refresh, "token_type_hint", "access_token"),
			"another of the audience": hinted("api", refresh), "changed": hinted("web", refresh+"A"),
			"at another instance": w.do("POST", "http://b.example"+pathIntrospection, "token_type_hint=refresh_token&token="+refresh,
				"Authorization", basic("web", "secret")),
		} {
			if !a.inactive() {
				w.Errorf("%s: %s", name, a.text)
			}
		}
		_, plain := w.started(facts("openid"), false)
		next := w.refreshAs("web", plain).body["refresh_token"].(string)
		if a := hinted("web", plain); !a.inactive() {
			w.Errorf("one that was used: %s", a.text)
		}
		if a := hinted("web", next); a.body["active"] != true {
			w.Errorf("to ask about one that was used is not to use it: %s", a.text)
		}
		w.revoked("web", next)
		if a := hinted("web", next); !a.inactive() {
			w.Errorf("one that was revoked: %s", a.text)
		}
		w.clock.Advance(24*time.Hour - time.Second)
		if a := hinted("web", refresh); a.body["active"] != true {
			w.Errorf("in its last second: %s", a.text)
		}
		w.clock.Advance(time.Second)
		if a := hinted("web", refresh); !a.inactive() {
			w.Errorf("one that has expired: %s", a.text)
		}
	})
}

func TestIntrospectionByProjectAndOfBoundTokens(t *testing.T) {
	eachWorld(t, func(w *world) {
		if a := w.ask("api", w.issue(ofBot("openid"), false)); a.body["active"] != true || a.body["client_id"] != "bot" {
			w.Errorf("a token whose audience is the project: %s", a.text)
		}
		bound := facts("openid")
		bound.Thumbprint = w.holder().Thumbprint
		a := w.ask("api", w.issue(bound, false))
		if a.body["token_type"] != "DPoP" || !cmp.Equal(a.body["cnf"], any(map[string]any{"jkt": bound.Thumbprint})) {
			w.Errorf("a token that is bound: %s", a.text)
		}
	})
}

func TestIntrospectionOfWhatIsNoToken(t *testing.T) {
	eachWorld(t, func(w *world) {
		sealed, jwt := w.issue(facts("openid"), false), w.issue(facts("openid"), true)
		for name, text := range map[string]string{
			"text": "x", "of another instance": w.issueAt("B", facts("openid"), false),
			"a JWT of another": w.issueAt("B", facts("openid"), true), "a PAT of another": w.pats["B"].Reveal(),
			"shorter": sealed[:len(sealed)-1], "longer": sealed + "A", "a JWT, longer": jwt + "A", "long": sealed + sealed + sealed,
			"a space": " " + sealed, "quoted": `"` + sealed + `"`,
		} {
			if a := w.ask("api", text); !a.inactive() {
				w.Errorf("%s: %d %s", name, a.status, a.text)
			}
		}
		w.clock.Advance(time.Hour)
		for name, text := range map[string]string{"sealed": sealed, "JWT": jwt} {
			if a := w.ask("api", text); !a.inactive() {
				w.Errorf("expired, %s: %s", name, a.text)
			}
		}
	})
}

// keyedApp adds an API that authenticates with a key, in instance A.
func (w *world) keyedApp() {
	w.Helper()
	begun(w, "A", app.Noun, "keyed", "1", app.Added{App: "keyed", Project: "11", Name: "keyed"},
		app.APIConfigAdded{App: "keyed", ClientID: "keyed", AuthMethod: app.PrivateKeyJWT})
	begun(w, "A", app.KeyNoun, "k-app", "1", app.KeyAdded{
		App: "keyed", ClientID: "keyed", Key: "k-app", Type: 1, Expiration: expiry.Never,
		PublicKey: []byte(assertiontest.PublicPEM(w, assertiontest.Keys().RSA)),
	})
}

// appAssertion makes one of keyedApp, with a jti.
func appAssertion(id string, change func(assertiontest.ClaimSet)) string {
	said := assertiontest.Claims("keyed", "http://a.example", start).With("jti", strconv.Quote(id))
	if change != nil {
		change(said)
	}
	return assertiontest.Forge(`{"alg":"RS256","kid":"k-app"}`, said.String(), assertiontest.RS(crypto.SHA256, assertiontest.Keys().RSA))
}

// asserted is an assertion as parameters.
func asserted(text string) string {
	return url.Values{"client_assertion": {text}, "client_assertion_type": {assertionType}}.Encode()
}

// TestWhoMayIntrospect authenticates in every way, and in none.
func TestWhoMayIntrospect(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.keyedApp()
		w.sql(`UPDATE users SET secret_hash = $1 WHERE user_id = 'bot'`, vault.HashSecret("secret"))
		text := w.issue(facts("openid"), false)
		body := "token=" + text
		for name, c := range map[string]struct {
			a      answer
			status int
			code   string
		}{
			"Basic":               {w.do("POST", pathIntrospection, body, "Authorization", basic("api", "secret")), 200, ""},
			"form":                {w.do("POST", pathIntrospection, body+"&client_id=web&client_secret=secret"), 200, ""},
			"a key":               {w.do("POST", pathIntrospection, body+"&"+asserted(appAssertion("1", nil))), 200, ""},
			"a key, and its id":   {w.do("POST", pathIntrospection, body+"&client_id=keyed&"+asserted(appAssertion("2", nil))), 200, ""},
			"a replay":            {w.do("POST", pathIntrospection, body+"&"+asserted(appAssertion("1", nil))), 400, codeUnauthorized},
			"another's key":       {w.do("POST", pathIntrospection, body+"&"+asserted(appAssertion("3", func(s assertiontest.ClaimSet) { s["iss"], s["sub"] = `"web"`, `"web"` }))), 400, codeUnauthorized},
			"another issuer":      {w.do("POST", pathIntrospection, body+"&"+asserted(appAssertion("4", func(s assertiontest.ClaimSet) { s["aud"] = `"http://b.example"` }))), 400, codeUnauthorized},
			"nothing":             {w.do("POST", pathIntrospection, body), 400, codeInvalidClient},
			"a name alone":        {w.do("POST", pathIntrospection, body+"&client_id=web"), 400, codeInvalidClient},
			"a public client":     {w.do("POST", pathIntrospection, body+"&client_id=spa"), 400, codeInvalidClient},
			"a wrong secret":      {w.do("POST", pathIntrospection, body, "Authorization", basic("api", "secreT")), 400, codeUnauthorized},
			"an empty secret":     {w.do("POST", pathIntrospection, body, "Authorization", basic("api", "")), 400, codeUnauthorized},
			"nobody":              {w.do("POST", pathIntrospection, body, "Authorization", basic("nobody", "secret")), 400, codeUnauthorized},
			"a machine":           {w.do("POST", pathIntrospection, body, "Authorization", basic("bot", "secret")), 400, codeUnauthorized},
			"wrong in a form":     {w.do("POST", pathIntrospection, body+"&client_id=web&client_secret=x"), 400, codeUnauthorized},
			"in two ways":         {w.do("POST", pathIntrospection, body+"&client_secret=secret", "Authorization", basic("api", "secret")), 400, codeInvalidRequest},
			"a bearer":            {w.do("POST", pathIntrospection, body, "Authorization", "Bearer "+text), 400, codeUnauthorized},
			"no token":            {w.do("POST", pathIntrospection, "a=b", "Authorization", basic("api", "secret")), 400, codeInvalidRequest},
			"two tokens":          {w.do("POST", pathIntrospection, body+"&"+body, "Authorization", basic("api", "secret")), 400, codeInvalidRequest},
			"JSON":                {w.do("POST", pathIntrospection, "", "Content-Type", "application/json", "Authorization", basic("api", "secret")), 400, codeInvalidRequest},
			"GET":                 {w.do("GET", pathIntrospection+"?"+body, "", "Authorization", basic("api", "secret")), 405, ""},
			"at another instance": {w.do("POST", "http://b.example"+pathIntrospection, body, "Authorization", basic("api", "secret")), 200, ""},
		} {
			if c.a.status != c.status || c.code != "" && c.a.body["error"] != c.code || c.a.challenge != "" {
				w.Errorf("%s: %d %s %q", name, c.a.status, c.a.text, c.a.challenge)
			}
		}
	})
}
