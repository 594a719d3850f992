package isolation

import (
	"google.golang.org/protobuf/proto"

	authv1 "castellan/gen/zitadel/auth/v1"
	filterv2 "castellan/gen/zitadel/filter/v2"
	objectv2 "castellan/gen/zitadel/object/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

func init() {
	add("zitadel.auth.v1.AuthService", map[string]case_{
		"Healthz":   {public, func(Target) proto.Message { return &authv1.HealthzRequest{} }},
		"GetMyUser": {self, func(Target) proto.Message { return &authv1.GetMyUserRequest{} }},
	})
	add(users, changesOfUsers)
	add(users, codesOfUsers)
	add(users, credentialsOfUsers)
	add(users, readsOfUsers)
	names(users, map[string]string{
		"filters.key_id_filter.id": "key_id", "filters.token_id_filter.id": "token_id", "filters.user_id_filter.id": "user_id",
		"filters.organization_id_filter.id": "organization_id",
		"organization.org_id":               "organization_id", "organization.org_domain": "org_domain",
		"idp_links.idp_id": "organization_id", "human.idp_links.idp_id": "organization_id",
		"domain_query.domain": "org_domain",
	})
	// What a user of the tests is not, or does not have.
	for _, method := range []string{
		"RemovePhone", "ReactivateUser", "UnlockUser", "SendEmailCode", "ResendEmailCode", "ResendPhoneCode",
		"VerifyEmail", "VerifyPhone", "VerifyInviteCode",
	} {
		absent[users+"/"+method] = true
	}
	for _, method := range []string{"CreateUser", "AddHumanUser"} {
		except(users+"/"+method, "user_id", "the id of a user who is there is refused like any other that is taken")
	}
}

var changesOfUsers = map[string]case_{
	"CreateUser": {thing, func(t Target) proto.Message {
		return &userv2.CreateUserRequest{
			OrganizationId: t["organization_id"],
			UserType:       &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: "Another"}},
		}
	}},
	"AddHumanUser": {thing, func(t Target) proto.Message {
		return &userv2.AddHumanUserRequest{
			Organization: &objectv2.Organization{Org: &objectv2.Organization_OrgId{OrgId: t["organization_id"]}},
			Profile:      &userv2.SetHumanProfile{GivenName: "Grace", FamilyName: "Hopper"},
			Email:        &userv2.SetHumanEmail{Email: "grace-" + t["organization_id"] + "@navy.example"},
		}
	}},
	"UpdateUser": {thing, func(t Target) proto.Message {
		return &userv2.UpdateUserRequest{UserId: t["user_id"], UserType: &userv2.UpdateUserRequest_Machine_{
			Machine: &userv2.UpdateUserRequest_Machine{Description: proto.String("changed")},
		}}
	}},
	"UpdateHumanUser": {thing, func(t Target) proto.Message {
		return &userv2.UpdateHumanUserRequest{UserId: t["human_id"], Profile: &userv2.SetHumanProfile{GivenName: "Changed", FamilyName: "Name"}}
	}},
	"SetEmail": {thing, func(t Target) proto.Message {
		return &userv2.SetEmailRequest{UserId: t["human_id"], Email: "changed@navy.example"}
	}},
	"SetPhone": {thing, func(t Target) proto.Message {
		return &userv2.SetPhoneRequest{UserId: t["human_id"], Phone: "+41791234567"}
	}},
	"RemovePhone":    {thing, func(t Target) proto.Message { return &userv2.RemovePhoneRequest{UserId: t["human_id"]} }},
	"DeactivateUser": {thing, func(t Target) proto.Message { return &userv2.DeactivateUserRequest{UserId: t["user_id"]} }},
	"ReactivateUser": {thing, func(t Target) proto.Message { return &userv2.ReactivateUserRequest{UserId: t["user_id"]} }},
	"LockUser":       {thing, func(t Target) proto.Message { return &userv2.LockUserRequest{UserId: t["user_id"]} }},
	"UnlockUser":     {thing, func(t Target) proto.Message { return &userv2.UnlockUserRequest{UserId: t["user_id"]} }},
	"DeleteUser":     {thing, func(t Target) proto.Message { return &userv2.DeleteUserRequest{UserId: t["user_id"]} }},
	"HumanMFAInitSkipped": {thing, func(t Target) proto.Message {
		return &userv2.HumanMFAInitSkippedRequest{UserId: t["human_id"]}
	}},
	"SetUserMetadata": {thing, func(t Target) proto.Message {
		return &userv2.SetUserMetadataRequest{UserId: t["user_id"], Metadata: []*userv2.Metadata{{Key: "another", Value: []byte("x")}}}
	}},
	"DeleteUserMetadata": {thing, func(t Target) proto.Message {
		return &userv2.DeleteUserMetadataRequest{UserId: t["user_id"], Keys: []string{t["metadata_key"]}}
	}},
}

var codesOfUsers = map[string]case_{
	"SendEmailCode": {thing, func(t Target) proto.Message {
		return &userv2.SendEmailCodeRequest{UserId: t["human_id"], Verification: &userv2.SendEmailCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}}
	}},
	"ResendEmailCode": {thing, func(t Target) proto.Message {
		return &userv2.ResendEmailCodeRequest{UserId: t["human_id"], Verification: &userv2.ResendEmailCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}}
	}},
	"ResendPhoneCode": {thing, func(t Target) proto.Message {
		return &userv2.ResendPhoneCodeRequest{UserId: t["human_id"], Verification: &userv2.ResendPhoneCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnPhoneVerificationCode{}}}
	}},
	"PasswordReset": {thing, func(t Target) proto.Message {
		return &userv2.PasswordResetRequest{UserId: t["human_id"], Medium: &userv2.PasswordResetRequest_ReturnCode{ReturnCode: &userv2.ReturnPasswordResetCode{}}}
	}},
	"CreateInviteCode": {thing, func(t Target) proto.Message {
		return &userv2.CreateInviteCodeRequest{UserId: t["human_id"], Verification: &userv2.CreateInviteCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnInviteCode{}}}
	}},
	"VerifyEmail": {thing, func(t Target) proto.Message {
		return &userv2.VerifyEmailRequest{UserId: t["human_id"], VerificationCode: "ABCDEF"}
	}},
	"VerifyPhone": {thing, func(t Target) proto.Message {
		return &userv2.VerifyPhoneRequest{UserId: t["human_id"], VerificationCode: "ABCDEF"}
	}},
	"VerifyInviteCode": {thing, func(t Target) proto.Message {
		return &userv2.VerifyInviteCodeRequest{UserId: t["human_id"], VerificationCode: "ABCDEF"}
	}},
}

var credentialsOfUsers = map[string]case_{
	"SetPassword": {thing, func(t Target) proto.Message {
		return &userv2.SetPasswordRequest{UserId: t["human_id"], NewPassword: &userv2.Password{Password: "Another1!"}}
	}},
	"AddSecret":    {thing, func(t Target) proto.Message { return &userv2.AddSecretRequest{UserId: t["user_id"]} }},
	"RemoveSecret": {thing, func(t Target) proto.Message { return &userv2.RemoveSecretRequest{UserId: t["user_id"]} }},
	"AddKey": {thing, func(t Target) proto.Message {
		return &userv2.AddKeyRequest{UserId: t["user_id"], ExpirationDate: later()}
	}},
	"RemoveKey": {thing, func(t Target) proto.Message {
		return &userv2.RemoveKeyRequest{UserId: t["user_id"], KeyId: t["key_id"]}
	}},
	"AddPersonalAccessToken": {thing, func(t Target) proto.Message {
		return &userv2.AddPersonalAccessTokenRequest{UserId: t["user_id"], ExpirationDate: later()}
	}},
	"RemovePersonalAccessToken": {thing, func(t Target) proto.Message {
		return &userv2.RemovePersonalAccessTokenRequest{UserId: t["user_id"], TokenId: t["token_id"]}
	}},
	"ListKeys": {list, func(t Target) proto.Message {
		return &userv2.ListKeysRequest{Filters: []*userv2.KeysSearchFilter{
			{Filter: &userv2.KeysSearchFilter_KeyIdFilter{KeyIdFilter: &filterv2.IDFilter{Id: t["key_id"]}}},
			{Filter: &userv2.KeysSearchFilter_UserIdFilter{UserIdFilter: &filterv2.IDFilter{Id: t["user_id"]}}},
			{Filter: &userv2.KeysSearchFilter_OrganizationIdFilter{OrganizationIdFilter: &filterv2.IDFilter{Id: t["organization_id"]}}},
		}}
	}},
	"ListPersonalAccessTokens": {list, func(t Target) proto.Message {
		return &userv2.ListPersonalAccessTokensRequest{Filters: []*userv2.PersonalAccessTokensSearchFilter{
			{Filter: &userv2.PersonalAccessTokensSearchFilter_TokenIdFilter{TokenIdFilter: &filterv2.IDFilter{Id: t["token_id"]}}},
			{Filter: &userv2.PersonalAccessTokensSearchFilter_UserIdFilter{UserIdFilter: &filterv2.IDFilter{Id: t["user_id"]}}},
			{Filter: &userv2.PersonalAccessTokensSearchFilter_OrganizationIdFilter{OrganizationIdFilter: &filterv2.IDFilter{Id: t["organization_id"]}}},
		}}
	}},
}

var readsOfUsers = map[string]case_{
	"GetUserByID": {thing, func(t Target) proto.Message { return &userv2.GetUserByIDRequest{UserId: t["user_id"]} }},
	"ListUsers": {list, func(t Target) proto.Message {
		return &userv2.ListUsersRequest{Queries: []*userv2.SearchQuery{
			{Query: &userv2.SearchQuery_InUserIdsQuery{InUserIdsQuery: &userv2.InUserIDQuery{UserIds: []string{t["user_id"], t["human_id"]}}}},
			{Query: &userv2.SearchQuery_OrganizationIdQuery{OrganizationIdQuery: &userv2.OrganizationIdQuery{OrganizationId: t["organization_id"]}}},
		}}
	}},
	"ListUserMetadata": {thing, func(t Target) proto.Message { return &userv2.ListUserMetadataRequest{UserId: t["user_id"]} }},
	"ListAuthenticationMethodTypes": {thing, func(t Target) proto.Message {
		return &userv2.ListAuthenticationMethodTypesRequest{UserId: t["human_id"]}
	}},
	"ListAuthenticationFactors": {thing, func(t Target) proto.Message {
		return &userv2.ListAuthenticationFactorsRequest{UserId: t["human_id"]}
	}},
	"ListPasskeys": {thing, func(t Target) proto.Message { return &userv2.ListPasskeysRequest{UserId: t["human_id"]} }},
	"ListIDPLinks": {thing, func(t Target) proto.Message { return &userv2.ListIDPLinksRequest{UserId: t["human_id"]} }},
}
