package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"castellan/internal/api/transport"
	"castellan/internal/fault"
)

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// health is a health service whose status a test sets.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	mu      sync.Mutex
	status  grpc_health_v1.HealthCheckResponse_ServingStatus
	changed chan struct{}
}

func newHealth() *health {
	return &health{status: grpc_health_v1.HealthCheckResponse_SERVING, changed: make(chan struct{})}
}

func (h *health) current() (grpc_health_v1.HealthCheckResponse_ServingStatus, chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status, h.changed
}

func (h *health) set(s grpc_health_v1.HealthCheckResponse_ServingStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = s
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *health) Check(_ context.Context, in *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if in.GetService() != "" {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	s, _ := h.current()
	return &grpc_health_v1.HealthCheckResponse{Status: s}, nil
}

// Watch ends with an error when the status is one nobody serves, to test that too.
func (h *health) Watch(in *grpc_health_v1.HealthCheckRequest, stream grpc_health_v1.Health_WatchServer) error {
	if err := stream.SetHeader(metadata.Pairs("x-head", "h", "x-raw-bin", "\x00\xff")); err != nil {
		return err
	}
	stream.SetTrailer(metadata.Pairs("x-trail", "t"))
	for {
		s, changed := h.current()
		if s == grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN {
			return fault.New(fault.NotFound, "H-1", "gone")
		}
		if err := stream.Send(&grpc_health_v1.HealthCheckResponse{Status: s}); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// watch is one client's side of Watch.
type watch struct {
	next func() (*grpc_health_v1.HealthCheckResponse, error)
	stop func()
	head func() http.Header
}

// watchers are the clients for a stream.
func watchers() map[string]func(t *testing.T, url string) watch {
	return map[string]func(t *testing.T, url string) watch{
		"grpc":             watchGRPC,
		"grpc json":        watchConnect(true, connect.WithGRPC(), connect.WithProtoJSON()),
		"grpc-web":         watchConnect(false, connect.WithGRPCWeb()),
		"connect":          watchConnect(false),
		"connect json gz":  watchConnect(true, connect.WithProtoJSON(), connect.WithSendGzip()),
		"grpc-web by http": watchConnect(true, connect.WithGRPCWeb()),
	}
}

func watchGRPC(t *testing.T, url string) watch {
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return watch{stream.Recv, cancel, func() http.Header {
		md, err := stream.Header()
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"X-Head": md["x-head"], "X-Raw-Bin": {connect.EncodeBinaryHeader([]byte(md["x-raw-bin"][0]))}}
	}}
}

func watchConnect(http2 bool, options ...connect.ClientOption) func(t *testing.T, url string) watch {
	return func(t *testing.T, url string) watch {
		c := connect.NewClient[grpc_health_v1.HealthCheckRequest, grpc_health_v1.HealthCheckResponse](
			client(t, http2), url+grpc_health_v1.Health_Watch_FullMethodName, options...)
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := c.CallServerStream(ctx, connect.NewRequest(&grpc_health_v1.HealthCheckRequest{Service: "s"}))
		if err != nil {
			t.Fatal(err)
		}
		return watch{func() (*grpc_health_v1.HealthCheckResponse, error) {
			if stream.Receive() {
				return stream.Msg(), nil
			}
			return nil, stream.Err()
		}, cancel, stream.ResponseHeader}
	}
}

func (w watch) expect(t *testing.T, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	got, err := w.next()
	if err != nil || got.GetStatus() != want {
		t.Fatalf("%v %v, want %v", got, err, want)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for name, open := range watchers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, g := newHealth(), &gate{}
			var asked string
			ended := make(chan error, 1)
			g.check = func(_ context.Context, in proto.Message) error {
				asked = in.(*grpc_health_v1.HealthCheckRequest).GetService()
				return nil
			}
			g.after = func(_ *transport.Call, out proto.Message, err error) {
				if out != nil {
					t.Errorf("a stream has no one answer: %v", out)
				}
				ended <- err
			}
			reg := transport.New(transport.Config{Dispatcher: g})
			grpc_health_v1.RegisterHealthServer(reg, h)
			w := open(t, listen(t, reg.Handler()))
			w.expect(t, grpc_health_v1.HealthCheckResponse_SERVING)
			if got := w.head(); got.Get("X-Head") != "h" || got.Get("X-Raw-Bin") != connect.EncodeBinaryHeader([]byte("\x00\xff")) {
				t.Errorf("header %v", got)
			}
			h.set(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
			w.expect(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
			h.set(grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN)
			_, err := w.next()
			code, text := status.Code(err), err.Error()
			if ce := new(connect.Error); errors.As(err, &ce) {
				code, text = codes.Code(ce.Code()), ce.Message()
				if name != "grpc" && len(ce.Details()) != 1 {
					t.Errorf("details %v", ce.Details())
				}
			}
			if code != codes.NotFound || !strings.Contains(text, "gone (H-1)") {
				t.Errorf("%v %q", code, text)
			}
			if asked != "s" || fault.KindOf(<-ended) != fault.NotFound {
				t.Errorf("dispatcher: asked %q", asked)
			}
			w.stop()
		})
	}
}

func TestStreamsEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	for name, open := range watchers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan error, 1)
			log := &logBuffer{}
			reg := transport.New(transport.Config{Logger: textLogger(log),
				Dispatcher: &gate{after: func(_ *transport.Call, _ proto.Message, err error) { ended <- err }}})
			grpc_health_v1.RegisterHealthServer(reg, newHealth())
			w := open(t, listen(t, reg.Handler()))
			w.expect(t, grpc_health_v1.HealthCheckResponse_SERVING)
			w.stop()
			if got := transport.CodeOf(<-ended); got != "Canceled" {
				t.Errorf("the stream ended with %s", got)
			}
			if log.String() != "" {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func TestStreamsAreRefusedAndPanicLikeCalls(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		gate  gate
		count func(in proto.Message, stream grpc.ServerStream) error
		code  connect.Code
	}{
		"authentication": {gate: gate{before: func(context.Context, *transport.Call) error { return fault.Plain(fault.Unauthenticated, "who?") }},
			code: connect.CodeUnauthenticated},
		"check": {gate: gate{check: func(context.Context, proto.Message) error { return fault.Plain(fault.PermissionDenied, "no") }},
			code: connect.CodePermissionDenied},
		"panic": {count: func(proto.Message, grpc.ServerStream) error { panic("kaboom") }, code: connect.CodeInternal},
		"second request": {count: func(_ proto.Message, s grpc.ServerStream) error {
			if err := s.RecvMsg(newEverything()); !errors.Is(err, io.EOF) {
				t.Errorf("second RecvMsg: %v", err)
			}
			return s.SendMsg("no message")
		}, code: connect.CodeInternal},
	}
	for name, c := range cases {
		for wire, options := range map[string][]connect.ClientOption{"connect": nil, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()}} {
			t.Run(name+" "+wire, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				*b.gate = c.gate
				b.echo.count = c.count
				stream, err := dynamicClient(client(t, true), b.start(t), "Count", options...).CallServerStream(t.Context(), connect.NewRequest(newEverything()))
				if err != nil {
					t.Fatal(err)
				}
				if stream.Receive() || connect.CodeOf(stream.Err()) != c.code {
					t.Errorf("%v", stream.Err())
				}
			})
		}
	}
}
