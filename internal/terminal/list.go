package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ListJSON writes the pages of a list as one JSON document in the form of the API: the members
// of the first page, and the entries of all pages in the place of its own.
type ListJSON struct {
	w       io.Writer
	entries protoreflect.Name
	begun   bool
	some    bool // there was an entry
}

// NewListJSON returns what writes lists whose entries are in the field of that name.
func NewListJSON(w io.Writer, entries protoreflect.Name) *ListJSON {
	return &ListJSON{w: w, entries: entries}
}

// Write writes a page. It returns an error of the writer.
func (l *ListJSON) Write(page proto.Message) error {
	var b bytes.Buffer
	field := page.ProtoReflect().Descriptor().Fields().ByName(l.entries)
	if !l.begun {
		if err := l.begin(&b, page, field); err != nil {
			return err
		}
	}
	all := page.ProtoReflect().Get(field).List()
	for i := range all.Len() {
		if l.some {
			b.WriteByte(',')
		}
		l.some = true
		b.WriteString("\n    ")
		if err := indent(&b, all.Get(i).Message().Interface(), "    "); err != nil {
			return err
		}
	}
	_, err := l.w.Write(b.Bytes())
	return err
}

// begin writes everything of the first page up to its entries.
func (l *ListJSON) begin(b *bytes.Buffer, page proto.Message, field protoreflect.FieldDescriptor) error {
	l.begun = true
	head := page.ProtoReflect().New()
	page.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f != field {
			head.Set(f, v)
		}
		return true
	})
	if err := indent(b, head.Interface(), ""); err != nil {
		return err
	}
	b.Truncate(len(strings.TrimSuffix(strings.TrimSuffix(b.String(), "}"), "\n"))) // it goes on
	if b.Len() > len("{") {
		b.WriteByte(',')
	}
	fmt.Fprintf(b, "\n  %q: [", field.JSONName())
	return nil
}

// Close ends the document. It returns an error of the writer.
func (l *ListJSON) Close() error {
	end := "]\n}\n"
	if l.some {
		end = "\n  " + end
	}
	_, err := io.WriteString(l.w, end)
	return err
}

// indent writes m as indented JSON whose lines after the first begin with prefix. Package
// protojson varies its spaces from build to build; here equal messages give equal bytes.
func indent(b *bytes.Buffer, m proto.Message, prefix string) error {
	text, err := protojson.Marshal(m)
	if err == nil {
		err = json.Indent(b, text, prefix, "  ")
	}
	if err != nil {
		return fmt.Errorf("write an answer as JSON: %w", err)
	}
	return nil
}
