package signing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"castellan/internal/ident"
	"castellan/internal/webkey"
)

const claims = `{"sub":"1"}`

// signers has a key of each algorithm.
var signers = sync.OnceValue(func() map[webkey.Algorithm]*Signer {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	all := make(map[webkey.Algorithm]*Signer)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	for _, a := range []webkey.Algorithm{webkey.RS256, webkey.RS384, webkey.RS512} {
		all[a] = &Signer{id: ident.KeyID("k-" + a), algorithm: a, key: r}
	}
	for a, curve := range map[webkey.Algorithm]elliptic.Curve{
		webkey.ES256: elliptic.P256(), webkey.ES384: elliptic.P384(), webkey.ES512: elliptic.P521(),
	} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
		all[a] = &Signer{id: ident.KeyID("k-" + a), algorithm: a, key: key}
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	all[webkey.EdDSA] = &Signer{id: "k-EdDSA", algorithm: webkey.EdDSA, key: e}
	return all
})

// public is the half of a signer that verifies.
func (s *Signer) public() publicKey { return publicKey{s.id, s.algorithm, s.key.Public()} }

// check parses and verifies a token with one key.
func check(compact string, p publicKey) error {
	t, err := parse(compact)
	if err == nil {
		err = t.verify(p)
	}
	return err
}

// TestOthersVerifyWhatIsSigned: the tokens are those of the standard, for a library that knows nothing of us.
func TestOthersVerifyWhatIsSigned(t *testing.T) {
	for a, s := range signers() {
		compact, err := s.Sign("at+jwt", []byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(a)})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify(s.key.Public())
		if err != nil || string(payload) != claims {
			t.Errorf("%s: %q, %v", a, payload, err)
		}
		h := jws.Signatures[0].Protected
		if h.KeyID != string(s.id) || h.Algorithm != string(a) || h.ExtraHeaders["typ"] != "at+jwt" {
			t.Errorf("%s: header %+v", a, h)
		}
		if err := check(compact, s.public()); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// forge signs any header with the key of a signer.
func (s *Signer) forge(t testing.TB, head string) string {
	signed := encoding.EncodeToString([]byte(head)) + "." + encoding.EncodeToString([]byte(claims))
	signature, err := s.sign([]byte(signed))
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encoding.EncodeToString(signature)
}

func TestOnlyOurHeadersVerify(t *testing.T) {
	s := signers()[webkey.ES256]
	const good = `{"alg":"ES256","kid":"k-ES256","typ":"JWT"}`
	if err := check(s.forge(t, good), s.public()); err != nil {
		t.Fatal(err)
	}
	for name, head := range map[string]string{
		"none":          `{"alg":"none","kid":"k-ES256","typ":"JWT"}`,
		"None":          `{"alg":"None","kid":"k-ES256","typ":"JWT"}`,
		"another alg":   `{"alg":"ES384","kid":"k-ES256","typ":"JWT"}`,
		"a symmetric":   `{"alg":"HS256","kid":"k-ES256","typ":"JWT"}`,
		"another kid":   `{"alg":"ES256","kid":"k-ES384","typ":"JWT"}`,
		"no kid":        `{"alg":"ES256","typ":"JWT"}`,
		"critical":      `{"alg":"ES256","kid":"k-ES256","typ":"JWT","crit":["b64"],"b64":false}`,
		"a key of its":  `{"alg":"ES256","kid":"k-ES256","typ":"JWT","jwk":{}}`,
		"alg twice":     `{"alg":"none","alg":"ES256","kid":"k-ES256","typ":"JWT"}`,
		"another order": `{"kid":"k-ES256","alg":"ES256","typ":"JWT"}`,
		"spaces":        `{"alg": "ES256","kid":"k-ES256","typ":"JWT"}`,
		"other letters": `{"ALG":"ES256","kid":"k-ES256","typ":"JWT"}`,
		"no object":     `"ES256"`,
		"no JSON":       `ES256`,
		"empty":         ``,
	} {
		if err := check(s.forge(t, head), s.public()); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyOneTextIsTheToken(t *testing.T) {
	for _, s := range signers() {
		compact, err := s.Sign("JWT", []byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(compact, ".")
		none := encoding.EncodeToString([]byte(`{"alg":"none","kid":"` + string(s.id) + `","typ":"JWT"}`))
		for name, other := range map[string]string{
			"empty": "", "dots": "..", "two parts": parts[0] + "." + parts[1], "four parts": compact + ".",
			"no signature": parts[0] + "." + parts[1] + ".", "unsigned": none + "." + parts[1] + ".",
			"padding": compact + "=", "a line end": compact + "\n", "a line end within": parts[0] + "\r\n." + parts[1] + "." + parts[2],
			"other claims":   parts[0] + "." + encoding.EncodeToString([]byte(`{"sub":"2"}`)) + "." + parts[2],
			"half of it":     compact[:len(compact)-len(parts[2])/2],
			"long":           compact + strings.Repeat("A", maxToken),
			"a zero appends": compact + "AA",
		} {
			if err := check(other, s.public()); !errors.Is(err, ErrToken) {
				t.Errorf("%s, %s: %v", s.algorithm, name, err)
			}
		}
		for a, other := range signers() {
			if a == s.algorithm {
				continue
			}
			if err := check(compact, other.public()); !errors.Is(err, ErrToken) {
				t.Errorf("%s verifies with the key of %s: %v", s.algorithm, a, err)
			}
			sameKind := strings.HasPrefix(string(a), "RS") && strings.HasPrefix(string(s.algorithm), "RS")
			if fits(s.algorithm, other.key.Public()) != sameKind {
				t.Errorf("a key of %s fits %s: %t", a, s.algorithm, !sameKind)
			}
		}
	}
}

func TestHashesOfClaims(t *testing.T) {
	for a, want := range map[webkey.Algorithm]string{
		webkey.RS256: "SHA-256", webkey.ES384: "SHA-384", webkey.RS512: "SHA-512", webkey.EdDSA: "SHA-512",
	} {
		if got := signers()[a].Hash().String(); got != want {
			t.Errorf("%s: %s", a, got)
		}
	}
}

// FuzzParse: whatever is parsed has one text, and what verifies is what the key signs.
func FuzzParse(f *testing.F) {
	s := signers()[webkey.EdDSA]
	good, err := s.Sign("JWT", []byte(claims))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, "", "..", "a.b.c", good + "=", strings.Repeat("A", maxToken+1), `eyJhbGciOiJub25lIn0..`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, compact string) {
		tok, err := parse(compact)
		if err != nil {
			if !errors.Is(err, ErrToken) {
				t.Fatal(err)
			}
			return
		}
		if text := encoding.EncodeToString(tok.head) + "." + encoding.EncodeToString(tok.claims) + "." + encoding.EncodeToString(tok.signature); text != compact {
			t.Fatalf("%q is written as %q too", compact, text)
		}
		if tok.verify(s.public()) != nil {
			return
		}
		if again, err := s.Sign(tok.typ, tok.claims); err != nil || again != compact { // Ed25519 signs the same way each time
			t.Fatalf("%q verifies, and is not what is signed: %q", compact, again)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	bench(b, func(s *Signer, _ string) { _, _ = s.Sign("JWT", []byte(claims)) })
}
func BenchmarkVerify(b *testing.B) { bench(b, func(s *Signer, t string) { _ = check(t, s.public()) }) }

// BenchmarkJose is the same with a library, for comparison.
func BenchmarkJose(b *testing.B) {
	b.Run("sign", func(b *testing.B) {
		bench(b, func(s *Signer, _ string) {
			k := jose.JSONWebKey{Key: s.key, KeyID: string(s.id)}
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.algorithm), Key: k},
				(&jose.SignerOptions{}).WithType("JWT"))
			if err != nil {
				b.Fatal(err)
			}
			jws, err := signer.Sign([]byte(claims))
			if err != nil {
				b.Fatal(err)
			}
			_, _ = jws.CompactSerialize()
		})
	})
	b.Run("verify", func(b *testing.B) {
		bench(b, func(s *Signer, t string) {
			jws, err := jose.ParseSignedCompact(t, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.algorithm)})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := jws.Verify(s.key.Public()); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func bench(b *testing.B, fn func(s *Signer, compact string)) {
	for _, a := range []webkey.Algorithm{webkey.RS256, webkey.ES256, webkey.EdDSA} {
		b.Run(string(a), func(b *testing.B) {
			s := signers()[a]
			compact, err := s.Sign("JWT", []byte(claims))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				fn(s, compact)
			}
		})
	}
}
