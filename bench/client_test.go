package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echo answers what it was asked: plain, in chunks, or with a refusal.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/refused":
		http.Error(w, "no such thing", http.StatusNotFound)
	case "/chunks":
		_, _ = io.WriteString(w, r.Method+" ")
		w.(http.Flusher).Flush()
		_, _ = w.Write(body)
	case pathCreate:
		_, _ = w.Write(body)
	default:
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Authorization")+" "+r.URL.Path+" "+string(body))
	}
}

func newRESTClient(t *testing.T) *restClient {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(s.Close)
	c, err := dialREST(s.Listener.Addr().String(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestRESTClientKeepsItsConnection(t *testing.T) {
	c := newRESTClient(t)
	long := strings.Repeat("x", 100_000)
	for _, call := range []struct{ method, path, body, want string }{
		{"GET", "/a", "", "GET Bearer secret /a "},
		{"POST", "/b", "{}", "POST Bearer secret /b {}"},
		{"POST", "/chunks", long, "POST " + long},
		{"GET", "/c", "", "GET Bearer secret /c "},
	} {
		var body []byte
		if call.body != "" {
			body = []byte(call.body)
		}
		got, err := c.do(call.method, call.path, body)
		if err != nil || string(got) != call.want {
			t.Errorf("%s %s answered %.60q, %v", call.method, call.path, got, err)
		}
	}
}

func TestRESTClientReturnsARefusalAndGoesOn(t *testing.T) {
	c := newRESTClient(t)
	_, err := c.do("GET", "/refused", nil)
	var refused *statusError
	if !errors.As(err, &refused) || refused.status != http.StatusNotFound || !strings.Contains(err.Error(), "GET /refused: 404: no such thing") {
		t.Errorf("error %v", err)
	}
	if _, err := c.do("GET", "/a", nil); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// TestRESTClientWantsAWholeAnswer: one that is cut off, or none, is an error.
func TestRESTClientWantsAWholeAnswer(t *testing.T) {
	for answer, whole := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":                            true,
		"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nok":                             true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n": true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n":          false,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok":                            false,
		"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nok":                           false,
		"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok":                          false,
		"HTTP/1.1 200 OK\r\n\r\nok":                                                 false,
		"HTTP/1.1 200 OK\r\nContent-Le":                                             false,
		"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok":                                false,
		"\r\n\r\n": false,
		"":         false,
	} {
		mine, theirs := net.Pipe()
		go func() {
			_, _ = bufio.NewReader(theirs).ReadString('\n')
			_, _ = io.WriteString(theirs, answer)
			_ = theirs.Close()
		}()
		c := &restClient{conn: mine, in: bufio.NewReader(mine), host: "a"}
		got, err := c.do("GET", "/", nil)
		if whole != (err == nil) || whole && string(got) != "ok" {
			t.Errorf("%q: %q, %v", answer, got, err)
		}
		_ = mine.Close()
	}
}

func TestRESTClientShowsHeaders(t *testing.T) {
	c := newRESTClient(t)
	if _, err := c.do("GET", "/a", nil); err != nil {
		t.Fatal(err)
	}
	h, err := c.header()
	if err != nil || h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Date") == "" {
		t.Errorf("%v, %v", h, err)
	}
}

func TestCreateReadsTheID(t *testing.T) {
	c := newRESTClient(t)
	if id, err := c.create([]byte(`{"instanceId":"42"}`)); id != "42" || err != nil {
		t.Errorf("id %q, error %v", id, err)
	}
	for _, answer := range []string{`{}`, `[`} {
		if id, err := c.create([]byte(answer)); err == nil {
			t.Errorf("%s has the id %q", answer, id)
		}
	}
}

func TestPickIsTheSameForBothSides(t *testing.T) {
	ids := []string{"a", "b", "c", "d"}
	one, other := pick(ids), pick(ids)
	seen := make(map[string]bool)
	for range 100 {
		id := one()
		if id != other() {
			t.Fatal("two sides read other instances")
		}
		seen[id] = true
	}
	if len(seen) != len(ids) {
		t.Errorf("only %v were read", seen)
	}
}
