package transport_test

import (
	"bufio"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"castellan/internal/api/transport"
)

// web posts a gRPC-Web request to the echo service without a network.
func (b *bundle) web(media, accept, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", createPath, strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	b.reg.Handler().ServeHTTP(w, r)
	return w
}

func TestWebTextIsChosenByEitherHeader(t *testing.T) {
	t.Parallel()
	binary := enveloped(0, "\x72\x01x") // f_string: "x"
	text := base64.StdEncoding.EncodeToString([]byte(binary))
	cases := []struct{ media, accept, body, want string }{
		{"application/grpc-web", "", binary, "application/grpc-web"},
		{"application/grpc-web+proto", "*/*", binary, "application/grpc-web+proto"},
		{"application/grpc-web+proto", "application/grpc-web-text", binary, "application/grpc-web-text+proto"},
		{"application/grpc-web", "application/grpc-web-text", binary, "application/grpc-web-text"},
		{"application/grpc-web-text", "", text, "application/grpc-web-text"},
		{"application/grpc-web-text+proto", "application/grpc-web-text", text, "application/grpc-web-text+proto"},
		{"application/grpc-web-text+proto", "application/grpc-web+proto", text, "application/grpc-web+proto"},
	}
	for _, c := range cases {
		w := setup(t).web(c.media, c.accept, c.body)
		body := w.Body.String()
		if strings.Contains(c.want, "text") {
			body = string(decodePieces(t, body))
		}
		if got := w.Header().Get("Content-Type"); got != c.want || !strings.HasPrefix(body, binary) || !strings.Contains(strings.ToLower(body), "grpc-status: 0") {
			t.Errorf("%s for %q: %s %q", c.media, c.accept, got, body)
		}
	}
}

func TestWebTextRefusesWhatIsNoBase64(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString([]byte(enveloped(0, "\x72\x03xyz")))
	for _, body := range []string{"!", "AAAA!AAA", good[:len(good)-1], good[:5], "=", "====", good[:4] + "=" + good[4:]} {
		w := setup(t).web("application/grpc-web-text", "", body)
		if w.Code != 200 || w.Header().Get("Grpc-Status") != "3" || w.Header().Get("Grpc-Message") != "the body is not valid base64" ||
			w.Header().Get("Content-Type") != "application/grpc-web-text" {
			t.Errorf("%q: %d %v %q", body, w.Code, w.Header(), w.Body)
		}
	}
}

func TestWebTextLimitsBodies(t *testing.T) {
	t.Parallel()
	for _, size := range []int{testLimit + 1, 3 * testLimit} {
		body := base64.StdEncoding.EncodeToString([]byte(enveloped(0, strings.Repeat("a", size))))
		if w := setup(t).web("application/grpc-web-text", "", body); w.Header().Get("Grpc-Status") != "8" {
			t.Errorf("%d: %v", size, w.Header())
		}
	}
}

func TestWebTextLeavesHTTPErrorsAsTheyAre(t *testing.T) {
	t.Parallel()
	if w := setup(t).web("application/grpc-web-text+thrift", "", ""); w.Code != 415 || w.Body.Len() != 0 || w.Header().Get("Accept-Post") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestWebTextStreamsPiecesAsTheyCome(t *testing.T) {
	t.Parallel()
	h := newHealth()
	reg := transport.New(transport.Config{Dispatcher: &gate{}})
	grpc_health_v1.RegisterHealthServer(reg, h)
	body := base64.StdEncoding.EncodeToString([]byte(enveloped(0, "")))
	r, err := http.NewRequest("POST", listen(t, reg.Handler())+grpc_health_v1.Health_Watch_FullMethodName, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc-web-text")
	res, err := client(t, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{
		grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING, grpc_health_v1.HealthCheckResponse_UNKNOWN} {
		m, err := proto.Marshal(&grpc_health_v1.HealthCheckResponse{Status: want})
		if err != nil {
			t.Fatal(err)
		}
		piece := base64.StdEncoding.EncodeToString([]byte(enveloped(0, string(m))))
		got := make([]byte, len(piece)) // comes before the next change, or this blocks
		if _, err := io.ReadFull(in, got); err != nil || string(got) != piece {
			t.Fatalf("%q %v, want %q", got, err, piece)
		}
		next := want + 1
		if want == grpc_health_v1.HealthCheckResponse_NOT_SERVING {
			next = grpc_health_v1.HealthCheckResponse_UNKNOWN
		}
		if want == grpc_health_v1.HealthCheckResponse_UNKNOWN {
			next = grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN
		}
		h.set(next)
	}
	if rest := string(decodePieces(t, readAll(t, in))); !strings.Contains(strings.ToLower(rest), "grpc-status: 5") {
		t.Errorf("trailers %q", rest)
	}
}
