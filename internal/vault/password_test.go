package vault

import (
	"errors"
	"strings"
	"testing"
)

// Hashes of "password" with salt "somesalt", from the test vectors of the algorithm's own
// reference implementation.
var knownHashes = [...]string{
	"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
	"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
}

func TestVerifyKnownHashes(t *testing.T) {
	h := NewHasher(HasherConfig{})
	for _, encoded := range knownHashes {
		if ok, err := h.Verify(t.Context(), "1", encoded, "password"); !ok || err != nil {
			t.Errorf("%s: %v, %v", encoded, ok, err)
		}
		if ok, err := h.Verify(t.Context(), "1", encoded, "Password"); ok || err != nil {
			t.Errorf("%s: a wrong password: %v, %v", encoded, ok, err)
		}
	}
}

func TestHash(t *testing.T) {
	h := NewHasher(HasherConfig{})
	for _, password := range []string{"", "Password1!", "pässwörd\x00more", strings.Repeat("long", 200)} {
		encoded, err := h.Hash(t.Context(), "1", password)
		if err != nil {
			t.Fatal(err)
		}
		// OWASP parameters (decision D9), 16 bytes of salt, 32 of hash.
		if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") || len(encoded) != 31+22+1+43 {
			t.Errorf("hash = %s", encoded)
		}
		again, err := h.Hash(t.Context(), "1", password)
		if err != nil || again == encoded {
			t.Errorf("the same salt twice, %v", err)
		}
		if ok, err := h.Verify(t.Context(), "1", encoded, password); !ok || err != nil {
			t.Errorf("%q does not verify: %v", password, err)
		}
		if ok, err := h.Verify(t.Context(), "1", encoded, password+"x"); ok || err != nil {
			t.Errorf("%q verifies with another byte: %v", password, err)
		}
	}
}

func TestParseArgonRefuses(t *testing.T) {
	const good = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, encoded := range map[string]string{
		"empty":              "",
		"no PHC string":      "secret",
		"argon2i":            replace("argon2id", "argon2i"),
		"bcrypt":             "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"version 16":         replace("v=19", "v=16"),
		"no version":         replace("$v=19", ""),
		"something before":   "x" + good,
		"something after":    good + "$",
		"m missing":          replace("m=256,", ""),
		"order":              replace("m=256,t=2,p=1", "t=2,m=256,p=1"),
		"one more parameter": replace("p=1", "p=1,q=1"),
		"m = 0":              replace("m=256", "m=0"),
		"t = 0":              replace("t=2", "t=0"),
		"p = 0":              replace("p=1", "p=0"),
		"m negative":         replace("m=256", "m=-256"),
		"m signed":           replace("m=256", "m=+256"),
		"m with a zero":      replace("m=256", "m=0256"),
		"m beyond 32 bits":   replace("m=256", "m=4294967552"),
		"m absurd":           replace("m=256", "m=262145"),
		"t absurd":           replace("t=2", "t=65"),
		"p absurd":           replace("p=1", "p=17"),
		"work absurd":        replace("m=256,t=2", "m=262144,t=5"),
		"m less than 8 p":    replace("m=256,t=2,p=1", "m=15,t=2,p=2"),
		"salt empty":         replace("c29tZXNhbHQ", ""),
		"salt short":         replace("c29tZXNhbHQ", "c29tZXM"),
		"salt padded":        replace("c29tZXNhbHQ", "c29tZXNhbHQ="),
		"salt not canonical": replace("c29tZXNhbHQ", "c29tZXNhbHR"),
		"salt with newline":  replace("c29tZXNhbHQ", "c29t\nZXNhbHQ"),
		"salt long":          replace("c29tZXNhbHQ", strings.Repeat("AAAA", 22)),
		"hash short":         replace("nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "nf65EOgLrQMR/uIPnA4r"),
		"hash long":          replace("nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", strings.Repeat("AAAA", 22)),
		"hash url alphabet":  replace("/uIP", "_uIP"),
		"huge":               good + strings.Repeat("A", maxEncoded),
	} {
		if _, err := parseArgonID(encoded); !errors.Is(err, ErrHash) {
			t.Errorf("%s: err = %v, want ErrHash", name, err)
		}
	}
	if _, err := parseArgonID(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
	ok, err := NewHasher(HasherConfig{}).Verify(t.Context(), "1", "", "")
	if ok || !errors.Is(err, ErrHash) {
		t.Errorf("Verify of no hash = %v, %v; want ErrHash", ok, err)
	}
}

func FuzzParseArgon(f *testing.F) {
	for _, encoded := range knownHashes {
		f.Add(encoded)
	}
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$AAAA")
	f.Add("$argon2id$$$$")
	f.Fuzz(func(t *testing.T, encoded string) {
		a, err := parseArgonID(encoded)
		if err != nil {
			return
		}
		if a.String() != encoded {
			t.Errorf("%q is read as %q", encoded, a)
		}
		if a.memory > maxArgonMemory || a.memory*a.passes > maxArgonWork || a.threads > maxArgonThread {
			t.Errorf("%q is beyond the limits", encoded)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h := NewHasher(HasherConfig{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "1", "Password1!"); err != nil {
			b.Fatal(err)
		}
	}
}
