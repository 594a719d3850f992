package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"castellan/internal/fault"
)

// watched is a ResponseWriter that checks the deadline of each write.
type watched struct {
	deadlined
	check func()
}

func (w *watched) Write(p []byte) (int, error) { w.check(); return w.ResponseRecorder.Write(p) }
func (w *watched) FlushError() error           { w.check(); w.Flush(); return nil }

// TestEachWriteOfAStreamHasADeadline, and there is none in between, however long that takes.
func TestEachWriteOfAStreamHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		s.stopping, s.stop = context.WithCancel(t.Context())
		checks := 0
		w := &watched{deadlined: deadlined{ResponseRecorder: httptest.NewRecorder()}}
		w.check = func() {
			checks++
			if w.write != time.Now().Add(streamTimeout) {
				t.Errorf("the deadline of a write is %v, now it is %v", w.write, time.Now())
			}
		}
		s.bounded(func(*http.Request) bool { return true }, http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			for range 3 {
				if _, err := out.Write([]byte("message")); err != nil {
					t.Error(err)
				}
				out.(http.Flusher).Flush()
				if err := http.NewResponseController(out).Flush(); err != nil {
					t.Error(err)
				}
				if !w.write.IsZero() {
					t.Errorf("after a write the deadline %v stays", w.write)
				}
				time.Sleep(time.Hour) // of the bubble
			}
		})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
		if checks != 9 {
			t.Errorf("%d writes were looked at, want 9", checks)
		}
		if w.write != time.Now().Add(streamTimeout) {
			t.Errorf("the deadline for the end of the response is %v", w.write)
		}
	})
}

// TestStreamsSayThatTheServerStops: their context has the fault as its cause.
func TestStreamsSayThatTheServerStops(t *testing.T) {
	s := &Server{}
	s.stopping, s.stop = context.WithCancel(t.Context())
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	s.bounded(func(*http.Request) bool { return true }, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.stop()
		<-r.Context().Done()
		if cause := context.Cause(r.Context()); fault.KindOf(cause) != fault.Unavailable {
			t.Errorf("cause %v", cause)
		}
	})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
}

// streamer serves a stream that goes on until a write fails, with deadlines that are short. ended
// gets the error of that write.
func streamer(t *testing.T) (address string, ended <-chan error) {
	t.Helper()
	const limit = 50 * time.Millisecond
	errs := make(chan error, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Protocols: protocols(), HTTP2: http2Config(limit), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			paced := &pacedWriter{ResponseWriter: w, deadlines: http.NewResponseController(w), limit: limit}
			message := bytes.Repeat([]byte("message "), 1<<13)
			for {
				_, err := paced.Write(message)
				if err == nil {
					err = paced.FlushError()
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}),
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String(), errs
}

// waitFor waits until the stream of a client that does not read has ended.
func waitFor(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the stream goes on although its client does not read")
	}
}

// A client of HTTP/1.1 that sends its request and reads nothing of the answer.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	address, ended := streamer(t)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ended)
}

// A client of HTTP/2 that reads its connection and grants the stream nothing more.
func TestClientThatDoesNotReadItsStream(t *testing.T) {
	t.Parallel()
	address, ended := streamer(t)
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &p}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	waitFor(t, ended)
}

// A client of HTTP/2 that grants all there is, and then reads nothing of its connection.
func TestClientThatDoesNotReadItsConnection(t *testing.T) {
	t.Parallel()
	address, ended := streamer(t)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := bufio.NewWriter(c)
	_, err = out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(out, nil)
	const most = 1<<31 - 1
	var header bytes.Buffer
	encoder := hpack.NewEncoder(&header)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", address}, {":path", "/"}} {
		err = errors.Join(err, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	err = errors.Join(err,
		framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: most}),
		framer.WriteWindowUpdate(0, most-1<<16),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: header.Bytes(), EndStream: true, EndHeaders: true}),
		out.Flush())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, ended)
}

// TestAnIdleStreamGoesOn, over both versions of HTTP, although its pauses are longer than a write may
// take.
func TestAnIdleStreamGoesOn(t *testing.T) {
	t.Parallel()
	const limit = 20 * time.Millisecond
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		paced := &pacedWriter{ResponseWriter: w, deadlines: http.NewResponseController(w), limit: limit}
		for i := range 3 {
			if i > 0 {
				<-time.NewTimer(5 * limit).C // the pause is what is tested
			}
			if _, err := paced.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			if err := paced.FlushError(); err != nil {
				t.Error(err)
			}
		}
	}))
	server.Config.Protocols = protocols()
	server.Start()
	defer server.Close()
	for _, two := range []bool{false, true} {
		var p http.Protocols
		p.SetHTTP1(!two)
		p.SetUnencryptedHTTP2(two)
		client := &http.Client{Transport: &http.Transport{Protocols: &p}}
		defer client.CloseIdleConnections()
		res, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || string(text) != "xxx" || (res.ProtoMajor == 2) != two {
			t.Errorf("over %s: %q, %v", res.Proto, text, err)
		}
		_ = res.Body.Close()
	}
}
