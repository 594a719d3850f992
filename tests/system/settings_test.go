package system_test

import (
	"math"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/tests/kit"

	featurev1 "castellan/gen/zitadel/feature/v1"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// setting is a call about the quotas, limits or features of an instance, and its answer.
type setting struct {
	method string
	in     proto.Message
	out    proto.Message // empty, for the answer
	code   codes.Code
	id     string
	// events are what the call leaves.
	events []string
	// change says that the date of the answer is that of a change.
	change bool
}

// settings are calls in the order in which they are made on an instance.
func settings(id string) []setting {
	requests, seconds := quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, quotav1.Unit_UNIT_ACTIONS_ALL_RUN_SECONDS
	from, hour := timestamppb.New(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)), durationpb.New(time.Hour)
	hook := &quotav1.Notification{Percent: 80, Repeat: true, CallUrl: "https://hooks.example/quota"}
	add := func(unit quotav1.Unit, change func(*systemv1.AddQuotaRequest)) proto.Message {
		r := &systemv1.AddQuotaRequest{
			InstanceId: id, Unit: unit, From: from, ResetInterval: hour, Amount: 10, Limit: true,
			Notifications: []*quotav1.Notification{hook},
		}
		change(r)
		return r
	}
	set := func(amount uint64) proto.Message {
		return &systemv1.SetQuotaRequest{
			InstanceId: id, Unit: requests, From: from, ResetInterval: hour, Amount: amount, Limit: true,
			Notifications: []*quotav1.Notification{hook},
		}
	}
	limits := func(retention *durationpb.Duration, block *bool) *systemv1.SetLimitsRequest {
		return &systemv1.SetLimitsRequest{InstanceId: id, AuditLogRetention: retention, Block: block}
	}
	feature := func(on bool) proto.Message {
		return &systemv1.SetInstanceFeatureRequest{
			InstanceId: id, FeatureId: featurev1.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG,
			Value: &systemv1.SetInstanceFeatureRequest_Bool{Bool: on},
		}
	}
	bulk := func(others ...*systemv1.SetLimitsRequest) proto.Message {
		return &systemv1.BulkSetLimitsRequest{Limits: append([]*systemv1.SetLimitsRequest{limits(nil, proto.Bool(false))}, others...)}
	}
	unchanged := func(*systemv1.AddQuotaRequest) {}
	var (
		added, put, removed     = &systemv1.AddQuotaResponse{}, &systemv1.SetQuotaResponse{}, &systemv1.RemoveQuotaResponse{}
		limited, all, unlimited = &systemv1.SetLimitsResponse{}, &systemv1.BulkSetLimitsResponse{}, &systemv1.ResetLimitsResponse{}
		switched                = &systemv1.SetInstanceFeatureResponse{}
	)
	return []setting{
		{"RemoveQuota", &systemv1.RemoveQuotaRequest{InstanceId: id, Unit: requests}, removed, codes.NotFound, "COMMAND-WDfFf", nil, true},
		{"AddQuota", add(requests, unchanged), added, codes.OK, "", []string{"quota.added"}, false},
		{"AddQuota", add(requests, unchanged), added, codes.AlreadyExists, "COMMAND-WDfFf", nil, false},
		{"AddQuota", add(seconds, unchanged), added, codes.OK, "", []string{"quota.added"}, false},
		{"AddQuota", add(seconds, func(r *systemv1.AddQuotaRequest) { r.ResetInterval = durationpb.New(time.Minute - 1) }), added, codes.InvalidArgument, "QUOTA-R5otd", nil, false},
		{"AddQuota", add(seconds, func(r *systemv1.AddQuotaRequest) { r.ResetInterval = durationpb.New(math.MinInt64) }), added, codes.InvalidArgument, "QUOTA-R5otd", nil, false},
		{"AddQuota", add(seconds, func(r *systemv1.AddQuotaRequest) { r.Amount = math.MaxUint64 }), added, codes.InvalidArgument, "", nil, false},
		{"AddQuota", add(seconds, func(r *systemv1.AddQuotaRequest) { r.Notifications = append(r.Notifications, hook) }), added, codes.InvalidArgument, "QUOTA-Pty2n", nil, false},
		{"AddQuota", add(seconds, func(r *systemv1.AddQuotaRequest) {
			r.Notifications[0] = &quotav1.Notification{Percent: 1, CallUrl: "x"}
		}), added, codes.InvalidArgument, "QUOTA-HAYmN", nil, false},
		{"AddQuota", add(seconds, func(r *systemv1.AddQuotaRequest) {
			r.Notifications[0] = &quotav1.Notification{Percent: 1, CallUrl: "http://%"}
		}), added, codes.InvalidArgument, "QUOTA-bZ0Fj", nil, false},
		{"SetQuota", set(10), put, codes.OK, "", nil, false},
		{"SetQuota", set(0), put, codes.OK, "", []string{"quota.set"}, false},
		{"RemoveQuota", &systemv1.RemoveQuotaRequest{InstanceId: id, Unit: requests}, removed, codes.OK, "", []string{"quota.removed"}, true},
		{"SetQuota", set(5), put, codes.OK, "", []string{"quota.set"}, false},

		{"ResetLimits", &systemv1.ResetLimitsRequest{InstanceId: id}, unlimited, codes.NotFound, "COMMAND-9JToT", nil, true},
		{"SetLimits", limits(nil, nil), limited, codes.InvalidArgument, "COMMAND-4M9vs", nil, false},
		{"SetLimits", limits(durationpb.New(-1), nil), limited, codes.InvalidArgument, "", nil, false},
		{"SetLimits", limits(durationpb.New(0), nil), limited, codes.OK, "", []string{"limits.set"}, false},
		{"SetLimits", limits(nil, proto.Bool(true)), limited, codes.OK, "", []string{"limits.set"}, false},
		{"SetLimits", limits(durationpb.New(0), proto.Bool(true)), limited, codes.OK, "", nil, false},
		{"BulkSetLimits", bulk(&systemv1.SetLimitsRequest{InstanceId: "1", Block: proto.Bool(true)}), all, codes.NotFound, "", nil, false},
		{"BulkSetLimits", bulk(limits(nil, nil)), all, codes.InvalidArgument, "COMMAND-4M9vs", nil, false},
		{"BulkSetLimits", bulk(), all, codes.OK, "", []string{"limits.set"}, false},
		{"ResetLimits", &systemv1.ResetLimitsRequest{InstanceId: id}, unlimited, codes.OK, "", []string{"limits.reset"}, true},

		{"SetInstanceFeature", feature(true), switched, codes.OK, "", []string{"feature.instance.login_default_org.set"}, true},
		{"SetInstanceFeature", feature(true), switched, codes.OK, "", nil, true},
		{"SetInstanceFeature", feature(false), switched, codes.OK, "", []string{"feature.instance.login_default_org.set"}, true},
	}
}

// TestSettings gives instances quotas, limits and features, over every protocol, and looks at what
// each call has answered and left.
func TestSettings(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for _, w := range kit.Wires() {
			id := n.Client.Create(t, kit.Machine("Acme "+w.Name)).GetInstanceId()
			events := func() []string { return logtest.Types(t, n.DB(), n.Events(), ident.InstanceID(id)) }
			for i, c := range settings(id) {
				before := len(events())
				a := w.Call(t, n.Client, c.method, c.in, c.out)
				if a.Code != c.code || a.ID != c.id {
					t.Errorf("%d: %s over %s: %v, want %v %q", i, c.method, w.Name, a, c.code, c.id)
				}
				if diff := gocmp.Diff(append([]string{}, c.events...), append([]string{}, events()[before:]...)); diff != "" {
					t.Errorf("%d: events of %s over %s (-want +got):\n%s", i, c.method, w.Name, diff)
				}
				if a.Code == codes.OK {
					checkDetails(t, c, id)
				}
			}
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// checkDetails checks the details of an answer: one date, and the instance as owner (contract section
// 2.1).
func checkDetails(t *testing.T, c setting, id string) {
	t.Helper()
	details := func(m protoreflect.Message) *zitadelv1.ObjectDetails {
		return m.Get(m.Descriptor().Fields().ByName("details")).Message().Interface().(*zitadelv1.ObjectDetails)
	}
	d := details(c.out.ProtoReflect())
	if bulk, ok := c.out.(*systemv1.BulkSetLimitsResponse); ok {
		if d.GetResourceOwner() != "" || len(bulk.GetTargetDetails()) != 1 {
			t.Errorf("%s: %v", c.method, bulk)
			return
		}
		d = bulk.GetTargetDetails()[0]
	}
	if d.GetResourceOwner() != id || d.GetSequence() == 0 || (d.GetCreationDate() == nil) != c.change || (d.GetChangeDate() == nil) == c.change {
		t.Errorf("%s: details %v", c.method, d)
	}
}

// TestSettingsOutOfRange: what no timestamp or duration can be is refused, and the field is named. JSON
// cannot say it.
func TestSettingsOutOfRange(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		id := n.Client.Create(t, kit.Machine("Acme")).GetInstanceId()
		before := kit.Counts(t, n.DB())
		quota := func(from *timestamppb.Timestamp, interval *durationpb.Duration) proto.Message {
			return &systemv1.SetQuotaRequest{
				InstanceId: id, Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: from, ResetInterval: interval, Amount: 1,
			}
		}
		now, hour := timestamppb.Now(), durationpb.New(time.Hour)
		for _, c := range []struct {
			method, field string
			request       proto.Message
		}{
			{"SetQuota", "from", quota(&timestamppb.Timestamp{Seconds: math.MaxInt64}, hour)},
			{"SetQuota", "from", quota(&timestamppb.Timestamp{Seconds: -62135596801}, hour)},
			{"SetQuota", "from", quota(&timestamppb.Timestamp{Nanos: -1}, hour)},
			{"SetQuota", "reset_interval", quota(now, &durationpb.Duration{Seconds: math.MaxInt64})},
			{"SetQuota", "reset_interval", quota(now, &durationpb.Duration{Seconds: 3600, Nanos: -1})},
			{"SetLimits", "audit_log_retention", &systemv1.SetLimitsRequest{
				InstanceId: id, AuditLogRetention: &durationpb.Duration{Seconds: math.MinInt64},
			}},
			{"BulkSetLimits", "limits[1].audit_log_retention", &systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{
				{InstanceId: id, Block: proto.Bool(true)}, {InstanceId: id, AuditLogRetention: &durationpb.Duration{Nanos: math.MaxInt32}},
			}}},
		} {
			a := kit.GRPC().Call(t, n.Client, c.method, c.request, nil)
			if a.Code != codes.InvalidArgument || len(a.Fields) != 1 || a.Fields[0] != c.field {
				t.Errorf("%s with a bad %s: %v, fields %v", c.method, c.field, a, a.Fields)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
	})
}
