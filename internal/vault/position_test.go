package vault

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"castellan/internal/fault"
)

func testPositions(first byte) *Positions {
	return NewPositions(NewMasterKey([KeySize]byte{first}, nil))
}

func TestPositionOpens(t *testing.T) {
	p := testPositions(1)
	for _, position := range []string{"", "7/12", strings.Repeat("x", MaxPosition)} {
		sealed := p.Seal("watch", "ada", []byte(position))
		if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(sealed) || len(sealed) > MaxSealedPosition {
			t.Errorf("Seal = %q, want base64url of at most %d characters", sealed, MaxSealedPosition)
		}
		got, err := testPositions(1).Open("watch", "ada", sealed)
		if err != nil || string(got) != position {
			t.Errorf("Open = %q, %v; want %q", got, err, position)
		}
	}
	if once, again := p.Seal("watch", "ada", nil), p.Seal("watch", "ada", nil); once == again {
		t.Error("sealing twice gives the same text: the nonce repeats")
	}
}

func TestPositionsOfAKeyring(t *testing.T) {
	master := NewMasterKey([KeySize]byte{1}, nil)
	sealed := NewPositions(master).Seal("watch", "ada", []byte("7/12"))
	got, err := NewKeyring(master, nil).Positions().Open("watch", "ada", sealed)
	if err != nil || string(got) != "7/12" {
		t.Errorf("Open = %q, %v", got, err)
	}
}

// TestPositionFormat fixes format 2: a position a client keeps must open after an upgrade.
func TestPositionFormat(t *testing.T) {
	p := NewPositions(NewMasterKey([KeySize]byte{1}, ones{}))
	// XChaCha20-Poly1305 by an independent implementation, key HMAC-SHA256(01 00.., "castellan
	// position key"), nonce 01 x 24, associated data "5:watchada".
	const want = "AgEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQryx3XeKIOLuDpRzHwQlGQaE-cA"
	if got := p.Seal("watch", "ada", []byte("7/12")); got != want {
		t.Errorf("Seal = %s, want %s", got, want)
	}
}

func TestPositionIsRefused(t *testing.T) {
	p := testPositions(1)
	sealed := p.Seal("watch", "ada", []byte("7/12"))
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(i int) string {
		b := bytes.Clone(raw)
		b[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	tests := []struct {
		name                    string
		by                      *Positions
		purpose, caller, sealed string
	}{
		{"empty", p, "watch", "ada", ""},
		{"made up", p, "watch", "ada", "7/12"},
		{"made up base64url", p, "watch", "ada", strings.Repeat("A", len(sealed))},
		{"truncated", p, "watch", "ada", sealed[:len(sealed)-1]},
		{"truncated by bytes", p, "watch", "ada", base64.RawURLEncoding.EncodeToString(raw[:len(raw)-1])},
		{"format", p, "watch", "ada", flipped(0)},
		{"nonce", p, "watch", "ada", flipped(1)},
		{"ciphertext", p, "watch", "ada", flipped(1 + 24)},
		{"tag", p, "watch", "ada", flipped(len(raw) - 1)},
		{"longer", p, "watch", "ada", sealed + "AAAA"},
		{"padded", p, "watch", "ada", sealed + "="},
		{"line break", p, "watch", "ada", sealed + "\n"},
		{"too long", p, "watch", "ada", strings.Repeat("A", MaxSealedPosition+1)},
		{"another caller", p, "watch", "bob", sealed},
		{"another purpose", p, "audit", "ada", sealed},
		{"caller and purpose shifted", p, "watcha", "da", sealed},
		{"another deployment", testPositions(2), "watch", "ada", sealed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.by.Open(tt.purpose, tt.caller, tt.sealed)
			f := fault.Of(err)
			if got != nil || f == nil || f.Kind != fault.InvalidArgument || f.ID != "VAULT-pos01" ||
				len(f.Violations) != 1 || f.Violations[0].Field != "position" {
				t.Errorf("Open = %q, %v; want a fault VAULT-pos01 that names position", got, err)
			}
		})
	}
}

func TestPositionTooLongIsAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a position that no request could bring back was sealed")
		}
	}()
	testPositions(1).Seal("watch", "ada", make([]byte, MaxPosition+1))
}

func TestPositionsPrintNothing(t *testing.T) {
	p := testPositions(1)
	if got, want := fmt.Sprintf("%v %+v %#v", *p, p, p), redaction+" "+redaction+" "+redaction; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// FuzzOpenPosition: whatever a caller sends either was sealed for it or is refused by the one fault.
func FuzzOpenPosition(f *testing.F) {
	p := NewPositions(NewMasterKey([KeySize]byte{1}, ones{})) // the same in every process that fuzzes
	genuine := p.Seal("watch", "ada", []byte("7/12"))
	for _, seed := range []string{"", genuine, genuine[:20], genuine + "=", testPositions(2).Seal("watch", "ada", nil)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sealed string) {
		got, err := p.Open("watch", "ada", sealed)
		if sealed == genuine {
			if err != nil || string(got) != "7/12" {
				t.Fatalf("Open = %q, %v", got, err)
			}
			return
		}
		if err == nil {
			t.Fatalf("%q opened as %q", sealed, got)
		}
		if fault.Of(err).ID != "VAULT-pos01" {
			t.Fatalf("%q: %v", sealed, err)
		}
	})
}
