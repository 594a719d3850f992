package system_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/ident"
	"castellan/internal/quota"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// quotaBody is a quota of requests with these notifications.
func quotaBody(notifications string) string {
	return `{"unit":"UNIT_REQUESTS_ALL_AUTHENTICATED","from":"2025-06-01T00:00:00.0000019Z","resetInterval":"3600.000001900s","amount":"1000",` +
		`"limit":true,"notifications":[` + notifications + `]}`
}

const twice = `{"percent":50,"repeat":true,"callUrl":"https://hooks.example/a"},{"percent":100,"callUrl":"http://hooks.example"}`

// details of the last write on a quota, limits or features: with one date, which is now.
func dated(f *fixture, id string, sequence uint64, creation bool) *zitadelv1.ObjectDetails {
	d := &zitadelv1.ObjectDetails{Sequence: sequence, ResourceOwner: id}
	if now := timestamppb.New(f.clock.Now()); creation {
		d.CreationDate = now
	} else {
		d.ChangeDate = now
	}
	return d
}

func (f *fixture) quota(id string, unit quota.Unit) quota.State {
	f.Helper()
	s, err := quota.Get(f.Context(), f.db, ident.InstanceID(id), unit)
	f.must(err)
	return s
}

func TestAddQuota(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		before := f.events(id)
		f.clock.Advance(time.Minute)
		var out systemv1.AddQuotaResponse
		f.call(&out, http.MethodPost, "/instances/"+id+"/quotas", quotaBody(twice))
		f.equal(&out, &systemv1.AddQuotaResponse{Details: dated(f, id, 1, true)})
		s := f.quota(id, quota.RequestsAllAuthenticated)
		want := quota.State{
			Head: s.Head,
			Terms: quota.Terms{
				Quota: s.Quota, Unit: quota.RequestsAllAuthenticated, From: time.Date(2025, 6, 1, 0, 0, 0, 1000, time.UTC),
				Interval: time.Hour + time.Microsecond, Amount: 1000, Limited: true,
			},
			Notifications: []quota.Notification{
				{ID: s.Notifications[0].ID, Percent: 50, Repeat: true, CallURL: "https://hooks.example/a"},
				{ID: s.Notifications[1].ID, Percent: 100, CallURL: "http://hooks.example"},
			},
		}
		if diff := cmp.Diff(want, s); diff != "" {
			f.Errorf("(-want +got):\n%s", diff)
		}
		add := func(body string) request {
			return request{verb: http.MethodPost, path: "/instances/" + id + "/quotas", body: body}
		}
		f.refused(add(quotaBody("")), http.StatusConflict, "COMMAND-WDfFf", "unit")
		f.refused(add(strings.Replace(quotaBody(""), `"1000"`, "0", 1)), http.StatusBadRequest, "", "amount")
		f.hidden(http.MethodPost, "/instances/404/quotas", quotaBody(""), false)

		f.call(&out, http.MethodPost, "/instances/"+id+"/quotas",
			`{"unit":2,"from":"0001-01-01T00:00:00Z","resetInterval":"315576000000s","amount":"9223372036854775807"}`)
		if s := f.quota(id, quota.ActionsAllRunSeconds); s.Interval != (1<<63-1)/1000*1000 || s.Amount != quota.MaxAmount || s.From.Year() != 1 {
			f.Errorf("%+v", s)
		}
		f.left(id, before, "quota.added", "quota.added")
	})
}

// What no quota can be is refused, whether it is added or set.
func TestQuotaRefused(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		url := func(u string) string { return quotaBody(`{"percent":1,"callUrl":"` + u + `"}`) }
		replaced := func(old, by string) string { return strings.Replace(quotaBody(""), old, by, 1) }
		var many []string
		for i := range quota.MaxNotifications + 1 {
			many = append(many, fmt.Sprintf(`{"percent":%d,"callUrl":"https://hooks.example"}`, i+1))
		}
		for _, verb := range []string{http.MethodPost, http.MethodPut} {
			for _, c := range []struct{ body, id, field string }{
				{replaced("UNIT_REQUESTS_ALL_AUTHENTICATED", "UNIT_UNIMPLEMENTED"), "", "unit"},
				{replaced(`"UNIT_REQUESTS_ALL_AUTHENTICATED"`, "7"), "", "unit"},
				{replaced(`"from":"2025-06-01T00:00:00.0000019Z",`, ""), "", "from"},
				{replaced(`"resetInterval":"3600.000001900s",`, ""), "", "reset_interval"},
				{replaced("3600.000001900s", "59.999999999s"), "QUOTA-R5otd", "reset_interval"},
				{replaced("3600.000001900s", "-315576000000s"), "QUOTA-R5otd", "reset_interval"},
				{replaced(`"1000"`, `"9223372036854775808"`), "", "amount"},
				{quotaBody(`{"callUrl":"https://hooks.example"}`), "", "notifications[0].percent"},
				{quotaBody(`{"percent":1}`), "", "notifications[0].call_url"},
				{url("https://hooks.example/%zz"), "QUOTA-bZ0Fj", "notifications[0].call_url"},
				{url("https://" + strings.Repeat("a", 193)), "", "notifications[0].call_url"},
				{url("/hook"), "QUOTA-HAYmN", "notifications[0].call_url"},
				{url("ftp://hooks.example"), "QUOTA-HAYmN", "notifications[0].call_url"},
				{quotaBody(twice + "," + twice), "QUOTA-Pty2n", "notifications[2]"},
				{quotaBody(strings.Join(many, ",")), "", "notifications"},
			} {
				f.refused(request{verb: verb, path: "/instances/" + id + "/quotas", body: c.body}, http.StatusBadRequest, c.id, c.field)
			}
		}
	})
}

func TestSetQuota(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		before := f.events(id)
		set := func(sequence uint64, body string) {
			f.Helper()
			var out systemv1.SetQuotaResponse
			f.call(&out, http.MethodPut, "/instances/"+id+"/quotas", body)
			f.equal(&out, &systemv1.SetQuotaResponse{Details: dated(f, id, sequence, true)})
		}
		set(1, quotaBody(twice))
		first := f.quota(id, quota.RequestsAllAuthenticated)
		set(1, quotaBody(twice))
		f.clock.Advance(time.Minute)
		set(2, strings.Replace(quotaBody(twice), `"1000"`, "0", 1))
		s := f.quota(id, quota.RequestsAllAuthenticated)
		if s.Amount != 0 || s.Quota != first.Quota || s.Notifications[1] != first.Notifications[1] {
			f.Errorf("%+v after %+v", s, first)
		}
		f.hidden(http.MethodPut, "/instances/404/quotas", quotaBody(""), false)
		f.left(id, before, "quota.set", "quota.set")
	})
}

func TestRemoveQuota(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		before := f.events(id)
		for i, unit := range []string{"UNIT_REQUESTS_ALL_AUTHENTICATED", "1"} {
			f.call(&systemv1.AddQuotaResponse{}, http.MethodPost, "/instances/"+id+"/quotas", quotaBody(""))
			f.clock.Advance(time.Minute)
			var out systemv1.RemoveQuotaResponse
			f.call(&out, http.MethodDelete, "/instances/"+id+"/quotas/"+unit, "")
			f.equal(&out, &systemv1.RemoveQuotaResponse{Details: dated(f, id, 2, false)})
			if f.quota(id, quota.RequestsAllAuthenticated).Exists() {
				f.Errorf("%d: it is still there", i)
			}
		}
		remove := func(unit string) request {
			return request{verb: http.MethodDelete, path: "/instances/" + id + "/quotas/" + unit}
		}
		f.refused(remove("UNIT_REQUESTS_ALL_AUTHENTICATED"), http.StatusNotFound, "COMMAND-WDfFf", "unit")
		f.refused(remove("2"), http.StatusNotFound, "COMMAND-WDfFf", "unit")
		f.refused(remove("UNIT_UNIMPLEMENTED"), http.StatusNotFound, "COMMAND-WDfFf", "unit")
		f.refused(remove("99"), http.StatusBadRequest, "", "unit")
		f.refused(remove("UNIT_OF_NONE"), http.StatusBadRequest, "", "unit")
		f.hidden(http.MethodDelete, "/instances/404/quotas/1", "", false)
		f.left(id, before, "quota.added", "quota.removed", "quota.added", "quota.removed")
	})
}
