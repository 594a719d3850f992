package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"castellan/internal/store"
)

// deadlined is a ResponseWriter that remembers its deadlines.
type deadlined struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlined) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlined) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

func TestRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		s.stopping, s.stop = context.WithCancel(t.Context())
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		begin := time.Now()
		s.bounded(func(*http.Request) bool { return false }, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if w.read != begin.Add(readTimeout) || w.write != begin.Add(writeTimeout) {
				t.Errorf("read by %v, written by %v", w.read, w.write)
			}
			if _, err := io.ReadAll(r.Body); err != nil {
				t.Error(err)
			}
			if !w.read.IsZero() {
				t.Error("the deadline stays after the body has ended, and would cancel the call")
			}
		})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body")))
	})
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	s := &Server{}
	s.stopping, s.stop = context.WithCancel(t.Context())
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	s.bounded(func(*http.Request) bool { return true }, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if !w.read.IsZero() || !w.write.IsZero() || r.Context().Err() != nil {
			t.Error("a stream is bounded before the server stops")
		}
		s.stop()
		<-r.Context().Done()
	})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
}

func TestADatabaseThatCannotBeOpenedIsAnError(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for name, url := range map[string]string{
		"sqlite":   "sqlite:///dev/null/castellan.db",
		"postgres": "postgres://nobody@" + closed.Addr().String() + "/none",
	} {
		cfg := Defaults()
		cfg.DatabaseURL, cfg.MasterKeyFile, cfg.Listen = url, filepath.Join(t.TempDir(), "master.key"), "127.0.0.1:0"
		s, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler), "test")
		if s != nil || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}
