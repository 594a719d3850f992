package webkey

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Pair is a new key before it is stored.
type pair struct {
	id      ident.KeyID
	config  Config
	private []byte // PKCS #8
	public  json.RawMessage
}

// newPair makes a key. RSA keys come from rsaKey, for they take long. It returns the error of rsaKey,
// and CRYPTO-Ii2ai for a key there is none of.
func newPair(ctx context.Context, id ident.KeyID, c Config,
	rsaKey func(ctx context.Context, bits int) (*rsa.PrivateKey, error),
) (pair, error) {
	if err := c.check(); err != nil {
		return pair{}, err
	}
	key, err := generate(ctx, c, rsaKey)
	if err != nil {
		return pair{}, fmt.Errorf("make a web key: %w", err)
	}
	p := pair{id: id, config: c}
	if p.private, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return pair{}, fmt.Errorf("write web key %s: %w", id, err)
	}
	public := jose.JSONWebKey{Key: key.Public(), KeyID: string(id), Algorithm: string(c.Algorithm), Use: "sig"}
	if p.public, err = public.MarshalJSON(); err != nil {
		return pair{}, fmt.Errorf("write web key %s: %w", id, err)
	}
	return p, nil
}

// generate makes the private key of a config that has been checked.
func generate(ctx context.Context, c Config,
	rsaKey func(ctx context.Context, bits int) (*rsa.PrivateKey, error),
) (crypto.Signer, error) {
	switch c.Algorithm {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case ES512:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsaKey(ctx, c.Bits)
}

// added is the event that begins the key.
func (p pair) added(s store.Sealer) Added {
	return Added{
		PrivateKey: s.Seal(p.private, binding(p.id)),
		PublicKey:  p.public,
		Config:     p.config,
		ConfigType: p.config.Algorithm.kind(),
	}
}

// OpenPrivate returns the private half of a key that was sealed under the key of its instance. It returns
// the error of the sealer, or of x509 when what was sealed is no key.
func (s State) OpenPrivate(sealer store.Sealer) (crypto.Signer, error) {
	der, err := sealer.Open(s.PrivateKey, binding(ident.KeyID(s.ID)))
	if err != nil {
		return nil, fmt.Errorf("open web key %s: %w", s.ID, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse web key %s: %w", s.ID, err)
	}
	return key.(crypto.Signer), nil // as is every private key of x509 that signs
}

// binding ties a sealed key to its id, so that rows cannot be swapped.
func binding(id ident.KeyID) []byte { return append([]byte("castellan web key\x00"), id...) }
