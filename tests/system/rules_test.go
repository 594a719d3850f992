package system_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// breach is one rule of one field of a request, broken.
type breach struct {
	method string
	// field is its path in proto names.
	field string
	// say is what the caller is told of the rule; empty when there is none but that of NUL.
	say string
	// inPath says that REST carries the field in the path, which cannot be empty.
	inPath, empty bool
	request       proto.Message
}

// place is a message within a request: how to get there, and what lies on the way.
type place struct {
	method string
	base   proto.Message
	steps  []step
	path   string
}

type step struct {
	field protoreflect.FieldDescriptor
	named string // as Go knows it, with the index of a list
}

// at returns a copy of the request and the message at the place in it, which is made if need be.
func (p place) at() (proto.Message, protoreflect.Message) {
	request := proto.Clone(p.base)
	m := request.ProtoReflect()
	for _, s := range p.steps {
		if !s.field.IsList() {
			m = m.Mutable(s.field).Message()
			continue
		}
		list := m.Mutable(s.field).List()
		if list.Len() == 0 {
			list.AppendMutable()
		}
		m = list.Get(0).Message()
	}
	return request, m
}

// into returns the place one field deeper. Below a request it is in the one that has the field,
// so that nothing else is wrong there.
func (p place) into(f protoreflect.FieldDescriptor) place {
	if len(p.steps) == 0 {
		for _, base := range requests(p.method) {
			if base.ProtoReflect().Has(f) {
				p.base = base
			}
		}
	}
	s := step{field: f, named: goName(string(f.Name()))}
	name := string(f.Name())
	if f.IsList() {
		s.named, name = s.named+"[0]", name+"[0]"
	}
	p.steps = append(append([]step(nil), p.steps...), s)
	p.path += name + "."
	return p
}

// goName is the name protoc-gen-go gives a field.
func goName(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// goType is the name protoc-gen-go gives a message.
func goType(m protoreflect.MessageDescriptor) string {
	inFile := strings.TrimPrefix(string(m.FullName()), string(m.ParentFile().Package())+".")
	return strings.ReplaceAll(inFile, ".", "_")
}

// says is the text for a broken rule of the named member of the message at the place, in the
// form clients of the interface know (contract section 1.3).
func (p place) says(member, reason string) string {
	var b strings.Builder
	m := p.base.ProtoReflect().Descriptor()
	for _, s := range p.steps {
		fmt.Fprintf(&b, "invalid %s.%s: embedded message failed validation | caused by: ", goType(m), s.named)
		m = s.field.Message()
	}
	fmt.Fprintf(&b, "invalid %s.%s: %s", goType(m), member, reason)
	return b.String()
}

// breaches returns one breach for each rule that the messages of all requests declare.
func breaches(t *testing.T) []breach {
	t.Helper()
	var all []breach
	for _, m := range systemv1.SystemService_ServiceDesc.Methods {
		all = append(all, place{method: m.MethodName, base: requests(m.MethodName)[0]}.breaches(t)...)
	}
	for _, service := range []string{instanceV2, instanceV2Beta} {
		methods := kit.Method(service + "/GetInstance").Parent().(protoreflect.ServiceDescriptor).Methods()
		for i := range methods.Len() {
			name := service + "/" + string(methods.Get(i).Name())
			all = append(all, place{method: name, base: requests(name)[0]}.breaches(t)...)
		}
	}
	return all
}

// requests are good requests of a method.
func requests(method string) []proto.Message {
	if method == "CreateInstance" {
		return []proto.Message{done[method], kit.Human("Acme")}
	}
	if strings.Contains(method, "/") {
		return []proto.Message{aboutInstance(method)}
	}
	return []proto.Message{done[method]}
}

// aboutInstance is a good request of a method of InstanceService: all they need is texts.
func aboutInstance(method string) proto.Message {
	request, _ := kit.Messages(method)
	m := request.ProtoReflect()
	for i := range m.Descriptor().Fields().Len() {
		if f := m.Descriptor().Fields().Get(i); f.Kind() == protoreflect.StringKind {
			m.Set(f, protoreflect.ValueOfString("1"))
		}
	}
	return request
}

// breaches goes through the rules of the message at a place, and those below it.
func (p place) breaches(t *testing.T) []breach {
	t.Helper()
	_, here := p.at()
	d := here.Descriptor()
	var all []breach
	for i := range d.Oneofs().Len() {
		o := d.Oneofs().Get(i)
		if required, _ := proto.GetExtension(o.Options(), validate.E_Required).(bool); !required {
			continue
		}
		all = append(all, p.breach(p.path+string(o.Name()), p.says(goName(string(o.Name())), "value is required"), func(m protoreflect.Message) {
			if f := m.WhichOneof(o); f != nil {
				m.Clear(f)
			}
		}))
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		rules, _ := proto.GetExtension(f.Options(), validate.E_Rules).(*validate.FieldRules)
		for _, c := range changes(t, f, rules) {
			b := p.breach(p.path+string(f.Name())+c.index, "", c.set)
			if c.reason != "" {
				b.say = p.says(goName(string(f.Name()))+c.index, c.reason)
			}
			b.inPath, b.empty = len(p.steps) == 0 && carriedInPath(p.method, f), c.empty
			all = append(all, b)
		}
		if f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() != "google.protobuf" {
			all = append(all, p.into(f).breaches(t)...)
		}
	}
	return all
}

func (p place) breach(field, say string, change func(protoreflect.Message)) breach {
	request, m := p.at()
	change(m)
	return breach{method: p.method, field: field, say: say, request: request}
}

// change breaks a rule of one field.
type change struct {
	reason string
	index  string // of the item of a list
	empty  bool
	set    func(protoreflect.Message)
}

// changes returns a change for each rule of a field, and fails the test for a rule it does not
// know, so that none is forgotten.
func changes(t *testing.T, f protoreflect.FieldDescriptor, rules *validate.FieldRules) []change {
	t.Helper()
	to := func(v any) func(protoreflect.Message) {
		return func(m protoreflect.Message) { m.Set(f, protoreflect.ValueOf(v)) }
	}
	cleared := change{reason: "value is required", set: func(m protoreflect.Message) { m.Clear(f) }}
	var all []change
	if f.Kind() == protoreflect.StringKind && !f.IsList() {
		all = append(all, change{set: to("nul\x00here")})
	}
	switch r := rules.GetType().(type) {
	case nil:
		if rules.GetMessage().GetRequired() {
			all = append(all, cleared)
		}
	case *validate.FieldRules_String_:
		all = append(all, stringChanges(r.String_, to)...)
	case *validate.FieldRules_Enum:
		if r.Enum.GetDefinedOnly() {
			all = append(all, change{reason: "value must be one of the defined enum values", set: to(protoreflect.EnumNumber(999))})
		}
		for _, not := range r.Enum.GetNotIn() {
			name := f.Enum().Values().ByNumber(protoreflect.EnumNumber(not)).Name()
			all = append(all, change{reason: "value must not be in list [" + string(name) + "]", set: to(protoreflect.EnumNumber(not))})
		}
	case *validate.FieldRules_Timestamp:
		if r.Timestamp.GetRequired() {
			all = append(all, cleared)
		}
	case *validate.FieldRules_Duration:
		if r.Duration.GetRequired() {
			all = append(all, cleared)
		}
	case *validate.FieldRules_Uint64:
		all = append(all, change{reason: fmt.Sprintf("value must be greater than %d", r.Uint64.GetGt()), set: to(r.Uint64.GetGt())})
	case *validate.FieldRules_Uint32:
		all = append(all, change{reason: fmt.Sprintf("value must be greater than %d", r.Uint32.GetGt()), set: to(r.Uint32.GetGt())})
	case *validate.FieldRules_Repeated:
		all = append(all, listChanges(f, r.Repeated)...)
	default:
		t.Fatalf("%s has rules of type %T, which this test does not know", f.FullName(), r)
	}
	return all
}

// stringChanges breaks the rules of a text. Lengths count characters, so the texts have two
// bytes for each.
func stringChanges(r *validate.StringRules, to func(any) func(protoreflect.Message)) []change {
	var reason string
	switch {
	case r.MinLen != nil && r.MaxLen != nil:
		reason = fmt.Sprintf("value length must be between %d and %d runes, inclusive", r.GetMinLen(), r.GetMaxLen())
	case r.MaxLen != nil:
		reason = fmt.Sprintf("value length must be at most %d runes", r.GetMaxLen())
	case r.MinLen != nil:
		reason = fmt.Sprintf("value length must be at least %d runes", r.GetMinLen())
	}
	var all []change
	if r.MinLen != nil {
		short := strings.Repeat("é", int(r.GetMinLen())-1)
		all = append(all, change{reason: reason, empty: short == "", set: to(short)})
	}
	if r.MaxLen != nil {
		all = append(all, change{reason: reason, set: to(strings.Repeat("é", int(r.GetMaxLen())+1))})
	}
	if r.GetEmail() {
		all = append(all, change{reason: "value must be a valid email address", set: to("not an address")})
	}
	return all
}

// listChanges puts one too many into a list, and breaks the rules of its items.
func listChanges(f protoreflect.FieldDescriptor, r *validate.RepeatedRules) []change {
	items := func(n int) func(any) func(protoreflect.Message) {
		return func(v any) func(protoreflect.Message) {
			return func(m protoreflect.Message) {
				for list := m.Mutable(f).List(); list.Len() < n; {
					list.Append(protoreflect.ValueOf(v))
				}
			}
		}
	}
	var all []change
	if r.MaxItems != nil {
		all = append(all, change{
			reason: fmt.Sprintf("value must contain no more than %d item(s)", r.GetMaxItems()),
			set:    items(int(r.GetMaxItems()) + 1)("x"),
		})
	}
	if of := r.GetItems().GetString_(); of != nil {
		all = append(all, stringChanges(of, items(1))...)
		all = append(all, change{set: items(1)("nul\x00here")})
		for i := range all {
			if i > 0 || r.MaxItems == nil {
				all[i].index = "[0]"
			}
		}
	}
	if r.GetUnique() {
		all = append(all, change{reason: "repeated value must contain unique items", index: "[1]", set: items(2)("x")})
	}
	return all
}

func carriedInPath(method string, f protoreflect.FieldDescriptor) bool {
	if !kit.REST().Serves(method) {
		return false
	}
	_, path := kit.Route(method)
	return strings.Contains(path, "{"+string(f.Name())+"}")
}

// TestRules breaks every rule that any request declares, one at a time, and puts a NUL character
// into every text.
func TestRules(t *testing.T) {
	t.Parallel()
	all := breaches(t)
	if len(all) < 250 {
		t.Fatalf("found only %d rules", len(all))
	}
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		token := kit.Operator().Token(t)
		for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
			for _, x := range all {
				if !w.Serves(x.method) || w.Name == "rest" && x.inPath && x.empty {
					continue // the path would be another
				}
				a := w.Send(t, n.Client, kit.Call{Method: x.method, Request: x.request, Token: token}, nil)
				x.check(t, w, a)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// check checks that the caller is told which rule of which field is broken, and nothing else.
func (x breach) check(t *testing.T, w kit.Wire, a kit.Answer) {
	t.Helper()
	right := a.Code == codes.InvalidArgument && (a.HTTP == 0 || a.HTTP == http.StatusBadRequest) &&
		slices.Equal(slices.Compact(a.Fields), []string{x.field}) && // a text can break two rules at once
		a.ID == "" && slices.Equal(a.Details, []string{"google.rpc.BadRequest"})
	cause := ""
	switch {
	case x.say == "":
		x.say, cause = x.field+": ", "must not contain the character U+0000"
	case w.Name == "rest" && x.inPath && strings.HasSuffix(x.say, "defined enum values"):
		x.say, cause = "the path has no valid "+x.field+": ", `"999" is not one of the values`
	case strings.HasSuffix(x.say, "a valid email address"):
		cause = " | caused by: mail: no angle-addr" // in the words of net/mail, as in the reference
	}
	right = right && a.Message == x.say+cause
	if !right {
		t.Errorf("%s over %s, %s: %v, want %q", x.method, w.Name, x.field, a, x.say)
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{ body []byte }

func (c rawCodec) Marshal(any) ([]byte, error) { return c.body, nil }
func (c rawCodec) Unmarshal([]byte, any) error { return nil }
func (c rawCodec) Name() string                { return "proto" }

// TestBrokenUTF8 puts bytes that are no UTF-8 into every text of every request.
func TestBrokenUTF8(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		conn, err := n.GRPC()
		if err != nil {
			t.Fatal(err)
		}
		token := kit.Operator().Token(t)
		tried := 0
		for _, x := range breaches(t) {
			if x.say != "" {
				continue // not the one with a text that is marked by its NUL
			}
			body, err := proto.Marshal(x.request)
			if err != nil {
				t.Fatal(err)
			}
			body = bytes.Replace(body, []byte("nul\x00here"), []byte("nul\xffhere"), 1)
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
			err = conn.Invoke(ctx, kit.Path(x.method), x.request, x.request, grpc.ForceCodec(rawCodec{body}))
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "UTF-8") {
				t.Errorf("%s with broken UTF-8 in %s: %v", x.method, x.field, err)
			}
			tried++
		}
		for _, text := range []string{"a\xff", "\xc0\x80", "\xed\xa0\x80"} {
			st, _, answer := kit.Raw(t, n.HTTP, "POST", n.URL+"/system/v1/instances/_create",
				`{"instanceName":"`+text+`","machine":{"userName":"u","name":"n"}}`, http.Header{"Authorization": {"Bearer " + token}})
			if st != http.StatusBadRequest || !utf8.ValidString(answer) {
				t.Errorf("JSON with %q: %d %q", text, st, answer)
			}
		}
		if tried < 50 {
			t.Errorf("tried only %d texts", tried)
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}
