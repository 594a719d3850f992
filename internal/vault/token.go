package vault

import (
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"io"
	"strings"
)

// A personal access token is this prefix, tokenRandom random characters of base62 (256
// bits), and tokenSum characters of base62 that are the CRC-32 (IEEE) of everything before.
const (
	tokenPrefix = "cstl_pat_"
	tokenRandom = 43
	tokenSum    = 6
	tokenSize   = len(tokenPrefix) + tokenRandom + tokenSum

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// TokenPattern is the regular expression that finds tokens in text. Secret scanners can use
// it as it is, and discard what [ParseToken] refuses.
const TokenPattern = `\bcstl_pat_[0-9A-Za-z]{49}\b`

// ErrToken means that a text is no personal access token.
var ErrToken = errors.New("vault: not a personal access token")

// Token is a personal access token in the clear (contract section 5.1: any unguessable text
// serves; decision D8). It prints redacted, and is never stored: see [Token.Hash].
type Token struct {
	redacted
	secret string
}

// NewToken makes a token. random is the source; nil is the system's.
func NewToken(random io.Reader) Token {
	secret := make([]byte, 0, tokenSize)
	secret = appendAlphabet(append(secret, tokenPrefix...), random, base62, tokenRandom)
	return Token{secret: string(append(secret, tokenChecksum(string(secret))...))}
}

// ParseToken returns the token a caller has sent, or ErrToken. It needs no database: a
// mistyped or foreign token is refused at once. What it accepts may still not exist.
func ParseToken(s string) (Token, error) {
	if len(s) != tokenSize || !strings.HasPrefix(s, tokenPrefix) {
		return Token{}, ErrToken
	}
	body := s[:tokenSize-tokenSum]
	for i := len(tokenPrefix); i < len(body); i++ {
		if strings.IndexByte(base62, body[i]) < 0 {
			return Token{}, ErrToken
		}
	}
	if tokenChecksum(body) != s[len(body):] {
		return Token{}, ErrToken
	}
	return Token{secret: s}, nil
}

// Reveal returns the token in the clear, for the one answer that shows it to its owner.
func (t Token) Reveal() string { return t.secret }

// Hash returns the SHA-256 of the token, which is what is stored and looked up. A slow hash
// would gain nothing: 256 random bits cannot be guessed.
func (t Token) Hash() []byte {
	sum := sha256.Sum256([]byte(t.secret))
	return sum[:]
}

// tokenChecksum returns the last characters of a token that begins with body. 62^6 exceeds
// 2^32, so every sum has exactly one form.
func tokenChecksum(body string) string {
	var digits [tokenSum]byte
	sum := crc32.ChecksumIEEE([]byte(body))
	for i := tokenSum - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return string(digits[:])
}
