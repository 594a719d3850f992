// Package assertiontest makes keys and tokens, good and forged, for tests of assertions.
//
// It owns no rule: what is right and what is wrong is said by the tests of assertion, systemuser and
// oidc, which share it. Nothing that is shipped imports it.
package assertiontest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// KeySet is one key pair of each sort, made once for all tests.
type KeySet struct {
	RSA, RSA2        *rsa.PrivateKey
	P256, P384, P521 *ecdsa.PrivateKey
	Ed25519          ed25519.PrivateKey
}

// Keys returns the same keys at each call.
var Keys = sync.OnceValue(func() KeySet {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var k KeySet
	var err error
	k.RSA, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.RSA2, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	for curve, into := range map[elliptic.Curve]**ecdsa.PrivateKey{
		elliptic.P256(): &k.P256, elliptic.P384(): &k.P384, elliptic.P521(): &k.P521,
	} {
		*into, err = ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
	}
	_, k.Ed25519, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

// PublicPEM returns the public half of key as PKIX PEM.
func PublicPEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// CertificatePEM returns a self-signed certificate of key, valid from a time to another.
func CertificatePEM(t testing.TB, key crypto.Signer, from, to time.Time) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: from, NotAfter: to,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Signature signs the first two parts of a token.
type Signature func(input []byte) []byte

func digest(h crypto.Hash, input []byte) []byte {
	d := h.New()
	d.Write(input)
	return d.Sum(nil)
}

func must(sig []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return sig
}

// RS signs as RS256, RS384 or RS512, by the hash.
func RS(h crypto.Hash, key *rsa.PrivateKey) Signature {
	return func(input []byte) []byte { return must(rsa.SignPKCS1v15(nil, key, h, digest(h, input))) }
}

// PS256 signs so.
func PS256(key *rsa.PrivateKey) Signature {
	return func(input []byte) []byte {
		return must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest(crypto.SHA256, input),
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
}

// ES signs as ES256, ES384 or ES512, by the hash.
func ES(h crypto.Hash, key *ecdsa.PrivateKey) Signature {
	return func(input []byte) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest(h, input))
		if err != nil {
			panic(err)
		}
		size := (key.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
}

// EdDSA signs so.
func EdDSA(key ed25519.PrivateKey) Signature {
	return func(input []byte) []byte { return ed25519.Sign(key, input) }
}

// HS256 signs so.
func HS256(secret string) Signature {
	return func(input []byte) []byte {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(input)
		return mac.Sum(nil)
	}
}

// Unsigned leaves the signature empty.
func Unsigned([]byte) []byte { return nil }

// Forge makes a token of any header and claims, good or bad.
func Forge(header, claims string, sign Signature) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(input)))
}

// ClaimSet is a set of claims as JSON values by name.
type ClaimSet map[string]string

// Claims returns good claims of a subject for an audience at now, for an hour.
func Claims(subject, audience string, now time.Time) ClaimSet {
	return ClaimSet{
		"iss": fmt.Sprintf("%q", subject), "sub": fmt.Sprintf("%q", subject), "aud": fmt.Sprintf("%q", audience),
		"iat": fmt.Sprint(now.Unix()), "exp": fmt.Sprint(now.Add(time.Hour).Unix()),
	}
}

// With returns a copy with one claim changed, or removed when value is empty.
func (c ClaimSet) With(name, value string) ClaimSet {
	c = maps.Clone(c)
	if value == "" {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

// String writes the claims as a JSON object.
func (c ClaimSet) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, ",%q:%s", name, c[name])
	}
	return "{" + b.String()[1:] + "}"
}
