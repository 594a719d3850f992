// Package jsontext writes JSON objects whose members are known when the program is written, without looking at
// types while it runs.
//
// It owns how texts and numbers are written, and the commas between them. What is written, and which members
// are left out, its callers know: signing, token and oidc, for what each request is answered with. Everything
// else is encoding/json's.
//
// It guarantees that what is written is byte for byte what encoding/json writes. A text in which something has to
// be escaped is left to that.
package jsontext

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Writer writes one object: Begin, its members, End. Each method returns the Writer that goes on; so what is
// written can stay on the stack. Members are not checked for repetition.
type Writer struct {
	// Text is what was written so far. Empty at first, it may have room.
	Text []byte
	// Literal leaves <, > and & as they are, as json.Encoder does without SetEscapeHTML. Otherwise they are
	// escaped, as json.Marshal does.
	Literal bool
}

// Begin begins an object: the one that is written, or the next one of a list.
func (w Writer) Begin() Writer { return w.separate().raw("{") }

// End ends an object.
func (w Writer) End() Writer { return w.raw("}") }

// BeginList begins a member that is a list of objects.
func (w Writer) BeginList(name string) Writer { return w.name(name).raw("[") }

// EndList ends a list of objects.
func (w Writer) EndList() Writer { return w.raw("]") }

// String writes a member that is a text.
func (w Writer) String(name, value string) Writer { return w.name(name).quote(value) }

// StringUnlessEmpty is String of a member that is left out when it is empty.
func (w Writer) StringUnlessEmpty(name, value string) Writer {
	if value == "" {
		return w
	}
	return w.String(name, value)
}

// Strings writes a member that is a list of texts; null for nil.
func (w Writer) Strings(name string, values []string) Writer {
	w = w.name(name)
	if values == nil {
		return w.raw("null")
	}
	w = w.raw("[")
	for _, value := range values {
		w = w.separate().quote(value)
	}
	return w.raw("]")
}

// Int writes a member that is a number.
func (w Writer) Int(name string, value int64) Writer {
	w = w.name(name)
	w.Text = strconv.AppendInt(w.Text, value, 10)
	return w
}

// IntUnlessZero is Int of a member that is left out when it is 0.
func (w Writer) IntUnlessZero(name string, value int64) Writer {
	if value == 0 {
		return w
	}
	return w.Int(name, value)
}

// Uint writes a member that is a number.
func (w Writer) Uint(name string, value uint64) Writer {
	w = w.name(name)
	w.Text = strconv.AppendUint(w.Text, value, 10)
	return w
}

// Value writes a member that may be anything encoding/json can write. It panics for what that cannot, which is a
// mistake of the program.
func (w Writer) Value(name string, value any) Writer { return w.name(name).marshal(value) }

// name begins a member.
func (w Writer) name(name string) Writer { return w.separate().quote(name).raw(":") }

// raw writes what is JSON already.
func (w Writer) raw(text string) Writer {
	w.Text = append(w.Text, text...)
	return w
}

// separate writes a comma after what came before in an object or a list.
func (w Writer) separate() Writer {
	if n := len(w.Text); n == 0 || w.Text[n-1] == '{' || w.Text[n-1] == '[' {
		return w
	}
	return w.raw(",")
}

// quote writes a text.
func (w Writer) quote(s string) Writer {
	for i := range len(s) {
		if !plain[s[i]] {
			return w.marshal(s)
		}
	}
	return w.raw(`"`).raw(s).raw(`"`)
}

// plain has the bytes that are never escaped and are a character each.
var plain = func() (plain [256]bool) {
	for c := ' '; c <= '~'; c++ {
		plain[c] = true
	}
	for _, c := range `"\<>&` {
		plain[c] = false
	}
	return plain
}()

// marshal writes any value.
func (w Writer) marshal(value any) Writer {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(!w.Literal)
	if err := e.Encode(value); err != nil {
		panic("jsontext: " + err.Error())
	}
	w.Text = append(w.Text, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
	return w
}
