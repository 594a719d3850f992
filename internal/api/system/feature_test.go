package system_test

import (
	"net/http"
	"testing"
	"time"

	"castellan/internal/feature"
	"castellan/internal/ident"

	systemv1 "castellan/gen/zitadel/system/v1"
)

func TestSetInstanceFeature(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id := f.create("Acme", "")
		before := f.events(id)
		path := "/instances/" + id + "/features/"
		set := func(sequence uint64, feature, body string) {
			f.Helper()
			var out systemv1.SetInstanceFeatureResponse
			f.call(&out, http.MethodPut, path+feature, body)
			f.equal(&out, &systemv1.SetInstanceFeatureResponse{Details: dated(f, id, sequence, false)})
		}
		is := func(want bool) {
			f.Helper()
			s, err := feature.Get(f.Context(), f.db, ident.InstanceID(id))
			f.must(err)
			if s.LoginDefaultOrg == nil || *s.LoginDefaultOrg != want {
				f.Errorf("%+v, want %v", s, want)
			}
		}
		set(1, "INSTANCE_FEATURE_LOGIN_DEFAULT_ORG", `{"bool":true}`)
		is(true)
		set(1, "1", `{"bool":true}`)
		f.clock.Advance(time.Minute)
		set(2, "1", `{"bool":false}`)
		is(false)

		put := func(feature, body string) request {
			return request{verb: http.MethodPut, path: path + feature, body: body}
		}
		f.refused(put("1", `{}`), http.StatusBadRequest, "", "value")
		f.refused(put("1", `{"bool":"yes"}`), http.StatusBadRequest, "")
		f.refused(put("INSTANCE_FEATURE_UNSPECIFIED", `{"bool":true}`), http.StatusBadRequest, "", "feature_id")
		f.refused(put("2", `{"bool":true}`), http.StatusBadRequest, "", "feature_id")
		f.refused(put("INSTANCE_FEATURE_OF_NONE", `{"bool":true}`), http.StatusBadRequest, "", "feature_id")
		f.hidden(http.MethodPut, "/instances/404/features/1", `{"bool":true}`, false)
		f.left(id, before, "feature.instance.login_default_org.set", "feature.instance.login_default_org.set")
	})
}
