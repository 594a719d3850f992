package server

import (
	"context"
	"io"
	"net/http"
	"time"

	"castellan/internal/fault"
)

// How long a client may take to send a request, how long until the last byte of the answer
// has left: to send, to be served, and to be read; and how long to take what a stream sends at
// once.
const (
	readTimeout   = 30 * time.Second
	writeTimeout  = 90 * time.Second
	streamTimeout = 30 * time.Second
)

// errStopping is why streams end when the server stops: another node, or this one later, can go on.
var errStopping = fault.Plain(fault.Unavailable, "the server is stopping; call again")

// bounded ends requests of clients that send or read too slowly: they would hold memory for as
// long as they like. What streams may go on for as long as it is read, but ends when the server
// stops.
func (s *Server) bounded(streams func(*http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Setting a deadline fails only on connections that have none; net/http's always do.
		deadlines := http.NewResponseController(w)
		if streams(r) {
			ctx, cancel := context.WithCancelCause(r.Context())
			defer cancel(nil)
			_ = deadlines.SetReadDeadline(time.Time{})
			_ = deadlines.SetWriteDeadline(time.Time{})
			ended := make(chan struct{})
			stop := context.AfterFunc(s.stopping, func() {
				defer close(ended)
				cancel(errStopping)
				_ = deadlines.SetReadDeadline(time.Now()) // ends a read that waits
			})
			defer func() {
				if !stop() {
					<-ended // the writer is not to be touched once the handler has returned
				}
			}()
			next.ServeHTTP(&pacedWriter{ResponseWriter: w, deadlines: deadlines, limit: streamTimeout}, r.WithContext(ctx))
			// What net/http itself sends to end the response.
			_ = deadlines.SetWriteDeadline(time.Now().Add(streamTimeout))
			return
		}
		_ = deadlines.SetWriteDeadline(time.Now().Add(writeTimeout))
		if r.Body != nil && r.Body != http.NoBody { // otherwise it has been read, and nothing is awaited
			_ = deadlines.SetReadDeadline(time.Now().Add(readTimeout))
			r.Body = &endingBody{ReadCloser: r.Body, ended: func() { _ = deadlines.SetReadDeadline(time.Time{}) }}
		}
		next.ServeHTTP(w, r)
	})
}

// pacedWriter gives each write of a stream a deadline of its own, so that a client that does not
// read ends the stream and holds no goroutine and no memory. Between writes there is none: over
// HTTP/2 a deadline that passes ends a stream also when nothing is being written.
type pacedWriter struct {
	http.ResponseWriter
	deadlines *http.ResponseController
	limit     time.Duration
}

// Write implements http.ResponseWriter.
func (p *pacedWriter) Write(b []byte) (int, error) {
	defer p.paced()()
	return p.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController looks for.
func (p *pacedWriter) FlushError() error {
	defer p.paced()()
	return p.deadlines.Flush()
}

// Flush implements http.Flusher. When it fails, so does the next write.
func (p *pacedWriter) Flush() { _ = p.FlushError() }

// Unwrap is what http.ResponseController looks for.
func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// paced sets the deadline and returns a function that takes it away.
func (p *pacedWriter) paced() func() {
	_ = p.deadlines.SetWriteDeadline(time.Now().Add(p.limit))
	return func() { _ = p.deadlines.SetWriteDeadline(time.Time{}) }
}

// http2Config bounds what HTTP/2 connections wait for, which deadlines of a stream do not reach: a
// client that reads nothing at all from its connection, and one that is gone without a word.
func http2Config(limit time.Duration) *http.HTTP2Config {
	return &http.HTTP2Config{WriteByteTimeout: limit, SendPingTimeout: 2 * limit, PingTimeout: limit}
}

// endingBody takes the deadline away when a body has been read: net/http goes on reading, to
// notice that a client leaves, and would take a deadline for that.
type endingBody struct {
	io.ReadCloser
	ended func()
}

// Read implements io.Reader.
func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended()
	}
	return n, err
}
