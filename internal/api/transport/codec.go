package transport

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"castellan/internal/fault"
)

// maxNesting bounds how deep messages of a request may be nested, and with that the stack it
// takes to read them.
const maxNesting = 1000

// jsonSpace is what JSON takes for white space (RFC 8259, section 2).
const jsonSpace = " \t\r\n"

// maxDiagnostic bounds, in bytes, what a decoder says in a message to the caller.
const maxDiagnostic = 200

// frame is what connect-go believes the messages of all methods to be: the bytes of a request
// on the way in, a message on the way out. The generated handler decodes the bytes into the
// type it knows, when the dispatcher lets it.
type frame struct {
	raw     []byte
	json    bool
	message proto.Message
}

// decode fills m with the request in the frame.
func (f *frame) decode(m proto.Message) error {
	if f.json {
		return decodeJSON(f.raw, m)
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxNesting}).Unmarshal(f.raw, m); err != nil {
		return fault.Plain(fault.InvalidArgument, "the request is not a valid message: "+diagnostic(err))
	}
	return nil
}

// codec moves frames in and out of connect-go under one of the names it knows encodings by.
type codec struct {
	name string
	json bool
	log  *slog.Logger
}

// errEncoding hides from the caller why a response could not be encoded.
var errEncoding = errors.New("the response cannot be encoded")

func (c *codec) Name() string { return c.name }

// Unmarshal keeps the bytes for later; data belongs to a pool.
func (c *codec) Unmarshal(data []byte, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("unexpected %T", v)
	}
	f.raw, f.json = bytes.Clone(data), c.json
	return nil
}

func (c *codec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend encodes the message of a frame, or one that connect-go brings itself (the
// status of an error).
func (c *codec) MarshalAppend(dst []byte, v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if f, framed := v.(*frame); framed {
		m, ok = f.message, f.message != nil
	}
	if !ok {
		return nil, fmt.Errorf("unexpected %T", v)
	}
	var out []byte
	var err error
	if c.json {
		out, err = appendJSON(dst, m)
	} else {
		out, err = proto.MarshalOptions{}.MarshalAppend(dst, m)
	}
	if err != nil {
		c.log.Error("response not encoded", "message", string(m.ProtoReflect().Descriptor().FullName()), "error", err)
		return nil, errEncoding
	}
	return out, nil
}

// decodeJSON fills m from JSON as contract section 3.1 reads it: unknown fields are ignored,
// names come in either case, enums by name or number. No text at all is the empty message.
func decodeJSON(text []byte, m proto.Message) error {
	if len(bytes.TrimLeft(text, jsonSpace)) == 0 {
		return nil
	}
	options := protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxNesting}
	if err := options.Unmarshal(text, m); err != nil {
		return fault.Plain(fault.InvalidArgument, "the request is not valid JSON for its type: "+diagnostic(err))
	}
	return nil
}

// diagnostic returns what a decoder of another library has to say, without its name, in
// valid UTF-8, and no longer than maxDiagnostic.
func diagnostic(err error) string {
	// protobuf writes either kind of space after its name, so that nobody compares its texts.
	text := strings.TrimLeft(strings.TrimPrefix(valid(err.Error()), "proto:"), " \u00a0")
	if len(text) <= maxDiagnostic {
		return text
	}
	cut := maxDiagnostic
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}

// appendJSON appends the JSON of m as contract section 3.1 writes it: lowerCamelCase, default
// values left out, enums by name, 64-bit integers as strings; and always the same text.
func appendJSON(dst []byte, m proto.Message) ([]byte, error) {
	start := len(dst)
	dst, err := protojson.MarshalOptions{}.MarshalAppend(dst, m)
	if err != nil {
		return nil, err
	}
	return dst[:start+len(compact(dst[start:]))], nil
}

// compact removes, in place, the spaces outside strings that protojson adds in some builds and
// leaves out in others. text must be JSON that protojson wrote.
func compact(text []byte) []byte {
	w, quoted := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"':
			quoted = !quoted
		case !quoted && c == ' ':
			continue
		case c == '\\': // only inside strings; what follows is no end of one
			text[w] = c
			w++
			i++
			c = text[i]
		}
		text[w] = c
		w++
	}
	return text[:w]
}
