package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"
)

// oracleRoute is a rule of everything.txtpb as gateway code would be generated from it.
type oracleRoute struct {
	method, path, body string
	vars               []string
}

// oracleRoutes are in the order of precedence, lowest first: the gateway asks the last one first.
var oracleRoutes = []oracleRoute{
	{"GET", "/t/v1/*/{f_string}/any", "", []string{"f_string"}},
	{"GET", "/t/v1/{f_string=files/**}", "", []string{"f_string"}},
	{"GET", "/t/v1/{f_string=shelves/*/books/*}", "", []string{"f_string"}},
	{"GET", "/t/v1/roles/{f_string=**}", "", []string{"f_string"}},
	{"GET", "/t/v1/roles/{f_string}/owner", "", []string{"f_string"}},
	{"GET", "/t/v1/all/{f_string}", "", []string{"f_string"}},
	{"GET", "/t/v1/all", "", nil},
	{"GET", "/t/v1/all/mine", "", nil},
	{"POST", "/t/v1/all", "*", nil},
	{"PUT", "/t/v1/all/{f_string}", "*", []string{"f_string"}},
	{"PATCH", "/t/v1/all/{f_string}/children/{child.f_int64}", "*", []string{"f_string", "child.f_int64"}},
	{"DELETE", "/t/v1/all/{f_string}/{f_uint64}", "", []string{"f_string", "f_uint64"}},
	{"DELETE", "/t/v1/colors/{color}", "", []string{"color"}},
	{"POST", "/t/v1/views/{f_string}/{by_name}", "", []string{"f_string", "by_name"}},
	{"POST", "/t/v1/all/{f_string}:undelete", "*", []string{"f_string"}},
	{"POST", "/t/v1/roles/{f_string=**}:undelete", "*", []string{"f_string"}},
	{"PUT", "/t/v1/children/{f_string}", "child", []string{"f_string"}},
	{"PUT", "/t/v1/owners/{f_string}", "by_child", []string{"f_string"}},
	{"PUT", "/t/v1/texts/{f_int64}", "f_string", []string{"f_int64"}},
	{"PUT", "/t/v1/lists/{f_string}", "names", []string{"f_string"}},
	{"PUT", "/t/v1/delays/{f_string}", "delays", []string{"f_string"}},
	{"PUT", "/t/v1/after/{f_string}", "after", []string{"f_string"}},
	{"GET", "/t/v1/scalars/double/{f_double}", "", []string{"f_double"}},
	{"GET", "/t/v1/scalars/int32/{f_int32}", "", []string{"f_int32"}},
	{"GET", "/t/v1/scalars/sint64/{f_sint64}", "", []string{"f_sint64"}},
	{"GET", "/t/v1/scalars/bool/{f_bool}", "", []string{"f_bool"}},
	{"GET", "/t/v1/scalars/bytes/{f_bytes}", "", []string{"f_bytes"}},
}

// decoded is what became of a request: an HTTP status, and the message when it is a success.
type decoded struct {
	status  int
	message proto.Message
}

// newOracle returns the gateway's way to decode, made of its own parts.
func newOracle(t testing.TB) func(r *http.Request) decoded {
	t.Helper()
	var got decoded
	mux := runtime.NewServeMux(
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, _ http.ResponseWriter, _ *http.Request, status int) {
			got.status = status
		}))
	for _, route := range oracleRoutes {
		err := mux.HandlePath(route.method, route.path, func(_ http.ResponseWriter, r *http.Request, params map[string]string) {
			m, err := route.decode(r, params)
			if got = (decoded{200, m}); err != nil {
				got = decoded{status: 400}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return func(r *http.Request) decoded {
		got = decoded{}
		mux.ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
}

// decode does what generated gateway code does: body, path, query.
func (o oracleRoute) decode(r *http.Request, params map[string]string) (proto.Message, error) {
	m := newEverything()
	filter := [][]string{}
	if o.body != "" {
		if err := o.decodeBody(r, m); err != nil {
			return nil, err
		}
		filter = append(filter, []string{o.body})
	}
	for _, name := range o.vars {
		if err := runtime.PopulateFieldFromPath(m, name, params[name]); err != nil {
			return nil, err
		}
		filter = append(filter, strings.Split(name, "."))
	}
	if o.body == "*" {
		return m, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return m, runtime.PopulateQueryParameters(m, values, utilities.NewDoubleArray(filter))
}

// decodeBody differs from the gateway in one thing, on purpose: text after the value is an error.
func (o oracleRoute) decodeBody(r *http.Request, m proto.Message) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	marshaler := &runtime.JSONPb{UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true}}
	in := marshaler.NewDecoder(bytes.NewReader(text))
	field := m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(o.body))
	switch o.body {
	case "*":
		err = in.Decode(m)
	case "child", "by_child", "after":
		// Generated code makes the message before it looks at the body, too.
		err = in.Decode(m.ProtoReflect().Mutable(field).Message().Interface())
	case "f_string":
		var v string
		if err = in.Decode(&v); err == nil {
			m.ProtoReflect().Set(field, protoreflect.ValueOfString(v))
		}
	case "names":
		var list []string
		if err = in.Decode(&list); err == nil {
			for _, v := range list {
				m.ProtoReflect().Mutable(field).List().Append(protoreflect.ValueOfString(v))
			}
		}
	case "delays":
		var list []*durationpb.Duration
		if err = in.Decode(&list); err == nil {
			for _, v := range list {
				m.ProtoReflect().Mutable(field).List().Append(protoreflect.ValueOfMessage(v.ProtoReflect()))
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil && !json.Valid(text) {
		return errors.New("text after the value")
	}
	return err
}

// TestRESTDecodesLikeTheGateway gives random requests to both; they must decode to the same
// message, or both be refused with the same status.
func TestRESTDecodesLikeTheGateway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	oracle := newOracle(t)
	var ours decoded
	b.gate.check = func(_ context.Context, m proto.Message) error { ours.message = proto.Clone(m); return nil }
	rapid.Check(t, func(t *rapid.T) {
		method, target := drawTarget(t)
		body := drawBody(t)
		request := func() *http.Request {
			r := httptest.NewRequest("GET", "http://t.example/", strings.NewReader(body))
			r.Method, r.RequestURI = method, target
			u, err := url.ParseRequestURI(target)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
			return r
		}
		want := oracle(request())
		ours = decoded{}
		w := httptest.NewRecorder()
		b.reg.Handler().ServeHTTP(w, request())
		if ours.status = w.Code; w.Code == http.StatusCreated {
			ours.status = http.StatusOK
		}
		var tight bytes.Buffer
		if want.status == 200 {
			text, err := protojson.Marshal(want.message)
			if err == nil {
				err = json.Compact(&tight, text)
			}
			if err != nil { // decoded, but not to be echoed: a field mask that is no list of names
				want.status = http.StatusInternalServerError
			}
		}
		if ours.status != want.status {
			t.Fatalf("%s %s %q: %d %s, the gateway says %d", method, target, body, ours.status, w.Body, want.status)
		}
		if want.message == nil {
			return
		}
		if diff := cmp.Diff(want.message, ours.message, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("%s %s %q differ:\n%s", method, target, body, diff)
		}
		if want.status == 200 && w.Body.String() != tight.String() {
			t.Fatalf("%s, want %s", w.Body, tight.String())
		}
	})
}

// rarely is true for few draws; numbers drawn are often the smallest ones.
func rarely(t *rapid.T, what string) bool { return rapid.IntRange(0, 30).Draw(t, what) == 23 }

// drawTarget draws a method and a path, most often ones that are declared, and a query.
func drawTarget(t *rapid.T) (method, target string) {
	route := rapid.SampledFrom(oracleRoutes).Draw(t, "route")
	method = route.method
	if rarely(t, "other method") {
		method = rapid.SampledFrom([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}).Draw(t, "method")
	}
	var segments []string
	path := strings.ReplaceAll(route.path, "shelves/*/books/*", "shelves")
	for s := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch {
		case s == "{f_string=files" || s == "**}" || s == "{f_string=**}":
			segments = append(segments, drawSegment(t), drawSegment(t))
		case s == "{f_string=shelves}":
			segments = append(segments, "shelves", drawSegment(t), "books", drawSegment(t))
		case strings.HasPrefix(s, "{"), s == "*":
			_, verb, _ := strings.Cut(s, "}")
			segments = append(segments, drawSegment(t)+verb)
		default:
			segments = append(segments, s)
		}
		if rarely(t, "extra") {
			segments = append(segments, drawSegment(t))
		}
	}
	target = "/" + strings.Join(segments, "/")
	if query := rapid.SliceOfN(rapid.Custom(drawParameter), 0, 4).Draw(t, "query"); len(query) > 0 {
		target += "?" + strings.Join(query, "&")
	}
	return method, target
}

// values are texts that mean something to some kind of field.
var values = []string{"x", "0", "1", "-1", "42", "18446744073709551615", "9223372036854775808", "-9223372036854775808", "2147483648",
	"1.5", "1e3", "NaN", "true", "false", "T", "COLOR_RED", "COLOR_BLUE", "COLOR_GREEN", "5", "7", "YWJj", "_-8=", "a:b", "x:undelete",
	"héllo", "a b", "a+b", "100%", "null", "2026-01-02T03:04:05.006Z", "90s", "a,b", "...", "mine", "owner", "any", "😀"}

func drawValue(t *rapid.T) string {
	if rapid.Bool().Draw(t, "known") {
		return rapid.SampledFrom(values).Draw(t, "value")
	}
	return rapid.StringMatching(`[a-zA-Z0-9:._~!$&'()*,;=@ é-]{1,8}`).Draw(t, "text")
}

// drawSegment draws a path segment that is no dot segment, encoded more or less.
func drawSegment(t *rapid.T) string {
	v := drawValue(t)
	if v == "." || v == ".." {
		v += "x"
	}
	// To the gateway, and not to us, an encoded literal of a path is another one.
	literal := v == "any" || v == "owner" || v == "mine"
	if !literal && rapid.Bool().Draw(t, "encode all") {
		var b strings.Builder
		for i := range len(v) {
			fmt.Fprintf(&b, "%%%02X", v[i])
		}
		return b.String()
	}
	return url.PathEscape(v)
}

// drawParameter draws a query parameter.
func drawParameter(t *rapid.T) string {
	fields := everything().Messages().Get(0).Fields()
	name := func() string {
		f := fields.Get(rapid.IntRange(0, fields.Len()-1).Draw(t, "field"))
		return rapid.SampledFrom([]string{f.JSONName(), string(f.Name())}).Draw(t, "name")
	}
	key := name()
	switch rapid.IntRange(0, 8).Draw(t, "form") {
	case 0:
		key = "child." + name()
	case 1:
		key = "by_child.child." + name()
	case 2:
		key = "labels[" + drawValue(t) + "]"
	case 3:
		key = "unknown"
	case 4:
		key += ".unknown"
	}
	return url.QueryEscape(key) + "=" + url.QueryEscape(drawValue(t))
}

// drawBody draws a message in JSON of one form or another, a value, or something broken.
func drawBody(t *rapid.T) string {
	text := []byte(rapid.SampledFrom([]string{``, " \n", `{}`, `"x"`, `"90s"`, `["a","b"]`, `["1s"]`, `[]`, `{"unknown":[{}]}`, `1,2`, `{}{}`}).Draw(t, "value"))
	if rapid.Bool().Draw(t, "message") {
		options := protojson.MarshalOptions{
			Multiline:       rapid.Bool().Draw(t, "multiline"),
			UseProtoNames:   rapid.Bool().Draw(t, "proto names"),
			UseEnumNumbers:  rapid.Bool().Draw(t, "enum numbers"),
			EmitUnpopulated: rapid.Bool().Draw(t, "unpopulated"),
		}
		var err error
		if text, err = options.Marshal(drawMessage(t, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if len(text) > 0 && (rarely(t, "break") || rarely(t, "break again")) {
		i := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			text = text[:i]
		case 1:
			text = slices.Delete(text, i, i+1)
		case 2:
			text = slices.Insert(text, i, rapid.SampledFrom([]byte("{}[]\",:0 tn")).Draw(t, "with"))
		}
	}
	return strings.ToValidUTF8(string(text), "?")
}

// drawMessage draws a message with some fields of every kind.
func drawMessage(t *rapid.T, depth int) proto.Message {
	m := newEverything()
	fields := m.Descriptor().Fields()
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		f := fields.Get(rapid.IntRange(0, fields.Len()-1).Draw(t, "field"))
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(valueOf(drawValue(t)).MapKey(), protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "entry")))
		case f.IsList() && f.Message() == nil:
			m.Mutable(f).List().Append(drawScalar(t, f))
		case f.IsList() && f.Message() == m.Descriptor():
			m.Mutable(f).List().Append(protoreflect.ValueOfMessage(m.NewField(f).List().NewElement().Message()))
		case f.Message() == nil:
			m.Set(f, drawScalar(t, f))
		case f.Message() == m.Descriptor() && depth > 0:
			m.Set(f, protoreflect.ValueOfMessage(drawMessage(t, depth-1).ProtoReflect()))
		case f.Name() == "at", f.Name() == "after":
			seconds := m.Mutable(f).Message()
			seconds.Set(seconds.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(rapid.Int64Range(0, 1<<30).Draw(t, "seconds")))
		}
	}
	return m
}

func drawScalar(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return valueOf(strings.ToValidUTF8(rapid.String().Draw(t, "string"), ""))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(rapid.SampledFrom([]protoreflect.EnumNumber{0, 1, 5, 9}).Draw(t, "enum"))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(rapid.Float32().Draw(t, "float"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64().Draw(t, "double"))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	default:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	}
}
