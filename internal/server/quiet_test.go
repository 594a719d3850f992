package server

import "testing"

func TestQuietBeginsOnceForEachTimeOfRest(t *testing.T) {
	var q quiet
	for i, look := range []struct {
		served uint64
		want   bool
	}{
		{0, true}, {0, false}, // after the start
		{5, false}, {9, false}, {9, true}, {9, false}, {9, false}, // after calls
		{10, false}, {10, true},
	} {
		if got := q.begins(look.served); got != look.want {
			t.Errorf("look %d, after %d calls: %v, want %v", i+1, look.served, got, look.want)
		}
	}
}
