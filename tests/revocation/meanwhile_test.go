package revocation

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"castellan/tests/kit"
)

// rounds is how often TestMeanwhile goes each way.
const rounds = 2

// TestMeanwhile disables elements and switches them on again while their paths are gone all the time. Whoever comes
// while that happens gets what there was before, what there is after, or another refusal; never a failure of ours.
// Whoever comes after the answer is refused.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		w := newWorld(t, start(t, b, nil), "meanwhile")
		w.check(state{}, "in the beginning", paths, true) // all assertions are signed then, and only read from here on
		for _, by := range ways {
			if by.undo != nil && slices.Contains([]string{
				"running", "home", "publisher", "robot", "shop", "web", "grant of club to home",
			}, by.element) {
				w.race(by)
			}
		}
	})
}

// race goes one way, there and back, beside those who go the paths that rest on the element.
func (w *world) race(by way) {
	w.Helper()
	down := state{by.element: by}
	// A refresh and a stream change what the world remembers, so they are for one at a time.
	resting := only(paths, func(p path) bool {
		return down.want(p) != works && !strings.Contains(p.name, "refresh token") && !strings.Contains(p.name, "stream")
	})
	var over atomic.Bool
	var racing sync.WaitGroup
	for node := range w.nodes {
		racing.Go(func() {
			racer := *w
			for i := 0; !over.Load(); i++ {
				racer.from = address(1+node, i/visits)
				p := resting[(i*7+node)%len(resting)] // neighbors are much alike
				if got := p.try(&racer, node); got != works && got != down.want(p) && ours(got) {
					w.Errorf("while %v: node %d: %s: %s", by, node+1, p.name, got)
				}
			}
		})
	}
	for range rounds {
		by.do(w)
		w.check(down, "disabled", resting, false)
		by.undo(w)
		w.check(state{}, "after "+by.String(), resting, false)
	}
	over.Store(true)
	racing.Wait()
}

// ours reports whether an outcome is a failure of the program.
func ours(outcome string) bool {
	return slices.ContainsFunc([]string{"5", "Internal", "Unknown", "DataLoss", "Aborted"}, func(p string) bool {
		return strings.HasPrefix(outcome, p)
	})
}
