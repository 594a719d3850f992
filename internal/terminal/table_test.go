package terminal

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteTable(&b, []Row{{"Name", "a\x1b[2Jb\tc\nd"}, {"Longer name", "é"}}); err != nil {
		t.Fatal(err)
	}
	if want := "Name         a\uFFFD[2Jb\uFFFDc\uFFFDd\nLonger name  é\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// A later batch keeps the columns of those before it where they are wide enough.
func TestTableInBatches(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	table := NewTable(&b, Row{"ID", "NAME", "STATE"})
	for _, batch := range [][]Row{{{"1", "Blåbær", "running"}, {"22", "x", ""}}, {{"3", "y", "s"}}, {{"4444", "zzzzzzzz", "s"}}, nil} {
		if err := table.Write(batch); err != nil {
			t.Fatal(err)
		}
	}
	want := "ID  NAME    STATE\n1   Blåbær  running\n22  x\n3   y       s\n4444  zzzzzzzz  s\n"
	if b.String() != want {
		t.Errorf("got:\n%swant:\n%s", b.String(), want)
	}
	b.Reset()
	if err := NewTable(&b, Row{"ID", "NAME"}).Write(nil); err != nil || b.String() != "ID  NAME\n" {
		t.Errorf("an empty table: %q, %v", b.String(), err)
	}
}

// full is a writer that takes nothing.
type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	m := &descriptorpb.FileDescriptorProto{Name: proto.String("x")}
	for name, err := range map[string]error{
		"table":   NewTable(full{}, Row{"ID"}).Write(nil),
		"message": WriteMessage(full{}, m),
		"page":    NewListJSON(full{}, "message_type").Write(m),
		"end":     NewListJSON(full{}, "message_type").Close(),
		"JSON":    WriteJSON(full{}, 1),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every list is one document, however many pages it has.
func TestListJSON(t *testing.T) {
	t.Parallel()
	message := []*descriptorpb.DescriptorProto{{Name: proto.String("\n}")}}
	for _, c := range []struct {
		pages []*descriptorpb.FileDescriptorProto
		want  string
	}{
		{[]*descriptorpb.FileDescriptorProto{{}}, "{\n  \"messageType\": []\n}\n"},
		{
			[]*descriptorpb.FileDescriptorProto{{Name: proto.String("}"), MessageType: message}},
			"{\n  \"name\": \"}\",\n  \"messageType\": [\n    {\n      \"name\": \"\\n}\"\n    }\n  ]\n}\n",
		},
		{
			[]*descriptorpb.FileDescriptorProto{{MessageType: message}, {}, {Name: proto.String("x"), MessageType: message}},
			"{\n  \"messageType\": [\n    {\n      \"name\": \"\\n}\"\n    },\n    {\n      \"name\": \"\\n}\"\n    }\n  ]\n}\n",
		},
	} {
		var b bytes.Buffer
		list := NewListJSON(&b, "message_type")
		for _, p := range c.pages {
			if err := list.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := list.Close(); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("got:\n%swant:\n%s", b.String(), c.want)
		}
	}
}
