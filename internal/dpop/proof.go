package dpop

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"castellan/internal/assertion"
)

// Limits of a proof.
const (
	// MaxProof is the length of the longest proof that is looked at, in bytes.
	MaxProof = 8 << 10
	// MaxAge is how long after its iat a proof is accepted.
	MaxAge = time.Minute
	// maxAhead is how far the clock of a client may be ahead.
	maxAhead = 15 * time.Second
	// maxID is how long a jti may be, in bytes; RFC 9449 section 4.2 asks for 96 random bits.
	maxID = 256
	// proofType is the typ of the header.
	proofType = "dpop+jwt"
)

// Algorithms returns the names of the algorithms a proof may be signed with, for the metadata of the
// server (RFC 9449 section 5.1, dpop_signing_alg_values_supported): those that fit the keys of assertion.
func Algorithms() []string { return []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"} }

// ErrProof means that a proof is none, or none for this request. The wire says invalid_dpop_proof
// (RFC 9449 sections 5 and 7.1); what is wrapped says why.
var ErrProof = errors.New("dpop: not a proof for this request")

// Request is what a proof has to be made for.
type Request struct {
	// Method and URL are those of the request; a query or fragment of the URL does not count.
	Method, URL string
	// Token is the access token the request carries; empty where it asks for one.
	Token string
}

// Proof is what a proof says once it is believed.
type Proof struct {
	// Thumbprint is that of the key (RFC 7638, SHA-256, base64url): jkt in the cnf claim of a token.
	Thumbprint string
	// ID is the jti.
	ID string
	// IssuedAt is the iat.
	IssuedAt time.Time
}

// claims are those of a proof (RFC 9449 section 4.2). Pointers tell what is missing from what is empty.
type claims struct {
	ID       *string  `json:"jti"`
	Method   *string  `json:"htm"`
	URL      *string  `json:"htu"`
	IssuedAt *float64 `json:"iat"`
	Hash     *string  `json:"ath"`
}

// Parse checks a proof against the request and the time, in the order of RFC 9449 section 4.3. Whether
// it has been shown before is not checked, see [Checker]. It returns an error that wraps ErrProof.
func Parse(proof string, r Request, now time.Time) (Proof, error) {
	p, err := parse(proof, r, now)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return p, nil
}

func parse(proof string, r Request, now time.Time) (Proof, error) {
	if len(proof) > MaxProof {
		return Proof{}, fmt.Errorf("%d bytes, at most %d are allowed", len(proof), MaxProof)
	}
	header, payload, err := assertion.Split(proof)
	if err != nil {
		return Proof{}, err
	}
	jwk, err := readHeader([]byte(header))
	if err != nil {
		return Proof{}, err
	}
	key, err := assertion.NewKey(jwk.Key)
	if err != nil {
		return Proof{}, fmt.Errorf("jwk: %w", err)
	}
	if err := key.Verify(proof); err != nil {
		return Proof{}, err
	}
	p, err := readClaims([]byte(payload), r, now)
	if err != nil {
		return Proof{}, err
	}
	print, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return Proof{}, fmt.Errorf("thumbprint: %.200w", err)
	}
	p.Thumbprint = base64.RawURLEncoding.EncodeToString(print)
	return p, nil
}

// readHeader returns the key in a header, and refuses what would change the meaning of the proof. alg is
// left to the key, which knows the algorithms that fit it.
func readHeader(text []byte) (*jose.JSONWebKey, error) {
	// This decoder, unlike the standard one, minds the case of names and refuses repetitions.
	var header struct {
		Type     string          `json:"typ"`
		Key      json.RawMessage `json:"jwk"`
		Critical json.RawMessage `json:"crit"`
		Base64   json.RawMessage `json:"b64"` // RFC 7797
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, fmt.Errorf("header: %.200w", err)
	}
	switch {
	case !strings.EqualFold(header.Type, proofType): // media types have no case (RFC 7515 section 4.1.9)
		return nil, fmt.Errorf("header: typ is %.60q, not %s", header.Type, proofType)
	case header.Key == nil:
		return nil, errors.New("header: jwk is missing")
	case header.Critical != nil || header.Base64 != nil:
		return nil, errors.New("header: has crit or b64")
	}
	if err := checkMembers(header.Key); err != nil {
		return nil, err
	}
	key := new(jose.JSONWebKey)
	if err := key.UnmarshalJSON(header.Key); err != nil {
		return nil, errors.New("jwk: not a key") // the cause may quote the key, which could be a private one
	}
	if !key.Valid() || !key.IsPublic() {
		return nil, errors.New("jwk: not a public key")
	}
	return key, nil
}

// checkMembers refuses a key that gives its private half away (RFC 9449 section 4.3, step 7), in whatever
// type it is, and what would make it the end of a chain of certificates.
func checkMembers(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("jwk: %.200w", err)
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "x5c", "x5u"} {
		if _, has := members[name]; has {
			return fmt.Errorf("jwk: has %s", name)
		}
	}
	return nil
}

// readClaims reads the claims of a proof whose signature is good.
func readClaims(text []byte, r Request, now time.Time) (p Proof, err error) {
	var c claims
	if err := json.Unmarshal(text, &c); err != nil {
		return p, fmt.Errorf("claims: %.200w", err)
	}
	switch {
	case c.ID == nil || *c.ID == "" || len(*c.ID) > maxID:
		return p, fmt.Errorf("jti is missing, or longer than %d bytes", maxID)
	case c.Method == nil || *c.Method != r.Method:
		return p, errors.New("htm is not the method of the request")
	case c.URL == nil || !sameURL(*c.URL, r.URL):
		return p, errors.New("htu is not the URL of the request")
	case c.IssuedAt == nil:
		return p, errors.New("iat is missing")
	}
	issued, err := seconds(*c.IssuedAt)
	switch {
	case err != nil:
		return p, err
	case issued.Before(now.Add(-MaxAge)):
		return p, fmt.Errorf("iat is more than %s ago", MaxAge)
	case issued.After(now.Add(maxAhead)):
		return p, errors.New("iat is in the future")
	}
	if err := checkHash(c.Hash, r.Token); err != nil {
		return p, err
	}
	return Proof{ID: *c.ID, IssuedAt: issued}, nil
}

// checkHash compares ath with the access token of the request (RFC 9449 section 4.2). Where there is no
// token an ath says nothing.
func checkHash(hash *string, token string) error {
	if token == "" {
		return nil
	}
	if hash == nil {
		return errors.New("ath is missing")
	}
	sum := sha256.Sum256([]byte(token))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(want), []byte(*hash)) != 1 {
		return errors.New("ath is not the hash of the access token")
	}
	return nil
}

// seconds reads a NumericDate (RFC 7519 section 2), which may have a fraction.
func seconds(n float64) (time.Time, error) {
	const limit = 1 << 40 // the year 36812
	if n < 0 || n > limit {
		return time.Time{}, errors.New("iat is not a time")
	}
	whole, part := math.Modf(n)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), nil
}

// sameURL compares the URL a proof names with that of the request, without query and fragment, after
// the normalization of scheme, host and port (RFC 3986 sections 6.2.2.1 and 6.2.3). Paths are compared
// as they are written.
func sameURL(named, actual string) bool {
	a, ok := normalize(named)
	b, same := normalize(actual)
	return ok && same && a == b
}

// normalize returns scheme, host, port and path of an absolute URL of HTTP in one spelling.
func normalize(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Hostname() == "" || u.Opaque != "" {
		return "", false
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	switch {
	case scheme != "http" && scheme != "https":
		return "", false
	case port == "" && scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + ":" + port + path, true
}
