package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// errSignature is the answer to every signature that does not verify.
var errSignature = errors.New("the signature is not by the key")

// Verify returns an error unless text is signed with the key, by an algorithm that fits it. It does
// not look at what the text says, see [Parse]; but what has no header or no signature in the form that
// Parse takes does not verify.
func (k *Key) Verify(text string) error {
	first, last := strings.IndexByte(text, '.'), strings.LastIndexByte(text, '.')
	if first == last || strings.IndexByte(text[first+1:last], '.') >= 0 || len(text) > MaxSize {
		return errors.New("the token is not three parts joined by dots")
	}
	head, end := text[:first], text[last+1:]
	if hasBreaks(head) || hasBreaks(end) {
		return errors.New("the token has a line break")
	}
	// Room for what is not kept.
	var forHeader, forSignature [usualSize / 2]byte
	var forSigned [usualSize]byte
	header, err := encoding.AppendDecode(forHeader[:0], []byte(head))
	if err != nil {
		return errors.New("the header of the token is not base64url")
	}
	says, err := readHeader(string(header))
	if err != nil {
		return err
	}
	if !slices.Contains(k.algorithms, says.algorithm) {
		return fmt.Errorf("alg %.20q does not fit the key, %s do", says.algorithm, k.algorithms)
	}
	signature, err := encoding.AppendDecode(forSignature[:0], []byte(end))
	if err != nil || !k.verify(says.algorithm, append(forSigned[:0], text[:last]...), signature) {
		return errSignature
	}
	return nil
}

// verify reports whether a signature of a text is that of the key, by an algorithm that fits it (RFC 7518
// section 3, RFC 8037 section 3.1).
func (k *Key) verify(by jose.SignatureAlgorithm, signed, signature []byte) bool {
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		hash := sha256.Sum256(signed)
		if by == jose.PS256 {
			return rsa.VerifyPSS(key, crypto.SHA256, hash[:], signature, nil) == nil
		}
		return by == jose.RS256 && rsa.VerifyPKCS1v15(key, crypto.SHA256, hash[:], signature) == nil
	case *ecdsa.PublicKey:
		n := (key.Params().BitSize + 7) / 8
		if len(signature) != 2*n {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])
		return ecdsa.Verify(key, digest(by, signed), r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(key, signed, signature)
	}
	return false
}

// digest returns the hash of a text that an algorithm of ECDSA signs.
func digest(by jose.SignatureAlgorithm, text []byte) []byte {
	switch by {
	case jose.ES256:
		hash := sha256.Sum256(text)
		return hash[:]
	case jose.ES384:
		hash := sha512.Sum384(text)
		return hash[:]
	default: // ES512: a key is pinned to one of the three
		hash := sha512.Sum512(text)
		return hash[:]
	}
}
