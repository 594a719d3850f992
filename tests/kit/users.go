package kit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"castellan/internal/systemuser"
)

// Issuer is the audience of tokens for the programs that this package starts.
const Issuer = "http://" + Domain

// Domain is the external domain of those programs.
const Domain = "castellan.test"

// User is a system user of a test.
type User struct {
	Name string
	Key  crypto.Signer
}

// Operator may do everything, Viewer may read. All nodes of this package know both.
var (
	Operator = sync.OnceValue(func() User { return NewUser("operator") })
	Viewer   = sync.OnceValue(func() User { return NewUser("viewer") })
)

// NewUser returns a user with a fresh ECDSA key, the fastest to make.
func NewUser(name string) User {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // unreachable: the system's source does not fail
	}
	return User{Name: name, Key: key}
}

// PublicPEM is the public key of the user, as PKIX in PEM.
func (u User) PublicPEM() string {
	der, err := x509.MarshalPKIXPublicKey(u.Key.Public())
	if err != nil {
		panic(err) // unreachable for the keys used here
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Config is the configuration of the user with memberships; none makes it SYSTEM_OWNER.
func (u User) Config(memberships ...systemuser.MembershipConfig) systemuser.Config {
	return systemuser.Config{Name: u.Name, KeyData: u.PublicPEM(), Memberships: memberships}
}

// Users is the configuration of Operator and Viewer.
func Users() []systemuser.Config {
	return []systemuser.Config{
		Operator().Config(),
		Viewer().Config(systemuser.MembershipConfig{MemberType: "System", Roles: []string{"SYSTEM_OWNER_VIEWER"}}),
	}
}

// Token returns a token of the user that is good for some minutes.
func (u User) Token(t testing.TB) string {
	t.Helper()
	return JWT{Header: map[string]any{"alg": algorithmOf(u.Key)}, Claims: u.Claims(), Key: u.Key}.Sign(t)
}

// Claims are those of a good token (contract section 4).
func (u User) Claims() map[string]any {
	now := time.Now()
	return map[string]any{
		"iss": u.Name, "sub": u.Name, "aud": Issuer,
		"iat": now.Add(-time.Second).Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
}

// JWT is a token in the making (RFC 7519), in which anything can be wrong.
type JWT struct {
	Header, Claims map[string]any
	// Key signs, by the alg of Header: crypto.Signer, or []byte for HS256. nil: no signature.
	Key any
}

// With returns a copy with other claims; nil removes one.
func (j JWT) With(claims map[string]any) JWT {
	j.Claims = maps.Clone(j.Claims)
	for name, value := range claims {
		if value == nil {
			delete(j.Claims, name)
		} else {
			j.Claims[name] = value
		}
	}
	return j
}

// Sign returns the token in compact form (RFC 7515 section 3.1).
func (j JWT) Sign(t testing.TB) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	input := part(j.Header) + "." + part(j.Claims)
	signature, err := sign(fmt.Sprint(j.Header["alg"]), j.Key, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// algorithmOf returns the usual algorithm for a key (RFC 7518 section 3.1).
func algorithmOf(key crypto.Signer) string {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return "RS256"
	case ed25519.PrivateKey:
		return "EdDSA"
	case *ecdsa.PrivateKey:
		return map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Params().BitSize]
	}
	return "none"
}

// sign signs input as alg says (RFC 7518 section 3).
func sign(alg string, key any, input []byte) ([]byte, error) {
	sum := sha256.Sum256(input)
	switch key := key.(type) {
	case nil:
		return nil, nil
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write(input)
		return mac.Sum(nil), nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	case *rsa.PrivateKey:
		if alg == "PS256" {
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		digest := sum[:]
		switch alg {
		case "ES384":
			d := sha512.Sum384(input)
			digest = d[:]
		case "ES512":
			d := sha512.Sum512(input)
			digest = d[:]
		}
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		size := (key.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), nil
	}
	return nil, fmt.Errorf("cannot sign %s with a %T", alg, key)
}
