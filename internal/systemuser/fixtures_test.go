package systemuser

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

	"castellan/internal/ident"
)

const testIssuer = "https://iam.example.com"

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// keySet is one key pair of each sort, made once for all tests.
type keySet struct {
	rsa, rsa2        *rsa.PrivateKey
	p256, p384, p521 *ecdsa.PrivateKey
	ed25519          ed25519.PrivateKey
}

var keys = sync.OnceValue(func() keySet {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var k keySet
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.rsa2, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	for curve, into := range map[elliptic.Curve]**ecdsa.PrivateKey{
		elliptic.P256(): &k.p256, elliptic.P384(): &k.p384, elliptic.P521(): &k.p521,
	} {
		*into, err = ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
	}
	_, k.ed25519, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

// publicPEM returns the public half of key as PKIX PEM.
func publicPEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// certificatePEM returns a self-signed certificate of key, valid from a time to another.
func certificatePEM(t testing.TB, key crypto.Signer, from, to time.Time) string {
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

// testUsers configures one user for each sort of key; the user is called as the sort.
func testUsers(t testing.TB) []Config {
	k := keys()
	return []Config{
		{Name: "rsa", KeyData: publicPEM(t, k.rsa)},
		{Name: "rsa2", KeyData: publicPEM(t, k.rsa2)},
		{Name: "p256", KeyData: publicPEM(t, k.p256)},
		{Name: "p384", KeyData: publicPEM(t, k.p384)},
		{Name: "p521", KeyData: publicPEM(t, k.p521)},
		{Name: "ed25519", KeyData: publicPEM(t, k.ed25519)},
		{Name: "viewer", KeyData: publicPEM(t, k.ed25519), Memberships: []MembershipConfig{
			{MemberType: "System", Roles: []string{"SYSTEM_OWNER_VIEWER"}},
		}},
	}
}

// newTestRegistry returns the registry of testUsers, and its clock, which stands at testNow.
func newTestRegistry(t testing.TB) (*Registry, *ident.ManualClock) {
	t.Helper()
	clock := ident.NewManualClock(testNow)
	r, err := NewRegistry(testUsers(t), testIssuer, clock)
	if err != nil {
		t.Fatal(err)
	}
	return r, clock
}

// signature signs the first two parts of a token.
type signature func(input []byte) []byte

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

func rs(h crypto.Hash, key *rsa.PrivateKey) signature {
	return func(input []byte) []byte { return must(rsa.SignPKCS1v15(nil, key, h, digest(h, input))) }
}

func ps256(key *rsa.PrivateKey) signature {
	return func(input []byte) []byte {
		return must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest(crypto.SHA256, input),
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
}

func es(h crypto.Hash, key *ecdsa.PrivateKey) signature {
	return func(input []byte) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest(h, input))
		if err != nil {
			panic(err)
		}
		size := (key.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
}

func eddsa(key ed25519.PrivateKey) signature {
	return func(input []byte) []byte { return ed25519.Sign(key, input) }
}

func hs256(secret string) signature {
	return func(input []byte) []byte {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(input)
		return mac.Sum(nil)
	}
}

func unsigned([]byte) []byte { return nil }

// forge makes a token of any header and claims, good or bad.
func forge(header, claims string, sign signature) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(input)))
}

// claimSet is a set of claims as JSON values by name.
type claimSet map[string]string

// claimsOf returns good claims of the user name at testNow.
func claimsOf(name string) claimSet {
	return claimSet{
		"iss": fmt.Sprintf("%q", name), "sub": fmt.Sprintf("%q", name), "aud": fmt.Sprintf("%q", testIssuer),
		"iat": fmt.Sprint(testNow.Unix()), "exp": fmt.Sprint(testNow.Add(time.Hour).Unix()),
	}
}

// with returns a copy with one claim changed, or removed when value is empty.
func (c claimSet) with(name, value string) claimSet {
	c = maps.Clone(c)
	if value == "" {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

// String writes the claims as a JSON object.
func (c claimSet) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, ",%q:%s", name, c[name])
	}
	return "{" + b.String()[1:] + "}"
}
