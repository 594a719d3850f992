package tenant_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	applicationv2 "castellan/gen/zitadel/application/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// Events of sessions.
const (
	sessionAdded   = "oidc_session.added"
	accessAdded    = "oidc_session.access_token.added"
	accessRevoked  = "oidc_session.access_token.revoked"
	refreshAdded   = "oidc_session.refresh_token.added"
	refreshRenewed = "oidc_session.refresh_token.renewed"
	refreshRevoked = "oidc_session.refresh_token.revoked"
)

// shop is an application that may exchange and refresh, and a machine of another organization that has tokens
// for it.
type shop struct {
	*tenant
	project, app, client, secret string
	robot                        string // the machine, of the organization 77
	ask                          url.Values
}

func newShop(x *tenant) shop {
	x.Helper()
	s := shop{tenant: x, project: x.project(x.Org, "Shop")}
	var app applicationv2.CreateApplicationResponse
	x.write(applicationAPI+"CreateApplication", &applicationv2.CreateApplicationRequest{
		ProjectId: s.project, Name: "Web", ApplicationType: &applicationv2.CreateApplicationRequest_OidcConfiguration{
			OidcConfiguration: &applicationv2.CreateOIDCApplicationRequest{
				RedirectUris: []string{"https://shop.example/callback"}, AuthMethodType: applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_POST,
				GrantTypes: []applicationv2.OIDCGrantType{
					applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_TOKEN_EXCHANGE, applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_REFRESH_TOKEN,
				},
			},
		},
	}, &app, []string{"project.application.added", "project.application.config.oidc.added"})
	s.app, s.client, s.secret = app.GetApplicationId(), app.GetOidcConfiguration().GetClientId(), app.GetOidcConfiguration().GetClientSecret()
	x.write(orgAPI+"AddOrganization", &orgv2.AddOrganizationRequest{Name: "Branch", OrganizationId: proto.String("77")}, new(orgv2.AddOrganizationResponse), begun)
	made := new(userv2.CreateUserResponse)
	x.write(userAPI+"CreateUser", &userv2.CreateUserRequest{
		OrganizationId: "77", Username: proto.String("seller"),
		UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: "Robot"}},
	}, made, []string{"user.machine.added"})
	s.robot = made.GetId()
	var secret userv2.AddSecretResponse
	x.write(userAPI+"AddSecret", &userv2.AddSecretRequest{UserId: s.robot}, &secret, []string{"user.machine.secret.set"})
	s.ask = url.Values{"grant_type": {"client_credentials"}, "client_id": {s.robot}, "client_secret": {secret.GetClientSecret()}}
	return s
}

// post sends a form to an endpoint as the application, and checks which events it left.
func (s shop) post(path string, events []string, pairs ...string) (status int, answer map[string]any) {
	s.Helper()
	form := url.Values{"client_id": {s.client}, "client_secret": {s.secret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	before := len(s.Events())
	status, answer = s.form(path, form)
	if left := s.Events()[before:]; !slices.Equal(left, events) {
		s.Errorf("%s of %v left %v, want %v", path, form["grant_type"], left, events)
	}
	return status, answer
}

// given returns the tokens of an answer.
func (s shop) given(status int, answer map[string]any) (access, refresh string) {
	s.Helper()
	access, _ = answer["access_token"].(string)
	refresh, _ = answer["refresh_token"].(string)
	if status != http.StatusOK || access == "" {
		s.Fatalf("%d %v", status, answer)
	}
	return access, refresh
}

// token is an access token that the machine asks for with a scope. It is for the project of the application.
func (s shop) token(scope string) string {
	s.Helper()
	form := url.Values{"scope": {scope + " urn:zitadel:iam:org:project:id:" + s.project + ":aud"}}
	for name, values := range s.ask {
		form[name] = values
	}
	text, refresh := s.given(s.form("/oauth/v2/token", form))
	if refresh != "" {
		s.Error("a machine got a refresh token")
	}
	return text
}

// begin exchanges a token of the machine, which it may keep for long.
func (s shop) begin() (access, refresh string) {
	s.Helper()
	access, refresh = s.given(s.exchange([]string{sessionAdded, accessAdded, refreshAdded}, s.token("openid offline_access"), ""))
	if refresh == "" {
		s.Fatal("there is no refresh token")
	}
	return access, refresh
}

func (s shop) exchange(events []string, subject, scope string) (int, map[string]any) {
	s.Helper()
	return s.post("/oauth/v2/token", events, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token", subject, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "scope", scope)
}

func (s shop) refresh(events []string, refresh string) (int, map[string]any) {
	s.Helper()
	return s.post("/oauth/v2/token", events, "grant_type", "refresh_token", "refresh_token", refresh)
}

// ends checks that a refresh token is of no use, and what its last use leaves.
func (s shop) ends(what, refresh string, events ...string) {
	s.Helper()
	if status, answer := s.refresh(events, refresh); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		s.Errorf("%s: %d %v", what, status, answer)
	}
}

// active reports whether introspection says that a token is of use.
func (s shop) active(text, hint string) bool {
	s.Helper()
	status, answer := s.post("/oauth/v2/introspect", nil, "token", text, "token_type_hint", hint)
	if active, ok := answer["active"].(bool); ok && status == http.StatusOK {
		if active && answer["sub"] != s.robot {
			s.Errorf("it is about %v", answer["sub"])
		}
		return active
	}
	s.Fatalf("%d %v", status, answer)
	return false
}

// A refresh token comes of an exchange, is renewed each time it is used, ends its session when it is used a second
// time, and is revoked.
func TestRefreshTokens(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		s := newShop(x)
		first, refresh := s.begin()
		second, next := s.given(s.refresh([]string{accessAdded, refreshRenewed}, refresh))
		if next == "" || next == refresh || first == second {
			s.Fatal("the tokens are not new ones")
		}
		for name, c := range map[string]struct {
			text, hint string
			want       bool
		}{
			"the first access token": {first, "", true}, "the second": {second, "access_token", true},
			"the refresh token": {next, "refresh_token", true}, "which does not say so": {next, "", false},
			"the one that was used": {refresh, "refresh_token", false},
		} {
			if s.active(c.text, c.hint) != c.want {
				s.Errorf("%s is active: %t", name, !c.want)
			}
		}
		s.ends("what nobody gave out", next+"A")
		s.ends("the first again", refresh, refreshRevoked)
		s.ends("the newest, which was copied", next)
		s.ends("the first once more", refresh)
		for name, text := range map[string]string{"first": first, "second": second} {
			if s.active(text, "") {
				s.Errorf("the %s access token is active", name)
			}
		}

		first, refresh = s.begin()
		if status, answer := s.post("/oauth/v2/revoke", []string{refreshRevoked}, "token", refresh); status != http.StatusOK {
			s.Errorf("%d %v", status, answer)
		}
		s.ends("one that was revoked", refresh)
		if s.active(first, "") || s.active(refresh, "refresh_token") {
			s.Error("what was revoked is active")
		}
		// What was exchanged for it is the end of it, too.
		subject := s.token("offline_access")
		_, refresh = s.given(s.exchange([]string{sessionAdded, accessAdded, refreshAdded}, subject, "offline_access"))
		form := url.Values{"token": {subject}, "client_id": s.ask["client_id"], "client_secret": s.ask["client_secret"]}
		if status, answer := s.form("/oauth/v2/revoke", form); status != http.StatusOK || s.Events()[len(s.Events())-1] != accessRevoked {
			s.Errorf("%d %v", status, answer)
		}
		s.ends("after its source", refresh)

		if _, answer := s.exchange(nil, s.token("openid"), "openid offline_access"); answer["refresh_token"] != nil || answer["scope"] != "openid" {
			s.Errorf("of a token that is not for long: %v", answer)
		}
		if _, refresh = s.given(s.exchange([]string{sessionAdded, accessAdded, refreshAdded}, s.Token, "openid offline_access")); refresh == "" {
			s.Error("no refresh token for a personal access token")
		}
		s.write(applicationAPI+"UpdateApplication", &applicationv2.UpdateApplicationRequest{
			ApplicationId: s.app, ProjectId: s.project, ApplicationType: &applicationv2.UpdateApplicationRequest_OidcConfiguration{
				OidcConfiguration: &applicationv2.UpdateOIDCApplicationConfigurationRequest{
					GrantTypes: []applicationv2.OIDCGrantType{applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_TOKEN_EXCHANGE},
				},
			},
		}, new(applicationv2.UpdateApplicationResponse), []string{"project.application.config.oidc.changed"})
		if status, answer := s.refresh(nil, refresh); status != http.StatusBadRequest || answer["error"] != "unauthorized_client" {
			s.Errorf("without the grant type: %d %v", status, answer)
		}
		if _, answer := s.exchange(nil, s.token("openid offline_access"), ""); answer["access_token"] == nil || answer["refresh_token"] != nil {
			s.Errorf("without the grant type: %v", answer)
		}
	})
}

// What a session stands on is switched off by its own API, and the next refresh is refused; on again, and it goes on.
func TestRefreshEndsAtOnce(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		s := newShop(x)
		_, refresh := s.begin()
		for _, c := range []struct {
			what      string
			off       string
			offReq    proto.Message
			offAnswer proto.Message
			offEvent  string
			on        string
			onReq     proto.Message
			onAnswer  proto.Message
			onEvent   string
			code      string
		}{
			{"user", userAPI + "DeactivateUser", &userv2.DeactivateUserRequest{UserId: s.robot}, &userv2.DeactivateUserResponse{}, "user.deactivated",
				userAPI + "ReactivateUser", &userv2.ReactivateUserRequest{UserId: s.robot}, &userv2.ReactivateUserResponse{}, "user.reactivated", "invalid_grant"},
			{"locked user", userAPI + "LockUser", &userv2.LockUserRequest{UserId: s.robot}, &userv2.LockUserResponse{}, "user.locked",
				userAPI + "UnlockUser", &userv2.UnlockUserRequest{UserId: s.robot}, &userv2.UnlockUserResponse{}, "user.unlocked", "invalid_grant"},
			{"organization", orgAPI + "DeactivateOrganization", &orgv2.DeactivateOrganizationRequest{OrganizationId: "77"}, &orgv2.DeactivateOrganizationResponse{}, "org.deactivated",
				orgAPI + "ActivateOrganization", &orgv2.ActivateOrganizationRequest{OrganizationId: "77"}, &orgv2.ActivateOrganizationResponse{}, "org.reactivated", "invalid_grant"},
			{"application", applicationAPI + "DeactivateApplication", &applicationv2.DeactivateApplicationRequest{ApplicationId: s.app, ProjectId: s.project}, &applicationv2.DeactivateApplicationResponse{}, "project.application.deactivated",
				applicationAPI + "ReactivateApplication", &applicationv2.ReactivateApplicationRequest{ApplicationId: s.app, ProjectId: s.project}, &applicationv2.ReactivateApplicationResponse{}, "project.application.reactivated", "invalid_client"},
			{"project", projectAPI + "DeactivateProject", &projectv2.DeactivateProjectRequest{ProjectId: s.project}, &projectv2.DeactivateProjectResponse{}, "project.deactivated",
				projectAPI + "ActivateProject", &projectv2.ActivateProjectRequest{ProjectId: s.project}, &projectv2.ActivateProjectResponse{}, "project.reactivated", "invalid_client"},
			{"authorization", projectAPI + "UpdateProject", &projectv2.UpdateProjectRequest{ProjectId: s.project, AuthorizationRequired: proto.Bool(true)}, &projectv2.UpdateProjectResponse{}, "project.changed",
				projectAPI + "UpdateProject", &projectv2.UpdateProjectRequest{ProjectId: s.project, AuthorizationRequired: proto.Bool(false)}, &projectv2.UpdateProjectResponse{}, "project.changed", "invalid_grant"},
		} {
			s.write(c.off, c.offReq, c.offAnswer, []string{c.offEvent})
			if status, answer := s.refresh(nil, refresh); status != http.StatusBadRequest || answer["error"] != c.code {
				s.Errorf("without the %s: %d %v", c.what, status, answer)
			}
			s.write(c.on, c.onReq, c.onAnswer, []string{c.onEvent})
			_, refresh = s.given(s.refresh([]string{accessAdded, refreshRenewed}, refresh))
		}
		s.write(userAPI+"DeleteUser", &userv2.DeleteUserRequest{UserId: s.robot}, &userv2.DeleteUserResponse{}, []string{"oidc_session.expired", "user.removed"})
		s.ends("a user who is gone", refresh)
	})
}
