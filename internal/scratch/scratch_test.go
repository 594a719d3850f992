package scratch

import (
	"bytes"
	"errors"
	"testing"
)

// taker keeps what it was given, as net/http may.
type taker struct {
	kept []byte
	err  error
}

func (t *taker) Write(p []byte) (int, error) {
	t.kept = p
	return len(p), t.err
}

// TestSendFails: what a failed write was given is written by nobody else.
func TestSendFails(t *testing.T) {
	gone := errors.New("the client has left")
	for range 100 {
		b, w := Borrow(), &taker{err: gone}
		b.WriteString("one tenant")
		if err := Send(w, b); !errors.Is(err, gone) {
			t.Fatal(err)
		}
		other := Borrow()
		other.WriteString("of another")
		if string(w.kept) != "one tenant" {
			t.Fatalf("a writer that failed was given %q", w.kept)
		}
		Return(other)
	}
}

// TestSend: what is lent is empty, whatever was in it.
func TestSend(t *testing.T) {
	for _, text := range []string{"", "short", string(make([]byte, maxKept+1))} {
		b, w := Borrow(), new(taker)
		if b.Len() != 0 {
			t.Fatalf("%d bytes are in a buffer that was lent", b.Len())
		}
		b.WriteString(text)
		want := bytes.Clone(b.Bytes())
		if err := Send(w, b); err != nil || !bytes.Equal(w.kept, want) {
			t.Errorf("%d bytes of %d, %v", len(w.kept), len(want), err)
		}
	}
}
