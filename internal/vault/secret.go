package vault

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
)

// secretSize is the length of a secret in characters (contract section 8): 381 bits.
const secretSize = 64

// NewSecret makes the secret of a client or of a machine user: 64 characters of A-Z, a-z and 0-9. It
// returns it in the clear, for the one answer that shows it, and its hash, which is what is stored.
// random is the source; nil is the system's.
func NewSecret(random io.Reader) (plain string, hash []byte) {
	plain = string(appendAlphabet(make([]byte, 0, secretSize), random, base62, secretSize))
	return plain, HashSecret(plain)
}

// HashSecret returns the SHA-256 of a secret. A slow hash would gain nothing: it has too many random
// bits to be guessed, and every call of a client would pay for it.
func HashSecret(plain string) []byte {
	sum := sha256.Sum256([]byte(plain))
	return sum[:]
}

// SecretMatches reports, in a time that tells nothing, whether hash is that of the secret a caller has
// sent. An empty hash is that of no secret: where none is set, none is right.
func SecretMatches(hash []byte, plain string) bool {
	return len(hash) == sha256.Size && subtle.ConstantTimeCompare(hash, HashSecret(plain)) == 1
}

// SecretPrint names a secret by the hash that is stored of it, so that what came through the secret can
// tell whether it is still the one: 128 bits in base64url, of which nobody learns hash or secret. That of
// no secret is empty.
func SecretPrint(hash []byte) string {
	if len(hash) == 0 {
		return ""
	}
	sum := sha256.Sum256(append([]byte("castellan secret print\x00"), hash...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// NewCode makes a code of size characters that somebody has to type: upper-case letters and digits
// (contract section 8). It can be guessed by trying, so whoever checks it limits attempts and time.
// random is the source; nil is the system's.
func NewCode(random io.Reader, size int) string {
	return string(appendAlphabet(make([]byte, 0, size), random, codeAlphabet, size))
}

const codeAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// appendAlphabet appends n random characters of an alphabet, each with the same chance: bytes above the
// largest multiple of its length are dropped.
func appendAlphabet(text []byte, random io.Reader, alphabet string, n int) []byte {
	random = orCrypto(random)
	limit := 256 / len(alphabet) * len(alphabet)
	var pool [64]byte
	for n > 0 {
		mustRead(random, pool[:])
		for _, b := range pool {
			if int(b) < limit && n > 0 {
				text = append(text, alphabet[int(b)%len(alphabet)])
				n--
			}
		}
	}
	return text
}
