package isolation

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/tests/kit"

	instancev2 "castellan/gen/zitadel/instance/v2"
)

// TestEveryRPCHasACase: what the program serves is in the matrix, unless it is not implemented and declares
// nothing, and every field that names something can be filled with what a target has.
func TestEveryRPCHasACase(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		w := newWorld(t, b)
		want := slices.DeleteFunc(w.served(), func(full string) bool { return authOf(t, full) == nil })
		if got := slices.Sorted(maps.Keys(cases)); !slices.Equal(want, got) {
			t.Errorf("the program serves\n%s\nand there are cases for\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
		for _, full := range slices.Sorted(maps.Keys(cases)) {
			for _, path := range Names(method(t, full).Input()) {
				if _, ok := nameOf(full, path); !ok {
					t.Errorf("%s: nobody has said what of a target the field %s names", full, path)
				}
			}
		}
	})
}

// nameOf says what of a target a field of a method names; ok is false when nobody has said.
func nameOf(full string, path Path) (key string, ok bool) {
	service, _, _ := strings.Cut(full, "/")
	name := string(path.last().Name())
	for _, field := range []string{full + " " + path.String(), service + " " + path.String(), service + " " + name, path.String(), name} {
		if key, ok = synonyms[field]; ok {
			return key, true
		}
	}
	for _, known := range []string{
		"trusted_domain", "instance_id", "user_id", "org_id", "domain", "organization_id", "granted_organization_id",
		"project_id", "application_id", "key_id", "token_id", "client_id",
	} {
		if name == known || name == known+"s" {
			return known, true
		}
	}
	return "", false
}

// synonyms say what of a target a field names: by its name, by its path, or by either in one service or
// method, which stands before it.
var synonyms = map[string]string{
	"custom_domain":             "domain",
	"queries.id_query.ids":      "instance_id",
	"filters.in_ids_filter.ids": "instance_id",
	"memberships.aggregate_id":  "instance_id",
}

// names says what of a target the fields of a service, or of a method, name: each by its name or path.
func names(of string, fields map[string]string) {
	for field, key := range fields {
		synonyms[of+" "+field] = key
	}
}

// TestMatrix calls everything as everyone about an instance that is not theirs: nothing of it is
// read, changed or confirmed to exist.
func TestMatrix(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		w := newWorld(t, b)
		before := w.state(w.theirs)
		w.closed()
		for _, full := range slices.Sorted(maps.Keys(cases)) {
			c := cases[full]
			if c.kind == public || c.kind.hosted() {
				continue
			}
			w.control(full, c)
			for _, who := range w.callers {
				w.foreign(full, c, who)
				w.byHost(full, c, who)
				w.alike(full, c, who)
				w.mixed(full, c, who)
			}
			w.mixed(full, c, w.operator())
			w.checkState(full, w.theirs, before)
		}
	})
}

// control: the request is a good one, so that a refusal is one of the caller.
func (w *world) control(full string, c case_) {
	w.Helper()
	if a := w.call(w.operator(), full, c.request(w.target("Control"))); a.code != codes.OK && !absent[full] {
		w.Errorf("%s by the operator: %v", full, a)
	}
}

// absent are calls about something the targets do not have, which answer NotFound to who may make them.
var absent = map[string]bool{}

// refused reports whether an answer is that to a caller who may not make the call.
func refused(a answer) bool {
	return a.code == codes.Unauthenticated || a.code == codes.PermissionDenied
}

// foreign: a call about their instance is refused, in the very words in which one about nothing is.
func (w *world) foreign(full string, c case_, who caller) {
	w.Helper()
	request := c.request(w.theirs)
	a := w.call(who, full, request)
	if !refused(a) {
		w.Errorf("%s about theirs by %s: %v", full, who.name, a)
	}
	if nothing := w.call(who, full, c.request(w.nothing)); nothing != a {
		w.Errorf("%s by %s about theirs is answered %v, about nothing %v", full, who.name, a, nothing)
	}
	w.silent(full, who, a.text, request)
	if status, text, ok := w.rest(who, full, request); ok {
		if status != http.StatusUnauthorized && status != http.StatusForbidden {
			w.Errorf("%s over REST about theirs by %s: %d %s", full, who.name, status, text)
		}
		w.silent(full, who, text, request)
	}
}

// byHost: so is a call that leaves it to the host which instance is meant.
func (w *world) byHost(full string, c case_, who caller) {
	w.Helper()
	request := c.request(w.theirs)
	f := request.ProtoReflect().Descriptor().Fields().ByName("instance_id")
	if f == nil || who.host != w.theirs["domain"] {
		return
	}
	request.ProtoReflect().Clear(f)
	a := w.call(who, full, request)
	if !refused(a) {
		w.Errorf("%s at their host by %s: %v", full, who.name, a)
	}
	w.silent(full, who, a.text, request)
}

// alike: and it is answered in the same words at the host of another's instance that is stopped or blocked,
// and sets no other cookie: what has become of an instance is not told to those it does not concern.
func (w *world) alike(full string, c case_, who caller) {
	w.Helper()
	request := c.request(w.theirs)
	f := request.ProtoReflect().Descriptor().Fields().ByName("instance_id")
	if f == nil || who.host != w.theirs["domain"] {
		return
	}
	request.ProtoReflect().Clear(f)
	rpc, web := w.call(who, full, request), w.connect(who, full, request)
	for name, other := range map[string]Target{"a stopped": w.stopped, "a blocked": w.blocked} {
		there := who
		there.host = other["domain"]
		if a := w.call(there, full, request); a != rpc {
			w.Errorf("%s by %s is answered %v, at the host of %s instance %v", full, who.name, rpc, name, a)
		}
		if a := w.connect(there, full, request); a != web {
			w.Errorf("%s over Connect by %s is answered %s, at the host of %s instance %s", full, who.name, web, name, a)
		}
	}
}

// closed: the instances that may not be used are so, as those see who may know it.
func (w *world) closed() {
	w.Helper()
	const full = "zitadel.instance.v2.InstanceService/GetInstance"
	for id, t := range map[string]Target{"INST-stop1": w.stopped, "LIMITS-molsj": w.blocked} {
		who := w.operator()
		who.host = t["domain"]
		if a := w.call(who, full, &instancev2.GetInstanceRequest{}); !strings.Contains(a.text, id) {
			w.Fatalf("at the host of %v the operator is answered %v, want %s", t, a, id)
		}
	}
}

// mixed: a call about ours, or about all, in which one other field names something of theirs, shows
// nothing of theirs; that it changes nothing is checked by the one who calls mixed.
func (w *world) mixed(full string, c case_, who caller) {
	w.Helper()
	for _, path := range Names(method(w, full).Input()) {
		key, ok := nameOf(full, path)
		if !ok {
			continue // TestEveryRPCHasACase says so
		}
		theirs := w.theirs[key]
		aboutThem := theirs == w.theirs["instance_id"]
		if who.name == "the operator" && (aboutThem || c.kind == system) {
			continue // may see and change all instances
		}
		request := c.request(w.ours)
		Set(request, path, theirs)
		a := w.call(who, full, request)
		if (aboutThem || !who.member || c.kind == system) && !refused(a) {
			w.Errorf("%s about ours with their %s by %s: %v", full, path, who.name, a)
		}
		w.silent(full, who, a.text, request)
	}
}

// silent fails the test when an answer shows more of their instance than the caller knew.
func (w *world) silent(full string, who caller, text string, sent proto.Message) {
	w.Helper()
	for _, secret := range w.secrets(w.theirs, sent) {
		if strings.Contains(text, secret) {
			w.Errorf("%s by %s shows %q: %q", full, who.name, secret, text)
		}
	}
}

var variable = regexp.MustCompile(`\{[a-z_]+\}`)

// restOf maps a request to REST; found is false for a method without a rule.
func restOf(t testing.TB, d protoreflect.MethodDescriptor, in proto.Message) (verb, path, body string, found bool) {
	t.Helper()
	rule, ok := proto.GetExtension(d.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule.GetPattern() == nil {
		return "", "", "", false
	}
	for try, p := range map[string]string{
		http.MethodGet: rule.GetGet(), http.MethodPost: rule.GetPost(), http.MethodPut: rule.GetPut(), http.MethodDelete: rule.GetDelete(),
		http.MethodPatch: rule.GetPatch(),
	} {
		if p != "" {
			verb, path = try, p
		}
	}
	m := in.ProtoReflect()
	path = variable.ReplaceAllStringFunc(path, func(v string) string {
		return url.PathEscape(fmt.Sprint(m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(strings.Trim(v, "{}")))).Interface()))
	})
	if rule.GetBody() == "" {
		return verb, path + queryOf(m, path), "", true
	}
	text, err := protojson.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return verb, path, string(text), true
}

// queryOf is the query of a request without a body: its texts that are not in the path.
func queryOf(m protoreflect.Message, path string) string {
	values := url.Values{}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() != protoreflect.StringKind:
		case f.IsList():
			for i := range v.List().Len() {
				values.Add(f.JSONName(), v.List().Get(i).String())
			}
		case !strings.Contains(path, url.PathEscape(v.String())):
			values.Add(f.JSONName(), v.String())
		}
		return true
	})
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}
