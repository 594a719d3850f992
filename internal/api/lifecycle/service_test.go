package lifecycle

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/ident"
	"castellan/internal/instance"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

func TestStopAndStart(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.make("1")
		made := len(f.types("1"))
		details := func(sequence uint64) *zitadelv1.ObjectDetails {
			return &zitadelv1.ObjectDetails{Sequence: sequence, ChangeDate: timestamppb.New(start.Add(time.Hour)), ResourceOwner: "1"}
		}
		f.clock.Advance(time.Hour)
		var stopped castellansystemv1.StopInstanceResponse
		for range 2 { // the second time nothing is written
			f.call(&stopped, http.MethodPost, "/instances/1/_stop", "")
			f.equal(&stopped, &castellansystemv1.StopInstanceResponse{Details: details(4)})
		}
		if s, err := instance.Get(f.Context(), f.db, "1"); err != nil || !s.Stopped {
			f.Errorf("stopped = %v, %v", s.Stopped, err)
		}
		var started castellansystemv1.StartInstanceResponse
		for range 2 {
			f.call(&started, http.MethodPost, "/instances/1/_start", "{}")
			f.equal(&started, &castellansystemv1.StartInstanceResponse{Details: details(5)})
		}
		if got := f.types("1")[made:]; !slices.Equal(got, []string{"instance.stopped", "instance.started"}) {
			f.Errorf("events %v", got)
		}
	})
}

func TestStopAndStartAreRefused(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.make("1")
		long := strings.Repeat("x", 201)
		for _, verb := range []string{"_stop", "_start"} {
			f.refused(operator, http.MethodPost, "/instances/404/"+verb, "", http.StatusNotFound, "")
			f.refused(operator, http.MethodPost, "/instances/"+string(ident.System)+"/"+verb, "", http.StatusNotFound, "")
			f.refused(operator, http.MethodPost, "/instances/"+long+"/"+verb, "", http.StatusBadRequest, "", "instance_id")
			f.refused(viewer, http.MethodPost, "/instances/1/"+verb, "", http.StatusForbidden, "AUTH-5mWD2")
			f.refused(viewer, http.MethodPost, "/instances/404/"+verb, "", http.StatusForbidden, "AUTH-5mWD2")
			f.refused("nobody", http.MethodPost, "/instances/1/"+verb, "", http.StatusUnauthorized, "AUTH-7fs1e")
		}
		_, err := f.service.Instances.Remove(f.Context(), "1", operator)
		f.must(err)
		f.refused(operator, http.MethodPost, "/instances/1/_stop", "", http.StatusNotFound, "")
	})
}
