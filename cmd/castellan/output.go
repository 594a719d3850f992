package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
}

func (c choice) String() string {
	if c.value == nil { // pflag asks a zero value too
		return ""
	}
	return *c.value
}

// Type implements pflag.Value.
func (c choice) Type() string { return strings.Join(c.words, "|") }

// Set implements pflag.Value.
func (c choice) Set(s string) error {
	for _, w := range c.words {
		if s == w {
			*c.value = s
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(c.words, ", "))
}

// addChoice gives cmd a flag that takes one of words, the first when it is not given.
func addChoice(cmd *cobra.Command, name, shorthand, help string, words ...string) *string {
	value := words[0]
	cmd.Flags().VarP(choice{&value, words}, name, shorthand, help)
	completeValues(cmd, name, words...)
	return &value
}

// addOutput gives cmd the flag --output.
func addOutput(cmd *cobra.Command) *string {
	return addChoice(cmd, "output", "o", "form of the output", outputTable, outputJSON)
}

// row is a line of a table: a name and a value.
type row [2]string

// writeTable writes rows with their values below each other. What would move the cursor or
// hide text in a terminal is replaced: names come from other people.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\n", printable(r[0]), printable(r[1])) // Flush returns its error
	}
	return t.Flush()
}

// printable replaces what is no visible character.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// writeJSON writes v as indented JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// writeMessage writes m as indented JSON in the form of the API.
func writeMessage(w io.Writer, m proto.Message) error {
	text, err := messageJSON(m)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// messageJSON returns m as indented JSON with a line feed. Package protojson varies its spaces
// from build to build; here equal messages give equal bytes.
func messageJSON(m proto.Message) ([]byte, error) {
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

// quote returns s as one word of a shell's language.
func quote(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
