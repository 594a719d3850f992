package system_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/delivery"
	"castellan/internal/egress"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// enqueue gives an instance a message of a kind.
func (f *fixture) enqueue(instance, id, kind, url string) {
	f.Helper()
	f.must(f.log.Write(f.Context(), ident.InstanceID(instance), "ada", func(ctx context.Context, w *eventlog.Writer) error {
		return delivery.Enqueue(ctx, w, ident.DeliveryID(id), delivery.Due{
			Kind: kind, URL: url, ContentType: "application/json", Body: []byte(`{}`),
		})
	}))
}

// deliver runs a worker until nothing is due.
func (f *fixture) deliver() {
	f.Helper()
	stopping, asleep := make(chan struct{}), make(chan struct{}, 1)
	w := &delivery.Worker{
		Deliveries: &delivery.Service{DB: f.db, Log: f.log}, Clock: f.clock, Random: strings.NewReader(""),
		Client: egress.New(egress.Config{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}),
		Logger: slog.New(slog.DiscardHandler),
		Alarm: func(time.Time) (<-chan time.Time, func()) {
			select {
			case asleep <- struct{}{}:
			default:
			}
			return nil, func() {}
		},
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(f.Context(), stopping)
	}()
	<-asleep // attempts may be under way
	close(stopping)
	<-ended
}

func TestFailedEvents(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two := f.create("One", ""), f.create("Two", "")
		list := func(want ...*systemv1.FailedEvent) {
			f.Helper()
			before := f.count()
			var out systemv1.ListFailedEventsResponse
			f.decode(&out, f.send(request{verb: http.MethodPost, path: "/failedevents/_search", body: "{}", as: viewer}))
			f.equal(&out, &systemv1.ListFailedEventsResponse{Result: want})
			if f.count() != before {
				f.Error("a list left events")
			}
		}
		list()
		arrives := false
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if !arrives || r.URL.Path != "/one" {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, "hunter2")
			}
		}))
		f.Cleanup(receiver.Close)
		const number = 9223372036854775807 // the greatest id there can be
		f.enqueue(one, "7", "quota_notification", receiver.URL+"/one?hunter2")
		f.enqueue(two, "9223372036854775807", "hook", receiver.URL+"/two?hunter2")
		f.enqueue(two, "8", "hook", "http://10.0.0.1/?hunter2")
		list() // nothing has been tried
		f.deliver()
		failed := func(instance, kind string, number, count uint64, why string) *systemv1.FailedEvent {
			return &systemv1.FailedEvent{
				Database: "castellan", ViewName: "projections.deliveries_" + kind, FailedSequence: number, FailureCount: count,
				ErrorMessage: "instance " + instance + ": " + why, LastFailed: timestamppb.New(f.clock.Now()),
			}
		}
		first := failed(one, "quota_notification", 7, 1, "status 503")
		second := failed(two, "hook", 8, 1, "the address is not allowed (private network)")
		list(first, second, failed(two, "hook", number, 1, "status 503"))
		before := f.events(two)
		f.clock.Advance(time.Hour)
		arrives = true
		f.deliver() // the first arrives, the others fail again
		second, third := failed(two, "hook", 8, 2, "the address is not allowed (private network)"), failed(two, "hook", number, 2, "status 503")
		list(second, third)

		remove := func(view, number, instance string) request {
			return request{verb: http.MethodDelete, path: "/failedevents/castellan/" + view + "/" + number + "?instanceId=" + instance}
		}
		for _, absent := range []request{
			remove("projections.deliveries_hook", "404", two), remove("projections.deliveries_hook", "0", two),
			remove("projections.deliveries_hook", "8", one), remove("projections.deliveries_webhook", "8", two),
			remove("projections.users", "8", two), remove("hook", "8", two), remove("projections.deliveries_quota_notification", "7", one),
			remove("projections.deliveries_hook", "18446744073709551615", two),
		} {
			f.call(&systemv1.RemoveFailedEventResponse{}, absent.verb, absent.path, "")
		}
		list(second, third)
		f.call(&systemv1.RemoveFailedEventResponse{}, http.MethodDelete,
			"/failedevents/other/projections.deliveries_hook/9223372036854775807?instance_id="+two, "")
		f.call(&systemv1.RemoveFailedEventResponse{}, http.MethodDelete,
			"/failedevents/castellan/projections.deliveries_hook/9223372036854775807?instance_id="+two, "") // again
		list(second)
		f.clock.Advance(24 * time.Hour)
		f.deliver() // what was removed is not tried
		list(failed(two, "hook", 8, 3, "the address is not allowed (private network)"))
		left := logtest.Types(f, f.db, f.log, ident.InstanceID(two))[before:]
		slices.Sort(left) // attempts overlap
		if want := []string{
			"delivery.attempted", "delivery.attempted", "delivery.attempted", "delivery.dismissed",
			"delivery.failed", "delivery.failed", "delivery.failed",
		}; !slices.Equal(left, want) {
			f.Errorf("events %v, want %v", left, want)
		}
		logtest.CheckFold(f, f.db, f.log)

		f.refused(remove("projections.deliveries_hook", "x", two), http.StatusBadRequest, "", "failed_sequence")
		f.refused(remove("projections.deliveries_hook", "-1", two), http.StatusBadRequest, "", "failed_sequence")
		f.refused(remove(strings.Repeat("x", 201), "1", two), http.StatusBadRequest, "", "view_name")
		f.hidden(http.MethodDelete, "/failedevents/castellan/projections.deliveries_hook/8?instanceId=404", "", false)
		if a := f.send(remove("projections.deliveries_hook", "8", "")); a.Status != http.StatusNotFound {
			f.Errorf("without an instance: %d %s", a.Status, a.body)
		}
		f.refused(request{verb: http.MethodPost, path: "/failedevents/_search", body: "{}", as: nobody}, http.StatusUnauthorized, "AUTH-7fs1e")
	})
}
