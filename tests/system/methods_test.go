package system_test

import (
	"net/http"
	"slices"
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

// done are requests that keep all rules, one for each method.
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
	"AddQuota": &systemv1.AddQuotaRequest{
		InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.Now(),
		ResetInterval: durationpb.New(time.Hour), Amount: 1,
		Notifications: []*quotav1.Notification{{Percent: 50, CallUrl: "https://acme.example/"}},
	},
	"SetQuota": &systemv1.SetQuotaRequest{
		InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.Now(),
		ResetInterval: durationpb.New(time.Hour), Amount: 1,
		Notifications: []*quotav1.Notification{{Percent: 50, CallUrl: "https://acme.example/"}},
	},
	"RemoveQuota": &systemv1.RemoveQuotaRequest{InstanceId: "1", Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED},
	"SetInstanceFeature": &systemv1.SetInstanceFeatureRequest{
		InstanceId: "1", FeatureId: featurev1.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG,
		Value: &systemv1.SetInstanceFeatureRequest_Bool{Bool: true},
	},
	"SetLimits":     &systemv1.SetLimitsRequest{InstanceId: "1", Block: proto.Bool(true)},
	"BulkSetLimits": &systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{{InstanceId: "1", Block: proto.Bool(true)}}},
	"ResetLimits":   &systemv1.ResetLimitsRequest{InstanceId: "1"},
}

// reads are the methods that only read, which is what a viewer may call.
var reads = []string{
	"ListInstances", "GetInstance", "ListIAMMembers", "ExistsDomain", "ListDomains", "ListViews", "ListFailedEvents",
}

// TestWhoMayCall: who may not call a method learns nothing of it, and changes nothing.
func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
			for method, request := range done {
				if method == "Healthz" {
					continue // anybody may
				}
				send := func(token string) kit.Answer {
					t.Helper()
					return w.Send(t, n.Client, kit.Call{Method: method, Request: request, Token: token}, nil)
				}
				check := func(who string, a kit.Answer, code codes.Code, id string, status int) {
					t.Helper()
					if a.Code != code || a.ID != id || a.HTTP != 0 && a.HTTP != status {
						t.Errorf("%s of %s over %s: %v, want %v %s %d", method, who, w.Name, a, code, id, status)
					}
				}
				check("nobody", send(""), codes.Unauthenticated, "", http.StatusUnauthorized)
				viewed := send(kit.Viewer().Token(t))
				if !slices.Contains(reads, method) {
					check("a viewer", viewed, codes.PermissionDenied, "AUTH-5mWD2", http.StatusForbidden)
				} else if viewed.Code != codes.OK && viewed.Code != codes.NotFound {
					t.Errorf("%s of a viewer over %s: %v", method, w.Name, viewed)
				}
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}

// TestEveryMethodHasItsCase: a method that is new gets a good request.
func TestEveryMethodHasItsCase(t *testing.T) {
	t.Parallel()
	all := systemv1.SystemService_ServiceDesc.Methods
	if len(all) != 24 || len(done) != len(all) {
		t.Errorf("%d methods, and good requests of %d", len(all), len(done))
	}
	for _, m := range all {
		if done[m.MethodName] == nil {
			t.Errorf("%s has no good request", m.MethodName)
		}
	}
}
