package operation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"castellan/internal/delivery"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/server"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// enqueue gives an instance a message, as a noun does that has to tell somebody something.
func enqueue(t *testing.T, n *kit.Node, instance, id, url string) {
	t.Helper()
	err := n.Events().Write(t.Context(), ident.InstanceID(instance), "test", func(ctx context.Context, w *eventlog.Writer) error {
		return delivery.Enqueue(ctx, w, ident.DeliveryID(id), delivery.Due{
			Kind: "hook", URL: url + "/?hunter2", ContentType: "text/plain", Body: []byte("message"),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// waitEvent waits until an instance has an event of a type.
func waitEvent(t *testing.T, n *kit.Node, instance, event string) {
	t.Helper()
	committed, stop := n.DB().Committed()
	defer stop()
	for deadline := time.After(kit.Patience); !slices.Contains(logtest.Types(t, n.DB(), n.Events(), ident.InstanceID(instance)), event); {
		select {
		case <-committed:
		case <-deadline:
			t.Fatalf("no %s; logged:\n%s", event, n.Logs.Bytes())
		}
	}
}

// local lets a node send to this machine.
func local(c *server.Config) { c.EgressAllowed = []string{"127.0.0.0/8", "::1/128"} }

// TestDelivery: a message is sent to where the operator allows it, and what fails is listed over
// every protocol until it is removed.
func TestDelivery(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		arrived := make(chan string, 10)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			arrived <- r.Header.Get(delivery.IDHeader)
		}))
		t.Cleanup(receiver.Close)
		n := b.Start(t, nil)
		id := n.Create(t, kit.Machine("Acme")).GetInstanceId()
		enqueue(t, n, id, "7", receiver.URL)
		waitEvent(t, n, id, "delivery.failed")
		for _, w := range kit.Wires() {
			var out systemv1.ListFailedEventsResponse
			a := w.Call(t, n.Client, "ListFailedEvents", &systemv1.ListFailedEventsRequest{}, &out)
			want := "instance " + id + ": the address is not allowed (loopback)"
			if a.Code != codes.OK || len(out.GetResult()) != 1 || out.GetResult()[0].GetErrorMessage() != want {
				t.Fatalf("over %s: %v, %v", w.Name, a, &out)
			}
			e := out.GetResult()[0]
			remove := &systemv1.RemoveFailedEventRequest{
				Database: e.GetDatabase(), ViewName: e.GetViewName(), FailedSequence: e.GetFailedSequence() + 1, InstanceId: id,
			}
			if a := w.Call(t, n.Client, "RemoveFailedEvent", remove, &systemv1.RemoveFailedEventResponse{}); a.Code != codes.OK {
				t.Errorf("over %s what is not there: %v", w.Name, a)
			}
			remove.FailedSequence, remove.InstanceId = e.GetFailedSequence(), "404"
			if a := w.Call(t, n.Client, "RemoveFailedEvent", remove, nil); a.Code != codes.NotFound {
				t.Errorf("over %s of no instance: %v", w.Name, a)
			}
			remove.InstanceId = id
			if w.Name != kit.Wires()[len(kit.Wires())-1].Name {
				continue // the others are to see it too
			}
			if a := w.Call(t, n.Client, "RemoveFailedEvent", remove, &systemv1.RemoveFailedEventResponse{}); a.Code != codes.OK {
				t.Errorf("over %s: %v", w.Name, a)
			}
			out.Reset()
			if w.Call(t, n.Client, "ListFailedEvents", &systemv1.ListFailedEventsRequest{}, &out); len(out.GetResult()) != 0 {
				t.Errorf("over %s after it was removed: %v", w.Name, &out)
			}
		}
		if got := counters(t, n.Client)[`castellan_delivery_attempts_total{outcome=failed}`]; got != 1 {
			t.Errorf("%v failed attempts are counted", got)
		}
		if len(arrived) != 0 {
			t.Error("a private address was called")
		}
		n.Stop(t)

		n = b.Start(t, local)
		enqueue(t, n, id, "8", receiver.URL)
		if got := <-arrived; got != "8" {
			t.Errorf("delivery %s arrived", got)
		}
		waitEvent(t, n, id, "delivery.succeeded")
		if got := counters(t, n.Client)[`castellan_delivery_attempts_total{outcome=succeeded}`]; got != 1 {
			t.Errorf("%v successful attempts are counted", got)
		}
		logtest.CheckFold(t, n.DB(), n.Events())
		if strings.Contains(string(n.Logs.Bytes()), "hunter2") {
			t.Error("the log shows the URL")
		}
	})
}

// TestShutdownFinishesDeliveries: a message under way is finished within the grace, and cut off
// after it; another node then sends it again.
func TestShutdownFinishesDeliveries(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]time.Duration{"finished": kit.Patience, "cut off": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := kit.NewBackend(t, "sqlite")
			began, answer := make(chan struct{}), make(chan struct{})
			receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(began)
				<-answer
			}))
			t.Cleanup(receiver.Close)
			n := b.Start(t, func(c *server.Config) {
				local(c)
				c.ShutdownGrace = grace
			})
			id := n.Create(t, kit.Machine("Acme")).GetInstanceId()
			enqueue(t, n, id, "7", receiver.URL)
			<-began
			finished := grace == kit.Patience
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				n.Stop(t)
			}()
			n.Logs.Wait(t, `"msg":"stopping"`, nil)
			if finished {
				close(answer)
				<-stopped
			} else {
				<-stopped
				close(answer)
			}
			n = b.Start(t, nil)
			types := logtest.Types(t, n.DB(), n.Events(), ident.InstanceID(id))
			if slices.Contains(types, "delivery.succeeded") != finished || slices.Contains(types, "delivery.failed") {
				t.Errorf("it left %v", types)
			}
		})
	}
}
