package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"castellan/internal/ident"
	"castellan/internal/jsontext"
	"castellan/internal/webkey"
)

// hashOf returns the hash of an algorithm; 0 for EdDSA, which hashes by itself.
func hashOf(a webkey.Algorithm) crypto.Hash {
	switch a {
	case webkey.RS256, webkey.ES256:
		return crypto.SHA256
	case webkey.RS384, webkey.ES384:
		return crypto.SHA384
	case webkey.RS512, webkey.ES512:
		return crypto.SHA512
	}
	return 0
}

// encoding is that of the parts of a token. It is strict: one text for some bytes.
var encoding = base64.RawURLEncoding.Strict()

// Signer is the key with which an instance signs. It is safe for concurrent use, and meant to be used at
// once: another key may be the active one the next time.
type Signer struct {
	id        ident.KeyID
	algorithm webkey.Algorithm
	key       crypto.Signer
}

// Algorithm is the one in the header of what it signs.
func (s *Signer) Algorithm() webkey.Algorithm { return s.algorithm }

// Hash is the one with which claims such as at_hash are made (OpenID Connect Core section 3.1.3.6). For
// EdDSA with Ed25519 that is SHA-512, with which the algorithm itself hashes.
func (s *Signer) Hash() crypto.Hash {
	if s.algorithm == webkey.EdDSA {
		return crypto.SHA512
	}
	return hashOf(s.algorithm)
}

// Sign returns claims, which are JSON, as a token whose header has alg, kid and typ. It returns an error
// when the key does not sign, which means that it is damaged.
func (s *Signer) Sign(typ string, claims []byte) (string, error) {
	var room [usualHeader]byte
	head := header(room[:0], s.algorithm, s.id, typ)
	var forSigned [usualSigned]byte
	signed := slices.Grow(forSigned[:0], encoding.EncodedLen(len(head))+1+encoding.EncodedLen(len(claims)))
	signed = encoding.AppendEncode(signed, head)
	signed = append(signed, '.')
	signed = encoding.AppendEncode(signed, claims)
	signature, err := s.sign(signed)
	if err != nil {
		return "", fmt.Errorf("sign with web key %s: %w", s.id, err)
	}
	var end [usualSignature]byte
	return string(signed) + "." + string(encoding.AppendEncode(end[:0], signature)), nil
}

// What most headers, most of what is signed, and most signatures in base64url, do not exceed, in bytes.
const (
	usualHeader    = 128
	usualSigned    = 1 << 10
	usualSignature = 512
)

// header is the one of a token. Verify knows no other. It is written where there is room.
func header(room []byte, a webkey.Algorithm, id ident.KeyID, typ string) []byte {
	return jsontext.Writer{Text: room}.Begin().String("alg", string(a)).String("kid", string(id)).String("typ", typ).End().Text
}

// sign returns the signature of a text.
func (s *Signer) sign(signed []byte) ([]byte, error) {
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		return rsa.SignPKCS1v15(rand.Reader, key, hashOf(s.algorithm), digest(s.algorithm, signed))
	case *ecdsa.PrivateKey:
		x, y, err := ecdsa.Sign(rand.Reader, key, digest(s.algorithm, signed))
		if err != nil {
			return nil, err
		}
		n := coordinate(&key.PublicKey)
		signature := make([]byte, 2*n) // RFC 7518 section 3.4
		x.FillBytes(signature[:n])
		y.FillBytes(signature[n:])
		return signature, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, signed), nil
	}
	return nil, errKey
}

// errKey means that a key does not fit its algorithm, or one half of it the other.
var errKey = errors.New("signing: the key does not fit its algorithm")

// fits reports whether a key is one of an algorithm. Nothing is signed or verified with one that is not.
func fits(a webkey.Algorithm, key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return a == webkey.RS256 || a == webkey.RS384 || a == webkey.RS512
	case *ecdsa.PublicKey:
		return map[webkey.Algorithm]int{webkey.ES256: 256, webkey.ES384: 384, webkey.ES512: 521}[a] == key.Params().BitSize
	case ed25519.PublicKey:
		return a == webkey.EdDSA
	}
	return false
}

// verify reports whether a signature of a text is that of a key.
func verify(a webkey.Algorithm, key crypto.PublicKey, signed, signature []byte) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hashOf(a), digest(a, signed), signature) == nil
	case *ecdsa.PublicKey:
		n := coordinate(key)
		if len(signature) != 2*n {
			return false
		}
		x, y := new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])
		return ecdsa.Verify(key, digest(a, signed), x, y)
	case ed25519.PublicKey:
		return ed25519.Verify(key, signed, signature)
	}
	return false
}

// digest hashes a text as an algorithm does. What it knows of the hash is known when the program is compiled: so the
// text can stay on the stack.
func digest(a webkey.Algorithm, text []byte) []byte {
	switch hashOf(a) {
	case crypto.SHA256:
		sum := sha256.Sum256(text)
		return sum[:]
	case crypto.SHA384:
		sum := sha512.Sum384(text)
		return sum[:]
	default: // SHA-512: EdDSA does not come here
		sum := sha512.Sum512(text)
		return sum[:]
	}
}

// coordinate is the length of one half of a signature, in bytes.
func coordinate(key *ecdsa.PublicKey) int { return (key.Params().BitSize + 7) / 8 }
