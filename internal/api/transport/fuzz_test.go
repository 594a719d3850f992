package transport_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/api/transport"
)

// maxFuzz is the size of the largest input worth trying.
const maxFuzz = 16 << 10

// FuzzREST sends arbitrary requests: nothing may panic or be an internal error, every answer
// is JSON, and what reaches a handler is a message that can be sent on.
func FuzzREST(f *testing.F) {
	for _, route := range oracleRoutes {
		f.Add(route.method, strings.NewReplacer("{", "", "}", "", "*", "x").Replace(route.path), []byte(`{"fString":"a","child":{"fInt64":"1"}}`))
	}
	for _, target := range []string{"/t/v1/all?a.b=c&fBool=true&labels[x]=1", "/t/v1/all/%2F%2e%2e", "/t/v1/roles/a//b:undelete", "//", "/%",
		"/t/v1/all?child.child.at=2026-01-01T00:00:00Z&mask=a,b&free=%7B%7D", "/t/v1/all?fString=%ff", createPath} {
		f.Add("GET", target, []byte(nil))
		f.Add("POST", target, []byte(`[`))
	}
	b := setup(f)
	b.gate.check = func(_ context.Context, m proto.Message) error {
		if _, err := proto.Marshal(m); err != nil {
			f.Errorf("a message that cannot be sent on: %v", err)
		}
		return nil
	}
	b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) { return newEverything(), nil }
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		u, err := url.ParseRequestURI(target)
		if err != nil || len(target)+len(body) > maxFuzz || strings.HasPrefix(u.Path, "/castellan.") && method == "POST" {
			t.Skip()
		}
		r := httptest.NewRequest("GET", "http://t.example/", bytes.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, u, target
		w := httptest.NewRecorder()
		b.reg.Handler().ServeHTTP(w, r)
		switch w.Code {
		case 200, 201, 400, 404, 405:
		default:
			t.Errorf("%s %q: %d %s", method, target, w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %q: %v %s", method, target, w.Header(), w.Body)
		}
		if b.log.String() != "" {
			t.Errorf("%s %q: %s", method, target, b.log)
		}
	})
}

// FuzzWebText sends arbitrary text: the answer is that to the bytes the text stands for, or
// the text is refused.
func FuzzWebText(f *testing.F) {
	message := []byte(enveloped(0, "\x72\x03xyz"))
	for _, n := range []int{0, 1, 2, 3, 5, 8, len(message)} {
		f.Add(base64.StdEncoding.EncodeToString(message[:n]) + base64.StdEncoding.EncodeToString(message[n:]))
	}
	f.Add("AA\nAA")
	f.Add("====")
	f.Add(base64.StdEncoding.EncodeToString([]byte(enveloped(1, "x"))))
	f.Add(base64.StdEncoding.EncodeToString(bytes.Repeat(message, 1000)))
	reg := transport.New(transport.Config{Dispatcher: &gate{}, MaxRequestBytes: 1 << 12})
	e := &echo{}
	reg.RegisterService(e.desc(), e)
	// Dynamic messages are encoded in any order of fields; this answer has only one.
	e.answer = func(_ context.Context, in proto.Message) (proto.Message, error) {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(in)
		out := newEverything()
		out.Set(out.Descriptor().Fields().ByName("f_bytes"), protoreflect.ValueOfBytes(text))
		return out, err
	}
	b := &bundle{reg: reg}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxFuzz {
			t.Skip()
		}
		decoded, valid := decodeQuanta(text)
		got := b.web("application/grpc-web-text", "", text)
		if got.Code != http.StatusOK {
			t.Fatalf("%d", got.Code)
		}
		refused := got.Header().Get("Grpc-Status") == "3" && got.Header().Get("Grpc-Message") == "the body is not valid base64"
		if refused {
			if valid {
				t.Errorf("%q refused", text)
			}
			return
		}
		// What comes before the end of the first message decides.
		want := b.web("application/grpc-web", "", string(decoded))
		if body := decodePieces(t, got.Body.String()); !bytes.Equal(body, want.Body.Bytes()) ||
			got.Header().Get("Grpc-Status") != want.Header().Get("Grpc-Status") {
			t.Errorf("%q: %q %v, want %q %v", text, body, got.Header(), want.Body, want.Header())
		}
	})
}

// decodeQuanta decodes base64 four characters at a time, up to the first that are none.
func decodeQuanta(text string) (decoded []byte, valid bool) {
	for ; len(text) >= 4; text = text[4:] {
		if strings.ContainsAny(text[:4], "\r\n") {
			return decoded, false
		}
		b, err := base64.StdEncoding.DecodeString(text[:4])
		if err != nil {
			return decoded, false
		}
		decoded = append(decoded, b...)
	}
	return decoded, text == ""
}
