package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the length of a master key and of an instance key in bytes (AES-256).
const KeySize = 32

// Sealed data, format 1: the format byte, a random nonce, then ciphertext and tag of
// AES-256-GCM (NIST SP 800-38D). Random nonces of 96 bits allow 2^32 messages a key, which
// is an instance's whole history; a format with a longer nonce would get the next number.
const (
	sealFormat   = 1
	nonceSize    = 12
	tagSize      = 16
	sealOverhead = 1 + nonceSize + tagSize
)

// ErrOpen means that sealed data does not open: another key, other associated data, or
// changed bytes. Which of them cannot be known.
var ErrOpen = errors.New("vault: sealed data does not open")

// redacted, embedded in what holds a secret, keeps it out of logs under any verb.
type redacted struct{}

const redaction = "[redacted]"

// Format implements fmt.Formatter and writes a fixed text.
func (redacted) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redaction) }

// LogValue implements slog.LogValuer and returns a fixed text.
func (redacted) LogValue() slog.Value { return slog.StringValue(redaction) }

// sealer is one AES-256-GCM key, ready for use. It is safe for concurrent use.
type sealer struct {
	redacted
	aead   cipher.AEAD
	random io.Reader
}

func newSealer(key *[KeySize]byte, random io.Reader) sealer {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("vault: " + err.Error()) // only for a wrong key length, which the type excludes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("vault: " + err.Error()) // only for a wrong block size
	}
	return sealer{aead: aead, random: orCrypto(random)}
}

// Seal encrypts plaintext and binds it to aad, which says where the result belongs and which
// Open must be given again. The result is 29 bytes longer than plaintext.
func (s *sealer) Seal(plaintext, aad []byte) []byte {
	sealed := make([]byte, 1+nonceSize, sealOverhead+len(plaintext))
	sealed[0] = sealFormat
	nonce := sealed[1 : 1+nonceSize]
	mustRead(s.random, nonce)
	return s.aead.Seal(sealed, nonce, plaintext, aad)
}

// Open decrypts what Seal has returned. It returns ErrOpen when the key, aad or a byte differs.
func (s *sealer) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealFormat {
		return nil, ErrOpen
	}
	plaintext, err := s.aead.Open(nil, sealed[1:1+nonceSize], sealed[1+nonceSize:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// orCrypto returns random, or the system's source when it is nil.
func orCrypto(random io.Reader) io.Reader {
	if random == nil {
		return rand.Reader
	}
	return random
}

// mustRead fills p. It panics when the source fails, see the package comment.
func mustRead(random io.Reader, p []byte) {
	if _, err := io.ReadFull(random, p); err != nil {
		panic("vault: the source of randomness failed: " + err.Error())
	}
}
