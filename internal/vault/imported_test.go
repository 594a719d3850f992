package vault

import (
	"errors"
	"strings"
	"testing"
)

// Hashes of bcrypt with the passwords they are of: from the test vectors of its authors, with a low
// cost, and in the forms that different programs write.
var knownBcrypt = map[string]string{
	"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": "U*U",
	"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": "U*U",
	"$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": "U*U",
	"$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" +
		"0123456789chars after 72 are ignored",
}

func TestVerifyBcrypt(t *testing.T) {
	h := NewHasher(HasherConfig{})
	for encoded, password := range knownBcrypt {
		if err := CheckHash(encoded); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
		if ok, err := h.Verify(t.Context(), "1", encoded, password); !ok || err != nil {
			t.Errorf("%s: %v, %v", encoded, ok, err)
		}
		if ok, err := h.Verify(t.Context(), "1", encoded, "x"+password); ok || err != nil {
			t.Errorf("%s: a wrong password: %v, %v", encoded, ok, err)
		}
	}
}

func TestCheckHash(t *testing.T) {
	const good = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
	for name, encoded := range map[string]string{
		"another of its kind":  strings.Replace(good, "$2a$", "$2x$", 1),
		"short":                good[:59],
		"long":                 good + "a",
		"a cost of 15":         strings.Replace(good, "$05$", "$15$", 1),
		"a cost of 3":          strings.Replace(good, "$05$", "$03$", 1),
		"no cost":              strings.Replace(good, "$05$", "$xx$", 1),
		"another alphabet":     good[:40] + "+" + good[41:],
		"a colon in the salt":  good[:10] + ":" + good[11:],
		"in the clear":         "Password1!",
		"MD5 crypt":            "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
		"argon2id, other kind": "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	} {
		if err := CheckHash(encoded); !errors.Is(err, ErrHash) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := NewHasher(HasherConfig{}).Verify(t.Context(), "1", encoded, "U*U"); !errors.Is(err, ErrHash) {
			t.Errorf("verify %s: %v", name, err)
		}
	}
	for _, encoded := range knownHashes {
		if err := CheckHash(encoded); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
	}
}

func FuzzCheckHash(f *testing.F) {
	for encoded := range knownBcrypt {
		f.Add(encoded)
	}
	f.Add(knownHashes[0])
	f.Add("$2a$05$")
	f.Fuzz(func(t *testing.T, encoded string) {
		if len(encoded) > 2*maxEncoded {
			return
		}
		err := CheckHash(encoded)
		if err != nil && !errors.Is(err, ErrHash) {
			t.Fatalf("%q: %v", encoded, err)
		}
		if err == nil && len(encoded) != bcryptSize && !strings.HasPrefix(encoded, "$argon2id$") {
			t.Fatalf("%q is accepted", encoded)
		}
	})
}
