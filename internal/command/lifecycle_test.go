package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"

	lifecyclev1 "castellan/gen/castellan/system/v1"
)

// stream makes f answer WatchInstances.
func stream(f *fake, with func(context.Context, *lifecyclev1.WatchInstancesRequest, func(*lifecyclev1.WatchInstancesResponse)) error) {
	procedure := lifecyclev1.InstanceLifecycleService_WatchInstances_FullMethodName
	f.mux.Handle(procedure, connect.NewServerStreamHandler(procedure,
		func(ctx context.Context, r *connect.Request[lifecyclev1.WatchInstancesRequest], s *connect.ServerStream[lifecyclev1.WatchInstancesResponse]) error {
			if r.Header().Get("Authorization") != "Bearer secret" {
				f.t.Errorf("called with %v", r.Header())
			}
			return with(ctx, r.Msg, func(m *lifecyclev1.WatchInstancesResponse) {
				if err := s.Send(m); err != nil {
					f.t.Errorf("send: %v", err)
				}
			})
		}))
}

// change is a message with a change.
func change(position string) *lifecyclev1.WatchInstancesResponse {
	return &lifecyclev1.WatchInstancesResponse{Position: position, Change: &lifecyclev1.Change{
		InstanceId: "7", Type: lifecyclev1.ChangeType_CHANGE_TYPE_DOMAINS_CHANGED, EventType: "instance.domain.added", Sequence: 9,
		At: timestamppb.New(now), Actor: "ops",
	}}
}

// A watch shows changes as they come. Ended from outside, it says where to go on, and that is no
// failure.
func TestWatch(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	stream(f, func(ctx context.Context, r *lifecyclev1.WatchInstancesRequest, send func(*lifecyclev1.WatchInstancesResponse)) error {
		if r.GetPosition() != "p0" || r.GetFromBeginning() || strings.Join(r.GetInstanceIds(), " ") != "7 8" {
			t.Errorf("asked for %v", r)
		}
		send(&lifecyclev1.WatchInstancesResponse{Position: "p0"})
		send(change("p1"))
		send(&lifecyclev1.WatchInstancesResponse{Position: "p 2"})
		<-ctx.Done()
		return ctx.Err()
	})
	args := []string{"instance", "watch", "--instance", "7", "--instance", "8", "--position", "p0"}
	p := f.cli.Start(t, "ops\n", args...)
	want := "AT                    INSTANCE            CHANGE           EVENT                           SEQUENCE  ACTOR\n" +
		"2030-01-02T03:04:05Z  7                   domains-changed  instance.domain.added           9         ops\n"
	if p.Stop() != terminal.ExitOK || p.Out.String() != want || !strings.HasPrefix(p.Err.String(), "Go on with --position ") {
		t.Errorf("code %d, %q, %q", p.Code, p.Out, p.Err)
	}

	p = f.cli.Start(t, `"p 2"`, append(args, "-o", "json")...)
	want = `{"position":"p0"}
{"position":"p1","change":{"instanceId":"7","type":"CHANGE_TYPE_DOMAINS_CHANGED","eventType":"instance.domain.added","sequence":"9","at":"2030-01-02T03:04:05Z","actor":"ops"}}
{"position":"p 2"}
`
	if p.Stop() != terminal.ExitOK || p.Out.String() != want || p.Err.String() != "" {
		t.Errorf("code %d, %q, %q", p.Code, p.Out, p.Err)
	}
}

// A stream that the server ends is a failure, with the position that was reached.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	stream(f, func(_ context.Context, r *lifecyclev1.WatchInstancesRequest, send func(*lifecyclev1.WatchInstancesResponse)) error {
		if !r.GetFromBeginning() {
			t.Errorf("asked for %v", r)
		}
		send(&lifecyclev1.WatchInstancesResponse{Position: "p 1"})
		return connect.NewError(connect.CodeUnavailable, fmt.Errorf("the server stops"))
	})
	got := f.cli.Run(t, "instance", "watch", "--from-beginning")
	if got.Code != terminal.ExitFailure || strings.Count(got.Out, "\n") != 1 {
		t.Errorf("got %+v", got)
	}
	terminaltest.Contains(t, got.Err, "Go on with --position 'p 1'\ncastellan: the server refused: the server stops [unavailable]\n")

	hung := newFake(t)
	hung.mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the end of the client is seen
		<-r.Context().Done()
	})
	hung.cli.Fail(t, terminal.ExitFailure, []string{"did not answer within 50ms"}, "instance", "watch", "--timeout", "50ms")
}

// The pages of the audit log follow each other by position.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	answer(f, lifecyclev1.InstanceLifecycleService_ListAuditEntries_FullMethodName,
		func(r *lifecyclev1.ListAuditEntriesRequest) (*lifecyclev1.ListAuditEntriesResponse, error) {
			if r.GetActor() != "ops" {
				t.Errorf("asked for %v", r)
			}
			next := map[string]string{"": "p1", "p1": "p2", "p2": ""}[r.GetPosition()]
			return &lifecyclev1.ListAuditEntriesResponse{
				Entries:      []*lifecyclev1.AuditEntry{{Actor: r.GetPosition(), RequestId: fmt.Sprint(r.GetLimit())}},
				NextPosition: next,
			}, nil
		})
	type entries struct {
		Entries      []struct{ Actor, RequestID string }
		NextPosition string
	}
	all := decode[entries](t, f.cli.Succeed(t, "audit", "list", "--actor", "ops", "--follow-pages", "-o", "json"))
	if len(all.Entries) != 3 || all.Entries[2].Actor != "p2" || all.Entries[2].RequestID != "1000" || all.NextPosition != "" {
		t.Errorf("got %+v", all)
	}
	one := f.cli.Run(t, "audit", "list", "--actor", "ops", "-o", "json")
	if got := decode[entries](t, one.Out); len(got.Entries) != 1 || got.NextPosition != "p1" {
		t.Errorf("got %+v", got)
	}
	if one.Err != "There are more; --follow-pages shows all of them.\n" {
		t.Errorf("got %q", one.Err)
	}
	if got := f.cli.Run(t, "audit", "list", "--actor", "ops", "--limit", "1"); got.Err != "" {
		t.Errorf("got %q", got.Err)
	}
}
