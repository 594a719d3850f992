package main

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// rules are the parts of validate.FieldRules the contract uses, in their JSON form.
type rules struct {
	String struct {
		MinLen uint64 `json:"minLen,string"`
		MaxLen uint64 `json:"maxLen,string"`
		Email  bool   `json:"email"`
		URIRef bool   `json:"uriRef"`
	} `json:"string"`
	Bytes struct {
		MinLen uint64 `json:"minLen,string"`
		MaxLen uint64 `json:"maxLen,string"`
	} `json:"bytes"`
	Bool struct {
		Const *bool `json:"const"`
	} `json:"bool"`
	Int32 struct {
		Gte *int32 `json:"gte"`
		Lte *int32 `json:"lte"`
	} `json:"int32"`
	Repeated struct {
		Unique   bool   `json:"unique"`
		MaxItems uint64 `json:"maxItems,string"`
		Items    *rules `json:"items"`
	} `json:"repeated"`
	Uint32 struct {
		Gt  *uint32 `json:"gt"`
		Lte *uint32 `json:"lte"`
	} `json:"uint32"`
	Uint64 struct {
		Gt *uint64 `json:"gt,string"`
	} `json:"uint64"`
	Enum struct {
		DefinedOnly bool                      `json:"definedOnly"`
		NotIn       []protoreflect.EnumNumber `json:"notIn"`
	} `json:"enum"`
	Message   presence `json:"message"`
	Timestamp presence `json:"timestamp"`
	Duration  span     `json:"duration"`
}

// span is the rule for how long something may be. A schema cannot say it: a duration is a text.
type span struct {
	Required bool   `json:"required"`
	Gte      string `json:"gte"`
	Lte      string `json:"lte"`
}

// presence is the rule that a message has to be there.
type presence struct {
	Required bool `json:"required"`
}

// required says whether the rules refuse the default value, which is the value of a field that is
// left out.
func (r *rules) required() bool {
	return r.String.MinLen > 0 || r.Bytes.MinLen > 0 || r.Uint32.Gt != nil || r.Uint64.Gt != nil || slices.Contains(r.Enum.NotIn, 0) ||
		r.Message.Required || r.Timestamp.Required || r.Duration.Required
}

// constrain writes the rules of a field into its schema.
func (r *rules) constrain(schema object, field protoreflect.FieldDescriptor) error {
	if n := r.String.MinLen; n > 0 {
		schema["minLength"] = n
	}
	if n := r.String.MaxLen; n > 0 {
		schema["maxLength"] = n
	}
	if r.String.Email {
		schema["format"] = "email"
	}
	if r.String.URIRef {
		schema["format"] = "uri-reference"
	}
	if n := r.Bytes.MaxLen; n > 0 {
		schema["maxLength"] = (n + 2) / 3 * 4 // in base64
	}
	if r.Bool.Const != nil {
		schema["const"] = *r.Bool.Const
	}
	if r.Int32.Gte != nil {
		schema["minimum"] = *r.Int32.Gte
	}
	if r.Int32.Lte != nil {
		schema["maximum"] = *r.Int32.Lte
	}
	if r.Uint32.Gt != nil {
		schema["exclusiveMinimum"] = *r.Uint32.Gt
	}
	if r.Uint32.Lte != nil {
		schema["maximum"] = *r.Uint32.Lte
	}
	if r.Uint64.Gt != nil {
		// A 64-bit number is a string, which has no minimum; only "not zero" can be said.
		if *r.Uint64.Gt != 0 {
			return fmt.Errorf("%s: no schema for gt %d", field.FullName(), *r.Uint64.Gt)
		}
		schema["pattern"] = "^0*[1-9][0-9]*$"
	}
	if len(r.Enum.NotIn) > 0 {
		var names []any
		for _, number := range r.Enum.NotIn {
			names = append(names, string(field.Enum().Values().ByNumber(number).Name()))
		}
		schema["not"] = object{"enum": names}
	}
	if r.Repeated.Unique {
		schema["uniqueItems"] = true
	}
	if n := r.Repeated.MaxItems; n > 0 {
		schema["maxItems"] = n
	}
	if r.Repeated.Items != nil {
		return r.Repeated.Items.constrain(child(schema, "items"), field)
	}
	return nil
}

// constrainMessage writes the rules of a message into a schema with its fields as properties. The
// schema may lack some of them: those bound to the path are no part of a body.
func constrainMessage(src *source, schema object, message protoreflect.MessageDescriptor) error {
	var required []string
	properties, _ := schema["properties"].(object)
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		property, ok := properties[field.JSONName()].(object)
		if !ok {
			continue
		}
		var r rules
		if err := src.option(field, "validate.rules", &r); err != nil {
			return err
		}
		if err := r.constrain(property, field); err != nil {
			return err
		}
		// A rule of a field that can be absent holds when it is there.
		if r.required() && field.ContainingOneof() == nil {
			required = append(required, field.JSONName())
		}
	}
	for i := range message.Oneofs().Len() {
		oneof := message.Oneofs().Get(i)
		need, err := src.oneofRequired(oneof)
		if err != nil {
			return err
		}
		switch {
		case !need:
		case oneof.Fields().Len() == 1:
			required = append(required, oneof.Fields().Get(0).JSONName())
		default:
			if err := requireOneof(schema, oneof); err != nil {
				return err
			}
		}
	}
	if len(required) > 0 {
		slices.Sort(required)
		schema["required"] = required
	}
	return nil
}

// requireOneof says "exactly one of the fields", in place of the "at most one" of the plugin. Two
// oneofs in one message would need an allOf around them; the contract has none.
func requireOneof(schema object, oneof protoreflect.OneofDescriptor) error {
	if schema["allOf"] != nil {
		return fmt.Errorf("%s: no schema for several oneofs", oneof.FullName())
	}
	var alternatives []any
	for i := range oneof.Fields().Len() {
		alternatives = append(alternatives, object{"required": []string{oneof.Fields().Get(i).JSONName()}})
	}
	schema["oneOf"] = alternatives
	return nil
}
