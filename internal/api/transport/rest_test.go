package transport_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"castellan/internal/api/transport"
	"castellan/internal/fault"
)

// rest sends one REST request to a bundle without a network. target is not cleaned.
func (b *bundle) rest(method, target, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://t.example"+target, strings.NewReader(body))
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	b.reg.Handler().ServeHTTP(w, r)
	return w
}

func TestRESTMapsPathQueryAndBody(t *testing.T) {
	t.Parallel()
	cases := []struct{ method, target, body, want string }{
		// Bodies.
		{"POST", "/t/v1/all", ``, ``},
		{"POST", "/t/v1/all", " \n", ``},
		{"POST", "/t/v1/all", `{}`, ``},
		{"POST", "/t/v1/all", `{"fString":"a","f_int32":2}`, `f_string: "a" f_int32: 2`},
		{"POST", "/t/v1/all", `{"color":"COLOR_BLUE","colors":[1,"COLOR_RED"]}`, `color: COLOR_BLUE colors: [COLOR_RED, COLOR_RED]`},
		{"POST", "/t/v1/all", `{"color":"COLOR_GREEN"}`, ``}, // as unknown as a field, to the JSON of contract section 3.1
		{"POST", "/t/v1/all", `{"fUint64":"18446744073709551615","f_int64":-5}`, `f_uint64: 18446744073709551615 f_int64: -5`},
		{"POST", "/t/v1/all", `{"unknown":{"a":[1,{}]},"fBool":true}`, `f_bool: true`},
		{"POST", "/t/v1/all?fString=ignored", `{"fBool":true}`, `f_bool: true`},
		{"PUT", "/t/v1/children/c1", `{"fString":"in the child"}`, `f_string: "c1" child { f_string: "in the child" }`},
		{"PUT", "/t/v1/children/c1?fBool=true&child.fBool=true&f_string=x", `{}`, `f_string: "c1" f_bool: true child {}`},
		{"PUT", "/t/v1/children/c1", ``, `f_string: "c1" child {}`},
		{"PUT", "/t/v1/owners/c1", `{"fBool":true}`, `f_string: "c1" by_child { f_bool: true }`},
		{"PUT", "/t/v1/numbers/n", `"77"`, `f_string: "n" f_int64: 77`},
		{"PUT", "/t/v1/numbers/n", `78`, `f_string: "n" f_int64: 78`},
		{"PUT", "/t/v1/numbers/n", ``, `f_string: "n"`},
		{"PUT", "/t/v1/texts/5", `"t\u00e9xt"`, `f_int64: 5 f_string: "téxt"`},
		{"PUT", "/t/v1/lists/l", `["a","b"]`, `f_string: "l" names: ["a", "b"]`},
		{"PUT", "/t/v1/delays/l", `["1s","0.5s"]`, `f_string: "l" delays { seconds: 1 } delays { nanos: 500000000 }`},
		{"PUT", "/t/v1/after/l", `"3600s"`, `f_string: "l" after { seconds: 3600 }`},
		// The path wins over the body, within a child too.
		{"PUT", "/t/v1/all/path", `{"fString":"body","fBool":true}`, `f_string: "path" f_bool: true`},
		{"PATCH", "/t/v1/all/path/children/9", `{"child":{"fInt64":"1","fBool":true}}`, `f_string: "path" child { f_int64: 9 f_bool: true }`},
		{"POST", "/t/v1/views/v/n", `this is not read`, `f_string: "v" by_name: "n"`},
		// Query parameters fill the rest.
		{"POST", "/t/v1/views/v/n?fBool=true&byName=x&f_string=y", ``, `f_string: "v" by_name: "n" f_bool: true`},
		{"GET", "/t/v1/all?f_string=a+b%2Bc&fInt32=-4&unknown=1&unknown.x=2", ``, `f_string: "a b+c" f_int32: -4`},
		{"GET", "/t/v1/all?child.child.fString=deep&child.f_bool=true", ``, `child { f_bool: true child { f_string: "deep" } }`},
		{"GET", "/t/v1/all?names=a&names=b&numbers=18446744073709551615&colors=COLOR_RED&colors=5", ``,
			`names: ["a", "b"] numbers: 18446744073709551615 colors: [COLOR_RED, COLOR_BLUE]`},
		{"GET", "/t/v1/all?at=2026-01-02T03:04:05Z&after=90s&flag=true&mask=a,b&labels[x]=3&maybe=", ``,
			`at { seconds: 1767323045 } after { seconds: 90 } flag { value: true } mask { paths: ["a", "b"] } labels { key: "x" value: 3 } maybe: ""`},
		{"GET", "/t/v1/all/id?f_string=other&fBool=1", ``, `f_string: "id" f_bool: true`},
		// Path values.
		{"GET", "/t/v1/all/a%2Fb%20c%25", ``, `f_string: "a/b c%"`},
		{"GET", "/t/v1/all/h%C3%A9llo+x", ``, `f_string: "héllo+x"`},
		{"GET", "/t/v1/all/...", ``, `f_string: "..."`},
		{"GET", "/t/v1/%61ll/x", ``, `f_string: "x"`},
		{"DELETE", "/t/v1/all/x/18446744073709551615", ``, `f_string: "x" f_uint64: 18446744073709551615`},
		{"DELETE", "/t/v1/colors/COLOR_BLUE", ``, `color: COLOR_BLUE`},
		{"DELETE", "/t/v1/colors/1", ``, `color: COLOR_RED`},
		{"GET", "/t/v1/roles/a/b%2Fc//d", ``, `f_string: "a/b/c//d"`},
		{"GET", "/t/v1/roles/a/owner", ``, `f_string: "a"`},
		{"GET", "/t/v1/shelves/1/books/2%2F3", ``, `f_string: "shelves/1/books/2/3"`},
		{"GET", "/t/v1/files/a/b/c.txt", ``, `f_string: "files/a/b/c.txt"`},
		{"GET", "/t/v1/whatever/x/any", ``, `f_string: "x"`},
		{"POST", "/t/v1/all/x:undelete", ``, `f_string: "x"`},
		{"POST", "/t/v1/all/x:y:undelete", ``, `f_string: "x:y"`},
		{"POST", "/t/v1/roles/a/b:undelete", ``, `f_string: "a/b"`},
		{"GET", "/t/v1/all/x:undelete", ``, `f_string: "x:undelete"`},
		{"PROPFIND", "/t/v1/probe/x", ``, `f_string: "x"`},
		{"GET", "/t/v1/scalars/double/1e-3", ``, `f_double: 0.001`},
		{"GET", "/t/v1/scalars/float/2.5", ``, `f_float: 2.5`},
		{"GET", "/t/v1/scalars/int32/-1", ``, `f_int32: -1`},
		{"GET", "/t/v1/scalars/int64/-9223372036854775808", ``, `f_int64: -9223372036854775808`},
		{"GET", "/t/v1/scalars/uint32/4294967295", ``, `f_uint32: 4294967295`},
		{"GET", "/t/v1/scalars/sint32/-7", ``, `f_sint32: -7`},
		{"GET", "/t/v1/scalars/sint64/-7", ``, `f_sint64: -7`},
		{"GET", "/t/v1/scalars/fixed32/7", ``, `f_fixed32: 7`},
		{"GET", "/t/v1/scalars/fixed64/7", ``, `f_fixed64: 7`},
		{"GET", "/t/v1/scalars/sfixed32/-7", ``, `f_sfixed32: -7`},
		{"GET", "/t/v1/scalars/sfixed64/-7", ``, `f_sfixed64: -7`},
		{"GET", "/t/v1/scalars/bool/true", ``, `f_bool: true`},
		{"GET", "/t/v1/scalars/string/x", ``, `f_string: "x"`},
		{"GET", "/t/v1/scalars/bytes/_-8=", ``, `f_bytes: "\377\357"`},
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.target+" "+c.body, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var got proto.Message
			b.gate.check = func(_ context.Context, in proto.Message) error { got = proto.Clone(in); return nil }
			w := b.rest(c.method, c.target, c.body, nil)
			if w.Code != http.StatusOK && !(w.Code == http.StatusCreated && strings.HasSuffix(c.target, ":undelete")) {
				t.Fatalf("%d: %s", w.Code, w.Body)
			}
			if want := message(t, c.want); !proto.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", prototext.Format(got), prototext.Format(want))
			}
		})
	}
}

func TestRESTRefusesMalformedRequests(t *testing.T) {
	t.Parallel()
	cases := []struct{ method, target, body, message string }{
		{"POST", "/t/v1/all", `{"fString":`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `{"fString":"a"} trailing`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `{"fString":"a"}{}`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `name=value&other=1`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `null`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `[]`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `{"fInt32":"x"}`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `{"fInt32":4294967296}`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `{"fString":1}`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `{"fString":"a","f_string":"b"}`, "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", "{\"fString\":\"\xff\"}", "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", nested(`{"child":`, `{}`, `}`, 100_000), "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", nested(`{"unknown":`, `{}`, `}`, 100_000), "the request is not valid JSON for its type: "},
		{"POST", "/t/v1/all", `{"free":{"a":` + nested(`[`, ``, `]`, 100_000) + `}}`, "the request is not valid JSON for its type: "},
		{"PUT", "/t/v1/numbers/n", `"x"`, "the request is not valid JSON for its type: "},
		{"PUT", "/t/v1/numbers/n", `1,"fBool":true`, "the request is not valid JSON for its type: "},
		{"PUT", "/t/v1/lists/n", `["a"`, "the request is not valid JSON for its type: "},
		{"PUT", "/t/v1/children/n", `{"fInt32":"x"}`, "the request is not valid JSON for its type: "},
		{"GET", "/t/v1/all?fInt32=x", ``, "the query has an invalid parameter: "},
		{"GET", "/t/v1/all?fInt32=1&fInt32=2", ``, "the query has an invalid parameter: "},
		{"GET", "/t/v1/all?byName=a&byNumber=2", ``, "the query has an invalid parameter: "},
		{"GET", "/t/v1/all?fString=%zz", ``, "the query is malformed: "},
		{"GET", "/t/v1/all?fString=%ff", ``, "the query is not valid UTF-8"},
		{"GET", "/t/v1/all?" + nested("child.", "fBool", "", 33) + "=true", ``, "a query parameter has more than 32 parts"},
		{"GET", "/t/v1/all/%ff", ``, `the path has no valid f_string: "\xff" is not valid UTF-8`},
		{"DELETE", "/t/v1/all/x/-1", ``, "the path has no valid f_uint64: "},
		{"DELETE", "/t/v1/colors/COLOR_GREEN", ``, "the path has no valid color: "},
		{"DELETE", "/t/v1/colors/7", ``, "the path has no valid color: "},
		{"GET", "/t/v1/scalars/bool/maybe", ``, "the path has no valid f_bool: "},
		{"GET", "/t/v1/scalars/int32/2147483648", ``, "the path has no valid f_int32: "},
		{"GET", "/t/v1/scalars/bytes/$", ``, "the path has no valid f_bytes: "},
		{"GET", "/t/v1/scalars/double/x", ``, "the path has no valid f_double: "},
	}
	for i, c := range cases {
		t.Run(fmt.Sprint(i, " ", c.method, " ", clip(c.target), " ", clip(c.body)), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) {
				t.Error("the handler ran")
				return newEverything(), nil
			}
			w := b.rest(c.method, c.target, c.body, nil)
			code, text, details := parseStatus(t, w.Body.String())
			if w.Code != 400 || code != codes.InvalidArgument || !strings.HasPrefix(text, c.message) {
				t.Errorf("%d %v %q, want 400 and %q", w.Code, code, text, c.message)
			}
			// A value of the path is a field of the request, and named.
			field, inPath := strings.CutPrefix(c.message, "the path has no valid ")
			field, _, _ = strings.Cut(field, ":")
			if inPath != (len(details) == 1) || inPath && details[0].(*errdetails.BadRequest).FieldViolations[0].Field != field {
				t.Errorf("details %v", details)
			}
			if len(text) > 300 || strings.Contains(text, "proto:") || strings.Contains(text, "\u00a0") {
				t.Errorf("message %q", text)
			}
		})
	}
}

func nested(open, core, shut string, n int) string {
	return strings.Repeat(open, n) + core + strings.Repeat(shut, n)
}

func clip(s string) string { return s[:min(len(s), 40)] }

func TestRESTStatusOfEachKind(t *testing.T) {
	t.Parallel()
	want := map[fault.Kind][2]int{ // code, HTTP status: contract sections 1.3 and 3.1
		fault.Internal: {13, 500}, fault.InvalidArgument: {3, 400}, fault.NotFound: {5, 404},
		fault.AlreadyExists: {6, 409}, fault.FailedPrecondition: {9, 400}, fault.Unauthenticated: {16, 401},
		fault.PermissionDenied: {7, 403}, fault.ResourceExhausted: {8, 429}, fault.Unavailable: {14, 503},
		fault.DeadlineExceeded: {4, 504}, fault.Canceled: {1, 499}, fault.Unimplemented: {12, 501}, fault.Aborted: {10, 409},
	}
	for kind := fault.Internal; kind <= fault.Aborted; kind++ {
		b := setup(t)
		b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) {
			return nil, fault.New(kind, "X-1", `a "b" <c>`)
		}
		w := b.rest("GET", "/t/v1/all", "", nil)
		wantBody := fmt.Sprintf(`{"code":%d,"message":"a \"b\" <c> (X-1)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"X-1","message":"a \"b\" <c>"}]}`, want[kind][0])
		if w.Code != want[kind][1] || w.Body.String() != wantBody {
			t.Errorf("kind %d: %d %s, want %d %s", kind, w.Code, w.Body, want[kind][1], wantBody)
		}
	}
}

func TestRESTUnauthenticatedNamesTheReasonInAHeader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.gate.before = func(context.Context, *transport.Call) error {
		return fault.Plain(fault.Unauthenticated, "auth header missing\r\nX-Evil: 1 é"+strings.Repeat("x", 500))
	}
	w := b.rest("GET", "/t/v1/all", "", nil)
	got := w.Header().Get("Www-Authenticate")
	if w.Code != 401 || !strings.HasPrefix(got, "auth header missing??X-Evil: 1 ?xxx") || len(got) != 256 {
		t.Errorf("%d %q", w.Code, got)
	}
}

func TestRESTHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url := b.start(t)
	want := map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache",
		"Expires": "Sun, 01 Mar 2026 12:00:00 GMT", "X-Robots-Tag": "none", "Vary": "Origin",
		"Grpcgateway-Content-Type": "application/grpc", "Grpcgateway-Cache-Control": "no-store", "Grpcgateway-Pragma": "no-cache",
		"X-Request-Id": "made-here", "X-Content-Type-Options": "nosniff",
	}
	for _, target := range []string{"/t/v1/all?fBool=true", "/t/v1/all?fBool=x"} {
		_, h, body := do(t, client(t, false), "GET", url+target, "", nil)
		for k, v := range want {
			if h.Get(k) != v {
				t.Errorf("%s: %s is %q, want %q", target, k, h.Get(k), v)
			}
		}
		if got := h.Get("Content-Length"); got != fmt.Sprint(len(body)) {
			t.Errorf("%s: Content-Length %s for %d bytes", target, got, len(body))
		}
	}
	b.clock.Advance(1e9)
	if _, h, _ := do(t, client(t, false), "GET", url+"/t/v1/all", "", nil); h.Get("Expires") != "Sun, 01 Mar 2026 12:00:01 GMT" {
		t.Errorf("Expires stands still: %s", h.Get("Expires"))
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"": "made-here", "abc-~!": "abc-~!", "two words": "made-here", "é": "made-here",
		strings.Repeat("a", 128): strings.Repeat("a", 128), strings.Repeat("a", 129): "made-here",
	} {
		for _, target := range []string{"/t/v1/all", "/nowhere"} {
			w := setup(t).rest("GET", target, "", http.Header{"X-Request-Id": {sent}})
			if got := w.Header().Get("X-Request-Id"); got != want {
				t.Errorf("%s: sent %q, got %q, want %q", target, sent, got, want)
			}
		}
	}
}

func TestRESTAnswersAreStableJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := message(t, `f_string: "a, b: \"c\\\" {\t" f_uint64: 5 f_bytes: "x" color: COLOR_RED names: ["", "x y"] children {} at { seconds: 1 nanos: 5000000 } after { seconds: 3600 } labels { key: "k" value: 1 }`)
	b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) { return in, nil }
	w := b.rest("GET", "/t/v1/all", "", nil)
	want := `{"fUint64":"5","fString":"a, b: \"c\\\" {\t","fBytes":"eA==","color":"COLOR_RED","names":["","x y"],"children":[{}],"labels":{"k":1},"at":"1970-01-01T00:00:01.005Z","after":"3600s"}`
	if w.Body.String() != want {
		t.Errorf("got  %s\nwant %s", w.Body, want)
	}
	var loose bytes.Buffer
	text, err := protojson.Marshal(in)
	if err == nil {
		err = json.Compact(&loose, text)
	}
	if err != nil || loose.String() != want {
		t.Errorf("protojson: %v %s", err, loose.String())
	}
}

func TestRESTTakesAnyMediaTypeForJSON(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"", "application/json", "text/plain", "application/x-www-form-urlencoded", "application/grpc", "nonsense"} {
		w := setup(t).rest("POST", "/t/v1/all", `{"fString":"a"}`, http.Header{"Content-Type": {media}, "Accept": {"text/html"}})
		if w.Code != 200 || w.Body.String() != `{"fString":"a"}` || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %s", media, w.Code, w.Body)
		}
	}
}

func TestRESTRouting(t *testing.T) {
	t.Parallel()
	notFound, notAllowed := `{"code":5,"message":"Not Found"}`, `{"code":12,"message":"Method Not Allowed"}`
	cases := []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/", 404, ""},
		{"GET", "/nowhere", 404, ""},
		{"GET", "/t/v1/all/", 404, ""},
		{"GET", "/t/v1//all", 404, ""},
		{"GET", "//t/v1/all", 404, ""},
		{"GET", "/t/v1/./all", 404, ""},
		{"GET", "/t/v1/x/../all", 404, ""},
		{"GET", "/t/v1/all/..", 404, ""},
		{"GET", "/t/v1/all/%2e%2E", 404, ""},
		{"GET", "/t/v1/all/.", 404, ""},
		{"GET", "/t/v1/roles/", 404, ""},
		{"GET", "/t/v1/roles", 404, ""},
		{"GET", "/t/v1/shelves/1/books", 404, ""},
		{"POST", "/t/v1/all/:undelete", 405, "GET, HEAD, PUT"},
		{"GET", "/t/v1/views/a/b", 405, "POST"},
		{"PATCH", "/t/v1/all", 405, "GET, HEAD, POST"},
		{"DELETE", "/t/v1/all/x", 405, "GET, HEAD, PUT"},
		{"HEAD", "/t/v1/views/a/b", 405, "POST"},
		{"OPTIONS", "/t/v1/colors/x", 405, "DELETE"},
		{"TRACE", "/t/v1/colors/x", 405, "DELETE"},
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			t.Parallel()
			w := setup(t).rest(c.method, c.target, "", nil)
			want := notFound
			if c.status == 405 {
				want = notAllowed
			}
			if w.Code != c.status || w.Body.String() != want || w.Header().Get("Allow") != c.allow ||
				w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
			}
		})
	}
}

func TestRESTHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	url := setup(t).start(t)
	status, h, body := do(t, client(t, false), "HEAD", url+"/t/v1/all/x", "", nil)
	if status != 200 || body != "" || h.Get("Content-Length") != fmt.Sprint(len(`{"fString":"x"}`)) {
		t.Errorf("%d %q %v", status, body, h)
	}
}

func TestRESTSuccessCode(t *testing.T) {
	t.Parallel()
	if w := setup(t).rest("POST", "/t/v1/all/x:undelete", "{}", nil); w.Code != http.StatusCreated {
		t.Errorf("%d", w.Code)
	}
}

func TestRESTLimitsBodies(t *testing.T) {
	t.Parallel()
	exact := `{"fString":"` + strings.Repeat("a", testLimit-14) + `"}`
	cases := []struct {
		name, body, encoding string
		status               int
		code                 codes.Code
	}{
		{"at the limit", exact, "", 200, 0},
		{"at the limit, gzip", compress(t, exact), "gzip", 200, 0},
		{"one more", exact + " ", "", 413, codes.ResourceExhausted},
		{"one more, gzip", compress(t, exact+" "), "gzip", 413, codes.ResourceExhausted},
		{"bomb", strings.Repeat(compress(t, strings.Repeat(" ", 1<<20)), 100), "gzip", 413, codes.ResourceExhausted},
		{"compressed body over the limit", strings.Repeat("x", testLimit+1), "gzip", 400, codes.InvalidArgument},
		{"no gzip", "{}", "gzip", 400, codes.InvalidArgument},
		{"broken gzip", compress(t, exact)[:1000], "gzip", 400, codes.InvalidArgument},
		{"identity", "{}", "identity", 200, 0},
		{"other encoding", "{}", "br", 415, codes.InvalidArgument},
		{"two encodings", "{}", "gzip, gzip", 415, codes.InvalidArgument},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := setup(t).start(t)
			for _, known := range []bool{true, false} { // the length, to the server
				r, err := http.NewRequest("POST", url+"/t/v1/all", io.MultiReader(strings.NewReader(c.body)))
				if err != nil {
					t.Fatal(err)
				}
				if known {
					r.ContentLength = int64(len(c.body))
				}
				if c.encoding != "" {
					r.Header.Set("Content-Encoding", c.encoding)
				}
				res, err := client(t, true).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != c.status {
					t.Fatalf("%v %d %s", err, res.StatusCode, clip(string(text)))
				}
				if c.status == 200 {
					continue
				}
				code, message, _ := parseStatus(t, string(text))
				if code != c.code || c.status == 413 && !strings.Contains(message, "4194304 bytes") {
					t.Errorf("%v %q", code, message)
				}
				if c.status == 415 && res.Header.Get("Accept-Encoding") != "gzip" {
					t.Errorf("%v", res.Header)
				}
			}
		})
	}
}

func compress(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestUnencodableAnswersAreInternalErrors(t *testing.T) {
	t.Parallel()
	eachWire(t, func(t *testing.T, w wire) {
		b := setup(t)
		bad := newEverything()
		b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) {
			field := bad.Descriptor().Fields().ByName("f_string")
			bad.Set(field, valueOf("secret \xff"))
			return bad, nil
		}
		got := w.call(t, b.start(t), newEverything(), nil)
		if got.code != codes.Internal || strings.Contains(got.message, "UTF-8") || b.log.lines("UTF-8") != 1 {
			t.Errorf("%v %q, log %s", got.code, got.message, b.log)
		}
	})
}
