package transport_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	systemv1 "castellan/gen/zitadel/system/v1"
	"castellan/internal/api/transport"
	"castellan/internal/fault"
)

// enveloped puts the prefix of a gRPC message before body.
func enveloped(flags byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(body)))) + body
}

// bodies are requests of the raw protocols, by content type.
var rawTypes = []struct {
	media string
	wrap  func(body string) string
}{
	{"application/grpc+proto", func(b string) string { return enveloped(0, b) }},
	{"application/grpc+json", func(b string) string { return enveloped(0, b) }},
	{"application/grpc-web", func(b string) string { return enveloped(0, b) }},
	{"application/grpc-web-text", func(b string) string { return base64.StdEncoding.EncodeToString([]byte(enveloped(0, b))) }},
	{"application/proto", func(b string) string { return b }},
	{"application/json", func(b string) string { return b }},
}

// grpcStatus returns the status of a gRPC or gRPC-Web answer without details, or the code of a
// Connect error, as "number message".
func grpcStatus(t *testing.T, media string, res *http.Response, body string) string {
	t.Helper()
	if !strings.HasPrefix(media, "application/grpc") {
		return fmt.Sprint(res.StatusCode, " ", body)
	}
	for _, h := range []http.Header{res.Trailer, res.Header} {
		if s := h.Get("Grpc-Status"); s != "" {
			return s + " " + h.Get("Grpc-Message")
		}
	}
	t.Fatalf("no status: %d %v %q", res.StatusCode, res.Header, body)
	return ""
}

func raw(t *testing.T, url, path, media, body string) string {
	t.Helper()
	r, err := http.NewRequest("POST", url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("Te", "trailers")
	res, err := client(t, true).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text := readAll(t, res.Body)
	return grpcStatus(t, media, res, text)
}

func TestAuthenticationWinsOverAMalformedBody(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		for _, rt := range rawTypes {
			t.Run(fmt.Sprint(rt.media, known), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				if !known {
					b.gate.before = func(context.Context, *transport.Call) error { return fault.Plain(fault.Unauthenticated, "who?") }
				}
				got := raw(t, b.start(t), createPath, rt.media, rt.wrap("\xff{ not a message"))
				want := "16 who?"
				if known {
					want = "3 the request is not a valid message"
					if strings.HasSuffix(rt.media, "json") {
						want = "3 the request is not valid JSON"
					}
				}
				if !strings.HasPrefix(rt.media, "application/grpc") {
					want = strings.NewReplacer("16 who?", `401 {"code":"unauthenticated","message":"who?"}`,
						"3 ", `400 {"code":"invalid_argument","message":"`).Replace(want)
				}
				if !strings.HasPrefix(got, want) {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
	b := setup(t)
	b.gate.before = func(context.Context, *transport.Call) error { return fault.Plain(fault.Unauthenticated, "who?") }
	for _, body := range []string{"{", strings.Repeat(" ", testLimit+1)} {
		if w := b.rest("PUT", "/t/v1/numbers/n?fBool=x", body, nil); w.Code != 401 {
			t.Errorf("REST: %d %s", w.Code, w.Body)
		}
	}
}

func TestRPCLimitsMessages(t *testing.T) {
	t.Parallel()
	eachWire(t, func(t *testing.T, w wire) {
		b := setup(t)
		big := newEverything()
		big.Set(big.Descriptor().Fields().ByName("f_string"), valueOf(strings.Repeat("a", 5<<20)))
		got := w.call(t, b.start(t), big, nil)
		if got.code != codes.ResourceExhausted || !strings.Contains(got.message, "4194304") {
			t.Errorf("%v %q", got.code, got.message)
		}
	})
}

func TestRPCRefusesCompressedBombs(t *testing.T) {
	t.Parallel()
	bomb := strings.Repeat(compress(t, strings.Repeat("\x00", 1<<20)), 256) // gzip may be concatenated
	for name, options := range map[string][]connect.ClientOption{
		"connect": nil, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options = append(options, connect.WithSendCompression("gzip"), connect.WithAcceptCompression("gzip",
				func() connect.Decompressor { return nil }, func() connect.Compressor { return &canned{text: bomb} }))
			req := connect.NewRequest(message(t, `f_bool: true`))
			_, err := dynamicClient(client(t, true), setup(t).start(t), "Create", options...).CallUnary(t.Context(), req)
			if connect.CodeOf(err) != connect.CodeResourceExhausted || !strings.Contains(err.Error(), "more than 4194304 bytes when decompressed") {
				t.Error(err)
			}
		})
	}
}

func TestRPCBoundsNesting(t *testing.T) {
	t.Parallel()
	deep := ""
	for range 2000 {
		deep = "\x8a\x01" + string(binary.AppendUvarint(nil, uint64(len(deep)))) + deep // child
	}
	got := raw(t, setup(t).start(t), createPath, "application/grpc", enveloped(0, deep))
	if !strings.HasPrefix(got, "3 the request is not a valid message") {
		t.Error(got)
	}
	groups := strings.Repeat("\xfb\x07", 1_000_000) // the start of an unknown group, again and again
	if got := raw(t, setup(t).start(t), createPath, "application/grpc", enveloped(0, groups)); !strings.HasPrefix(got, "3 ") {
		t.Error(got)
	}
}

func TestUnknownMethodsAndMediaTypes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url := b.start(t)
	unknown := "/castellan.transport.test.EchoService/Nope"
	cases := []struct{ method, path, media, status, body, header string }{
		{"POST", unknown, "application/grpc", "200", "", "12 unknown method " + unknown},
		{"POST", unknown, "application/grpc+proto", "200", "", "12 unknown method " + unknown},
		{"POST", "/nowhere", "application/grpc", "200", "", "12 unknown method /nowhere"},
		{"POST", unknown, "application/grpc-web", "200", "", "12 unknown method " + unknown},
		{"POST", unknown, "application/grpc-web-text", "200", "", "12 unknown method " + unknown},
		{"POST", unknown, "application/grpc-web+json", "200", "", "12 unknown method " + unknown},
		{"POST", unknown, "application/json", "404", `{"code":"unimplemented","message":"unknown method ` + unknown + `"}`, ""},
		{"POST", unknown, "application/json; charset=utf-8", "404", `{"code":"unimplemented","message":"unknown method ` + unknown + `"}`, ""},
		{"POST", unknown, "application/proto", "404", `{"code":"unimplemented","message":"unknown method ` + unknown + `"}`, ""},
		{"POST", unknown, "application/connect+proto", "404", `{"code":"unimplemented","message":"unknown method ` + unknown + `"}`, ""},
		{"POST", "/a.b/%7F%22%F0%9F%98%80", "application/proto", "404", "{\"code\":\"unimplemented\",\"message\":\"unknown method /a.b/\x7f\\\"😀\"}", ""},
		{"POST", unknown, "text/plain", "404", `{"code":5,"message":"Not Found"}`, ""},
		{"POST", "/no/method", "application/json", "404", `{"code":5,"message":"Not Found"}`, ""},
		{"GET", unknown, "application/grpc", "404", `{"code":5,"message":"Not Found"}`, ""},
		{"GET", createPath, "", "405", `{"code":12,"message":"Method Not Allowed"}`, ""},
		{"PUT", createPath, "application/grpc", "405", `{"code":12,"message":"Method Not Allowed"}`, ""},
		{"POST", createPath, "text/plain", "415", "", ""},
		{"POST", createPath, "", "415", "", ""},
		{"POST", createPath, "application/grpc+thrift", "415", "", ""},
		{"POST", createPath, "application/connect+proto", "415", "", ""}, // it does not stream
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.path+" "+c.media, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequest(c.method, url+c.path, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			if c.media != "" {
				r.Header.Set("Content-Type", c.media)
			}
			res, err := client(t, true).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body := readAll(t, res.Body)
			if fmt.Sprint(res.StatusCode) != c.status || body != c.body {
				t.Errorf("%d %q", res.StatusCode, body)
			}
			if c.header != "" {
				if got := grpcStatus(t, c.media, res, body); got != c.header || res.Header.Get("Content-Type") != c.media {
					t.Errorf("%q as %q", got, res.Header.Get("Content-Type"))
				}
			}
			if c.status == "415" && !strings.Contains(res.Header.Get("Accept-Post"), "application/grpc+json") {
				t.Errorf("Accept-Post %q", res.Header.Get("Accept-Post"))
			}
			if c.status == "405" && res.Header.Get("Allow") != "POST" {
				t.Errorf("Allow %q", res.Header.Get("Allow"))
			}
			if res.Header.Get("X-Request-Id") != "made-here" {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

func TestDeadlinesReachTheHandler(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{"application/grpc": "Grpc-Timeout", "application/json": "Connect-Timeout-Ms"} {
		b := setup(t)
		b.echo.answer = func(ctx context.Context, in proto.Message) (proto.Message, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Errorf("%s: no deadline", name)
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		value := "5"
		if header == "Grpc-Timeout" {
			value += "m"
		}
		body := ""
		if name == "application/grpc" {
			body = enveloped(0, "")
		}
		r, err := http.NewRequest("POST", b.start(t)+createPath, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", name)
		r.Header.Set(header, value)
		res, err := client(t, true).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text := readAll(t, res.Body)
		res.Body.Close()
		got := grpcStatus(t, name, res, text)
		if got != "4 the deadline of the call has passed" && got != `504 {"code":"deadline_exceeded","message":"the deadline of the call has passed"}` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestGeneratedServices(t *testing.T) {
	t.Parallel()
	reg := transport.New(transport.Config{Dispatcher: &gate{}})
	systemv1.RegisterSystemServiceServer(reg, systemStub{})
	grpc_health_v1.RegisterHealthServer(reg, newHealth())
	if got := fmt.Sprint(reg.Services()); got != "[zitadel.system.v1.SystemService grpc.health.v1.Health]" {
		t.Error(got)
	}
	url := listen(t, reg.Handler())
	status, _, body := do(t, client(t, false), "GET", url+"/system/v1/instances/abc", "", nil)
	if status != 200 || body != `{"instance":{"id":"abc"}}` {
		t.Errorf("%d %s", status, body)
	}
	// A method nobody has written answers what generated code says.
	status, _, body = do(t, client(t, false), "GET", url+"/system/v1/healthz", "", nil)
	if status != 501 || body != `{"code":12,"message":"method Healthz not implemented"}` {
		t.Errorf("%d %s", status, body)
	}
	c := connect.NewClient[systemv1.GetInstanceRequest, systemv1.GetInstanceResponse](client(t, false), url+systemv1.SystemService_GetInstance_FullMethodName)
	res, err := c.CallUnary(t.Context(), connect.NewRequest(&systemv1.GetInstanceRequest{InstanceId: "x"}))
	if err != nil || res.Msg.GetInstance().GetId() != "x" {
		t.Errorf("%v %v", err, res)
	}
}

// systemStub implements one method of the system service.
type systemStub struct {
	systemv1.UnimplementedSystemServiceServer
}

func (systemStub) GetInstance(_ context.Context, in *systemv1.GetInstanceRequest) (*systemv1.GetInstanceResponse, error) {
	out := &systemv1.GetInstanceResponse{}
	detail := out.ProtoReflect().Mutable(out.ProtoReflect().Descriptor().Fields().ByName("instance")).Message()
	detail.Set(detail.Descriptor().Fields().ByName("id"), valueOf(in.GetInstanceId()))
	return out, nil
}

func TestMounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text, " ", r.URL.Path) })
	}
	b.reg.Mount("/", say("root"))
	b.reg.Mount("/ui/", say("ui"))
	b.reg.Mount("/ui/console/", say("console"))
	b.reg.Mount("/robots.txt", say("robots"))
	b.reg.Mount("/t/v1/all", say("never"))
	b.reg.Mount(grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector(b.reg.Services()...)))
	for target, want := range map[string]string{
		"/": "root /", "/x/y": "root /x/y", "/ui": "root /ui", "/ui/": "ui /ui/", "/ui/login": "ui /ui/login",
		"/ui/console/a": "console /ui/console/a", "/robots.txt": "robots /robots.txt", "/robots.txt/x": "root /robots.txt/x",
		"/t/v1/all": "{}",
	} {
		w := b.rest("GET", target, "", http.Header{"Origin": {"https://evil.example"}})
		if w.Body.String() != want {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
		if cors := w.Header().Get("Access-Control-Allow-Origin"); (cors != "") != (want == "{}") {
			t.Errorf("%s: CORS %q", target, cors)
		}
	}
	if got := raw(t, b.start(t), "/a.b/C", "application/grpc", ""); got != "12 unknown method /a.b/C" {
		t.Error(got)
	}
	services, err := grpcreflect.NewClient(client(t, true), b.start(t), connect.WithGRPC()).NewStream(t.Context()).ListServices()
	if err != nil || !slices.Contains(services, "castellan.transport.test.EchoService") {
		t.Errorf("reflection: %v %v", services, err)
	}
}

func TestRegistrationIsLoud(t *testing.T) {
	t.Parallel()
	cases := map[string]func(b *bundle){
		"twice":         func(b *bundle) { b.reg.RegisterService(b.echo.desc(), b.echo) },
		"no descriptor": func(b *bundle) { b.reg.RegisterService(&grpc.ServiceDesc{ServiceName: "no.Such"}, nil) },
		"no service": func(b *bundle) {
			b.reg.RegisterService(&grpc.ServiceDesc{ServiceName: "google.protobuf.Duration"}, nil)
		},
		"wrong impl": func(b *bundle) { b.reg.RegisterService(&grpc_health_v1.Health_ServiceDesc, b.echo) },
		"no impl":    func(b *bundle) { b.reg.RegisterService(&grpc_health_v1.Health_ServiceDesc, nil) },
		"unknown method": func(b *bundle) {
			d := *b.echo.desc()
			d.Methods[0].MethodName = "Nope"
			b.reg.RegisterService(&d, b.echo)
		},
		"client stream": func(b *bundle) {
			d := grpc_health_v1.Health_ServiceDesc
			d.HandlerType, d.Streams = nil, []grpc.StreamDesc{{StreamName: "Watch", ClientStreams: true}}
			b.reg.RegisterService(&d, nil)
		},
		"no dispatcher": func(*bundle) { transport.New(transport.Config{}) },
	}
	for name, register := range cases {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			defer func() {
				if p := recover(); p == nil || !strings.HasPrefix(fmt.Sprint(p), "transport: ") {
					t.Errorf("panic is %v", p)
				}
			}()
			register(b)
		})
	}
}

func TestClientsThatLeaveCancelTheCall(t *testing.T) {
	t.Parallel()
	eachWire(t, func(t *testing.T, w wire) {
		if w.name != "rest" && w.name != "connect" && w.name != "grpc by connect-go" {
			t.Skip("the same server code")
		}
		b := setup(t)
		entered, left := make(chan struct{}), make(chan error, 1)
		b.echo.answer = func(ctx context.Context, _ proto.Message) (proto.Message, error) {
			close(entered)
			<-ctx.Done()
			left <- ctx.Err()
			return nil, fault.Plain(fault.Internal, "query failed").WithCause(ctx.Err())
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-entered
			cancel()
		}()
		path, media, body := createPath, "application/json", "{}"
		switch w.protocol {
		case transport.REST:
			path = "/t/v1/all"
		case transport.GRPC:
			media, body = "application/grpc", enveloped(0, "")
		}
		r, err := http.NewRequestWithContext(ctx, "POST", b.start(t)+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", media)
		if _, err := client(t, w.protocol == transport.GRPC).Do(r); err == nil {
			t.Error("answered")
		}
		select {
		case err := <-left:
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		case <-time.After(10 * time.Second): // a guard, never waited for
			t.Error("the handler was not told")
		}
		if b.log.lines("query failed") != 0 {
			t.Errorf("a caller who left is no error:\n%s", b.log)
		}
	})
}

// canned is a Compressor that writes the same text whatever it is given.
type canned struct {
	text string
	out  io.Writer
}

func (c *canned) Write(p []byte) (int, error) { return len(p), nil }
func (c *canned) Reset(w io.Writer)           { c.out = w }
func (c *canned) Close() error {
	_, err := io.WriteString(c.out, c.text)
	return err
}
