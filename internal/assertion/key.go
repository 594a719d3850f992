package assertion

import (
	"crypto"
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
	MinRSABits = 2048
	maxRSABits = 8192
)

// MaxKeyFile is the length of the longest PEM that is looked at, in bytes.
const MaxKeyFile = 1 << 16

// Key is a public key, with the algorithms that fit it and the time in which its certificate is valid,
// when it is one. It is safe for concurrent use.
type Key struct {
	key        crypto.PublicKey
	algorithms []jose.SignatureAlgorithm
	// Fingerprint is the SHA-256 of the public key (its PKIX form in DER), in hexadecimal. That of a
	// certificate is the one of its key.
	Fingerprint string
	// NotBefore and NotAfter are when the certificate is valid; zero without one.
	NotBefore, NotAfter time.Time
}

// Public returns the key itself: an *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.key }

// ValidAt returns an error when the certificate is not valid at now. A key without one always is.
func (k *Key) ValidAt(now time.Time) error {
	if k.NotAfter.IsZero() {
		return nil
	}
	if now.Before(k.NotBefore) || now.After(k.NotAfter) {
		return fmt.Errorf("the user's certificate is valid from %s to %s only",
			k.NotBefore.Format(time.RFC3339), k.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// ParseKey reads exactly one PEM block: a PKIX or PKCS#1 public key or an X.509 certificate, whatever
// the block calls itself, of RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519. Its
// error completes a sentence that begins with the name of the field. It says so when it is given a
// private key, which a server has no business to know.
func ParseKey(text []byte) (Key, error) {
	if len(text) > MaxKeyFile {
		return Key{}, fmt.Errorf("is longer than %d bytes", MaxKeyFile)
	}
	block, rest := pem.Decode(text)
	if block == nil {
		return Key{}, errors.New("is not PEM")
	}
	for b := block; b != nil; b, rest = pem.Decode(rest) {
		if strings.Contains(b.Type, "PRIVATE KEY") || isPrivateKey(b.Bytes) {
			return Key{}, errors.New("is a private key; configure the public key and keep this one secret")
		}
		if b != block {
			return Key{}, errors.New("has more than one PEM block")
		}
	}
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		return NewKey(key)
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return NewKey(key)
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		k, err := NewKey(cert.PublicKey)
		k.NotBefore, k.NotAfter = cert.NotBefore, cert.NotAfter
		return k, err
	}
	return Key{}, errors.New("is not a public key (PKIX or PKCS#1) or certificate")
}

// isPrivateKey reports whether der is a private key in any of the usual forms.
func isPrivateKey(der []byte) bool {
	_, err := parsePrivateDER(der)
	return err == nil
}

// NewKey pins a public key to its algorithms, so that a token cannot choose (RFC 8725 section 3.1). It
// returns an error for a key that [ParseKey] would not take.
func NewKey(key crypto.PublicKey) (Key, error) {
	k := Key{key: key}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < MinRSABits || bits > maxRSABits {
			return Key{}, fmt.Errorf("is an RSA key of %d bits, not %d to %d", bits, MinRSABits, maxRSABits)
		}
		if key.E < 3 || key.E%2 == 0 {
			return Key{}, fmt.Errorf("is an RSA key with exponent %d", key.E)
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
			return Key{}, fmt.Errorf("is on curve %s, not P-256, P-384 or P-521", key.Curve.Params().Name)
		}
	case ed25519.PublicKey:
		k.algorithms = []jose.SignatureAlgorithm{jose.EdDSA}
	default:
		return Key{}, fmt.Errorf("is a %T, not RSA, ECDSA or Ed25519", key)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return Key{}, fmt.Errorf("has no PKIX form: %w", err)
	}
	sum := sha256.Sum256(der)
	k.Fingerprint = hex.EncodeToString(sum[:])
	return k, nil
}
