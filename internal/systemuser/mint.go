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
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// minLifetime is the shortest life of a token worth sending: servers want a second left.
const minLifetime = 2 * time.Second

// Mint makes a token of the system user name for the system whose issuer is audience. key is
// an *rsa.PrivateKey (signs RS256), *ecdsa.PrivateKey (ES256, ES384 or ES512) or
// ed25519.PrivateKey (EdDSA). lifetime is 2 s to [MaxAge], the longest a server accepts. It
// returns an error for other keys, names and lifetimes.
func Mint(key crypto.Signer, name, audience string, lifetime time.Duration, now time.Time) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if lifetime < minLifetime || lifetime > MaxAge {
		return "", fmt.Errorf("lifetime: %s is not in %s to %s", lifetime, minLifetime, MaxAge)
	}
	public, err := newPublicKey(publicOf(key))
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: public.algorithms[0], Key: key},
		new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	name = canonicalName(name)
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer:   name,
		Subject:  name,
		Audience: jwt.Audience{audience},
		IssuedAt: jwt.NewNumericDate(now),
		Expiry:   jwt.NewNumericDate(now.Add(lifetime)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	return token, nil
}

// publicOf returns the public key of those private keys that can sign here, else nil.
func publicOf(key crypto.Signer) any {
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return key.Public()
	default:
		return nil
	}
}

// ParsePrivateKey reads a private key from PEM: PKCS#8, PKCS#1 or SEC 1, not encrypted. Its
// errors never quote the text.
func ParsePrivateKey(text []byte) (crypto.Signer, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("private key: is longer than %d bytes", maxKeyFile)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "EC PARAMETERS": // written before the key by some tools
			continue
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errors.New("private key: is encrypted; decrypt it first")
		case strings.Contains(block.Type, "PUBLIC KEY") || block.Type == "CERTIFICATE":
			return nil, errors.New("private key: is a public key")
		}
		key, err := parsePrivateDER(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("private key: %w", err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok || publicOf(signer) == nil {
			return nil, fmt.Errorf("private key: is a %T, not RSA, ECDSA or Ed25519", key)
		}
		return signer, nil
	}
	return nil, errors.New("private key: is not PEM")
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
		key, err = rsa.GenerateKey(rand.Reader, minRSABits)
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
