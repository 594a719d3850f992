package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/fault"
)

// maxQueryDepth is how deep into the request a query parameter may reach.
const maxQueryDepth = 32

// setBody fills m with the body of a request.
func (b *binding) setBody(m proto.Message, body []byte) error {
	if b.bodyAll {
		return decodeJSON(body, m)
	}
	if b.bodyField.Message() != nil && b.bodyField.Cardinality() != protoreflect.Repeated {
		return decodeJSON(body, m.ProtoReflect().Mutable(b.bodyField).Message().Interface())
	}
	if len(bytes.TrimLeft(body, jsonSpace)) == 0 {
		return nil
	}
	if !json.Valid(body) {
		return fault.Plain(fault.InvalidArgument, "the request is not valid JSON for its type: syntax error")
	}
	// The body is one value, so this is one message with one field.
	wrapped := make([]byte, 0, len(body)+len(b.bodyField.JSONName())+5)
	wrapped = append(wrapped, `{"`...)
	wrapped = append(wrapped, b.bodyField.JSONName()...)
	wrapped = append(wrapped, `":`...)
	wrapped = append(wrapped, body...)
	return decodeJSON(append(wrapped, '}'), m)
}

// setPath sets the variables of the path, over whatever the body has said.
func (b *binding) setPath(m proto.Message, values *[maxSegments]string) error {
	for i := range b.vars {
		v := &b.vars[i]
		text := values[v.from]
		if v.to > v.from+1 {
			text = strings.Join(values[v.from:v.to], "/")
		}
		last := len(v.fields) - 1
		value, err := parseScalar(v.fields[last], text)
		if err != nil {
			return fault.Plain(fault.InvalidArgument,
				fmt.Sprintf("the path has no valid %s: %s", v.fields[last].Name(), diagnostic(err))).
				WithViolation(strings.Join(v.names, "."), diagnostic(err))
		}
		target := m.ProtoReflect()
		for _, f := range v.fields[:last] {
			target = target.Mutable(f).Message()
		}
		target.Set(v.fields[last], value)
	}
	return nil
}

// setQuery sets fields that neither the path nor the body has, from query parameters. Unknown
// ones are ignored.
func (b *binding) setQuery(m proto.Message, query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fault.Plain(fault.InvalidArgument, "the query is malformed: "+diagnostic(err))
	}
	for key, list := range values {
		if strings.Count(key, ".") >= maxQueryDepth {
			return fault.Plain(fault.InvalidArgument, fmt.Sprintf("a query parameter has more than %d parts", maxQueryDepth))
		}
		for _, text := range append(list, key) {
			if !utf8.ValidString(text) {
				return fault.Plain(fault.InvalidArgument, "the query is not valid UTF-8")
			}
		}
	}
	if err := runtime.PopulateQueryParameters(m, values, b.bound); err != nil {
		return fault.Plain(fault.InvalidArgument, "the query has an invalid parameter: "+diagnostic(err))
	}
	return nil
}

// parseScalar reads one value from a path. Enums come by name or number, bytes in standard or
// URL base64.
func parseScalar(f protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	var none protoreflect.Value
	switch f.Kind() {
	case protoreflect.StringKind:
		if !utf8.ValidString(text) {
			return none, fmt.Errorf("%q is not valid UTF-8", text)
		}
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		v, err := runtime.Bytes(text)
		return protoreflect.ValueOfBytes(v), err
	case protoreflect.BoolKind:
		v, err := strconv.ParseBool(text)
		return protoreflect.ValueOfBool(v), err
	case protoreflect.EnumKind:
		return parseEnum(f.Enum().Values(), text)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		v, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(v)), err
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		v, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(v), err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		v, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(v)), err
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		v, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(v), err
	case protoreflect.FloatKind:
		v, err := strconv.ParseFloat(text, 32)
		return protoreflect.ValueOfFloat32(float32(v)), err
	case protoreflect.DoubleKind:
		v, err := strconv.ParseFloat(text, 64)
		return protoreflect.ValueOfFloat64(v), err
	}
	return none, fmt.Errorf("a %v is no value", f.Kind()) // resolve refuses these
}

// parseEnum reads the name or the number of a declared value.
func parseEnum(values protoreflect.EnumValueDescriptors, text string) (protoreflect.Value, error) {
	if v := values.ByName(protoreflect.Name(text)); v != nil {
		return protoreflect.ValueOfEnum(v.Number()), nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || values.ByNumber(protoreflect.EnumNumber(n)) == nil {
		return protoreflect.Value{}, fmt.Errorf("%q is not one of the values", text)
	}
	return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), nil
}
