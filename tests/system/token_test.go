package system_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"castellan/internal/server"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// keyring is one user for each kind of key.
type keyring struct{ rsa, ec256, ec384, ed kit.User }

func newKeyring(t *testing.T) keyring {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyring{kit.User{Name: "rsa", Key: r}, kit.NewUser("ec256"), kit.User{Name: "ec384", Key: ec}, kit.User{Name: "ed", Key: ed}}
}

// start runs a node that knows the users beside its own.
func (k keyring) start(t *testing.T, b *kit.Backend) *kit.Node {
	return b.Start(t, func(c *server.Config) {
		for _, u := range []kit.User{k.rsa, k.ec256, k.ec384, k.ed} {
			c.SystemUsers = append(c.SystemUsers, u.Config())
		}
	})
}

// good is a token of a user that is in order, with the algorithm given.
func good(u kit.User, alg string) kit.JWT {
	return kit.JWT{Header: map[string]any{"alg": alg, "typ": "JWT"}, Claims: u.Claims(), Key: u.Key}
}

// goodTokens are all ways to make a token that is accepted (contract section 4).
func (k keyring) goodTokens(t *testing.T) map[string]string {
	t.Helper()
	base := good(k.ec256, "ES256")
	kid := good(k.ec256, "ES256")
	kid.Header["kid"] = "whatever"
	return map[string]string{
		"RS256": good(k.rsa, "RS256").Sign(t), "PS256": good(k.rsa, "PS256").Sign(t),
		"ES256": base.Sign(t), "ES384": good(k.ec384, "ES384").Sign(t), "EdDSA": good(k.ed, "EdDSA").Sign(t),
		"aud in a list":    base.With(map[string]any{"aud": []string{"https://other.example", kit.Issuer}}).Sign(t),
		"far expiry":       base.With(map[string]any{"exp": time.Now().Add(1000 * time.Hour).Unix()}).Sign(t),
		"almost an hour":   base.With(map[string]any{"iat": time.Now().Add(-59 * time.Minute).Unix()}).Sign(t),
		"fractions":        base.With(map[string]any{"iat": float64(time.Now().UnixMilli()-1500) / 1000}).Sign(t),
		"with kid":         kid.Sign(t),
		"with nbf and jti": base.With(map[string]any{"nbf": time.Now().Add(-time.Minute).Unix(), "jti": "1"}).Sign(t),
	}
}

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		k := newKeyring(t)
		n := k.start(t, b)
		for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
			for name, token := range k.goodTokens(t) {
				for range 2 { // the second is remembered
					a := w.Send(t, n.Client, kit.Call{Method: "GetInstance", Request: unknown, Token: token}, nil)
					if a.Code != codes.NotFound {
						t.Errorf("%s over %s: %v", name, w.Name, a)
					}
				}
			}
		}
	})
}

// unknown asks for an instance that does not exist.
var unknown = &systemv1.GetInstanceRequest{InstanceId: "404"}

// badTokens are tokens of which exactly one thing is wrong.
func (k keyring) badTokens(t *testing.T) map[string]string {
	t.Helper()
	base := good(k.ec256, "ES256")
	now := time.Now()
	with := func(claims map[string]any) string { return base.With(claims).Sign(t) }
	head := func(header map[string]any, key any) string {
		j := kit.JWT{Header: header, Claims: k.rsa.Claims(), Key: key}
		return j.Sign(t)
	}
	other := kit.NewUser("ec256")
	jwk := func(u kit.User) map[string]any {
		point, err := u.Key.Public().(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		encode := base64.RawURLEncoding.EncodeToString
		return map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}
	}
	parts := strings.Split(base.Sign(t), ".")
	flipped := "A"
	if parts[2][10] == 'A' {
		flipped = "B"
	}
	twice := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","alg":"ES256"}`))
	secret := []byte(k.rsa.PublicPEM())
	claims, err := json.Marshal(base.With(map[string]any{"exp": now.Add(50 * time.Minute).Unix()}).Claims)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"expired": with(map[string]any{"exp": now.Add(-time.Minute).Unix()}), "expires now": with(map[string]any{"exp": now.Unix()}),
		"no exp": with(map[string]any{"exp": nil}), "exp is text": with(map[string]any{"exp": "tomorrow"}),
		"exp null": with(map[string]any{"exp": json.RawMessage("null")}), "exp is huge": with(map[string]any{"exp": 1e300}),
		"iat in the future": with(map[string]any{"iat": now.Add(time.Minute).Unix()}),
		"iat too old":       with(map[string]any{"iat": now.Add(-time.Hour - 5*time.Second).Unix()}),
		"no iat":            with(map[string]any{"iat": nil}), "iat is negative": with(map[string]any{"iat": -1}),
		"not yet valid":  with(map[string]any{"nbf": now.Add(time.Minute).Unix()}),
		"other audience": with(map[string]any{"aud": "https://other.example"}), "no audience": with(map[string]any{"aud": nil}),
		"audience with a slash": with(map[string]any{"aud": kit.Issuer + "/"}), "https audience": with(map[string]any{"aud": "https://" + kit.Domain}),
		"audience in capitals": with(map[string]any{"aud": strings.ToUpper(kit.Issuer)}), "empty audience": with(map[string]any{"aud": []string{}}),
		"iss is not sub": with(map[string]any{"sub": "operator"}), "sub is not iss": with(map[string]any{"iss": "operator"}),
		"no iss": with(map[string]any{"iss": nil}), "no sub": with(map[string]any{"sub": nil}),
		"neither":             with(map[string]any{"iss": nil, "sub": nil}),
		"unknown user":        with(map[string]any{"iss": "nobody", "sub": "nobody"}),
		"user in capitals":    with(map[string]any{"iss": "EC256", "sub": "EC256"}),
		"key of another user": with(map[string]any{"iss": "operator", "sub": "operator"}),
		"foreign key":         good(other, "ES256").Sign(t),
		"none":                head(map[string]any{"alg": "none"}, nil), "None": head(map[string]any{"alg": "None"}, nil),
		"NONE": head(map[string]any{"alg": "NONE"}, nil), "no alg": head(map[string]any{}, nil),
		"HMAC with the public key":         head(map[string]any{"alg": "HS256"}, secret),
		"HMAC with the trimmed public key": head(map[string]any{"alg": "HS256"}, []byte(strings.TrimSpace(string(secret)))),
		"HMAC that says RS256":             head(map[string]any{"alg": "RS256"}, secret),
		"ES256 for an RSA user":            head(map[string]any{"alg": "ES256"}, k.ec256.Key),
		"RS512":                            head(map[string]any{"alg": "RS512"}, k.rsa.Key),
		"ES384 by a P-256 user":            kit.JWT{Header: map[string]any{"alg": "ES384"}, Claims: k.ec256.Claims(), Key: k.ec384.Key}.Sign(t),
		"brings its own key":               kit.JWT{Header: map[string]any{"alg": "ES256", "jwk": jwk(other)}, Claims: k.ec256.Claims(), Key: other.Key}.Sign(t),
		"points to a key":                  kit.JWT{Header: map[string]any{"alg": "ES256", "jku": "http://127.0.0.1:1/"}, Claims: k.ec256.Claims(), Key: other.Key}.Sign(t),
		"critical header":                  kit.JWT{Header: map[string]any{"alg": "ES256", "crit": []string{"x"}, "x": 1}, Claims: k.ec256.Claims(), Key: k.ec256.Key}.Sign(t),
		"no signature":                     parts[0] + "." + parts[1] + ".", "two parts": parts[0] + "." + parts[1],
		"four parts": strings.Join(parts, ".") + ".x", "five parts": strings.Join(parts, ".") + ".x.y",
		"other claims, same signature": parts[0] + "." + base64.RawURLEncoding.EncodeToString(claims) + "." + parts[2],
		"a bit of the signature":       parts[0] + "." + parts[1] + "." + parts[2][:10] + flipped + parts[2][11:],
		"padded":                       strings.Join(parts, ".") + "==", "standard base64": parts[0] + "+." + parts[1] + "." + parts[2],
		"alg twice":         twice + "." + parts[1] + "." + parts[2],
		"claims are a list": parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`[]`)) + "." + parts[2],
		"no token":          "x", "dots": "..", "JSON": `{"payload":"x"}`, "too long": strings.Repeat("x", 9<<10) + ".x.x",
		"a token of an instance": "cstl_pat_0000000000000000000000000000000000000000000000000",
	}
}

// TestBadTokens breaks each check of tokens, one at a time.
func TestBadTokens(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		k := newKeyring(t)
		n := k.start(t, b)
		before := kit.Counts(t, n.DB())
		for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
			for name, token := range k.badTokens(t) {
				a := w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: kit.Machine("Acme"), Token: token}, nil)
				checkUnknownCaller(t, name, w, a, "AUTH-7fs1e", "Errors.Token.Invalid (AUTH-7fs1e)")
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

func checkUnknownCaller(t *testing.T, name string, w kit.Wire, a kit.Answer, id, message string) {
	t.Helper()
	if a.Code != codes.Unauthenticated || a.ID != id || a.Message != message || len(a.Fields) != 0 {
		t.Errorf("%s over %s: %v, want %q", name, w.Name, a, message)
	}
	if a.HTTP != 0 && w.Name == "rest" && (a.HTTP != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != message) {
		t.Errorf("%s over %s: status %d, WWW-Authenticate %q", name, w.Name, a.HTTP, a.Header.Get("WWW-Authenticate"))
	}
}

// TestAuthorizationHeaders: one value, "Bearer " in this case, once.
func TestAuthorizationHeaders(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		token := kit.Operator().Token(t)
		for name, values := range map[string][]string{
			"two": {"Bearer " + token, "Bearer " + token}, "two, one of them empty": {"Bearer " + token, ""},
			"lower case": {"bearer " + token}, "capitals": {"BEARER " + token}, "twice in one": {"Bearer Bearer " + token},
			"two in one": {"Bearer " + token + ", Bearer " + token}, "the token alone": {token}, "Basic": {"Basic b3BlcmF0b3I6eA=="},
			"another scheme": {"Token " + token}, "scheme alone": {"Bearer"},
		} {
			for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
				a := w.Send(t, n.Client, kit.Call{
					Method: "CreateInstance", Request: kit.Machine("Acme"), Header: http.Header{"Authorization": values},
				}, nil)
				checkUnknownCaller(t, name, w, a, "AUTH-toLo1", "invalid auth header (AUTH-toLo1)")
			}
		}
		for _, header := range []http.Header{nil, {"Authorization": {""}}} {
			for _, w := range kit.Wires() {
				a := w.Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: kit.Machine("Acme"), Header: header}, nil)
				checkUnknownCaller(t, "none", w, a, "", "auth header missing")
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}
