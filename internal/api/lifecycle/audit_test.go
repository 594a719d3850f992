package lifecycle

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/audit"
	"castellan/internal/ident"

	castellansystemv1 "castellan/gen/castellan/system/v1"
)

// record writes entries to the audit log, one a minute.
func (f *fixture) record(entries ...audit.Entry) {
	f.Helper()
	log, err := audit.New(audit.Config{DB: f.db, Clock: f.clock, Retention: time.Hour, Interval: time.Second})
	f.must(err)
	for i, e := range entries {
		e.At = start.Add(time.Duration(i) * time.Minute)
		e.RequestID = fmt.Sprint("r", i)
		slot, err := log.Reserve(f.Context())
		f.must(err)
		slot.Record(e)
	}
	f.must(log.Flush(f.Context()))
}

// found returns the request ids of a page, and where the next one begins.
func (f *fixture) found(body string) (ids []string, next string) {
	f.Helper()
	var answer castellansystemv1.ListAuditEntriesResponse
	f.call(&answer, http.MethodPost, "/audit/_search", body)
	for _, e := range answer.GetEntries() {
		ids = append(ids, e.GetRequestId())
	}
	return ids, answer.GetNextPosition()
}

func TestAuditEntries(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.record(audit.Entry{
			Actor: "7", ActorInstance: "1", Method: "/a.b.Service/Get", Protocol: "grpc", Instance: "2",
			RemoteAddress: "192.0.2.1:4711", Outcome: "PermissionDenied", Duration: 1500 * time.Microsecond,
		})
		var answer castellansystemv1.ListAuditEntriesResponse
		f.call(&answer, http.MethodPost, "/audit/_search", "{}")
		f.equal(&answer, &castellansystemv1.ListAuditEntriesResponse{Entries: []*castellansystemv1.AuditEntry{{
			At: timestamppb.New(start), Actor: "7", ActorInstanceId: "1", Method: "/a.b.Service/Get", Protocol: "grpc",
			InstanceId: "2", RemoteAddress: "192.0.2.1:4711", RequestId: "r0", Outcome: "PermissionDenied",
			Duration: durationpb.New(1500 * time.Microsecond),
		}}})
	})
}

func TestAuditConditions(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		entry := func(actor, method, instance, outcome string) audit.Entry {
			return audit.Entry{
				Actor: ident.Actor(actor), Method: "/a.b.Service/" + method, Instance: ident.InstanceID(instance), Outcome: outcome, Protocol: "rest",
			}
		}
		f.record(entry("ada", "Get", "1", "OK"), entry("bob", "Get", "2", "OK"), entry("ada", "Remove", "2", "NotFound"), entry("bob", "Remove", "", "OK"))
		for body, want := range map[string][]string{
			`{}`:                               {"r3", "r2", "r1", "r0"},
			`{"actor":"ada"}`:                  {"r2", "r0"},
			`{"actor":"ad"}`:                   nil,
			`{"method":"/a.b.Service/Remove"}`: {"r3", "r2"},
			`{"method":"remove","methodComparison":"TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE"}`: {"r3", "r2"},
			`{"method":"Remove"}`:                        nil,
			`{"instanceId":"2"}`:                         {"r2", "r1"},
			`{"outcome":"NotFound"}`:                     {"r2"},
			`{"actor":"bob","outcome":"OK"}`:             {"r3", "r1"},
			`{"from":"2025-06-01T12:02:00Z"}`:            {"r3", "r2"},
			`{"until":"2025-06-01T12:02:00Z"}`:           {"r1", "r0"},
			`{"limit":1}`:                                {"r3"},
			`{"limit":1000}`:                             {"r3", "r2", "r1", "r0"},
			`{"from":"2026-01-01T00:00:00Z"}`:            nil,
			`{"from":"0001-01-01T00:00:00Z","limit":1}`:  {"r3"},
			`{"until":"9999-12-31T23:59:59Z","limit":1}`: {"r3"},
		} {
			if got, _ := f.found(body); !slices.Equal(got, want) {
				f.Errorf("%s: %v, want %v", body, got, want)
			}
		}
	})
}

// Page after page, each entry comes once, also when newer ones are written meanwhile.
func TestAuditPages(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.record(make([]audit.Entry, 7)...)
		var all []string
		pages := 0
		for body := `{"limit":3}`; ; pages++ {
			got, next := f.found(body)
			all = append(all, got...)
			if next == "" {
				break
			}
			body = fmt.Sprintf(`{"limit":3,"position":%q}`, next)
		}
		if want := []string{"r6", "r5", "r4", "r3", "r2", "r1", "r0"}; !slices.Equal(all, want) || pages != 2 {
			f.Errorf("%v in %d more pages, want %v", all, pages, want)
		}
	})
}

func TestAuditIsRefused(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.record(make([]audit.Entry, 2)...)
		_, next := f.found(`{"limit":1}`)
		at := func(position string) string { return fmt.Sprintf(`{"position":%q}`, position) }
		const post, path = http.MethodPost, "/audit/_search"
		f.refused("nobody", post, path, "{}", http.StatusUnauthorized, "AUTH-7fs1e")
		_, err := f.service.Operators.Add(f.Context(), f.operator(), reader(f))
		f.must(err)
		f.refused("reader", post, path, "{}", http.StatusForbidden, "AUTH-5mWD2")
		if a := f.send("reader", post, path, `{"instanceId":"1"}`); a.Status != http.StatusOK {
			f.Errorf("who may read an instance's audit log cannot: %s", a.body)
		}
		f.refused(viewer, post, path, at(next), http.StatusBadRequest, "VAULT-pos01", "position")
		f.refused(operator, post, path, at(next[:len(next)-1]), http.StatusBadRequest, "VAULT-pos01", "position")
		f.refused(operator, post, path, at("1.2"), http.StatusBadRequest, "VAULT-pos01", "position")
		f.refused(operator, post, path, at(f.service.Positions.Seal(watchPurpose, operator, []byte("1.2"))), http.StatusBadRequest, "VAULT-pos01", "position")
		for _, ours := range []string{"", "x", "1", "1.x"} {
			f.refused(operator, post, path, at(f.service.Positions.Seal(auditPurpose, operator, []byte(ours))), http.StatusInternalServerError, "")
		}
		f.refused(operator, post, path, `{"limit":1001}`, http.StatusBadRequest, "", "limit")
		f.refused(operator, post, path, `{"methodComparison":99}`, http.StatusBadRequest, "", "method_comparison")
		f.refused(operator, post, path, `{"from":"x"}`, http.StatusBadRequest, "")
		for field, body := range map[string]string{
			"actor": `{"actor":"%s"}`, "method": `{"method":"%s"}`, "instance_id": `{"instanceId":"%s"}`,
			"outcome": `{"outcome":"%s"}`, "position": `{"position":"%s"}`,
		} {
			f.refused(operator, post, path, fmt.Sprintf(body, strings.Repeat("x", 501)), http.StatusBadRequest, "", field)
		}
		if a := f.send(viewer, post, path, "{}"); a.Status != http.StatusOK {
			f.Errorf("a viewer reads the audit log: %d %s", a.Status, a.body)
		}
	})
}

func TestBoundOfTime(t *testing.T) {
	if got, err := boundOf(nil, "from"); err != nil || !got.IsZero() {
		t.Errorf("none: %v, %v", got, err)
	}
	for _, bad := range []*timestamppb.Timestamp{{Seconds: -1 << 60}, {Seconds: 1 << 60}, {Nanos: -1}} {
		if _, err := boundOf(bad, "from"); err == nil || !strings.HasPrefix(err.Error(), "from: ") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
