package revocation

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"castellan/tests/kit"
)

// steps is how many steps the walk has on each engine.
const steps = 40

// TestWalk disables elements and undoes it in a random order, several at the same time, and compares all paths with
// the model after each step. CASTELLAN_TEST_SEED repeats a walk.
func TestWalk(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CASTELLAN_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		t.Logf("CASTELLAN_TEST_SEED=%d", seed)
		w := newWorld(t, start(t, b, nil), "walk")
		w.check(state{}, "in the beginning", paths, true)
		random, down := rand.New(rand.NewPCG(seed, 0)), state{}
		for range steps {
			down.step(w, random)
			if t.Failed() {
				t.FailNow() // the rest would follow from it
			}
		}
		for len(down) > 0 {
			down.undo(w, one(random, down.undoable()))
		}
		w.check(down, "in the end", paths, true)
	})
}

// one returns one of a list.
func one[T any](random *rand.Rand, list []T) T { return list[random.IntN(len(list))] }

// step disables an element, or undoes that, and checks all paths. The more is disabled, the more likely it is undone.
func (s state) step(w *world, random *rand.Rand) {
	w.Helper()
	undoable, open := s.undoable(), s.open()
	w.openTails()
	if len(open) == 0 || len(undoable) > 0 && random.IntN(5) < len(s) {
		by, before := one(random, undoable), maps.Clone(s)
		s.undo(w, by)
		again := func(p path) bool { return before.want(p) != works && s.want(p) == works }
		w.check(s, "after "+by.String(), only(paths, again), true)
		w.check(s, "after "+by.String(), only(paths, func(p path) bool { return !again(p) }), false)
		return
	}
	by := one(random, open)
	by.do(w)
	s[by.element] = by
	w.check(s, "disabled "+by.element, paths, false)
}

// served reports whether the owner of the instance can do something.
func (s state) served() bool { return !s.off("running") && !s.off("unblocked") }

// open are the ways that can be gone now: of elements that are there, and not disabled already.
func (s state) open() []way {
	return slices.DeleteFunc(slices.Clone(ways), func(w way) bool {
		if _, down := s[w.element]; down || s.gone(w.element) {
			return true
		}
		switch w.by {
		case byOwner:
			return !s.served()
		case byClient:
			return !s.served() || s.off("host") || s.off(w.element) || slices.ContainsFunc(elementOf(w.element).asks, s.off)
		default:
			return false
		}
	})
}

// undoable are the ways that were gone and can be undone now.
func (s state) undoable() (all []way) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		w := s[name]
		switch {
		case w.undo == nil:
			if len(s.anew(name)) > 0 {
				all = append(all, w)
			}
		case !s.gone(name) && (w.by == byOperator || s.served()):
			all = append(all, w)
		}
	}
	return all
}

// anew are the elements to make so that one which is gone is there again: also those that are gone and that it, or
// what is made with it, is made by. It returns none when something of all this is there, and not of use.
func (s state) anew(name string) []element {
	names := []string{name}
	for {
		made := remade(names...)
		after := s.without(made)
		missing := after.lacking("running", "unblocked", "host")
		for _, e := range made {
			missing = append(missing, after.lacking(slices.Concat(e.on, e.with, e.names, e.asks)...)...)
		}
		if len(missing) == 0 {
			return made
		}
		for _, m := range missing {
			if s[m].undo != nil {
				return nil
			}
		}
		names = append(names, missing...)
	}
}

// lacking are the elements for whose being disabled some are of no use.
func (s state) lacking(of ...string) (all []string) {
	for _, name := range of {
		if _, down := s[name]; down {
			all = append(all, name)
		}
		e := elementOf(name)
		all = append(all, s.lacking(slices.Concat(e.on, e.with)...)...)
	}
	return all
}

// without is the state when elements are made anew.
func (s state) without(anew []element) state {
	after := maps.Clone(s)
	for _, e := range anew {
		delete(after, e.name)
	}
	return after
}

// undo undoes a way.
func (s state) undo(w *world, by way) {
	w.Helper()
	if by.undo != nil {
		by.undo(w)
		delete(s, by.element)
		return
	}
	for _, e := range s.anew(by.element) {
		e.make(w)
		delete(s, e.name)
	}
}
