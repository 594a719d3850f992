package oidc

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/access"
	"castellan/internal/app"
	"castellan/internal/assertion/assertiontest"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/vault"
)

// withAppKeys gives the application jwt, which authenticates by keys, some, and api one that it must not
// use. k-gone has expired.
func (w *world) withAppKeys() {
	w.Helper()
	k := assertiontest.Keys()
	for _, at := range []ident.InstanceID{"A", "B"} {
		begun(w, at, app.Noun, "jwt", "1", app.Added{App: "jwt", Project: "11", Name: "jwt"},
			app.APIConfigAdded{App: "jwt", ClientID: "jwt", AuthMethod: app.PrivateKeyJWT})
		for _, key := range []struct {
			id, of string
			key    crypto.Signer
			until  time.Time
		}{{"a-rsa", "jwt", k.RSA, expiry.Never}, {"a-ed", "jwt", k.Ed25519, expiry.Never}, {"a-gone", "jwt", k.RSA, start}, {"a-api", "api", k.RSA, expiry.Never}} {
			begun(w, at, app.KeyNoun, key.id, "1", app.KeyAdded{
				Key: ident.KeyID(key.id), App: ident.AppID(key.of), PublicKey: []byte(assertiontest.PublicPEM(w, key.key)), Expiration: key.until,
			})
		}
	}
}

// authentication is what a request says about its client.
type authentication struct {
	header []string // values of Authorization
	form   url.Values
}

// with returns a copy with parameters in the form.
func (a authentication) with(pairs ...string) authentication {
	form := url.Values{}
	for name, all := range a.form {
		form[name] = all
	}
	for i := 0; i < len(pairs); i += 2 {
		form[pairs[i]] = []string{pairs[i+1]}
	}
	return authentication{a.header, form}
}

func byBasic(id, secret string) authentication {
	return authentication{header: []string{basic(id, secret)}}
}

func byPost(id, secret string) authentication {
	return authentication{form: url.Values{"client_id": {id}, "client_secret": {secret}}}
}

// byKey authenticates with an assertion.
func byKey(subject, kid, alg string, sign assertiontest.Signature, change func(said assertiontest.ClaimSet)) authentication {
	said := assertiontest.Claims(subject, issuerA, start)
	if change != nil {
		change(said)
	}
	text := assertiontest.Forge(fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid), said.String(), sign)
	return authentication{form: url.Values{"client_assertion_type": {assertionType}, "client_assertion": {text}}}
}

// application authenticates an application at an endpoint of instance A that takes public clients, or not.
func (w *world) application(a authentication, public bool) (client, error) {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), http.MethodPost, issuerA+pathIntrospection, nil)
	r.Header["Authorization"] = a.header
	f, err := parseForm(a.form.Encode())
	w.must(err)
	return w.provider.application(&Request{Request: r, Instance: access.Instance{ID: "A"}, Issuer: issuerA}, f, public)
}

// isRefused checks the one answer to whoever is not the client it says it is.
func (w *world) isRefused(what string, a authentication, c client, err error) {
	w.Helper()
	want := Error{Code: codeInvalidClient, Description: "the client cannot be authenticated"}
	if a.header != nil {
		want.Status, want.challenge = http.StatusUnauthorized, `Basic realm="oauth", charset="UTF-8"`
	}
	var got *Error
	if !errors.As(err, &got) || c.id != "" {
		w.Errorf("%s: %+v, %v", what, c, err)
		return
	}
	plain := *got
	plain.cause = nil
	if plain != want {
		w.Errorf("%s: %+v, want %+v", what, plain, want)
	}
}

func TestApplications(t *testing.T) {
	k := assertiontest.Keys()
	rsaKey, edKey := assertiontest.RS(crypto.SHA256, k.RSA), assertiontest.EdDSA(k.Ed25519)
	eachWorld(t, func(w *world) {
		w.withKeys()
		w.withAppKeys()
		print := vault.SecretPrint(vault.HashSecret("secret"))
		aud := func(value string) func(assertiontest.ClaimSet) {
			return func(s assertiontest.ClaimSet) { s["aud"] = `"` + value + `"` }
		}
		for name, tt := range map[string]struct {
			by   authentication
			want session.Ground
		}{
			"basic":              {byBasic("api", "secret"), session.Ground{Kind: session.AppSecret, Client: "api", ID: print}},
			"basic in lower":     {authentication{header: []string{"basic " + strings.TrimPrefix(basic("api", "secret"), "Basic ")}}, session.Ground{Kind: session.AppSecret, Client: "api", ID: print}},
			"basic and its id":   {byBasic("api", "secret").with("client_id", "api"), session.Ground{Kind: session.AppSecret, Client: "api", ID: print}},
			"post":               {byPost("web", "secret"), session.Ground{Kind: session.AppSecret, Client: "web", ID: print}},
			"key":                {byKey("jwt", "a-rsa", "RS256", rsaKey, nil), session.Ground{Kind: session.AppKey, Client: "jwt", ID: "a-rsa"}},
			"another key":        {byKey("jwt", "a-ed", "EdDSA", edKey, nil), session.Ground{Kind: session.AppKey, Client: "jwt", ID: "a-ed"}},
			"key and its id":     {byKey("jwt", "a-ed", "EdDSA", edKey, nil).with("client_id", "jwt"), session.Ground{Kind: session.AppKey, Client: "jwt", ID: "a-ed"}},
			"for token endpoint": {byKey("jwt", "a-ed", "EdDSA", edKey, aud(issuerA+pathToken)), session.Ground{Kind: session.AppKey, Client: "jwt", ID: "a-ed"}},
			"for the endpoint":   {byKey("jwt", "a-ed", "EdDSA", edKey, aud(issuerA+pathIntrospection)), session.Ground{Kind: session.AppKey, Client: "jwt", ID: "a-ed"}},
			"public":             {authentication{form: url.Values{"client_id": {"spa"}}}, session.Ground{Kind: session.App, Client: "spa"}},
		} {
			got, err := w.application(tt.by, true)
			if err != nil {
				w.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(tt.want, got.ground); diff != "" || got.id != tt.want.Client || got.project != "11" || string(got.app) != got.id || got.user != "" {
				w.Errorf("%s: %+v (-want +got)\n%s", name, got, diff)
			}
		}
		if got, err := w.application(byBasic("web", "secret"), true); err != nil || got.kind != app.OIDC || len(got.grants) != 3 {
			w.Errorf("web is %+v, %v", got, err)
		}
	})
}

func TestApplicationsAreRefused(t *testing.T) {
	k := assertiontest.Keys()
	rsaKey, edKey := assertiontest.RS(crypto.SHA256, k.RSA), assertiontest.EdDSA(k.Ed25519)
	public := authentication{form: url.Values{"client_id": {"spa"}}}
	cases := map[string]authentication{
		"wrong secret":                byBasic("api", "secret2"),
		"wrong secret, post":          byPost("api", "Secret"),
		"empty secret":                byBasic("api", ""),
		"secret of none":              byBasic("spa", "secret"),
		"empty secret of none":        byBasic("spa", ""),
		"secret where there are keys": byBasic("jwt", "secret"),
		"nobody":                      byBasic("nobody", "secret"),
		"nobody, post":                byPost("nobody", "secret"),
		"in capitals":                 byBasic("API", "secret"),
		"a machine":                   byBasic("bot", "secret"),
		"a machine's key":             byKey("bot", "k-ed", "EdDSA", edKey, nil),
		"by no secret":                {form: url.Values{"client_id": {"api"}}},
		"by no key":                   {form: url.Values{"client_id": {"jwt"}}},
		"nobody, public":              {form: url.Values{"client_id": {"nobody"}}},
		"unknown kid":                 byKey("jwt", "a-x", "RS256", rsaKey, nil),
		"no kid":                      byKey("jwt", "", "RS256", rsaKey, nil),
		"another's kid":               byKey("jwt", "a-api", "RS256", rsaKey, nil),
		"expired":                     byKey("jwt", "a-gone", "RS256", rsaKey, nil),
		"another of its own":          byKey("jwt", "a-rsa", "EdDSA", edKey, nil),
		"by nobody's key":             byKey("jwt", "a-rsa", "RS256", assertiontest.RS(crypto.SHA256, k.RSA2), nil),
		"unsigned":                    byKey("jwt", "a-ed", "EdDSA", assertiontest.Unsigned, nil),
		"none":                        byKey("jwt", "a-ed", "none", assertiontest.Unsigned, nil),
		"key where there is a secret": byKey("api", "a-api", "RS256", rsaKey, nil),
		"as nobody":                   byKey("nobody", "a-rsa", "RS256", rsaKey, nil),
	}
	eachWorld(t, func(w *world) {
		w.withKeys()
		w.withAppKeys()
		for name, by := range cases {
			got, err := w.application(by, true)
			w.isRefused(name, by, got, err)
		}
		got, err := w.application(public, false)
		w.isRefused("public where none is taken", public, got, err)

		good := map[string]authentication{"secret": byBasic("api", "secret"), "key": byKey("jwt", "a-ed", "EdDSA", edKey, nil), "public": public}
		for _, tt := range []struct{ gone, back string }{
			{`UPDATE apps SET state = 'inactive'`, `UPDATE apps SET state = 'active'`},
			{`UPDATE projects SET state = 'inactive'`, `UPDATE projects SET state = 'active'`},
			{`UPDATE orgs SET state = 'inactive'`, `UPDATE orgs SET state = 'active'`},
		} {
			w.sql(tt.gone)
			for name, by := range good {
				got, err := w.application(by, true)
				w.isRefused(tt.gone+", "+name, by, got, err)
			}
			w.sql(tt.back)
			for name, by := range good {
				if _, err := w.application(by, true); err != nil {
					w.Errorf("%s, %s: %v", tt.back, name, err)
				}
			}
		}
	})
}

// TestOneWayToAuthenticate has requests that cannot be understood. All of it a client can see itself.
func TestOneWayToAuthenticate(t *testing.T) {
	k := assertiontest.Keys()
	byEd := byKey("jwt", "a-ed", "EdDSA", assertiontest.EdDSA(k.Ed25519), nil)
	raw := func(text string) authentication {
		return authentication{header: []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(text))}}
	}
	both := byEd
	both.header = []string{basic("jwt", "secret")}
	changed := func(name, value string) authentication {
		return byKey("jwt", "a-ed", "EdDSA", assertiontest.EdDSA(k.Ed25519), func(s assertiontest.ClaimSet) { s[name] = value })
	}
	now := start.Unix()
	eachWorld(t, func(w *world) {
		w.withAppKeys()
		for name, tt := range map[string]struct {
			by   authentication
			code string
			want string
		}{
			"nothing":               {authentication{}, codeInvalidClient, "has not authenticated"},
			"basic and post":        {byBasic("api", "secret").with("client_secret", "secret"), codeInvalidRequest, "more than one way"},
			"basic and key":         {both, codeInvalidRequest, "more than one way"},
			"post and key":          {byEd.with("client_secret", "x"), codeInvalidRequest, "more than one way"},
			"another id":            {byBasic("api", "secret").with("client_id", "web"), codeInvalidRequest, "not that of the Authorization header"},
			"another id, key":       {byEd.with("client_id", "web"), codeInvalidRequest, "not the subject"},
			"two headers":           {authentication{header: []string{basic("api", "secret"), basic("api", "secret")}}, codeInvalidClient, "cannot be authenticated"},
			"bearer":                {authentication{header: []string{"Bearer x"}}, codeInvalidClient, "cannot be authenticated"},
			"empty header":          {authentication{header: []string{""}}, codeInvalidClient, "cannot be authenticated"},
			"no base64":             {authentication{header: []string{"Basic !"}}, codeInvalidRequest, "cannot be read"},
			"no colon":              {raw("api"), codeInvalidRequest, "cannot be read"},
			"bad escape":            {raw("api:%zz"), codeInvalidRequest, "cannot be read"},
			"NUL":                   {raw("api:%00"), codeInvalidRequest, "cannot be read"},
			"not UTF-8":             {raw("\xff:x"), codeInvalidRequest, "cannot be read"},
			"no id":                 {raw(":secret"), codeInvalidClient, "has not authenticated"},
			"endless id":            {byBasic(strings.Repeat("x", 500), "secret"), codeInvalidRequest, "too long"},
			"endless secret":        {byPost("api", strings.Repeat("x", 500)), codeInvalidRequest, "too long"},
			"type alone":            {authentication{form: url.Values{"client_assertion_type": {assertionType}}}, codeInvalidClient, "client_assertion: "},
			"assertion alone":       {authentication{form: url.Values{"client_assertion": byEd.form["client_assertion"]}}, codeInvalidRequest, "client_assertion_type must be"},
			"another type":          {byEd.with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), codeInvalidRequest, "client_assertion_type must be"},
			"aud of another":        {changed("aud", `"http://b.example"`), codeInvalidClient, "client_assertion: aud"},
			"aud of userinfo":       {changed("aud", `"http://a.example/oidc/v1/userinfo"`), codeInvalidClient, "client_assertion: aud"},
			"exp":                   {changed("exp", fmt.Sprint(now+1)), codeInvalidClient, "client_assertion: exp"},
			"iat":                   {changed("iat", fmt.Sprint(now-3601)), codeInvalidClient, "client_assertion: iat"},
			"iss":                   {changed("iss", `"api"`), codeInvalidClient, "client_assertion: iss"},
			"sub with a line break": {changed("sub", `"a\nb"`), codeInvalidClient, "client_assertion: iss"},
		} {
			got, err := w.application(tt.by, true)
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code || !strings.Contains(e.Description, tt.want) || got.id != "" || strings.ContainsAny(e.Description, "\"\\\n") {
				w.Errorf("%s: %+v, %v; want %s %s", name, got, err, tt.code, tt.want)
			}
		}
	})
}

func TestClientAssertionsCountOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		w.withAppKeys()
		by := byKey("jwt", "a-ed", "EdDSA", assertiontest.EdDSA(assertiontest.Keys().Ed25519), func(s assertiontest.ClaimSet) { s["jti"] = `"1"` })
		_, err := w.application(by, true)
		w.must(err)
		var e *Error
		if _, err := w.application(by, true); !errors.As(err, &e) || e.Code != codeInvalidClient {
			w.Errorf("again: %v", err)
		}
	})
}

// TestMachinesAsClients: client_id is a user name or an id, and of two it is the id. A client that calls itself by
// its id stays of that name.
func TestMachinesAsClients(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		ed := assertiontest.EdDSA(assertiontest.Keys().Ed25519)
		ask := func(by authentication) answer {
			form := by.with("grant_type", grantClientCredentials, "scope", "openid").form
			var header []string
			for _, value := range by.header {
				header = append(header, "Authorization", value)
			}
			return w.do(http.MethodPost, pathToken, form.Encode(), header...)
		}
		print, jay := vault.SecretPrint(vault.HashSecret("secret")), vault.SecretPrint(vault.HashSecret("of jay"))
		for name, tt := range map[string]struct {
			by     authentication
			client string
			want   session.Ground
		}{
			"basic":       {byBasic("bot", "secret"), "bot", session.Ground{Kind: session.MachineSecret, User: "bot", ID: print}},
			"post":        {byPost("bot", "secret"), "bot", session.Ground{Kind: session.MachineSecret, User: "bot", ID: print}},
			"in capitals": {byPost("BOT", "secret"), "bot", session.Ground{Kind: session.MachineSecret, User: "bot", ID: print}},
			"key":         {byKey("bot", "k-ed", "EdDSA", ed, nil), "bot", session.Ground{Kind: session.MachineKey, User: "bot", ID: "k-ed"}},
			"name":        {byBasic("jay@TWO", "of jay"), "Jay@two", session.Ground{Kind: session.MachineSecret, User: "jay", ID: jay}},
			"id":          {byBasic("jay", "of jay"), "jay", session.Ground{Kind: session.MachineSecret, User: "jay", ID: jay}},
		} {
			got := w.token(ask(tt.by))
			if diff := cmp.Diff([]session.Ground{tt.want}, got.Grounds); diff != "" || got.User != tt.want.User || got.Client != tt.client {
				w.Errorf("%s: %s of %s (-want +got)\n%s", name, got.User, got.Client, diff)
			}
		}
		// Whatever is wrong, and whoever it is: one answer for each way to authenticate.
		var basicText, postText string
		for _, id := range []string{"bot", "nobody", "ada", "ada@one.example", "api", "B0T", "10"} {
			for _, secret := range []string{"wrong", "", "Secret"} {
				a := ask(byBasic(id, secret))
				w.refused(id, a, http.StatusUnauthorized, codeInvalidClient)
				if a.challenge != challenge || basicText != "" && a.text != basicText {
					w.Errorf("%s %s: %s %s", id, secret, a.challenge, a.text)
				}
				basicText = a.text
				a = ask(byPost(id, secret))
				w.refused(id, a, http.StatusBadRequest, codeInvalidClient)
				if a.challenge != "" || postText != "" && a.text != postText {
					w.Errorf("%s %s: %s %s", id, secret, a.challenge, a.text)
				}
				postText = a.text
			}
		}
		w.sql(`UPDATE users SET secret_hash = NULL WHERE user_id = 'jay'`)
		for _, secret := range []string{"of jay", "", string(make([]byte, 0))} {
			if a := ask(byBasic("jay", secret)); a.text != basicText {
				w.Errorf("without a secret: %s", a.text)
			}
		}
		// Nobody takes the place of a user by calling itself as that one's id.
		w.sql(`UPDATE users SET login_key = 'jay', secret_hash = $1 WHERE user_id = 'ada'`, vault.HashSecret("of ada"))
		w.sql(`UPDATE users SET kind = 'machine' WHERE user_id = 'ada'`)
		w.sql(`UPDATE users SET secret_hash = $1 WHERE user_id = 'jay'`, vault.HashSecret("of jay"))
		if got := w.token(ask(byBasic("jay", "of jay"))); got.User != "jay" {
			w.Errorf("jay is %s", got.User)
		}
		w.refused("ada as jay", ask(byBasic("jay", "of ada")), http.StatusUnauthorized, codeInvalidClient)
	})
}

// TestNoMachineIsCalledLikeAnApplication: its tokens would say that they were given to the application, and its ID
// tokens that they are meant for it. An application may come later than the machine.
func TestNoMachineIsCalledLikeAnApplication(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		byAssertion := func() answer {
			w.Helper()
			return w.profile(botAssertion("k-ed", nil), "openid")
		}
		bySecret := func(id string) answer {
			w.Helper()
			return w.post(pathToken, id, "grant_type", grantClientCredentials, "scope", "openid")
		}
		w.token(byAssertion())
		w.token(bySecret("bot"))
		begun(w, "A", app.Noun, "bot-app", "1", app.Added{App: "bot-app", Project: "11", Name: "bot"},
			app.APIConfigAdded{App: "bot-app", ClientID: "bot", AuthMethod: app.SecretBasic, SecretHash: vault.HashSecret("another")})
		w.refused("by its key", byAssertion(), http.StatusBadRequest, codeInvalidGrant)
		w.refused("by its secret", bySecret("bot"), http.StatusUnauthorized, codeInvalidClient)
		w.sql(`UPDATE users SET username = 'robot', login_key = 'robot' WHERE user_id = 'bot'`)
		w.refused("its id", byAssertion(), http.StatusBadRequest, codeInvalidGrant)
		w.sql(`UPDATE apps SET client_id = 'other bot' WHERE app_id = 'bot-app'`)
		if got := w.token(byAssertion()); got.Client != "robot" {
			w.Errorf("called %s", got.Client)
		}
	})
}

func FuzzReadBasic(f *testing.F) {
	f.Add(basic("api", "secret"), "")
	f.Add("Basic "+base64.StdEncoding.EncodeToString([]byte("a%20b:%3a+")), "a b")
	f.Add("Basic", "x")
	f.Add("bearer x", "")
	f.Fuzz(func(t *testing.T, header, inForm string) {
		c := credentials{method: authNone}
		err := c.readBasic([]string{header}, inForm)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || c.method != authNone {
				t.Errorf("%q: %v, method %s", header, err, c.method)
			}
			return
		}
		if !isText(c.id) || !isText(c.secret) || c.method != authBasic || inForm != "" && inForm != c.id {
			t.Errorf("%q: %q %q", header, c.id, c.secret)
		}
		again := credentials{method: authNone}
		if err := again.readBasic([]string{basic(c.id, c.secret)}, inForm); err != nil || again.id != c.id || again.secret != c.secret {
			t.Errorf("%q is read as %q %q, and that as %q %q, %v", header, c.id, c.secret, again.id, again.secret, err)
		}
	})
}
