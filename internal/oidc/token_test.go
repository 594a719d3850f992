package oidc

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"castellan/internal/assertion/assertiontest"
	"castellan/internal/claims"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/machinekey"
	"castellan/internal/policy"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/throttle"
	"castellan/internal/token"
	"castellan/internal/user"
	"castellan/internal/vault"
)

const issuerA = "http://a.example"

// botKeys are the keys of bot by their ids, with how each signs.
func botKeys() map[string]struct {
	alg  string
	key  crypto.Signer
	sign assertiontest.Signature
} {
	k := assertiontest.Keys()
	type entry = struct {
		alg  string
		key  crypto.Signer
		sign assertiontest.Signature
	}
	return map[string]entry{
		"k-rsa": {"RS256", k.RSA, assertiontest.RS(crypto.SHA256, k.RSA)},
		"k-256": {"ES256", k.P256, assertiontest.ES(crypto.SHA256, k.P256)},
		"k-384": {"ES384", k.P384, assertiontest.ES(crypto.SHA384, k.P384)},
		"k-521": {"ES512", k.P521, assertiontest.ES(crypto.SHA512, k.P521)},
		"k-ed":  {"EdDSA", k.Ed25519, assertiontest.EdDSA(k.Ed25519)},
	}
}

// withKeys gives bot keys of every sort and the secret "secret", and the machine jay, whose tokens are JWTs,
// a key of its own, in both instances. k-old has expired.
func (w *world) withKeys() {
	w.Helper()
	much := throttle.Rates{PerSecond: 1, Burst: 1e6}
	w.provider.Throttle = throttle.New(throttle.Config{Clock: w.clock, Clients: much, Strangers: much})
	for _, at := range []ident.InstanceID{"A", "B"} {
		for id, k := range botKeys() {
			w.machineKey(at, id, "bot", k.key, expiry.Never)
		}
		w.machineKey(at, "k-old", "bot", assertiontest.Keys().Ed25519, start)
		begun(w, at, user.Noun, "jay", "1", user.MachineAdded{UserName: "Jay@two", Name: "Jay", AccessTokenType: user.JWT})
		w.machineKey(at, "k-jay", "jay", assertiontest.Keys().RSA2, expiry.Never)
	}
	w.sql(`UPDATE users SET secret_hash = $1 WHERE user_id = 'bot'`, vault.HashSecret("secret"))
	w.sql(`UPDATE users SET secret_hash = $1 WHERE user_id = 'jay'`, vault.HashSecret("of jay"))
}

func (w *world) machineKey(at ident.InstanceID, id string, of ident.UserID, key crypto.Signer, until time.Time) {
	w.Helper()
	begun(w, at, machinekey.Noun, id, "1", machinekey.Added{
		Key: ident.KeyID(id), User: of, Type: 1, PublicKey: []byte(assertiontest.PublicPEM(w, key)), Expiration: until,
	})
}

// assertion makes one by bot's key.
func botAssertion(id string, change func(header, said assertiontest.ClaimSet)) string {
	k := botKeys()[id]
	header := assertiontest.ClaimSet{"alg": fmt.Sprintf("%q", k.alg), "kid": fmt.Sprintf("%q", id)}
	said := assertiontest.Claims("bot", issuerA, start)
	if change != nil {
		change(header, said)
	}
	return assertiontest.Forge(header.String(), said.String(), k.sign)
}

// profile asks for a token with an assertion.
func (w *world) profile(text, scope string, more ...string) answer {
	w.Helper()
	return w.post(pathToken, "", append([]string{"grant_type", grantJWTBearer, "assertion", text, "scope", scope}, more...)...)
}

// token checks an answer, and returns what its access token says.
func (w *world) token(a answer) token.Token {
	w.Helper()
	if a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		w.Fatalf("%d %s, Cache-Control %q", a.status, a.text, a.header.Get("Cache-Control"))
	}
	t, err := w.provider.Tokens.Inspect(w.Context(), "A", issuerA, a.body["access_token"].(string))
	w.must(err)
	return t
}

func (w *world) refused(what string, a answer, status int, code string) {
	w.Helper()
	if !a.is(status, code) || a.body["access_token"] != nil || a.body["error_description"] == "" {
		w.Errorf("%s: %d %s, want %d %s", what, a.status, a.text, status, code)
	}
}

func TestJWTProfile(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		for id := range botKeys() {
			a := w.profile(botAssertion(id, nil), "openid profile urn:zitadel:iam:org:project:id:11:aud")
			got := w.token(a)
			want := session.Facts{
				User: "bot", Org: "1", Client: "bot", Audience: []string{"11"}, AuthTime: start,
				Scopes:  []string{"openid", "profile", "urn:zitadel:iam:org:project:id:11:aud"},
				Grounds: []session.Ground{{Kind: session.MachineKey, User: "bot", ID: id}},
			}
			if diff := cmp.Diff(want, got.Facts); diff != "" {
				w.Errorf("%s (-want +got)\n%s", id, diff)
			}
			if names := slices.Sorted(maps.Keys(a.body)); !slices.Equal(names, []string{"access_token", "expires_in", "id_token", "token_type"}) ||
				a.body["token_type"] != "Bearer" || a.body["expires_in"] != 43200.0 {
				w.Errorf("%s: %s", id, a.text)
			}
			if !strings.HasPrefix(a.body["access_token"].(string), string(vault.AccessBearer)) {
				w.Errorf("%s: the token is not sealed: %s", id, a.text)
			}
		}
		k := assertiontest.Keys()
		said := assertiontest.Claims("bot", issuerA, start).String()
		ps := assertiontest.Forge(`{"alg":"PS256","kid":"k-rsa"}`, said, assertiontest.PS256(k.RSA))
		w.token(w.profile(ps, "openid"))
		w.token(w.profile(botAssertion("k-ed", func(_, s assertiontest.ClaimSet) { s["aud"] = `["x","` + issuerA + pathToken + `"]` }), "openid"))
		if rows, err := w.sessionRows(); err != nil || rows != 0 {
			w.Errorf("tokens left %d sessions, %v", rows, err)
		}
	})
}

func (w *world) spentRows() (n int) {
	w.Helper()
	rows, err := w.db.Query(w.Context(), `SELECT COUNT(*) FROM spent_ids`)
	w.must(err)
	defer rows.Close()
	rows.Next()
	w.must(rows.Scan(&n))
	return n
}

func (w *world) sessionRows() (n int, err error) {
	rows, err := w.db.Query(w.Context(), `SELECT COUNT(*) FROM oidc_sessions`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	rows.Next()
	return n, rows.Scan(&n)
}

func TestJWTs(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		jay := assertiontest.Forge(`{"alg":"RS256","kid":"k-jay"}`, assertiontest.Claims("jay", issuerA, start).String(),
			assertiontest.RS(crypto.SHA256, assertiontest.Keys().RSA2))
		a := w.profile(jay, "openid urn:zitadel:iam:org:project:id:zitadel:aud urn:zitadel:iam:user:resourceowner")
		w.token(a)
		access := w.jwt(a.body["access_token"], "at+jwt")
		iat := float64(start.Unix())
		jti := access["jti"]
		delete(access, "jti")
		owner := map[string]any{
			"urn:zitadel:iam:user:resourceowner:id": "1", "urn:zitadel:iam:user:resourceowner:name": "one",
			"urn:zitadel:iam:user:resourceowner:primary_domain": "one.example",
		}
		want := map[string]any{
			"iss": issuerA, "sub": "jay", "aud": []any{"10"}, "iat": iat, "nbf": iat, "exp": iat + 43200, "auth_time": iat,
			"client_id": "Jay@two", "scope": "openid urn:zitadel:iam:org:project:id:zitadel:aud urn:zitadel:iam:user:resourceowner",
			"urn:castellan:grounds": []any{map[string]any{"kind": "machine_key", "user": "jay", "id": "k-jay"}},
		}
		maps.Copy(want, owner)
		if diff := cmp.Diff(want, access); diff != "" || jti == "" {
			w.Errorf("access token %v (-want +got)\n%s", jti, diff)
		}
		id := w.jwt(a.body["id_token"], "JWT")
		for _, name := range []string{"at_hash", "sid", "jti"} {
			if id[name] == "" || id[name] == nil {
				w.Errorf("no %s", name)
			}
			delete(id, name)
		}
		want = map[string]any{
			"iss": issuerA, "sub": "jay", "aud": []any{"10", "Jay@two"}, "azp": "Jay@two", "client_id": "Jay@two",
			"iat": iat, "exp": iat + 43200, "auth_time": iat,
			"urn:castellan:grounds": []any{map[string]any{"kind": "machine_key", "user": "jay", "id": "k-jay"}},
		}
		maps.Copy(want, owner)
		if diff := cmp.Diff(want, id); diff != "" {
			w.Errorf("ID token (-want +got)\n%s", diff)
		}
	})
}

// TestWhatAMachineCallsItself is the audience of its ID tokens, which client libraries compare: the user name
// or the id of the user. Without either, and for what names nobody, it is the user name.
func TestWhatAMachineCallsItself(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		jay := func() string {
			return assertiontest.Forge(`{"alg":"RS256","kid":"k-jay"}`, assertiontest.Claims("jay", issuerA, start).String(),
				assertiontest.RS(crypto.SHA256, assertiontest.Keys().RSA2))
		}
		secret := func(id string) answer {
			return w.post(pathToken, "", "grant_type", grantClientCredentials, "client_id", id, "client_secret", "of jay", "scope", "openid")
		}
		for name, tt := range map[string]struct {
			got  answer
			want string
		}{
			"its id, with a secret":      {secret("jay"), "jay"},
			"its name, with a secret":    {secret("Jay@two"), "Jay@two"},
			"its name in small letters":  {secret("jay@two"), "Jay@two"},
			"its id, as a client":        {w.post(pathToken, "", "grant_type", grantClientCredentials, "scope", "openid", "client_assertion", jay(), "client_assertion_type", assertionType), "jay"},
			"nothing, with an assertion": {w.profile(jay(), "openid"), "Jay@two"},
			"its id, with an assertion":  {w.profile(jay(), "openid", "client_id", "jay"), "jay"},
			"its name, with one":         {w.profile(jay(), "openid", "client_id", "Jay@two"), "Jay@two"},
			"another's name, with one":   {w.profile(jay(), "openid", "client_id", "bot"), "Jay@two"},
		} {
			w.token(tt.got)
			id, access := w.jwt(tt.got.body["id_token"], "JWT"), w.jwt(tt.got.body["access_token"], "at+jwt")
			if fmt.Sprint(id["aud"]) != "["+tt.want+"]" || id["azp"] != tt.want || access["client_id"] != tt.want {
				w.Errorf("%s: aud %v, azp %v, client_id %v, want %s", name, id["aud"], id["azp"], access["client_id"], tt.want)
			}
		}
	})
}

// jwt returns the claims of a JWT that instance A has signed.
func (w *world) jwt(text any, typ string) (said map[string]any) {
	w.Helper()
	data, got, err := w.provider.Keys.Verify(w.Context(), "A", text.(string))
	w.must(err)
	if got != typ {
		w.Errorf("typ %s, want %s", got, typ)
	}
	w.must(json.Unmarshal(data, &said))
	return said
}

// TestAssertionsAreExact changes one thing of an assertion at a time. What does not depend on a key is told;
// all else is one answer.
func TestAssertionsAreExact(t *testing.T) {
	now := start.Unix()
	set := func(name, value string) func(h, s assertiontest.ClaimSet) {
		return func(_, s assertiontest.ClaimSet) { s[name] = value }
	}
	head := func(name, value string) func(h, s assertiontest.ClaimSet) {
		return func(h, _ assertiontest.ClaimSet) { h[name] = value }
	}
	k := assertiontest.Keys()
	ed := assertiontest.EdDSA(k.Ed25519)
	said := assertiontest.Claims("bot", issuerA, start)
	const hidden = "assertion: it is not by a key of its subject that is of use"
	cases := map[string]struct{ text, want string }{ // want is part of the description
		"empty":             {"x", "three parts"},
		"aud of another":    {botAssertion("k-ed", set("aud", `"http://b.example"`)), "aud"},
		"aud of introspect": {botAssertion("k-ed", set("aud", `"http://a.example/oauth/v2/introspect"`)), "aud"},
		"aud with a slash":  {botAssertion("k-ed", set("aud", `"http://a.example/"`)), "aud"},
		"exp now":           {botAssertion("k-ed", set("exp", fmt.Sprint(now))), "exp"},
		"exp in a second":   {botAssertion("k-ed", set("exp", fmt.Sprint(now+1))), "exp"},
		"iat ahead":         {botAssertion("k-ed", set("iat", fmt.Sprint(now+2))), "iat"},
		"iat too old":       {botAssertion("k-ed", set("iat", fmt.Sprint(now-3601))), "iat"},
		"nbf ahead":         {botAssertion("k-ed", set("nbf", fmt.Sprint(now+2))), "nbf"},
		"iss of another":    {botAssertion("k-ed", set("iss", `"jay"`)), "is not sub"},
		"sub of another":    {botAssertion("k-ed", set("sub", `"jay"`)), "is not sub"},
		"crit":              {botAssertion("k-ed", head("crit", `["x"]`)), "crit"},
		"b64":               {botAssertion("k-ed", head("b64", `false`)), "b64"},
		"sub twice":         {assertiontest.Forge(`{"alg":"EdDSA","kid":"k-ed"}`, strings.Replace(said.String(), "{", `{"sub":"jay",`, 1), ed), "duplicate"},
		"kid twice":         {assertiontest.Forge(`{"alg":"EdDSA","kid":"k-jay","kid":"k-ed"}`, said.String(), ed), "duplicate"},
		"kid a number":      {botAssertion("k-ed", head("kid", `1`)), "header"},
		"no kid":            {assertiontest.Forge(`{"alg":"EdDSA"}`, said.String(), ed), "kid is missing"},
		"huge":              {botAssertion("k-ed", set("x", `"`+strings.Repeat("x", 9000)+`"`)), "more than 8192"},

		"unknown kid":        {botAssertion("k-ed", head("kid", `"nothing"`)), hidden},
		"another's kid":      {botAssertion("k-ed", head("kid", `"k-jay"`)), hidden},
		"another of its own": {botAssertion("k-ed", head("kid", `"k-rsa"`)), hidden},
		"expired key":        {botAssertion("k-ed", head("kid", `"k-old"`)), hidden},
		"as another user":    {botAssertion("k-ed", func(_, s assertiontest.ClaimSet) { s["iss"], s["sub"] = `"jay"`, `"jay"` }), hidden},
		"as a human":         {botAssertion("k-ed", func(_, s assertiontest.ClaimSet) { s["iss"], s["sub"] = `"ada"`, `"ada"` }), hidden},
		"as nobody":          {botAssertion("k-ed", func(_, s assertiontest.ClaimSet) { s["iss"], s["sub"] = `"who"`, `"who"` }), hidden},
		"by name":            {botAssertion("k-ed", func(_, s assertiontest.ClaimSet) { s["iss"], s["sub"] = `"BOT"`, `"BOT"` }), hidden},
		"as no one at all":   {botAssertion("k-ed", func(_, s assertiontest.ClaimSet) { s["iss"], s["sub"] = `""`, `""` }), hidden},
		"alg none":           {assertiontest.Forge(`{"alg":"none","kid":"k-ed"}`, said.String(), assertiontest.Unsigned), hidden},
		"unsigned":           {assertiontest.Forge(`{"alg":"EdDSA","kid":"k-ed"}`, said.String(), assertiontest.Unsigned), hidden},
		"by another key":     {assertiontest.Forge(`{"alg":"RS256","kid":"k-rsa"}`, said.String(), assertiontest.RS(crypto.SHA256, k.RSA2)), hidden},
		"its own key":        {assertiontest.Forge(fmt.Sprintf(`{"alg":"RS256","kid":"k-rsa","jwk":%s}`, jwkOf(t, k.RSA2.Public())), said.String(), assertiontest.RS(crypto.SHA256, k.RSA2)), hidden},
		"its own key alone":  {assertiontest.Forge(fmt.Sprintf(`{"alg":"RS256","kid":"k-none","jwk":%s}`, jwkOf(t, k.RSA2.Public())), said.String(), assertiontest.RS(crypto.SHA256, k.RSA2)), hidden},
		"a key elsewhere":    {assertiontest.Forge(`{"alg":"RS256","kid":"k-rsa","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}`, said.String(), assertiontest.RS(crypto.SHA256, k.RSA2)), hidden},
		"HS256":              {assertiontest.Forge(`{"alg":"HS256","kid":"k-rsa"}`, said.String(), assertiontest.HS256(assertiontest.PublicPEM(t, k.RSA))), hidden},
		"wrong alg":          {assertiontest.Forge(`{"alg":"RS512","kid":"k-rsa"}`, said.String(), assertiontest.RS(crypto.SHA512, k.RSA)), hidden},
	}
	eachWorld(t, func(w *world) {
		w.withKeys()
		for name, tt := range cases {
			a := w.profile(tt.text, "openid")
			w.refused(name, a, http.StatusBadRequest, codeInvalidGrant)
			if text, _ := a.body["error_description"].(string); !strings.Contains(text, tt.want) || tt.want == hidden && text != hidden {
				w.Errorf("%s: %s, want %s", name, text, tt.want)
			}
		}
		for name, change := range map[string]func(h, s assertiontest.ClaimSet){
			"exp just in time": set("exp", fmt.Sprint(now+2)), "iat just so": set("iat", fmt.Sprint(now+1)),
			"an hour old": set("iat", fmt.Sprint(now-3600)), "nbf just so": set("nbf", fmt.Sprint(now+1)),
		} {
			if a := w.profile(botAssertion("k-ed", change), "openid"); a.status != http.StatusOK {
				w.Errorf("%s: %s", name, a.text)
			}
		}
		// An assertion for instance A is none for B, which has the same users and keys.
		a := w.do(http.MethodPost, "http://b.example"+pathToken, url.Values{
			"grant_type": {grantJWTBearer}, "scope": {"openid"}, "assertion": {botAssertion("k-ed", nil)},
		}.Encode())
		w.refused("at another instance", a, http.StatusBadRequest, codeInvalidGrant)
	})
}

// jwkOf is a public key as a header may carry it.
func jwkOf(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	text, err := (&jose.JSONWebKey{Key: key}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryByteOfAnAssertionCounts flips each character of one.
func TestEveryByteOfAnAssertionCounts(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		for _, id := range []string{"k-rsa", "k-ed"} {
			text := botAssertion(id, nil)
			w.token(w.profile(text, "openid"))
			for i := range len(text) {
				changed := text[:i] + string([]byte{text[i] ^ 1}) + text[i+1:]
				if a := w.profile(changed, "openid"); a.status != http.StatusBadRequest || a.body["access_token"] != nil {
					w.Fatalf("%s, byte %d: %d %s", id, i, a.status, a.text)
				}
			}
		}
	})
}

func TestAssertionsWithAnIDCountOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		with := func(key, jti string, exp int64) string {
			return botAssertion(key, func(_, s assertiontest.ClaimSet) { s["jti"], s["exp"] = fmt.Sprintf("%q", jti), fmt.Sprint(exp) })
		}
		now := start.Unix()
		w.token(w.profile(with("k-ed", "1", now+60), "openid"))
		w.refused("again", w.profile(with("k-ed", "1", now+60), "openid"), http.StatusBadRequest, codeInvalidGrant)
		w.refused("another with the id", w.profile(with("k-ed", "1", now+90), "openid"), http.StatusBadRequest, codeInvalidGrant)
		w.token(w.profile(with("k-ed", "2", now+60), "openid"))
		w.token(w.profile(with("k-256", "1", now+60), "openid")) // ids are those of a key
		none := botAssertion("k-ed", nil)
		w.token(w.profile(none, "openid"))
		w.token(w.profile(none, "openid"))
		// One that is refused for another reason is not used up.
		forged := with("k-ed", "3", now+60)
		w.refused("forged", w.profile(forged[:len(forged)-4]+"AAAA", "openid"), http.StatusBadRequest, codeInvalidGrant)
		w.token(w.profile(forged, "openid"))
	})
}

func TestScopes(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		many := make([]string, claims.MaxScopes+1)
		for i := range many {
			many[i] = fmt.Sprint("s", i)
		}
		for name, tt := range map[string]struct {
			asked   string
			granted string
			told    any // the scope in the answer, nil for none
			code    string
		}{
			"as asked":         {"openid profile", "openid profile", nil, ""},
			"unknown ones":     {"openid what profile", "openid profile", "openid profile", ""},
			"only unknown":     {"what", "", nil, ""},
			"for others":       {"openid offline_access", "openid offline_access", nil, ""},
			"twice":            {"openid openid", "openid", nil, ""},
			"own organization": {"openid urn:zitadel:iam:org:id:1", "openid urn:zitadel:iam:org:id:1", nil, ""},
			"another's":        {"openid urn:zitadel:iam:org:id:2", "openid", "openid", ""},
			"own domain":       {"openid urn:zitadel:iam:org:domain:primary:one.example", "openid urn:zitadel:iam:org:domain:primary:one.example", nil, ""},
			"another's domain": {"openid urn:zitadel:iam:org:domain:primary:two.example", "openid", "openid", ""},
			"none":             {"", "", nil, codeInvalidRequest},
			"bad characters":   {"open\"id", "", nil, codeInvalidScope},
			"too many":         {strings.Join(many, " "), "", nil, codeInvalidScope},
			"too long":         {"openid " + strings.Repeat("x", 9000), "", nil, codeInvalidScope},
		} {
			a := w.profile(botAssertion("k-ed", nil), tt.asked)
			if tt.code != "" {
				w.refused(name, a, http.StatusBadRequest, tt.code)
				continue
			}
			if got := w.token(a); strings.Join(got.Scopes, " ") != tt.granted || a.body["scope"] != tt.told {
				w.Errorf("%s: granted %q, told %v", name, got.Scopes, a.body["scope"])
			}
		}
		a := w.profile(botAssertion("k-ed", nil), "urn:zitadel:iam:org:project:id:11:aud urn:zitadel:iam:org:project:id:99:aud urn:zitadel:iam:org:project:id:zitadel:aud")
		if got := w.token(a); !slices.Equal(got.Audience, []string{"11", "10"}) {
			w.Errorf("audience %v", got.Audience)
		}
		var long []string
		for i := range 90 {
			long = append(long, fmt.Sprintf("urn:zitadel:iam:org:project:role:%060d", i))
		}
		w.refused("that fit into no token", w.profile(botAssertion("k-ed", nil), strings.Join(long, " ")), http.StatusBadRequest, codeInvalidScope)
	})
}

// TestScopeClaim: an assertion says itself what it is for, unless the request does.
func TestScopeClaim(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		claiming := func(scope string) string {
			return botAssertion("k-ed", func(_, said assertiontest.ClaimSet) { said["scope"] = scope })
		}
		for name, tt := range map[string]struct{ claim, asked, granted string }{
			"by the claim":   {`"openid profile what"`, "", "openid profile"},
			"by the request": {`"openid profile"`, "email", "email"},
		} {
			if got := w.token(w.profile(claiming(tt.claim), tt.asked)); strings.Join(got.Scopes, " ") != tt.granted {
				w.Errorf("%s: granted %q", name, got.Scopes)
			}
		}
		w.refused("no text", w.profile(claiming(`["openid"]`), ""), http.StatusBadRequest, codeInvalidRequest)
		w.refused("empty", w.profile(claiming(`""`), ""), http.StatusBadRequest, codeInvalidRequest)
		w.refused("no scopes", w.profile(claiming(`"open\\id"`), ""), http.StatusBadRequest, codeInvalidScope)
	})
}

// TestWhatATokenStandsOn: nothing is given out on what is gone, by no grant.
func TestWhatATokenStandsOn(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		for _, tt := range []struct{ gone, back string }{
			{`UPDATE users SET state = 'inactive' WHERE user_id = 'bot'`, `UPDATE users SET state = 'active' WHERE user_id = 'bot'`},
			{`UPDATE users SET state = 'locked' WHERE user_id = 'bot'`, `UPDATE users SET state = 'active' WHERE user_id = 'bot'`},
			{`UPDATE orgs SET state = 'inactive' WHERE org_id = '1'`, `UPDATE orgs SET state = 'active' WHERE org_id = '1'`},
			{`UPDATE users SET kind = 'human' WHERE user_id = 'bot'`, `UPDATE users SET kind = 'machine' WHERE user_id = 'bot'`},
			{`UPDATE users SET user_id = 'bat', login_key = 'bat' WHERE user_id = 'bot'`, `UPDATE users SET user_id = 'bot', login_key = 'bot' WHERE user_id = 'bat'`},
		} {
			w.sql(tt.gone)
			w.refused(tt.gone, w.profile(botAssertion("k-ed", nil), "openid"), http.StatusBadRequest, codeInvalidGrant)
			w.refused(tt.gone, w.post(pathToken, "bot", "grant_type", grantClientCredentials), http.StatusUnauthorized, codeInvalidClient)
			w.sql(tt.back)
			w.token(w.profile(botAssertion("k-ed", nil), "openid"))
			w.token(w.post(pathToken, "bot", "grant_type", grantClientCredentials))
		}
		w.sql(`DELETE FROM machine_keys WHERE key_id = 'k-ed'`)
		w.refused("key removed", w.profile(botAssertion("k-ed", nil), "openid"), http.StatusBadRequest, codeInvalidGrant)
		w.sql(`UPDATE users SET secret_hash = NULL`)
		w.refused("secret removed", w.post(pathToken, "bot", "grant_type", grantClientCredentials), http.StatusUnauthorized, codeInvalidClient)
	})
}

func TestTheRequest(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		good := url.Values{"grant_type": {grantClientCredentials}, "client_id": {"bot"}, "client_secret": {"secret"}}
		w.token(w.do(http.MethodPost, pathToken, good.Encode()))
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
			if a := w.do(method, pathToken+"?"+good.Encode(), ""); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
				w.Errorf("%s: %d %s", method, a.status, a.text)
			}
		}
		w.refused("in the URL", w.do(http.MethodPost, pathToken+"?"+good.Encode(), "x=1"), http.StatusBadRequest, codeInvalidRequest)
		w.refused("no body", w.do(http.MethodPost, pathToken, ""), http.StatusBadRequest, codeInvalidRequest)
		w.refused("JSON", w.do(http.MethodPost, pathToken, "{}", "Content-Type", "application/json"), http.StatusBadRequest, codeInvalidRequest)
		w.refused("no grant_type", w.post(pathToken, "bot"), http.StatusBadRequest, codeInvalidRequest)
		w.refused("unknown grant", w.post(pathToken, "bot", "grant_type", "password"), http.StatusBadRequest, codeGrantType)
		w.refused("grant in capitals", w.post(pathToken, "bot", "grant_type", "CLIENT_CREDENTIALS"), http.StatusBadRequest, codeGrantType)
		w.refused("no assertion", w.post(pathToken, "", "grant_type", grantJWTBearer, "scope", "openid"), http.StatusBadRequest, codeInvalidRequest)
		w.refused("too large", w.post(pathToken, "bot", "grant_type", grantClientCredentials, "x", strings.Repeat("x", formLimit)),
			http.StatusRequestEntityTooLarge, codeInvalidRequest)
		for name := range good {
			w.refused(name+" twice", w.do(http.MethodPost, pathToken, good.Encode()+"&"+name+"="+url.QueryEscape(good.Get(name))),
				http.StatusBadRequest, codeInvalidRequest)
		}
		w.refused("assertion and a client", w.post(pathToken, "bot", "grant_type", grantJWTBearer, "scope", "openid", "assertion", botAssertion("k-ed", nil)),
			http.StatusBadRequest, codeInvalidRequest)
	})
}

func TestLifetimesAreThoseOfTheInstance(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		if got := w.token(w.profile(botAssertion("k-ed", nil), "openid")); got.Expires.Sub(start) != 12*time.Hour {
			w.Errorf("by default ends at %s", got.Expires)
		}
		policies := &policy.Service{DB: w.db, Log: w.log, IDs: w.web.IDs, Hold: w.web.Hold}
		_, err := policies.Change(w.Context(), "A", "op", policy.OIDCSettings{AccessTokenLifetime: new(time.Hour)})
		w.must(err)
		a := w.profile(botAssertion("k-ed", nil), "openid")
		if got := w.token(a); got.Expires.Sub(start) != time.Hour || a.body["expires_in"] != 3600.0 {
			w.Errorf("%v: ends at %s", a.body["expires_in"], got.Expires)
		}
		if id := w.jwt(a.body["id_token"], "JWT"); id["exp"] != float64(start.Add(12*time.Hour).Unix()) {
			w.Errorf("the ID token ends at %v", id["exp"])
		}
	})
}

func TestTokensAreBoundToKeys(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		h := w.holder()
		form := url.Values{"grant_type": {grantClientCredentials}, "client_id": {"bot"}, "client_secret": {"secret"}, "scope": {"openid"}}.Encode()
		proof := h.proof(http.MethodPost, pathToken, "")
		a := w.do(http.MethodPost, pathToken, form, "DPoP", proof)
		if got := w.token(a); got.Thumbprint != h.Thumbprint || a.body["token_type"] != "DPoP" {
			w.Errorf("bound to %q as %v", got.Thumbprint, a.body["token_type"])
		}
		for name, headers := range map[string][]string{
			"shown before":     {"DPoP", proof},
			"two":              {"DPoP", h.proof(http.MethodPost, pathToken, ""), "DPoP", h.proof(http.MethodPost, pathToken, "")},
			"for another path": {"DPoP", h.proof(http.MethodPost, pathRevocation, "")},
			"for GET":          {"DPoP", h.proof(http.MethodGet, pathToken, "")},
			"none":             {"DPoP", "x"},
			"empty":            {"DPoP", ""},
		} {
			w.refused(name, w.do(http.MethodPost, pathToken, form, headers...), http.StatusBadRequest, codeInvalidProof)
		}
		// With an assertion it is the same, and strangers cannot make the server remember anything.
		b := w.do(http.MethodPost, pathToken, url.Values{"grant_type": {grantJWTBearer}, "scope": {"openid"}, "assertion": {botAssertion("k-ed", nil)}}.Encode(),
			"DPoP", h.proof(http.MethodPost, pathToken, ""))
		if got := w.token(b); got.Thumbprint != h.Thumbprint || b.body["token_type"] != "DPoP" {
			w.Errorf("for an assertion bound to %q as %v", got.Thumbprint, b.body["token_type"])
		}
		before := w.spentRows()
		w.refused("a forged assertion", w.do(http.MethodPost, pathToken, url.Values{"grant_type": {grantJWTBearer}, "scope": {"openid"}, "assertion": {botAssertion("k-ed", nil) + "A"}}.Encode(),
			"DPoP", h.proof(http.MethodPost, pathToken, "")), http.StatusBadRequest, codeInvalidGrant)
		if a := w.do(http.MethodGet, pathUserinfo, "", "Authorization", "DPoP x", "DPoP", h.proof(http.MethodGet, pathUserinfo, "x")); a.status != http.StatusUnauthorized {
			w.Errorf("userinfo for no token: %d", a.status)
		}
		if after := w.spentRows(); after != before {
			w.Errorf("strangers had %d proofs remembered", after-before)
		}
		// Whoever is no client does not use up proofs.
		fresh := h.proof(http.MethodPost, pathToken, "")
		w.refused("no client", w.do(http.MethodPost, pathToken, strings.Replace(form, "=secret", "=wrong", 1), "DPoP", fresh), http.StatusBadRequest, codeInvalidClient)
		w.token(w.do(http.MethodPost, pathToken, form, "DPoP", fresh))
	})
}

// TestTheUserGoesMeanwhile: who was known by what is kept in memory, and is read once more, may be gone by then.
func TestTheUserGoesMeanwhile(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		ask := func() answer {
			w.Helper()
			return w.profile(botAssertion("k-ed", nil), "openid "+claims.Metadata)
		}
		w.token(ask())
		// No epoch moves: it is as if this came after the epochs were read.
		w.must(w.db.Update(w.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `UPDATE users SET state = 'inactive' WHERE user_id = 'bot'`)
		}))
		w.refused("inactive", ask(), http.StatusBadRequest, codeInvalidGrant)
	})
}

func TestThrottle(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		w.provider.Throttle = throttle.New(throttle.Config{
			Clock: w.clock, Clients: throttle.Rates{PerSecond: 1, Burst: 10}, Strangers: throttle.Rates{PerSecond: 0.4, Burst: 3},
		})
		w.token(w.profile(botAssertion("k-ed", nil), "openid"))
		for range 3 {
			w.refused("a guess", w.post(pathToken, "nobody", "grant_type", grantClientCredentials), http.StatusUnauthorized, codeInvalidClient)
		}
		a := w.post(pathToken, "nobody", "grant_type", grantClientCredentials)
		w.refused("one too many", a, http.StatusTooManyRequests, codeUnavailable)
		if got := a.header.Get("Retry-After"); got != "3" {
			w.Errorf("Retry-After %q", got)
		}
		w.refused("by another name", w.post(pathToken, "jay", "grant_type", grantClientCredentials), http.StatusTooManyRequests, codeUnavailable)
		for range 9 { // the client that is known goes on, until it has asked too often itself
			w.token(w.profile(botAssertion("k-ed", nil), "openid"))
		}
		w.refused("too often", w.profile(botAssertion("k-ed", nil), "openid"), http.StatusTooManyRequests, codeUnavailable)
		w.clock.Advance(2500 * time.Millisecond)
		w.refused("later", w.post(pathToken, "nobody", "grant_type", grantClientCredentials), http.StatusUnauthorized, codeInvalidClient)
		w.token(w.profile(botAssertion("k-ed", nil), "openid"))
	})
}

// TestThrottleOfPublicClients: whoever says to be one, however often, stops nobody at another address.
func TestThrottleOfPublicClients(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.provider.Throttle = throttle.New(throttle.Config{Clock: w.clock, Clients: throttle.Rates{PerSecond: 1, Burst: 3}})
		ask := func(from string) int {
			r := httptest.NewRequestWithContext(w.Context(), http.MethodPost, "http://a.example"+pathToken, strings.NewReader("grant_type="+grantRefreshToken+"&client_id=spa&refresh_token=x"))
			r.Header.Set("Content-Type", formType)
			r.RemoteAddr = from
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			return rec.Code
		}
		for range 3 {
			if got := ask("192.0.2.1:1"); got != http.StatusBadRequest {
				w.Errorf("%d", got)
			}
		}
		if got := ask("192.0.2.1:2"); got != http.StatusTooManyRequests {
			w.Errorf("too often: %d", got)
		}
		for range 2 {
			if got := ask("192.0.2.2:1"); got != http.StatusBadRequest {
				w.Errorf("from elsewhere: %d", got)
			}
		}
	})
}
