package transport

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"

	"castellan/internal/fault"
	"castellan/internal/scratch"
)

// restHeader is what every REST answer has (contract section 3.1), besides the time. The values
// are shared and so must not be changed.
var restHeader = http.Header{
	"Content-Type":              contentJSON,
	"Cache-Control":             {"no-store"},
	"Pragma":                    {"no-cache"},
	"X-Robots-Tag":              {"none"},
	"Grpcgateway-Cache-Control": {"no-store"},
	"Grpcgateway-Pragma":        {"no-cache"},
	"Grpcgateway-Content-Type":  {"application/grpc"},
}

var contentJSON, noSniff = []string{"application/json"}, []string{"nosniff"}

// expiry is the Expires header of one second.
type expiry struct {
	second int64
	value  []string
}

// restRequest is one REST call while its request is decoded.
type restRequest struct {
	g   *Registrar
	w   http.ResponseWriter
	r   *http.Request
	hit *match
	// refusal is the fault of a body that HTTP has a status of its own for, and that status.
	refusal *fault.Error
	status  int
}

// serveREST serves a request on a path that has a binding.
func (g *Registrar) serveREST(w http.ResponseWriter, r *http.Request, hit *match) {
	call := g.newCall(w, r, hit.binding.method, REST)
	maps.Copy(w.Header(), restHeader)
	w.Header()["Expires"] = g.now()
	x := &restRequest{g: g, w: w, r: r, hit: hit}
	out, f := g.answer(r.Context(), call, hit.binding.method, x.decode)
	if f == nil {
		buf := scratch.Borrow()
		defer scratch.Return(buf)
		text, err := appendJSON(buf.AvailableBuffer(), out)
		if err == nil {
			buf.Write(text) // in place unless it had to grow; then the larger one is kept
			send(w, hit.binding.success, text)
			return
		}
		f = internal(fmt.Errorf("encode the response: %w", err))
		g.report(r.Context(), call, f)
	}
	status := runtime.HTTPStatusFromCode(codeOf(f)) // the table of contract section 3.1
	if f == x.refusal {
		status = x.status
	}
	g.sendFault(w, status, f)
}

// decode fills m from body, path and query; the path wins over the body, and the query has
// only what neither holds.
func (x *restRequest) decode(m proto.Message) error {
	b := x.hit.binding
	if b.bodyAll || b.bodyField != nil {
		buf := scratch.Borrow()
		defer scratch.Return(buf)
		if err := x.readBody(buf); err != nil {
			return err
		}
		if err := b.setBody(m, buf.Bytes()); err != nil {
			return err
		}
	}
	if err := b.setPath(m, &x.hit.values); err != nil || b.bodyAll || x.r.URL.RawQuery == "" {
		return err
	}
	return b.setQuery(m, x.r.URL.RawQuery)
}

// readBody reads the body, decompressed, up to the limit.
func (x *restRequest) readBody(buf *bytes.Buffer) error {
	limit := int64(x.g.config.MaxRequestBytes)
	var body io.Reader = x.r.Body
	switch encoding := strings.ToLower(x.r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		if x.r.ContentLength > limit {
			return x.tooLarge()
		}
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(http.MaxBytesReader(x.w, x.r.Body, limit))
		if err != nil {
			return x.unreadable(err)
		}
		body = z
	default:
		x.w.Header().Set("Accept-Encoding", "gzip")
		return x.refuse(http.StatusUnsupportedMediaType, fault.InvalidArgument,
			fmt.Sprintf("Content-Encoding %q is not supported", diagnostic(errors.New(encoding))))
	}
	n, err := buf.ReadFrom(io.LimitReader(body, limit+1))
	if err != nil {
		return x.unreadable(err)
	}
	if n > limit {
		return x.tooLarge()
	}
	return nil
}

// tooLarge refuses a body over the limit.
func (x *restRequest) tooLarge() error {
	return x.refuse(http.StatusRequestEntityTooLarge, fault.ResourceExhausted,
		fmt.Sprintf("the request body is larger than %d bytes", x.g.config.MaxRequestBytes))
}

// refuse returns a fault that will be answered with an HTTP status of its own.
func (x *restRequest) refuse(status int, kind fault.Kind, message string) error {
	x.refusal, x.status = fault.Plain(kind, message), status
	return x.refusal
}

// unreadable says why reading the body failed.
func (x *restRequest) unreadable(err error) error {
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return x.tooLarge()
	case x.r.Context().Err() != nil:
		return fault.Plain(fault.Canceled, "the caller went away").WithCause(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.Plain(fault.DeadlineExceeded, "the request body took too long").WithCause(err)
	}
	return fault.Plain(fault.InvalidArgument, "the request body cannot be read: "+diagnostic(err)).WithCause(err)
}

// now returns the current second as a header value; making one anew for every answer would be
// noticeable.
func (g *Registrar) now() []string {
	now := g.config.Clock.Now()
	if e := g.expires.Load(); e != nil && e.second == now.Unix() {
		return e.value
	}
	e := &expiry{now.Unix(), []string{now.Format(http.TimeFormat)}}
	g.expires.Store(e)
	return e.value
}

// sendFault answers with the JSON of a fault.
func (g *Registrar) sendFault(w http.ResponseWriter, status int, f *fault.Error) {
	if status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", headerText(f.Public()))
	}
	text, err := statusJSON(f)
	if err != nil {
		g.config.Logger.Error("error not encoded", "error", err)
		text = []byte(`{"code":13,"message":"internal error"}`)
	}
	send(w, status, text)
}

// send answers with text, which the headers set before describe.
func send(w http.ResponseWriter, status int, text []byte) {
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.WriteHeader(status)
	// A failure means that the caller has gone; net/http ends the connection.
	_, _ = w.Write(text)
}

// headerText returns text as a header value: visible ASCII and spaces, 256 bytes at most.
func headerText(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), 256)]
}

// refuse answers a request that reached no method with an HTTP status and its JSON (contract
// section 3.1).
func (g *Registrar) refuse(w http.ResponseWriter, r *http.Request, status int, allow []string) {
	g.identify(w, r)
	w.Header()["Content-Type"] = contentJSON
	text := `{"code":5,"message":"Not Found"}`
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		text = `{"code":12,"message":"Method Not Allowed"}`
	}
	send(w, status, []byte(text))
}

// serveUnknown answers a request for a path that nobody serves, in the way its client expects.
func (g *Registrar) serveUnknown(w http.ResponseWriter, r *http.Request) {
	kind := rpcKind(r)
	if kind == "" {
		g.refuse(w, r, http.StatusNotFound, nil)
		return
	}
	g.identify(w, r)
	f := fault.Plain(fault.Unimplemented, "unknown method "+diagnostic(errors.New(r.URL.Path)))
	if kind != Connect {
		// A failure means that the caller has gone.
		_ = g.errors.Write(w, r, connectError(f))
		return
	}
	text, err := json.Marshal(map[string]string{"code": connect.CodeUnimplemented.String(), "message": f.Message})
	if err != nil {
		panic(err) // unreachable: strings can be marshalled
	}
	w.Header()["Content-Type"] = contentJSON
	send(w, http.StatusNotFound, text)
}
