package kit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// REST is JSON over HTTP at /system/v1.
func REST() Wire { return Wire{"rest", rest("")} }

// Printed is REST at the path the interface's documents print, /instances/...
func Printed() Wire { return Wire{"rest-printed", rest("/system/v1")} }

// rest returns a client that leaves prefix out of paths.
func rest(prefix string) func(context.Context, *Client, Call, proto.Message) (Answer, error) {
	return func(ctx context.Context, c *Client, call Call, into proto.Message) (Answer, error) {
		verb, path, body, err := Request(call.Method, call.Request)
		if err != nil {
			return Answer{}, err
		}
		if strings.HasPrefix(path, prefix+"/instances/") {
			path = strings.TrimPrefix(path, prefix)
		}
		h := call.header()
		if body != nil {
			h.Set("Content-Type", "application/json")
		}
		res, text, err := post(ctx, c.HTTP, verb, c.URL+path, body, h)
		if err != nil {
			return Answer{}, err
		}
		return ReadREST(res.StatusCode, res.Header, text, into)
	}
}

// ReadREST reads a REST response (contract section 3.1): the message of a success into into, or
// the google.rpc.Status of an error.
func ReadREST(status int, h http.Header, text []byte, into proto.Message) (Answer, error) {
	a := Answer{HTTP: status, Header: h}
	if got := h.Get("Content-Type"); got != "application/json" {
		return a, fmt.Errorf("%w: status %d, Content-Type %q: %.200s", errNoAnswer, status, got, text)
	}
	if status == http.StatusOK || status == http.StatusCreated {
		return a, fromJSON(text, into)
	}
	var s struct {
		Code    codes.Code
		Message string
		Details []json.RawMessage
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return a, fmt.Errorf("%w: status %d: %.200s", err, status, text)
	}
	a.Code, a.Message = s.Code, s.Message
	for _, raw := range s.Details {
		var d anypb.Any
		if err := protojson.Unmarshal(raw, &d); err != nil {
			return a, err
		}
		if err := a.addDetail(&d); err != nil {
			return a, err
		}
	}
	return a, nil
}

// rule is what the proto file says of a method in REST.
func rule(method string) *annotations.HttpRule {
	return proto.GetExtension(Method(method).Options(), annotations.E_Http).(*annotations.HttpRule)
}

// Route returns verb and path of a method in REST, the path with its variables.
func Route(method string) (verb, path string) {
	switch p := rule(method).GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	}
	panic("kit: " + method + " has a rule this client does not know")
}

var pathVariable = regexp.MustCompile(`\{[a-z_]+\}`)

// Request maps a request to REST as the google.api.http rule of its method says: what is in the
// path is left out of the body, and without a body goes to the query.
func Request(method string, in proto.Message) (verb, path string, body []byte, err error) {
	verb, path = Route(method)
	rest := proto.Clone(in)
	m := rest.ProtoReflect()
	path = pathVariable.ReplaceAllStringFunc(path, func(variable string) string {
		f := m.Descriptor().Fields().ByName(protoreflect.Name(strings.Trim(variable, "{}")))
		value := fmt.Sprint(m.Get(f).Interface())
		m.Clear(f)
		return url.PathEscape(value)
	})
	if rule(method).GetBody() == "*" {
		body, err = protojson.Marshal(rest)
		return verb, path, body, err
	}
	query := url.Values{}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !f.IsList() {
			query.Set(f.JSONName(), fmt.Sprint(v.Interface()))
			return true
		}
		for i := range v.List().Len() {
			query.Add(f.JSONName(), fmt.Sprint(v.List().Get(i).Interface()))
		}
		return true
	})
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return verb, path, nil, nil
}
