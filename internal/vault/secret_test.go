package vault_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"castellan/internal/vault"
)

func TestASecretIsItsHash(t *testing.T) {
	plain, hash := vault.NewSecret(nil)
	if !regexp.MustCompile(`^[0-9A-Za-z]{64}$`).MatchString(plain) {
		t.Errorf("secret %q", plain)
	}
	if !bytes.Equal(hash, vault.HashSecret(plain)) || bytes.Contains(hash, []byte(plain)) {
		t.Errorf("hash %x", hash)
	}
	if other, _ := vault.NewSecret(nil); other == plain {
		t.Error("two secrets are the same")
	}
}

func TestSecretMatches(t *testing.T) {
	plain, hash := vault.NewSecret(nil)
	for name, tc := range map[string]struct {
		hash  []byte
		plain string
		want  bool
	}{
		"the secret":         {hash, plain, true},
		"another":            {hash, plain[:63] + "-", false},
		"none":               {hash, "", false},
		"none is set":        {nil, "", false},
		"set to nothing":     {[]byte{}, "", false},
		"not a hash":         {[]byte("short"), "short", false},
		"the hash of itself": {hash, string(hash), false},
	} {
		if got := vault.SecretMatches(tc.hash, tc.plain); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestACodeIsOfUpperCaseAndDigits(t *testing.T) {
	seen := make(map[rune]bool)
	for range 1000 {
		code := vault.NewCode(nil, 6)
		if !regexp.MustCompile(`^[0-9A-Z]{6}$`).MatchString(code) {
			t.Fatalf("code %q", code)
		}
		for _, c := range code {
			seen[c] = true
		}
	}
	if len(seen) != 36 {
		t.Errorf("%d characters of 36 are used", len(seen))
	}
}

func TestACodeComesFromItsSource(t *testing.T) {
	// 252 and above are dropped: 256 is no multiple of 36.
	source := bytes.NewReader(append(bytes.Repeat([]byte{255}, 63), append([]byte{37}, bytes.Repeat([]byte{0}, 64)...)...))
	if got := vault.NewCode(source, 3); got != "1"+strings.Repeat("0", 2) {
		t.Errorf("code %q", got)
	}
}
