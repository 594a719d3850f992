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
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// callLimit is how long a call may take, in all rounds, before it counts as failed.
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
	conn  net.Conn
	in    *bufio.Reader
	out   []byte
	body  bytes.Buffer
	host  string
	token string // empty: none is sent
	basic string // what is sent of scheme Basic, when there is no token
	// contentType is that of bodies; empty is JSON.
	contentType string
}

func dialREST(addr, token string) (*restClient, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &restClient{conn: conn, in: bufio.NewReader(conn), host: addr, token: token}, nil
}

// do sends one request and returns the answer, which is good until the next. An answer other
// than 200 is a *statusError.
func (c *restClient) do(method, path string, body []byte) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(callLimit)); err != nil {
		return nil, err
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
	if _, err := c.conn.Write(out); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	c.body.Reset()
	_, err = c.body.ReadFrom(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, &statusError{method + " " + path, answer.StatusCode, fmt.Sprintf("%.300s", c.body.Bytes())}
	}
	return c.body.Bytes(), nil
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
