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

// List shows a list in the form that --output says.
type List struct {
	table    *Table
	document *ListJSON // instead of the table
}

// NewList returns what shows a list whose answers are of the type of like, in a form of
// [AddOutput]. It panics when like has no field that is a list of messages.
func NewList(w io.Writer, form string, header Row, like proto.Message) List {
	if form == OutputJSON {
		return List{document: NewListJSON(w, entriesOf(like))}
	}
	return List{table: NewTable(w, header)}
}

// Page shows one page: answer, whose entries are rows. It returns an error of the writer.
func (l List) Page(answer proto.Message, rows []Row) error {
	if l.document != nil {
		return l.document.Write(answer)
	}
	return l.table.Write(rows)
}

// End ends the list. It returns an error of the writer.
func (l List) End() error {
	if l.document != nil {
		return l.document.Close()
	}
	return nil
}

// entriesOf returns the name of the field of an answer that holds the entries of a list. It is
// the one list of messages in it.
func entriesOf(answer proto.Message) protoreflect.Name {
	fields := answer.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.IsList() && f.Message() != nil {
			return f.Name()
		}
	}
	panic(fmt.Sprintf("%T is no list", answer)) // which every test of the command would notice
}

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
