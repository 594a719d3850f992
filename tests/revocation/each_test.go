package revocation

import (
	"fmt"
	"testing"

	"castellan/tests/kit"
)

// worlds is how many worlds share the ways: they are in use side by side, on the same nodes.
const worlds = 3

// TestEach disables each element in each way there is. At once, and at every node, exactly the paths fail that rest
// on it, each with its error; and when the way is undone, these work again.
func TestEach(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		nodes := start(t, b, nil)
		for i := range worlds {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nodes, fmt.Sprintf("each-%d", i+1))
				w.check(state{}, "in the beginning", paths, true)
				for j := i; j < len(ways); j += worlds {
					w.disable(ways[j])
				}
			})
		}
	})
}

// disable disables an element, and undoes it.
func (w *world) disable(by way) {
	w.Helper()
	down := state{by.element: by}
	w.openTails()
	by.do(w)
	w.check(down, "disabled", paths, false)
	state{by.element: by}.undo(w, by)
	resting := func(p path) bool { return down.want(p) != works }
	w.check(state{}, "after "+by.String(), only(paths, resting), true)
}
