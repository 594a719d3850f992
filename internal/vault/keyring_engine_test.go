package vault_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// TestKeyringOnEachEngine runs the statements of a Keyring on the real table.
func TestKeyringOnEachEngine(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		ctx := t.Context()
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		update := func(fn func(ctx context.Context, tx store.Tx) error) {
			t.Helper()
			if err := db.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		create := func(sealed *[]byte) func(ctx context.Context, tx store.Tx) error {
			return func(ctx context.Context, tx store.Tx) error {
				key, err := keys.Create(ctx, tx, "1")
				if err == nil {
					*sealed = key.Seal([]byte("payload"), nil)
				}
				return err
			}
		}
		var first, second []byte
		update(create(&first))
		key, err := keys.Get(ctx, db, "1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Open(first, nil); err != nil || string(got) != "payload" {
			t.Errorf("Open = %q, %v", got, err)
		}
		if err := db.Update(ctx, create(&second)); !store.ConflictIn(err, "instance_keys") {
			t.Errorf("a second key: err = %v, want a conflict", err)
		}
		update(func(ctx context.Context, tx store.Tx) error { return keys.Destroy(ctx, tx, "1") })
		if _, err := keys.Get(ctx, db, "1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after Destroy: err = %v, want ErrNotFound", err)
		}
	})
}

// TestInstancesInPages lists keys in the order of their ids.
func TestInstancesInPages(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for _, id := range []ident.InstanceID{"30", "4", "1", "20", "5"} {
				if _, err := keys.Create(ctx, tx, id); err != nil {
					return err
				}
			}
			return keys.Destroy(ctx, tx, "4")
		})
		if err != nil {
			t.Fatal(err)
		}
		for after, want := range map[ident.InstanceID][]ident.InstanceID{
			"": {"1", "20"}, "1": {"20", "30"}, "20": {"30", "5"}, "4": {"5"}, "5": nil,
		} {
			if got, err := keys.Instances(t.Context(), db, after, 2); err != nil || !slices.Equal(got, want) {
				t.Errorf("after %q: %q, %v, want %q", after, got, err, want)
			}
		}
	})
}
