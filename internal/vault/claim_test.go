package vault_test

import (
	"errors"
	"testing"

	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMasterKeyOfADatabaseIsDecidedOnce(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		ctx := t.Context()
		mine := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		other := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{2}, nil), nil)
		claimed := func(want bool) {
			t.Helper()
			if got, err := vault.Claimed(ctx, db); got != want || err != nil {
				t.Errorf("Claimed = %v, %v, want %v", got, err, want)
			}
		}
		claimed(false)
		answers := make(chan error, 8)
		for i := range cap(answers) {
			go func() {
				if i%2 == 0 {
					answers <- mine.Claim(ctx, db)
				} else {
					answers <- other.Claim(ctx, db)
				}
			}()
		}
		refused := 0
		for range cap(answers) {
			if err := <-answers; errors.Is(err, vault.ErrMasterKey) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if refused != cap(answers)/2 {
			t.Errorf("%d claims were refused, want those of one of the two keys", refused)
		}
		claimed(true)
	})
}
