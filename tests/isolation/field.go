package isolation

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Target is one instance with everything a request can name of it, by the name of the field.
type Target map[string]string

// harmless are fields that look like ids of a tenant's things and are none, with the reason.
var harmless = map[string]string{
	"feature_id":   "an enum of the interface",
	"failed_event": "not a text",
}

// Path leads to a field of a request: through messages, the last one being a text or a list of texts.
type Path []protoreflect.FieldDescriptor

// String is the path as it is written in errors.
func (p Path) String() string {
	names := make([]string, len(p))
	for i, f := range p {
		names[i] = string(f.Name())
	}
	return strings.Join(names, ".")
}

// last is the field the path leads to.
func (p Path) last() protoreflect.FieldDescriptor { return p[len(p)-1] }

// Names returns the paths of all texts of a message that name something: an id or a domain.
func Names(m protoreflect.MessageDescriptor) []Path {
	var found []Path
	var walk func(m protoreflect.MessageDescriptor, to Path)
	walk = func(m protoreflect.MessageDescriptor, to Path) {
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			here := append(slices.Clone(to), f)
			switch {
			case f.Kind() == protoreflect.MessageKind && !f.IsMap():
				if !slices.ContainsFunc(to, func(above protoreflect.FieldDescriptor) bool { return above.Message() == f.Message() }) {
					walk(f.Message(), here)
				}
			case f.Kind() == protoreflect.StringKind && isName(string(f.Name())) && harmless[string(f.Name())] == "":
				found = append(found, here)
			}
		}
	}
	walk(m, nil)
	return found
}

// isName reports whether a field with that name holds an id or a domain.
func isName(field string) bool {
	for _, end := range []string{"id", "ids", "domain", "domains"} {
		if field == end || strings.HasSuffix(field, "_"+end) {
			return true
		}
	}
	return false
}

// Set makes the field at the end of path name value; what is on the way comes to be.
func Set(m proto.Message, path Path, value string) {
	at := m.ProtoReflect()
	for _, f := range path[:len(path)-1] {
		if f.IsList() {
			list := at.Mutable(f).List()
			if list.Len() == 0 {
				list.Append(list.NewElement())
			}
			at = list.Get(0).Message()
			continue
		}
		at = at.Mutable(f).Message()
	}
	f, v := path.last(), protoreflect.ValueOfString(value)
	if f.IsList() {
		list := at.NewField(f).List()
		list.Append(v)
		v = protoreflect.ValueOfList(list)
	}
	at.Set(f, v)
}
