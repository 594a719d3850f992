package transport

import (
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"castellan/internal/fault"
)

// compressMinBytes is the size below which a response is sent as it is: compressing it would
// cost more than it saves.
const compressMinBytes = 1024

// callKey is where the Call travels through connect-go, which hands on a context only.
type callKey struct{}

// rpcOptions returns how connect-go is to serve every method.
func rpcOptions(config Config) []connect.HandlerOption {
	options := []connect.HandlerOption{
		connect.WithReadMaxBytes(config.MaxRequestBytes),
		connect.WithCompressMinBytes(compressMinBytes),
		connect.WithCompression("gzip",
			func() connect.Decompressor { return &boundedGzip{limit: config.MaxRequestBytes} },
			func() connect.Compressor { return gzip.NewWriter(nil) }),
	}
	for _, c := range []*codec{{name: "proto"}, {name: "json", json: true}, {name: "json; charset=utf-8", json: true}} {
		c.log = config.Logger
		options = append(options, connect.WithCodec(c))
	}
	return options
}

// boundedGzip inflates no more than limit bytes and one. connect-go would go on to the end of
// a message that is too large to say how large it is, and a small one can inflate to
// gigabytes.
type boundedGzip struct {
	gzip.Reader
	limit, left int
}

func (z *boundedGzip) Reset(r io.Reader) error {
	z.left = z.limit + 1
	return z.Reader.Reset(r)
}

func (z *boundedGzip) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, fmt.Errorf("more than %d bytes when decompressed", z.limit)
	}
	n, err := z.Reader.Read(p[:min(len(p), z.left)])
	z.left -= n
	return n, err
}

// handlerOf returns the connect-go side of a method.
func (g *Registrar) handlerOf(m *method) *connect.Handler {
	if m.stream != nil {
		return g.streamHandler(m)
	}
	return g.unaryHandler(m)
}

// unaryHandler returns the connect-go side of a method with one answer.
func (g *Registrar) unaryHandler(m *method) *connect.Handler {
	return connect.NewUnaryHandler(m.full, func(ctx context.Context, req *connect.Request[frame]) (*connect.Response[frame], error) {
		out, f := g.answer(ctx, ctx.Value(callKey{}).(*Call), m, req.Msg.decode)
		if f != nil {
			return nil, connectError(f)
		}
		return connect.NewResponse(&frame{message: out}), nil
	}, g.options...)
}

// answer runs one call of a method with one answer.
func (g *Registrar) answer(ctx context.Context, call *Call, m *method, decode func(proto.Message) error) (proto.Message, *fault.Error) {
	out, f := g.dispatch(ctx, call, decode, func(ctx context.Context, dec func(proto.Message) error) (proto.Message, error) {
		out, err := m.unary(m.impl, ctx, func(in any) error { return dec(in.(proto.Message)) }, nil)
		if err != nil {
			return nil, err
		}
		answer, _ := out.(proto.Message) // what is none is found below
		return answer, nil
	})
	if f == nil && out == nil {
		f = internal(errNoAnswer)
		g.report(ctx, call, f)
	}
	return out, f
}

// serveRPC serves a request on the path of a method.
func (g *Registrar) serveRPC(w http.ResponseWriter, r *http.Request, m *method) {
	if r.Method != http.MethodPost {
		g.refuse(w, r, http.StatusMethodNotAllowed, []string{http.MethodPost})
		return
	}
	call := g.newCall(w, r, m, cmp.Or(rpcKind(r), Connect))
	if a, ok := g.config.Dispatcher.(Admitter); ok && g.errors.IsSupported(r) {
		if err := g.admit(r.Context(), a, call); err != nil {
			// The caller has gone when this fails.
			_ = g.errors.Write(w, r, connectError(err))
			return
		}
	}
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, call))
	// connect-go reads what is too large to its end before it says so; that end must be near.
	r.Body = http.MaxBytesReader(w, r.Body, 2*int64(g.config.MaxRequestBytes)+compressMinBytes)
	if m.stream == nil {
		w = &unaryWriter{ResponseWriter: w}
	}
	m.rpc().ServeHTTP(w, r)
}

// admit asks the dispatcher whether the body of a call shall be read. The fault returned is logged.
func (g *Registrar) admit(ctx context.Context, a Admitter, call *Call) *fault.Error {
	err := func() (err error) {
		defer g.rescue(ctx, call, &err)
		return a.Admit(ctx, call)
	}()
	if err == nil {
		return nil
	}
	f := classify(err)
	g.report(ctx, call, f)
	return f
}

// unaryWriter leaves it to net/http to send an answer that is complete at once. connect-go
// flushes after the message and again after the trailers, a third of the cost of a gRPC-Web call.
type unaryWriter struct {
	http.ResponseWriter
	wrote bool
}

// Write implements http.ResponseWriter.
func (u *unaryWriter) Write(p []byte) (int, error) {
	u.wrote = true
	return u.ResponseWriter.Write(p)
}

// Flush implements http.Flusher. Without a body it is needed: HTTP/2 would lose the trailers.
func (u *unaryWriter) Flush() {
	if f, ok := u.ResponseWriter.(http.Flusher); ok && !u.wrote {
		f.Flush()
	}
}

// newCall describes a request and sets the response headers that all protocols share.
func (g *Registrar) newCall(w http.ResponseWriter, r *http.Request, m *method, p Protocol) *Call {
	return &Call{
		Method:         m.descriptor,
		FullMethod:     m.full,
		Protocol:       p,
		RequestID:      g.identify(w, r),
		HTTPMethod:     r.Method,
		Host:           r.Host,
		Peer:           r.RemoteAddr,
		Path:           r.URL.EscapedPath(),
		TLS:            r.TLS != nil,
		Header:         r.Header,
		ResponseHeader: w.Header(),
	}
}

// identify returns the id of a request and promises it, with the ban on guessing content
// types, to the response.
func (g *Registrar) identify(w http.ResponseWriter, r *http.Request) string {
	h := w.Header()
	h["X-Content-Type-Options"] = noSniff
	id := r.Header.Get("X-Request-Id")
	if !validRequestID(id) {
		id = g.config.NewRequestID()
	}
	h["X-Request-Id"] = []string{id}
	return id
}

// validRequestID says whether id is 1 to 128 visible ASCII characters.
func validRequestID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 128
}

// rpcKind returns the protocol an RPC client would have sent r in, wherever it was sent; ""
// when no such client sent it.
func rpcKind(r *http.Request) Protocol {
	if r.Method != http.MethodPost {
		return ""
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case media == "application/grpc" || strings.HasPrefix(media, "application/grpc+"):
		return GRPC
	case strings.HasPrefix(media, "application/grpc-web"):
		return GRPCWeb
	case strings.HasPrefix(media, "application/connect+"):
		return Connect
	case media == "application/json" || media == "application/proto":
		// REST is JSON too; a method is told by the shape of its path.
		service, rpc, two := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if two && strings.Contains(service, ".") && rpc != "" && !strings.Contains(rpc, "/") {
			return Connect
		}
	}
	return ""
}
