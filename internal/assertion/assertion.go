package assertion

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of an assertion (contract section 4).
const (
	// MaxSize is the length of the longest assertion that is looked at, in bytes.
	MaxSize = 8 << 10
	// MaxAge is how long after its iat an assertion is accepted, whatever its exp.
	MaxAge = time.Hour
	// Skew is how far the clocks of client and server may be apart.
	Skew = time.Second
	// usualSize is what most assertions do not exceed, in bytes and decoded.
	usualSize = 1 << 10
)

// Assertion is what a token says of itself: well-formed, for this audience, and not yet believed.
type Assertion struct {
	// KeyID is the kid of the header; empty when there is none.
	KeyID string
	// Issuer is who the token is by, and Subject whom it is about: iss and sub, which are equal for
	// [Parse]. They may be empty.
	Issuer, Subject string
	// ID is the jti; empty when there is none.
	ID string
	// Scope is the scope claim, with which some clients say what they want a token for; empty when there is
	// none, or one that is no text: in any other token it means nothing.
	Scope string
	// Expires and Issued are exp and iat; NotBefore is nbf, zero when there is none.
	Expires, Issued, NotBefore time.Time
}

// Parse reads a token whose aud is, or contains, one of audiences, and checks everything about it that
// depends on neither a key nor the time. Its errors say which check failed, and do not quote the token.
func Parse(text string, audiences ...string) (Assertion, error) {
	a, err := ParseAbout(text, audiences...)
	if err == nil && a.Issuer != a.Subject {
		return Assertion{}, fmt.Errorf("iss %.200q is not sub %.200q", a.Issuer, a.Subject)
	}
	return a, err
}

// ParseAbout is Parse of a token that may be about somebody else than who has signed it (RFC 8693 section
// 2.1, a subject token of type jwt).
func ParseAbout(text string, audiences ...string) (a Assertion, err error) {
	if len(text) > MaxSize {
		return a, fmt.Errorf("the token has %d bytes, more than %d", len(text), MaxSize)
	}
	header, payload, err := Split(text)
	if err != nil {
		return a, err
	}
	head, err := readHeader(header)
	if err != nil {
		return a, err
	}
	a.KeyID = head.keyID
	if err := a.parseClaims(payload, audiences); err != nil {
		return Assertion{}, err
	}
	return a, nil
}

// ValidAt returns an error that says which limit a token has passed: exp must be later than in [Skew],
// iat and nbf at most Skew ahead, and iat at most [MaxAge] ago.
func (a *Assertion) ValidAt(now time.Time) error {
	switch {
	case !a.Expires.After(now.Add(Skew)):
		return fmt.Errorf("exp %d has passed", a.Expires.Unix())
	case a.Issued.After(now.Add(Skew)):
		return fmt.Errorf("iat %d is in the future", a.Issued.Unix())
	case a.Issued.Before(now.Add(-MaxAge)):
		return fmt.Errorf("iat %d is more than %s ago", a.Issued.Unix(), MaxAge)
	case a.NotBefore.After(now.Add(Skew)):
		return fmt.Errorf("nbf %d is in the future", a.NotBefore.Unix())
	}
	return nil
}

// encoding is that of the parts of a token. It is strict: one text for some bytes.
var encoding = base64.RawURLEncoding.Strict()

// hasBreaks reports whether a text has line breaks, which the decoder would skip.
func hasBreaks(text string) bool {
	return strings.IndexByte(text, '\r') >= 0 || strings.IndexByte(text, '\n') >= 0
}

// Split decodes header and claims of a compact token (RFC 7515 section 7.1), whose signature is looked at
// for its form alone. Only canonical base64url is taken, so that every token has one spelling.
func Split(text string) (header, payload string, err error) {
	head, rest, _ := strings.Cut(text, ".")
	body, signature, found := strings.Cut(rest, ".")
	if !found || strings.Contains(signature, ".") {
		return "", "", errors.New("the token is not three parts joined by dots")
	}
	if hasBreaks(text) {
		return "", "", errors.New("the token has a line break")
	}
	var few [usualSize]byte
	all, ends := few[:0], [3]int{}
	for i, part := range [...]string{head, body, signature} {
		if all, err = encoding.AppendDecode(all, []byte(part)); err != nil {
			return "", "", fmt.Errorf("part %d of the token is not base64url", i+1)
		}
		ends[i] = len(all)
	}
	said := string(all[:ends[1]])
	if header, payload = said[:ends[0]], said[ends[0]:]; !utf8.ValidString(header) || !utf8.ValidString(payload) {
		return "", "", errors.New("header or claims are not UTF-8")
	}
	return header, payload, nil
}

// parseClaims checks what does not depend on the time.
func (a *Assertion) parseClaims(text string, audiences []string) error {
	c, err := readClaims(text)
	if err != nil {
		return err
	}
	switch {
	case !slices.ContainsFunc(audiences, func(want string) bool { return slices.Contains(c.audience, want) }):
		return fmt.Errorf("aud %.200q does not contain %s", c.audience, strings.Join(audiences, " or "))
	case !c.expires.said:
		return errors.New("exp is missing")
	case !c.issued.said:
		return errors.New("iat is missing")
	}
	a.Issuer, a.Subject, a.ID, a.Scope = c.issuer, c.subject, c.id, c.scope
	a.Expires, a.Issued, a.NotBefore = c.expires.time(), c.issued.time(), c.notTill.time()
	return nil
}
