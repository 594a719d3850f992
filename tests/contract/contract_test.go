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
	"maps"
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

	"castellan/internal/api/dispatch"

	optionsv1 "castellan/gen/castellan/options/v1"
	adminv1 "castellan/gen/zitadel/admin/v1"
	applicationv2 "castellan/gen/zitadel/application/v2"
	authv1 "castellan/gen/zitadel/auth/v1"
	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
	internalpermissionv2 "castellan/gen/zitadel/internal_permission/v2"
	managementv1 "castellan/gen/zitadel/management/v1"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
	userv2 "castellan/gen/zitadel/user/v2"
	webkeyv2 "castellan/gen/zitadel/webkey/v2"
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

// part is one part of the contract: services, and the tables with all they use.
type part struct {
	tables   string // what the names of its tables begin with
	services []protoreflect.ServiceDescriptor
}

// parts are all parts of the contract.
func parts() []part {
	return []part{
		{"system", []protoreflect.ServiceDescriptor{
			systemv1.File_zitadel_system_proto.Services().ByName("SystemService"),
		}},
		{"instance", []protoreflect.ServiceDescriptor{
			instancev2.File_zitadel_instance_v2_instance_service_proto.Services().ByName("InstanceService"),
			instancev2beta.File_zitadel_instance_v2beta_instance_service_proto.Services().ByName("InstanceService"),
		}},
		{"tenant", []protoreflect.ServiceDescriptor{
			adminv1.File_zitadel_admin_proto.Services().ByName("AdminService"),
			authv1.File_zitadel_auth_proto.Services().ByName("AuthService"),
			managementv1.File_zitadel_management_proto.Services().ByName("ManagementService"),
			applicationv2.File_zitadel_application_v2_application_service_proto.Services().ByName("ApplicationService"),
			authorizationv2.File_zitadel_authorization_v2_authorization_service_proto.Services().ByName("AuthorizationService"),
			internalpermissionv2.File_zitadel_internal_permission_v2_internal_permission_service_proto.Services().ByName("InternalPermissionService"),
			orgv2.File_zitadel_org_v2_org_service_proto.Services().ByName("OrganizationService"),
			projectv2.File_zitadel_project_v2_project_service_proto.Services().ByName("ProjectService"),
			userv2.File_zitadel_user_v2_user_service_proto.Services().ByName("UserService"),
			webkeyv2.File_zitadel_webkey_v2_webkey_service_proto.Services().ByName("WebKeyService"),
		}},
	}
}

// eachPart runs fn as a subtest for each part of the contract.
func eachPart(t *testing.T, fn func(t *testing.T, p part)) {
	t.Helper()
	for _, p := range parts() {
		t.Run(p.tables, func(t *testing.T) { fn(t, p) })
	}
}

// methods are those of all services of a part.
func (p part) methods() []protoreflect.MethodDescriptor {
	var all []protoreflect.MethodDescriptor
	for _, s := range p.services {
		for i := range s.Methods().Len() {
			all = append(all, s.Methods().Get(i))
		}
	}
	return all
}

func TestRPCs(t *testing.T) {
	eachPart(t, func(t *testing.T, p part) {
		got := map[string]row{}
		for _, m := range p.methods() {
			got[fmt.Sprintf("%s %s", m.Parent().FullName(), m.Name())] = describeRPC(t, m)
		}
		want := table(t, p.tables+"_rpcs.tsv", "service", "rpc")
		for name, r := range want {
			delete(r, "check_field") // where the reference finds the organization; ours is declared
			if r["success_code"] == "200" {
				delete(r, "success_code") // it goes without saying
			}
			if r["http_verb"] == "DELETE" {
				delete(r, "http_body") // in which the two that have one have nothing
			}
			// The table has what the reference declares; what it leaves to its handlers, our options say.
			// What declares nothing serves nobody: it is not offered yet.
			if g := got[name]; p.tables == "tenant" && g != nil && (r["permission"] == "authenticated" || g["permission"] == "") {
				g["permission"] = r["permission"]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("RPCs (-contract +ours):\n%s", diff)
		}
	})
}

// describeRPC renders a method as the table does.
func describeRPC(t *testing.T, m protoreflect.MethodDescriptor) row {
	t.Helper()
	r := row{"service": string(m.Parent().FullName()), "rpc": string(m.Name()), "kind": "unary"}
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
	if status := proto.GetExtension(m.Options(), optionsv1.E_Success).(int32); status != 0 {
		r.set("success_code", fmt.Sprint(status))
	}
	auth := authOf(m)
	switch {
	case auth.GetPublic():
		r.set("permission", "(none: no auth_option => public)")
	case auth.GetByHost():
		// The table has what the reference declares. It looks at permissions in its handlers:
		// those of [TestAccessToInstances].
		r.set("permission", "authenticated")
	case auth.GetInstancePermission() != "":
		r.set("permission", auth.GetInstancePermission())
	default:
		r.set("permission", auth.GetPermission())
	}
	return r
}

// authOf is what a method declares of access.
func authOf(m protoreflect.MethodDescriptor) *optionsv1.Auth {
	return proto.GetExtension(m.Options(), optionsv1.E_Auth).(*optionsv1.Auth)
}

// TestAccessToInstances pins who may call the instance services: operators with one permission,
// or members of the instance with another (contract section 2.9). Only where the interface lets
// a caller leave the id of the instance out, the host stands for it.
func TestAccessToInstances(t *testing.T) {
	const read, write = "system.instance.read", "system.instance.write"
	want := map[string]*optionsv1.Auth{
		"DeleteInstance":      {Permission: "system.instance.delete", Write: true},
		"GetInstance":         {Permission: read, InstancePermission: "iam.read", ByHost: true},
		"UpdateInstance":      {Permission: write, InstancePermission: "iam.write", ByHost: true, Write: true},
		"ListInstances":       {Permission: read, Paged: true},
		"AddCustomDomain":     {Permission: "system.domain.write", Write: true},
		"RemoveCustomDomain":  {Permission: "system.domain.write", Write: true},
		"ListCustomDomains":   {Permission: read, InstancePermission: "iam.read", ByHost: true},
		"AddTrustedDomain":    {Permission: write, InstancePermission: "iam.write", ByHost: true, Write: true},
		"RemoveTrustedDomain": {Permission: write, InstancePermission: "iam.write", ByHost: true, Write: true},
		"ListTrustedDomains":  {Permission: read, InstancePermission: "iam.read", ByHost: true},
	}
	for _, m := range parts()[1].methods() {
		w := proto.Clone(want[string(m.Name())]).(*optionsv1.Auth)
		rules, _ := proto.GetExtension(m.Input().Fields().Get(0).Options(), validate.E_Rules).(*validate.FieldRules)
		w.ByHost = w.GetByHost() && rules.GetString_().GetMinLen() == 0
		if got := authOf(m); !proto.Equal(got, w) {
			t.Errorf("%s: %v, want %v", m.FullName(), got, w)
		}
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

// TestRPCsDeclareAccess is the law that what must not be forgotten is declared: who may call, in a way that
// can be enforced, and write on every call but those that only read. RPCs that are not implemented need
// declare nothing; one that declares nothing serves nobody.
func TestRPCsDeclareAccess(t *testing.T) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(file.Path(), "zitadel/") {
			return true
		}
		for i := range file.Services().Len() {
			for j := range file.Services().Get(i).Methods().Len() {
				m := file.Services().Get(i).Methods().Get(j)
				auth := authOf(m)
				if auth == nil {
					continue
				}
				if err := dispatch.Check(m); err != nil {
					t.Errorf("%s: %v", m.FullName(), err)
				}
				reads := auth.GetPublic() || auth.GetAuthenticated() ||
					strings.HasSuffix(auth.GetPermission(), ".read") || strings.HasSuffix(auth.GetInstancePermission(), ".read")
				if auth.GetWrite() == reads {
					t.Errorf("%s: write is %t", m.FullName(), auth.GetWrite())
				}
			}
		}
		return true
	})
}

// reachable collects the messages and enums of ours that the services of a part use.
func (p part) reachable() (map[protoreflect.FullName]protoreflect.MessageDescriptor, map[protoreflect.FullName]protoreflect.EnumDescriptor) {
	messages := map[protoreflect.FullName]protoreflect.MessageDescriptor{}
	enums := map[protoreflect.FullName]protoreflect.EnumDescriptor{}
	var visit func(protoreflect.MessageDescriptor)
	visit = func(m protoreflect.MessageDescriptor) {
		if messages[m.FullName()] != nil || m.ParentFile().Package() == "google.protobuf" {
			return
		}
		if !m.IsMapEntry() {
			messages[m.FullName()] = m
		}
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
	for _, m := range p.methods() {
		visit(m.Input())
		visit(m.Output())
	}
	return messages, enums
}

func TestMessages(t *testing.T) {
	eachPart(t, func(t *testing.T, p part) {
		want := table(t, p.tables+"_messages.tsv", "message", "field")
		for _, r := range want {
			if r["validate_rules"] != "" {
				r["validate_rules"] = canonical(t, r["validate_rules"])
			}
		}
		messages, _ := p.reachable()
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
	})
}

// describe renders a field as the table does.
func describe(t *testing.T, field protoreflect.FieldDescriptor) row {
	t.Helper()
	r := row{"message": string(field.Parent().FullName()), "field": string(field.Name()), "number": fmt.Sprint(field.Number())}
	r.set("json_name", field.JSONName())
	r.set("type", field.Kind().String())
	switch {
	case field.IsMap():
		r.set("type", fmt.Sprintf("map<%s,%s>", field.MapKey().Kind(), field.MapValue().Kind()))
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
	eachPart(t, func(t *testing.T, p part) {
		_, enums := p.reachable()
		got := map[string]row{}
		for name, enum := range enums {
			for i := range enum.Values().Len() {
				value := enum.Values().Get(i)
				key := fmt.Sprintf("%s %s", name, value.Name())
				got[key] = row{"enum": string(name), "value": string(value.Name()), "number": fmt.Sprint(value.Number())}
			}
		}
		if diff := cmp.Diff(table(t, p.tables+"_enums.tsv", "enum", "value"), got); diff != "" {
			t.Errorf("enums (-contract +ours):\n%s", diff)
		}
	})
}

// TestNothingElse finds messages and enums that no RPC uses. Only the details of errors may be
// such: they travel inside a status.
func TestNothingElse(t *testing.T) {
	messages := map[protoreflect.FullName]protoreflect.MessageDescriptor{}
	enums := map[protoreflect.FullName]protoreflect.EnumDescriptor{}
	for _, p := range parts() {
		m, e := p.reachable()
		maps.Copy(messages, m)
		maps.Copy(enums, e)
	}
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
		if messages[m.FullName()] == nil && !m.IsMapEntry() {
			names = append(names, string(m.FullName()))
		}
		names = append(names, unused(m.Messages(), m.Enums(), messages, enums)...)
	}
	return names
}
