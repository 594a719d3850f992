package store

import (
	"context"

	"castellan/internal/ident"
)

// Sealer encrypts what is stored for one instance (law 10 of the design). Destroying its key
// makes everything it sealed unreadable.
type Sealer interface {
	// Seal encrypts plaintext and binds it to aad, which Open must be given again.
	Seal(plaintext, aad []byte) []byte
	// Open decrypts; it returns an error when the key, the aad or a byte differs.
	Open(sealed, aad []byte) ([]byte, error)
}

// Sealers finds the sealer of an instance.
type Sealers interface {
	// Create makes a key for a new instance and stores it, sealed itself, with tx.
	Create(ctx context.Context, tx Tx, instance ident.InstanceID) (Sealer, error)
	// Get returns ErrNotFound when the instance has no key, or has it no more.
	Get(ctx context.Context, q Querier, instance ident.InstanceID) (Sealer, error)
	// Hold is Get for a write: until tx ends nobody destroys the key.
	Hold(ctx context.Context, tx Tx, d *Dialect, instance ident.InstanceID) (Sealer, error)
	// Instances returns the instances that have a key, in the order of their ids, after one and at
	// most limit of them.
	Instances(ctx context.Context, q Querier, after ident.InstanceID, limit int) ([]ident.InstanceID, error)
	// Destroy deletes the key with tx. An instance without a key is no error.
	Destroy(ctx context.Context, tx Tx, instance ident.InstanceID) error
}
