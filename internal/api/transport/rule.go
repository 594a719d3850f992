package transport

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxSegments is how many segments a path template may have.
const maxSegments = 16

// binding is one way to call a method over REST: everything about one google.api.http rule
// that can be known before a request comes.
type binding struct {
	method  *method
	verb    string // the HTTP method
	path    string // the template as declared, for messages
	suffix  string // what follows a colon at the end of the path: in /a/{b}:undelete, undelete
	success int    // the HTTP status of a success

	segments []string // literals, single and remains
	vars     []variable

	// At most one of these two holds; without either, a body is not read.
	bodyAll   bool                         // the body is the request
	bodyField protoreflect.FieldDescriptor // the body is this field of it
	// bound are the fields query parameters must not touch.
	bound *utilities.DoubleArray
}

// What a path template has instead of a literal.
const (
	single  = "*"  // any one segment
	remains = "**" // the rest of the path, one segment at least
)

// variable is a field of the request that takes its value from segments [from, to) of the path.
type variable struct {
	names    []string                       // the way to it, itself last
	fields   []protoreflect.FieldDescriptor // the same
	from, to int
}

// bind returns the bindings of a method, none when it has no rule. Its errors name what is
// malformed, unknown, or not supported.
func bind(m *method) ([]*binding, error) {
	rule, ok := proto.GetExtension(m.descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil, nil
	}
	rules := append([]*annotations.HttpRule{rule}, rule.AdditionalBindings...)
	bindings := make([]*binding, 0, len(rules))
	for i, r := range rules {
		if i > 0 && len(r.AdditionalBindings) > 0 {
			return nil, errors.New("additional bindings within additional bindings")
		}
		b, err := bindRule(m, r)
		if err != nil {
			return nil, err
		}
		bindings = append(bindings, b)
	}
	return bindings, nil
}

// bindRule returns the binding of one rule.
func bindRule(m *method, rule *annotations.HttpRule) (*binding, error) {
	b := &binding{method: m}
	switch p := rule.Pattern.(type) {
	case *annotations.HttpRule_Get:
		b.verb, b.path = http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		b.verb, b.path = http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		b.verb, b.path = http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		b.verb, b.path = http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		b.verb, b.path = http.MethodPatch, p.Patch
	case *annotations.HttpRule_Custom:
		b.verb, b.path = p.Custom.GetKind(), p.Custom.GetPath()
	}
	if b.verb == "" || b.verb == "*" {
		return nil, fmt.Errorf("no HTTP method for %q", b.path)
	}
	if rule.ResponseBody != "" || m.descriptor.Output().FullName() == "google.api.HttpBody" {
		return nil, errors.New("an answer that is not the response message is not supported")
	}
	if err := b.parse(); err != nil {
		return nil, fmt.Errorf("path %q: %w", b.path, err)
	}
	return b, b.bindBody(rule.Body)
}

// bindBody decides where the body goes, and with that what is left to query parameters.
func (b *binding) bindBody(body string) error {
	var bound [][]string
	for _, v := range b.vars {
		bound = append(bound, v.names)
	}
	switch body {
	case "":
	case "*":
		b.bodyAll = true
	default:
		b.bodyField = b.method.descriptor.Input().Fields().ByName(protoreflect.Name(body))
		if b.bodyField == nil {
			return fmt.Errorf("no field %q for the body", body)
		}
		bound = append(bound, []string{body})
	}
	b.bound = utilities.NewDoubleArray(bound)
	return nil
}

// parse reads the path template, whose grammar is in google/api/http.proto:
//
//	Template = "/" Segments [ ":" LITERAL ]
//	Segments = Segment { "/" Segment }
//	Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
func (b *binding) parse() error {
	rest, ok := strings.CutPrefix(b.path, "/")
	if !ok {
		return errors.New("no slash at the start")
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexAny(rest, "/}") {
		rest, b.suffix = rest[:i], rest[i+1:]
		if b.suffix == "" {
			return errors.New("nothing after the colon")
		}
	}
	for more := true; more; {
		var err error
		if rest, err = b.parseSegment(rest); err != nil {
			return err
		}
		rest, more = strings.CutPrefix(rest, "/")
		if !more && rest != "" {
			return fmt.Errorf("unexpected %q", rest)
		}
	}
	if len(b.segments) > maxSegments {
		return fmt.Errorf("more than %d segments", maxSegments)
	}
	for _, s := range b.segments[:len(b.segments)-1] {
		if s == remains {
			return errors.New("** before the end")
		}
	}
	return nil
}

// parseSegment reads one segment or variable and returns what follows it.
func (b *binding) parseSegment(rest string) (string, error) {
	inner, ok := strings.CutPrefix(rest, "{")
	if !ok {
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		return rest[end:], b.addSegment(rest[:end])
	}
	inner, rest, ok = strings.Cut(inner, "}")
	if !ok {
		return "", errors.New("a brace is not closed")
	}
	path, segments, ok := strings.Cut(inner, "=")
	if !ok {
		segments = single
	}
	v := variable{names: strings.Split(path, "."), from: len(b.segments)}
	for s := range strings.SplitSeq(segments, "/") {
		if err := b.addSegment(s); err != nil {
			return "", err
		}
	}
	v.to = len(b.segments)
	var err error
	if v.fields, err = resolve(b.method.descriptor.Input(), v.names); err != nil {
		return "", err
	}
	b.vars = append(b.vars, v)
	return rest, nil
}

// addSegment adds one plain segment.
func (b *binding) addSegment(text string) error {
	if text != single && text != remains && (text == "" || text == "." || text == ".." || strings.ContainsAny(text, "*{}=%?#")) {
		return fmt.Errorf("unexpected segment %q", text)
	}
	b.segments = append(b.segments, text)
	return nil
}

// resolve finds the field at a path of proto names that a path segment can hold.
func resolve(d protoreflect.MessageDescriptor, path []string) ([]protoreflect.FieldDescriptor, error) {
	var fields []protoreflect.FieldDescriptor
	for _, name := range path {
		if d == nil {
			return nil, fmt.Errorf("%v: nothing within a value", path)
		}
		f := d.Fields().ByName(protoreflect.Name(name))
		if f == nil {
			return nil, fmt.Errorf("%v: %s has no field %q", path, d.FullName(), name)
		}
		if f.Cardinality() == protoreflect.Repeated {
			return nil, fmt.Errorf("%v: %q is repeated", path, name)
		}
		fields, d = append(fields, f), f.Message()
	}
	if d != nil {
		return nil, fmt.Errorf("%v: a message is no value", path)
	}
	return fields, nil
}
