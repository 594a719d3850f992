package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// ErrMasterKey means that an instance key was sealed under another master key than the one
// in use.
var ErrMasterKey = errors.New("vault: sealed under another master key")

// InstanceKey seals what belongs to one instance. It implements store.Sealer.
type InstanceKey struct{ sealer }

// Keyring keeps the keys of instances in table instance_keys, each sealed under the master
// key. It implements store.Sealers.
//
// It keeps no key in memory. Destroying its key is what makes a removed instance unreadable;
// a cached key would go on opening its data on other nodes until they heard of the removal.
// A read by primary key and one AES-GCM open are cheap enough, and a caller that opens many
// values holds the key for the length of its call, inside its transaction or snapshot.
type Keyring struct {
	master *MasterKey
	random io.Reader
}

var (
	_ store.Sealers = (*Keyring)(nil)
	_ store.Sealer  = (*InstanceKey)(nil)
)

// NewKeyring returns the keyring under master. random makes keys and nonces; nil is the
// system's source.
func NewKeyring(master *MasterKey, random io.Reader) *Keyring {
	return &Keyring{master: master, random: orCrypto(random)}
}

// Create makes the key of a new instance and inserts it, sealed, with tx. A second key for
// one instance is a *store.ConflictError, which may surface later, see [store.Tx].
func (k *Keyring) Create(ctx context.Context, tx store.Tx, instance ident.InstanceID) (store.Sealer, error) {
	var key [KeySize]byte
	mustRead(k.random, key[:])
	sealed := append(k.master.id[:len(k.master.id):len(k.master.id)],
		k.master.Seal(key[:], instanceKeyBinding(instance))...)
	err := tx.Exec(ctx, `INSERT INTO instance_keys (instance_id, sealed_key) VALUES ($1, $2)`,
		string(instance), sealed)
	if err != nil {
		return nil, fmt.Errorf("store the key of instance %s: %w", instance, err)
	}
	return &InstanceKey{newSealer(&key, k.random)}, nil
}

// Get reads the key of an instance. It returns store.ErrNotFound when the instance has none,
// or has it no more; ErrMasterKey when it was sealed under another master key; ErrOpen when
// the row is damaged or belongs to another instance.
func (k *Keyring) Get(ctx context.Context, q store.Querier, instance ident.InstanceID) (store.Sealer, error) {
	return k.get(ctx, q, "", instance)
}

// Hold is Get within a write transaction, and keeps the key from being destroyed until that ends: a
// write and the removal of its instance happen one after the other, never both at once.
func (k *Keyring) Hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID) (store.Sealer, error) {
	return k.get(ctx, tx, d.ForKeyShare, instance)
}

// get reads the key of an instance with a statement that ends in lock.
func (k *Keyring) get(ctx context.Context, q store.Querier, lock string, instance ident.InstanceID) (store.Sealer, error) {
	sealed, err := store.One(ctx, q, scanBytes,
		`SELECT sealed_key FROM instance_keys WHERE instance_id = $1`+lock, string(instance))
	if err != nil {
		return nil, fmt.Errorf("read the key of instance %s: %w", instance, err)
	}
	key, err := k.open(sealed, instance)
	if err != nil {
		return nil, fmt.Errorf("key of instance %s: %w", instance, err)
	}
	return &InstanceKey{newSealer(&key, k.random)}, nil
}

// Instances returns the instances that have a key, and so exist: in the order of their ids, after
// one of them (the empty id comes before all), and at most limit.
func (k *Keyring) Instances(ctx context.Context, q store.Querier, after ident.InstanceID, limit int) ([]ident.InstanceID, error) {
	ids, err := store.All(ctx, q, func(row store.Scanner) (id ident.InstanceID, err error) { return id, row.Scan(&id) },
		`SELECT instance_id FROM instance_keys WHERE instance_id > $1 ORDER BY instance_id LIMIT $2`, string(after), limit)
	if err != nil {
		return nil, fmt.Errorf("list the instances that have a key: %w", err)
	}
	return ids, nil
}

// Claimed reports whether a database is sealed under some master key already.
func Claimed(ctx context.Context, q store.Querier) (bool, error) {
	_, err := claimant(ctx, q)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Claim makes this keyring's master key the one of the database, or returns ErrMasterKey when
// it is another: two nodes with different keys would divide the data for good. Of nodes that
// start at the same time on a new database the first one decides.
func (k *Keyring) Claim(ctx context.Context, db store.DB) error {
	id, err := claimant(ctx, db)
	if errors.Is(err, store.ErrNotFound) {
		err = db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `INSERT INTO master_key (key_id) VALUES ($1) ON CONFLICT DO NOTHING`, k.master.id[:])
		})
		if err == nil {
			id, err = claimant(ctx, db)
		}
	}
	if err != nil {
		return fmt.Errorf("claim the database: %w", err)
	}
	if !bytes.Equal(id, k.master.id[:]) {
		return ErrMasterKey
	}
	return nil
}

// claimant returns the id of the master key of a database.
func claimant(ctx context.Context, q store.Querier) ([]byte, error) {
	return store.One(ctx, q, scanBytes, `SELECT key_id FROM master_key`)
}

// Destroy deletes the key of an instance with tx. Once that is committed nothing of the
// instance opens any more, on any node; there is no way back. An instance without a key is
// no error.
func (k *Keyring) Destroy(ctx context.Context, tx store.Tx, instance ident.InstanceID) error {
	err := tx.Exec(ctx, `DELETE FROM instance_keys WHERE instance_id = $1`, string(instance))
	if err != nil {
		return fmt.Errorf("destroy the key of instance %s: %w", instance, err)
	}
	return nil
}

// open takes a row apart: the id of the master key, then what it sealed.
func (k *Keyring) open(sealed []byte, instance ident.InstanceID) (key [KeySize]byte, err error) {
	if len(sealed) < masterIDSize {
		return key, ErrOpen
	}
	if !bytes.Equal(sealed[:masterIDSize], k.master.id[:]) {
		return key, ErrMasterKey
	}
	raw, err := k.master.Open(sealed[masterIDSize:], instanceKeyBinding(instance))
	if err != nil {
		return key, err
	}
	if len(raw) != KeySize {
		return key, ErrOpen
	}
	return [KeySize]byte(raw), nil
}

// instanceKeyBinding ties a sealed key to its instance, so that rows cannot be swapped.
func instanceKeyBinding(instance ident.InstanceID) []byte {
	return append([]byte("castellan instance key\x00"), instance...)
}

func scanBytes(row store.Scanner) (sealed []byte, err error) {
	err = row.Scan(&sealed)
	return sealed, err
}
