package vault

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"castellan/internal/ident"
)

func newTestBearers(key byte) *Bearers {
	return NewKeyring(NewMasterKey([KeySize]byte{key}, nil), nil).Bearers()
}

// sealBearer seals what Seal must not refuse.
func sealBearer(t testing.TB, b *Bearers, at ident.InstanceID, kind BearerKind, content []byte) string {
	t.Helper()
	text, err := b.Seal(at, kind, content)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestBearers(t *testing.T) {
	b := newTestBearers(1)
	for _, size := range []int{0, 1, 200, MaxBearerContent} {
		content := bytes.Repeat([]byte{0xa5}, size)
		text := sealBearer(t, b, "7", AccessBearer, content)
		if len(text) > MaxBearer || size == MaxBearerContent && len(text) != MaxBearer {
			t.Errorf("%d bytes become %d characters, the limit is %d", size, len(text), MaxBearer)
		}
		if !regexp.MustCompile("^" + BearerPattern + "$").MatchString(text) {
			t.Errorf("%q is not found by the pattern", text)
		}
		// Another node, or the same after a restart.
		got, err := newTestBearers(1).Open("7", AccessBearer, text)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes open as %x, %v", size, got, err)
		}
		if again := sealBearer(t, b, "7", AccessBearer, content); again == text {
			t.Error("the same content is the same token twice")
		}
	}
	if _, err := b.Seal("7", AccessBearer, make([]byte, MaxBearerContent+1)); err == nil {
		t.Error("sealed more than can be opened")
	}
	if text := fmt.Sprintf("%v %+v %#v %s", b, b, b, b); strings.Contains(text, "key") {
		t.Errorf("prints as %s", text)
	}
}

// TestBearersOpenExactlyOne changes everything about a token, one thing at a time.
func TestBearersOpenExactlyOne(t *testing.T) {
	b := newTestBearers(1)
	content := []byte("what it says")
	text := sealBearer(t, b, "7", AccessBearer, content)
	refuse := func(name string, b *Bearers, at ident.InstanceID, kind BearerKind, text string) {
		t.Helper()
		if got, err := b.Open(at, kind, text); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: opens as %q, %v", name, got, err)
		}
	}
	refuse("another instance", b, "8", AccessBearer, text)
	refuse("no instance", b, "", AccessBearer, text)
	refuse("another kind", b, "7", RefreshBearer, text)
	refuse("renamed to another kind", b, "7", RefreshBearer, string(RefreshBearer)+strings.TrimPrefix(text, string(AccessBearer)))
	refuse("another deployment", newTestBearers(2), "7", AccessBearer, text)
	refuse("a longer one", b, "7", AccessBearer, text+"A")
	refuse("padded", b, "7", AccessBearer, text+"=")
	refuse("a line break", b, "7", AccessBearer, text[:20]+"\n"+text[20:])
	refuse("a space", b, "7", AccessBearer, text+" ")
	refuse("without its kind", b, "7", AccessBearer, strings.TrimPrefix(text, string(AccessBearer)))
	refuse("endless", b, "7", AccessBearer, string(AccessBearer)+strings.Repeat("A", MaxBearer))
	for i := range len(text) {
		refuse(fmt.Sprint("cut to ", i), b, "7", AccessBearer, text[:i])
		for _, c := range []byte{text[i] ^ 1, text[i] ^ 2, text[i] + 1, 'A', '-', 0xff} {
			if c != text[i] {
				refuse(fmt.Sprintf("byte %d changed", i), b, "7", AccessBearer, text[:i]+string([]byte{c})+text[i+1:])
			}
		}
	}
	if got, err := b.Open("7", AccessBearer, text); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the token itself: %q, %v", got, err)
	}
}

func FuzzBearersOpen(f *testing.F) {
	b := newTestBearers(1)
	good := sealBearer(f, b, "7", AccessBearer, []byte("x"))
	f.Add(good)
	f.Add("")
	f.Add(string(AccessBearer))
	f.Add(string(RefreshBearer) + "AQ")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := b.Open("7", AccessBearer, text); err == nil && text != good {
			t.Errorf("%q opens as %q", text, got)
		}
	})
}

func BenchmarkBearers(b *testing.B) {
	bearers := newTestBearers(1)
	content := bytes.Repeat([]byte("1234567890"), 25)
	text := sealBearer(b, bearers, "350000000000000000", AccessBearer, content)
	b.Run("Seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sealBearer(b, bearers, "350000000000000000", AccessBearer, content)
		}
	})
	b.Run("Open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := bearers.Open("350000000000000000", AccessBearer, text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
