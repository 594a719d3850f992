package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	lifecyclev1 "castellan/gen/castellan/system/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

const watch = lifecyclev1.InstanceLifecycleService_WatchInstances_FullMethodName

// secret is the token of clients here.
func secret() (string, error) { return "secret", nil }

// to returns a client of a server that handles one procedure.
func to(t *testing.T, procedure string, h http.Handler) *Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(procedure, h)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return New(server.URL+"/", server.Client().Transport, time.Minute, secret)
}

// A token goes where it was sent, and not where the server would like to have it.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the thief got %v", r.Header)
	}))
	defer thief.Close()
	c := to(t, systemv1.SystemService_GetInstance_FullMethodName, http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	_, err := c.GetInstance(t.Context(), "1")
	if err == nil || !strings.Contains(c.Explain(err).Error(), "does not answer as a castellan server does") {
		t.Errorf("got %v", err)
	}
}

// Nothing is sent without a token.
func TestNoToken(t *testing.T) {
	t.Parallel()
	broken := errors.New("no key")
	c := New("http://127.0.0.1:0", http.DefaultTransport, time.Minute, func() (string, error) { return "", broken })
	_, err := c.GetInstance(t.Context(), "1")
	stream := Stream(t.Context(), c, watch, &lifecyclev1.WatchInstancesRequest{}, func(*lifecyclev1.WatchInstancesResponse) error { return nil })
	for _, err := range []error{err, stream} {
		if !errors.Is(err, broken) || OutcomeUnknown(err) || !errors.Is(c.Explain(err), broken) {
			t.Errorf("got %v", err)
		}
	}
}

// streams returns a client of a server that sends one message and then does as end says.
func streams(t *testing.T, end func(context.Context) error) *Client {
	t.Helper()
	return to(t, watch, connect.NewServerStreamHandler(watch,
		func(ctx context.Context, r *connect.Request[lifecyclev1.WatchInstancesRequest], s *connect.ServerStream[lifecyclev1.WatchInstancesResponse]) error {
			if r.Header().Get("Authorization") != "Bearer secret" {
				t.Errorf("called with %v", r.Header())
			}
			if err := s.Send(&lifecyclev1.WatchInstancesResponse{Position: "p"}); err != nil {
				return err
			}
			return end(ctx)
		}))
}

func TestStream(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	enough, stop := context.WithCancel(t.Context())
	tooMuch := errors.New("too much")
	for name, c := range map[string]struct {
		ctx  context.Context
		end  func(context.Context) error
		see  func() error
		want string
		is   error
	}{
		"the server ends it":   {t.Context(), func(context.Context) error { return nil }, nil, "", nil},
		"the server fails":     {t.Context(), func(context.Context) error { return connect.NewError(connect.CodeUnavailable, nil) }, nil, "[unavailable]", nil},
		"the server is silent": {t.Context(), hang, nil, " has said nothing for 20ms", nil},
		"the caller ends it":   {enough, hang, func() error { stop(); return nil }, "", context.Canceled},
		"the caller fails":     {t.Context(), hang, func() error { return tooMuch }, "", tooMuch},
	} {
		client, seen, waited := streams(t, c.end), 0, 0
		client.wait = func(string) func() { return func() { waited++ } }
		if strings.Contains(c.want, "20ms") {
			client.silence = 20 * time.Millisecond
		}
		err := Stream(c.ctx, client, watch, &lifecyclev1.WatchInstancesRequest{}, func(m *lifecyclev1.WatchInstancesResponse) error {
			seen++
			if waited != 1 || m.GetPosition() != "p" {
				t.Errorf("%s: waited %d times for %v", name, waited, m)
			}
			if c.see != nil {
				return c.see()
			}
			return nil
		})
		if seen != 1 || waited != 1 {
			t.Errorf("%s: seen %d, waited %d", name, seen, waited)
		}
		switch {
		case c.is != nil && !errors.Is(err, c.is), c.want != "" && (err == nil || !strings.Contains(client.Explain(err).Error(), c.want)):
			t.Errorf("%s: got %v", name, err)
		case c.is == nil && c.want == "" && err != nil:
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Issuers leave out the port that is the usual one of the scheme, and are in lower case.
func TestOrigin(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://Localhost:8080": "http://localhost:8080", "https://id.example:443": "https://id.example",
		"http://id.example:80": "http://id.example", "https://id.example:80": "https://id.example:80",
	} {
		u, err := url.Parse(base)
		if err != nil || origin(u) != want {
			t.Errorf("%s: %s, %v", base, origin(u), err)
		}
	}
}
