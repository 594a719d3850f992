package dispatch

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/access"
	"castellan/internal/role"

	optionsv1 "castellan/gen/castellan/options/v1"
)

// on is something of an instance on which a permission is needed, as optionsv1.On declares it.
type on struct {
	kind optionsv1.On_Kind
	// field and second lead to the fields of the request that name it; empty when none does.
	field, second path
	self          bool
	permission    string // when it is not that of the RPC
}

// thing is what access calls a kind; 0 is what lies nowhere in particular.
func (o *on) thing() access.Kind { return things[o.kind] }

var things = map[optionsv1.On_Kind]access.Kind{
	optionsv1.On_ORG: access.Org, optionsv1.On_ORG_DOMAIN: access.OrgDomain, optionsv1.On_USER: access.UserKind,
	optionsv1.On_PROJECT: access.Project, optionsv1.On_PROJECT_GRANT: access.ProjectGrant,
	optionsv1.On_GRANTED_PROJECT: access.GrantedProject, optionsv1.On_APP: access.App, optionsv1.On_APP_KEY: access.AppKey,
	optionsv1.On_AUTHORIZATION: access.Authorization,
}

// resolve finds the fields of a declaration in the request.
func resolve(request protoreflect.MessageDescriptor, declared *optionsv1.On) (o on, err error) {
	o = on{kind: declared.GetKind(), self: declared.GetSelf(), permission: declared.GetPermission()}
	if o.field, err = find(request, declared.GetField()); err != nil {
		return o, err
	}
	if o.second, err = find(request, declared.GetSecond()); err != nil {
		return o, err
	}
	two := o.kind == optionsv1.On_PROJECT_GRANT || o.kind == optionsv1.On_GRANTED_PROJECT
	named := o.thing() != 0 && o.kind != optionsv1.On_ORG
	switch {
	case named && o.field == nil:
		return o, errors.New("needs a field")
	case two != (o.second != nil):
		return o, errors.New("a second field goes with a grant of a project, and only that")
	case o.thing() != 0 && !o.field.isText(), !o.second.isText():
		return o, errors.New("a field is no text")
	case o.kind == optionsv1.On_ANY && o.field != nil:
		return o, errors.New("anything has no field")
	case o.self && o.kind != optionsv1.On_USER && o.kind != optionsv1.On_ANY:
		return o, errors.New("self: is about users")
	case o.permission != "" && !role.Instance.KnownPermission(o.permission):
		return o, fmt.Errorf("no role grants %s", o.permission)
	}
	return o, nil
}

// path leads to a field through messages, none of which is repeated.
type path []protoreflect.FieldDescriptor

// find returns the path that names describe, joined by dots; nil for none.
func find(m protoreflect.MessageDescriptor, names string) (path, error) {
	if names == "" {
		return nil, nil
	}
	var p path
	for name := range strings.SplitSeq(names, ".") {
		if m == nil {
			return nil, fmt.Errorf("field %q: %s is no message", names, p[len(p)-1].Name())
		}
		f := m.Fields().ByName(protoreflect.Name(name))
		if f == nil || f.IsList() || f.IsMap() {
			return nil, fmt.Errorf("field %q: %s has no single field %s", names, m.FullName(), name)
		}
		p, m = append(p, f), f.Message()
	}
	return p, nil
}

// isText reports whether the path leads to a text, or nowhere.
func (p path) isText() bool { return p == nil || p[len(p)-1].Kind() == protoreflect.StringKind }

// has reports whether a request sets the field: for a text, to one that is not empty.
func (p path) has(request proto.Message) bool {
	m := request.ProtoReflect()
	for _, f := range p[:len(p)-1] {
		if !m.Has(f) {
			return false
		}
		m = m.Get(f).Message()
	}
	last := p[len(p)-1]
	if last.Kind() == protoreflect.StringKind {
		return m.Get(last).String() != ""
	}
	return m.Has(last)
}

// text returns the text of a request the path leads to; empty when it leads nowhere.
func (p path) text(request proto.Message) string {
	if p == nil || !p.has(request) {
		return ""
	}
	m := request.ProtoReflect()
	for _, f := range p[:len(p)-1] {
		m = m.Get(f).Message()
	}
	return m.Get(p[len(p)-1]).String()
}

// set makes the text of a request value.
func (p path) set(request proto.Message, value string) {
	m := request.ProtoReflect()
	for _, f := range p[:len(p)-1] {
		m = m.Mutable(f).Message()
	}
	m.Set(p[len(p)-1], protoreflect.ValueOfString(value))
}
