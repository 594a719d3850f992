package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Row is a line of a table: a name and a value.
type Row [2]string

// WriteTable writes rows with their values below each other. What would move the cursor or
// hide text in a terminal is replaced: names come from other people.
func WriteTable(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\n", Printable(r[0]), Printable(r[1])) // Flush returns its error
	}
	return t.Flush()
}

// Printable replaces what is no visible character.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

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

// MessageJSON returns m as indented JSON with a line feed. Package protojson varies its spaces
// from build to build; here equal messages give equal bytes.
func MessageJSON(m proto.Message) ([]byte, error) {
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write an answer as JSON: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, fmt.Errorf("write an answer as JSON: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// shellSafe matches words that no shell takes for anything but themselves.
var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote returns s as one word of a shell's language.
func Quote(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
