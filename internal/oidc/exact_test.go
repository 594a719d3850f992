package oidc

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/assertion/assertiontest"
	"castellan/internal/claims"
	"castellan/internal/dpop"
	"castellan/internal/eventlog"
	"castellan/internal/session"
	"castellan/internal/spent"
	"castellan/internal/vault"
)

// eachChange calls fn with a text of which one character is another, and with some that are shorter or longer.
func eachChange(text string, fn func(what, changed string)) {
	for i := range len(text) {
		for _, b := range []byte{text[i] ^ 1, 'A', '_'} {
			if b != text[i] {
				fn(fmt.Sprintf("byte %d as %q", i, b), text[:i]+string([]byte{b})+text[i+1:])
			}
		}
	}
	for what, changed := range map[string]string{
		"without its first": text[1:], "without its last": text[:len(text)-1], "longer": text + "A", "padded": text + "=", "twice": text + text,
		"after a space": " " + text, "before a space": text + " ", "in capitals": strings.ToUpper(text), "quoted": `"` + text + `"`,
	} {
		fn(what, changed)
	}
}

// events are how many events instance A has.
func (w *world) events() int {
	w.Helper()
	page, err := w.log.Of(w.Context(), w.db, "A", eventlog.Position{}, 1000)
	w.must(err)
	return len(page)
}

// TestEveryByteOfARefreshTokenCounts: what is almost one is nothing, and neither uses up nor revokes it.
func TestEveryByteOfARefreshTokenCounts(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		_, refresh := w.started(facts("openid"), false)
		before, spentBefore := w.events(), w.spentRows()
		eachChange(refresh, func(what, changed string) {
			w.refuses(what, w.refreshAs("web", changed), http.StatusBadRequest, codeInvalidGrant)
			if a := w.revoked("web", changed); a.status != http.StatusOK || a.text != "" {
				w.Errorf("%s: revocation answers %d %s", what, a.status, a.text)
			}
			if a := w.post(pathIntrospection, "web", "token", changed, "token_type_hint", "refresh_token"); !a.inactive() {
				w.Errorf("%s: introspection answers %d %s", what, a.status, a.text)
			}
		})
		if after, spentAfter := w.events(), w.spentRows(); after != before || spentAfter != spentBefore {
			w.Errorf("%d events are left, and %d ids", after-before, spentAfter-spentBefore)
		}
		w.given(w.refreshAs("web", refresh))
	})
}

// TestEveryByteOfACredentialCounts: ids, secrets, headers and assertions of clients.
func TestEveryByteOfACredentialCounts(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		w.withAppKeys()
		ask := func(form url.Values, header ...string) answer {
			form.Set("token", "x")
			return w.do(http.MethodPost, pathIntrospection, form.Encode(), header...)
		}
		assertionOf := func(text string) url.Values {
			return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {text}}
		}
		key := byKey("jwt", "a-ed", "EdDSA", assertiontest.EdDSA(assertiontest.Keys().Ed25519), nil).form.Get("client_assertion")
		encoded := base64.StdEncoding.EncodeToString([]byte("api:secret"))
		for name, c := range map[string]struct {
			good string
			ask  func(text string) answer
		}{
			"the header":   {encoded, func(text string) answer { return ask(url.Values{}, "Authorization", "Basic "+text) }},
			"an id":        {"api", func(text string) answer { return ask(url.Values{}, "Authorization", basic(text, "secret")) }},
			"a secret":     {"secret", func(text string) answer { return ask(url.Values{}, "Authorization", basic("api", text)) }},
			"a posted id":  {"api", func(text string) answer { return ask(byPost(text, "secret").form) }},
			"a posted one": {"secret", func(text string) answer { return ask(byPost("api", text).form) }},
			"an assertion": {key, func(text string) answer { return ask(assertionOf(text)) }},
			"its type":     {assertionType, func(text string) answer { f := assertionOf(key); f.Set("client_assertion_type", text); return ask(f) }},
		} {
			if a := c.ask(c.good); !a.inactive() {
				w.Fatalf("%s: %d %s", name, a.status, a.text)
			}
			eachChange(c.good, func(what, changed string) {
				if name == "the header" && strings.TrimSpace(changed) == c.good {
					return // spaces around it do not count (RFC 9110 section 5.5)
				}
				if a := c.ask(changed); a.status < 400 || a.status > 401 || a.body["error"] == nil || a.body["active"] != nil {
					w.Errorf("%s, %s: %d %s", name, what, a.status, a.text)
				}
			})
			if a := c.ask(c.good); !a.inactive() {
				w.Errorf("%s, afterwards: %d %s", name, a.status, a.text)
			}
		}
	})
}

// TestNoParameterTwice repeats each parameter of good requests. None of them is done, and each is, afterwards.
func TestNoParameterTwice(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		w.withAppKeys()
		w.member("1", "bot", "ORG_END_USER_IMPERSONATOR")
		access, refresh := w.started(facts("openid"), false)
		withID := func(key string) string {
			return botAssertion(key, func(_, said assertiontest.ClaimSet) { said["jti"] = `"once"` })
		}
		ofClient := byKey("jwt", "a-ed", "EdDSA", assertiontest.EdDSA(assertiontest.Keys().Ed25519), func(said assertiontest.ClaimSet) { said["jti"] = `"once"` })
		web := byPost("web", "secret")
		for _, c := range []struct {
			path string
			form url.Values
		}{
			{pathToken, url.Values{"grant_type": {grantJWTBearer}, "assertion": {withID("k-ed")}, "scope": {"openid"}}},
			{pathToken, byPost("bot", "secret").with("grant_type", grantClientCredentials, "scope", "openid").form},
			{pathToken, url.Values{
				"grant_type": {grantClientCredentials}, "client_id": {"bot"}, "client_assertion": {withID("k-256")}, "client_assertion_type": {assertionType},
			}},
			{pathToken, web.with("grant_type", grantTokenExchange, "subject_token", "ada", "subject_token_type", typeUserID, "scope", "openid",
				"actor_token", w.pats["A"].Reveal(), "actor_token_type", typeAccessToken, "requested_token_type", typeJWT).form},
			{pathUserinfo, url.Values{"access_token": {access}}},
			{pathIntrospection, ofClient.with("token", access, "token_type_hint", "access_token").form},
			{pathToken, web.with("grant_type", grantRefreshToken, "refresh_token", refresh, "scope", "openid").form},
			{pathRevocation, web.with("token", refresh, "token_type_hint", "refresh_token").form},
		} {
			before, spentBefore := w.events(), w.spentRows()
			for name := range c.form {
				for _, more := range []string{name + "=" + url.QueryEscape(c.form.Get(name)), name + "=", name + "=other", strings.Replace(url.QueryEscape("_"+name), "_", "", 1) + "=x"} {
					for _, body := range []string{c.form.Encode() + "&" + more, more + "&" + c.form.Encode()} {
						w.refuses(c.path+" with "+more, w.do(http.MethodPost, c.path, body), http.StatusBadRequest, codeInvalidRequest)
					}
				}
			}
			if after, spentAfter := w.events(), w.spentRows(); after != before || spentAfter != spentBefore {
				w.Errorf("%s %s left %d events and %d ids", c.path, c.form.Get("grant_type"), after-before, spentAfter-spentBefore)
			}
			if a := w.do(http.MethodPost, c.path, c.form.Encode()); a.status != http.StatusOK {
				w.Errorf("%s %s, once: %d %s", c.path, c.form.Get("grant_type"), a.status, a.text)
			}
		}
	})
}

// TestNothingIsForgottenTooSoon uses what counts once, and again at the last moment at which another like it is
// taken; a moment later that is not.
func TestNothingIsForgottenTooSoon(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		book := &spent.Book{DB: w.db, Clock: w.clock}
		number := 0
		signed := func(iat, exp time.Time) string {
			number++
			return botAssertion("k-ed", func(_, said assertiontest.ClaimSet) {
				said["iat"], said["exp"], said["jti"] = fmt.Sprint(iat.Unix()), fmt.Sprint(exp.Unix()), fmt.Sprintf(`"%d"`, number)
			})
		}
		holder := w.holder()
		profile := func(text string) answer { return w.profile(text, "openid") }
		bound := func(proof string) answer {
			form := byPost("bot", "secret").with("grant_type", grantClientCredentials, "scope", "openid").form
			return w.do(http.MethodPost, pathToken, form.Encode(), "DPoP", proof)
		}
		for name, c := range map[string]struct {
			make func(now time.Time) string
			ask  func(text string) answer
			last time.Duration // from the first use to the last moment
			code string
		}{
			"an assertion, by its iat": {func(now time.Time) string { return signed(now, now.Add(48*time.Hour)) }, profile, assertion.MaxAge, codeInvalidGrant},
			"an assertion made ahead": {
				func(now time.Time) string { return signed(now.Add(assertion.Skew), now.Add(48*time.Hour)) }, profile, assertion.MaxAge + assertion.Skew, codeInvalidGrant,
			},
			"an assertion, by its exp": {
				func(now time.Time) string { return signed(now, now.Add(10*time.Second)) }, profile, 10*time.Second - assertion.Skew - 1, codeInvalidGrant,
			},
			"a proof": {func(now time.Time) string { return holder.Proof("POST", issuerA+pathToken, "", now) }, bound, dpop.MaxAge, codeInvalidProof},
			"a proof made ahead": {
				func(now time.Time) string {
					return holder.Proof("POST", issuerA+pathToken, "", now.Add(15*time.Second))
				}, bound, dpop.MaxAge + 15*time.Second, codeInvalidProof,
			},
		} {
			w.clock.Advance(time.Hour - w.clock.Now().Sub(w.clock.Now().Truncate(time.Hour))) // a whole second
			used, another, late := c.make(w.clock.Now()), c.make(w.clock.Now()), c.make(w.clock.Now())
			w.token(c.ask(used))
			w.clock.Advance(c.last)
			w.must(book.Sweep(w.Context()))
			if a := c.ask(used); !a.is(http.StatusBadRequest, c.code) || !strings.Contains(a.text, "before") {
				w.Errorf("%s, again: %d %s", name, a.status, a.text)
			}
			w.token(c.ask(another))
			w.clock.Advance(1)
			w.refuses(name+", too late", c.ask(late), http.StatusBadRequest, c.code)
		}
	})
}

// TestAGuessCostsTheSame: be there such a client or not, what is read for a guess and what is answered is the same,
// and nothing is written; and what it would be proved with is looked at before it counts that there is nobody.
func TestAGuessCostsTheSame(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		w.withAppKeys()
		rs := assertiontest.RS
		forged := func(subject, kid string) authentication {
			return byKey(subject, kid, "RS256", rs(crypto.SHA256, assertiontest.Keys().RSA2), nil)
		}
		asApplication := func(by authentication) answer {
			var header []string
			for _, value := range by.header {
				header = append(header, "Authorization", value)
			}
			return w.do(http.MethodPost, pathIntrospection, by.with("token", "x").form.Encode(), header...)
		}
		asMachine := func(by authentication) answer {
			return w.do(http.MethodPost, pathToken, by.with("grant_type", grantClientCredentials).form.Encode())
		}
		asProfile := func(by authentication) answer { return w.profile(by.form.Get("client_assertion"), "openid") }
		// Whoever is somebody is known by now, and kept in memory where that is done.
		for range 2 {
			asApplication(byPost("api", "secret"))
			asApplication(byKey("jwt", "a-rsa", "RS256", rs(crypto.SHA256, assertiontest.Keys().RSA), nil))
			w.token(w.profile(botAssertion("k-rsa", nil), "openid"))
			w.token(asMachine(byPost("bot", "secret")))
		}
		for name, c := range map[string]struct {
			ask     func(authentication) answer
			guesses map[string]authentication
		}{
			"secrets of applications": {asApplication, map[string]authentication{
				"of one": byPost("api", "x"), "of nobody": byPost("nobody", "x"), "of one without": byPost("spa", "x"),
				"of one with a key": byPost("jwt", "x"), "of a machine": byPost("bot", "x"),
			}},
			"keys of applications": {asApplication, map[string]authentication{
				"of one": forged("jwt", "a-rsa"), "its other": forged("jwt", "a-x"), "expired": forged("jwt", "a-gone"), "of nobody": forged("nobody", "a-rsa"),
				"of one without": forged("web", "a-rsa"),
			}},
			"secrets of machines": {asMachine, map[string]authentication{
				"of one": byPost("bot", "x"), "of nobody": byPost("nobody", "x"), "of a human": byPost("ada@one.example", "x"), "of an application": byPost("api", "x"),
			}},
			"keys of machines": {asProfile, map[string]authentication{
				"of one": forged("bot", "k-rsa"), "its other": forged("bot", "k-x"), "expired": forged("bot", "k-old"), "of nobody": forged("nobody", "k-rsa"),
				"of a human": forged("ada", "k-rsa"), "another's": forged("jay", "k-rsa"),
			}},
		} {
			var first string
			for guess, by := range c.guesses {
				var a answer
				reads, writes := w.cost(func() { a = c.ask(by) })
				got := fmt.Sprintf("%d statements, %d writes: %d %s", reads, writes, a.status, a.text)
				if a.status < 400 || writes != 0 {
					w.Errorf("%s, %s: %s", name, guess, got)
				}
				if first == "" {
					first = got
				}
				if got != first {
					w.Errorf("%s, %s: %s; another is answered with %s", name, guess, got, first)
				}
			}
		}
		text := forged("x", "x").form.Get("client_assertion")
		for want, c := range map[string]credentials{
			"the signature is not by the key":           {method: authPrivateKeyJWT, text: text},
			"the secret is not right, or there is none": {method: authPost, secret: "x"},
		} {
			for name, h := range map[string]*candidate{"nobody": {}, "who may not act": {found: true, idle: "it is idle"}} {
				if err := w.provider.prove(h, c); err == nil || !strings.Contains(err.Error(), want) {
					w.Errorf("%s: %v, want %s", name, err, want)
				}
			}
		}
	})
}

// TestWhatIsTooLargeCostsNothing goes one beyond each limit: what is there is not even looked up.
func TestWhatIsTooLargeCostsNothing(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		post := func(path string, pairs ...string) func() answer {
			return func() answer { return w.post(path, "", pairs...) }
		}
		machine := []string{"grant_type", grantClientCredentials, "client_id", "bot"}
		with := func(pairs ...string) []string { return append(append([]string{}, machine...), pairs...) }
		many := make([]string, claims.MaxScopes+1)
		for i := range many {
			many[i] = fmt.Sprint("s", i)
		}
		nothing := post(pathToken, "x", "y")
		nothing()
		free, _ := w.cost(func() { nothing() }) // what it costs to find the instance
		long := func(n int) string { return strings.Repeat("x", n) }
		for name, c := range map[string]struct {
			ask  func() answer
			code string
		}{
			"a scope":              {post(pathToken, with("client_secret", "secret", "scope", long(257))...), codeInvalidScope},
			"scopes":               {post(pathToken, with("client_secret", "secret", "scope", strings.Join(many, " "))...), codeInvalidScope},
			"a scope parameter":    {post(pathToken, with("client_secret", "secret", "scope", strings.Repeat("openid ", claims.MaxScopeBytes/7+1))...), codeInvalidScope},
			"a secret":             {post(pathToken, with("client_secret", long(maxSecret+1))...), codeInvalidRequest},
			"a client":             {post(pathToken, "grant_type", grantClientCredentials, "client_id", long(maxClientID+1), "client_secret", "x"), codeInvalidRequest},
			"a client assertion":   {post(pathToken, with("client_assertion_type", assertionType, "client_assertion", long(assertion.MaxSize+1))...), codeInvalidClient},
			"an assertion":         {post(pathToken, "grant_type", grantJWTBearer, "scope", "openid", "assertion", botAssertion("k-ed", nil)+long(assertion.MaxSize)), codeInvalidGrant},
			"parameters":           {func() answer { return w.do(http.MethodPost, pathToken, strings.Repeat("a=&", maxParameters)) }, codeInvalidRequest},
			"a form":               {post(pathToken, with("client_secret", "secret", "x", long(formLimit))...), codeInvalidRequest},
			"a form of revocation": {post(pathRevocation, "token", long(formLimit)), codeInvalidRequest},
			"a form, introspected": {post(pathIntrospection, "token", long(formLimit)), codeInvalidRequest},
		} {
			var a answer
			reads, writes := w.cost(func() { a = c.ask() })
			if a.status < 400 || a.body["error"] != c.code || reads > free || writes != 0 {
				w.Errorf("%s: %d statements, at most %d, and %d writes: %d %s", name, reads, free, writes, a.status, a.text)
			}
		}
		// With these somebody is known to ask; they are not looked up, and nothing is remembered.
		good := url.Values{"grant_type": {grantClientCredentials}, "client_id": {"bot"}, "client_secret": {"secret"}, "scope": {"openid"}}.Encode()
		w.token(w.do(http.MethodPost, pathToken, good))
		for name, ask := range map[string]func() answer{
			"a proof":         func() answer { return w.do(http.MethodPost, pathToken, good, "DPoP", long(dpop.MaxProof+1)) },
			"a token":         func() answer { return w.ask("api", string(vault.AccessBearer)+long(vault.MaxBearer)) },
			"a JWT":           func() answer { return w.ask("api", "a."+long(20<<10)+".c") },
			"a refresh token": func() answer { return w.refreshAs("web", string(vault.RefreshBearer)+long(vault.MaxBearer)) },
			"a bearer's":      func() answer { return w.do(http.MethodGet, pathUserinfo, "", "Authorization", "Bearer "+long(40<<10)) },
			"a subject": func() answer {
				return w.exchangeAs("web", "subject_token", "a."+long(20<<10)+".c", "subject_token_type", typeJWT)
			},
			"resources": func() answer {
				return w.do(http.MethodPost, pathToken, good+strings.Repeat("&resource=http%3A%2F%2Fa.example", maxTargets+1))
			},
			"an endless chain": func() answer {
				return w.exchangeAs("web", "subject_token", w.chained(session.MaxGrounds), "subject_token_type", typeAccessToken)
			},
		} {
			var a answer
			before := w.events()
			_, writes := w.cost(func() { a = ask() })
			if refused := a.status >= 400 || a.inactive(); !refused || writes != 0 || w.events() != before {
				w.Errorf("%s: %d writes: %d %s", name, writes, a.status, a.text)
			}
		}
	})
}

// chained is a token that stands on as many grounds as it may.
func (w *world) chained(grounds int) string {
	w.Helper()
	f := facts("openid")
	for i := 1; i < grounds; i++ {
		g := f.Grounds[0]
		g.Client = "spa"
		g.Kind, g.ID, g.Number = session.App, "", uint64(i)
		g.Session = "1"
		f.Grounds = append(f.Grounds, g)
	}
	return w.issue(f, false)
}

// TestForeignTokens: tokens of one instance are of no use at another that has the same users, clients,
// keys and ids, whatever is done with them.
func TestForeignTokens(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		own, _ := w.started(facts("openid"), true) // and the instance has its keys
		before := w.events()
		for name, text := range map[string]string{
			"sealed": w.issueAt("B", facts("openid"), false), "a JWT": w.issueAt("B", facts("openid"), true), "a personal one": w.pats["B"].Reveal(),
		} {
			w.refuses(name, w.exchangeAs("web", "subject_token", text, "subject_token_type", typeAccessToken), http.StatusBadRequest, codeInvalidRequest)
			w.refuses(name+" as an actor", w.exchangeAs("web", "subject_token", own, "subject_token_type", typeAccessToken,
				"actor_token", text, "actor_token_type", typeAccessToken), http.StatusBadRequest, codeInvalidRequest)
			if a := w.ask("web", text); !a.inactive() {
				w.Errorf("%s: %s", name, a.text)
			}
			if a := w.do(http.MethodGet, pathUserinfo, "", "Authorization", "Bearer "+text); a.status != http.StatusUnauthorized {
				w.Errorf("%s: %s", name, a.text)
			}
		}
		if after := w.events(); after != before {
			w.Errorf("%d events are left", after-before)
		}
		// A key of the instance does not make its tokens those of another, even of the same session.
		if _, err := w.provider.Tokens.Verify(w.Context(), "A", "http://b.example", w.issueAt("B", facts("openid"), true)); err == nil {
			w.Error("a JWT of B counts in A under the issuer of B")
		}
		_, err := w.provider.Tokens.Verify(w.Context(), "A", issuerA, own)
		w.must(err)
	})
}
