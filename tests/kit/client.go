package kit

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// Client calls one node, over any protocol.
type Client struct {
	// URL is scheme, host and port.
	URL string
	// HTTP is for everything but gRPC. It speaks HTTP/1.1, over TLS also HTTP/2.
	HTTP *http.Client

	tls  *tls.Config
	addr string // of the node, when URL has another host; empty: that of URL
	mu   sync.Mutex
	conn *grpc.ClientConn
}

// NewClient returns a client that is closed when the test ends. url is http or https; then it
// trusts any certificate.
func NewClient(t testing.TB, url string) *Client {
	c := &Client{URL: url, tls: &tls.Config{InsecureSkipVerify: true}}
	c.HTTP = &http.Client{Transport: &http.Transport{
		TLSClientConfig: c.tls, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.Close)
	return c
}

// At returns a client of the same node that calls it by another host, without TLS.
func (c *Client) At(t testing.TB, host string) *Client {
	t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" {
		t.Fatalf("%s cannot be called by another host: %v", c.URL, err)
	}
	other := NewClient(t, "http://"+host)
	other.addr = u.Host
	other.HTTP.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, other.addr)
	}
	return other
}

// H2C returns an HTTP client that speaks HTTP/2 without TLS, by prior knowledge.
func H2C() *http.Client {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: &p}}
}

// GRPC returns the connection of grpc-go to the node.
func (c *Client) GRPC() (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		return c.conn, nil
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	secure := insecure.NewCredentials()
	if u.Scheme == "https" {
		secure = credentials.NewTLS(c.tls)
	}
	c.conn, err = grpc.NewClient("passthrough:///"+cmp.Or(c.addr, u.Host), grpc.WithTransportCredentials(secure),
		grpc.WithAuthority(u.Host))
	return c.conn, err
}

// Close closes the connections of the client.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close() // nothing is lost with it
		c.conn = nil
	}
	c.HTTP.CloseIdleConnections()
}

// Call is one call.
type Call struct {
	// Method is the name of the RPC. One of the System API stands alone, for example
	// CreateInstance; others have that of their service in front, for example
	// zitadel.instance.v2.InstanceService/GetInstance.
	Method  string
	Request proto.Message
	// Token is the bearer token; without one the call is anonymous.
	Token string
	// Header is sent as well, as metadata where the protocol calls it so.
	Header http.Header
}

// header is everything that is sent.
func (c Call) header() http.Header {
	h := c.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if c.Token != "" {
		h.Add("Authorization", "Bearer "+c.Token)
	}
	return h
}

// Path is where RPC protocols send a call of what [Call] calls a method.
func Path(name string) string {
	service, method := split(name)
	return "/" + service + "/" + method
}

// split returns service and method of what [Call] calls a method.
func split(name string) (service, method string) {
	if service, method, ok := strings.Cut(name, "/"); ok {
		return service, method
	}
	return systemv1.SystemService_ServiceDesc.ServiceName, name
}

// Method returns the descriptor of what [Call] calls a method.
func Method(name string) protoreflect.MethodDescriptor {
	service, method := split(name)
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	if err != nil {
		panic("kit: " + name + ": " + err.Error())
	}
	return d.(protoreflect.MethodDescriptor)
}

// Messages returns an empty request and an empty answer of what [Call] calls a method.
func Messages(name string) (request, answer proto.Message) {
	empty := func(d protoreflect.MessageDescriptor) proto.Message {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
		if err != nil {
			panic("kit: " + name + ": " + err.Error())
		}
		return kind.New().Interface()
	}
	return empty(Method(name).Input()), empty(Method(name).Output())
}

// Answer is what every client gets to see of a call, however the protocol writes it.
type Answer struct {
	Code codes.Code
	// Message is that of the status.
	Message string
	// ID is that of the zitadel.v1.ErrorDetail, empty without one.
	ID string
	// Fields are those of the google.rpc.BadRequest, in order.
	Fields []string
	// Details are the types of all details.
	Details []string
	// HTTP is the status of the response; 0 over gRPC.
	HTTP int
	// Header has headers and trailers.
	Header http.Header
}

// String says the outcome in one line, for the messages of tests.
func (a Answer) String() string {
	return fmt.Sprintf("%v %d %q id=%q fields=%q", a.Code, a.HTTP, a.Message, a.ID, a.Fields)
}

// addDetail reads one detail of a status.
func (a *Answer) addDetail(d *anypb.Any) error {
	m, err := d.UnmarshalNew()
	if err != nil {
		return err
	}
	a.Details = append(a.Details, string(m.ProtoReflect().Descriptor().FullName()))
	switch m := m.(type) {
	case *zitadelv1.ErrorDetail:
		a.ID = m.GetId()
	case *errdetails.BadRequest:
		for _, v := range m.GetFieldViolations() {
			if v.GetDescription() == "" {
				return fmt.Errorf("the violation of %s has no description", v.GetField())
			}
			a.Fields = append(a.Fields, v.GetField())
		}
	}
	return nil
}

// Succeeded are all calls of this run of the tests that were sent by [Wire.Send] and that succeeded.
var Succeeded Coverage

// Wire is one protocol of the port, with an independent client.
type Wire struct {
	Name string
	// Do sends the call and reads the answer into into, which may be nil, unless the call is
	// refused. The error is for what is no answer in the protocol.
	Do func(ctx context.Context, c *Client, call Call, into proto.Message) (Answer, error)
}

// Wires are all protocols of contract section 3.2.
func Wires() []Wire {
	return []Wire{
		REST(), Printed(), GRPC(),
		{"grpc-web", web(false)}, {"grpc-web-text", web(true)},
		{"connect", connect(false)}, {"connect-json", connect(true)},
	}
}

// Serves reports whether a method can be called over the protocol: all can, but over REST only those
// with a path.
func (w Wire) Serves(method string) bool {
	return !strings.HasPrefix(w.Name, "rest") || rule(method).GetPattern() != nil
}

// Call sends a call as Operator, and fails the test when there is no answer in the protocol.
// The error of the program, if any, is in the answer.
func (w Wire) Call(t testing.TB, c *Client, method string, in, into proto.Message) Answer {
	t.Helper()
	return w.Send(t, c, Call{Method: method, Request: in, Token: Operator().Token(t)}, into)
}

// Send sends a call, and fails the test when there is no answer in the protocol.
func (w Wire) Send(t testing.TB, c *Client, call Call, into proto.Message) Answer {
	t.Helper()
	a, err := w.Do(t.Context(), c, call, into)
	if err != nil {
		t.Fatalf("%s over %s: %v", call.Method, w.Name, err)
	}
	if a.Code == codes.OK {
		Succeeded.Add(call.Method, w)
	}
	return a
}

// post sends body and returns the whole response.
func post(ctx context.Context, c *http.Client, method, url string, body []byte, h http.Header) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(string(body)))
	if err != nil {
		return nil, nil, err
	}
	r.Header = h
	res, err := c.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, text, err
}

// Raw sends any HTTP request and returns status, header and body.
func Raw(t testing.TB, c *http.Client, method, url, body string, h http.Header) (int, http.Header, string) {
	t.Helper()
	if h == nil {
		h = http.Header{}
	}
	res, text, err := post(t.Context(), c, method, url, []byte(body), h)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res.StatusCode, res.Header, string(text)
}

// errNoAnswer is for responses that no client of the protocol could read.
var errNoAnswer = errors.New("no answer in the protocol")
