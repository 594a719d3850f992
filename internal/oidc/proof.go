package oidc

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"castellan/internal/assertion"
	"castellan/internal/session"
	"castellan/internal/throttle"
)

// maxParsed is how many public keys are kept ready for use.
const maxParsed = 10_000

// parsedKeys has public keys ready for use by their PEM. What a key is follows from its text, so nothing in
// it is ever out of date: whether the key still counts is read with its text, each time.
type parsedKeys struct {
	cache *otter.Cache[string, *assertion.Key]
}

func newParsedKeys() parsedKeys {
	return parsedKeys{otter.Must(&otter.Options[string, *assertion.Key]{MaximumSize: maxParsed})}
}

// get returns the key of a PEM; for none, and for what is none, the key of nobody.
func (k parsedKeys) get(pem []byte) *assertion.Key {
	if len(pem) == 0 {
		return nobody()
	}
	if key, known := k.cache.GetIfPresent(string(pem)); known {
		return key
	}
	key, err := assertion.ParseKey(pem)
	if err != nil {
		return nobody() // it was checked when it was stored, or came from elsewhere: it verifies nothing
	}
	k.cache.Set(string(pem), &key)
	return &key
}

// publicKey returns the key that a candidate is to have signed with, ready for use; that of nobody for none.
func (p *Provider) publicKey(h *candidate) *assertion.Key {
	if h.public != nil {
		return h.public
	}
	return p.parsed.get(h.key)
}

// nobody is a key of which there is no private half: a number of 2048 bits that nobody has made of primes.
// Verifying with it takes as long as with any RSA key of that length, so who guesses ids of such keys learns
// nothing by time. Keys of other kinds take longer; their ids are no secret.
var nobody = sync.OnceValue(func() *assertion.Key {
	var n []byte
	for i := range uint32(8) {
		block := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("castellan key of nobody"), i))
		n = append(n, block[:]...)
	}
	n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
	key, err := assertion.NewKey(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	if err != nil {
		panic("oidc: " + err.Error()) // a constant
	}
	return &key
})

// spend uses up an assertion that has a jti: it counts once (RFC 7523 section 3). One without may be sent
// again until it is too old, as clients of the reference do. The ids belong to the credential, so
// nobody uses up those of others. It returns errSpent for one that has been used, and the errors of the
// store.
func (p *Provider) spend(r *Request, g session.Ground, a assertion.Assertion) error {
	if a.ID == "" {
		return nil
	}
	id := sha256.Sum256([]byte("assertion\x00" + string(g.Kind) + "\x00" + g.ID + "\x00" + a.ID))
	until := a.Issued.Add(assertion.MaxAge)
	if a.Expires.Before(until) {
		until = a.Expires
	}
	first, err := p.Spent.Once(r.Context(), r.Instance.ID, id, until.Add(assertion.Skew))
	if err != nil {
		return fmt.Errorf("remember an assertion: %w", err)
	}
	if !first {
		return errSpent
	}
	return nil
}

// errSpent means that an assertion has been used before.
var errSpent = errors.New("the assertion has been used before")

// admit lets a request in that claims to be of a client, see throttle. It returns an [Error] with status 429
// when there were too many. Clients of different instances are different ones, whatever they are called.
func (p *Provider) admit(r *Request, client string) (throttle.Visit, error) {
	visit, wait := p.Throttle.Enter(string(r.Instance.ID)+"\x00"+client, p.Origins.Client(r.Request))
	if wait <= 0 {
		return visit, nil
	}
	e := newError(codeUnavailable, "too many requests; try again later").with(http.StatusTooManyRequests)
	e.retryAfter = wait
	return visit, e
}

// seconds is how Retry-After says a time (RFC 9110 section 10.2.3): rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}
