package revocation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"castellan/tests/kit"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	applicationv2 "castellan/gen/zitadel/application/v2"
	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	internalpermissionv2 "castellan/gen/zitadel/internal_permission/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
	systemv1 "castellan/gen/zitadel/system/v1"
	userv2 "castellan/gen/zitadel/user/v2"
	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

// The services by which elements are made and disabled.
const (
	users        = "zitadel.user.v2.UserService/"
	orgs         = "zitadel.org.v2.OrganizationService/"
	projects     = "zitadel.project.v2.ProjectService/"
	applications = "zitadel.application.v2.ApplicationService/"
	grants       = "zitadel.authorization.v2.AuthorizationService/"
	permissions  = "zitadel.internal_permission.v2.InternalPermissionService/"
	webkeys      = "zitadel.webkey.v2.WebKeyService/"
	instances    = "zitadel.instance.v2.InstanceService/"
	lifecycle    = "castellan.system.v1.InstanceLifecycleService/"
)

// elements are what can be disabled, each after those it rests on.
//
// robot and signer are machines of the organization home, to which publisher has granted its projects shop and
// club. The agent of agency may act for users of home; the clerk of home looks after publisher, the keeper of
// agency after shop, and the auditor of agency may see what happens in the instance. club takes only users with an
// authorization for it.
var elements = []element{
	{name: "instance", make: makeInstance},
	{name: "running", on: []string{"instance"}, make: nothing},
	{name: "unblocked", on: []string{"instance"}, make: nothing},
	{name: "host", on: []string{"instance"}, make: func(w *world) {
		w.operate("AddDomain", &systemv1.AddDomainRequest{InstanceId: w.instance, Domain: w.host}, nil)
	}},
	{name: "trusted domain", on: []string{"instance"}, make: trust},
	{name: "system user", make: makeSystemUser},
	{name: "signing key", on: []string{"instance"}, make: makeSigningKey},

	organization("home"), organization("publisher"), organization("agency"),
	machine("robot", "home"), pat("robot"), userKey("robot"), userSecret("robot"),
	machine("signer", "home"), userKey("signer"),
	machine("agent", "agency"), pat("agent"), userSecret("agent"),
	machine("clerk", "home"), pat("clerk"), userKey("clerk"),
	machine("keeper", "agency"), pat("keeper"),
	machine("auditor", "agency"), pat("auditor"),

	project("shop", false), project("club", true), sellers,
	grant("shop", "home", "guest"), grant("shop", "agency", "partner"), grant("club", "home", "guest"), buyers,
	authorization("shop", "home", "buyers of home", "buyer", "guest"), authorization("shop", "publisher", "sellers of shop", "seller"),
	authorization("shop", "agency", "grant of shop to agency", "partner"), authorization("club", "home", "grant of club to home", "guest"),

	application("web", "shop", oidc(applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_BASIC)), appSecret("web", "shop"),
	application("native", "shop", oidc(applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT)), appKey("native", "shop"),
	application("spa", "shop", oidc(applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_NONE)),
	application("gate", "club", oidc(applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_BASIC)), appSecret("gate", "club"),
	application("api", "shop", api(applicationv2.APIAuthMethodType_API_AUTH_METHOD_TYPE_BASIC)), appSecret("api", "shop"),
	application("service", "shop", api(applicationv2.APIAuthMethodType_API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT)), appKey("service", "shop"),

	membership("agent", "home", inOrg), membership("clerk", "publisher", inOrg), membership("keeper", "shop", inProject),
	membership("auditor", "instance", inInstance),

	// Tokens. What they are made of is what they rest on (records 0015 and 0017).
	minted("robot's token by key", []string{"robot's key"}, func(w *world) answered { return w.profile(0, "robot") }),
	minted("robot's ID token", []string{"robot's key", "signing key"}, func(w *world) answered { return w.profile(0, "robot") }),
	minted("robot's token by secret", []string{"robot's secret"}, func(w *world) answered {
		return w.token(0, basic("robot"), clientCredentials, "scope", w.scope())
	}),
	minted("robot's token by assertion", []string{"robot's key"}, func(w *world) answered {
		return w.token(0, byKey("robot"), clientCredentials, "scope", w.scope())
	}),
	minted("clerk's token", []string{"clerk's key"}, func(w *world) answered { return w.profile(0, "clerk") }),
	minted("agent's token", []string{"agent's secret"}, func(w *world) answered {
		return w.token(0, inForm("agent"), clientCredentials, "scope", w.scope())
	}),
	minted("signer's JWT", []string{"signer's key", "signing key"}, func(w *world) answered { return w.profile(0, "signer") }),
	minted("web's token for robot's PAT", []string{"web's secret", "robot's PAT"}, func(w *world) answered {
		return w.exchange(0, basic("web"), w.text["robot's PAT"], accessToken)
	}),
	minted("native's token for robot's token", []string{"native's key", "robot's token by key"}, func(w *world) answered {
		return w.exchange(0, byKey("native"), w.text["robot's token by key"], accessToken)
	}),
	minted("web's token for native's token", []string{"web's secret", "native's token for robot's token"}, func(w *world) answered {
		return w.exchange(0, inForm("web"), w.text["native's token for robot's token"], accessToken)
	}),
	minted("spa's JWT for robot's token", []string{"spa", "robot's token by secret", "signing key"}, func(w *world) answered {
		return w.exchange(0, public("spa"), w.text["robot's token by secret"], accessToken, "requested_token_type", jwt)
	}),
	minted("robot's bound token", []string{"robot's secret"}, func(w *world) answered {
		form, h := url.Values{"grant_type": {clientCredentials}, "scope": {w.scope()}}, http.Header{}
		basic("robot").add(w, form, h)
		h.Set("DPoP", w.holder.Proof(http.MethodPost, w.at[0].URL+"/oauth/v2/token", "", w.clock.Now()))
		return w.ask(0, "/oauth/v2/token", form, h)
	}),
	minted("web's refresh token", []string{"web's secret", "robot's PAT"}, func(w *world) answered {
		return w.exchange(0, basic("web"), w.text["robot's PAT"], accessToken, "scope", offline)
	}),
	minted("gate's refresh token", []string{"gate's secret", "robot's PAT"}, func(w *world) answered {
		return w.exchange(0, basic("gate"), w.text["robot's PAT"], accessToken, "scope", offline)
	}, "authorization as guest"),
	minted("native's refresh token by agent", []string{"native's key", "robot", "agent's PAT", "agent's role"}, func(w *world) answered {
		return w.exchange(0, byKey("native"), w.id["robot"], userID, "actor_token", w.text["agent's PAT"], "actor_token_type", accessToken,
			"scope", offline)
	}),
	minted("robot by agent", []string{"web's secret", "robot", "agent's PAT", "agent's role"}, func(w *world) answered {
		return w.exchange(0, basic("web"), w.id["robot"], userID, "actor_token", w.text["agent's PAT"], "actor_token_type", accessToken)
	}),
	minted("robot's token by agent's token", []string{"native's key", "robot's token by assertion", "agent's token", "agent's role"}, func(w *world) answered {
		return w.exchange(0, byKey("native"), w.text["robot's token by assertion"], accessToken,
			"actor_token", w.text["agent's token"], "actor_token_type", accessToken)
	}),
}

// nothing is made of elements that are there with another.
func nothing(*world) {}

func makeInstance(w *world) {
	wish, made := kit.WithDomain(kit.Machine("Acme"), "hand."+w.host), new(systemv1.CreateInstanceResponse)
	wish.GetMachine().UserName = "owner"
	w.operate("CreateInstance", wish, made)
	w.instance, w.owner = made.GetInstanceId(), made.GetPat()
	w.id["instance"] = w.instance
}

// newKey returns a fresh private key and its public half in PEM.
func newKey(w *world) (*ecdsa.PrivateKey, []byte) {
	w.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		w.Fatal(err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func makeSystemUser(w *world) {
	private, public := newKey(w)
	w.made++
	name := fmt.Sprintf("helper-%d-of-%s", w.made, w.host)
	w.operate(lifecycle+"AddSystemUser", &castellansystemv1.AddSystemUserRequest{
		Id: name, PublicKey: string(public), Memberships: []*castellansystemv1.Membership{{
			Type: castellansystemv1.MembershipType_MEMBERSHIP_TYPE_SYSTEM, Roles: []string{"SYSTEM_OWNER_VIEWER"},
		}},
	}, nil)
	w.key["system user"] = key{name, private}
}

func makeSigningKey(w *world) {
	made := new(webkeyv2.CreateWebKeyResponse)
	w.do(webkeys+"CreateWebKey", &webkeyv2.CreateWebKeyRequest{Key: &webkeyv2.CreateWebKeyRequest_Ecdsa{
		Ecdsa: &webkeyv2.ECDSA{Curve: webkeyv2.ECDSACurve_ECDSA_CURVE_P256},
	}}, made)
	w.do(webkeys+"ActivateWebKey", &webkeyv2.ActivateWebKeyRequest{Id: made.GetId()}, nil)
	w.id["signing key"] = made.GetId()
}

func organization(name string) element {
	return element{name: name, on: []string{"instance"}, make: func(w *world) {
		made := new(orgv2.AddOrganizationResponse)
		w.do(orgs+"AddOrganization", &orgv2.AddOrganizationRequest{Name: name}, made)
		w.id[name] = made.GetOrganizationId()
	}}
}

// machine is a machine user. signer has tokens that are JWTs.
func machine(name, org string) element {
	return element{name: name, on: []string{org}, make: func(w *world) {
		kind := userv2.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
		if name == "signer" {
			kind = userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT
		}
		made := new(userv2.CreateUserResponse)
		w.do(users+"CreateUser", &userv2.CreateUserRequest{
			OrganizationId: w.id[org], Username: proto.String(name),
			UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: name, AccessTokenType: kind}},
		}, made)
		w.id[name] = made.GetId()
	}}
}

func pat(of string) element {
	name := of + "'s PAT"
	return element{name: name, on: []string{of}, make: func(w *world) {
		made := new(userv2.AddPersonalAccessTokenResponse)
		w.do(users+"AddPersonalAccessToken", &userv2.AddPersonalAccessTokenRequest{UserId: w.id[of], ExpirationDate: w.until(name)}, made)
		w.id[name], w.text[name] = made.GetTokenId(), made.GetToken()
	}}
}

func userKey(of string) element {
	name := of + "'s key"
	return element{name: name, on: []string{of}, make: func(w *world) {
		private, public := newKey(w)
		made := new(userv2.AddKeyResponse)
		w.do(users+"AddKey", &userv2.AddKeyRequest{UserId: w.id[of], ExpirationDate: w.until(name), PublicKey: public}, made)
		w.key[name] = key{made.GetKeyId(), private}
	}}
}

func userSecret(of string) element {
	name := of + "'s secret"
	return element{name: name, on: []string{of}, make: func(w *world) {
		made := new(userv2.AddSecretResponse)
		w.do(users+"AddSecret", &userv2.AddSecretRequest{UserId: w.id[of]}, made)
		w.text[name] = made.GetClientSecret()
	}}
}

// project is a project of publisher, with the roles that are given on one, but sellers. A strict one takes only
// users that are authorized for it, of organizations that have it.
func project(name string, strict bool) element {
	return element{name: name, on: []string{"publisher"}, make: func(w *world) {
		made := new(projectv2.CreateProjectResponse)
		w.do(projects+"CreateProject", &projectv2.CreateProjectRequest{
			OrganizationId: w.id["publisher"], Name: name, AuthorizationRequired: strict, ProjectAccessRequired: strict,
		}, made)
		w.id[name] = made.GetProjectId()
		for _, role := range []string{"buyer", "partner", "guest"} {
			addRole(w, name, role)
		}
	}}
}

func addRole(w *world, project, role string) {
	w.do(projects+"AddProjectRole", &projectv2.AddProjectRoleRequest{ProjectId: w.id[project], RoleKey: role, DisplayName: role}, nil)
}

// sellers is a role of its project, and buyers one that an organization has by the grant of the project: a role may
// go while all that it was given by stays.
var (
	sellers = element{name: "sellers of shop", on: []string{"shop"}, make: func(w *world) { addRole(w, "shop", "seller") }}
	buyers  = element{name: "buyers of home", on: []string{"grant of shop to home"}, make: func(w *world) { grantHome(w, "guest", "buyer") }}
)

// grantHome sets the roles of shop that home may give.
func grantHome(w *world, roles ...string) {
	w.do(projects+"UpdateProjectGrant", &projectv2.UpdateProjectGrantRequest{
		ProjectId: w.id["shop"], GrantedOrganizationId: w.id["home"], RoleKeys: roles,
	}, nil)
}

// grant is that of a project to an organization.
func grant(of, to, role string) element {
	return element{name: "grant of " + of + " to " + to, on: []string{of}, with: []string{to}, make: func(w *world) {
		w.do(projects+"CreateProjectGrant", &projectv2.CreateProjectGrantRequest{
			ProjectId: w.id[of], GrantedOrganizationId: w.id[to], RoleKeys: []string{role},
		}, nil)
	}}
}

// authorization gives robot roles on a project, in an organization that may give them by something more. It is called
// by the first. One that is there still has only lost that role, and gives way.
func authorization(on, org, by string, roles ...string) element {
	name := "authorization as " + roles[0]
	return element{name: name, on: []string{on, org, by}, with: []string{"robot"}, make: func(w *world) {
		if before := w.id[name]; before != "" {
			w.do(grants+"DeleteAuthorization", &authorizationv2.DeleteAuthorizationRequest{Id: before}, nil)
		}
		made := new(authorizationv2.CreateAuthorizationResponse)
		w.do(grants+"CreateAuthorization", &authorizationv2.CreateAuthorizationRequest{
			UserId: w.id["robot"], ProjectId: w.id[on], OrganizationId: w.id[org], RoleKeys: roles,
		}, made)
		w.id[name] = made.GetId()
	}}
}

// oidc asks for an application that may exchange tokens.
func oidc(method applicationv2.OIDCAuthMethodType) func(*applicationv2.CreateApplicationRequest) {
	return func(r *applicationv2.CreateApplicationRequest) {
		r.ApplicationType = &applicationv2.CreateApplicationRequest_OidcConfiguration{OidcConfiguration: &applicationv2.CreateOIDCApplicationRequest{
			AuthMethodType: method, RedirectUris: []string{"https://app.example/callback"},
			GrantTypes: []applicationv2.OIDCGrantType{
				applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_AUTHORIZATION_CODE, applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_REFRESH_TOKEN,
				applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_TOKEN_EXCHANGE,
			},
		}}
	}
}

// api asks for an application that introspects.
func api(method applicationv2.APIAuthMethodType) func(*applicationv2.CreateApplicationRequest) {
	return func(r *applicationv2.CreateApplicationRequest) {
		r.ApplicationType = &applicationv2.CreateApplicationRequest_ApiConfiguration{ApiConfiguration: &applicationv2.CreateAPIApplicationRequest{
			AuthMethodType: method,
		}}
	}
}

func application(name, in string, ask func(*applicationv2.CreateApplicationRequest)) element {
	return element{name: name, on: []string{in}, make: func(w *world) {
		wish, made := &applicationv2.CreateApplicationRequest{ProjectId: w.id[in], Name: name}, new(applicationv2.CreateApplicationResponse)
		ask(wish)
		w.do(applications+"CreateApplication", wish, made)
		w.id[name] = made.GetApplicationId()
		if w.beside[name] = made.GetApiConfiguration().GetClientId(); w.beside[name] == "" {
			w.beside[name] = made.GetOidcConfiguration().GetClientId()
		}
	}}
}

// appSecret is the secret of an application: another one than it was made with, for that is all there is to ask for.
func appSecret(of, in string) element {
	name := of + "'s secret"
	return element{name: name, on: []string{of}, make: func(w *world) {
		made := new(applicationv2.GenerateClientSecretResponse)
		w.do(applications+"GenerateClientSecret", &applicationv2.GenerateClientSecretRequest{ApplicationId: w.id[of], ProjectId: w.id[in]}, made)
		w.text[name] = made.GetClientSecret()
	}}
}

// appKey is a key of an application, which the program makes.
func appKey(of, in string) element {
	name := of + "'s key"
	return element{name: name, on: []string{of}, make: func(w *world) {
		made := new(applicationv2.CreateApplicationKeyResponse)
		w.do(applications+"CreateApplicationKey", &applicationv2.CreateApplicationKeyRequest{
			ApplicationId: w.id[of], ProjectId: w.id[in], ExpirationDate: w.until(name),
		}, made)
		var file struct{ KeyID, Key string }
		if err := json.Unmarshal(made.GetKeyDetails(), &file); err != nil {
			w.Fatal(err)
		}
		block, _ := pem.Decode([]byte(file.Key))
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			w.Fatal(err)
		}
		w.key[name] = key{made.GetKeyId(), private}
	}}
}

// resource is what somebody is a member of.
type resource func(w *world, name string) *internalpermissionv2.ResourceType

func inInstance(*world, string) *internalpermissionv2.ResourceType {
	return &internalpermissionv2.ResourceType{Resource: &internalpermissionv2.ResourceType_Instance{Instance: true}}
}

func inOrg(w *world, name string) *internalpermissionv2.ResourceType {
	return &internalpermissionv2.ResourceType{Resource: &internalpermissionv2.ResourceType_OrganizationId{OrganizationId: w.id[name]}}
}

func inProject(w *world, name string) *internalpermissionv2.ResourceType {
	return &internalpermissionv2.ResourceType{Resource: &internalpermissionv2.ResourceType_ProjectId{ProjectId: w.id[name]}}
}

// roles are those of users who look after something, or act for others.
var roles = map[string]string{
	"agent": "ORG_END_USER_IMPERSONATOR", "clerk": "ORG_OWNER", "keeper": "PROJECT_OWNER", "auditor": "IAM_OWNER_VIEWER",
}

// membership gives a user a role on something. It counts whatever is deactivated there: somebody has to
// look after that.
func membership(of, on string, in resource) element {
	return element{name: of + "'s role", with: []string{of, on}, make: func(w *world) {
		w.do(permissions+"CreateAdministrator", &internalpermissionv2.CreateAdministratorRequest{
			UserId: w.id[of], Resource: in(w, on), Roles: []string{roles[of]},
		}, nil)
	}}
}

// minted is a token that a grant gives, which asks for more than the token rests on. What is beside an ID token, and
// beside a refresh token, is the access token that came with it.
func minted(name string, on []string, get func(w *world) answered, asks ...string) element {
	return element{name: name, on: on, names: []string{"shop", "club"}, asks: asks, make: func(w *world) {
		a := get(w)
		what := "access_token"
		switch {
		case strings.HasSuffix(name, "ID token"):
			what = "id_token"
		case strings.Contains(name, "refresh token"):
			what = "refresh_token"
		}
		w.text[name], w.beside[name] = a.text(what), a.text("access_token")
		if w.text[name] == "" {
			w.Fatalf("no %s: %v %v", name, a, a.body)
		}
	}}
}
