package openapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "castellan/gen/castellan/options/v1"
	_ "castellan/gen/castellan/system/v1"
	_ "castellan/gen/zitadel/admin/v1"
	_ "castellan/gen/zitadel/auth/v1"
	_ "castellan/gen/zitadel/instance/v2beta"
	_ "castellan/gen/zitadel/management/v1"
	_ "castellan/gen/zitadel/org/v2"
	_ "castellan/gen/zitadel/system/v1"
	_ "castellan/gen/zitadel/user/v2"
	_ "castellan/gen/zitadel/webkey/v2"
)

type object = map[string]any

// loaded parses every document.
func loaded(t *testing.T) map[string]object {
	t.Helper()
	pages, names := documents()
	docs := map[string]object{}
	for _, name := range names {
		var doc object
		if err := json.NewDecoder(pages[name].open()).Decode(&doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		docs[name] = doc
	}
	if len(docs) == 0 {
		t.Fatal("no documents")
	}
	return docs
}

// at walks down objects; what is missing on the way is an empty object.
func at(v any, keys ...string) object {
	o, _ := v.(object)
	for _, key := range keys {
		o, _ = o[key].(object)
	}
	return o
}

// list returns the objects of an array.
func list(v any) []object {
	elements, _ := v.([]any)
	var objects []object
	for _, e := range elements {
		objects = append(objects, at(e))
	}
	return objects
}

// rule is an RPC as its options declare it.
type rule struct {
	method       protoreflect.MethodDescriptor
	verb, path   string
	body, access string
	members      string // the permission for members of the instance
	public       bool
	repeatable   bool
	deprecated   bool
}

// rules are the HTTP rules of all services of ours, keyed by "verb path".
func rules(t *testing.T, file string) map[string]rule {
	t.Helper()
	found := map[string]rule{}
	fd, err := protoregistry.GlobalFiles.FindFileByPath(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fd.Services().Len() {
		methods := fd.Services().Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			http, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
			auth, _ := proto.GetExtension(m.Options(), optionsv1.E_Auth).(*optionsv1.Auth)
			r := rule{
				method: m, body: http.GetBody(), access: auth.GetPermission(), members: auth.GetInstancePermission(),
				public: auth.GetPublic(), repeatable: auth.GetRepeatable(),
			}
			r.deprecated = m.Options().(*descriptorpb.MethodOptions).GetDeprecated()
			switch p := http.GetPattern().(type) {
			case *annotations.HttpRule_Get:
				r.verb, r.path = "get", p.Get
			case *annotations.HttpRule_Put:
				r.verb, r.path = "put", p.Put
			case *annotations.HttpRule_Post:
				r.verb, r.path = "post", p.Post
			case *annotations.HttpRule_Patch:
				r.verb, r.path = "patch", p.Patch
			case *annotations.HttpRule_Delete:
				r.verb, r.path = "delete", p.Delete
			case nil:
				continue
			default:
				t.Fatalf("%s: no case for %T", m.FullName(), p)
			}
			found[r.verb+" "+r.path] = r
		}
	}
	return found
}

// eachOperation calls f for every operation of every document together with its rule.
func eachOperation(t *testing.T, f func(t *testing.T, doc, operation object, r rule)) {
	t.Helper()
	for name, doc := range loaded(t) {
		declared := rules(t, strings.TrimSuffix(name, ".json")+".proto")
		for path, item := range at(doc, "paths") {
			for verb, operation := range at(item) {
				r, ok := declared[verb+" "+path]
				if !ok {
					t.Errorf("%s: %s %s belongs to no RPC", name, verb, path)
					continue
				}
				delete(declared, verb+" "+path)
				t.Run(string(r.method.Name()), func(t *testing.T) { f(t, doc, at(operation), r) })
			}
		}
		for key := range declared {
			t.Errorf("%s: no operation for %s", name, key)
		}
	}
}

func TestDocumentsAreOpenAPI3(t *testing.T) {
	for name, doc := range loaded(t) {
		if v, _ := doc["openapi"].(string); !regexp.MustCompile(`^3\.[01]\.\d+$`).MatchString(v) {
			t.Errorf("%s: openapi is %q", name, v)
		}
		for _, key := range []string{"title", "description", "version"} {
			if v, _ := at(doc, "info")[key].(string); v == "" {
				t.Errorf("%s: info.%s is empty", name, key)
			}
		}
		bearer := at(doc, "components", "securitySchemes", "bearer")
		if bearer["type"] != "http" || bearer["scheme"] != "bearer" || bearer["bearerFormat"] != "JWT" {
			t.Errorf("%s: bearer scheme is %v", name, bearer)
		}
		if got := fmt.Sprint(doc["security"]); got != "[map[bearer:[]]]" {
			t.Errorf("%s: security is %s", name, got)
		}
		checkReferences(t, name, doc, doc)
	}
}

// checkReferences fails for a $ref that leads nowhere, and for a required property that is none.
func checkReferences(t *testing.T, where string, doc object, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for i, element := range v {
			checkReferences(t, fmt.Sprintf("%s[%d]", where, i), doc, element)
		}
	case object:
		if ref, ok := v["$ref"].(string); ok {
			keys := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
			if !strings.HasPrefix(ref, "#/") || at(doc, keys...) == nil {
				t.Errorf("%s: $ref %s leads nowhere", where, ref)
			}
		}
		if required, ok := v["required"].([]any); ok && v["properties"] != nil {
			for _, name := range required {
				if at(v, "properties", name.(string)) == nil {
					t.Errorf("%s: required %s is no property", where, name)
				}
			}
		}
		for key, element := range v {
			checkReferences(t, where+"/"+key, doc, element)
		}
	}
}

func TestOperationsMatchRPCs(t *testing.T) {
	ids := map[any]bool{}
	eachOperation(t, func(t *testing.T, _, operation object, r rule) {
		id := fmt.Sprintf("%s_%s", r.method.Parent().Name(), r.method.Name())
		if operation["operationId"] != id || ids[id] {
			t.Errorf("operation id %v, want %s, once", operation["operationId"], id)
		}
		ids[id] = true
		if got := operation["deprecated"] == true; got != r.deprecated {
			t.Errorf("deprecated is %t, want %t", got, r.deprecated)
		}
		if got := operation["requestBody"] != nil; got != (r.body != "") {
			t.Errorf("has a body: %t, want %t", got, r.body != "")
		}
		status := "200"
		if other := proto.GetExtension(r.method.Options(), optionsv1.E_Success).(int32); other != 0 {
			status = fmt.Sprint(other)
		}
		success := at(operation, "responses", status, "content", "application/json", "schema")["$ref"]
		if want := "#/components/schemas/" + string(r.method.Output().FullName()); success != want {
			t.Errorf("success is %v, want %s", success, want)
		}
		failure := at(operation, "responses", "default", "content", "application/json", "schema")["$ref"]
		if failure != "#/components/schemas/google.rpc.Status" {
			t.Errorf("failure is %v", failure)
		}
	})
}

func TestOperationsDeclareAccess(t *testing.T) {
	eachOperation(t, func(t *testing.T, doc, operation object, r rule) {
		about, _ := at(doc, "components", "securitySchemes", "bearer")["description"].(string)
		if r.members != "" && !strings.Contains(about, "personal access token") {
			t.Errorf("members may call it, and the document does not say how: %q", about)
		}
		security, own := operation["security"].([]any)
		if own != r.public || len(security) != 0 {
			t.Errorf("own security %v, want an empty one only when public", operation["security"])
		}
		if permission, _ := operation["x-permission"].(string); permission != r.access {
			t.Errorf("permission %q, want %q", permission, r.access)
		}
		if permission, _ := operation["x-instance-permission"].(string); permission != r.members {
			t.Errorf("permission for members %q, want %q", permission, r.members)
		}
		takesKey := slices.ContainsFunc(list(operation["parameters"]), func(p object) bool {
			return p["$ref"] == "#/components/parameters/IdempotencyKey"
		})
		if takesKey != r.repeatable {
			t.Errorf("takes an idempotency key: %t, want %t", takesKey, r.repeatable)
		}
	})
}

// nameOf is the name of a field, or says that there is none called so.
func nameOf(field protoreflect.FieldDescriptor, called string) string {
	if field == nil {
		return "unknown " + called
	}
	return string(field.Name())
}

func TestOperationsTakeEveryField(t *testing.T) {
	eachOperation(t, func(t *testing.T, _, operation object, r rule) {
		var inPath, wantPath, taken, fields []string
		for _, p := range list(operation["parameters"]) {
			name, _ := p["name"].(string)
			switch p["in"] {
			case "path":
				inPath = append(inPath, name)
				taken = append(taken, nameOf(r.method.Input().Fields().ByTextName(name), name))
			case "query": // of a message, its fields
				first, _, _ := strings.Cut(name, ".")
				taken = append(taken, nameOf(r.method.Input().Fields().ByJSONName(first), name))
			}
		}
		for name := range at(operation, "requestBody", "content", "application/json", "schema", "properties") {
			taken = append(taken, nameOf(r.method.Input().Fields().ByJSONName(name), name))
		}
		for i := range r.method.Input().Fields().Len() {
			field := r.method.Input().Fields().Get(i)
			if r.body == "" && field.IsList() && field.Message() != nil {
				continue // no query can spell it
			}
			fields = append(fields, string(field.Name()))
		}
		for _, match := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(r.path, -1) {
			wantPath = append(wantPath, match[1])
		}
		if !slices.Equal(inPath, wantPath) {
			t.Errorf("path parameters %v, want %v", inPath, wantPath)
		}
		slices.Sort(taken)
		taken = slices.Compact(taken)
		slices.Sort(fields)
		if !slices.Equal(taken, fields) {
			t.Errorf("takes %v, want %v", taken, fields)
		}
	})
}

func TestSchemasCarryLimits(t *testing.T) {
	checked := 0
	check := func(t *testing.T, schema object, field protoreflect.FieldDescriptor) {
		t.Helper()
		if field == nil {
			return // TestOperationsTakeEveryField tells
		}
		rules, _ := proto.GetExtension(field.Options(), validate.E_Rules).(*validate.FieldRules)
		if repeated := rules.GetRepeated(); repeated != nil {
			if schema["maxItems"] != float64(repeated.GetMaxItems()) {
				t.Errorf("%s: maxItems %v, want %d", field.FullName(), schema["maxItems"], repeated.GetMaxItems())
			}
			rules, schema = repeated.GetItems(), at(schema, "items")
		}
		text := rules.GetString_()
		if text == nil {
			return
		}
		checked++
		if low, _ := schema["minLength"].(float64); low != float64(text.GetMinLen()) {
			t.Errorf("%s: minLength %v, want %d", field.FullName(), low, text.GetMinLen())
		}
		if high, _ := schema["maxLength"].(float64); high != float64(text.GetMaxLen()) {
			t.Errorf("%s: maxLength %v, want %d", field.FullName(), high, text.GetMaxLen())
		}
		if email := schema["format"] == "email"; email != text.GetEmail() {
			t.Errorf("%s: email format %t, want %t", field.FullName(), email, text.GetEmail())
		}
	}
	properties := func(t *testing.T, schema object, message protoreflect.MessageDescriptor) {
		t.Helper()
		for name, property := range at(schema, "properties") {
			check(t, at(property), message.Fields().ByJSONName(name))
		}
	}
	eachOperation(t, func(t *testing.T, doc, operation object, r rule) {
		for _, p := range list(operation["parameters"]) {
			if name, _ := p["name"].(string); p["in"] == "path" {
				check(t, at(p, "schema"), r.method.Input().Fields().ByTextName(name))
			}
		}
		properties(t, at(operation, "requestBody", "content", "application/json", "schema"), r.method.Input())
	})
	for _, doc := range loaded(t) {
		for name, schema := range at(doc, "components", "schemas") {
			d, _ := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
			if message, ok := d.(protoreflect.MessageDescriptor); ok {
				properties(t, at(schema), message)
			}
		}
	}
	if checked == 0 {
		t.Error("no limit was seen")
	}
}

func TestSchemasCarryWhatIsRequired(t *testing.T) {
	doc := loaded(t)["zitadel/system.json"]
	create := at(doc, "paths", "/system/v1/instances/_create", "post", "requestBody", "content", "application/json", "schema")
	feature := at(doc, "paths", "/system/v1/instances/{instance_id}/features/{feature_id}", "put",
		"requestBody", "content", "application/json", "schema")
	beta := loaded(t)["zitadel/instance/v2beta/instance_service.json"]
	quota := at(doc, "paths", "/system/v1/instances/{instance_id}/quotas", "put", "requestBody", "content", "application/json", "schema")
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"CreateInstance", create["required"], "[instanceName]"},
		{"owner", create["oneOf"], "[map[required:[human]] map[required:[machine]]]"},
		{"Human", at(doc, "components", "schemas", "zitadel.system.v1.CreateInstanceRequest.Human")["required"], "[email]"},
		{"Query", at(doc, "components", "schemas", "zitadel.instance.v1.Query")["oneOf"],
			"[map[required:[idQuery]] map[required:[domainQuery]]]"},
		{"a oneof of one", feature["required"], "[bool]"},
		{"UpdateInstance of v2beta", at(beta, "paths", "/v2beta/instances/{instance_id}", "put", "requestBody", "content",
			"application/json", "schema")["required"], "[instanceName]"},
		{"SetQuota", quota["required"], "[from resetInterval unit]"},
		{"refused unit", at(quota, "properties", "unit", "not")["enum"], "[UNIT_UNIMPLEMENTED]"},
		{"limit", at(loaded(t)["castellan/system/v1/lifecycle.json"], "paths", "/castellan/v1/audit/_search", "post", "requestBody",
			"content", "application/json", "schema", "properties", "limit")["maximum"], "1000"},
		{"percent", at(doc, "components", "schemas", "zitadel.quota.v1.Notification", "properties", "percent")["exclusiveMinimum"], "0"},
	} {
		if got := fmt.Sprint(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
