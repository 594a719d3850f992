package assertion

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

	"castellan/internal/assertion/assertiontest"
)

// What tests of this package use under shorter names.
var (
	keys           = assertiontest.Keys
	publicPEM      = assertiontest.PublicPEM
	certificatePEM = assertiontest.CertificatePEM
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

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

func TestParseKey(t *testing.T) {
	k := keys()
	from, to := testNow, testNow.Add(time.Hour)
	rsaAlgs := []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
	for name, tt := range map[string]struct {
		text string
		key  crypto.PublicKey
		algs []jose.SignatureAlgorithm
		cert bool
	}{
		"RSA":         {publicPEM(t, k.RSA), k.RSA.Public(), rsaAlgs, false},
		"RSA, PKCS#1": {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.RSA.PublicKey)), k.RSA.Public(), rsaAlgs, false},
		"RSA, PKIX in a block of another name": {
			strings.ReplaceAll(publicPEM(t, k.RSA), "PUBLIC KEY", "RSA PUBLIC KEY"), k.RSA.Public(), rsaAlgs, false,
		},
		"P-256":                {publicPEM(t, k.P256), k.P256.Public(), []jose.SignatureAlgorithm{jose.ES256}, false},
		"P-384":                {publicPEM(t, k.P384), k.P384.Public(), []jose.SignatureAlgorithm{jose.ES384}, false},
		"P-521":                {publicPEM(t, k.P521), k.P521.Public(), []jose.SignatureAlgorithm{jose.ES512}, false},
		"Ed25519":              {publicPEM(t, k.Ed25519), k.Ed25519.Public(), []jose.SignatureAlgorithm{jose.EdDSA}, false},
		"certificate, RSA":     {certificatePEM(t, k.RSA, from, to), k.RSA.Public(), rsaAlgs, true},
		"certificate, Ed25519": {certificatePEM(t, k.Ed25519, from, to), k.Ed25519.Public(), []jose.SignatureAlgorithm{jose.EdDSA}, true},
		"text around":          {"# ops\n" + publicPEM(t, k.P256) + "\nend\n", k.P256.Public(), []jose.SignatureAlgorithm{jose.ES256}, false},
	} {
		got, err := ParseKey([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !tt.key.(interface{ Equal(crypto.PublicKey) bool }).Equal(got.key) || !slices.Equal(got.algorithms, tt.algs) {
			t.Errorf("%s: %T with %v", name, got.key, got.algorithms)
		}
		if got.NotAfter.IsZero() == tt.cert || tt.cert && (!got.NotBefore.Equal(from) || !got.NotAfter.Equal(to)) {
			t.Errorf("%s: valid %s to %s", name, got.NotBefore, got.NotAfter)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
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
	pkcs8 := der(t)(x509.MarshalPKCS8PrivateKey(k.RSA))
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 16384), E: 65537}
	const private = "is a private key; configure the public key"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":                      {"", "is not PEM"},
		"text":                       {"ssh-ed25519 AAAAC3 me", "is not PEM"},
		"DER":                        {string(der(t)(x509.MarshalPKIXPublicKey(k.P256.Public()))), "is not PEM"},
		"no key inside":              {block("PUBLIC KEY", []byte("hello")), "is not a public key"},
		"private, PKCS#8":            {block("PRIVATE KEY", pkcs8), private},
		"private, PKCS#1":            {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.RSA)), private},
		"private, SEC 1":             {block("EC PRIVATE KEY", der(t)(x509.MarshalECPrivateKey(k.P256))), private},
		"private, encrypted":         {block("ENCRYPTED PRIVATE KEY", []byte("hello")), private},
		"private, called public":     {block("PUBLIC KEY", pkcs8), private},
		"private, second":            {publicPEM(t, k.P256) + block("PRIVATE KEY", pkcs8), private},
		"private, after parameters":  {block("EC PARAMETERS", []byte{6, 0}) + block("EC PRIVATE KEY", []byte("x")), private},
		"two keys":                   {publicPEM(t, k.RSA) + publicPEM(t, k.RSA2), "more than one PEM block"},
		"RSA of 1024 bits":           {pkix(small.Public()), "RSA key of 1024 bits, not 2048 to 8192"},
		"RSA of 16385 bits":          {pkix(huge), "RSA key of 16385 bits"},
		"RSA of 1024 bits, cert":     {certificatePEM(t, small, testNow, testNow), "1024 bits"},
		"RSA with exponent 1":        {pkix(&rsa.PublicKey{N: k.RSA.N, E: 1}), "exponent 1"},
		"RSA with an even exponent":  {pkix(&rsa.PublicKey{N: k.RSA.N, E: 4}), "exponent 4"},
		"P-224":                      {pkix(p224.Public()), "is on curve P-224"},
		"X25519, which cannot sign":  {pkix(x25519.PublicKey()), "not RSA, ECDSA or Ed25519"},
		"certificate request inside": {block("CERTIFICATE", []byte("x")), "is not a public key"},
	} {
		got, err := ParseKey([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || got.key != nil && got.algorithms != nil {
			t.Errorf("%s: %v, %v; want %q", name, got, err, tt.want)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	k := keys()
	for _, key := range []crypto.Signer{k.RSA, k.P256, k.Ed25519} {
		text := publicPEM(f, key)
		f.Add([]byte(text))
		f.Add([]byte(text + text))
	}
	f.Add([]byte(certificatePEM(f, k.P256, testNow, testNow)))
	f.Add([]byte(block("PRIVATE KEY", der(f)(x509.MarshalPKCS8PrivateKey(k.Ed25519)))))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > MaxKeyFile {
			return
		}
		if key, err := ParseKey(text); err == nil && (key.key == nil || len(key.algorithms) == 0) {
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

func TestParsePrivateKey(t *testing.T) {
	k := keys()
	sec1 := der(t)(x509.MarshalECPrivateKey(k.P384))
	for name, tt := range map[string]struct {
		text string
		want crypto.Signer
	}{
		"PKCS#8, RSA":     {block("PRIVATE KEY", der(t)(x509.MarshalPKCS8PrivateKey(k.RSA))), k.RSA},
		"PKCS#8, Ed25519": {block("PRIVATE KEY", der(t)(x509.MarshalPKCS8PrivateKey(k.Ed25519))), k.Ed25519},
		"PKCS#1":          {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.RSA)), k.RSA},
		"SEC 1":           {block("EC PRIVATE KEY", sec1), k.P384},
		"with parameters": {block("EC PARAMETERS", []byte{6, 0}) + block("EC PRIVATE KEY", sec1), k.P384},
	} {
		got, err := ParsePrivateKey([]byte(tt.text))
		if err != nil || !tt.want.(interface{ Equal(crypto.PrivateKey) bool }).Equal(got) {
			t.Errorf("%s: %T, %v", name, got, err)
		}
	}
	for name, tt := range map[string]struct{ text, want string }{
		"empty":     {"", "is not PEM"},
		"public":    {publicPEM(t, k.RSA), "is a public key"},
		"cert":      {certificatePEM(t, k.RSA, testNow, testNow), "is a public key"},
		"encrypted": {block("ENCRYPTED PRIVATE KEY", []byte("x")), "is encrypted"},
		"encrypted, old": {string(pem.EncodeToMemory(&pem.Block{
			Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x"),
		})), "is encrypted"},
		"damaged":         {block("PRIVATE KEY", []byte("secret-bytes")), "is not a private key"},
		"only parameters": {block("EC PARAMETERS", []byte{6, 0}), "is not PEM"},
		"huge":            {strings.Repeat("x", MaxKeyFile+1), "is longer"},
	} {
		if _, err := ParsePrivateKey([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
