package isolation

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	metadatav2 "castellan/gen/zitadel/metadata/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
)

func init() {
	add(orgs, map[string]case_{
		"AddOrganization": {whole, func(t Target) proto.Message {
			return &orgv2.AddOrganizationRequest{
				Name:   fmt.Sprintf("%s another %d", t["name"], named.Add(1)),
				Admins: []*orgv2.AddOrganizationRequest_Admin{{UserType: &orgv2.AddOrganizationRequest_Admin_UserId{UserId: t["user_id"]}}},
			}
		}},
		"UpdateOrganization": {thing, func(t Target) proto.Message {
			return &orgv2.UpdateOrganizationRequest{OrganizationId: t["organization_id"], Name: t["name"] + " renamed"}
		}},
		"DeleteOrganization": {thing, func(t Target) proto.Message {
			return &orgv2.DeleteOrganizationRequest{OrganizationId: t["organization_id"]}
		}},
		"DeactivateOrganization": {thing, func(t Target) proto.Message {
			return &orgv2.DeactivateOrganizationRequest{OrganizationId: t["organization_id"]}
		}},
		"ActivateOrganization": {thing, func(t Target) proto.Message {
			return &orgv2.ActivateOrganizationRequest{OrganizationId: t["organization_id"]}
		}},
		"ListOrganizations": {list, func(t Target) proto.Message {
			return &orgv2.ListOrganizationsRequest{Queries: []*orgv2.SearchQuery{
				{Query: &orgv2.SearchQuery_IdQuery{IdQuery: &orgv2.OrganizationIDQuery{Id: t["organization_id"]}}},
				{Query: &orgv2.SearchQuery_DomainQuery{DomainQuery: &orgv2.OrganizationDomainQuery{Domain: t["org_domain"]}}},
			}}
		}},
	})
	add(orgs, whatOrgsHave)
	names(orgs, map[string]string{
		"queries.id_query.id": "organization_id", "domain": "org_domain",
		"admins.human.user_id": "human_id", "admins.human.organization.org_id": "organization_id",
		"admins.human.organization.org_domain": "org_domain", "admins.human.idp_links.idp_id": "organization_id",
		"admins.human.idp_links.user_id": "human_id",
	})
	// What an organization of the tests is not, or does not have.
	absent[orgs+"/ActivateOrganization"] = true
	absent[orgs+"/VerifyOrganizationDomain"] = true
	absent[orgs+"/GenerateOrganizationDomainValidation"] = true
	for _, field := range []string{"organization_id", "org_id"} {
		except(orgs+"/AddOrganization", field, "ids are those of one instance: in another the id is free, and where it is not it is refused")
	}
	for _, field := range []string{"org_id", "org_domain"} {
		except(orgs+"/AddOrganization", "admins.human.organization."+field, "is not read: who is new with an organization belongs to it")
	}
	except(orgs+"/AddOrganization", "admins.human.user_id", "ids are those of one instance, see above")
	except(orgs+"/ListOrganizationDomains", "filters.domain_filter.domain", "a condition of a list, which finds nothing")
	except(orgs+"/AddOrganizationDomain", "domain", "whoever has verified a domain has it in one instance")
}

// named counts names that have to be unique.
var named atomic.Int64

var whatOrgsHave = map[string]case_{
	"SetOrganizationMetadata": {thing, func(t Target) proto.Message {
		return &orgv2.SetOrganizationMetadataRequest{
			OrganizationId: t["organization_id"], Metadata: []*orgv2.Metadata{{Key: "another", Value: []byte("x")}},
		}
	}},
	"ListOrganizationMetadata": {thing, func(t Target) proto.Message {
		return &orgv2.ListOrganizationMetadataRequest{OrganizationId: t["organization_id"], Filters: []*metadatav2.MetadataSearchFilter{
			{Filter: &metadatav2.MetadataSearchFilter_KeyFilter{KeyFilter: &metadatav2.MetadataKeyFilter{Key: t["metadata_key"]}}},
		}}
	}},
	"DeleteOrganizationMetadata": {thing, func(t Target) proto.Message {
		return &orgv2.DeleteOrganizationMetadataRequest{OrganizationId: t["organization_id"], Keys: []string{t["metadata_key"]}}
	}},
	"AddOrganizationDomain": {thing, func(t Target) proto.Message {
		return &orgv2.AddOrganizationDomainRequest{OrganizationId: t["organization_id"], Domain: "more." + t["org_domain"]}
	}},
	"ListOrganizationDomains": {thing, func(t Target) proto.Message {
		return &orgv2.ListOrganizationDomainsRequest{OrganizationId: t["organization_id"], Filters: []*orgv2.DomainSearchFilter{
			{Filter: &orgv2.DomainSearchFilter_DomainFilter{DomainFilter: &orgv2.OrganizationDomainQuery{Domain: t["org_domain"]}}},
		}}
	}},
	"DeleteOrganizationDomain": {thing, func(t Target) proto.Message {
		return &orgv2.DeleteOrganizationDomainRequest{OrganizationId: t["organization_id"], Domain: t["org_domain"]}
	}},
	"GenerateOrganizationDomainValidation": {thing, func(t Target) proto.Message {
		return &orgv2.GenerateOrganizationDomainValidationRequest{
			OrganizationId: t["organization_id"], Domain: t["org_domain"], Type: orgv2.DomainValidationType_DOMAIN_VALIDATION_TYPE_HTTP,
		}
	}},
	"VerifyOrganizationDomain": {thing, func(t Target) proto.Message {
		return &orgv2.VerifyOrganizationDomainRequest{OrganizationId: t["organization_id"], Domain: t["org_domain"]}
	}},
}
