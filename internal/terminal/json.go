package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
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

// WriteLine writes m as one line of JSON in the form of the API. Equal messages give equal bytes.
func WriteLine(w io.Writer, m proto.Message) error {
	text, err := protojson.Marshal(m)
	var b bytes.Buffer
	if err == nil {
		err = json.Compact(&b, text)
	}
	if err != nil {
		return fmt.Errorf("write an answer as JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}
