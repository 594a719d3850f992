package assertion

// Most tokens are plain: objects of short texts, whole numbers and lists of texts, without an escape. Reading
// those costs far less than a decoder that has to be ready for everything, and it is done for each request.
// Whatever else there is in a text, a mistake or a repetition among it, is left to that decoder: here it is never
// refused, only not read.

// kind is what a plain value is.
type kind byte

const (
	aText kind = iota + 1
	aNumber
	aList
)

// value is a plain value.
type value struct {
	kind   kind
	text   string
	number int64
	list   []string
}

// member is one of an object.
type member struct {
	name string
	value
}

// Bounds of what is read as plain.
const (
	maxPlain  = 16 // members of an object
	maxDigits = 15 // of a number: a float64 has more
)

// readPlain returns the members of a JSON object that is plain, in a list that it appends to; ok is false for
// every other text. No two members have the same name.
func readPlain(all []member, text string) (_ []member, ok bool) {
	p := plain{rest: text}
	if !p.next('{') {
		return nil, false
	}
	for {
		var m member
		if m.name, ok = p.string(); !ok || !p.next(':') || has(all, m.name) || len(all) == maxPlain {
			return nil, false
		}
		if m.value, ok = p.value(); !ok {
			return nil, false
		}
		all = append(all, m)
		if !p.next(',') {
			break
		}
	}
	ok = p.next('}')
	p.space()
	return all, ok && p.rest == ""
}

func has(all []member, name string) bool {
	for i := range all {
		if all[i].name == name {
			return true
		}
	}
	return false
}

// plain takes from the beginning of rest.
type plain struct{ rest string }

func (p *plain) space() {
	for p.rest != "" {
		switch p.rest[0] {
		case ' ', '\t', '\n', '\r':
			p.rest = p.rest[1:]
		default:
			return
		}
	}
}

// next takes a character, and space before it, when it is the next one.
func (p *plain) next(c byte) bool {
	p.space()
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// string takes a string of printable ASCII without an escape.
func (p *plain) string() (s string, ok bool) {
	if !p.next('"') {
		return "", false
	}
	for i := range len(p.rest) {
		switch c := p.rest[i]; {
		case c == '"':
			s, p.rest = p.rest[:i], p.rest[i+1:]
			return s, true
		case c < ' ' || c > '~' || c == '\\':
			return "", false
		}
	}
	return "", false
}

func (p *plain) value() (v value, ok bool) {
	p.space()
	switch {
	case p.rest == "":
		return v, false
	case p.rest[0] == '"':
		v.kind = aText
		v.text, ok = p.string()
	case p.rest[0] == '[':
		v.kind = aList
		v.list, ok = p.list()
	default:
		v.kind = aNumber
		v.number, ok = p.number()
	}
	return v, ok
}

// list takes a list of at least one string.
func (p *plain) list() (list []string, ok bool) {
	p.next('[')
	for {
		s, ok := p.string()
		if !ok {
			return nil, false
		}
		list = append(list, s)
		if !p.next(',') {
			return list, p.next(']')
		}
	}
}

// number takes a whole number that is not negative.
func (p *plain) number() (n int64, ok bool) {
	i := 0
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		n = n*10 + int64(p.rest[i]-'0')
		if i++; i > maxDigits {
			return 0, false
		}
	}
	if i == 0 || i > 1 && p.rest[0] == '0' {
		return 0, false
	}
	p.rest = p.rest[i:]
	return n, true
}
