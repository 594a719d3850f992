package system_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/ident"
	"castellan/internal/limit"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// limits are the limits of an instance, as a text; - is none.
func (f *fixture) limits(id string) string {
	f.Helper()
	s, err := limit.Get(f.Context(), f.db, ident.InstanceID(id))
	f.must(err)
	retention, block := "-", "-"
	if s.AuditLogRetention != nil {
		retention = s.AuditLogRetention.String()
	}
	if s.Block != nil {
		block = fmt.Sprint(*s.Block)
	}
	return retention + " " + block
}

func TestSetLimits(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id, other := f.create("Acme", ""), f.create("Other", "")
		before := f.events(id)
		set := func(sequence uint64, body, want string) {
			f.Helper()
			f.clock.Advance(time.Minute)
			var out systemv1.SetLimitsResponse
			f.call(&out, http.MethodPut, "/instances/"+id+"/limits", body)
			f.equal(&out, &systemv1.SetLimitsResponse{Details: dated(f, id, sequence, true)})
			if got := f.limits(id); got != want {
				f.Errorf("after %s the limits are %s, want %s", body, got, want)
			}
		}
		set(1, `{"auditLogRetention":"0s"}`, "0s -")
		set(2, `{"block":false}`, "0s false")
		set(3, `{"auditLogRetention":"3600.000000001s","block":true}`, "1h0m0.000000001s true")
		set(4, `{"auditLogRetention":"315576000000s"}`, "2562047h47m16.854775807s true")
		written := f.clock.Now()
		f.clock.Advance(time.Minute)
		var same systemv1.SetLimitsResponse
		f.call(&same, http.MethodPut, "/instances/"+id+"/limits", `{"block":true}`)
		f.equal(&same, &systemv1.SetLimitsResponse{Details: &zitadelv1.ObjectDetails{
			Sequence: 4, CreationDate: timestamppb.New(written), ResourceOwner: id,
		}})
		if got := f.limits(other); got != "- -" {
			f.Errorf("the limits of another are %s", got)
		}
		put := func(body string) request {
			return request{verb: http.MethodPut, path: "/instances/" + id + "/limits", body: body}
		}
		f.refused(put(`{}`), http.StatusBadRequest, "COMMAND-4M9vs", "audit_log_retention")
		f.refused(put(`{"auditLogRetention":"-1s"}`), http.StatusBadRequest, "", "audit_log_retention")
		f.hidden(http.MethodPut, "/instances/404/limits", `{"block":true}`, false)
		f.left(id, before, "limits.set", "limits.set", "limits.set", "limits.set")
	})
}

func TestResetLimits(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		before := f.events(id)
		reset := request{verb: http.MethodDelete, path: "/instances/" + id + "/limits"}
		f.refused(reset, http.StatusNotFound, "COMMAND-9JToT", "instance_id")
		f.call(&systemv1.SetLimitsResponse{}, http.MethodPut, "/instances/"+id+"/limits", `{"block":false}`)
		f.clock.Advance(time.Minute)
		var out systemv1.ResetLimitsResponse
		f.decode(&out, f.send(reset))
		f.equal(&out, &systemv1.ResetLimitsResponse{Details: dated(f, id, 2, false)})
		if got := f.limits(id); got != "- -" {
			f.Errorf("the limits are %s", got)
		}
		f.refused(reset, http.StatusNotFound, "COMMAND-9JToT", "instance_id")
		f.hidden(http.MethodDelete, "/instances/404/limits", "", false)
		f.left(id, before, "limits.set", "limits.reset")
	})
}

func TestBulkSetLimits(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two := f.create("One", ""), f.create("Two", "")
		before := f.events(one)
		entry := func(id, limits string) string { return `{"instanceId":"` + id + `",` + limits + `}` }
		bulk := func(entries ...string) request {
			return request{verb: http.MethodPut, path: "/instances/limits/_bulk", body: `{"limits":[` + strings.Join(entries, ",") + `]}`}
		}
		f.call(&systemv1.SetLimitsResponse{}, http.MethodPut, "/instances/"+two+"/limits", `{"block":true}`)
		earlier := f.clock.Now()
		f.clock.Advance(time.Minute)
		var out systemv1.BulkSetLimitsResponse
		f.decode(&out, f.send(bulk(entry(two, `"block":true`), entry(one, `"block":true`), entry(one, `"auditLogRetention":"60s"`))))
		whole := dated(f, "", 2, true)
		f.equal(&out, &systemv1.BulkSetLimitsResponse{Details: whole, TargetDetails: []*zitadelv1.ObjectDetails{
			{Sequence: 1, CreationDate: timestamppb.New(earlier), ResourceOwner: two}, dated(f, one, 1, true), dated(f, one, 2, true),
		}})
		if f.limits(one) != "1m0s true" || f.limits(two) != "- true" {
			f.Errorf("the limits are %s and %s", f.limits(one), f.limits(two))
		}
		f.left(one, before, "limits.set", "limits.set")

		good := entry(one, `"block":false`)
		f.refused(bulk(), http.StatusBadRequest, "COMMAND-4M9vs", "limits")
		f.refused(bulk(good, entry(two, `"block":null`)), http.StatusBadRequest, "COMMAND-4M9vs", "limits[1].audit_log_retention")
		f.refused(bulk(good, entry(two, `"auditLogRetention":"-1s"`)), http.StatusBadRequest, "", "limits[1].audit_log_retention")
		f.refused(bulk(good, entry("", `"block":true`)), http.StatusBadRequest, "", "limits[1].instance_id")
		tooMany := make([]string, limit.MaxEntries+1)
		for i := range tooMany {
			tooMany[i] = good
		}
		f.refused(bulk(tooMany...), http.StatusBadRequest, "", "limits")
		f.refused(bulk(good, entry("404", `"block":true`)), http.StatusNotFound, "", "limits[1].instance_id")
		as := bulk(good)
		as.as = nobody
		f.refused(as, http.StatusUnauthorized, "AUTH-7fs1e")
		as.as = viewer
		f.refused(as, http.StatusForbidden, "AUTH-5mWD2")
	})
}
