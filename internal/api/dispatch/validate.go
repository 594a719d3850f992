package dispatch

import (
	"errors"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
)

// validate checks a request against the rules its messages declare. The message of the
// fault is that of the first rule broken, in the words clients of the interface know
// (contract section 1.3); its violations name every field at fault.
func validate(request proto.Message) error {
	if refused := stray(request.ProtoReflect(), ""); refused != nil {
		return refused
	}
	v, ok := request.(interface{ Validate() error })
	if !ok {
		return nil
	}
	first := v.Validate()
	if first == nil {
		return nil
	}
	refused := fault.Plain(fault.InvalidArgument, first.Error())
	if all, ok := request.(interface{ ValidateAll() error }); ok {
		refused.Violations = violations(all.ValidateAll(), "")
	}
	return refused
}

// violation is the shape of the errors that the generated rules return.
type violation interface {
	error
	Field() string
	Reason() string
	Cause() error
}

// violations flattens an error of the generated rules into paths and rules.
func violations(err error, path string) []fault.Violation {
	var many interface{ AllErrors() []error }
	if errors.As(err, &many) {
		var all []fault.Violation
		for _, e := range many.AllErrors() {
			all = append(all, violations(e, path)...)
		}
		return all
	}
	var v violation
	if !errors.As(err, &v) {
		return nil
	}
	path = join(path, protoName(v.Field()))
	if deeper := violations(v.Cause(), path); len(deeper) > 0 {
		return deeper
	}
	return []fault.Violation{{Field: path, Rule: v.Reason()}}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// protoName turns the Go name of a field, perhaps with an index, into its proto name:
// UserName becomes user_name.
func protoName(goName string) string {
	var b strings.Builder
	for i, r := range goName {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// stray returns the fault of a text that no request may hold, nil when there is none. It is one with
// a NUL character, which no name, address or domain has and PostgreSQL cannot store; or the id
// that stands for the system where an instance would stand, which is no instance.
func stray(m protoreflect.Message, path string) (refused *fault.Error) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := join(path, string(fd.Name()))
		switch {
		case fd.IsList():
			for i := range v.List().Len() {
				if refused = strayIn(fd, v.List().Get(i), name+"["+strconv.Itoa(i)+"]"); refused != nil {
					return false
				}
			}
		case fd.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, mv protoreflect.Value) bool {
				refused = strayIn(fd.MapValue(), mv, name)
				if fd.MapKey().Kind() == protoreflect.StringKind && strings.IndexByte(k.String(), 0) >= 0 {
					refused = errNUL(name)
				}
				return refused == nil
			})
		default:
			refused = strayIn(fd, v, name)
		}
		return refused == nil
	})
	return refused
}

func strayIn(fd protoreflect.FieldDescriptor, v protoreflect.Value, path string) *fault.Error {
	switch fd.Kind() {
	case protoreflect.StringKind:
		if strings.IndexByte(v.String(), 0) >= 0 {
			return errNUL(path)
		}
		if fd.Name() == "instance_id" && v.String() == string(ident.System) {
			return instance.NotFound(ident.System)
		}
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return stray(v.Message(), path)
	}
	return nil
}

func errNUL(field string) *fault.Error {
	const rule = "must not contain the character U+0000"
	return fault.Plain(fault.InvalidArgument, field+": "+rule).WithViolation(field, rule)
}
