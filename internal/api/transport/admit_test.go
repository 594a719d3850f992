package transport_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"castellan/internal/api/transport"
	"castellan/internal/fault"
)

// porter is a gate that lets nobody in.
type porter struct{ gate }

func (*porter) Admit(context.Context, *transport.Call) error {
	return fault.Plain(fault.Unauthenticated, "auth header missing")
}

// unread is a body nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a refused call was read")
	return 0, io.EOF
}

func TestRefusedCallsAreNotRead(t *testing.T) {
	reg := transport.New(transport.Config{Dispatcher: &porter{}})
	e := &echo{}
	reg.RegisterService(e.desc(), e)
	for _, media := range []string{
		"application/grpc", "application/grpc+proto", "application/grpc-web+proto", "application/proto", "application/json",
	} {
		r, err := http.NewRequest(http.MethodPost, createPath, unread{t})
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", media)
		r.ProtoMajor = 2
		w := &recorder{header: http.Header{}}
		reg.Handler().ServeHTTP(w, r)
		answer := w.text.String() + strings.Join(w.header["Grpc-Message"], "")
		if !strings.Contains(answer, "auth header missing") {
			t.Errorf("%s: status %d, header %v, body %q", media, w.status, w.header, w.text.String())
		}
	}
}

// recorder keeps an answer; trailers stay among its headers.
type recorder struct {
	header http.Header
	status int
	text   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.text.Write(p) }
