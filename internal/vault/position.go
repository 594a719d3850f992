package vault

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"castellan/internal/fault"
)

// Limits of positions.
const (
	// MaxPosition is the length of the longest position that can be sealed, in bytes.
	MaxPosition = 2 << 10
	// MaxSealedPosition is the length of the longest sealed position that is looked at, in
	// characters: that of MaxPosition bytes.
	MaxSealedPosition = ((positionOverhead+MaxPosition)*8 + 5) / 6

	positionOverhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// A sealed position, format 2: the format byte, a random nonce, then ciphertext and tag of
// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). Positions are sealed with each message of a
// stream and each page of a list, for the life of the deployment: far more often than the 2^32
// times that a random nonce of 96 bits allows one key.
const positionFormat = 2

// ErrPosition is the answer to every position that this deployment did not make for this
// caller and purpose, the same for every reason: VAULT-pos01, with the field position.
var ErrPosition = fault.Invalid("VAULT-pos01", "Errors.Position.Invalid", "position",
	"must be one that an earlier answer to the same caller and request had, unchanged")

// Positions seals the places in the log or in a list where a caller has come to, so that a
// client can keep one and bring it back, and can neither read it nor make one up. It is safe
// for concurrent use.
type Positions struct {
	redacted
	aead   cipher.AEAD
	random io.Reader
}

// NewPositions returns what seals positions under master. Positions of one master key open on
// every node that has it, and after every restart.
func NewPositions(master *MasterKey) *Positions {
	aead, err := chacha20poly1305.NewX(master.positions[:])
	if err != nil {
		panic("vault: " + err.Error()) // only for a wrong key length, which the type excludes
	}
	return &Positions{aead: aead, random: master.random}
}

// Positions returns what seals positions under the keyring's master key, see [NewPositions].
func (k *Keyring) Positions() *Positions { return NewPositions(k.master) }

// Seal returns a position as a text of letters, digits, - and _ (base64url, RFC 4648 section
// 5), which opens for the same purpose and caller only. purpose names the request the position
// belongs to, with everything about it that must not change from page to page; caller is who
// asked. position has at most MaxPosition bytes; a longer one is a mistake of the program, and
// panics.
func (p *Positions) Seal(purpose, caller string, position []byte) string {
	if len(position) > MaxPosition {
		panic("vault: a position of " + strconv.Itoa(len(position)) + " bytes")
	}
	sealed := make([]byte, 1+chacha20poly1305.NonceSizeX, positionOverhead+len(position))
	sealed[0] = positionFormat
	nonce := sealed[1:]
	mustRead(p.random, nonce)
	sealed = p.aead.Seal(sealed, nonce, position, positionBinding(purpose, caller))
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// Open returns the position that Seal made a text of. For any other text, and for one that was
// sealed for another purpose, for another caller, or by another deployment, it returns a fault
// of kind InvalidArgument (VAULT-pos01) that names the field position. An empty text is no
// position either: ask before whether there is one.
func (p *Positions) Open(purpose, caller, sealed string) ([]byte, error) {
	if len(sealed) > MaxSealedPosition {
		return nil, ErrPosition.WithCause(fmt.Errorf("the position has %d characters, more than %d",
			len(sealed), MaxSealedPosition))
	}
	if strings.ContainsAny(sealed, "\r\n") { // the decoder would skip them
		return nil, ErrPosition.WithCause(errors.New("the position has a line break"))
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, ErrPosition.WithCause(err)
	}
	if len(raw) < positionOverhead || raw[0] != positionFormat {
		return nil, ErrPosition.WithCause(ErrOpen)
	}
	nonce, text := raw[1:1+chacha20poly1305.NonceSizeX], raw[1+chacha20poly1305.NonceSizeX:]
	position, err := p.aead.Open(nil, nonce, text, positionBinding(purpose, caller))
	if err != nil {
		return nil, ErrPosition.WithCause(ErrOpen)
	}
	return position, nil
}

// positionKey derives the key of positions from a master key, so that nothing else that is
// sealed under the master key can be taken for a position, nor a position for it.
func positionKey(key *[KeySize]byte) [KeySize]byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("castellan position key"))
	return [KeySize]byte(mac.Sum(nil))
}

// positionBinding ties a position to its purpose and caller. The length keeps them apart.
func positionBinding(purpose, caller string) []byte {
	b := strconv.AppendInt(nil, int64(len(purpose)), 10)
	b = append(b, ':')
	b = append(b, purpose...)
	return append(b, caller...)
}
