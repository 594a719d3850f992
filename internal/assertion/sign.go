package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
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

// Sign makes an assertion: by and about subject, for audience, from now on for lifetime, with the kid
// keyID unless that is empty. key is an *rsa.PrivateKey (signs RS256), *ecdsa.PrivateKey (ES256, ES384
// or ES512) or ed25519.PrivateKey (EdDSA). lifetime is 2 s to [MaxAge], the longest a server accepts.
// It returns an error for other keys and lifetimes, which names the field.
func Sign(key crypto.Signer, keyID, subject, audience string, lifetime time.Duration, now time.Time) (string, error) {
	if lifetime < minLifetime || lifetime > MaxAge {
		return "", fmt.Errorf("lifetime: %s is not in %s to %s", lifetime, minLifetime, MaxAge)
	}
	public, err := NewKey(publicOf(key))
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	options := new(jose.SignerOptions).WithType("JWT")
	if keyID != "" {
		options = options.WithHeader("kid", keyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: public.algorithms[0], Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer:   subject,
		Subject:  subject,
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
func publicOf(key crypto.Signer) crypto.PublicKey {
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
	if len(text) > MaxKeyFile {
		return nil, fmt.Errorf("private key: is longer than %d bytes", MaxKeyFile)
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

// parsePrivateDER reads PKCS#8, PKCS#1 and SEC 1.
func parsePrivateDER(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("is not a private key (PKCS#8, PKCS#1 or SEC 1)")
}
