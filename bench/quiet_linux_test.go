package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestQuietClientGetsItsAnswers(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(s.Close)
	c, q, err := dialQuiet(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if there(t, q) {
		t.Error("answered before it was asked")
	}
	for _, body := range []string{"once", strings.Repeat("x", 30_000)} {
		got, err := c.do(http.MethodPost, pathCreate, []byte(body))
		if err != nil || string(got) != body {
			t.Fatalf("got %.40q, %v; want %.40q", got, err, body)
		}
	}
}

// there looks at a connection.
func there(t *testing.T, q *quiet) bool {
	t.Helper()
	if err := lookAt([]*quiet{q})(); err != nil {
		t.Fatal(err)
	}
	return q.answered()
}

// quietPair is both ends of a connection.
func quietPair(t *testing.T) (*quiet, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	q, err := hush(c.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q, other
}

func TestQuietLooksWithoutTaking(t *testing.T) {
	q, other := quietPair(t)
	if err := q.SetDeadline(time.Now().Add(callLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1)
	if n, err := q.Read(got); n != 1 || err != nil || got[0] != 'a' {
		t.Fatalf("read %d, %q, %v", n, got, err)
	}
	for range 2 {
		if !there(t, q) {
			t.Error("not answered, with a byte that waits")
		}
	}
	if n, err := q.Read(got); n != 1 || err != nil || got[0] != 'b' {
		t.Errorf("read %d, %q, %v", n, got, err)
	}
	if there(t, q) {
		t.Error("answered when all is read")
	}
}

func TestQuietReadEnds(t *testing.T) {
	q, other := quietPair(t)
	got := make([]byte, 1)
	if _, err := q.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after its deadline: %v", err)
	}
	if err := q.SetDeadline(time.Now().Add(callLimit)); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Read(got); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestQuietWriteIsWhole(t *testing.T) {
	q, _ := quietPair(t)
	if _, err := q.Write(make([]byte, 64<<20)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("more than can be taken: %v", err)
	}
}
