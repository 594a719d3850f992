package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var now = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

const tokenURL = "https://a.example:8443/oauth/v2/token"

// client is a key pair with what its proofs say; tests change a copy.
type client struct {
	t      testing.TB
	alg    jose.SignatureAlgorithm
	key    crypto.Signer
	header map[string]any
	claims map[string]any
}

func newClient(t testing.TB) *client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return clientOf(t, jose.ES256, key)
}

func clientOf(t testing.TB, alg jose.SignatureAlgorithm, key crypto.Signer) *client {
	return &client{
		t: t, alg: alg, key: key,
		header: map[string]any{"typ": "dpop+jwt", "alg": string(alg), "jwk": jose.JSONWebKey{Key: key.Public()}},
		claims: map[string]any{"jti": "1", "htm": "POST", "htu": tokenURL, "iat": now.Unix()},
	}
}

// with returns a client whose proofs have other members; nil leaves one out.
func (c *client) with(part func(*client) map[string]any, name string, value any) *client {
	other := *c
	other.header, other.claims = maps.Clone(c.header), maps.Clone(c.claims)
	if value == nil {
		delete(part(&other), name)
	} else {
		part(&other)[name] = value
	}
	return &other
}

func inHeader(c *client) map[string]any { return c.header }
func inClaims(c *client) map[string]any { return c.claims }

// proof signs what the client says, whatever it is.
func (c *client) proof() string {
	c.t.Helper()
	header, err := json.Marshal(c.header)
	if err != nil {
		c.t.Fatal(err)
	}
	claims, err := json.Marshal(c.claims)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.sign(string(header), string(claims))
}

// sign makes a compact JWS of two texts.
func (c *client) sign(header, claims string) string {
	c.t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signed, err := rawSign(c.alg, c.key, []byte(input))
	if err != nil {
		c.t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signed)
}

// rawSign signs without a header, so that a test can have any header.
func rawSign(alg jose.SignatureAlgorithm, key crypto.Signer, input []byte) ([]byte, error) {
	hash := map[jose.SignatureAlgorithm]crypto.Hash{
		jose.ES256: crypto.SHA256, jose.ES384: crypto.SHA384, jose.ES512: crypto.SHA512,
		jose.RS256: crypto.SHA256, jose.PS256: crypto.SHA256,
	}[alg]
	if k, ok := key.(ed25519.PrivateKey); ok {
		return ed25519.Sign(k, input), nil
	}
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			return nil, err
		}
		size := (k.Curve.Params().BitSize + 7) / 8
		out := make([]byte, 2*size)
		r.FillBytes(out[:size])
		s.FillBytes(out[size:])
		return out, nil
	case *rsa.PrivateKey:
		if alg == jose.PS256 {
			return rsa.SignPSS(rand.Reader, k, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, k, hash, digest)
	}
	return nil, errors.New("no such key")
}

func atToken() Request { return Request{Method: "POST", URL: tokenURL} }

func TestEveryAlgorithmIsTaken(t *testing.T) {
	keys := make(map[jose.SignatureAlgorithm]crypto.Signer)
	for alg, curve := range map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[alg] = key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	modulus, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys[jose.EdDSA], keys[jose.RS256], keys[jose.PS256] = ed, modulus, modulus
	for _, name := range Algorithms() {
		alg := jose.SignatureAlgorithm(name)
		c := clientOf(t, alg, keys[alg])
		got, err := Parse(c.proof(), atToken(), now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		print, err := (&jose.JSONWebKey{Key: c.key.Public()}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		want := Proof{Thumbprint: base64.RawURLEncoding.EncodeToString(print), ID: "1", IssuedAt: now}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestThumbprint is the example of RFC 9449 section 6.1, whose proof stands in section 7.1.
func TestThumbprint(t *testing.T) {
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik" +
		"VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
		"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE" +
		"QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj" +
		"oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z" +
		"WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF" +
		"c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E" +
		"OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	r := Request{
		Method: "GET", URL: "https://resource.example.org/protectedresource",
		Token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
	}
	got, err := Parse(proof, r, time.Unix(1562262618, 0))
	if err != nil || got.Thumbprint != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatIsNoProof(t *testing.T) {
	c := newClient(t)
	other := newClient(t)
	weak := &rsa.PrivateKey{}
	if k, err := rsa.GenerateKey(rand.Reader, 1024); err == nil {
		weak = k
	}
	good := c.proof()
	parts := strings.Split(good, ".")
	private := func(k any) map[string]any {
		text, err := json.Marshal(jose.JSONWebKey{Key: k})
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	public := private(c.key.Public())
	withMember := func(name string) map[string]any {
		m := maps.Clone(public)
		m[name] = "AQAB"
		return m
	}
	for name, proof := range map[string]string{
		"empty":              "",
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         good + ".",
		"long":               c.with(inClaims, "x", strings.Repeat("x", MaxProof)).proof(),
		"line break":         good[:9] + "\n" + good[9:],
		"space":              " " + good,
		"padding":            good + "=",
		"JSON":               `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"no typ":             c.with(inHeader, "typ", nil).proof(),
		"typ JWT":            c.with(inHeader, "typ", "JWT").proof(),
		"typ twice":          c.sign(`{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256","jwk":`+text(t, public)+`}`, text(t, c.claims)),
		"alg none":           base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"none","jwk":`+text(t, public)+`}`)) + "." + parts[1] + ".",
		"alg HS256":          c.with(inHeader, "alg", "HS256").proof(),
		"alg ES384":          c.with(inHeader, "alg", "ES384").proof(),
		"alg RS256":          c.with(inHeader, "alg", "RS256").proof(),
		"alg missing":        c.with(inHeader, "alg", nil).proof(),
		"crit":               c.with(inHeader, "crit", []string{"exp"}).proof(),
		"b64":                c.with(inHeader, "b64", false).proof(),
		"no jwk":             c.with(inHeader, "jwk", nil).proof(),
		"kid alone":          c.with(inHeader, "jwk", nil).with(inHeader, "kid", "1").proof(),
		"jwk null":           c.sign(`{"typ":"dpop+jwt","alg":"ES256","jwk":null}`, text(t, c.claims)),
		"jwk of another":     c.with(inHeader, "jwk", jose.JSONWebKey{Key: other.key.Public()}).proof(),
		"jwk private":        c.with(inHeader, "jwk", private(c.key)).proof(),
		"jwk oct":            c.with(inHeader, "jwk", map[string]any{"kty": "oct", "k": "AQAB"}).proof(),
		"jwk with k":         c.with(inHeader, "jwk", withMember("k")).proof(),
		"jwk with d":         c.with(inHeader, "jwk", withMember("d")).proof(),
		"jwk with x5c":       c.with(inHeader, "jwk", withMember("x5c")).proof(),
		"jwk off its curve":  c.with(inHeader, "jwk", map[string]any{"kty": "EC", "crv": "P-256", "x": public["x"], "y": public["x"]}).proof(),
		"no jti":             c.with(inClaims, "jti", nil).proof(),
		"empty jti":          c.with(inClaims, "jti", "").proof(),
		"long jti":           c.with(inClaims, "jti", strings.Repeat("x", maxID+1)).proof(),
		"jti a number":       c.with(inClaims, "jti", 7).proof(),
		"no htm":             c.with(inClaims, "htm", nil).proof(),
		"htm GET":            c.with(inClaims, "htm", "GET").proof(),
		"htm post":           c.with(inClaims, "htm", "post").proof(),
		"no htu":             c.with(inClaims, "htu", nil).proof(),
		"htu other path":     c.with(inClaims, "htu", tokenURL+"x").proof(),
		"no iat":             c.with(inClaims, "iat", nil).proof(),
		"iat a text":         c.with(inClaims, "iat", "1748779200").proof(),
		"iat negative":       c.with(inClaims, "iat", -1).proof(),
		"iat huge":           c.with(inClaims, "iat", 1e300).proof(),
		"too old":            c.with(inClaims, "iat", now.Add(-MaxAge-time.Second).Unix()).proof(),
		"a fraction too old": c.with(inClaims, "iat", float64(now.Add(-MaxAge).Unix())-0.01).proof(),
		"of the future":      c.with(inClaims, "iat", now.Add(maxAhead+time.Second).Unix()).proof(),
		"claims an array":    c.sign(text(t, c.header), `[]`),
		"claims no JSON":     c.sign(text(t, c.header), `{`),
		"claims twice":       c.sign(text(t, c.header), strings.Replace(text(t, c.claims), `{`, `{"htm":"GET",`, 1)),
	} {
		if got, err := Parse(proof, atToken(), now); !errors.Is(err, ErrProof) || got != (Proof{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if weak.N != nil {
		if _, err := Parse(clientOf(t, jose.RS256, weak).proof(), atToken(), now); !errors.Is(err, ErrProof) {
			t.Errorf("a short modulus: %v", err)
		}
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTimesAtTheEdges(t *testing.T) {
	c := newClient(t)
	for _, at := range []time.Duration{-MaxAge, 0, maxAhead} {
		if _, err := Parse(c.with(inClaims, "iat", now.Add(at).Unix()).proof(), atToken(), now); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	got, err := Parse(c.with(inClaims, "iat", float64(now.Unix())+0.5).proof(), atToken(), now)
	if err != nil || !got.IssuedAt.Equal(now.Add(time.Second/2)) {
		t.Errorf("a fraction: %+v, %v", got, err)
	}
}

func TestURLs(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"https://a.example/t", "https://a.example/t"}:       true,
		{"https://a.example:443/t", "https://a.example/t"}:   true,
		{"http://a.example/t", "http://a.example:80/t"}:      true,
		{"HTTPS://A.example/t", "https://a.example/t"}:       true,
		{"https://a.example/t?x=1#y", "https://a.example/t"}: true,
		{"https://a.example/t", "https://a.example/t?x=1"}:   true,
		{"https://a.example", "https://a.example/"}:          true,
		{"https://[::1]:8443/t", "https://[::1]:8443/t"}:     true,
		{"http://a.example/t", "https://a.example/t"}:        false,
		{"https://a.example/T", "https://a.example/t"}:       false,
		{"https://a.example/t/", "https://a.example/t"}:      false,
		{"https://a.example/%74", "https://a.example/t"}:     false,
		{"https://a.example:8443/t", "https://a.example/t"}:  false,
		{"https://u@a.example/t", "https://a.example/t"}:     false,
		{"https://b.example/t", "https://a.example/t"}:       false,
		{"//a.example/t", "//a.example/t"}:                   false,
		{"/t", "/t"}:                                         false,
		{"ftp://a.example/t", "ftp://a.example/t"}:           false,
		{"https:a.example/t", "https:a.example/t"}:           false,
		{"", ""}:   false,
		{"%", "%"}: false,
	} {
		if got := sameURL(pair[0], pair[1]); got != want {
			t.Errorf("%q and %q: %v", pair[0], pair[1], got)
		}
	}
}

func TestTheTokenIsPartOfIt(t *testing.T) {
	c := newClient(t)
	sum := sha256.Sum256([]byte("token"))
	bound := c.with(inClaims, "ath", base64.RawURLEncoding.EncodeToString(sum[:]))
	r := atToken()
	if _, err := Parse(bound.proof(), r, now); err != nil {
		t.Errorf("an ath without a token: %v", err)
	}
	r.Token = "token"
	if _, err := Parse(bound.proof(), r, now); err != nil {
		t.Error(err)
	}
	if _, err := Parse(c.proof(), r, now); !errors.Is(err, ErrProof) {
		t.Errorf("no ath: %v", err)
	}
	r.Token = "token2"
	if _, err := Parse(bound.proof(), r, now); !errors.Is(err, ErrProof) {
		t.Errorf("the ath of another token: %v", err)
	}
}

// TestEveryByteCounts changes a proof one byte at a time: nothing but the proof itself is one.
func TestEveryByteCounts(t *testing.T) {
	good := newClient(t).proof()
	for i := range good {
		for _, b := range []byte{'A', 'B', 'g', 'w', '-', '_', '.', '=', '\n', 0, good[i] ^ 1, good[i] ^ 2, good[i] ^ 0x20} {
			if b == good[i] {
				continue
			}
			bad := good[:i] + string([]byte{b}) + good[i+1:]
			if _, err := Parse(bad, atToken(), now); !errors.Is(err, ErrProof) {
				t.Fatalf("byte %d as %q: %v", i, b, err)
			}
		}
	}
}

// FuzzParse holds that nothing is accepted but what is signed by the key it carries, and that nothing
// panics.
func FuzzParse(f *testing.F) {
	c := newClient(f)
	good := c.proof()
	f.Add(good)
	f.Add("a.b.c")
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add(c.with(inClaims, "iat", 1e300).proof())
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"none","jwk":{}}`)) + ".e30.")
	f.Fuzz(func(t *testing.T, proof string) {
		if len(proof) > 2*MaxProof {
			t.Skip()
		}
		got, err := Parse(proof, atToken(), now)
		switch {
		case err != nil && (!errors.Is(err, ErrProof) || got != (Proof{})):
			t.Fatalf("%q: %+v, %v", proof, got, err)
		case err == nil && proof != good && len(got.Thumbprint) != 43:
			t.Fatalf("%q is taken for %+v", proof, got)
		}
	})
}
