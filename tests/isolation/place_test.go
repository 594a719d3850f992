package isolation

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	applicationv2 "castellan/gen/zitadel/application/v2"
	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	internalpermissionv2 "castellan/gen/zitadel/internal_permission/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// The services of instances' own APIs.
const (
	users        = "zitadel.user.v2.UserService"
	orgs         = "zitadel.org.v2.OrganizationService"
	projects     = "zitadel.project.v2.ProjectService"
	applications = "zitadel.application.v2.ApplicationService"
	grants       = "zitadel.authorization.v2.AuthorizationService"
	permissions  = "zitadel.internal_permission.v2.InternalPermissionService"
)

// place makes an organization of an instance that has one of everything, and returns the instance with what a
// call of its own API can name there. Its names say what they are of, so that they are found in answers.
func (w *world) place(instance Target, name string) Target {
	w.Helper()
	w.made++
	p := &place{world: w, t: maps.Clone(instance), name: fmt.Sprintf("%s-%d", name, w.made)}
	p.t["name"] = p.name
	p.owner = caller{name: "the owner", token: instance["token"], host: instance["domain"]}
	p.people()
	p.project()
	p.credentials()
	p.webKey()
	return p.t
}

// place is an organization while it is made.
type place struct {
	*world
	t     Target
	name  string
	owner caller
}

// do makes a call that must succeed, as the owner of the instance.
func (p *place) do(full string, request, into proto.Message) {
	p.Helper()
	if s := p.invoke(p.owner, full, request, into); s.Code() != codes.OK {
		p.Fatalf("%s, %v: %v", full, request, s)
	}
}

// machine adds a machine user to the organization.
func (p *place) machine(name string) string {
	p.Helper()
	var made userv2.CreateUserResponse
	p.do(users+"/CreateUser", &userv2.CreateUserRequest{
		OrganizationId: p.t["organization_id"], Username: proto.String(name),
		UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: name}},
	}, &made)
	return made.GetId()
}

// token gives a user a personal access token and returns it with its id.
func (p *place) token(user string) (id, token string) {
	p.Helper()
	var made userv2.AddPersonalAccessTokenResponse
	p.do(users+"/AddPersonalAccessToken", &userv2.AddPersonalAccessTokenRequest{UserId: user, ExpirationDate: later()}, &made)
	return made.GetTokenId(), made.GetToken()
}

// later is when credentials of the tests end.
func later() *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(time.Hour)) }

// member makes a user an administrator.
func (p *place) member(user string, of *internalpermissionv2.ResourceType, role string) {
	p.Helper()
	p.do(permissions+"/CreateAdministrator", &internalpermissionv2.CreateAdministratorRequest{
		UserId: user, Resource: of, Roles: []string{role},
	}, nil)
}

// inOrg, inProject and inGrant are what administrators are of.
func inOrg(t Target) *internalpermissionv2.ResourceType {
	return &internalpermissionv2.ResourceType{Resource: &internalpermissionv2.ResourceType_OrganizationId{OrganizationId: t["organization_id"]}}
}

func inProject(t Target) *internalpermissionv2.ResourceType {
	return &internalpermissionv2.ResourceType{Resource: &internalpermissionv2.ResourceType_ProjectId{ProjectId: t["project_id"]}}
}

func inGrant(t Target) *internalpermissionv2.ResourceType {
	return &internalpermissionv2.ResourceType{Resource: &internalpermissionv2.ResourceType_ProjectGrant_{
		ProjectGrant: &internalpermissionv2.ResourceType_ProjectGrant{ProjectId: t["project_id"], OrganizationId: t["granted_organization_id"]},
	}}
}

// people are the organization, the one its project is granted to, and the users.
func (p *place) people() {
	p.Helper()
	for key, name := range map[string]string{"organization_id": p.name, "granted_organization_id": p.name + "-partner"} {
		var made orgv2.AddOrganizationResponse
		p.do(orgs+"/AddOrganization", &orgv2.AddOrganizationRequest{Name: name}, &made)
		p.t[key] = made.GetOrganizationId()
	}
	p.t["org_id"] = p.t["organization_id"]
	p.t["org_domain"] = strings.ToLower(p.name) + ".org.example"
	p.do(orgs+"/AddOrganizationDomain", &orgv2.AddOrganizationDomainRequest{OrganizationId: p.t["organization_id"], Domain: p.t["org_domain"]}, nil)
	p.do(orgs+"/SetOrganizationMetadata", &orgv2.SetOrganizationMetadataRequest{
		OrganizationId: p.t["organization_id"], Metadata: []*orgv2.Metadata{{Key: p.name + "-note", Value: []byte(p.name + " remembers")}},
	}, nil)
	p.t["metadata_key"] = p.name + "-note"

	owner := p.machine(p.name + "-owner")
	_, p.t["owner_token"] = p.token(owner)
	p.member(owner, inOrg(p.t), "ORG_OWNER")
	p.t["owner_id"] = owner
	_, p.t["plain_token"] = p.token(p.machine(fmt.Sprintf("visitor-%d", p.made)))
	p.t["member_id"] = p.machine(p.name + "-member")
	p.member(p.t["member_id"], inOrg(p.t), "ORG_USER_MANAGER")

	p.t["user_id"], p.t["username"] = p.machine(p.name+"-robot"), p.name+"-robot"
	var made userv2.CreateUserResponse
	p.do(users+"/CreateUser", &userv2.CreateUserRequest{
		OrganizationId: p.t["organization_id"], Username: proto.String(p.name + "-ada"),
		UserType: &userv2.CreateUserRequest_Human_{Human: &userv2.CreateUserRequest_Human{
			Profile: &userv2.SetHumanProfile{GivenName: p.name + " Ada", FamilyName: "Lovelace"},
			Email: &userv2.SetHumanEmail{
				Email: strings.ToLower(p.name) + "@mail.example", Verification: &userv2.SetHumanEmail_IsVerified{IsVerified: true},
			},
		}},
	}, &made)
	p.t["human_id"] = made.GetId()
}

// credentials are what users and applications prove themselves with, and what else they have.
func (p *place) credentials() {
	p.Helper()
	var key userv2.AddKeyResponse
	p.do(users+"/AddKey", &userv2.AddKeyRequest{UserId: p.t["user_id"], ExpirationDate: later()}, &key)
	p.t["key_id"] = key.GetKeyId()
	p.t["token_id"], _ = p.token(p.t["user_id"])
	p.do(users+"/AddSecret", &userv2.AddSecretRequest{UserId: p.t["user_id"]}, nil)
	p.do(users+"/SetUserMetadata", &userv2.SetUserMetadataRequest{
		UserId: p.t["user_id"], Metadata: []*userv2.Metadata{{Key: p.t["metadata_key"], Value: []byte(p.name + " remembers")}},
	}, nil)
	var app applicationv2.CreateApplicationKeyResponse
	p.do(applications+"/CreateApplicationKey", &applicationv2.CreateApplicationKeyRequest{
		ApplicationId: p.t["application_id"], ProjectId: p.t["project_id"], ExpirationDate: later(),
	}, &app)
	p.t["application_key_id"] = app.GetKeyId()
}

// project is a project with a role, an application, a grant, an authorization and administrators.
func (p *place) project() {
	p.Helper()
	var made projectv2.CreateProjectResponse
	p.do(projects+"/CreateProject", &projectv2.CreateProjectRequest{OrganizationId: p.t["organization_id"], Name: p.name + " project"}, &made)
	p.t["project_id"], p.t["role_key"] = made.GetProjectId(), p.name+"-role"
	p.do(projects+"/AddProjectRole", &projectv2.AddProjectRoleRequest{
		ProjectId: p.t["project_id"], RoleKey: p.t["role_key"], DisplayName: p.name + " role",
	}, nil)
	p.do(projects+"/CreateProjectGrant", &projectv2.CreateProjectGrantRequest{
		ProjectId: p.t["project_id"], GrantedOrganizationId: p.t["granted_organization_id"], RoleKeys: []string{p.t["role_key"]},
	}, nil)
	manager := p.machine(p.name + "-project-owner")
	_, p.t["project_owner_token"] = p.token(manager)
	p.member(manager, inProject(p.t), "PROJECT_OWNER")
	p.member(p.t["member_id"], inProject(p.t), "PROJECT_OWNER_VIEWER")
	p.member(p.t["member_id"], inGrant(p.t), "PROJECT_GRANT_OWNER_VIEWER")

	var app applicationv2.CreateApplicationResponse
	p.do(applications+"/CreateApplication", &applicationv2.CreateApplicationRequest{
		ProjectId: p.t["project_id"], Name: p.name + " app",
		ApplicationType: &applicationv2.CreateApplicationRequest_ApiConfiguration{ApiConfiguration: &applicationv2.CreateAPIApplicationRequest{
			AuthMethodType: applicationv2.APIAuthMethodType_API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT,
		}},
	}, &app)
	p.t["application_id"], p.t["client_id"] = app.GetApplicationId(), app.GetApiConfiguration().GetClientId()

	var authorization authorizationv2.CreateAuthorizationResponse
	p.do(grants+"/CreateAuthorization", &authorizationv2.CreateAuthorizationRequest{
		UserId: p.t["user_id"], ProjectId: p.t["project_id"], OrganizationId: p.t["organization_id"], RoleKeys: []string{p.t["role_key"]},
	}, &authorization)
	p.t["authorization_id"] = authorization.GetId()
}

func init() {
	except(projects+"/CreateProjectGrant", "granted_organization_id", "a project is granted to another organization, which need not be asked")
}
