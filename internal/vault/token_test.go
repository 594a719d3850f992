package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestNewToken(t *testing.T) {
	pattern := regexp.MustCompile(TokenPattern)
	seen := make(map[string]bool)
	for range 1000 {
		token := NewToken(nil)
		s := token.Reveal()
		if seen[s] {
			t.Fatalf("made %s twice", s)
		}
		seen[s] = true
		if got := pattern.FindString("token: " + s + ","); got != s {
			t.Fatalf("the pattern finds %q of %q", got, s)
		}
		parsed, err := ParseToken(s)
		if err != nil || parsed != token {
			t.Fatalf("ParseToken(%q) = %v", s, err)
		}
		want := sha256.Sum256([]byte(s))
		if !bytes.Equal(parsed.Hash(), want[:]) {
			t.Fatalf("Hash is not the SHA-256 of the text")
		}
	}
}

func TestTokenIsUnbiased(t *testing.T) {
	// 248..255 would favour eight characters, so they are dropped; then every byte value
	// stands for one character, four values for each.
	stream := append(bytes.Repeat([]byte{248, 255}, 32), bytes.Repeat([]byte{247, 0, 61, 62, 255}, 64)...)
	s := NewToken(bytes.NewReader(stream)).Reveal()
	want := strings.Repeat("z0z0", 11)[:tokenRandom]
	if got := s[len(tokenPrefix) : len(tokenPrefix)+tokenRandom]; got != want {
		t.Errorf("random part %q, want %q", got, want)
	}
	counts := make(map[byte]int)
	for b := range 248 {
		counts[base62[b%62]]++
	}
	for c, n := range counts {
		if n != 4 {
			t.Errorf("%c stands for %d bytes, want 4", c, n)
		}
	}
}

// TestTokenFormat fixes the format: tokens handed out must be recognised for ever.
func TestTokenFormat(t *testing.T) {
	const token = "cstl_pat_11111111111111111111111111111111111111111110Ef8Ak"
	if got := NewToken(ones{}).Reveal(); got != token {
		t.Errorf("token = %s, want %s", got, token)
	}
}

func TestParseTokenRefuses(t *testing.T) {
	good := NewToken(nil).Reveal()
	for i := range len(good) {
		for _, b := range []byte("0aZ_-. \x00\xff") {
			if good[i] == b {
				continue
			}
			bad := good[:i] + string([]byte{b}) + good[i+1:]
			if _, err := ParseToken(bad); !errors.Is(err, ErrToken) {
				t.Errorf("byte %d set to %q: accepted", i, b)
			}
		}
		if _, err := ParseToken(good[:i]); !errors.Is(err, ErrToken) {
			t.Errorf("the first %d bytes: accepted", i)
		}
	}
	dashed := good[:20] + "-" + good[21:tokenSize-tokenSum]
	for _, bad := range []string{
		dashed + tokenChecksum(dashed), // only the alphabet is wrong
		"", good + "0", " " + good, good + "\n", strings.ToUpper(good), strings.TrimPrefix(good, "cstl_"),
		tokenPrefix + strings.Repeat("\u00e9", 25)[:49],
	} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrToken) {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(NewToken(ones{}).Reveal())
	f.Add(tokenPrefix)
	f.Add("Bearer x")
	pattern := regexp.MustCompile("^" + TokenPattern + "$")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseToken(s)
		if err == nil && (token.Reveal() != s || !pattern.MatchString(s)) {
			t.Errorf("accepted %q, which is not of the form", s)
		}
	})
}

func BenchmarkParseToken(b *testing.B) {
	s := NewToken(nil).Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseToken(s); err != nil {
			b.Fatal(err)
		}
	}
}
