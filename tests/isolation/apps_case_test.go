package isolation

import (
	"google.golang.org/protobuf/proto"

	applicationv2 "castellan/gen/zitadel/application/v2"
	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	filterv2 "castellan/gen/zitadel/filter/v2"
	internalpermissionv2 "castellan/gen/zitadel/internal_permission/v2"
)

func init() {
	add(applications, map[string]case_{
		"CreateApplication": {thing, func(t Target) proto.Message {
			return &applicationv2.CreateApplicationRequest{
				ProjectId: t["project_id"], Name: t["name"] + " shop",
				ApplicationType: &applicationv2.CreateApplicationRequest_OidcConfiguration{OidcConfiguration: &applicationv2.CreateOIDCApplicationRequest{}},
			}
		}},
		"UpdateApplication": {thing, func(t Target) proto.Message {
			return &applicationv2.UpdateApplicationRequest{ApplicationId: t["application_id"], ProjectId: t["project_id"], Name: t["name"] + " other"}
		}},
		"GetApplication": {thing, func(t Target) proto.Message {
			return &applicationv2.GetApplicationRequest{ApplicationId: t["application_id"]}
		}},
		"DeleteApplication": {thing, func(t Target) proto.Message {
			return &applicationv2.DeleteApplicationRequest{ApplicationId: t["application_id"], ProjectId: t["project_id"]}
		}},
		"DeactivateApplication": {thing, func(t Target) proto.Message {
			return &applicationv2.DeactivateApplicationRequest{ApplicationId: t["application_id"], ProjectId: t["project_id"]}
		}},
		"ReactivateApplication": {thing, func(t Target) proto.Message {
			return &applicationv2.ReactivateApplicationRequest{ApplicationId: t["application_id"], ProjectId: t["project_id"]}
		}},
		"GenerateClientSecret": {thing, func(t Target) proto.Message {
			return &applicationv2.GenerateClientSecretRequest{ApplicationId: t["application_id"], ProjectId: t["project_id"]}
		}},
		"ListApplications": {list, func(t Target) proto.Message {
			return &applicationv2.ListApplicationsRequest{Filters: []*applicationv2.ApplicationSearchFilter{
				{Filter: &applicationv2.ApplicationSearchFilter_ProjectIdFilter{ProjectIdFilter: &applicationv2.ProjectIDFilter{ProjectId: t["project_id"]}}},
				{Filter: &applicationv2.ApplicationSearchFilter_ClientIdFilter{ClientIdFilter: &applicationv2.ClientIDFilter{ClientId: t["client_id"]}}},
			}}
		}},
		"CreateApplicationKey": {thing, func(t Target) proto.Message {
			return &applicationv2.CreateApplicationKeyRequest{ApplicationId: t["application_id"], ProjectId: t["project_id"], ExpirationDate: later()}
		}},
		"DeleteApplicationKey": {thing, func(t Target) proto.Message {
			return &applicationv2.DeleteApplicationKeyRequest{
				KeyId: t["application_key_id"], ApplicationId: t["application_id"], ProjectId: t["project_id"],
			}
		}},
		"GetApplicationKey": {thing, func(t Target) proto.Message {
			return &applicationv2.GetApplicationKeyRequest{KeyId: t["application_key_id"]}
		}},
		"ListApplicationKeys": {list, func(t Target) proto.Message {
			return &applicationv2.ListApplicationKeysRequest{Filters: []*applicationv2.ApplicationKeySearchFilter{
				{Filter: &applicationv2.ApplicationKeySearchFilter_ApplicationIdFilter{
					ApplicationIdFilter: &applicationv2.ApplicationKeyApplicationIDFilter{ApplicationId: t["application_id"]},
				}},
			}}
		}},
	})
	names(applications, map[string]string{
		"key_id":    "application_key_id",
		"entity_id": "client_id", // the application of a target has no entity id; this is what it is known by
	})
	ownerLacks[applications+"/DeleteApplication"] = "ORG_OWNER has no project.app.delete (contract roles.tsv)"
	except(applications+"/CreateApplication", "application_id", "ids are those of one instance: in another the id is free, and where it is not it is refused")
	absent[applications+"/ReactivateApplication"] = true // the application is active

	add(grants, map[string]case_{
		"ListAuthorizations": {list, func(t Target) proto.Message {
			return &authorizationv2.ListAuthorizationsRequest{Filters: []*authorizationv2.AuthorizationsSearchFilter{
				{Filter: &authorizationv2.AuthorizationsSearchFilter_ProjectId{ProjectId: &filterv2.IDFilter{Id: t["project_id"]}}},
			}}
		}},
		"CreateAuthorization": {thing, func(t Target) proto.Message {
			return &authorizationv2.CreateAuthorizationRequest{
				UserId: t["human_id"], ProjectId: t["project_id"], OrganizationId: t["organization_id"], RoleKeys: []string{t["role_key"]},
			}
		}},
		"UpdateAuthorization": {thing, func(t Target) proto.Message {
			return &authorizationv2.UpdateAuthorizationRequest{Id: t["authorization_id"]}
		}},
		"DeleteAuthorization": {thing, func(t Target) proto.Message {
			return &authorizationv2.DeleteAuthorizationRequest{Id: t["authorization_id"]}
		}},
		"ActivateAuthorization": {thing, func(t Target) proto.Message {
			return &authorizationv2.ActivateAuthorizationRequest{Id: t["authorization_id"]}
		}},
		"DeactivateAuthorization": {thing, func(t Target) proto.Message {
			return &authorizationv2.DeactivateAuthorizationRequest{Id: t["authorization_id"]}
		}},
	})
	names(grants, map[string]string{
		"id":                              "authorization_id",
		"filters.authorization_ids.ids":   "authorization_id",
		"filters.in_user_ids.ids":         "user_id",
		"filters.organization_id.id":      "organization_id",
		"filters.user_organization_id.id": "organization_id",
		"filters.project_id.id":           "project_id",
		"filters.project_grant_id.id":     "granted_organization_id", // a grant is named by whom it is to
	})

	add(permissions, map[string]case_{
		"ListAdministrators": {list, func(t Target) proto.Message {
			return &internalpermissionv2.ListAdministratorsRequest{Filters: []*internalpermissionv2.AdministratorSearchFilter{
				{Filter: &internalpermissionv2.AdministratorSearchFilter_Resource{Resource: &internalpermissionv2.ResourceFilter{
					Resource: &internalpermissionv2.ResourceFilter_OrganizationId{OrganizationId: t["organization_id"]},
				}}},
			}}
		}},
		"CreateAdministrator": {thing, func(t Target) proto.Message {
			return &internalpermissionv2.CreateAdministratorRequest{UserId: t["human_id"], Resource: inOrg(t), Roles: []string{"ORG_OWNER_VIEWER"}}
		}},
		"UpdateAdministrator": {thing, func(t Target) proto.Message {
			return &internalpermissionv2.UpdateAdministratorRequest{UserId: t["member_id"], Resource: inOrg(t), Roles: []string{"ORG_OWNER_VIEWER"}}
		}},
		"DeleteAdministrator": {thing, func(t Target) proto.Message {
			return &internalpermissionv2.DeleteAdministratorRequest{UserId: t["member_id"], Resource: inOrg(t)}
		}},
	})
	names(permissions, map[string]string{
		"resource.project_grant.organization_id":         "granted_organization_id",
		"filters.resource.project_grant.organization_id": "granted_organization_id",
		"filters.in_user_ids_filter.ids":                 "member_id",
		"filters.user_organization_id.id":                "organization_id",
	})
}
