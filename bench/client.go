package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// callLimit is about how long a call may take, in all rounds, before it counts as failed.
const callLimit = 30 * time.Second

// Paths of the interface.
const (
	pathReady  = "/debug/ready"
	pathCreate = "/system/v1/instances/_create"
	pathGet    = "/system/v1/instances/"
)

// restClient is one connection that is kept alive (HTTP/1.1). It writes requests by itself: the
// load shares the machine with what it measures and must cost little.
type restClient struct {
	conn  wire
	begun time.Time // of a call from which on its deadline counts
	in    *bufio.Reader
	out   []byte
	head  []byte // of the last answer
	body  []byte // and its body
	host  string
	token string // empty: none is sent
	basic string // what is sent of scheme Basic, when there is no token
	// contentType is that of bodies; empty is JSON.
	contentType string
}

// wire is what a restClient needs of a connection.
type wire interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

func dialREST(addr, token string) (*restClient, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &restClient{conn: conn, in: bufio.NewReader(conn), host: addr, token: token}, nil
}

// dialQuiet is dialREST for a member of a crowd, without a token.
func dialQuiet(addr string) (*restClient, *quiet, error) {
	c, err := dialREST(addr, "")
	if err != nil {
		return nil, nil, err
	}
	q, err := hush(c.conn.(*net.TCPConn))
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	c.conn = q
	c.in.Reset(q)
	return c, q, nil
}

// do sends one request and returns the answer, which is good until the next. An answer other
// than 200 is a *statusError.
func (c *restClient) do(method, path string, body []byte) ([]byte, error) {
	if err := c.send(method, path, body); err != nil {
		return nil, err
	}
	return c.receive(method, path)
}

// send sends one request; receive must follow.
func (c *restClient) send(method, path string, body []byte) error {
	if now := time.Now(); now.Sub(c.begun) > callLimit/10 {
		if err := c.conn.SetDeadline(now.Add(callLimit)); err != nil {
			return err
		}
		c.begun = now
	}
	out := c.out[:0]
	out = append(out, method+" "+path+" HTTP/1.1\r\nHost: "+c.host+"\r\n"...)
	if c.token != "" {
		out = append(out, "Authorization: Bearer "+c.token+"\r\n"...)
	}
	if c.token == "" && c.basic != "" {
		out = append(out, "Authorization: Basic "+c.basic+"\r\n"...)
	}
	if body != nil {
		out = append(out, "Content-Type: "+cmp.Or(c.contentType, "application/json")+"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n"...)
	}
	out = append(append(out, "\r\n"...), body...)
	c.out = out
	_, err := c.conn.Write(out)
	return err
}

// receive returns the answer to the request that was sent, see do.
func (c *restClient) receive(method, path string) ([]byte, error) {
	status, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if status != http.StatusOK {
		return nil, &statusError{method + " " + path, status, fmt.Sprintf("%.300s", c.body)}
	}
	return c.body, nil
}

// Faults of answers.
var (
	errStatusLine = errors.New("the answer has no status")
	errEndless    = errors.New("the answer does not say where it ends")
)

// read reads an answer into head and body, and returns its status. Of the head it looks at no more than says
// where the body ends: to make values of all headers would cost more than it costs some servers to send them.
func (c *restClient) read() (status int, err error) {
	c.head = c.head[:0]
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(line, []byte(" "))
	if len(rest) < 3 {
		return 0, errStatusLine
	}
	if status, err = strconv.Atoi(string(rest[:3])); err != nil {
		return 0, errStatusLine
	}
	length, chunked := -1, false
	for {
		if line, err = c.line(); err != nil {
			return 0, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(line) == 0:
			return status, c.readBody(length, chunked)
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, errEndless
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
}

// line reads a line, adds it to the head, and returns it without its end.
func (c *restClient) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	c.head = append(c.head, line...)
	return bytes.TrimRight(line, "\r\n"), err
}

// readBody reads what follows a head.
func (c *restClient) readBody(length int, chunked bool) (err error) {
	switch {
	case chunked:
		c.body, err = io.ReadAll(httputil.NewChunkedReader(c.in))
		if err == nil {
			_, err = c.in.Discard(len("\r\n")) // nobody sends trailers here
		}
	case length < 0:
		err = errEndless
	default:
		c.body = slices.Grow(c.body[:0], length)[:length]
		_, err = io.ReadFull(c.in, c.body)
	}
	return err
}

// header returns the headers of the last answer.
func (c *restClient) header() (http.Header, error) {
	head := textproto.NewReader(bufio.NewReader(bytes.NewReader(c.head)))
	if _, err := head.ReadLine(); err != nil { // the status
		return nil, err
	}
	all, err := head.ReadMIMEHeader()
	return http.Header(all), err
}

func (c *restClient) Close() error { return c.conn.Close() }

// create makes an instance and returns its id.
func (c *restClient) create(request []byte) (id string, err error) {
	answer, err := c.do(http.MethodPost, pathCreate, request)
	if err != nil {
		return "", err
	}
	var made struct {
		InstanceID string `json:"instanceId"`
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return "", fmt.Errorf("answer of CreateInstance: %w", err)
	}
	if made.InstanceID == "" {
		return "", errors.New("CreateInstance answered no id")
	}
	return made.InstanceID, nil
}

// get reads an instance.
func (c *restClient) get(id string) ([]byte, error) { return c.do(http.MethodGet, pathGet+id, nil) }

// Requests of CreateInstance. Names are the same in all of them, which the interface allows; the
// generated domain gets a random part.
var (
	requestToken = []byte(`{"instanceName":"Example Tenant","firstOrgName":"Example","machine":` +
		`{"userName":"operator","name":"Operator","personalAccessToken":{}}}`)
	requestKey = []byte(`{"instanceName":"Example Tenant","firstOrgName":"Example","machine":` +
		`{"userName":"operator","name":"Operator","machineKey":{"type":"KEY_TYPE_JSON"}}}`)
	requestHuman = []byte(`{"instanceName":"Example Tenant","firstOrgName":"Example","human":` +
		`{"userName":"ada","email":{"email":"ada@example.com","isEmailVerified":true},` +
		`"profile":{"firstName":"Ada","lastName":"Example"},"password":{"password":"` + password + `"}}}`)
)

// password fulfils the default policy.
const password = "Correct-Horse-7-Battery"

// grpcClient is one connection.
type grpcClient struct {
	conn  *grpc.ClientConn
	calls systemv1.SystemServiceClient
	token string
}

func dialGRPC(addr, token string) (*grpcClient, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &grpcClient{conn: conn, calls: systemv1.NewSystemServiceClient(conn), token: "Bearer " + token}, nil
}

// get reads an instance.
func (c *grpcClient) get(ctx context.Context, id string) (*systemv1.GetInstanceResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.token)
	answer, err := c.calls.GetInstance(ctx, &systemv1.GetInstanceRequest{InstanceId: id})
	if err == nil && answer.GetInstance().GetId() != id {
		return nil, fmt.Errorf("GetInstance of %s answered %q", id, answer.GetInstance().GetId())
	}
	return answer, err
}

func (c *grpcClient) Close() error { return c.conn.Close() }

// clients are connections that are closed together.
type clients []io.Closer

func (c clients) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// restCalls opens n connections and returns what each calls.
func restCalls(n int, addr, token string, does func(c *restClient) call) ([]call, clients, error) {
	var (
		calls []call
		open  clients
	)
	for range n {
		c, err := dialREST(addr, token)
		if err != nil {
			return nil, nil, errors.Join(err, open.Close())
		}
		calls, open = append(calls, does(c)), append(open, c)
	}
	return calls, open, nil
}

// grpcCalls is restCalls for gRPC, whose connections are opened by their first call.
func grpcCalls(n int, addr, token string, does func(c *grpcClient) call) ([]call, clients, error) {
	var (
		calls []call
		open  clients
	)
	for range n {
		c, err := dialGRPC(addr, token)
		if err != nil {
			return nil, nil, errors.Join(err, open.Close())
		}
		calls, open = append(calls, does(c)), append(open, c)
	}
	return calls, open, nil
}

// creates returns a call that makes an instance by the given request.
func creates(request []byte) func(c *restClient) call {
	return func(c *restClient) call {
		return func(context.Context, int) error {
			_, err := c.do(http.MethodPost, pathCreate, request)
			return err
		}
	}
}

// pick returns a source of ids in random order: the same for both sides.
func pick(ids []string) func() string {
	order := rand.New(rand.NewPCG(1, 2))
	return func() string { return ids[order.IntN(len(ids))] }
}
