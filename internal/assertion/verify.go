package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that crypto.Hash names
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// errSignature is the answer to every signature that does not verify.
var errSignature = errors.New("the signature is not by the key")

// Verify returns an error unless text is signed with the key, by an algorithm that fits it. It does
// not look at what the text says, see [Parse].
func (k *Key) Verify(text string) error {
	end := strings.LastIndexByte(text, '.')
	head, _, ok := strings.Cut(text, ".")
	if !ok || end <= len(head) || len(text) > MaxSize {
		return errors.New("the token is not three parts joined by dots")
	}
	header, err := base64.RawURLEncoding.Strict().DecodeString(head)
	if err != nil {
		return errors.New("the header of the token is not base64url")
	}
	var says struct {
		Algorithm jose.SignatureAlgorithm `json:"alg"`
	}
	if err := json.Unmarshal(header, &says); err != nil {
		return fmt.Errorf("alg: %.200w", err)
	}
	if !slices.Contains(k.algorithms, says.Algorithm) {
		return fmt.Errorf("alg %.20q does not fit the key, %s do", says.Algorithm, k.algorithms)
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(text[end+1:])
	if err != nil || !k.verify(says.Algorithm, []byte(text[:end]), signature) {
		return errSignature
	}
	return nil
}

// verify reports whether a signature of a text is that of the key, by an algorithm that fits it (RFC 7518
// section 3, RFC 8037 section 3.1).
func (k *Key) verify(by jose.SignatureAlgorithm, signed, signature []byte) bool {
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		if by == jose.PS256 {
			return rsa.VerifyPSS(key, crypto.SHA256, digest(crypto.SHA256, signed), signature, nil) == nil
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest(crypto.SHA256, signed), signature) == nil
	case *ecdsa.PublicKey:
		n := (key.Params().BitSize + 7) / 8
		if len(signature) != 2*n {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])
		return ecdsa.Verify(key, digest(curveHashes[by], signed), r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(key, signed, signature)
	}
	return false
}

// curveHashes are the hashes of the algorithms of ECDSA.
var curveHashes = map[jose.SignatureAlgorithm]crypto.Hash{
	jose.ES256: crypto.SHA256, jose.ES384: crypto.SHA384, jose.ES512: crypto.SHA512,
}

func digest(h crypto.Hash, text []byte) []byte {
	hash := h.New()
	hash.Write(text) // never fails
	return hash.Sum(nil)
}
