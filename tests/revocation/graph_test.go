package revocation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// element is something that can be disabled: what the model knows of it.
type element struct {
	name string
	// on are elements without which it is of no use: when one of them is switched off, so is this one, and when
	// one is removed, this one is gone.
	on []string
	// with are elements it is gone with, and that may be switched off without it.
	with []string
	// names are elements that are written into it. It is of use without them, and made anew with them.
	names []string
	// asks are elements that it is made by, and of use without.
	asks []string
	// make makes it, in a world in which everything is of use that it is made of.
	make func(w *world)
}

// way is a way to disable an element.
type way struct {
	element, name string
	do            func(w *world)
	// undo is the reverse; nil when there is none. Then the element is gone, and made anew with all that goes
	// with it.
	undo func(w *world)
	by   hand
}

// hand is who disables something, and so what that needs.
type hand int

const (
	// byOwner needs an instance that is served, by another host than the paths.
	byOwner hand = iota
	// byOperator needs nothing.
	byOperator
	// byClient needs all that the element rests on, by the host of the paths.
	byClient
)

func (w way) String() string { return w.element + " is " + w.name }

// need is one of the things a path asks for, in the order in which they are asked for.
type need struct {
	of []string
	// otherwise is the outcome when one of them is of no use.
	otherwise string
}

// path is a way to get a token, to have one accepted, or to be told something.
type path struct {
	name  string
	needs []need
	// try goes the path at a node, and returns works or another outcome.
	try func(w *world, node int) string
}

// works is the outcome of a path that works.
const works = "works"

// elementOf returns an element of the table.
func elementOf(name string) element {
	i := slices.IndexFunc(elements, func(e element) bool { return e.name == name })
	if i < 0 {
		panic("there is no element " + name)
	}
	return elements[i]
}

// state says how elements are disabled: by element the way.
type state map[string]way

// off reports whether an element is of no use: it is disabled, or something that it rests on is.
func (s state) off(name string) bool {
	if _, down := s[name]; down {
		return true
	}
	e := elementOf(name)
	return slices.ContainsFunc(e.on, s.off) || slices.ContainsFunc(e.with, s.gone)
}

// gone reports whether an element is removed, or something that it goes with.
func (s state) gone(name string) bool {
	if w, down := s[name]; down && w.undo == nil {
		return true
	}
	e := elementOf(name)
	return slices.ContainsFunc(e.on, s.gone) || slices.ContainsFunc(e.with, s.gone)
}

// want returns the outcome of a path that follows from the state: this is the model.
func (s state) want(p path) string {
	for _, n := range p.needs {
		if slices.ContainsFunc(n.of, s.off) {
			return n.otherwise
		}
	}
	return works
}

// String lists what is disabled.
func (s state) String() string {
	if len(s) == 0 {
		return "nothing"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		all = append(all, s[name].String())
	}
	return strings.Join(all, ", ")
}

// only are the paths for which something holds.
func only(all []path, holds func(path) bool) []path {
	return slices.DeleteFunc(slices.Clone(all), func(p path) bool { return !holds(p) })
}

// check goes paths, and fails the test where an outcome is not what follows from the state. Those that must fail are
// gone at all nodes; the others too when everywhere is true, otherwise at one of them, another one each time.
func (w *world) check(s state, when string, these []path, everywhere bool) {
	w.Helper()
	w.checks++
	for i, p := range these {
		want := s.want(p)
		for node := range w.nodes {
			if want == works && !everywhere && node != (w.checks+i)%len(w.nodes) {
				continue
			}
			w.tries++
			w.from = address(0, w.tries/visits)
			if got := p.try(w, node); got != want {
				w.Errorf("%s (%v): node %d: %s: %s, want %s", when, s, node+1, p.name, got, want)
			}
		}
	}
}

// remade are elements, all that is gone with them and all that names what is, in the order in which they are made.
func remade(names ...string) (all []element) {
	within := make(map[string]bool)
	for _, name := range names {
		within[name] = true
	}
	for _, e := range elements {
		for _, of := range slices.Concat(e.on, e.with, e.names) {
			within[e.name] = within[e.name] || within[of]
		}
		if within[e.name] {
			all = append(all, e)
		}
	}
	return all
}

// TestTables: the tables of the model are whole. Elements come after what they rest on, there is a way to
// disable each but those that only pass it on, and each way makes at least one path fail.
func TestTables(t *testing.T) {
	var known []string
	for _, e := range elements {
		for _, of := range slices.Concat(e.on, e.with, e.names, e.asks) {
			if !slices.Contains(known, of) {
				t.Errorf("%s comes before %s, on which it rests", e.name, of)
			}
		}
		if slices.Contains(known, e.name) {
			t.Errorf("%s comes twice", e.name)
		}
		known = append(known, e.name)
	}
	names := make(map[string]bool)
	for _, p := range paths {
		if names[p.name] {
			t.Errorf("the path %q comes twice", p.name)
		}
		names[p.name] = true
		for _, n := range p.needs {
			for _, of := range n.of {
				elementOf(of)
			}
		}
	}
	for _, w := range ways {
		s := state{w.element: w}
		if !slices.ContainsFunc(paths, func(p path) bool { return s.want(p) != works }) {
			t.Errorf("no path notices when %v", w)
		}
		if fmt.Sprint(w) == "" || w.do == nil {
			t.Errorf("%v does nothing", w)
		}
	}
	for _, p := range paths {
		if !slices.ContainsFunc(ways, func(w way) bool { return state{w.element: w}.want(p) != works }) {
			t.Errorf("the path %q rests on nothing", p.name)
		}
	}
}
