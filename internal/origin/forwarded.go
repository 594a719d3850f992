package origin

import (
	"errors"
	"strings"
)

// Limits of a Forwarded header.
const (
	maxElements = 16 // proxies on the way
	maxPairs    = 16 // parameters that one of them has added
)

var errForwarded = errors.New("must be parameters name=value as RFC 7239 has them, none twice")

// readForwarded reads one line of a Forwarded header (RFC 7239 section 4): what each proxy on the way
// has added, joined by commas. All that say something about host and proto must say the same; other
// parameters only need to be well-formed.
func readForwarded(line string) (all said, err error) {
	p := &pairs{rest: line}
	elements := 0
	for {
		one, err := p.element()
		if err == nil {
			all, err = all.and(one)
		}
		if err != nil {
			return said{}, err
		}
		if p.rest == "" {
			return all, nil
		}
		p.rest = p.rest[1:] // the comma
		if elements++; elements >= maxElements {
			return said{}, errForwarded
		}
	}
}

// pairs reads parameters off the beginning of rest.
type pairs struct{ rest string }

// element reads what one proxy has added, up to a comma or the end.
func (p *pairs) element() (s said, err error) {
	seen := make(map[string]bool)
	for {
		p.space()
		if p.at(",") || p.rest == "" {
			return s, nil // an empty element, or a semicolon at the end
		}
		name, value, err := p.pair()
		if err != nil || seen[name] || len(seen) >= maxPairs {
			return s, errForwarded
		}
		seen[name] = true
		switch name {
		case "host":
			s.host, err = parseHost(value)
		case "proto":
			s.scheme, err = parseScheme(value)
		}
		if err != nil {
			return s, err
		}
		p.space()
		if !p.at(";") {
			if p.rest != "" && !p.at(",") {
				return s, errForwarded
			}
			return s, nil
		}
		p.rest = p.rest[1:]
	}
}

// at reports whether rest begins with a character.
func (p *pairs) at(c string) bool { return strings.HasPrefix(p.rest, c) }

// space skips spaces and tabs.
func (p *pairs) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// pair reads one parameter; its name is in lower case.
func (p *pairs) pair() (name, value string, err error) {
	name = p.token()
	if name == "" || !p.at("=") {
		return "", "", errForwarded
	}
	p.rest = p.rest[1:]
	if p.at(`"`) {
		value, err = p.quoted()
		return strings.ToLower(name), value, err
	}
	if value = p.token(); value == "" {
		return "", "", errForwarded
	}
	return strings.ToLower(name), value, nil
}

// token reads a token (RFC 9110 section 5.6.2), perhaps an empty one. The colon of a port is taken for a
// part of it, although RFC 7239 wants that quoted: many proxies do not.
func (p *pairs) token() string {
	end := strings.IndexFunc(p.rest, func(c rune) bool {
		return !isNameChar(c) && !strings.ContainsRune("!#$%&'*+^`|~:", c)
	})
	if end < 0 {
		end = len(p.rest)
	}
	t := p.rest[:end]
	p.rest = p.rest[end:]
	return t
}

// quoted reads a quoted string (RFC 9110 section 5.6.4) of ASCII characters.
func (p *pairs) quoted() (string, error) {
	var b strings.Builder
	text := p.rest[1:]
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"':
			p.rest = text[i+1:]
			return b.String(), nil
		case c == '\\' && i+1 < len(text):
			i++
			c = text[i]
		case c == '\\':
			return "", errForwarded
		}
		if c < ' ' && c != '\t' || c > '~' {
			return "", errForwarded
		}
		b.WriteByte(c)
	}
	return "", errForwarded // it never ends
}
