package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// ones is a source of randomness whose bytes are all 1.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

// dry is a source of randomness that fails.
type dry struct{}

func (dry) Read([]byte) (int, error) { return 0, errors.New("dry") }

func testSealer(first byte) *sealer {
	s := newSealer(&[KeySize]byte{first}, nil)
	return &s
}

func TestSealOpens(t *testing.T) {
	s := testSealer(1)
	for _, plaintext := range []string{"", "x", strings.Repeat("long ", 1000)} {
		sealed := s.Seal([]byte(plaintext), []byte("aad"))
		if len(sealed) != len(plaintext)+sealOverhead {
			t.Errorf("%d bytes sealed are %d, want %d more", len(plaintext), len(sealed), sealOverhead)
		}
		got, err := s.Open(sealed, []byte("aad"))
		if err != nil || string(got) != plaintext {
			t.Errorf("Open = %q, %v; want %q", got, err, plaintext)
		}
	}
	if bytes.Equal(s.Seal([]byte("x"), nil), s.Seal([]byte("x"), nil)) {
		t.Error("sealing twice gives the same bytes: the nonce repeats")
	}
}

// TestSealFormat fixes format 1: data sealed by this version must open for ever.
func TestSealFormat(t *testing.T) {
	s := newSealer(&[KeySize]byte{1}, ones{})
	got := hex.EncodeToString(s.Seal([]byte("hello"), []byte("aad")))
	// AES-256-GCM, key 01 00.., nonce 01 x 12; computed once with an independent implementation.
	const want = "01" + "010101010101010101010101" + "2b60c0554cb464f8d683519607f787902197c811fb"
	if got != want {
		t.Errorf("sealed = %s, want %s", got, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	s := testSealer(1)
	aad := []byte("instance 1")
	sealed := s.Seal([]byte("secret"), aad)
	for i := range sealed {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(sealed)
			bad[i] ^= flip
			if _, err := s.Open(bad, aad); !errors.Is(err, ErrOpen) {
				t.Errorf("byte %d ^ %#x: err = %v, want ErrOpen", i, flip, err)
			}
		}
	}
	for n := range sealed {
		if _, err := s.Open(sealed[:n], aad); !errors.Is(err, ErrOpen) {
			t.Errorf("the first %d bytes: err = %v, want ErrOpen", n, err)
		}
	}
	if _, err := s.Open(append(sealed, 0), aad); !errors.Is(err, ErrOpen) {
		t.Errorf("one byte more: err = %v, want ErrOpen", err)
	}
	if _, err := s.Open(sealed, []byte("instance 2")); !errors.Is(err, ErrOpen) {
		t.Errorf("other associated data: err = %v, want ErrOpen", err)
	}
	if _, err := testSealer(2).Open(sealed, aad); !errors.Is(err, ErrOpen) {
		t.Errorf("another key: err = %v, want ErrOpen", err)
	}
}

func TestFailingRandomnessPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("sealed without randomness")
		}
	}()
	s := newSealer(&[KeySize]byte{1}, dry{})
	s.Seal([]byte("x"), nil)
}

func TestSecretsDoNotPrint(t *testing.T) {
	raw := [KeySize]byte([]byte("0123456789abcdef0123456789abcdef"))
	master := NewMasterKey(raw, nil)
	token := NewToken(nil)
	for name, v := range map[string]any{
		"master key":   master,
		"instance key": &InstanceKey{newSealer(&raw, nil)},
		"token":        token,
		"token in a struct": struct {
			T Token
			K *MasterKey
		}{token, master},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		text := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text += fmt.Sprintf(verb, v)
		}
		if !strings.Contains(text, redaction) {
			t.Errorf("%s: not redacted: %s", name, text)
		}
		for _, secret := range []string{token.Reveal(), token.Reveal()[9:20], string(raw[:8]), hex.EncodeToString(raw[:8])} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: shows %q in %s", name, secret, text)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := testSealer(1)
	f.Add(s.Seal([]byte("hello"), []byte("aad")), []byte("aad"))
	f.Add([]byte{}, []byte{})
	f.Add([]byte{sealFormat}, []byte(nil))
	f.Fuzz(func(t *testing.T, sealed, aad []byte) {
		if len(sealed) > 1<<16 {
			return
		}
		plaintext, err := s.Open(sealed, aad)
		if err == nil && len(plaintext)+sealOverhead != len(sealed) {
			t.Errorf("%d bytes opened to %d", len(sealed), len(plaintext))
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s := testSealer(1)
	plaintext, aad := make([]byte, 200), make([]byte, 60)
	b.ReportAllocs()
	for b.Loop() {
		s.Seal(plaintext, aad)
	}
}

func BenchmarkOpen(b *testing.B) {
	s := testSealer(1)
	aad := make([]byte, 60)
	sealed := s.Seal(make([]byte, 200), aad)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(sealed, aad); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewSealer(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newSealer(&[KeySize]byte{1}, nil)
	}
}
