package systemuser

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of RSA keys in bits. Below, they can be broken; above, checking a signature would
// take so long that strangers could keep the server busy.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// publicKey is a key of a user, with the algorithms that fit it and the time in which its
// certificate is valid, when it is one.
type publicKey struct {
	key                 any
	algorithms          []jose.SignatureAlgorithm
	fingerprint         string    // see [KeyInfo]
	notBefore, notAfter time.Time // zero without a certificate
	// until is when a key that has been replaced stops to count; zero for the one that counts now.
	until time.Time
}

// validAt returns an error when the key does not count at now, because it has been replaced or
// because its certificate is not valid.
func (k *publicKey) validAt(now time.Time) error {
	if !k.until.IsZero() && !now.Before(k.until) {
		return fmt.Errorf("the key was replaced, and counted until %s only", k.until.Format(time.RFC3339))
	}
	if k.notAfter.IsZero() {
		return nil
	}
	if now.Before(k.notBefore) || now.After(k.notAfter) {
		return fmt.Errorf("the user's certificate is valid from %s to %s only",
			k.notBefore.Format(time.RFC3339), k.notAfter.Format(time.RFC3339))
	}
	return nil
}

// parsePublicKey reads exactly one PEM block: a PKIX or PKCS#1 public key or an X.509
// certificate, whatever the block calls itself. It says so when it is given a private key,
// which a server has no business to know.
func parsePublicKey(text []byte) (publicKey, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return publicKey{}, errors.New("is not PEM")
	}
	for b := block; b != nil; b, rest = pem.Decode(rest) {
		if strings.Contains(b.Type, "PRIVATE KEY") || isPrivateKey(b.Bytes) {
			return publicKey{}, errors.New("is a private key; configure the public key and keep this one secret")
		}
		if b != block {
			return publicKey{}, errors.New("has more than one PEM block")
		}
	}
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		return newPublicKey(key)
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return newPublicKey(key)
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		k, err := newPublicKey(cert.PublicKey)
		k.notBefore, k.notAfter = cert.NotBefore, cert.NotAfter
		return k, err
	}
	return publicKey{}, errors.New("is not a public key (PKIX or PKCS#1) or certificate")
}

// isPrivateKey reports whether der is a private key in any of the usual forms.
func isPrivateKey(der []byte) bool {
	_, err := parsePrivateDER(der)
	return err == nil
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

// newPublicKey pins a key to its algorithms, so that a token cannot choose (RFC 8725
// section 3.1).
func newPublicKey(key any) (publicKey, error) {
	k := publicKey{key: key}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return publicKey{}, fmt.Errorf("is an RSA key of %d bits, not %d to %d", bits, minRSABits, maxRSABits)
		}
		if key.E < 3 || key.E%2 == 0 {
			return publicKey{}, fmt.Errorf("is an RSA key with exponent %d", key.E)
		}
		k.algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			k.algorithms = []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			k.algorithms = []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			k.algorithms = []jose.SignatureAlgorithm{jose.ES512}
		default:
			return publicKey{}, fmt.Errorf("is on curve %s, not P-256, P-384 or P-521", key.Curve.Params().Name)
		}
	case ed25519.PublicKey:
		k.algorithms = []jose.SignatureAlgorithm{jose.EdDSA}
	default:
		return publicKey{}, fmt.Errorf("is a %T, not RSA, ECDSA or Ed25519", key)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return publicKey{}, fmt.Errorf("has no PKIX form: %w", err)
	}
	sum := sha256.Sum256(der)
	k.fingerprint = hex.EncodeToString(sum[:])
	return k, nil
}
