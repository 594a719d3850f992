package revocation

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	applicationv2 "castellan/gen/zitadel/application/v2"
	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	instancev2 "castellan/gen/zitadel/instance/v2"
	internalpermissionv2 "castellan/gen/zitadel/internal_permission/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
	userv2 "castellan/gen/zitadel/user/v2"
	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

// ways are how elements are disabled, by the API that is there for it.
var ways = slices.Concat(
	ofInstance(),
	ofOrg("home"), ofOrg("publisher"), ofOrg("agency"),
	ofUser("robot"), ofUser("signer"), ofUser("agent"), ofUser("clerk"), ofUser("keeper"), ofUser("auditor"),
	ofCredentials(),
	ofProject("shop"), ofProject("club"), ofGrant("shop", "home"), ofGrant("shop", "agency"), ofGrant("club", "home"),
	ofTakenRoles(), ofAuthorization("buyer"), ofAuthorization("seller"), ofAuthorization("partner"), ofAuthorization("guest"),
	ofApplication("web", "shop"), ofApplication("native", "shop"), ofApplication("spa", "shop"), ofApplication("gate", "club"),
	ofApplication("api", "shop"), ofApplication("service", "shop"),
	ofRole("agent", "home", inOrg, "ORG_OWNER_VIEWER"), ofRole("clerk", "publisher", inOrg, "ORG_OWNER_VIEWER"),
	ofRole("keeper", "shop", inProject, "PROJECT_OWNER_VIEWER"), ofRole("auditor", "instance", inInstance, "IAM_ORG_MANAGER"),
	ofTokens(),
)

func ofInstance() []way {
	block := func(to bool) func(*world) {
		return func(w *world) {
			w.operate("SetLimits", &systemv1.SetLimitsRequest{InstanceId: w.instance, Block: proto.Bool(to)}, nil)
		}
	}
	return []way{
		{"running", "stopped", func(w *world) {
			w.operate(lifecycle+"StopInstance", &castellansystemv1.StopInstanceRequest{InstanceId: w.instance}, nil)
		}, func(w *world) {
			w.operate(lifecycle+"StartInstance", &castellansystemv1.StartInstanceRequest{InstanceId: w.instance}, nil)
		}, byOperator},
		{"unblocked", "blocked", block(true), block(false), byOperator},
		{"host", "removed", func(w *world) {
			w.operate("RemoveDomain", &systemv1.RemoveDomainRequest{InstanceId: w.instance, Domain: w.host}, nil)
		}, elementOf("host").make, byOperator},
		{"trusted domain", "removed", func(w *world) {
			w.operate(instances+"RemoveTrustedDomain", &instancev2.RemoveTrustedDomainRequest{InstanceId: w.instance, TrustedDomain: w.public()}, nil)
		}, trust, byOperator},
		{"instance", "removed", func(w *world) {
			w.operate("RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: w.instance}, nil)
			w.instance = ""
		}, nil, byOperator},
		{"system user", "removed", func(w *world) {
			w.operate(lifecycle+"RemoveSystemUser", &castellansystemv1.RemoveSystemUserRequest{Id: w.key["system user"].id}, nil)
		}, nil, byOperator},
		{"system user", "given another key", func(w *world) {
			_, public := newKey(w)
			w.operate(lifecycle+"RotateSystemUserKey", &castellansystemv1.RotateSystemUserKeyRequest{
				Id: w.key["system user"].id, PublicKey: string(public),
			}, nil)
		}, nil, byOperator},
		{"signing key", "removed", func(w *world) {
			old := w.id["signing key"]
			makeSigningKey(w) // an active one cannot be removed
			w.do(webkeys+"DeleteWebKey", &webkeyv2.DeleteWebKeyRequest{Id: old}, nil)
		}, nil, byOwner},
	}
}

// trust adds a domain under which proxies may show the instance.
func trust(w *world) {
	w.operate(instances+"AddTrustedDomain", &instancev2.AddTrustedDomainRequest{InstanceId: w.instance, TrustedDomain: w.public()}, nil)
}

func ofOrg(name string) []way {
	return []way{
		{name, "deactivated", func(w *world) {
			w.do(orgs+"DeactivateOrganization", &orgv2.DeactivateOrganizationRequest{OrganizationId: w.id[name]}, nil)
		}, func(w *world) {
			w.do(orgs+"ActivateOrganization", &orgv2.ActivateOrganizationRequest{OrganizationId: w.id[name]}, nil)
		}, byOwner},
		{name, "removed", func(w *world) {
			w.do(orgs+"DeleteOrganization", &orgv2.DeleteOrganizationRequest{OrganizationId: w.id[name]}, nil)
		}, nil, byOwner},
	}
}

func ofUser(name string) []way {
	return []way{
		{name, "deactivated", func(w *world) {
			w.do(users+"DeactivateUser", &userv2.DeactivateUserRequest{UserId: w.id[name]}, nil)
		}, func(w *world) {
			w.do(users+"ReactivateUser", &userv2.ReactivateUserRequest{UserId: w.id[name]}, nil)
		}, byOwner},
		{name, "locked", func(w *world) {
			w.do(users+"LockUser", &userv2.LockUserRequest{UserId: w.id[name]}, nil)
		}, func(w *world) {
			w.do(users+"UnlockUser", &userv2.UnlockUserRequest{UserId: w.id[name]}, nil)
		}, byOwner},
		{name, "removed", func(w *world) {
			w.do(users+"DeleteUser", &userv2.DeleteUserRequest{UserId: w.id[name]}, nil)
		}, nil, byOwner},
	}
}

// ofCredentials are ways to take credentials away. A secret that is replaced is gone: that there is another one is of
// no use to who has the first.
func ofCredentials() (all []way) {
	for _, of := range []string{"robot", "agent", "clerk", "keeper", "auditor"} {
		all = append(all, way{of + "'s PAT", "removed", func(w *world) {
			w.do(users+"RemovePersonalAccessToken", &userv2.RemovePersonalAccessTokenRequest{UserId: w.id[of], TokenId: w.id[of+"'s PAT"]}, nil)
		}, nil, byOwner})
	}
	for _, of := range []string{"robot", "signer", "clerk"} {
		all = append(all, way{of + "'s key", "removed", func(w *world) {
			w.do(users+"RemoveKey", &userv2.RemoveKeyRequest{UserId: w.id[of], KeyId: w.key[of+"'s key"].id}, nil)
		}, nil, byOwner})
	}
	for _, of := range []string{"robot", "agent"} {
		all = append(all, way{of + "'s secret", "removed", func(w *world) {
			w.do(users+"RemoveSecret", &userv2.RemoveSecretRequest{UserId: w.id[of]}, nil)
		}, nil, byOwner}, way{of + "'s secret", "replaced", func(w *world) {
			w.do(users+"AddSecret", &userv2.AddSecretRequest{UserId: w.id[of]}, nil)
		}, nil, byOwner})
	}
	for of, in := range map[string]string{"web": "shop", "gate": "club", "api": "shop"} {
		all = append(all, way{of + "'s secret", "replaced", func(w *world) {
			w.do(applications+"GenerateClientSecret", &applicationv2.GenerateClientSecretRequest{ApplicationId: w.id[of], ProjectId: w.id[in]}, nil)
		}, nil, byOwner})
	}
	for _, of := range []string{"native", "service"} {
		all = append(all, way{of + "'s key", "removed", func(w *world) {
			w.do(applications+"DeleteApplicationKey", &applicationv2.DeleteApplicationKeyRequest{
				KeyId: w.key[of+"'s key"].id, ApplicationId: w.id[of], ProjectId: w.id["shop"],
			}, nil)
		}, nil, byOwner})
	}
	return all
}

func ofProject(name string) []way {
	return []way{
		{name, "deactivated", func(w *world) {
			w.do(projects+"DeactivateProject", &projectv2.DeactivateProjectRequest{ProjectId: w.id[name]}, nil)
		}, func(w *world) {
			w.do(projects+"ActivateProject", &projectv2.ActivateProjectRequest{ProjectId: w.id[name]}, nil)
		}, byOwner},
		{name, "removed", func(w *world) {
			w.do(projects+"DeleteProject", &projectv2.DeleteProjectRequest{ProjectId: w.id[name]}, nil)
		}, nil, byOwner},
	}
}

func ofGrant(of, to string) []way {
	name := "grant of " + of + " to " + to
	return []way{
		{name, "deactivated", func(w *world) {
			w.do(projects+"DeactivateProjectGrant", &projectv2.DeactivateProjectGrantRequest{ProjectId: w.id[of], GrantedOrganizationId: w.id[to]}, nil)
		}, func(w *world) {
			w.do(projects+"ActivateProjectGrant", &projectv2.ActivateProjectGrantRequest{ProjectId: w.id[of], GrantedOrganizationId: w.id[to]}, nil)
		}, byOwner},
		{name, "removed", func(w *world) {
			w.do(projects+"DeleteProjectGrant", &projectv2.DeleteProjectGrantRequest{ProjectId: w.id[of], GrantedOrganizationId: w.id[to]}, nil)
		}, nil, byOwner},
	}
}

func ofAuthorization(role string) []way {
	name := "authorization as " + role
	return []way{
		{name, "deactivated", func(w *world) {
			w.do(grants+"DeactivateAuthorization", &authorizationv2.DeactivateAuthorizationRequest{Id: w.id[name]}, nil)
		}, func(w *world) {
			w.do(grants+"ActivateAuthorization", &authorizationv2.ActivateAuthorizationRequest{Id: w.id[name]}, nil)
		}, byOwner},
		{name, "removed", func(w *world) {
			w.do(grants+"DeleteAuthorization", &authorizationv2.DeleteAuthorizationRequest{Id: w.id[name]}, nil)
		}, nil, byOwner},
	}
}

// ofTakenRoles are ways in which an authorization stays and its role goes: from it, from the project, from the grant by
// which the organization has the project.
func ofTakenRoles() []way {
	authorize := func(role string) func(w *world) {
		return func(w *world) {
			w.do(grants+"UpdateAuthorization", &authorizationv2.UpdateAuthorizationRequest{
				Id: w.id["authorization as seller"], RoleKeys: []string{role},
			}, nil)
		}
	}
	return []way{
		{"authorization as seller", "for another role", authorize("guest"), authorize("seller"), byOwner},
		{"sellers of shop", "removed", func(w *world) {
			w.do(projects+"RemoveProjectRole", &projectv2.RemoveProjectRoleRequest{ProjectId: w.id["shop"], RoleKey: "seller"}, nil)
		}, nil, byOwner},
		{"buyers of home", "not granted any more", func(w *world) { grantHome(w, "guest") }, nil, byOwner},
	}
}

func ofApplication(name, in string) []way {
	return []way{
		{name, "deactivated", func(w *world) {
			w.do(applications+"DeactivateApplication", &applicationv2.DeactivateApplicationRequest{ApplicationId: w.id[name], ProjectId: w.id[in]}, nil)
		}, func(w *world) {
			w.do(applications+"ReactivateApplication", &applicationv2.ReactivateApplicationRequest{ApplicationId: w.id[name], ProjectId: w.id[in]}, nil)
		}, byOwner},
		{name, "removed", func(w *world) {
			w.do(applications+"DeleteApplication", &applicationv2.DeleteApplicationRequest{ApplicationId: w.id[name], ProjectId: w.id[in]}, nil)
		}, nil, byOwner},
	}
}

// ofRole are ways to take what somebody may: the membership is removed, or it gets another role that gives less.
func ofRole(of, on string, in resource, less string) []way {
	name := of + "'s role"
	set := func(w *world, role string) {
		w.do(permissions+"UpdateAdministrator", &internalpermissionv2.UpdateAdministratorRequest{
			UserId: w.id[of], Resource: in(w, on), Roles: []string{role},
		}, nil)
	}
	return []way{
		{name, "removed", func(w *world) {
			w.do(permissions+"DeleteAdministrator", &internalpermissionv2.DeleteAdministratorRequest{UserId: w.id[of], Resource: in(w, on)}, nil)
		}, nil, byOwner},
		{name, "less", func(w *world) { set(w, less) }, func(w *world) { set(w, roles[of]) }, byOwner},
	}
}

// revocable is what is sent to revoke a token: of an ID token the access token beside it.
func (w *world) revocable(name string) string {
	if strings.HasSuffix(name, "ID token") {
		return w.beside[name]
	}
	return w.text[name]
}

// ofTokens are revocations, by who has got the token, and the second use of a refresh token: it was copied then.
func ofTokens() (all []way) {
	for name, c := range map[string]client{
		"robot's token by key": byKey("robot"), "robot's token by secret": basic("robot"), "agent's token": inForm("agent"),
		"native's token for robot's token": byKey("native"), "robot by agent": basic("web"),
		"spa's JWT for robot's token": public("spa"), "robot's ID token": byKey("robot"),
		"robot's bound token": basic("robot"), "web's refresh token": basic("web"), "native's refresh token by agent": byKey("native"),
	} {
		all = append(all, way{name, "revoked", func(w *world) {
			if a := w.send(0, "/oauth/v2/revoke", c, "token", w.revocable(name)); a.String() != works {
				w.Fatalf("revoke %s: %v", name, a)
			}
		}, nil, byClient})
	}
	return append(all, way{"gate's refresh token", "used twice", func(w *world) {
		first := w.text["gate's refresh token"]
		if got := w.refresh(0, basic("gate"), "gate's refresh token"); got != works {
			w.Fatalf("the first use of a refresh token: %s", got)
		}
		if a := w.token(len(w.nodes)-1, basic("gate"), refreshToken, "refresh_token", first); a.String() != badGrant {
			w.Fatalf("the second use of a refresh token: %v", a)
		}
	}, nil, byClient})
}
