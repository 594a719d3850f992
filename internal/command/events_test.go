package command

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/client"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"

	eventsv1 "castellan/gen/castellan/events/v1"
	eventv1 "castellan/gen/zitadel/event/v1"
)

// log is a fake server that tails: the nth stream is served by the nth function.
type log struct {
	*fake
	mu     sync.Mutex
	asked  []*eventsv1.TailEventsRequest
	tokens []string
	second chan time.Time // of the terminal
}

type send = func(*eventsv1.TailEventsResponse)

func newLog(t *testing.T, streams ...func(ctx context.Context, send send) error) *log {
	t.Helper()
	l := &log{fake: newFake(t), second: make(chan time.Time)}
	l.cli.Seconds = l.second
	procedure := eventsv1.EventService_TailEvents_FullMethodName
	l.mux.Handle(procedure, connect.NewServerStreamHandler(procedure,
		func(ctx context.Context, r *connect.Request[eventsv1.TailEventsRequest], s *connect.ServerStream[eventsv1.TailEventsResponse]) error {
			l.mu.Lock()
			n := len(l.asked)
			l.asked = append(l.asked, r.Msg)
			l.tokens = append(l.tokens, r.Header().Get("Authorization"))
			l.mu.Unlock()
			if n >= len(streams) {
				return connect.NewError(connect.CodeUnimplemented, errors.New("one stream too many"))
			}
			return streams[n](ctx, func(m *eventsv1.TailEventsResponse) {
				if err := s.Send(m); err != nil {
					t.Errorf("send: %v", err)
				}
			})
		}))
	return l
}

// request returns what the nth stream asked for.
func (l *log) request(n int) *eventsv1.TailEventsRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n >= len(l.asked) {
		l.t.Fatalf("there were %d streams", len(l.asked))
	}
	return l.asked[n]
}

// at is a message with a position alone; happened one with an event.
func at(position string) *eventsv1.TailEventsResponse {
	return &eventsv1.TailEventsResponse{Position: position}
}

func happened(position, name string) *eventsv1.TailEventsResponse {
	payload, err := structpb.NewStruct(map[string]any{"name": name})
	if err != nil {
		panic(err)
	}
	return &eventsv1.TailEventsResponse{Position: position, Event: &eventv1.Event{
		Editor:    &eventv1.Editor{UserId: "312", DisplayName: "Ada", Service: "zitadel"},
		Aggregate: &eventv1.Aggregate{Id: "7", Type: &eventv1.AggregateType{Type: "org"}, ResourceOwner: "7"},
		Sequence:  9, CreationDate: timestamppb.New(now), Payload: payload, Type: &eventv1.EventType{Type: "org.added"},
	}}
}

func TestTail(t *testing.T) {
	t.Parallel()
	forever := func(ctx context.Context, send send) error {
		send(at("p0"))
		send(happened("p1", "ACME"))
		send(at("p 2"))
		<-ctx.Done()
		return ctx.Err()
	}
	l := newLog(t, forever, forever)
	args := []string{"events", "tail", "--id", "7", "--position", "p0", "--type", "org.added", "--type", "org.removed", "--aggregate-type", "org", "--aggregate", "8"}
	p := l.cli.Start(t, "ACME", args...)
	want := "AT                    EVENT                               AGGREGATE                       SEQUENCE  BY                    PAYLOAD\n" +
		"2030-01-02T03:04:05Z  org.added                           org 7                           9         Ada                   {\"name\":\"ACME\"}\n"
	if p.Stop() != terminal.ExitOK || strings.ReplaceAll(p.Out.String(), `": "`, `":"`) != want || !strings.HasPrefix(p.Err.String(), "Go on with --position ") {
		t.Errorf("code %d, %q, %q", p.Code, p.Out, p.Err)
	}
	if r := l.request(0); r.GetInstanceId() != "7" || r.GetPosition() != "p0" || strings.Join(r.GetEventTypes(), " ") != "org.added org.removed" ||
		strings.Join(r.GetAggregateTypes(), " ") != "org" || r.GetAggregateId() != "8" || r.GetSince() != nil {
		t.Errorf("asked for %v", r)
	}
	p = l.cli.Start(t, `"p 2"`, append(args, "-o", "json")...)
	if p.Stop() != terminal.ExitOK || strings.Count(p.Out.String(), "\n") != 3 || p.Err.String() != "" ||
		!strings.HasPrefix(p.Out.String(), "{\"position\":\"p0\"}\n{\"position\":\"p1\",\"event\":{") {
		t.Errorf("code %d, %q, %q", p.Code, p.Out, p.Err)
	}
}

// What breaks is taken up where it was, after a pause that grows while nothing comes of it.
func TestTailGoesOn(t *testing.T) {
	t.Parallel()
	broken := func(position string, err error) func(context.Context, send) error {
		return func(_ context.Context, send send) error {
			if position != "" {
				send(happened(position, position))
			}
			return err
		}
	}
	stops := connect.NewError(connect.CodeUnavailable, errors.New("the server stops"))
	l := newLog(t,
		broken("p1", stops), broken("", connect.NewError(connect.CodeResourceExhausted, errors.New("busy"))), broken("p2", nil),
		broken("", connect.NewError(connect.CodePermissionDenied, errors.New("no more"))))
	p := l.cli.Start(t, "p1", "events", "tail", "--id", "7", "--since", "-24h")
	p.WaitFor(t, "the server stops [unavailable]; trying again in 1 s\n")
	l.second <- now
	p.WaitFor(t, "busy [resource_exhausted]; trying again in 2 s\n")
	l.second <- now
	l.second <- now
	p.WaitFor(t, "the server ended the stream; trying again in 1 s\n")
	l.second <- now
	<-p.Done
	if p.Code != terminal.ExitFailure {
		t.Errorf("code %d", p.Code)
	}
	terminaltest.Contains(t, p.Err.String(), "Go on with --position p2\ncastellan: the server refused: no more [permission_denied]\n")
	for n, position := range []string{"", "p1", "p1", "p2"} {
		if r := l.request(n); r.GetPosition() != position || (r.GetSince() != nil) != (n == 0) {
			t.Errorf("stream %d asked for %v", n, r)
		}
	}
	if out := p.Out.String(); strings.Count(out, "org.added") != 2 {
		t.Errorf("it showed\n%s", out)
	}
}

// What cannot begin is an error at once.
func TestTailDoesNotBegin(t *testing.T) {
	t.Parallel()
	l := newLog(t, func(context.Context, send) error {
		return connect.NewError(connect.CodeUnavailable, errors.New("the server stops"))
	})
	l.cli.Fail(t, terminal.ExitFailure, []string{"the server stops [unavailable]"}, "events", "tail", "--id", "7", "-o", "json")
	l.cli.Fail(t, terminal.ExitUsage, []string{"instance id"}, "events", "tail")
	l.cli.Fail(t, terminal.ExitUsage, []string{"instance id"}, "events", "tail", "--id", "7", "--instance", "https://acme")
	l.cli.Fail(t, terminal.ExitUsage, []string{"since position"}, "events", "tail", "--id", "7", "--since", "-1h", "--position", "p")
	l.cli.Fail(t, terminal.ExitUsage, []string{"--since must be"}, "events", "tail", "--id", "7", "--since", "yesterday")
	l.cli.Fail(t, terminal.ExitUsage, []string{"--scope needs --instance"}, "events", "tail", "--id", "7", "--scope", "openid")
	l.cli.Fail(t, terminal.ExitUsage, []string{"--server is for operators"}, "events", "tail", "--instance", "https://acme", "--server", "https://ops")
	l.cli.Fail(t, terminal.ExitUsage, []string{"--timeout must be"}, "events", "tail", "--instance", "https://acme", "--timeout", "0s")
	l.cli.Fail(t, terminal.ExitUsage, []string{"another character that no token has"}, "events", "tail", "--instance", "https://acme", "--token", "a b")
	nobody := castellan()
	nobody.Fail(t, terminal.ExitUsage, []string{"must say who calls"}, "events", "tail", "--instance", "https://acme")
}

// A user of the instance tails with a token, or with a key for which a new token is asked for when the one
// before is of no use any more.
func TestTailOfAUser(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	invalid := connect.NewError(connect.CodeUnauthenticated, errors.New("Errors.Token.Invalid"))
	expires := func(_ context.Context, send send) error {
		send(at("p1"))
		return invalid
	}
	refuses := func(context.Context, send) error { return invalid }
	l := newLog(t, expires, expires, refuses, refuses)
	p.Config.Handler.(*http.ServeMux).Handle("/castellan.events.v1.EventService/", l.mux) // one address has both
	cli := l.cli
	cli.Environ = map[string]string{client.TokenEnv: "from-the-environment"}
	run := cli.Start(t, "trying again in 1 s", "events", "tail", "--instance", p.URL, "--key", machineKey(t, newKey(t)))
	l.second <- now
	l.second <- now
	<-run.Done
	if run.Code != terminal.ExitFailure {
		t.Errorf("code %d", run.Code)
	}
	cli.Fail(t, terminal.ExitFailure, []string{"[unauthenticated]"}, "events", "tail", "--instance", p.URL, "-o", "json")
	if got := strings.Join(l.tokens, ", "); got != "Bearer at, Bearer at, Bearer at, Bearer from-the-environment" {
		t.Errorf("called with %s", got)
	}
	p.status, p.answer = http.StatusBadRequest, `{"error":"invalid_grant"}`
	cli.Fail(t, terminal.ExitFailure, []string{"refused: invalid_grant"}, "events", "tail", "--instance", p.URL, "--key", machineKey(t, newKey(t)), "-o", "json")
}
