package contract

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	zitadelv1 "castellan/gen/zitadel/v1"
)

// golden is one message in the three forms the contract gives.
type golden struct {
	message protoreflect.FullName
	in, out string
	wire    []byte
}

// goldens reads testdata/golden_json.txt: a message name on a line of its own, then indented lines
// "in :", "out:" and "wire(base64):".
func goldens(t *testing.T) []golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden_json.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		value, indented := strings.CutPrefix(line, "  ")
		if !indented {
			all = append(all, golden{message: protoreflect.FullName(line)})
			continue
		}
		label, value, _ := strings.Cut(value, ":")
		value = strings.TrimSpace(value)
		last := &all[len(all)-1]
		switch strings.TrimSpace(label) {
		case "in":
			last.in = value
		case "out":
			last.out = value
		case "wire(base64)":
			if last.wire, err = base64.StdEncoding.DecodeString(value); err != nil {
				t.Fatalf("%s: %v", last.message, err)
			}
		default:
			t.Fatalf("line %q", line)
		}
	}
	const entries = 7
	if len(all) != entries {
		t.Fatalf("%d entries, want %d", len(all), entries)
	}
	return all
}

func TestGolden(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(string(g.message), func(t *testing.T) {
			kind, err := protoregistry.GlobalTypes.FindMessageByName(g.message)
			if err != nil {
				t.Fatal(err)
			}
			fromJSON := kind.New().Interface()
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(g.in), fromJSON); err != nil {
				t.Fatal(err)
			}
			wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(fromJSON)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(wire, g.wire) {
				t.Errorf("wire is %x, want %x", wire, g.wire)
			}
			fromWire := kind.New().Interface()
			if err := proto.Unmarshal(g.wire, fromWire); err != nil {
				t.Fatal(err)
			}
			for from, message := range map[string]proto.Message{"JSON": fromJSON, "wire": fromWire} {
				out, err := protojson.Marshal(message)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(canonical(t, g.out), canonical(t, string(out))); diff != "" {
					t.Errorf("JSON from %s (-want +got):\n%s", from, diff)
				}
			}
		})
	}
}

// TestErrorDetails pins the messages that no table of RPCs reaches (contract section 1.3).
func TestErrorDetails(t *testing.T) {
	detail := &zitadelv1.ErrorDetail{Id: "a", Message: "b"}
	check := &zitadelv1.CredentialsCheckError{Id: "a", Message: "b", FailedAttempts: 3}
	for _, c := range []struct {
		message proto.Message
		json    string
		wire    []byte
	}{
		{detail, `{"id":"a","message":"b"}`, []byte("\x0a\x01a\x12\x01b")},
		{check, `{"failedAttempts":3,"id":"a","message":"b"}`, []byte("\x0a\x01a\x12\x01b\x18\x03")},
	} {
		out, err := protojson.Marshal(c.message)
		if err != nil {
			t.Fatal(err)
		}
		if got := canonical(t, string(out)); got != c.json {
			t.Errorf("JSON is %s, want %s", got, c.json)
		}
		wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.message)
		if err != nil || !bytes.Equal(wire, c.wire) {
			t.Errorf("wire is %x (%v), want %x", wire, err, c.wire)
		}
	}
}
