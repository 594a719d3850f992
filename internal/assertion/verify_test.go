package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"castellan/internal/assertion/assertiontest"
)

// signatures are good tokens of each algorithm, with their keys.
func signatures(t testing.TB) map[string]struct {
	key  Key
	text string
} {
	t.Helper()
	k := keys()
	all := make(map[string]struct {
		key  Key
		text string
	})
	claims := assertiontest.Claims("42", issuer, testNow).String()
	for alg, of := range map[string]struct {
		key  crypto.Signer
		sign assertiontest.Signature
	}{
		"RS256": {k.RSA, assertiontest.RS(crypto.SHA256, k.RSA)}, "PS256": {k.RSA, assertiontest.PS256(k.RSA)},
		"ES256": {k.P256, assertiontest.ES(crypto.SHA256, k.P256)}, "ES384": {k.P384, assertiontest.ES(crypto.SHA384, k.P384)},
		"ES512": {k.P521, assertiontest.ES(crypto.SHA512, k.P521)}, "EdDSA": {k.Ed25519, assertiontest.EdDSA(k.Ed25519)},
	} {
		key, err := NewKey(of.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		all[alg] = struct {
			key  Key
			text string
		}{key, assertiontest.Forge(fmt.Sprintf(`{"alg":%q}`, alg), claims, of.sign)}
	}
	return all
}

func TestVerify(t *testing.T) {
	all := signatures(t)
	for alg, good := range all {
		if err := good.key.Verify(good.text); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		for other, of := range all {
			if of.key.Fingerprint != good.key.Fingerprint && of.key.Verify(good.text) == nil {
				t.Errorf("%s verifies with the key of %s", alg, other)
			}
		}
		for i := range len(good.text) {
			changed := good.text[:i] + string([]byte{good.text[i] ^ 1}) + good.text[i+1:]
			if good.key.Verify(changed) == nil {
				t.Errorf("%s: byte %d does not count", alg, i)
			}
		}
		parts := strings.Split(good.text, ".")
		for name, text := range map[string]string{
			"empty": "", "a dot": ".", "no signature": parts[0] + "." + parts[1] + ".", "two parts": parts[0] + "." + parts[1],
			"a byte more": good.text + "AA", "a byte less": good.text[:len(good.text)-2], "padded": good.text + "=",
			"a zero before": parts[0] + "." + parts[1] + ".AA" + parts[2], "four parts": good.text + "." + parts[2],
			"huge": parts[0] + "." + strings.Repeat("A", MaxSize) + "." + parts[2],
		} {
			if err := good.key.Verify(text); err == nil {
				t.Errorf("%s, %s: verifies", alg, name)
			}
		}
	}
}

// TestVerifyForged: everything here is signed by the holder of the key, or would be if the token could say
// how it is verified; and what is refused here another library refuses as well.
func TestVerifyForged(t *testing.T) {
	k := keys()
	claims := assertiontest.Claims("42", issuer, testNow).String()
	rs, es := assertiontest.RS(crypto.SHA256, k.RSA), assertiontest.ES(crypto.SHA256, k.P256)
	for name, tt := range map[string]struct {
		key    crypto.Signer
		header string
		sign   assertiontest.Signature
	}{
		"none":                    {k.RSA, `{"alg":"none"}`, assertiontest.Unsigned},
		"no alg":                  {k.RSA, `{}`, rs},
		"alg in capitals":         {k.RSA, `{"ALG":"RS256"}`, rs},
		"alg in small letters":    {k.RSA, `{"alg":"rs256"}`, rs},
		"alg twice":               {k.RSA, `{"alg":"RS256","alg":"RS256"}`, rs},
		"alg twice, an escape":    {k.RSA, `{"alg":"RS256","\u0061lg":"RS256"}`, rs},
		"another member twice":    {k.RSA, `{"alg":"RS256","kid":"1","kid":"2"}`, rs},
		"alg is a list":           {k.RSA, `{"alg":["RS256"]}`, rs},
		"alg is null":             {k.RSA, `{"alg":null}`, rs},
		"the public key a secret": {k.RSA, `{"alg":"HS256"}`, assertiontest.HS256(publicPEM(t, k.RSA))},
		"RS384":                   {k.RSA, `{"alg":"RS384"}`, assertiontest.RS(crypto.SHA384, k.RSA)},
		"RS384 called RS256":      {k.RSA, `{"alg":"RS256"}`, assertiontest.RS(crypto.SHA384, k.RSA)},
		"PS256 called RS256":      {k.RSA, `{"alg":"RS256"}`, assertiontest.PS256(k.RSA)},
		"RS256 called PS256":      {k.RSA, `{"alg":"PS256"}`, rs},
		"crit":                    {k.RSA, `{"alg":"RS256","crit":["exp"],"exp":1}`, rs},
		"empty crit":              {k.RSA, `{"alg":"RS256","crit":[]}`, rs},
		"crit is a text":          {k.RSA, `{"alg":"RS256","crit":"exp"}`, rs},
		"b64":                     {k.RSA, `{"alg":"RS256","b64":false,"crit":["b64"]}`, rs},
		"a key of its own":        {k.RSA2, `{"alg":"RS256","jwk":{"kty":"oct","k":"AA"}}`, rs},
		"not an object":           {k.RSA, `"RS256"`, rs},
		"more behind":             {k.RSA, `{"alg":"RS256"}{}`, rs},
		"ES384 by P-256":          {k.P256, `{"alg":"ES384"}`, assertiontest.ES(crypto.SHA384, k.P256)},
		"ES256 by P-384":          {k.P384, `{"alg":"ES256"}`, assertiontest.ES(crypto.SHA256, k.P384)},
		"SHA-384 called ES256":    {k.P256, `{"alg":"ES256"}`, assertiontest.ES(crypto.SHA384, k.P256)},
		"in DER": {k.P256, `{"alg":"ES256"}`, func(input []byte) []byte {
			sum := sha256.Sum256(input)
			signature, err := ecdsa.SignASN1(rand.Reader, k.P256, sum[:])
			if err != nil {
				t.Error(err)
			}
			return signature
		}},
		"nothing but zeros": {k.P256, `{"alg":"ES256"}`, func([]byte) []byte { return make([]byte, 64) }},
		"short numbers":     {k.P256, `{"alg":"ES256"}`, func(input []byte) []byte { return es(input)[1:] }},
		"long numbers":      {k.P256, `{"alg":"ES256"}`, func(input []byte) []byte { return append([]byte{0}, es(input)...) }},
		"one number more":   {k.P256, `{"alg":"ES256"}`, func(input []byte) []byte { return append(es(input), make([]byte, 32)...) }},
		"Ed25519":           {k.Ed25519, `{"alg":"Ed25519"}`, assertiontest.EdDSA(k.Ed25519)},
	} {
		key, err := NewKey(tt.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		text := assertiontest.Forge(tt.header, claims, tt.sign)
		if key.Verify(text) == nil {
			t.Errorf("%s: verifies", name)
		}
		if another(&key, text) == nil && name != "empty crit" { // which RFC 7515 section 4.1.11 forbids
			t.Errorf("%s: verifies elsewhere", name)
		}
	}
}

// TestVerifyOneForm: a signature of what has no form that Parse takes does not count either.
func TestVerifyOneForm(t *testing.T) {
	good := signatures(t)["EdDSA"]
	parts := strings.Split(good.text, ".")
	signed := func(text string) string {
		return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(keys().Ed25519, []byte(text)))
	}
	if err := good.key.Verify(signed(parts[0] + "." + parts[1])); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"one part": signed(parts[0]), "three parts": signed(good.text), "a line break": signed(parts[0] + "\n." + parts[1]),
		"a padded header":               signed(base64.URLEncoding.EncodeToString([]byte(`{"alg":"EdDSA" }`)) + "." + parts[1]),
		"a line break in the signature": good.text[:len(good.text)-3] + "\n" + good.text[len(good.text)-3:],
		"a line break at the end":       good.text + "\r\n",
	} {
		if good.key.Verify(text) == nil {
			t.Errorf("%s: verifies", name)
		}
	}
}

// another is Verify by a library that is not ours.
func another(k *Key, text string) error {
	parsed, err := jose.ParseSignedCompact(text, k.algorithms)
	if err == nil {
		_, err = parsed.Verify(k.key)
	}
	return err
}

// TestVerifyAgainstAnother: a library that is not ours says the same about every signature.
func TestVerifyAgainstAnother(t *testing.T) {
	for alg, good := range signatures(t) {
		for _, cut := range []int{0, 1, 7} {
			text := good.text[:len(good.text)-cut]
			err := another(&good.key, text)
			if ours := good.key.Verify(text); (ours == nil) != (err == nil) {
				t.Errorf("%s without its last %d characters: %v, another says %v", alg, cut, ours, err)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	all, texts := signatures(f), make(map[string]bool)
	for _, good := range all {
		texts[good.text] = true
		f.Add(good.text)
	}
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		for alg, good := range all {
			ours := good.key.Verify(text)
			// Of a signature by ECDSA there are two that verify.
			if ours == nil && !texts[text] && !strings.HasPrefix(alg, "ES") {
				t.Errorf("%q verifies as %s", text, alg)
			}
			// Whatever is accepted here the other library accepts too.
			if err := another(&good.key, text); ours == nil && err != nil {
				t.Errorf("%q: %s accepts what another refuses: %v", text, alg, err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for alg, good := range signatures(b) {
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := good.key.Verify(good.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
