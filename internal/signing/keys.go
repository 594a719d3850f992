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

	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/webkey"
)

// ErrToken means that a token is none that a key of the instance has signed. Why is in its text, for
// the log; who sent it learns nothing.
var ErrToken = errors.New("signing: the token does not verify")

// maxToken is how long a token may be, in bytes.
const maxToken = 16 << 10

// How many instances' keys are kept ready at most. A private key with what is computed ahead to sign fast
// takes some 5 kB, the public ones of an instance about as much.
const (
	maxSigners = 1000
	maxSets    = 2000
)

// Config is what Keys need.
type Config struct {
	// Epochs tell whether keys have changed.
	Epochs  *fresh.Epochs
	Sealers store.Sealers
	// Web makes the first keys of an instance.
	Web *webkey.Service
}

// Keys are the keys of all instances. They are safe for concurrent use.
type Keys struct {
	config  Config
	signers *fresh.Cache[ident.InstanceID, *Signer]
	sets    *fresh.Cache[ident.InstanceID, *keySet]
}

// New returns Keys that have read nothing yet.
func New(config Config) *Keys {
	return &Keys{
		config:  config,
		signers: fresh.NewCache[ident.InstanceID, *Signer](config.Epochs, maxSigners),
		sets:    fresh.NewCache[ident.InstanceID, *keySet](config.Epochs, maxSets),
	}
}

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
	return k.signers.Get(ctx, instance, instance, func(ctx context.Context, q store.Querier) (*Signer, error) {
		sealer, err := k.sealer(ctx, q, instance)
		if err != nil {
			return nil, err
		}
		key, err := webkey.GetActive(ctx, q, instance)
		if errors.Is(err, store.ErrNotFound) {
			key, err = k.first(ctx, instance)
		}
		if err != nil {
			return nil, err
		}
		if before, ok := k.signers.Stale(instance); ok && string(before.id) == key.ID {
			return before, nil // a key does not change, and its instance is there
		}
		return newSigner(key, sealer)
	})
}

// sealer returns the sealer of an instance, which exists.
func (k *Keys) sealer(ctx context.Context, q store.Querier, id ident.InstanceID) (store.Sealer, error) {
	s, err := k.config.Sealers.Get(ctx, q, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, instance.NotFound(id)
	}
	return s, err
}

// first makes the first keys of an instance and returns the one that signs.
func (k *Keys) first(ctx context.Context, instance ident.InstanceID) (webkey.State, error) {
	keys, err := k.config.Web.First(ctx, instance)
	if err != nil {
		return webkey.State{}, err
	}
	for _, key := range keys {
		if key.State == webkey.Active {
			return key, nil
		}
	}
	return webkey.State{}, errNoActive
}

// errNoActive cannot be: an instance that has keys has an active one.
var errNoActive = errors.New("signing: no web key is active")

// newSigner makes a key ready to sign.
func newSigner(key webkey.State, sealer store.Sealer) (*Signer, error) {
	public, err := newPublicKey(key)
	if err != nil {
		return nil, err
	}
	private, err := key.OpenPrivate(sealer)
	if err != nil {
		return nil, err
	}
	half, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !half.Equal(public.key) {
		return nil, fmt.Errorf("read web key %s: %w", key.ID, errKey)
	}
	return &Signer{id: public.id, algorithm: public.algorithm, key: private}, nil
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

// set returns the public keys of an instance.
func (k *Keys) set(ctx context.Context, instance ident.InstanceID) (*keySet, error) {
	return k.sets.Get(ctx, instance, instance, func(ctx context.Context, q store.Querier) (*keySet, error) {
		if _, err := k.sealer(ctx, q, instance); err != nil {
			return nil, err
		}
		keys, err := webkey.List(ctx, q, instance)
		if err == nil && len(keys) == 0 {
			keys, err = k.config.Web.First(ctx, instance)
		}
		if err != nil {
			return nil, err
		}
		return newKeySet(keys)
	})
}

// keySet is the public keys of one instance, ready for use.
type keySet struct {
	public   []publicKey
	document Document
}

// publicKey is a key that verifies.
type publicKey struct {
	id        ident.KeyID
	algorithm webkey.Algorithm
	key       crypto.PublicKey
}

// newPublicKey makes a key ready to verify.
func newPublicKey(key webkey.State) (publicKey, error) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal([]byte(key.PublicKey), &jwk); err != nil {
		return publicKey{}, fmt.Errorf("read web key %s: %w", key.ID, err)
	}
	if !fits(key.Config.Algorithm, jwk.Key) {
		return publicKey{}, fmt.Errorf("read web key %s: %w", key.ID, errKey)
	}
	return publicKey{ident.KeyID(key.ID), key.Config.Algorithm, jwk.Key}, nil
}

// newKeySet makes keys ready to verify and to be published.
func newKeySet(keys []webkey.State) (*keySet, error) {
	set := &keySet{public: make([]publicKey, len(keys))}
	documents := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if set.public[i], err = newPublicKey(key); err != nil {
			return nil, err
		}
		documents[i] = key.PublicKey
	}
	set.document.JSON = []byte(`{"keys":[` + strings.Join(documents, ",") + `]}`)
	sum := sha256.Sum256(set.document.JSON)
	set.document.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
	return set, nil
}
