package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	systemv1 "castellan/gen/zitadel/system/v1"
)

const (
	// maxAnswer bounds one answer of a server, in bytes.
	maxAnswer = 4 << 20
	// callLifetime is the life of a token made for one call: enough for clocks that differ a little.
	callLifetime = time.Minute
	// idempotencyKey is the header of decision D11.
	idempotencyKey = "Idempotency-Key"
)

// client calls the System API of one server.
type client struct {
	http    *http.Client
	base    string // without a slash at the end
	timeout time.Duration
	token   func() (string, error)
}

// newHTTPClient returns an HTTP client that goes where it was sent: a token must not follow a
// redirect.
func newHTTPClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// access is what the flags of a client command say about the server and who calls it.
type access struct {
	server, token string
	timeout       time.Duration
	identity      *identity
}

// addAccess gives cmd the flags of a client command.
func addAccess(cmd *cobra.Command) *access {
	a := &access{identity: addIdentity(cmd)}
	flags := cmd.Flags()
	flags.StringVar(&a.server, "server", "", "`URL` of the server ["+serverEnv+"], default http://localhost:8080")
	flags.StringVar(&a.token, "token", "", "a `token` to send instead of one made with the key ["+tokenEnv+"]")
	flags.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long to wait for the answer")
	cmd.MarkFlagsMutuallyExclusive("token", "key")
	return a
}

// client returns the client that flags and environment describe.
func (p *program) client(a *access) (*client, error) {
	if a.timeout <= 0 {
		return nil, usagef("--timeout must be more than 0")
	}
	base := cmp.Or(a.server, p.environ[serverEnv])
	if base == "" {
		issuer, _, err := issuerOf(p.environ)
		if err != nil {
			return nil, err
		}
		base = issuer
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("--server or %s must be a URL such as http://localhost:8080", serverEnv)
	}
	// One call needs one connection, which nobody will want afterwards.
	oneShot := http.DefaultTransport.(*http.Transport).Clone()
	oneShot.DisableKeepAlives = true
	c := &client{http: newHTTPClient(oneShot), base: strings.TrimRight(base, "/"), timeout: a.timeout}
	token := a.token
	if token == "" && a.identity.key == "" {
		token = p.environ[tokenEnv]
	}
	if token != "" {
		c.token = func() (string, error) { return token, nil }
		return c, nil
	}
	id, err := a.identity.complete(p.environ, origin(u))
	if err != nil {
		return nil, err
	}
	c.token = func() (string, error) { return id.mint(p.clock.Now(), callLifetime) }
	return c, nil
}

// origin returns scheme, host and port of u as an issuer has them: without the port of the scheme.
func origin(u *url.URL) string {
	host := u.Host
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + strings.ToLower(host)
}

// invoke makes one call with the Connect protocol and returns the answer. key, unless empty,
// makes it repeatable. Its errors are of package connect, see [client.explain].
func invoke[Req, Res any](ctx context.Context, c *client, procedure, key string, request *Req) (*Res, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	call := connect.NewRequest(request)
	call.Header().Set("Authorization", "Bearer "+token)
	if key != "" {
		call.Header().Set(idempotencyKey, key)
	}
	answer, err := connect.NewClient[Req, Res](c.http, c.base+procedure, connect.WithReadMaxBytes(maxAnswer)).CallUnary(ctx, call)
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// createInstance calls CreateInstance.
func (c *client) createInstance(ctx context.Context, key string, request *systemv1.CreateInstanceRequest) (*systemv1.CreateInstanceResponse, error) {
	return invoke[systemv1.CreateInstanceRequest, systemv1.CreateInstanceResponse](
		ctx, c, systemv1.SystemService_CreateInstance_FullMethodName, key, request)
}

// getInstance calls GetInstance.
func (c *client) getInstance(ctx context.Context, id string) (*systemv1.GetInstanceResponse, error) {
	return invoke[systemv1.GetInstanceRequest, systemv1.GetInstanceResponse](
		ctx, c, systemv1.SystemService_GetInstance_FullMethodName, "", &systemv1.GetInstanceRequest{InstanceId: id})
}

// outcomeUnknown says whether a call that failed may have been carried out all the same.
func outcomeUnknown(err error) bool {
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

// explain says what an error of a call means to the person who made it: the server cannot be
// reached, or it refused, with the fields at fault on lines of their own.
func (c *client) explain(err error) error {
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
	fmt.Fprintf(&b, "the server refused: %s [%s]", printable(refused.Message()), refused.Code())
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		if err != nil {
			continue // of a type we do not know
		}
		if bad, ok := value.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				fmt.Fprintf(&b, "\n  %s: %s", printable(v.GetField()), printable(v.GetDescription()))
			}
		}
	}
	return errors.New(b.String())
}
