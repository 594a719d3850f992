package assertion

import (
	"crypto"
	"strings"
	"testing"
	"time"

	"castellan/internal/assertion/assertiontest"
)

const issuer = "https://iam.example.com"

func TestParse(t *testing.T) {
	claims := assertiontest.Claims("42", issuer, testNow)
	hour := testNow.Add(time.Hour)
	for name, tt := range map[string]struct {
		header, claims string
		want           Assertion
	}{
		"bare":        {`{"alg":"EdDSA"}`, claims.String(), Assertion{Subject: "42", Issued: testNow, Expires: hour}},
		"kid":         {`{"alg":"EdDSA","kid":"7"}`, claims.String(), Assertion{KeyID: "7", Subject: "42", Issued: testNow, Expires: hour}},
		"kid null":    {`{"alg":"EdDSA","kid":null}`, claims.String(), Assertion{Subject: "42", Issued: testNow, Expires: hour}},
		"jti and nbf": {`{"alg":"EdDSA"}`, claims.With("jti", `"a\"b"`).With("nbf", "1").String(), Assertion{Subject: "42", ID: `a"b`, Issued: testNow, Expires: hour, NotBefore: time.Unix(1, 0)}},
		"other aud":   {`{"alg":"EdDSA"}`, claims.With("aud", `["x","https://iam.example.com/oauth/v2/token"]`).String(), Assertion{Subject: "42", Issued: testNow, Expires: hour}},
		"scope":       {`{"alg":"EdDSA"}`, claims.With("scope", `"openid profile"`).String(), Assertion{Subject: "42", Scope: "openid profile", Issued: testNow, Expires: hour}},
		"other scope": {`{"alg":"EdDSA"}`, claims.With("scope", `["openid"]`).String(), Assertion{Subject: "42", Issued: testNow, Expires: hour}},
		"no subject":  {`{"alg":"EdDSA"}`, claims.With("iss", "").With("sub", "").String(), Assertion{Issued: testNow, Expires: hour}},
	} {
		got, err := Parse(assertiontest.Forge(tt.header, tt.claims, assertiontest.Unsigned), issuer, issuer+"/oauth/v2/token")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.KeyID != tt.want.KeyID || got.Subject != tt.want.Subject || got.ID != tt.want.ID || got.Scope != tt.want.Scope ||
			!got.Issued.Equal(tt.want.Issued) || !got.Expires.Equal(tt.want.Expires) || !got.NotBefore.Equal(tt.want.NotBefore) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// TestParseRefuses has what is new here; systemuser tries every claim and header through the whole
// way of a token.
func TestParseRefuses(t *testing.T) {
	claims := assertiontest.Claims("42", issuer, testNow)
	for name, tt := range map[string]struct{ text, want string }{
		"kid a number":   {assertiontest.Forge(`{"alg":"EdDSA","kid":7}`, claims.String(), assertiontest.Unsigned), "header:"},
		"kid twice":      {assertiontest.Forge(`{"alg":"EdDSA","kid":"7","kid":"8"}`, claims.String(), assertiontest.Unsigned), "duplicate"},
		"jti a number":   {assertiontest.Forge(`{"alg":"EdDSA"}`, claims.With("jti", "1").String(), assertiontest.Unsigned), "claims:"},
		"too long":       {assertiontest.Forge(`{"alg":"EdDSA"}`, claims.With("x", `"`+strings.Repeat("x", MaxSize)+`"`).String(), assertiontest.Unsigned), "more than 8192"},
		"header no text": {assertiontest.Forge("{\"alg\":\"EdDSA\",\"x\":\"\xff\"}", claims.String(), assertiontest.Unsigned), "UTF-8"},
		"claims no text": {assertiontest.Forge(`{"alg":"EdDSA"}`, claims.With("x", "\"\xff\"").String(), assertiontest.Unsigned), "UTF-8"},
		"no audiences":   {assertiontest.Forge(`{"alg":"EdDSA"}`, claims.With("aud", "[]").String(), assertiontest.Unsigned), "aud"},
	} {
		if got, err := Parse(tt.text, issuer); err == nil || !strings.Contains(err.Error(), tt.want) || got != (Assertion{}) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, tt.want)
		}
	}
	if _, err := Parse(assertiontest.Forge(`{}`, claims.With("aud", `""`).String(), assertiontest.Unsigned)); err == nil {
		t.Error("a token for nobody is accepted by somebody without a name")
	}
}

func TestValidAt(t *testing.T) {
	good := Assertion{Issued: testNow, Expires: testNow.Add(time.Minute)}
	for name, tt := range map[string]struct {
		change func(*Assertion)
		want   string // empty: valid
	}{
		"good":             {func(*Assertion) {}, ""},
		"exp at the edge":  {func(a *Assertion) { a.Expires = testNow.Add(Skew) }, "exp"},
		"exp just in time": {func(a *Assertion) { a.Expires = testNow.Add(Skew + 1) }, ""},
		"iat at the edge":  {func(a *Assertion) { a.Issued = testNow.Add(Skew) }, ""},
		"iat ahead":        {func(a *Assertion) { a.Issued = testNow.Add(Skew + 1) }, "in the future"},
		"iat an hour ago":  {func(a *Assertion) { a.Issued = testNow.Add(-MaxAge) }, ""},
		"iat too old":      {func(a *Assertion) { a.Issued = testNow.Add(-MaxAge - 1) }, "ago"},
		"nbf at the edge":  {func(a *Assertion) { a.NotBefore = testNow.Add(Skew) }, ""},
		"nbf ahead":        {func(a *Assertion) { a.NotBefore = testNow.Add(Skew + 1) }, "nbf"},
	} {
		a := good
		tt.change(&a)
		err := a.ValidAt(testNow)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestSign(t *testing.T) {
	k := keys()
	for name, key := range map[string]crypto.Signer{"RSA": k.RSA, "P-256": k.P256, "P-384": k.P384, "P-521": k.P521, "Ed25519": k.Ed25519} {
		text, err := Sign(key, "7", "42", issuer, time.Minute, testNow)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, err := Parse(text, issuer)
		if err != nil || a.KeyID != "7" || a.Subject != "42" || a.ValidAt(testNow) != nil {
			t.Errorf("%s: is read as %+v, %v", name, a, err)
		}
		public, err := NewKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := public.Verify(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		other, err := NewKey(k.RSA2.Public())
		if err != nil {
			t.Fatal(err)
		}
		if other.Verify(text) == nil {
			t.Errorf("%s: verified by another key", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	claims := assertiontest.Claims("42", issuer, testNow)
	f.Add(assertiontest.Forge(`{"alg":"EdDSA","kid":"7"}`, claims.String(), assertiontest.EdDSA(keys().Ed25519)))
	f.Add(assertiontest.Forge(`{"alg":"none"}`, claims.With("exp", "1e400").String(), assertiontest.Unsigned))
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text, issuer)
		if err != nil {
			if a != (Assertion{}) {
				t.Errorf("%q: %+v beside an error", text, a)
			}
			if len(text) > 60 && strings.Contains(err.Error(), text) {
				t.Errorf("the error quotes the token: %v", err)
			}
			return
		}
		if len(text) > MaxSize || strings.Count(text, ".") != 2 {
			t.Errorf("%q is accepted", text)
		}
	})
}
