package assertion

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"
)

// head is the header of a token.
type head struct {
	algorithm jose.SignatureAlgorithm
	keyID     string
}

// readHeader reads a header, and refuses what would change the meaning of the token. Whether alg fits is left
// to [Key.Verify], which knows the algorithms of the key; members that point to another key are not
// looked at.
func readHeader(text string) (h head, err error) {
	var few [maxPlain]member
	if all, ok := readPlain(few[:0], text); ok && h.fromPlain(all) {
		return h, nil
	}
	// This decoder, unlike the standard one, minds the case of names and refuses repetitions.
	var header struct {
		Algorithm any             `json:"alg"`
		KeyID     string          `json:"kid"`
		Critical  json.RawMessage `json:"crit"`
		Base64    json.RawMessage `json:"b64"` // RFC 7797
	}
	if err := json.Unmarshal([]byte(text), &header); err != nil {
		return head{}, fmt.Errorf("header: %.200w", err)
	}
	if header.Critical != nil || header.Base64 != nil {
		return head{}, errors.New("header: has crit or b64")
	}
	algorithm, _ := header.Algorithm.(string) // of another type it is none, and fits no key
	return head{jose.SignatureAlgorithm(algorithm), header.KeyID}, nil
}

// fromPlain is readHeader of a plain one; it returns false for what is to be refused.
func (h *head) fromPlain(all []member) bool {
	for i := range all {
		m := &all[i]
		switch m.name {
		case "alg":
			h.algorithm = jose.SignatureAlgorithm(m.text)
		case "kid":
			if h.keyID = m.text; m.kind != aText {
				return false
			}
		case "crit", "b64":
			return false
		}
	}
	return true
}

// claims are those that count.
type claims struct {
	issuer, subject, id, scope string
	audience                   []string
	expires, issued, notTill   date
}

// date is a NumericDate (RFC 7519 section 2), in seconds, if it was said.
type date struct {
	seconds int64
	said    bool
}

func dateOf(n *jwt.NumericDate) date {
	if n == nil {
		return date{}
	}
	return date{int64(*n), true}
}

// time returns the zero time for what was not said.
func (d date) time() time.Time {
	if !d.said {
		return time.Time{}
	}
	return time.Unix(d.seconds, 0)
}

// readClaims reads claims, which have to be of the types that they are defined with.
func readClaims(text string) (c claims, err error) {
	var few [maxPlain]member
	if all, ok := readPlain(few[:0], text); ok && c.fromPlain(all) {
		return c, nil
	}
	var said struct {
		jwt.Claims
		Scope any `json:"scope"`
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return claims{}, fmt.Errorf("claims: %.200w", err)
	}
	c = claims{
		issuer: said.Issuer, subject: said.Subject, id: said.ID, audience: said.Audience,
		expires: dateOf(said.Expiry), issued: dateOf(said.IssuedAt), notTill: dateOf(said.NotBefore),
	}
	c.scope, _ = said.Scope.(string)
	return c, nil
}

// fromPlain is readClaims of plain ones; it returns false when one is of another type.
func (c *claims) fromPlain(all []member) bool {
	for i := range all {
		m := &all[i]
		var is bool
		switch m.name {
		case "iss":
			c.issuer, is = m.text, m.kind == aText
		case "sub":
			c.subject, is = m.text, m.kind == aText
		case "jti":
			c.id, is = m.text, m.kind == aText
		case "aud":
			c.audience, is = m.list, m.kind == aList
			if m.kind == aText {
				c.audience, is = []string{m.text}, true
			}
		case "exp":
			c.expires, is = date{m.number, true}, m.kind == aNumber
		case "iat":
			c.issued, is = date{m.number, true}, m.kind == aNumber
		case "nbf":
			c.notTill, is = date{m.number, true}, m.kind == aNumber
		case "scope":
			c.scope, is = m.text, true // of another type it is ignored
		default:
			is = true
		}
		if !is {
			return false
		}
	}
	return true
}
