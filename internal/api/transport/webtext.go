package transport

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
)

// The media types of gRPC-Web; the text one is the other in base64, for clients that cannot
// handle bytes (contract section 3.2, and the protocol's own PROTOCOL-WEB.md).
const (
	webBinary = "application/grpc-web"
	webText   = "application/grpc-web-text"
)

// asBinary turns a request in gRPC-Web text into the binary one it stands for, and returns a
// writer that turns the answer into text when the client wants that. Other requests pass
// unchanged. done must be called when the answer is complete.
func asBinary(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	contentType := r.Header.Get("Content-Type")
	if !strings.HasPrefix(contentType, webBinary) || r.Method != http.MethodPost {
		return w, r, func() {}
	}
	accept := r.Header.Get("Accept")
	wantsText := strings.Contains(accept, webText)
	if rest, ok := strings.CutPrefix(contentType, webText); ok {
		wantsText = wantsText || !strings.Contains(accept, webBinary)
		r = r.Clone(r.Context())
		r.Header.Set("Content-Type", webBinary+rest)
		r.Header.Del("Content-Length")
		r.ContentLength = -1
		r.Body = struct {
			io.Reader
			io.Closer
		}{&textReader{source: r.Body}, r.Body}
	}
	if !wantsText {
		return w, r, func() {}
	}
	text := &textWriter{ResponseWriter: w}
	return text, r, text.send
}

// textReader decodes base64 of which any piece, and so not only the last, may be padded.
type textReader struct {
	source io.Reader
	in     [4096]byte
	filled int // bytes of in not decoded yet: fewer than a quantum of four after every decode
	out    [3 * 1024]byte
	ready  []byte // decoded, not returned yet
	err    error
}

var errNotBase64 = connect.NewError(connect.CodeInvalidArgument, errors.New("the body is not valid base64"))

// Read implements io.Reader. Text that is no base64, or ends within a quantum, is an
// InvalidArgument error.
func (t *textReader) Read(p []byte) (int, error) {
	for len(t.ready) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		n, err := t.source.Read(t.in[t.filled:])
		t.filled += n
		t.err = err
		if bad := t.decode(); bad != nil {
			t.err = bad
		} else if errors.Is(err, io.EOF) && t.filled > 0 {
			t.err = errNotBase64
		}
	}
	n := copy(p, t.ready)
	t.ready = t.ready[n:]
	return n, nil
}

// decode decodes the whole quanta of in.
func (t *textReader) decode() error {
	whole := t.filled - t.filled%4
	out := t.out[:0]
	for rest := t.in[:whole]; len(rest) > 0; {
		// Up to the end of the quantum that has the first padding, if any.
		end := len(rest)
		if i := bytes.IndexByte(rest, '='); i >= 0 {
			end = i - i%4 + 4
		}
		// The decoder would skip line breaks and lose count of the quanta.
		if bytes.ContainsAny(rest[:end], "\r\n") {
			return errNotBase64
		}
		var err error
		if out, err = base64.StdEncoding.AppendDecode(out, rest[:end]); err != nil {
			return errNotBase64
		}
		rest = rest[end:]
	}
	t.filled = copy(t.in[:], t.in[whole:t.filled])
	t.ready = out
	return nil
}

// textWriter encodes an answer; what is flushed at once is one padded piece.
type textWriter struct {
	http.ResponseWriter
	pending []byte
	started bool
	encoded bool // the answer is gRPC-Web; if not, such as an HTTP error, it stays as it is
}

// WriteHeader implements http.ResponseWriter.
func (t *textWriter) WriteHeader(status int) {
	t.start()
	t.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter; what it takes is sent by the next flush, and reports
// a failure then.
func (t *textWriter) Write(p []byte) (int, error) {
	t.start()
	if !t.encoded {
		return t.ResponseWriter.Write(p)
	}
	t.pending = append(t.pending, p...)
	return len(p), nil
}

// Flush implements http.Flusher.
func (t *textWriter) Flush() {
	t.send()
	if f, ok := t.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// start puts the media type right before the headers leave.
func (t *textWriter) start() {
	if t.started {
		return
	}
	t.started = true
	h := t.Header()
	if rest, ok := strings.CutPrefix(h.Get("Content-Type"), webBinary); ok {
		t.encoded = true
		h.Set("Content-Type", webText+rest)
		h.Del("Content-Length")
	}
}

// send writes what is pending as one piece.
func (t *textWriter) send() {
	t.start()
	if len(t.pending) == 0 {
		return
	}
	// A failure means that the caller has gone; the context of the call is canceled then.
	_, _ = t.ResponseWriter.Write(base64.StdEncoding.AppendEncode(nil, t.pending))
	t.pending = t.pending[:0]
}
