// Package dpoptest is a client that proves to have a key (RFC 9449), for tests of those who check it.
//
// It signs by the documents of the protocol, not by package dpop, so that a mistake there is not repeated
// here. Nothing that is shipped imports it.
package dpoptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Holder has a key that tokens are bound to.
type Holder struct {
	// Thumbprint is that of the key, as in the claim cnf.
	Thumbprint string

	t      testing.TB
	signer jose.Signer
}

// made is how many proofs there are, of all holders: each has an id of its own.
var made atomic.Int64

// New returns a holder of a new key.
func New(t testing.TB) *Holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	print, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	return &Holder{Thumbprint: base64.RawURLEncoding.EncodeToString(print), t: t, signer: signer}
}

// Proof makes a new proof for a request at a time, which carries an access token, or asks for one when that
// is empty.
func (h *Holder) Proof(method, url, token string, at time.Time) string {
	h.t.Helper()
	said := map[string]any{"jti": strconv.FormatInt(made.Add(1), 10), "htm": method, "htu": url, "iat": at.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		said["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	text, err := json.Marshal(said)
	if err != nil {
		h.t.Fatal(err)
	}
	signed, err := h.signer.Sign(text)
	if err != nil {
		h.t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		h.t.Fatal(err)
	}
	return compact
}
