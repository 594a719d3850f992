package scratch

import (
	"strings"
	"testing"
)

// TestBorrow: what is lent is empty and not large, whatever was in it.
func TestBorrow(t *testing.T) {
	for range 100 {
		for _, text := range []string{"", "short", strings.Repeat("long", maxKept)} {
			b := Borrow()
			if b.Len() != 0 || b.Cap() > maxKept {
				t.Fatalf("%d bytes are in a buffer that was lent, of %d", b.Len(), b.Cap())
			}
			b.WriteString(text)
			Return(b)
		}
	}
}
