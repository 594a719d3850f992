package systemuser

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// block returns der as PEM.
func block(typ string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

// der returns what a marshalling function of x509 has returned.
func der(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestParsePublicKey(t *testing.T) {
	k := keys()
	from, to := testNow, testNow.Add(time.Hour)
	rsaAlgs := []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
	for name, tt := range map[string]struct {
		text string
		key  crypto.PublicKey
		algs []jose.SignatureAlgorithm
		cert bool
	}{
		"RSA":         {publicPEM(t, k.rsa), k.rsa.Public(), rsaAlgs, false},
		"RSA, PKCS#1": {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)), k.rsa.Public(), rsaAlgs, false},
		"RSA, PKIX in a block of another name": {
			strings.ReplaceAll(publicPEM(t, k.rsa), "PUBLIC KEY", "RSA PUBLIC KEY"), k.rsa.Public(), rsaAlgs, false,
		},
		"P-256":                {publicPEM(t, k.p256), k.p256.Public(), []jose.SignatureAlgorithm{jose.ES256}, false},
		"P-384":                {publicPEM(t, k.p384), k.p384.Public(), []jose.SignatureAlgorithm{jose.ES384}, false},
		"P-521":                {publicPEM(t, k.p521), k.p521.Public(), []jose.SignatureAlgorithm{jose.ES512}, false},
		"Ed25519":              {publicPEM(t, k.ed25519), k.ed25519.Public(), []jose.SignatureAlgorithm{jose.EdDSA}, false},
		"certificate, RSA":     {certificatePEM(t, k.rsa, from, to), k.rsa.Public(), rsaAlgs, true},
		"certificate, Ed25519": {certificatePEM(t, k.ed25519, from, to), k.ed25519.Public(), []jose.SignatureAlgorithm{jose.EdDSA}, true},
		"text around":          {"# ops\n" + publicPEM(t, k.p256) + "\nend\n", k.p256.Public(), []jose.SignatureAlgorithm{jose.ES256}, false},
	} {
		got, err := parsePublicKey([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !tt.key.(interface{ Equal(crypto.PublicKey) bool }).Equal(got.key) || !slices.Equal(got.algorithms, tt.algs) {
			t.Errorf("%s: %T with %v", name, got.key, got.algorithms)
		}
		if got.notAfter.IsZero() == tt.cert || tt.cert && (!got.notBefore.Equal(from) || !got.notAfter.Equal(to)) {
			t.Errorf("%s: valid %s to %s", name, got.notBefore, got.notAfter)
		}
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	k := keys()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkix := func(key any) string { return block("PUBLIC KEY", der(t)(x509.MarshalPKIXPublicKey(key))) }
	pkcs8 := der(t)(x509.MarshalPKCS8PrivateKey(k.rsa))
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 16384), E: 65537}
	const private = "is a private key; configure the public key"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":                      {"", "is not PEM"},
		"text":                       {"ssh-ed25519 AAAAC3 me", "is not PEM"},
		"DER":                        {string(der(t)(x509.MarshalPKIXPublicKey(k.p256.Public()))), "is not PEM"},
		"no key inside":              {block("PUBLIC KEY", []byte("hello")), "is not a public key"},
		"private, PKCS#8":            {block("PRIVATE KEY", pkcs8), private},
		"private, PKCS#1":            {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa)), private},
		"private, SEC 1":             {block("EC PRIVATE KEY", der(t)(x509.MarshalECPrivateKey(k.p256))), private},
		"private, encrypted":         {block("ENCRYPTED PRIVATE KEY", []byte("hello")), private},
		"private, called public":     {block("PUBLIC KEY", pkcs8), private},
		"private, second":            {publicPEM(t, k.p256) + block("PRIVATE KEY", pkcs8), private},
		"private, after parameters":  {block("EC PARAMETERS", []byte{6, 0}) + block("EC PRIVATE KEY", []byte("x")), private},
		"two keys":                   {publicPEM(t, k.rsa) + publicPEM(t, k.rsa2), "more than one PEM block"},
		"RSA of 1024 bits":           {pkix(small.Public()), "RSA key of 1024 bits, not 2048 to 8192"},
		"RSA of 16385 bits":          {pkix(huge), "RSA key of 16385 bits"},
		"RSA of 1024 bits, cert":     {certificatePEM(t, small, testNow, testNow), "1024 bits"},
		"RSA with exponent 1":        {pkix(&rsa.PublicKey{N: k.rsa.N, E: 1}), "exponent 1"},
		"RSA with an even exponent":  {pkix(&rsa.PublicKey{N: k.rsa.N, E: 4}), "exponent 4"},
		"P-224":                      {pkix(p224.Public()), "is on curve P-224"},
		"X25519, which cannot sign":  {pkix(x25519.PublicKey()), "not RSA, ECDSA or Ed25519"},
		"certificate request inside": {block("CERTIFICATE", []byte("x")), "is not a public key"},
	} {
		got, err := parsePublicKey([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || got.key != nil && got.algorithms != nil {
			t.Errorf("%s: %v, %v; want %q", name, got, err, tt.want)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	k := keys()
	for _, key := range []crypto.Signer{k.rsa, k.p256, k.ed25519} {
		text := publicPEM(f, key)
		f.Add([]byte(text))
		f.Add([]byte(text + text))
	}
	f.Add([]byte(certificatePEM(f, k.p256, testNow, testNow)))
	f.Add([]byte(block("PRIVATE KEY", der(f)(x509.MarshalPKCS8PrivateKey(k.ed25519)))))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxKeyFile {
			return
		}
		if key, err := parsePublicKey(text); err == nil && (key.key == nil || len(key.algorithms) == 0) {
			t.Errorf("%q: accepted without a key", text)
		}
		signer, err := ParsePrivateKey(text)
		if (err == nil) == (signer == nil) {
			t.Errorf("%q: private key %v, %v", text, signer, err)
		}
		if err == nil && bytes.Contains(text, []byte("PUBLIC KEY")) && !bytes.Contains(text, []byte("PRIVATE")) {
			t.Errorf("%q: a public key is accepted as a private one", text)
		}
	})
}
