package systemuser

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"castellan/internal/assertion"
)

// Mint makes a token of the system user name for the system whose issuer is audience, see
// [assertion.Sign]. It returns an error for a name that is none, and those of Sign.
func Mint(key crypto.Signer, name, audience string, lifetime time.Duration, now time.Time) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return assertion.Sign(key, "", canonicalName(name), audience, lifetime, now)
}

// The kinds of key that GenerateKey makes.
const (
	KindRSA     = "rsa"     // 2048 bits
	KindECDSA   = "ecdsa"   // P-256
	KindEd25519 = "ed25519" // RFC 8032
)

// GenerateKey makes a key pair for a system user and returns it as PEM: PKCS#8 and PKIX. It
// returns an error for an unknown kind.
func GenerateKey(kind string) (privatePEM, publicPEM []byte, err error) {
	var key crypto.Signer
	switch kind {
	case KindRSA:
		key, err = rsa.GenerateKey(rand.Reader, assertion.MinRSABits)
	case KindECDSA:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case KindEd25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, nil, fmt.Errorf("key: %.100q is not %s, %s or %s", kind, KindRSA, KindECDSA, KindEd25519)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("write the private key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("write the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), nil
}
