package signing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/webkey"
)

// ErrToken means that a token is none that a key of the instance has signed. Why is in its text, for
// the log; who sent it learns nothing.
var ErrToken = errors.New("signing: the token does not verify")

// maxToken is how long a token may be, in bytes.
const maxToken = 16 << 10

// Config is what Keys need.
type Config struct {
	DB      store.DB
	Sealers store.Sealers
	// Web makes the first keys of an instance.
	Web *webkey.Service
}

// Keys are the keys of all instances. They are safe for concurrent use.
type Keys struct {
	config Config
}

// New returns Keys that have read nothing yet.
func New(config Config) *Keys { return &Keys{config: config} }

// Sign returns claims, which are JSON, as a token that the active key of the instance has signed. Its
// header has alg, kid and typ. It returns the errors of [Keys.Active].
func (k *Keys) Sign(ctx context.Context, instance ident.InstanceID, typ string, claims []byte) (compact string, err error) {
	s, err := k.Active(ctx, instance)
	if err != nil {
		return "", err
	}
	return s.Sign(typ, claims)
}

// Active returns the key with which the instance signs now, and makes the first keys when it has none yet.
// It returns a fault of kind NotFound when there is no such instance, and the errors of store.DB.
func (k *Keys) Active(ctx context.Context, instance ident.InstanceID) (*Signer, error) {
	set, err := k.set(ctx, instance)
	if err != nil {
		return nil, err
	}
	return set.active, nil
}

// Verify returns the claims and the typ of a token that a published key of the instance has signed. It
// says nothing about what the claims mean, when they expire least of all. It returns [ErrToken] for every
// other token, and otherwise the errors of [Keys.Active].
func (k *Keys) Verify(ctx context.Context, instance ident.InstanceID, compact string) (claims []byte, typ string, err error) {
	t, err := parse(compact)
	if err != nil {
		return nil, "", err
	}
	set, err := k.set(ctx, instance)
	if err != nil {
		return nil, "", err
	}
	for _, p := range set.public {
		if p.id != t.key {
			continue
		}
		if err := t.verify(p); err != nil {
			return nil, "", err
		}
		return t.claims, t.typ, nil
	}
	return nil, "", fmt.Errorf("%w: the instance has no key %.40q", ErrToken, t.key)
}

// Public returns the public keys of an instance that are published, the oldest first, with kid, alg and
// use. It returns the errors of [Keys.Active].
func (k *Keys) Public(ctx context.Context, instance ident.InstanceID) ([]jose.JSONWebKey, error) {
	set, err := k.set(ctx, instance)
	if err != nil {
		return nil, err
	}
	public := make([]jose.JSONWebKey, len(set.public))
	for i, p := range set.public {
		public[i] = jose.JSONWebKey{Key: p.key, KeyID: string(p.id), Algorithm: string(p.algorithm), Use: "sig"}
	}
	return public, nil
}

// Document is a JWK Set (RFC 7517 section 5) as it is sent. Nobody may change its bytes.
type Document struct {
	JSON []byte
	// ETag is a strong one (RFC 9110 section 8.8.3), with its quotes.
	ETag string
}

// Document returns the keys of [Keys.Public] in JSON. It returns the errors of [Keys.Active].
func (k *Keys) Document(ctx context.Context, instance ident.InstanceID) (Document, error) {
	set, err := k.set(ctx, instance)
	if err != nil {
		return Document{}, err
	}
	return set.document, nil
}

// set returns the keys of an instance.
func (k *Keys) set(ctx context.Context, instance ident.InstanceID) (*keySet, error) {
	sealer, err := k.config.Sealers.Get(ctx, k.config.DB, instance)
	if err != nil {
		return nil, fmt.Errorf("read the web keys of instance %s: %w", instance, err)
	}
	keys, err := k.config.Web.List(ctx, instance)
	if err != nil {
		return nil, err
	}
	return newKeySet(keys, sealer)
}

// keySet is the keys of one instance, ready for use.
type keySet struct {
	active   *Signer
	public   []publicKey
	document Document
}

// publicKey is a key that verifies.
type publicKey struct {
	id        ident.KeyID
	algorithm webkey.Algorithm
	key       crypto.PublicKey
}

// errNoActive cannot be: an instance that has keys has an active one.
var errNoActive = errors.New("signing: no web key is active")

// newKeySet makes keys ready for use. sealer is that of their instance.
func newKeySet(keys []webkey.State, sealer store.Sealer) (*keySet, error) {
	set := &keySet{public: make([]publicKey, len(keys))}
	documents := make([]string, len(keys))
	for i, key := range keys {
		var jwk jose.JSONWebKey
		if err := json.Unmarshal([]byte(key.PublicKey), &jwk); err != nil {
			return nil, fmt.Errorf("read web key %s: %w", key.ID, err)
		}
		if !fits(key.Config.Algorithm, jwk.Key) {
			return nil, fmt.Errorf("read web key %s: %w", key.ID, errKey)
		}
		set.public[i] = publicKey{ident.KeyID(key.ID), key.Config.Algorithm, jwk.Key}
		documents[i] = key.PublicKey
		if key.State != webkey.Active {
			continue
		}
		private, err := key.OpenPrivate(sealer)
		if err != nil {
			return nil, err
		}
		if public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(jwk.Key) {
			return nil, fmt.Errorf("read web key %s: %w", key.ID, errKey)
		}
		set.active = &Signer{id: ident.KeyID(key.ID), algorithm: key.Config.Algorithm, key: private}
	}
	if set.active == nil {
		return nil, errNoActive
	}
	set.document.JSON = []byte(`{"keys":[` + strings.Join(documents, ",") + `]}`)
	sum := sha256.Sum256(set.document.JSON)
	set.document.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
	return set, nil
}
