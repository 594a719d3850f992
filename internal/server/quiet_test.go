package server

import "testing"

func TestPace(t *testing.T) {
	var q quiet
	for i, look := range []struct {
		served uint64
		want   pace
	}{
		{0, comesToRest}, {0, resting}, // after the start
		{5, working}, {9, working}, {9, comesToRest}, {9, resting}, {9, resting}, // after calls
		{10, working}, {10, comesToRest},
	} {
		if got := q.look(look.served); got != look.want {
			t.Errorf("look %d, after %d calls: %v, want %v", i+1, look.served, got, look.want)
		}
	}
}

// TestHeap: whatever is in use, a working server has the same to spare beside what it has at rest, and a heap of
// next to nothing does not become large.
func TestHeap(t *testing.T) {
	for _, live := range []uint64{0, 1 << 20, 16 << 20, 40 << 20, 1 << 30, 1 << 40} {
		percent := workPercent(live)
		spare := live / 100 * uint64(percent-restPercent)
		if spare > workSpare || percent > 600 || live >= leastLive && live < 1<<30 && spare < workSpare/10*9 {
			t.Errorf("of %d bytes: %d to spare, %d percent", live, spare, percent)
		}
	}
	if liveHeap() > 1<<40 {
		t.Error("the live heap is not known")
	}
}
