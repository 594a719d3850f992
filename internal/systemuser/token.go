package systemuser

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"castellan/internal/ident"
)

// Limits of a token.
const (
	// MaxToken is the length of the longest token that is looked at, in bytes.
	MaxToken = 8 << 10
	// MaxAge is how long after its iat a token is accepted, whatever its exp.
	MaxAge = time.Hour
	// skew is how far the clocks of client and server may be apart.
	skew = time.Second
)

// lifetime is when a token is valid, as far as the token says.
type lifetime struct {
	expires, issued time.Time
	notBefore       time.Time // zero when the token has none
}

// validAt returns an error that says which limit a token has passed.
func (l *lifetime) validAt(now time.Time) error {
	switch {
	case !l.expires.After(now.Add(skew)):
		return fmt.Errorf("exp %d has passed", l.expires.Unix())
	case l.issued.After(now.Add(skew)):
		return fmt.Errorf("iat %d is in the future", l.issued.Unix())
	case l.issued.Before(now.Add(-MaxAge)):
		return fmt.Errorf("iat %d is more than %s ago", l.issued.Unix(), MaxAge)
	case l.notBefore.After(now.Add(skew)):
		return fmt.Errorf("nbf %d is in the future", l.notBefore.Unix())
	}
	return nil
}

// claimed is what a token says of itself: well-formed, for this system and of this time, and not
// yet believed.
type claimed struct {
	name  string
	valid lifetime
}

// inspect checks everything about a token that needs no key. Its errors say which check failed,
// for the log.
func inspect(token, issuer string, now time.Time) (c claimed, err error) {
	header, payload, err := split(token)
	if err != nil {
		return c, err
	}
	if err := checkHeader(header); err != nil {
		return c, err
	}
	if c.name, c.valid, err = parseClaims(payload, issuer); err != nil {
		return c, err
	}
	return c, c.valid.validAt(now)
}

// errUnknown is for the log: nobody has the name a token claims.
func errUnknown(name string) error { return fmt.Errorf("no system user is called %.200q", name) }

// verify checks that a token is signed with one of the keys of u that are valid at now, and returns
// which.
func (u *user) verify(token string, now time.Time) (*publicKey, error) {
	var refused error
	for i := range u.keys {
		key := &u.keys[i]
		err := key.validAt(now)
		if err == nil {
			err = key.verify(token, u.caller.Name)
		}
		if err == nil {
			return key, nil
		}
		refused = errors.Join(refused, err)
	}
	return nil, refused
}

// verify checks that a token is signed with the key. name is for the error.
func (k *publicKey) verify(token string, name ident.Actor) error {
	signed, err := jose.ParseSignedCompact(token, k.algorithms)
	if err != nil {
		return fmt.Errorf("the token of %.200q: %.200w", name, err)
	}
	if _, err := signed.Verify(k.key); err != nil {
		return fmt.Errorf("the signature is not by the key of %.200q: %w", name, err)
	}
	return nil
}

// split decodes the three parts of a compact token (RFC 7515 section 7.1). Only canonical
// base64url is taken, so that every token has one spelling.
func split(token string) (header, payload []byte, err error) {
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 {
		return nil, nil, errors.New("the token is not three parts joined by dots")
	}
	if strings.ContainsAny(token, "\r\n") { // the decoder would skip them
		return nil, nil, errors.New("the token has a line break")
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, nil, fmt.Errorf("part %d of the token is not base64url", i+1)
		}
	}
	if !utf8.Valid(decoded[0]) || !utf8.Valid(decoded[1]) {
		return nil, nil, errors.New("header or claims are not UTF-8")
	}
	return decoded[0], decoded[1], nil
}

// checkHeader refuses what would change the meaning of the token. alg is left to the parser,
// which is given the algorithms of the user's key; members that point to another key are not
// looked at.
func checkHeader(text []byte) error {
	// This decoder, unlike the standard one, minds the case of names and refuses repetitions.
	var header struct {
		Critical json.RawMessage `json:"crit"`
		Base64   json.RawMessage `json:"b64"` // RFC 7797
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return fmt.Errorf("header: %.200w", err)
	}
	if header.Critical != nil || header.Base64 != nil {
		return errors.New("header: has crit or b64")
	}
	return nil
}

// parseClaims checks what does not depend on the time, and returns the name of the user.
func parseClaims(text []byte, issuer string) (name string, valid lifetime, err error) {
	var claims jwt.Claims
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", valid, fmt.Errorf("claims: %.200w", err)
	}
	switch {
	case !slices.Contains(claims.Audience, issuer):
		return "", valid, fmt.Errorf("aud %.200q does not contain %s", claims.Audience, issuer)
	case claims.Expiry == nil:
		return "", valid, errors.New("exp is missing")
	case claims.IssuedAt == nil:
		return "", valid, errors.New("iat is missing")
	case claims.Issuer != claims.Subject:
		return "", valid, fmt.Errorf("iss %.200q is not sub %.200q", claims.Issuer, claims.Subject)
	}
	valid = lifetime{
		expires: claims.Expiry.Time(), issued: claims.IssuedAt.Time(), notBefore: claims.NotBefore.Time(),
	}
	return claims.Issuer, valid, nil
}
