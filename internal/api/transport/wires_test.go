package transport_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"

	"castellan/internal/api/transport"
)

// outcome is what a client of any protocol gets to see of a call.
type outcome struct {
	code    codes.Code
	message string
	details []proto.Message
	answer  proto.Message
	header  http.Header // with the trailers
}

// wire is one way to call the unary method Create of the echo service.
type wire struct {
	name     string
	protocol transport.Protocol
	call     func(t testing.TB, url string, in proto.Message, header http.Header) outcome
}

// wires are all the ways, each with an independent client where there is one.
func wires() []wire {
	return []wire{
		{"grpc", transport.GRPC, callGRPC},
		{"grpc by connect-go", transport.GRPC, callConnect(true, connect.WithGRPC())},
		{"grpc json", transport.GRPC, callConnect(true, connect.WithGRPC(), connect.WithProtoJSON())},
		{"grpc gzip", transport.GRPC, callConnect(true, connect.WithGRPC(), connect.WithSendGzip())},
		{"grpc-web", transport.GRPCWeb, callConnect(false, connect.WithGRPCWeb())},
		{"grpc-web json", transport.GRPCWeb, callConnect(false, connect.WithGRPCWeb(), connect.WithProtoJSON())},
		{"grpc-web-text", transport.GRPCWeb, callWebText},
		{"connect", transport.Connect, callConnect(false)},
		{"connect http2", transport.Connect, callConnect(true)},
		{"connect json", transport.Connect, callConnect(false, connect.WithProtoJSON())},
		{"connect gzip", transport.Connect, callConnect(false, connect.WithSendGzip())},
		{"rest", transport.REST, callREST},
	}
}

func eachWire(t *testing.T, f func(t *testing.T, w wire)) {
	for _, w := range wires() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f(t, w)
		})
	}
}

const createPath = "/castellan.transport.test.EchoService/Create"

func callGRPC(t testing.TB, url string, in proto.Message, header http.Header) outcome {
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	md := metadata.MD{}
	for k, v := range header {
		md[strings.ToLower(k)] = v
	}
	out := newEverything()
	var head, trail metadata.MD
	err = conn.Invoke(metadata.NewOutgoingContext(t.Context(), md), createPath, in, out,
		grpc.Header(&head), grpc.Trailer(&trail))
	s := status.Convert(err)
	o := outcome{code: s.Code(), message: s.Message(), answer: out, header: http.Header{}}
	for _, d := range s.Proto().GetDetails() {
		o.details = append(o.details, unpack(t, d))
	}
	for k, v := range metadata.Join(head, trail) {
		o.header[http.CanonicalHeaderKey(k)] = v
	}
	return o
}

func unpack(t testing.TB, d *anypb.Any) proto.Message {
	m, err := d.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func callConnect(http2 bool, options ...connect.ClientOption) func(testing.TB, string, proto.Message, http.Header) outcome {
	return func(t testing.TB, url string, in proto.Message, header http.Header) outcome {
		return connectCall(t, client(t, http2), url, in, header, options...)
	}
}

// dynamicClient returns a connect-go client for a method of the echo service.
func dynamicClient(c connect.HTTPClient, url, name string, options ...connect.ClientOption) *connect.Client[dynamicpb.Message, dynamicpb.Message] {
	options = append(options, connect.WithSchema(echoMethod(name)),
		connect.WithResponseInitializer(func(_ connect.Spec, m any) error {
			*m.(*dynamicpb.Message) = *newEverything()
			return nil
		}))
	return connect.NewClient[dynamicpb.Message, dynamicpb.Message](c, url+"/castellan.transport.test.EchoService/"+name, options...)
}

func connectCall(t testing.TB, c connect.HTTPClient, url string, in proto.Message, header http.Header, options ...connect.ClientOption) outcome {
	req := connect.NewRequest(in.(*dynamicpb.Message))
	for k, v := range header {
		req.Header()[k] = v
	}
	res, err := dynamicClient(c, url, "Create", options...).CallUnary(t.Context(), req)
	if err != nil {
		return failed(t, err)
	}
	h := res.Header().Clone()
	for k, v := range res.Trailer() {
		h[k] = v
	}
	return outcome{answer: res.Msg, header: h}
}

func failed(t testing.TB, err error) outcome {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		t.Fatal(err)
	}
	o := outcome{code: codes.Code(ce.Code()), message: ce.Message(), header: ce.Meta()}
	for _, d := range ce.Details() {
		m, err := d.Value()
		if err != nil {
			t.Fatal(err)
		}
		o.details = append(o.details, m)
	}
	return o
}

// textTripper makes a gRPC-Web client speak the text variant.
type textTripper struct {
	t    testing.TB
	base http.RoundTripper
}

func (x textTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Content-Type", strings.Replace(r.Header.Get("Content-Type"), "grpc-web", "grpc-web-text", 1))
	// Two padded pieces, as a client that streams would send them.
	text := base64.StdEncoding.EncodeToString(body[:len(body)/3]) + base64.StdEncoding.EncodeToString(body[len(body)/3:])
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	res, err := x.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); res.StatusCode == http.StatusOK && !strings.HasPrefix(got, "application/grpc-web-text+") {
		x.t.Errorf("Content-Type %q, want grpc-web-text", got)
	}
	res.Header.Set("Content-Type", strings.Replace(res.Header.Get("Content-Type"), "grpc-web-text", "grpc-web", 1))
	encoded, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(decodePieces(x.t, string(encoded))))
	return res, nil
}

// decodePieces decodes concatenated padded base64, a quantum at a time.
func decodePieces(t testing.TB, text string) []byte {
	t.Helper()
	if len(text)%4 != 0 {
		t.Fatalf("%d characters are no base64", len(text))
	}
	var out []byte
	for ; text != ""; text = text[4:] {
		b, err := base64.StdEncoding.DecodeString(text[:4])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

func callWebText(t testing.TB, url string, in proto.Message, header http.Header) outcome {
	c := &http.Client{Transport: textTripper{t, client(t, false).Transport}}
	return connectCall(t, c, url, in, header, connect.WithGRPCWeb())
}

func callREST(t testing.TB, url string, in proto.Message, header http.Header) outcome {
	body, err := protojson.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	status, h, text := do(t, client(t, false), "POST", url+"/t/v1/all", string(body), header)
	o := outcome{header: h}
	if status == http.StatusOK {
		o.answer = newEverything()
		if err := protojson.Unmarshal([]byte(text), o.answer); err != nil {
			t.Fatal(err)
		}
		return o
	}
	o.code, o.message, o.details = parseStatus(t, text)
	return o
}

// parseStatus reads a google.rpc.Status in JSON without the code under test.
func parseStatus(t testing.TB, text string) (codes.Code, string, []proto.Message) {
	t.Helper()
	var s struct {
		Code    codes.Code
		Message string
		Details []json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var details []proto.Message
	for _, raw := range s.Details {
		var d anypb.Any
		if err := protojson.Unmarshal(raw, &d); err != nil {
			t.Fatal(err)
		}
		details = append(details, unpack(t, &d))
	}
	return s.Code, s.Message, details
}

// do sends one HTTP request.
func do(t testing.TB, c *http.Client, method, url, body string, header http.Header) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}
