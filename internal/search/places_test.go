package search

import (
	"fmt"
	"testing"
	"time"

	"castellan/internal/fault"
	"castellan/internal/ident"
)

func TestPlaces(t *testing.T) {
	clock := ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))
	p := NewPlaces(clock)
	want := func(caller, list string, offset uint64, row string) {
		t.Helper()
		if got := p.Find(caller, list, offset); string(got) != row {
			t.Errorf("%s in %s at %d: %q, want %q", caller, list, offset, got, row)
		}
	}
	want("ada", "all", 3, "")
	p.Keep("ada", "all", 3, []byte("row"))
	want("ada", "all", 3, "row")
	// Nothing but the very same leads there, however the parts could be joined.
	want("bob", "all", 3, "")
	want("ada", "all", 33, "")
	want("ada", "al", 3, "")
	want("adaa", "ll", 3, "")
	want("ad", "aall", 3, "")
	want("ada", "all:", 3, "")
	clock.Advance(time.Minute - 1)
	p.Keep("ada", "all", 6, []byte("next"))
	want("ada", "all", 3, "row")
	clock.Advance(1)
	want("ada", "all", 3, "")
	p.Keep("ada", "all", 6, []byte("other"))
	want("ada", "all", 6, "other")
}

func TestPlacesAreBounded(t *testing.T) {
	p := NewPlaces(ident.SystemClock{})
	for offset := range uint64(3 * maxPlaces) {
		p.Keep("ada", fmt.Sprint(offset%7), offset, []byte("row"))
	}
	p.cache.CleanUp()
	if n := p.cache.EstimatedSize(); n > maxPlaces || n == 0 {
		t.Errorf("%d places are remembered", n)
	}
}

func TestTooMany(t *testing.T) {
	for entries, refused := range map[int]bool{0: false, 1: false, 2: false, 3: true} {
		err := TooMany("ids", entries, 2)
		if (err != nil) != refused {
			t.Errorf("%d entries: %v", entries, err)
		}
		if f := fault.Of(err); refused && (f.Kind != fault.InvalidArgument || f.ID != "SEARCH-max01" || f.Violations[0].Field != "ids") {
			t.Errorf("%d entries: %v", entries, err)
		}
	}
}
