package assertion

import (
	"crypto"
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

// TestVerifyAgainstAnother: a library that is not ours says the same about every signature.
func TestVerifyAgainstAnother(t *testing.T) {
	for alg, good := range signatures(t) {
		for _, cut := range []int{0, 1, 7} {
			text := good.text[:len(good.text)-cut]
			parsed, err := jose.ParseSignedCompact(text, good.key.algorithms)
			if err == nil {
				_, err = parsed.Verify(good.key.key)
			}
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
			parsed, err := jose.ParseSignedCompact(text, good.key.algorithms)
			if err == nil {
				_, err = parsed.Verify(good.key.key)
			}
			if ours == nil && err != nil {
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
