// Package contract holds the generated code against the facts of the wire contract.
//
// testdata has them as tables: every RPC, message, enum and validation rule of the interface, and
// messages with their canonical JSON and wire bytes. The tests compare both ways: nothing of the
// contract is missing, and nothing is there that the contract does not have. They need no server.
package contract

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "castellan/gen/castellan/options/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// row is a line of a table by column name. Columns that are empty are left out.
type row map[string]string

// set puts a value in a column unless it is empty.
func (r row) set(column, value string) {
	if value != "" {
		r[column] = value
	}
}

// table reads a table of testdata, keyed by the values of the key columns joined with spaces.
func table(t *testing.T, name string, keys ...string) map[string]row {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := map[string]row{}
	var columns []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		values := strings.Split(lines.Text(), "\t")
		if columns == nil {
			columns = values
			continue
		}
		if len(values) > len(columns) {
			t.Fatalf("%s: %d values in %q", name, len(values), lines.Text())
		}
		r := row{}
		for i, value := range values {
			r.set(columns[i], value)
		}
		var key []string
		for _, k := range keys {
			key = append(key, r[k])
		}
		if rows[strings.Join(key, " ")] != nil {
			t.Fatalf("%s: twice: %v", name, key)
		}
		rows[strings.Join(key, " ")] = r
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatalf("%s: empty", name)
	}
	return rows
}

// service is the SystemService.
func service() protoreflect.ServiceDescriptor {
	return systemv1.File_zitadel_system_proto.Services().ByName("SystemService")
}

func TestRPCs(t *testing.T) {
	got := map[string]row{}
	for i := range service().Methods().Len() {
		m := service().Methods().Get(i)
		r := row{"service": string(service().FullName()), "rpc": string(m.Name()), "kind": "unary"}
		if m.IsStreamingClient() || m.IsStreamingServer() {
			r["kind"] = "streaming"
		}
		r.set("request", string(m.Input().FullName()))
		r.set("response", string(m.Output().FullName()))
		if m.Options().(*descriptorpb.MethodOptions).GetDeprecated() {
			r.set("deprecated", "deprecated")
		}
		rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
		verb, path := pattern(rule)
		r.set("http_verb", verb)
		r.set("http_path", path)
		r.set("http_body", rule.GetBody())
		if len(rule.GetAdditionalBindings()) > 0 || rule.GetResponseBody() != "" {
			t.Errorf("%s: the contract has one binding and whole responses", m.FullName())
		}
		auth := proto.GetExtension(m.Options(), optionsv1.E_Auth).(*optionsv1.Auth)
		r.set("permission", auth.GetPermission())
		if auth.GetPublic() {
			r.set("permission", "(none: no auth_option => public)")
		}
		got[r["rpc"]] = r
	}
	if diff := cmp.Diff(table(t, "system_rpcs.tsv", "rpc"), got); diff != "" {
		t.Errorf("RPCs (-contract +ours):\n%s", diff)
	}
}

// pattern returns verb and path of a rule.
func pattern(rule *annotations.HttpRule) (verb, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get
	case *annotations.HttpRule_Put:
		return "PUT", p.Put
	case *annotations.HttpRule_Post:
		return "POST", p.Post
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch
	}
	return "", ""
}

// TestRPCsDeclareAccess is the law that what must not be forgotten is declared: exactly one of
// permission and public, and write on every call but those that only read.
func TestRPCsDeclareAccess(t *testing.T) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(file.Path(), "zitadel/") {
			return true
		}
		for i := range file.Services().Len() {
			for j := range file.Services().Get(i).Methods().Len() {
				m := file.Services().Get(i).Methods().Get(j)
				auth := proto.GetExtension(m.Options(), optionsv1.E_Auth).(*optionsv1.Auth)
				if (auth.GetPermission() == "") != auth.GetPublic() {
					t.Errorf("%s: permission %q, public %t", m.FullName(), auth.GetPermission(), auth.GetPublic())
				}
				reads := auth.GetPublic() || strings.HasSuffix(auth.GetPermission(), ".read")
				if auth.GetWrite() == reads {
					t.Errorf("%s: write is %t", m.FullName(), auth.GetWrite())
				}
			}
		}
		return true
	})
}

// reachable collects the messages and enums of ours that the service uses.
func reachable() (map[protoreflect.FullName]protoreflect.MessageDescriptor, map[protoreflect.FullName]protoreflect.EnumDescriptor) {
	messages := map[protoreflect.FullName]protoreflect.MessageDescriptor{}
	enums := map[protoreflect.FullName]protoreflect.EnumDescriptor{}
	var visit func(protoreflect.MessageDescriptor)
	visit = func(m protoreflect.MessageDescriptor) {
		if messages[m.FullName()] != nil || m.ParentFile().Package() == "google.protobuf" {
			return
		}
		messages[m.FullName()] = m
		for i := range m.Fields().Len() {
			field := m.Fields().Get(i)
			if field.Message() != nil {
				visit(field.Message())
			}
			if field.Enum() != nil {
				enums[field.Enum().FullName()] = field.Enum()
			}
		}
	}
	for i := range service().Methods().Len() {
		visit(service().Methods().Get(i).Input())
		visit(service().Methods().Get(i).Output())
	}
	return messages, enums
}

func TestMessages(t *testing.T) {
	want := table(t, "system_messages.tsv", "message", "field")
	for _, r := range want {
		if r["validate_rules"] != "" {
			r["validate_rules"] = canonical(t, r["validate_rules"])
		}
	}
	messages, _ := reachable()
	got := map[string]row{}
	for name, m := range messages {
		if m.Fields().Len() == 0 {
			got[string(name)+" (empty)"] = row{"message": string(name), "field": "(empty)"}
		}
		for i := range m.Fields().Len() {
			field := m.Fields().Get(i)
			got[fmt.Sprintf("%s %s", name, field.Name())] = describe(t, field)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-contract +ours):\n%s", diff)
	}
}

// describe renders a field as the table does.
func describe(t *testing.T, field protoreflect.FieldDescriptor) row {
	t.Helper()
	r := row{"message": string(field.Parent().FullName()), "field": string(field.Name()), "number": fmt.Sprint(field.Number())}
	r.set("json_name", field.JSONName())
	r.set("type", field.Kind().String())
	switch {
	case field.Message() != nil:
		r.set("type", string(field.Message().FullName()))
	case field.Enum() != nil:
		r.set("type", string(field.Enum().FullName()))
	}
	switch {
	case field.IsMap():
		r.set("label", "map")
	case field.IsList():
		r.set("label", "repeated")
	case field.HasOptionalKeyword():
		r.set("label", "optional")
	default:
		r.set("label", "singular")
	}
	if oneof := field.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		name := string(oneof.Name())
		if proto.GetExtension(oneof.Options(), validate.E_Required).(bool) {
			name += " (required)"
		}
		r.set("oneof", name)
	}
	if rules, _ := proto.GetExtension(field.Options(), validate.E_Rules).(*validate.FieldRules); rules != nil {
		text, err := protojson.Marshal(rules)
		if err != nil {
			t.Fatal(err)
		}
		r.set("validate_rules", canonical(t, string(text)))
	}
	if field.Options().(*descriptorpb.FieldOptions).GetDeprecated() {
		r.set("deprecated", "deprecated")
	}
	return r
}

// canonical gives equal JSON texts one form.
func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

func TestEnums(t *testing.T) {
	_, enums := reachable()
	got := map[string]row{}
	for name, enum := range enums {
		for i := range enum.Values().Len() {
			value := enum.Values().Get(i)
			key := fmt.Sprintf("%s %s", name, value.Name())
			got[key] = row{"enum": string(name), "value": string(value.Name()), "number": fmt.Sprint(value.Number())}
		}
	}
	if diff := cmp.Diff(table(t, "system_enums.tsv", "enum", "value"), got); diff != "" {
		t.Errorf("enums (-contract +ours):\n%s", diff)
	}
}

// TestNothingElse finds messages and enums that no RPC uses. Only the details of errors may be
// such: they travel inside a status.
func TestNothingElse(t *testing.T) {
	messages, enums := reachable()
	var extra []string
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(file.Package()), "zitadel.") {
			extra = append(extra, unused(file.Messages(), file.Enums(), messages, enums)...)
		}
		return true
	})
	slices.Sort(extra)
	if want := []string{"zitadel.v1.CredentialsCheckError", "zitadel.v1.ErrorDetail"}; !slices.Equal(extra, want) {
		t.Errorf("used by no RPC: %v, want %v", extra, want)
	}
}

// unused lists what is declared but not in the sets, nested declarations included.
func unused(
	declared protoreflect.MessageDescriptors, declaredEnums protoreflect.EnumDescriptors,
	messages map[protoreflect.FullName]protoreflect.MessageDescriptor, enums map[protoreflect.FullName]protoreflect.EnumDescriptor,
) []string {
	var names []string
	for i := range declaredEnums.Len() {
		if name := declaredEnums.Get(i).FullName(); enums[name] == nil {
			names = append(names, string(name))
		}
	}
	for i := range declared.Len() {
		m := declared.Get(i)
		if messages[m.FullName()] == nil {
			names = append(names, string(m.FullName()))
		}
		names = append(names, unused(m.Messages(), m.Enums(), messages, enums)...)
	}
	return names
}
