package isolation

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	featurev1 "castellan/gen/zitadel/feature/v1"
	instancev1 "castellan/gen/zitadel/instance/v1"
	memberv1 "castellan/gen/zitadel/member/v1"
	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// kind says what a caller who may do anything sees of a case, to know that it is a good one.
type kind uint8

const (
	// own is a call about one instance: good for who may make it.
	own kind = iota
	// system is a call about no instance, or about all of them.
	system
	// public is a call for everyone.
	public

	// thing is a call of an instance's own API about something that its request names: good for the
	// owner of the organization in which that lies.
	thing
	// list is one that lists things: good for everybody, as it shows what the caller may see.
	list
	// self is one about the caller: good for every user.
	self
	// whole is one about the instance as a whole: good for its owner.
	whole
)

// hosted reports whether a call is one of an instance's own API, about the instance of the host.
func (k kind) hosted() bool { return k >= thing }

// case_ is one RPC: a request that is good about a target. That of a call of an instance's own API is an
// organization of it, see [world.place].
type case_ struct {
	kind    kind
	request func(t Target) proto.Message
}

// cases has one entry for each RPC the program serves.
var cases = map[string]case_{}

func add(service string, all map[string]case_) {
	for method, c := range all {
		cases[service+"/"+method] = c
	}
}

func init() {
	add("zitadel.system.v1.SystemService", map[string]case_{
		"Healthz": {public, func(Target) proto.Message { return &systemv1.HealthzRequest{} }},
		"ListInstances": {system, func(t Target) proto.Message {
			return &systemv1.ListInstancesRequest{Queries: []*instancev1.Query{
				{Query: &instancev1.Query_IdQuery{IdQuery: &instancev1.IdsQuery{Ids: []string{t["instance_id"]}}}},
				{Query: &instancev1.Query_DomainQuery{DomainQuery: &instancev1.DomainsQuery{Domains: []string{t["domain"]}}}},
			}}
		}},
		"GetInstance": {own, func(t Target) proto.Message {
			return &systemv1.GetInstanceRequest{InstanceId: t["instance_id"]}
		}},
		"AddInstance": {system, func(t Target) proto.Message {
			return &systemv1.AddInstanceRequest{
				InstanceName: "Another", CustomDomain: "another." + t["domain"],
				OwnerEmail: &systemv1.AddInstanceRequest_Email{Email: "ada@acme.example"},
			}
		}},
		"UpdateInstance": {own, func(t Target) proto.Message {
			return &systemv1.UpdateInstanceRequest{InstanceId: t["instance_id"], InstanceName: "Renamed"}
		}},
		"CreateInstance": {system, func(t Target) proto.Message {
			return &systemv1.CreateInstanceRequest{
				InstanceName: "Another", CustomDomain: "other." + t["domain"],
				Owner: &systemv1.CreateInstanceRequest_Machine_{Machine: &systemv1.CreateInstanceRequest_Machine{UserName: "u", Name: "n"}},
			}
		}},
		"RemoveInstance": {own, func(t Target) proto.Message {
			return &systemv1.RemoveInstanceRequest{InstanceId: t["instance_id"]}
		}},
		"ListIAMMembers": {own, func(t Target) proto.Message {
			return &systemv1.ListIAMMembersRequest{InstanceId: t["instance_id"], Queries: []*memberv1.SearchQuery{
				{Query: &memberv1.SearchQuery_UserIdQuery{UserIdQuery: &memberv1.UserIDQuery{UserId: t["user_id"]}}},
			}}
		}},
		"ExistsDomain": {system, func(t Target) proto.Message { return &systemv1.ExistsDomainRequest{Domain: t["domain"]} }},
		"ListDomains": {own, func(t Target) proto.Message {
			return &systemv1.ListDomainsRequest{InstanceId: t["instance_id"], Queries: []*instancev1.DomainSearchQuery{
				{Query: &instancev1.DomainSearchQuery_DomainQuery{DomainQuery: &instancev1.DomainQuery{Domain: t["domain"]}}},
			}}
		}},
		"AddDomain": {own, func(t Target) proto.Message {
			return &systemv1.AddDomainRequest{InstanceId: t["instance_id"], Domain: "more." + t["domain"]}
		}},
		"RemoveDomain": {own, func(t Target) proto.Message {
			return &systemv1.RemoveDomainRequest{InstanceId: t["instance_id"], Domain: t["domain"]}
		}},
		"SetPrimaryDomain": {own, func(t Target) proto.Message {
			return &systemv1.SetPrimaryDomainRequest{InstanceId: t["instance_id"], Domain: t["domain"]}
		}},
		"ListViews": {system, func(Target) proto.Message { return &systemv1.ListViewsRequest{} }},
		"ClearView": {system, func(Target) proto.Message {
			return &systemv1.ClearViewRequest{Database: "castellan", ViewName: "projections.users"}
		}},
		"ListFailedEvents": {system, func(Target) proto.Message { return &systemv1.ListFailedEventsRequest{} }},
		"RemoveFailedEvent": {own, func(t Target) proto.Message {
			return &systemv1.RemoveFailedEventRequest{
				Database: "castellan", ViewName: "projections.deliveries_quota", FailedSequence: 7, InstanceId: t["instance_id"],
			}
		}},
		"AddQuota": {own, func(t Target) proto.Message {
			return &systemv1.AddQuotaRequest{
				InstanceId: t["instance_id"], Unit: quotav1.Unit_UNIT_ACTIONS_ALL_RUN_SECONDS, From: timestamppb.New(time.Unix(1_700_000_000, 0)),
				ResetInterval: durationpb.New(time.Hour), Amount: 1_000_000,
			}
		}},
		"SetQuota": {own, func(t Target) proto.Message {
			return &systemv1.SetQuotaRequest{
				InstanceId: t["instance_id"], Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED, From: timestamppb.New(time.Unix(1_700_000_000, 0)),
				ResetInterval: durationpb.New(time.Hour), Amount: 1_000_000,
			}
		}},
		"RemoveQuota": {own, func(t Target) proto.Message {
			return &systemv1.RemoveQuotaRequest{InstanceId: t["instance_id"], Unit: quotav1.Unit_UNIT_REQUESTS_ALL_AUTHENTICATED}
		}},
		"SetInstanceFeature": {own, func(t Target) proto.Message {
			return &systemv1.SetInstanceFeatureRequest{
				InstanceId: t["instance_id"], FeatureId: featurev1.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG,
				Value: &systemv1.SetInstanceFeatureRequest_Bool{Bool: true},
			}
		}},
		"SetLimits": {own, func(t Target) proto.Message {
			return &systemv1.SetLimitsRequest{InstanceId: t["instance_id"], AuditLogRetention: durationpb.New(time.Hour)}
		}},
		"BulkSetLimits": {system, func(t Target) proto.Message {
			return &systemv1.BulkSetLimitsRequest{Limits: []*systemv1.SetLimitsRequest{
				{InstanceId: t["instance_id"], AuditLogRetention: durationpb.New(2 * time.Hour)},
			}}
		}},
		"ResetLimits": {own, func(t Target) proto.Message { return &systemv1.ResetLimitsRequest{InstanceId: t["instance_id"]} }},
	})
}
