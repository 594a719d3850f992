package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"castellan/internal/call"
	"castellan/internal/terminal"

	systemv1 "castellan/gen/zitadel/system/v1"
)

const (
	// maxAnswer bounds one answer of a server, in bytes: a list has up to 10,000 entries.
	maxAnswer = 64 << 20
	// maxSilence is how long a stream says nothing at most: three times what servers promise.
	maxSilence = time.Minute
	// idempotencyKey is the header of decision D11.
	idempotencyKey = "Idempotency-Key"
)

// Client calls the API of one server.
type Client struct {
	http    *http.Client
	base    string // without a slash at the end
	timeout time.Duration
	silence time.Duration // how long a stream may say nothing
	token   func() (string, error)
	// wait shows that something is being waited for; see [terminal.Terminal.Wait].
	wait func(what string) (done func())
}

// New returns a client of the server at base, a URL without a path. token returns the token of
// one call; timeout is how long a call may take.
func New(base string, transport http.RoundTripper, timeout time.Duration, token func() (string, error)) *Client {
	return &Client{
		http: &http.Client{
			Transport: transport,
			// It goes where it was sent: a token must not follow a redirect.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base:    strings.TrimRight(base, "/"),
		timeout: timeout,
		silence: max(timeout, maxSilence),
		token:   token,
		wait:    func(string) func() { return func() {} },
	}
}

// Invoke makes one call with the Connect protocol and returns the answer. key, unless empty,
// makes it repeatable. Its errors are of package connect, see [Client.Explain].
func Invoke[Req, Res any](ctx context.Context, c *Client, procedure, key string, request *Req) (*Res, error) {
	answer := new(Res)
	if _, err := c.send(ctx, procedure, idempotencyKey, key, box{request}, box{answer}); err != nil {
		return nil, err
	}
	return answer, nil
}

// InvokePage is [Invoke] for a page of a list. It begins at position, the next of an answer to the
// same request, unless that is empty; next is empty for the last page, and for lists that do not
// say it.
func InvokePage[Req, Res any](ctx context.Context, c *Client, procedure, position string, request *Req) (_ *Res, next string, _ error) {
	answer := new(Res)
	with, err := c.send(ctx, procedure, call.PageHeader, position, box{request}, box{answer})
	if err != nil {
		return nil, "", err
	}
	return answer, with.Get(call.NextPageHeader), nil
}

// send makes one call, with a header beside that of the token unless its value is empty. It returns the headers of the
// answer.
func (c *Client) send(ctx context.Context, procedure, header, value string, request, answer box) (http.Header, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	asked := asking(request, token)
	if value != "" {
		asked.Header().Set(header, value)
	}
	defer c.wait("waiting for " + c.base)()
	answered, err := c.calls(procedure, func() any { return answer.message }).CallUnary(ctx, asked)
	if err != nil {
		return nil, err
	}
	return answered.Header(), nil
}

// CreateInstance calls CreateInstance; see [Invoke] for key and errors.
func (c *Client) CreateInstance(ctx context.Context, key string, request *systemv1.CreateInstanceRequest) (*systemv1.CreateInstanceResponse, error) {
	return Invoke[systemv1.CreateInstanceRequest, systemv1.CreateInstanceResponse](
		ctx, c, systemv1.SystemService_CreateInstance_FullMethodName, key, request)
}

// GetInstance calls GetInstance; see [Invoke] for errors.
func (c *Client) GetInstance(ctx context.Context, id string) (*systemv1.GetInstanceResponse, error) {
	return Invoke[systemv1.GetInstanceRequest, systemv1.GetInstanceResponse](
		ctx, c, systemv1.SystemService_GetInstance_FullMethodName, "", &systemv1.GetInstanceRequest{InstanceId: id})
}

// OutcomeUnknown says whether a call that failed may have been carried out all the same.
func OutcomeUnknown(err error) bool {
	var network *net.OpError
	if !errors.As(err, new(*connect.Error)) || errors.As(err, &network) && network.Op == "dial" {
		return false // never sent
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeUnknown, connect.CodeInternal:
		return true
	default:
		return false
	}
}

// Explain says what an error of a call means to the person who made it: the server cannot be
// reached, or it refused, with the fields at fault on lines of their own.
func (c *Client) Explain(err error) error {
	var refused *connect.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %s", c.base, c.timeout)
	case !errors.As(err, &refused):
		return err
	case !connect.IsWireError(err) && refused.Code() == connect.CodeUnavailable:
		return fmt.Errorf("cannot reach %s: %w", c.base, refused.Unwrap())
	case !connect.IsWireError(err):
		return fmt.Errorf("%s does not answer as a castellan server does: %w", c.base, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the server refused: %s [%s]", terminal.Printable(refused.Message()), refused.Code())
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		if err != nil {
			continue // of a type we do not know
		}
		if bad, ok := value.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				fmt.Fprintf(&b, "\n  %s: %s", terminal.Printable(v.GetField()), terminal.Printable(v.GetDescription()))
			}
		}
	}
	return errors.New(b.String())
}
