package oidc

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"castellan/internal/store/storetest"
)

// BenchmarkPublic reads what everybody reads of an issuer, by 16 clients at once, beside a handler that writes
// the same bytes.
func BenchmarkPublic(b *testing.B) {
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			f := newFixture(b, e.New(b).Open(b))
			for _, path := range []string{pathDiscovery, pathKeys} {
				body := f.text(f.get("a.example", path), http.StatusOK)
				b.Run(path, func(b *testing.B) {
					b.Run("served", func(b *testing.B) { load(b, f.handler, path) })
					b.Run("bare", func(b *testing.B) {
						load(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
							writeBytes(w, http.StatusOK, []byte(body))
						}), path)
					})
				})
			}
		})
	}
}

// load lets 16 clients ask a server.
func load(b *testing.B, h http.Handler, path string) {
	s := httptest.NewServer(h)
	defer s.Close()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: a.example\r\n\r\n")
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for pb.Next() {
			if _, err := c.Write(request); err != nil {
				b.Error(err)
				return
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
				b.Error(res.StatusCode, err)
				return
			}
		}
	})
}
