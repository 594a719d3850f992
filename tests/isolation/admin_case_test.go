package isolation

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "castellan/gen/zitadel/admin/v1"
	instancev1 "castellan/gen/zitadel/instance/v1"
	managementv1 "castellan/gen/zitadel/management/v1"
	memberv1 "castellan/gen/zitadel/member/v1"
)

func init() {
	const service = "zitadel.admin.v1.AdminService"
	names(service, map[string]string{"aggregate_id": "user_id", "editor_user_id": "owner_id"})
	const condition = "a condition of a list, which finds nothing; its answer tells the time"
	except(service+"/ListIAMMembers", "queries.user_id_query.user_id", condition)
	except(service+"/ListInstanceDomains", "queries.domain_query.domain", condition)
	absent[service+"/UpdateIAMMember"] = true
	add(service, map[string]case_{
		"Healthz":       {public, func(Target) proto.Message { return &adminv1.HealthzRequest{} }},
		"GetMyInstance": {whole, func(Target) proto.Message { return &adminv1.GetMyInstanceRequest{} }},
		"ListInstanceDomains": {whole, func(t Target) proto.Message {
			return &adminv1.ListInstanceDomainsRequest{Queries: []*instancev1.DomainSearchQuery{
				{Query: &instancev1.DomainSearchQuery_DomainQuery{DomainQuery: &instancev1.DomainQuery{Domain: t["domain"]}}},
			}}
		}},
		"GetDefaultOrg":               {whole, func(Target) proto.Message { return &adminv1.GetDefaultOrgRequest{} }},
		"SetDefaultOrg":               {whole, func(t Target) proto.Message { return &adminv1.SetDefaultOrgRequest{OrgId: t["org_id"]} }},
		"GetPasswordComplexityPolicy": {whole, func(Target) proto.Message { return &adminv1.GetPasswordComplexityPolicyRequest{} }},
		"UpdatePasswordComplexityPolicy": {whole, func(Target) proto.Message {
			return &adminv1.UpdatePasswordComplexityPolicyRequest{MinLength: 9}
		}},
		"GetDomainPolicy": {whole, func(Target) proto.Message { return &adminv1.GetDomainPolicyRequest{} }},
		"UpdateDomainPolicy": {whole, func(Target) proto.Message {
			return &adminv1.UpdateDomainPolicyRequest{SmtpSenderAddressMatchesInstanceDomain: true}
		}},
		"GetOIDCSettings": {whole, func(Target) proto.Message { return &adminv1.GetOIDCSettingsRequest{} }},
		"UpdateOIDCSettings": {whole, func(Target) proto.Message {
			hour := durationpb.New(time.Hour)
			return &adminv1.UpdateOIDCSettingsRequest{
				AccessTokenLifetime: hour, IdTokenLifetime: hour, RefreshTokenIdleExpiration: hour, RefreshTokenExpiration: hour,
			}
		}},
		"ListIAMMemberRoles": {whole, func(Target) proto.Message { return &adminv1.ListIAMMemberRolesRequest{} }},
		"ListIAMMembers": {whole, func(t Target) proto.Message {
			return &adminv1.ListIAMMembersRequest{Queries: []*memberv1.SearchQuery{
				{Query: &memberv1.SearchQuery_UserIdQuery{UserIdQuery: &memberv1.UserIDQuery{UserId: t["user_id"]}}},
			}}
		}},
		"AddIAMMember": {whole, func(t Target) proto.Message {
			return &adminv1.AddIAMMemberRequest{UserId: t["user_id"], Roles: []string{"IAM_OWNER_VIEWER"}}
		}},
		"UpdateIAMMember": {whole, func(t Target) proto.Message {
			return &adminv1.UpdateIAMMemberRequest{UserId: t["user_id"], Roles: []string{"IAM_OWNER_VIEWER"}}
		}},
		"RemoveIAMMember": {whole, func(t Target) proto.Message { return &adminv1.RemoveIAMMemberRequest{UserId: t["user_id"]} }},
		"ListEvents": {whole, func(t Target) proto.Message {
			return &adminv1.ListEventsRequest{AggregateId: t["user_id"], EditorUserId: t["owner_id"]}
		}},
		"ListEventTypes":     {whole, func(Target) proto.Message { return &adminv1.ListEventTypesRequest{} }},
		"ListAggregateTypes": {whole, func(Target) proto.Message { return &adminv1.ListAggregateTypesRequest{} }},
	})
}

// The calls of the management API are about the caller's own organization: they name nothing of others.
func init() {
	const service = "zitadel.management.v1.ManagementService"
	absent[service+"/UpdateCustomPasswordComplexityPolicy"] = true
	absent[service+"/ResetPasswordComplexityPolicyToDefault"] = true
	add(service, map[string]case_{
		"Healthz": {public, func(Target) proto.Message { return &managementv1.HealthzRequest{} }},
		"GetPasswordComplexityPolicy": {list, func(Target) proto.Message {
			return &managementv1.GetPasswordComplexityPolicyRequest{}
		}},
		"AddCustomPasswordComplexityPolicy": {list, func(Target) proto.Message {
			return &managementv1.AddCustomPasswordComplexityPolicyRequest{MinLength: 9}
		}},
		"UpdateCustomPasswordComplexityPolicy": {list, func(Target) proto.Message {
			return &managementv1.UpdateCustomPasswordComplexityPolicyRequest{MinLength: 10}
		}},
		"ResetPasswordComplexityPolicyToDefault": {list, func(Target) proto.Message {
			return &managementv1.ResetPasswordComplexityPolicyToDefaultRequest{}
		}},
	})
}
