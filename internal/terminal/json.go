package terminal

import (
	"bytes"
	"encoding/json"
	"io"

	"google.golang.org/protobuf/proto"
)

// WriteJSON writes v as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// WriteMessage writes m as indented JSON in the form of the API.
func WriteMessage(w io.Writer, m proto.Message) error {
	text, err := MessageJSON(m)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// MessageJSON returns m as indented JSON with a line feed. Equal messages give equal bytes.
func MessageJSON(m proto.Message) ([]byte, error) {
	var b bytes.Buffer
	if err := indent(&b, m, ""); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
