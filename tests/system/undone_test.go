package system_test

import (
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/tests/kit"

	featurev1 "castellan/gen/zitadel/feature/v1"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// done are the methods that work; all others of the service answer Unimplemented.
var done = map[string]proto.Message{
	"Healthz":          &systemv1.HealthzRequest{},
	"CreateInstance":   kit.Machine("Acme"),
	"ListInstances":    &systemv1.ListInstancesRequest{},
	"ListIAMMembers":   &systemv1.ListIAMMembersRequest{InstanceId: "1"},
	"ExistsDomain":     &systemv1.ExistsDomainRequest{Domain: "acme.example"},
	"ListDomains":      &systemv1.ListDomainsRequest{InstanceId: "1"},
	"UpdateInstance":   &systemv1.UpdateInstanceRequest{InstanceId: "1", InstanceName: "Acme"},
	"AddDomain":        &systemv1.AddDomainRequest{InstanceId: "1", Domain: "acme.example"},
	"RemoveDomain":     &systemv1.RemoveDomainRequest{InstanceId: "1", Domain: "acme.example"},
	"RemoveInstance":   &systemv1.RemoveInstanceRequest{InstanceId: "1"},
	"SetPrimaryDomain": &systemv1.SetPrimaryDomainRequest{InstanceId: "1", Domain: "acme.example"},
	"AddInstance": &systemv1.AddInstanceRequest{
		InstanceName: "Acme", OwnerEmail: &systemv1.AddInstanceRequest_Email{Email: "ada@example.com"},
	},
	"GetInstance":      &systemv1.GetInstanceRequest{InstanceId: "1"},
	"ListViews":        &systemv1.ListViewsRequest{},
	"ClearView":        &systemv1.ClearViewRequest{Database: "castellan", ViewName: "projections.instances"},
	"ListFailedEvents": &systemv1.ListFailedEventsRequest{},
	"RemoveFailedEvent": &systemv1.RemoveFailedEventRequest{
		Database: "db", ViewName: "projections.x", FailedSequence: 7, InstanceId: "1",
	},
}

// undone are requests that keep all rules, one for each of the others, and whether the method
// only reads, which is what a viewer may call.
var undone = map[string]struct {
	request proto.Message
	reads   bool
}{
	"AddQuota": {&systemv1.AddQuotaRequest{
		InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.Now(),
		ResetInterval: durationpb.New(time.Hour), Amount: 1,
		Notifications: []*quotav1.Notification{{Percent: 50, CallUrl: "https://acme.example/"}},
	}, false},
	"SetQuota": {&systemv1.SetQuotaRequest{
		InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.Now(),
		ResetInterval: durationpb.New(time.Hour), Amount: 1,
		Notifications: []*quotav1.Notification{{Percent: 50, CallUrl: "https://acme.example/"}},
	}, false},
	"RemoveQuota": {&systemv1.RemoveQuotaRequest{InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED}, false},
	"SetInstanceFeature": {&systemv1.SetInstanceFeatureRequest{
		InstanceId: "1", FeatureId: featurev1.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG,
		Value: &systemv1.SetInstanceFeatureRequest_Bool{Bool: true},
	}, false},
	"SetLimits":     {&systemv1.SetLimitsRequest{InstanceId: "1", Block: proto.Bool(true)}, false},
	"BulkSetLimits": {&systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{{InstanceId: "1", Block: proto.Bool(true)}}}, false},
	"ResetLimits":   {&systemv1.ResetLimitsRequest{InstanceId: "1"}, false},
}

// TestOtherMethods: who may call a method that is declared and not there yet is told so; who may
// not learns nothing of it; nobody changes anything.
func TestOtherMethods(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
			for method, c := range undone {
				check := func(who, token string, code codes.Code, status int) {
					t.Helper()
					a := w.Send(t, n.Client, kit.Call{Method: method, Request: c.request, Token: token}, nil)
					if a.Code != code || a.HTTP != 0 && a.HTTP != status {
						t.Errorf("%s of %s over %s: %v, want %v %d", method, who, w.Name, a, code, status)
					}
				}
				check("the operator", kit.Operator().Token(t), codes.Unimplemented, http.StatusNotImplemented)
				check("nobody", "", codes.Unauthenticated, http.StatusUnauthorized)
				if c.reads {
					check("a viewer", kit.Viewer().Token(t), codes.Unimplemented, http.StatusNotImplemented)
				} else {
					check("a viewer", kit.Viewer().Token(t), codes.PermissionDenied, http.StatusForbidden)
				}
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// TestEveryMethodHasItsCase: a method that is new appears in one of the two lists.
func TestEveryMethodHasItsCase(t *testing.T) {
	t.Parallel()
	all := systemv1.SystemService_ServiceDesc.Methods
	if len(all) != 24 || len(done)+len(undone) != len(all) {
		t.Errorf("%d methods, of which %d are done and %d not", len(all), len(done), len(undone))
	}
	for _, m := range all {
		_, works := done[m.MethodName]
		if _, waits := undone[m.MethodName]; works == waits {
			t.Errorf("%s is in both lists or in none", m.MethodName)
		}
	}
}
