package vault

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"castellan/internal/ident"
)

// BearerKind begins every bearer token of a kind, so that people and secret scanners know it when they
// see it. It is bound to what is sealed: a token of one kind opens as no other.
type BearerKind string

// The kinds of bearer tokens.
const (
	AccessBearer  BearerKind = "cstl_at_"
	RefreshBearer BearerKind = "cstl_rt_"
)

// BearerPattern is the regular expression that finds bearer tokens in text. Secret scanners can use it
// as it is.
const BearerPattern = `\bcstl_(at|rt)_[0-9A-Za-z_-]{55,}`

// Limits of bearer tokens.
const (
	// MaxBearerContent is the length of the longest content that can be sealed, in bytes.
	MaxBearerContent = 5 << 10
	// MaxBearer is the length of the longest bearer token that is looked at, in characters: that of
	// MaxBearerContent bytes. It fits into a header that common proxies let pass.
	MaxBearer = len(AccessBearer) + ((bearerOverhead+MaxBearerContent)*8+5)/6

	bearerOverhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// A bearer token is its kind and, in base64url, format 1: the format byte, a random nonce, then
// ciphertext and tag of XChaCha20-Poly1305. An instance can make any number of them: 2^32, what random
// nonces of 96 bits allow one key, would be used up in weeks.
const bearerFormat = 1

// Bearers seals what bearer tokens say, each for one instance. It is safe for concurrent use.
//
// The key of an instance's tokens is derived from the master key and the id of the instance, not sealed
// in table instance_keys: opening one costs no look-up, so strangers who make up tokens are told from
// clients before anything is asked of the database. What is sealed here is in nobody's database, and
// counts only as long as rows say so; removing the instance removes those.
type Bearers struct {
	redacted
	key    [KeySize]byte
	random io.Reader
}

// Bearers returns what seals bearer tokens under the keyring's master key. Tokens of one master key
// open on every node that has it, and after every restart.
func (k *Keyring) Bearers() *Bearers {
	return &Bearers{key: k.master.bearers, random: k.master.random}
}

// Seal returns a token of a kind that holds content, for the instance at: letters, digits, - and _
// after the kind (RFC 6750 section 2.1 allows them all). content has at most MaxBearerContent bytes; it
// returns an error for a longer one.
func (b *Bearers) Seal(at ident.InstanceID, kind BearerKind, content []byte) (string, error) {
	if len(content) > MaxBearerContent {
		return "", fmt.Errorf("vault: the content of a token has %d bytes, more than %d", len(content), MaxBearerContent)
	}
	sealed := make([]byte, 1+chacha20poly1305.NonceSizeX, bearerOverhead+len(content))
	sealed[0] = bearerFormat
	nonce := sealed[1:]
	mustRead(b.random, nonce)
	sealed = b.aead(at).Seal(sealed, nonce, content, []byte(kind))
	text := make([]byte, len(kind), len(kind)+base64.RawURLEncoding.EncodedLen(len(sealed)))
	copy(text, kind)
	return string(base64.RawURLEncoding.AppendEncode(text, sealed)), nil
}

// Open returns the content of a token of a kind for the instance at. For any other text, and for one of
// another kind, instance or deployment, it returns ErrOpen.
func (b *Bearers) Open(at ident.InstanceID, kind BearerKind, text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, string(kind))
	if !ok || len(text) > MaxBearer || strings.ContainsAny(text, "\r\n") { // line breaks the decoder would skip
		return nil, ErrOpen
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) < bearerOverhead || raw[0] != bearerFormat {
		return nil, ErrOpen
	}
	nonce, sealed := raw[1:1+chacha20poly1305.NonceSizeX], raw[1+chacha20poly1305.NonceSizeX:]
	content, err := b.aead(at).Open(nil, nonce, sealed, []byte(kind))
	if err != nil {
		return nil, ErrOpen
	}
	return content, nil
}

// aead returns the cipher of an instance's tokens.
func (b *Bearers) aead(at ident.InstanceID) cipher.AEAD {
	mac := hmac.New(sha256.New, b.key[:])
	mac.Write([]byte(at))
	aead, err := chacha20poly1305.NewX(mac.Sum(nil))
	if err != nil {
		panic("vault: " + err.Error()) // only for a wrong key length, which SHA-256 excludes
	}
	return aead
}

// bearerKey derives the key of bearer tokens from a master key, so that nothing else that is sealed
// under the master key can be taken for one.
func bearerKey(key *[KeySize]byte) [KeySize]byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("castellan bearer key"))
	return [KeySize]byte(mac.Sum(nil))
}
