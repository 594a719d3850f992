package transport

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// routes holds the bindings, one trie of path segments for each HTTP method.
type routes map[string]*node

// node is a place in a trie. Of several ways on, the most literal one that leads to a binding
// is taken, from the left.
type node struct {
	literals map[string]*node
	single   *node
	// end are the bindings of paths that end here, remains those that take whatever follows;
	// both by suffix, "" for paths without.
	end, remains map[string]*binding
}

// match is a binding and the segments of the path it was found for, decoded.
type match struct {
	binding *binding
	values  [maxSegments]string
}

// add enters a binding. It returns the one that has its place already, and nil when it was free.
func (t routes) add(b *binding) *binding {
	n := t[b.verb]
	if n == nil {
		n = &node{}
		t[b.verb] = n
	}
	place := &n.end
	for _, s := range b.segments {
		switch s {
		case remains: // the last, see parse
			place = &n.remains
		case single:
			if n.single == nil {
				n.single = &node{}
			}
			n, place = n.single, &n.single.end
		default:
			next := n.literals[s]
			if next == nil {
				next = &node{}
				if n.literals == nil {
					n.literals = make(map[string]*node)
				}
				n.literals[s] = next
			}
			n, place = next, &next.end
		}
	}
	if taken := (*place)[b.suffix]; taken != nil {
		return taken
	}
	if *place == nil {
		*place = make(map[string]*binding)
	}
	(*place)[b.suffix] = b
	return nil
}

// find returns the match for a request, nil when there is none. HEAD is GET without a body.
func (t routes) find(r *http.Request) *match {
	m := t.lookup(r.Method, r)
	if m == nil && r.Method == http.MethodHead {
		m = t.lookup(http.MethodGet, r)
	}
	return m
}

// allowed returns the HTTP methods the path of a request has, nil when it has none.
func (t routes) allowed(r *http.Request) []string {
	var methods []string
	for verb := range t {
		if t.lookup(verb, r) == nil {
			continue
		}
		methods = append(methods, verb)
		if verb == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// lookup returns the match for the path of a request in the trie of one method.
func (t routes) lookup(verb string, r *http.Request) *match {
	n := t[verb]
	// RawPath is set when decoding lost something, such as the difference between / and %2F.
	// Without it, Path has nothing left to decode.
	path, encoded := r.URL.Path, r.URL.RawPath != ""
	if encoded {
		path = r.URL.EscapedPath()
	}
	path, rooted := strings.CutPrefix(path, "/")
	if n == nil || !rooted {
		return nil
	}
	var m match
	if m.binding = n.find(path, encoded, 0, &m.values); m.binding == nil {
		return nil
	}
	return &m
}

// find returns the binding below n for a path without its leading slash, and leaves the
// segments from depth on in values.
func (n *node) find(path string, encoded bool, depth int, values *[maxSegments]string) *binding {
	raw, rest, more := strings.Cut(path, "/")
	if b := n.step(raw, rest, more, encoded, depth, values); b != nil {
		return b
	}
	if n.remains == nil || path == "" {
		return nil
	}
	base, suffix := cutSuffix(path)
	if b := n.remains[suffix]; b != nil && suffix != "" && base != "" {
		return b.take(base, encoded, depth, values)
	}
	if b := n.remains[""]; b != nil {
		return b.take(path, encoded, depth, values)
	}
	return nil
}

// step goes one segment further: raw is that segment, rest what follows it if more.
func (n *node) step(raw, rest string, more, encoded bool, depth int, values *[maxSegments]string) *binding {
	if depth == maxSegments || n.literals == nil && n.single == nil {
		return nil
	}
	if !more {
		if base, suffix := cutSuffix(raw); suffix != "" {
			if b := n.last(base, suffix, encoded, depth, values); b != nil {
				return b
			}
		}
		return n.last(raw, "", encoded, depth, values)
	}
	value, ok := decodeSegment(raw, encoded)
	if !ok {
		return nil
	}
	if next := n.literals[value]; next != nil {
		values[depth] = value
		if b := next.find(rest, encoded, depth+1, values); b != nil {
			return b
		}
	}
	if n.single == nil {
		return nil
	}
	values[depth] = value
	return n.single.find(rest, encoded, depth+1, values)
}

// last matches the last segment of a path, to bindings with the given suffix.
func (n *node) last(raw, suffix string, encoded bool, depth int, values *[maxSegments]string) *binding {
	value, ok := decodeSegment(raw, encoded)
	if !ok {
		return nil
	}
	values[depth] = value
	if next := n.literals[value]; next != nil && next.end[suffix] != nil {
		return next.end[suffix]
	}
	if n.single == nil {
		return nil
	}
	return n.single.end[suffix]
}

// take makes the remainder of a path the value of a ** segment.
func (b *binding) take(path string, encoded bool, depth int, values *[maxSegments]string) *binding {
	if encoded {
		var err error
		if path, err = url.PathUnescape(path); err != nil {
			return nil
		}
	}
	values[depth] = path
	return b
}

// decodeSegment returns the value of one segment. Empty and dot segments have none: they are
// the marks of a path that was put together wrongly, or that something meant to climb.
func decodeSegment(raw string, encoded bool) (string, bool) {
	value := raw
	if encoded {
		var err error
		if value, err = url.PathUnescape(raw); err != nil {
			return "", false
		}
	}
	return value, value != "" && value != "." && value != ".."
}

// cutSuffix splits what follows the last colon off the last segment of path.
func cutSuffix(path string) (base, suffix string) {
	i := strings.LastIndexByte(path, ':')
	if i < 0 || strings.IndexByte(path[i:], '/') >= 0 {
		return path, ""
	}
	return path[:i], path[i+1:]
}
