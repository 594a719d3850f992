package transport_test

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	// The files that testdata/everything.txtpb imports.
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	"castellan/internal/api/transport"
	"castellan/internal/ident"
)

//go:embed testdata/everything.txtpb
var everythingText []byte

// everything links testdata/everything.txtpb in, as generated code would be.
var everything = sync.OnceValue(func() protoreflect.FileDescriptor {
	var text descriptorpb.FileDescriptorProto
	must(prototext.Unmarshal(everythingText, &text))
	file, err := protodesc.NewFile(&text, protoregistry.GlobalFiles)
	must(err)
	must(protoregistry.GlobalFiles.RegisterFile(file))
	must(protoregistry.GlobalTypes.RegisterEnum(dynamicpb.NewEnumType(file.Enums().Get(0))))
	return file
})

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// echoService is the service of everything.txtpb, echoMethod one of its methods.
func echoService() protoreflect.ServiceDescriptor { return everything().Services().Get(0) }

func echoMethod(name string) protoreflect.MethodDescriptor {
	return echoService().Methods().ByName(protoreflect.Name(name))
}

func newEverything() *dynamicpb.Message {
	return dynamicpb.NewMessage(everything().Messages().Get(0))
}

// message reads a message in the text format.
func message(t testing.TB, text string) *dynamicpb.Message {
	t.Helper()
	m := newEverything()
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// echo is a service whose methods all answer alike: with what they were asked, by default.
type echo struct {
	answer func(ctx context.Context, in proto.Message) (proto.Message, error)
	count  func(in proto.Message, stream grpc.ServerStream) error
}

// desc returns what generated code would hand to RegisterService.
func (*echo) desc() *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: string(echoService().FullName())}
	for i := range echoService().Methods().Len() {
		m := echoService().Methods().Get(i)
		if m.IsStreamingServer() {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{StreamName: string(m.Name()), ServerStreams: true,
				Handler: func(srv any, stream grpc.ServerStream) error {
					in := newEverything()
					if err := stream.RecvMsg(in); err != nil {
						return err
					}
					return srv.(*echo).count(in, stream)
				}})
			continue
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: string(m.Name()),
			Handler: func(srv any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in := newEverything()
				if err := dec(in); err != nil {
					return nil, err
				}
				if e := srv.(*echo); e.answer != nil {
					return e.answer(ctx, in)
				}
				return in, nil
			}})
	}
	return desc
}

// gate is a Dispatcher that does what a test wants at each of its moments.
type gate struct {
	before func(ctx context.Context, call *transport.Call) error // authentication
	check  transport.Check
	after  func(call *transport.Call, out proto.Message, err error)
}

func (d *gate) Dispatch(ctx context.Context, call *transport.Call, run transport.Run) (proto.Message, error) {
	if d.before != nil {
		if err := d.before(ctx, call); err != nil {
			return nil, err
		}
	}
	out, err := run(ctx, func(ctx context.Context, in proto.Message) error {
		if d.check != nil {
			return d.check(ctx, in)
		}
		return nil
	})
	if d.after != nil {
		d.after(call, out, err)
	}
	return out, err
}

// testLimit is the largest request the test servers take.
const testLimit = 4 << 20

// bundle is one registrar with the echo service behind it.
type bundle struct {
	gate  *gate
	echo  *echo
	log   *logBuffer
	clock *ident.ManualClock
	reg   *transport.Registrar
}

func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{gate: &gate{}, echo: &echo{}, log: &logBuffer{},
		clock: ident.NewManualClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	b.reg = transport.New(transport.Config{
		Dispatcher:      b.gate,
		MaxRequestBytes: testLimit,
		Logger:          textLogger(b.log),
		Clock:           b.clock,
		NewRequestID:    func() string { return "made-here" },
		SuccessCode: func(m protoreflect.MethodDescriptor) int {
			if m.Name() == "Undelete" {
				return http.StatusCreated
			}
			return 0
		},
	})
	b.reg.RegisterService(b.echo.desc(), b.echo)
	return b
}

// start serves the bundle on a loopback address and returns its URL.
func (b *bundle) start(t testing.TB) string {
	t.Helper()
	return listen(t, b.reg.Handler())
}

// listen serves a handler on HTTP/1.1 and HTTP/2 without TLS.
func listen(t testing.TB, handler http.Handler) string {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// client returns an HTTP client that speaks HTTP/2 only, or HTTP/1.1 only.
func client(t testing.TB, http2 bool) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	tr := &http.Transport{Protocols: protocols, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// logBuffer is a log that tests read while servers write.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines returns how many lines of the log contain text.
func (l *logBuffer) lines(text string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// textLogger returns a logger that writes lines to l.
func textLogger(l *logBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func valueOf(s string) protoreflect.Value { return protoreflect.ValueOfString(s) }
