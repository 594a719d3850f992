package main

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// object is a JSON object.
type object = map[string]any

// child returns the object o has under key, adding an empty one where there is none.
func child(o object, key string) object {
	c, ok := o[key].(object)
	if !ok {
		c = object{}
		o[key] = c
	}
	return c
}

// auth is castellan.options.v1.Auth in its JSON form.
type auth struct {
	Permission string `json:"permission"`
	Public     bool   `json:"public"`
	Write      bool   `json:"write"`
	Repeatable bool   `json:"repeatable"`
	Paged      bool   `json:"paged"`
	// InstancePermission suffices for members of the instance the call is about.
	InstancePermission string `json:"instancePermission"`
	ByHost             bool   `json:"byHost"`
	// Authenticated suffices users of the instance.
	Authenticated bool `json:"authenticated"`
	// On is on what of the instance the permission is needed.
	On []any `json:"on"`
}

// Names of what the operations refer to.
const (
	bearer      = "bearer"
	idempotency = "IdempotencyKey"

	instancePermission = "x-instance-permission"
	authenticated      = "x-authenticated"
)

// What callers send, and what those may who are known to one instance only.
const (
	callers = "A system user sends a JWT it signed itself: iss and sub are the user, aud is the server, " +
		"iat is at most one hour ago, exp is to come."
	members = " A user of an instance sends a personal access token, and may call what has an " +
		instancePermission + ", or is " + authenticated + ", and is about that instance."
)

// conventions closes the description of every document.
const conventions = `Requests may spell field names in lowerCamelCase or snake_case; unknown fields are ignored. ` +
	`Answers use lowerCamelCase and leave out fields that have their default value: false, 0, the empty string, the empty list. ` +
	`64-bit integers are strings, bytes are base64, durations are seconds such as "3600s".

` +
	`An error answers with a google.rpc.Status; the HTTP status follows from its code. ` +
	`Where the case has an id, the first detail is a zitadel.v1.ErrorDetail with the id and the message.`

// enrich adds to the document of the proto file what the plugin cannot know.
func enrich(src *source, file string, doc object) error {
	fd, err := src.files.FindFileByPath(file)
	if err != nil {
		return err
	}
	describe(fd, doc)
	components := child(doc, "components")
	components["securitySchemes"] = object{bearer: object{
		"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": callers,
	}}
	components["parameters"] = object{idempotency: object{
		"name": "Idempotency-Key", "in": "header", "schema": object{"type": "string"},
		"description": "Any text the client chooses. A call repeated with the same key answers what the first one answered.",
	}}
	doc["security"] = []any{object{bearer: []any{}}}
	for name, schema := range child(components, "schemas") {
		d, err := src.files.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			continue // google.rpc.Status is the plugin's own
		}
		if message, ok := d.(protoreflect.MessageDescriptor); ok {
			if err := constrainMessage(src, schema.(object), message); err != nil {
				return err
			}
		}
	}
	for _, item := range child(doc, "paths") {
		for _, operation := range item.(object) {
			if err := enrichOperation(src, fd, operation.(object)); err != nil {
				return err
			}
			if o := operation.(object); o[instancePermission] != nil || o[authenticated] != nil {
				child(child(components, "securitySchemes"), bearer)["description"] = callers + members
			}
		}
	}
	unwrap(doc)
	return nil
}

// describe sets title, description and version from the proto file.
func describe(fd protoreflect.FileDescriptor, doc object) {
	var services []string
	for i := range fd.Services().Len() {
		services = append(services, string(fd.Services().Get(i).Name()))
	}
	const packageStatement = 2 // number of the field in FileDescriptorProto
	about := fd.SourceLocations().ByPath(protoreflect.SourcePath{packageStatement}).LeadingComments
	doc["info"] = object{
		"title":       "castellan " + strings.Join(services, ", "),
		"description": strings.TrimSpace(about) + "\n\n" + conventions,
		"version":     path.Base(strings.ReplaceAll(string(fd.Package()), ".", "/")),
	}
}

// enrichOperation adds security, the idempotency key and limits to one operation.
func enrichOperation(src *source, fd protoreflect.FileDescriptor, operation object) error {
	id, _ := operation["operationId"].(string)
	service, name, _ := strings.Cut(id, "_")
	method, err := src.method(fd, service, name)
	if err != nil {
		return fmt.Errorf("operation %q: %w", id, err)
	}
	var access auth
	if err := src.option(method, "castellan.options.v1.auth", &access); err != nil {
		return err
	}
	switch {
	case access.Public:
		operation["security"] = []any{}
	case access.Permission != "":
		operation["x-permission"] = access.Permission
	}
	if access.InstancePermission != "" {
		operation[instancePermission] = access.InstancePermission
	}
	if access.Authenticated {
		operation[authenticated] = true
	}
	if len(access.On) > 0 {
		operation["x-permission-on"] = access.On
	}
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		if err := constrainParameter(src, method.Input(), p.(object)); err != nil {
			return fmt.Errorf("operation %q: %w", id, err)
		}
	}
	if access.Repeatable {
		operation["parameters"] = append(parameters, object{"$ref": "#/components/parameters/" + idempotency})
	}
	responses := child(operation, "responses")
	success, err := src.number(method, "castellan.options.v1.success")
	if err != nil {
		return err
	}
	if success != 0 {
		responses[strconv.FormatInt(success, 10)] = responses["200"]
		delete(responses, "200")
	}
	child(responses, "default")["description"] = "An error: its code, a message, and details that name the case."
	if body, ok := operation["requestBody"].(object); ok {
		schema := child(child(child(body, "content"), "application/json"), "schema")
		return constrainMessage(src, schema, method.Input())
	}
	return nil
}

// fieldAt returns the field a parameter is bound to; a dot leads into a message. Nil means that there is
// none.
func fieldAt(input protoreflect.MessageDescriptor, path string) protoreflect.FieldDescriptor {
	name, rest, nested := strings.Cut(path, ".")
	field := input.Fields().ByTextName(name)
	if field == nil {
		field = input.Fields().ByJSONName(name)
	}
	if !nested || field == nil {
		return field
	}
	if field.Message() == nil {
		return nil
	}
	return fieldAt(field.Message(), rest)
}

// constrainParameter writes the rules of a field that is bound to the path or the query.
func constrainParameter(src *source, input protoreflect.MessageDescriptor, parameter object) error {
	name, _ := parameter["name"].(string)
	field := fieldAt(input, name)
	if field == nil {
		return fmt.Errorf("parameter %q is no field of %s", name, input.FullName())
	}
	var r rules
	if err := src.option(field, "validate.rules", &r); err != nil {
		return err
	}
	return r.constrain(child(parameter, "schema"), field)
}

// unwrap joins the lines of comments that were broken only to fit the proto file.
func unwrap(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			unwrap(element)
		}
	case object:
		for key, element := range v {
			text, ok := element.(string)
			if !ok || key != "description" && key != "summary" {
				unwrap(element)
				continue
			}
			paragraphs := strings.Split(text, "\n\n")
			for i := range paragraphs {
				paragraphs[i] = strings.Join(strings.Fields(paragraphs[i]), " ")
			}
			v[key] = strings.Join(paragraphs, "\n\n")
		}
	}
}
