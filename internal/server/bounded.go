package server

import (
	"context"
	"io"
	"net/http"
	"time"
)

// How long a client may take to send a request, and how long until the last byte of the answer
// has left: to send, to be served, and to be read.
const (
	readTimeout  = 30 * time.Second
	writeTimeout = 90 * time.Second
)

// bounded ends requests of clients that send or read too slowly: they would hold memory for as
// long as they like. What streams has no such bounds, but ends when the server stops.
func (s *Server) bounded(streams func(*http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Setting a deadline fails only on connections that have none; net/http's always do.
		deadlines := http.NewResponseController(w)
		if streams(r) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			_ = deadlines.SetReadDeadline(time.Time{})
			_ = deadlines.SetWriteDeadline(time.Time{})
			defer context.AfterFunc(s.stopping, func() {
				cancel()
				_ = deadlines.SetReadDeadline(time.Now()) // ends a read that waits
			})()
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		_ = deadlines.SetWriteDeadline(time.Now().Add(writeTimeout))
		if r.Body == nil || r.Body == http.NoBody {
			_ = deadlines.SetReadDeadline(time.Time{})
		} else {
			_ = deadlines.SetReadDeadline(time.Now().Add(readTimeout))
			r.Body = &endingBody{ReadCloser: r.Body, ended: func() { _ = deadlines.SetReadDeadline(time.Time{}) }}
		}
		next.ServeHTTP(w, r)
	})
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
