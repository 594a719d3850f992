package token

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"castellan/internal/ident"
	"castellan/internal/session"
)

// A sealed token says what it has to say in binary, in the order of encode: numbers as varints, texts
// after their length, lists after their length. The first byte is the format, so that tokens of this
// program are still read by a later one that has more to say.
const format = 1

// kinds are the kinds of grounds by their numbers. A number is never given to another kind.
var kinds = []session.Kind{
	1: session.MachineKey, 2: session.MachineSecret, 3: session.PersonalToken,
	4: session.AppKey, 5: session.AppSecret, 6: session.App,
}

// encode appends a token that is no personal one.
func (t *Token) encode(to []byte) []byte {
	w := writer(to).number(format).
		text(string(t.Session)).
		number(t.Number).
		time(t.Issued).
		time(t.Expires).
		text(string(t.User)).
		text(t.Client).
		texts(t.Audience).
		texts(t.Scopes).
		texts(t.Methods).
		time(t.AuthTime).
		text(t.Thumbprint)
	actors := 0
	for a := t.Actor; a != nil; a = a.Actor {
		actors++
	}
	w = w.number(uint64(actors))
	for a := t.Actor; a != nil; a = a.Actor {
		w = w.text(string(a.User)).text(a.Issuer)
	}
	w = w.number(uint64(len(t.Grounds)))
	for _, g := range t.Grounds {
		w = w.number(uint64(slices.Index(kinds, g.Kind))).
			text(string(g.User)).
			text(g.Client).
			text(g.ID).
			text(string(g.Session)).
			number(g.Number)
	}
	return w
}

// errContent means that something was sealed here that encode does not write: a later program has, or
// this one has a mistake.
var errContent = errors.New("its content cannot be read")

// decode reads what encode has written. It returns errContent for anything else.
func decode(content []byte) (t Token, err error) {
	r := reader{rest: content}
	if r.number() != format {
		return t, errContent
	}
	t.Session, t.Number = ident.SessionID(r.text()), r.number()
	t.Issued, t.Expires = r.time(), r.time()
	t.User, t.Client = ident.UserID(r.text()), r.text()
	t.Audience, t.Scopes, t.Methods = r.texts(), r.texts(), r.texts()
	t.AuthTime, t.Thumbprint = r.time(), r.text()
	for at, n := &t.Actor, r.length(); n > 0; n-- {
		*at = &session.Actor{User: ident.UserID(r.text()), Issuer: r.text()}
		at = &(*at).Actor
	}
	n := r.length()
	if n > session.MaxGrounds {
		return Token{}, errContent
	}
	for range n {
		kind := r.number()
		if kind == 0 || kind >= uint64(len(kinds)) {
			return Token{}, errContent
		}
		t.Grounds = append(t.Grounds, session.Ground{
			Kind: kinds[kind], User: ident.UserID(r.text()), Client: r.text(), ID: r.text(),
			Session: ident.SessionID(r.text()), Number: r.number(),
		})
	}
	if r.failed || len(r.rest) > 0 || len(t.Grounds) == 0 || t.Number == 0 {
		return Token{}, errContent
	}
	t.ID = session.AccessID(t.Session, t.Number)
	return t, nil
}

// writer appends. Each method returns the writer that goes on; so what is written can stay on the stack.
type writer []byte

func (w writer) number(n uint64) writer { return binary.AppendUvarint(w, n) }

func (w writer) text(s string) writer { return append(w.number(uint64(len(s))), s...) }

func (w writer) texts(list []string) writer {
	w = w.number(uint64(len(list)))
	for _, s := range list {
		w = w.text(s)
	}
	return w
}

// time writes whole seconds since 1970; what is before, the zero time say, is that.
func (w writer) time(t time.Time) writer { return w.number(uint64(max(t.Unix(), 0))) }

// reader takes from the beginning of rest. After a failure there is nothing left to take.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) fail() { r.rest, r.failed = nil, true }

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	// A number has one spelling: the last of several bytes is not 0.
	if size <= 0 || size > 1 && r.rest[size-1] == 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// length reads how much follows: each of it takes at least a byte.
func (r *reader) length() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.length()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *reader) texts() []string {
	n := r.length()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, min(n, 32)) // what it says it has it may not have
	for range n {
		list = append(list, r.text())
	}
	return list
}

func (r *reader) time() time.Time {
	n := r.number()
	if n > maxSeconds {
		r.fail()
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

// maxSeconds is the end of the year 9999, the last that claims and rows can say.
const maxSeconds = 253402300799
