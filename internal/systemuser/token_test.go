package systemuser

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"castellan/internal/fault"
)

// goodTokens are tokens that must be accepted, with the name of who sends them.
func goodTokens() map[string]struct{ user, token string } {
	k := keys()
	good := func(alg, user string, sign signature) struct{ user, token string } {
		return struct{ user, token string }{user, forge(`{"alg":"`+alg+`"}`, claimsOf(user).String(), sign)}
	}
	ed := func(header string, claims fmt.Stringer) struct{ user, token string } {
		return struct{ user, token string }{"ed25519", forge(header, claims.String(), eddsa(k.Ed25519))}
	}
	const header = `{"alg":"EdDSA","typ":"JWT"}`
	now, claims := testNow.Unix(), claimsOf("ed25519")
	return map[string]struct{ user, token string }{
		"RS256":            good("RS256", "rsa", rs(crypto.SHA256, k.RSA)),
		"PS256":            good("PS256", "rsa", ps256(k.RSA)),
		"ES256":            good("ES256", "p256", es(crypto.SHA256, k.P256)),
		"ES384":            good("ES384", "p384", es(crypto.SHA384, k.P384)),
		"ES512":            good("ES512", "p521", es(crypto.SHA512, k.P521)),
		"EdDSA":            good("EdDSA", "ed25519", eddsa(k.Ed25519)),
		"kid ignored":      ed(`{"alg":"EdDSA","kid":"other"}`, claims),
		"jku ignored":      ed(`{"alg":"EdDSA","jku":"https://evil.example.com"}`, claims),
		"unknown members":  ed(`{"alg":"EdDSA","x":{"y":[1]}}`, claims.With("jti", `"1"`).With("scope", `["a"]`)),
		"list of audience": ed(header, claims.With("aud", `["x","`+testIssuer+`"]`)),
		"times with fractions": ed(header, claims.With("exp", fmt.Sprintf("%d.75", now+60)).
			With("iat", fmt.Sprintf("%d.25", now-60))),
		"exponent":         ed(header, claims.With("exp", "1.9e9")),
		"exp far away":     ed(header, claims.With("exp", "253402300799")),
		"exp just in time": ed(header, claims.With("exp", fmt.Sprint(now+2))),
		"iat a bit ahead":  ed(header, claims.With("iat", fmt.Sprint(now+1))),
		"iat an hour ago":  ed(header, claims.With("iat", fmt.Sprint(now-3600))),
		"nbf a bit ahead":  ed(header, claims.With("nbf", fmt.Sprint(now+1))),
		"nbf past":         ed(header, claims.With("nbf", fmt.Sprint(now-1000))),
		"nbf null":         ed(header, claims.With("nbf", "null")),
	}
}

func TestVerifyAccepts(t *testing.T) {
	r, _ := newTestRegistry(t)
	for name, tt := range goodTokens() {
		for _, visit := range []string{"first", "second"} {
			caller, err := r.Verify(t.Context(), tt.token)
			if err != nil || string(caller.Name) != tt.user {
				t.Errorf("%s, %s time: %q, %v; want %q", name, visit, caller.Name, err, tt.user)
			}
		}
	}
}

// assertRefused checks the one answer to every bad token, and that the log learns why.
func assertRefused(t *testing.T, r *Registry, name, token, cause string) {
	t.Helper()
	caller, err := r.Verify(t.Context(), token)
	if caller.Name != "" || caller.Memberships != nil {
		t.Errorf("%s: accepted as %v", name, caller)
		return
	}
	f := fault.Of(err)
	if f.Kind != fault.Unauthenticated || f.Public() != "Errors.Token.Invalid (AUTH-7fs1e)" {
		t.Errorf("%s: answer %q of kind %d", name, f.Public(), f.Kind)
	}
	if f.Unwrap() == nil || !strings.Contains(f.Unwrap().Error(), cause) {
		t.Errorf("%s: cause %v, want %q", name, f.Unwrap(), cause)
	}
	if len(token) > 20 && strings.Contains(err.Error(), token) || len(err.Error()) > 1000 {
		t.Errorf("%s: the error quotes the token or is endless: %d bytes", name, len(err.Error()))
	}
}

func TestVerifyRefusesClaims(t *testing.T) {
	r, _ := newTestRegistry(t)
	now, claims := testNow.Unix(), claimsOf("ed25519")
	for name, tt := range map[string]struct {
		claims string
		cause  string
	}{
		"no aud":          {claims.With("aud", "").String(), "aud"},
		"other aud":       {claims.With("aud", `"https://other.example.com"`).String(), "aud"},
		"aud with slash":  {claims.With("aud", `"`+testIssuer+`/"`).String(), "aud"},
		"aud with port":   {claims.With("aud", `"`+testIssuer+`:443"`).String(), "aud"},
		"aud in capitals": {claims.With("aud", `"`+strings.ToUpper(testIssuer)+`"`).String(), "aud"},
		"aud empty list":  {claims.With("aud", `[]`).String(), "aud"},
		"aud of numbers":  {claims.With("aud", `[1]`).String(), "claims:"},
		"aud an object":   {claims.With("aud", `{"a":"`+testIssuer+`"}`).String(), "claims:"},
		"no exp":          {claims.With("exp", "").String(), "exp is missing"},
		"exp null":        {claims.With("exp", "null").String(), "exp is missing"},
		"exp past":        {claims.With("exp", fmt.Sprint(now-1)).String(), "has passed"},
		"exp now":         {claims.With("exp", fmt.Sprint(now)).String(), "has passed"},
		"exp in a second": {claims.With("exp", fmt.Sprint(now+1)).String(), "has passed"},
		"exp a string":    {claims.With("exp", fmt.Sprintf(`"%d"`, now+60)).String(), "claims:"},
		"exp negative":    {claims.With("exp", "-1").String(), "has passed"},
		"exp overflows":   {claims.With("exp", "1e300").String(), "claims:"},
		"no iat":          {claims.With("iat", "").String(), "iat is missing"},
		"iat ahead":       {claims.With("iat", fmt.Sprint(now+2)).String(), "iat"},
		"iat too old":     {claims.With("iat", fmt.Sprint(now-3601)).String(), "more than 1h0m0s ago"},
		"iat zero":        {claims.With("iat", "0").String(), "ago"},
		"iat a string":    {claims.With("iat", `"now"`).String(), "claims:"},
		"nbf ahead":       {claims.With("nbf", fmt.Sprint(now+2)).String(), "nbf"},
		"nbf overflows":   {claims.With("nbf", "1e19").String(), "claims:"},
		"no iss":          {claims.With("iss", "").String(), "is not sub"},
		"no sub":          {claims.With("sub", "").String(), "is not sub"},
		"no name at all":  {claims.With("sub", "").With("iss", "").String(), "no system user"},
		"iss is not sub":  {claims.With("iss", `"rsa"`).String(), "is not sub"},
		"sub is not iss":  {claims.With("sub", `"rsa"`).String(), "is not sub"},
		"in capitals":     {claims.With("iss", `"ED25519"`).With("sub", `"ED25519"`).String(), "no system user"},
		"iss a number":    {claims.With("iss", "1").With("sub", "1").String(), "claims:"},
		"iss twice":       {strings.Replace(claims.String(), "{", `{"iss":"ed25519",`, 1), "duplicate"},
		"exp twice":       {strings.Replace(claims.String(), "{", `{"exp":1,`, 1), "duplicate"},
		"ISS":             {strings.Replace(claims.String(), `"iss"`, `"ISS"`, 1), "is not sub"},
		"EXP":             {strings.Replace(claims.String(), `"exp"`, `"EXP"`, 1), "exp is missing"},
		"empty":           {"", "claims:"},
		"null":            {"null", "aud"},
		"a list":          {"[" + claims.String() + "]", "claims:"},
		"a string":        {`"x"`, "claims:"},
		"two objects":     {claims.String() + claims.String(), "claims:"},
		"cut":             {claims.String()[:60], "claims:"},
		"not UTF-8":       {strings.Replace(claims.String(), "{", "{\"x\":\"\xff\",", 1), "UTF-8"},
		"deep":            {strings.Repeat("[", 5000), "claims:"},
	} {
		assertRefused(t, r, name, forge(`{"alg":"EdDSA"}`, tt.claims, eddsa(keys().Ed25519)), tt.cause)
	}
}

func TestVerifyRefusesHeadersAndKeys(t *testing.T) {
	r, _ := newTestRegistry(t)
	k := keys()
	for name, tt := range map[string]struct {
		user, header string
		sign         signature
		cause        string
	}{
		"none":                       {"ed25519", `{"alg":"none"}`, unsigned, "alg"},
		"None":                       {"ed25519", `{"alg":"None"}`, unsigned, "alg"},
		"none with a signature":      {"ed25519", `{"alg":"none"}`, eddsa(k.Ed25519), "alg"},
		"no alg":                     {"ed25519", `{}`, eddsa(k.Ed25519), "alg"},
		"empty alg":                  {"ed25519", `{"alg":""}`, unsigned, "alg"},
		"alg a number":               {"ed25519", `{"alg":1}`, eddsa(k.Ed25519), "alg"},
		"alg twice":                  {"ed25519", `{"alg":"none","alg":"EdDSA"}`, eddsa(k.Ed25519), "duplicate"},
		"ALG":                        {"ed25519", `{"ALG":"EdDSA"}`, eddsa(k.Ed25519), "alg"},
		"crit":                       {"ed25519", `{"alg":"EdDSA","crit":["x"],"x":1}`, eddsa(k.Ed25519), "crit"},
		"crit empty":                 {"ed25519", `{"alg":"EdDSA","crit":[]}`, eddsa(k.Ed25519), "crit"},
		"crit null":                  {"ed25519", `{"alg":"EdDSA","crit":null}`, eddsa(k.Ed25519), "crit"},
		"crit b64":                   {"ed25519", `{"alg":"EdDSA","crit":["b64"],"b64":false}`, eddsa(k.Ed25519), "crit"},
		"b64":                        {"ed25519", `{"alg":"EdDSA","b64":false}`, eddsa(k.Ed25519), "b64"},
		"header a list":              {"ed25519", `["EdDSA"]`, eddsa(k.Ed25519), "header:"},
		"header empty":               {"ed25519", ``, eddsa(k.Ed25519), "header:"},
		"unsigned":                   {"ed25519", `{"alg":"EdDSA"}`, unsigned, "signature"},
		"HS256, public key, RSA":     {"rsa", `{"alg":"HS256"}`, hs256(publicPEM(t, k.RSA)), "alg"},
		"HS256, public key, Ed25519": {"ed25519", `{"alg":"HS256"}`, hs256(string(k.Ed25519[32:])), "alg"},
		"HS256 that says RS256":      {"rsa", `{"alg":"RS256"}`, hs256(publicPEM(t, k.RSA)), "signature"},
		"RS256 for an EC user":       {"p256", `{"alg":"RS256"}`, rs(crypto.SHA256, k.RSA), "alg"},
		"ES256 for an RSA user":      {"rsa", `{"alg":"ES256"}`, es(crypto.SHA256, k.P256), "alg"},
		"ES256 for a P-384 user":     {"p384", `{"alg":"ES256"}`, es(crypto.SHA256, k.P256), "alg"},
		"ES384 for a P-256 user":     {"p256", `{"alg":"ES384"}`, es(crypto.SHA384, k.P384), "alg"},
		"EdDSA for an RSA user":      {"rsa", `{"alg":"EdDSA"}`, eddsa(k.Ed25519), "alg"},
		"RS512, not agreed":          {"rsa", `{"alg":"RS512"}`, rs(crypto.SHA512, k.RSA), "alg"},
		"RS384, not agreed":          {"rsa", `{"alg":"RS384"}`, rs(crypto.SHA384, k.RSA), "alg"},
		"another user's RSA key":     {"rsa", `{"alg":"RS256"}`, rs(crypto.SHA256, k.RSA2), "signature"},
		"another user's PSS key":     {"rsa", `{"alg":"PS256"}`, ps256(k.RSA2), "signature"},
		"PS256 that says RS256":      {"rsa", `{"alg":"RS256"}`, ps256(k.RSA), "signature"},
		"unknown user":               {"nobody", `{"alg":"RS256"}`, rs(crypto.SHA256, k.RSA), "no system user"},
	} {
		assertRefused(t, r, name, forge(tt.header, claimsOf(tt.user).String(), tt.sign), tt.cause)
	}
}

// TestVerifyIgnoresEmbeddedKeys lets a token bring the key that verifies it.
func TestVerifyIgnoresEmbeddedKeys(t *testing.T) {
	r, _ := newTestRegistry(t)
	k := keys()
	point, err := k.P256.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	key := base64.RawURLEncoding.EncodeToString(point[1:33]) + `","y":"` +
		base64.RawURLEncoding.EncodeToString(point[33:])
	certificate := strings.Join(strings.Split(strings.TrimSpace(
		certificatePEM(t, k.RSA2, testNow, testNow.Add(time.Hour))), "\n")[1:], "")
	certificate, _, _ = strings.Cut(certificate, "-")
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Reload([]Config{
		{Name: "p256", KeyData: publicPEM(t, p256)}, {Name: "rsa", KeyData: publicPEM(t, k.RSA)},
	}); err != nil {
		t.Fatal(err)
	}
	jwk := `{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"` + key + `"}}`
	x5c := `{"alg":"RS256","x5c":["` + certificate + `"]}`
	assertRefused(t, r, "jwk", forge(jwk, claimsOf("p256").String(), es(crypto.SHA256, k.P256)), "signature")
	assertRefused(t, r, "x5c", forge(x5c, claimsOf("rsa").String(), rs(crypto.SHA256, k.RSA2)), "signature")
	// The same headers do no harm when the right key signs, which shows that they were read.
	for name, token := range map[string]string{
		"jwk": forge(jwk, claimsOf("p256").String(), es(crypto.SHA256, p256)),
		"x5c": forge(x5c, claimsOf("rsa").String(), rs(crypto.SHA256, k.RSA)),
	} {
		if _, err := r.Verify(t.Context(), token); err != nil {
			t.Errorf("%s ignored: %v", name, err)
		}
	}
}

func TestVerifyRefusesForms(t *testing.T) {
	r, _ := newTestRegistry(t)
	good := goodTokens()["EdDSA"].token
	parts := strings.Split(good, ".")
	long := claimsOf("ed25519").With("pad", `"`+strings.Repeat("x", MaxToken)+`"`).String()
	for name, tt := range map[string]struct{ token, cause string }{
		"empty":         {"", "three parts"},
		"no dots":       {"abc", "three parts"},
		"two parts":     {parts[0] + "." + parts[1], "three parts"},
		"four parts":    {good + ".", "three parts"},
		"five parts":    {good + ".e30.e30", "three parts"},
		"only dots":     {"..", "header"},
		"detached":      {parts[0] + ".." + parts[2], "claims"},
		"no signature":  {parts[0] + "." + parts[1] + ".", "signature"},
		"padded":        {good + "=", "base64url"},
		"space before":  {" " + good, "base64url"},
		"space after":   {good + " ", "base64url"},
		"newline":       {good + "\n", "line break"},
		"newline ahead": {"\r\n" + good, "line break"},
		"std alphabet":  {strings.Replace(good, ".", "+.", 1), "base64url"},
		"scheme twice":  {"Bearer " + good, "base64url"},
		"general JSON": {`{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] +
			`","signature":"` + parts[2] + `"}]}`, "three parts"},
		"flattened JSON": {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` +
			parts[2] + `"}`, "three parts"},
		"too long": {forge(`{"alg":"EdDSA"}`, long, eddsa(keys().Ed25519)), "bytes, more than 8192"},
	} {
		assertRefused(t, r, name, tt.token, tt.cause)
	}
	if _, err := r.Verify(t.Context(), good); err != nil {
		t.Errorf("the good token: %v", err)
	}
}

// TestVerifyRefusesEveryChangedByte flips each character of good tokens to others: no other
// spelling of a token is accepted, not even one that decodes to the same bytes.
func TestVerifyRefusesEveryChangedByte(t *testing.T) {
	r, _ := newTestRegistry(t)
	tokens := goodTokens()
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		token := tokens[alg].token
		if _, err := r.Verify(t.Context(), token); err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		for i := range len(token) {
			for _, b := range []byte{token[i] ^ 1, token[i] ^ 2, token[i] + 1, 'A', '.', 0xff} {
				changed := token[:i] + string([]byte{b}) + token[i+1:]
				if changed == token {
					continue
				}
				if _, err := r.Verify(t.Context(), changed); fault.KindOf(err) != fault.Unauthenticated {
					t.Fatalf("%s: byte %d %q -> %q: err = %v", alg, i, token[i], b, err)
				}
			}
			if _, err := r.Verify(t.Context(), token[:i]); err == nil {
				t.Fatalf("%s: the first %d bytes are accepted", alg, i)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	r, _ := newTestRegistry(f)
	good := make(map[string]bool)
	for _, tt := range goodTokens() {
		good[tt.token] = true
		f.Add(tt.token)
	}
	f.Add("..")
	f.Add(forge(`{"alg":"none"}`, claimsOf("rsa").String(), unsigned))
	f.Add(forge(`{"alg":"HS256","crit":["b64"],"b64":false}`, `{"aud":[],"exp":1e400}`, hs256("x")))
	f.Fuzz(func(t *testing.T, token string) {
		caller, err := r.Verify(t.Context(), token)
		if err == nil && !good[token] {
			t.Errorf("%q is accepted as %q", token, caller.Name)
		}
		if err != nil && fault.Of(err).ID != "AUTH-7fs1e" {
			t.Errorf("%q: %v", token, err)
		}
	})
}
