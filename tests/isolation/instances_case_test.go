package isolation

import (
	"google.golang.org/protobuf/proto"

	filterv2 "castellan/gen/zitadel/filter/v2"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
)

func init() {
	add("zitadel.instance.v2.InstanceService", map[string]case_{
		"DeleteInstance": {own, func(t Target) proto.Message {
			return &instancev2.DeleteInstanceRequest{InstanceId: t["instance_id"]}
		}},
		"GetInstance": {own, func(t Target) proto.Message { return &instancev2.GetInstanceRequest{InstanceId: t["instance_id"]} }},
		"UpdateInstance": {own, func(t Target) proto.Message {
			return &instancev2.UpdateInstanceRequest{InstanceId: t["instance_id"], InstanceName: "Renamed"}
		}},
		"ListInstances": {system, func(t Target) proto.Message {
			return &instancev2.ListInstancesRequest{Filters: []*instancev2.Filter{
				{Filter: &instancev2.Filter_InIdsFilter{InIdsFilter: &filterv2.InIDsFilter{Ids: []string{t["instance_id"]}}}},
				{Filter: &instancev2.Filter_CustomDomainsFilter{CustomDomainsFilter: &instancev2.CustomDomainsFilter{Domains: []string{t["domain"]}}}},
			}}
		}},
		"AddCustomDomain": {own, func(t Target) proto.Message {
			return &instancev2.AddCustomDomainRequest{InstanceId: t["instance_id"], CustomDomain: "custom." + t["domain"]}
		}},
		"RemoveCustomDomain": {own, func(t Target) proto.Message {
			return &instancev2.RemoveCustomDomainRequest{InstanceId: t["instance_id"], CustomDomain: t["domain"]}
		}},
		"ListCustomDomains": {own, func(t Target) proto.Message {
			return &instancev2.ListCustomDomainsRequest{InstanceId: t["instance_id"], Filters: []*instancev2.CustomDomainFilter{
				{Filter: &instancev2.CustomDomainFilter_DomainFilter{DomainFilter: &instancev2.DomainFilter{Domain: t["domain"]}}},
			}}
		}},
		"AddTrustedDomain": {own, func(t Target) proto.Message {
			return &instancev2.AddTrustedDomainRequest{InstanceId: t["instance_id"], TrustedDomain: "v2." + t["trusted_domain"]}
		}},
		"RemoveTrustedDomain": {own, func(t Target) proto.Message {
			return &instancev2.RemoveTrustedDomainRequest{InstanceId: t["instance_id"], TrustedDomain: t["trusted_domain"]}
		}},
		"ListTrustedDomains": {own, func(t Target) proto.Message {
			return &instancev2.ListTrustedDomainsRequest{InstanceId: t["instance_id"], Filters: []*instancev2.TrustedDomainFilter{
				{Filter: &instancev2.TrustedDomainFilter_DomainFilter{DomainFilter: &instancev2.DomainFilter{Domain: t["trusted_domain"]}}},
			}}
		}},
	})
	add("zitadel.instance.v2beta.InstanceService", map[string]case_{
		"DeleteInstance": {own, func(t Target) proto.Message {
			return &instancev2beta.DeleteInstanceRequest{InstanceId: t["instance_id"]}
		}},
		"GetInstance": {own, func(t Target) proto.Message { return &instancev2beta.GetInstanceRequest{InstanceId: t["instance_id"]} }},
		"UpdateInstance": {own, func(t Target) proto.Message {
			return &instancev2beta.UpdateInstanceRequest{InstanceId: t["instance_id"], InstanceName: "Renamed"}
		}},
		"ListInstances": {system, func(t Target) proto.Message {
			return &instancev2beta.ListInstancesRequest{Queries: []*instancev2beta.Query{
				{Query: &instancev2beta.Query_IdQuery{IdQuery: &instancev2beta.IdsQuery{Ids: []string{t["instance_id"]}}}},
				{Query: &instancev2beta.Query_DomainQuery{DomainQuery: &instancev2beta.DomainsQuery{Domains: []string{t["domain"]}}}},
			}}
		}},
		"AddCustomDomain": {own, func(t Target) proto.Message {
			return &instancev2beta.AddCustomDomainRequest{InstanceId: t["instance_id"], Domain: "beta." + t["domain"]}
		}},
		"RemoveCustomDomain": {own, func(t Target) proto.Message {
			return &instancev2beta.RemoveCustomDomainRequest{InstanceId: t["instance_id"], Domain: t["domain"]}
		}},
		"ListCustomDomains": {own, func(t Target) proto.Message {
			return &instancev2beta.ListCustomDomainsRequest{InstanceId: t["instance_id"], Queries: []*instancev2beta.DomainSearchQuery{
				{Query: &instancev2beta.DomainSearchQuery_DomainQuery{DomainQuery: &instancev2beta.DomainQuery{Domain: t["domain"]}}},
			}}
		}},
		"AddTrustedDomain": {own, func(t Target) proto.Message {
			return &instancev2beta.AddTrustedDomainRequest{InstanceId: t["instance_id"], Domain: "more." + t["trusted_domain"]}
		}},
		"RemoveTrustedDomain": {own, func(t Target) proto.Message {
			return &instancev2beta.RemoveTrustedDomainRequest{InstanceId: t["instance_id"], Domain: t["trusted_domain"]}
		}},
		"ListTrustedDomains": {own, func(t Target) proto.Message {
			return &instancev2beta.ListTrustedDomainsRequest{InstanceId: t["instance_id"], Queries: []*instancev2beta.TrustedDomainSearchQuery{
				{Query: &instancev2beta.TrustedDomainSearchQuery_DomainQuery{DomainQuery: &instancev2beta.DomainQuery{Domain: t["trusted_domain"]}}},
			}}
		}},
	})
}
