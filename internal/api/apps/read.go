package apps

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/app"
	"castellan/internal/fault"
	"castellan/internal/ident"

	applicationv2 "castellan/gen/zitadel/application/v2"
)

// The terms of the noun for the values of the interface, in whose order they are. The rules of the
// messages have refused what is not declared.
var (
	applicationTypes = []app.ApplicationType{app.Web, app.UserAgent, app.Native}
	oidcMethods      = []app.AuthMethod{app.SecretBasic, app.SecretPost, app.None, app.PrivateKeyJWT}
	apiMethods       = []app.AuthMethod{app.SecretBasic, app.PrivateKeyJWT}
	grantTypes       = []app.GrantType{app.AuthorizationCode, app.Implicit, app.RefreshToken, app.DeviceCode, app.TokenExchange}
	responseTypes    = []app.ResponseType{"", app.Code, app.IDToken, app.IDTokenToken}
	tokenTypes       = []app.TokenType{app.Bearer, app.JWT}
)

// term returns the term for a value; an empty one, which the noun refuses, for one that is not declared.
func term[T ~string, V ~int32](terms []T, value V) T {
	if value < 0 || int(value) >= len(terms) {
		return ""
	}
	return terms[value]
}

// termsOf returns the terms for values.
func termsOf[T ~string, V ~int32](terms []T, values []V) []T {
	var all []T
	for _, v := range values {
		all = append(all, term(terms, v))
	}
	return all
}

// newOf reads the wish for an application.
func newOf(req *applicationv2.CreateApplicationRequest) app.New {
	wish := app.New{App: ident.AppID(strings.TrimSpace(req.GetApplicationId())), Project: ident.ProjectID(req.GetProjectId()), Name: req.GetName()}
	switch t := req.GetApplicationType().(type) {
	case *applicationv2.CreateApplicationRequest_OidcConfiguration:
		c := t.OidcConfiguration
		wish.OIDC = &app.OIDCConfig{
			Type: term(applicationTypes, c.GetApplicationType()), AuthMethod: term(oidcMethods, c.GetAuthMethodType()),
			RedirectURIs: c.GetRedirectUris(), PostLogoutRedirectURIs: c.GetPostLogoutRedirectUris(),
			ResponseTypes: termsOf(responseTypes, c.GetResponseTypes()), GrantTypes: termsOf(grantTypes, c.GetGrantTypes()),
			DevMode: c.GetDevelopmentMode(), AccessTokenType: term(tokenTypes, c.GetAccessTokenType()),
			AccessTokenRoles: c.GetAccessTokenRoleAssertion(), IDTokenRoles: c.GetIdTokenRoleAssertion(),
			IDTokenUserinfo: c.GetIdTokenUserinfoAssertion(), ClockSkew: c.GetClockSkew().AsDuration(),
			AdditionalOrigins: c.GetAdditionalOrigins(), SkipNativeAppSuccessPage: c.GetSkipNativeAppSuccessPage(),
			BackChannelLogoutURI: c.GetBackChannelLogoutUri(), Login: loginOf(c.GetLoginVersion()),
		}
	case *applicationv2.CreateApplicationRequest_ApiConfiguration:
		method := term(apiMethods, t.ApiConfiguration.GetAuthMethodType())
		wish.API = &method
	case *applicationv2.CreateApplicationRequest_SamlConfiguration:
		c := t.SamlConfiguration
		wish.SAML = &app.SAMLWish{Metadata: c.GetMetadataXml(), URL: c.GetMetadataUrl(), Login: loginOf(c.GetLoginVersion())}
	}
	return wish
}

// loginOf reads which login pages are wanted; absent are those of the instance.
func loginOf(v *applicationv2.LoginVersion) app.Login {
	switch v := v.GetVersion().(type) {
	case *applicationv2.LoginVersion_LoginV1:
		return app.Login{Version: app.LoginV1}
	case *applicationv2.LoginVersion_LoginV2:
		return app.Login{Version: app.LoginV2, BaseURI: v.LoginV2.GetBaseUri()}
	}
	return app.Login{}
}

// changeOf reads the wish for a change.
func changeOf(req *applicationv2.UpdateApplicationRequest) app.Change {
	var wish app.Change
	if req.GetName() != "" {
		wish.Name = &req.Name
	}
	switch t := req.GetApplicationType().(type) {
	case *applicationv2.UpdateApplicationRequest_OidcConfiguration:
		wish.OIDC = patchOf(t.OidcConfiguration)
	case *applicationv2.UpdateApplicationRequest_ApiConfiguration:
		method := term(apiMethods, t.ApiConfiguration.GetAuthMethodType())
		wish.API = &method
	case *applicationv2.UpdateApplicationRequest_SamlConfiguration:
		c := t.SamlConfiguration
		wish.SAML = &app.SAMLChange{Metadata: c.GetMetadataXml(), URL: c.GetMetadataUrl()}
		if c.LoginVersion != nil {
			login := loginOf(c.GetLoginVersion())
			wish.SAML.Login = &login
		}
	}
	return wish
}

// patchOf reads a change of an OIDC client. An empty list is one that was left out.
func patchOf(c *applicationv2.UpdateOIDCApplicationConfigurationRequest) *app.OIDCPatch {
	p := &app.OIDCPatch{
		Type: optional(applicationTypes, c.ApplicationType), AuthMethod: optional(oidcMethods, c.AuthMethodType),
		RedirectURIs: listOf(c.GetRedirectUris()), PostLogoutRedirectURIs: listOf(c.GetPostLogoutRedirectUris()),
		ResponseTypes: listOf(termsOf(responseTypes, c.GetResponseTypes())), GrantTypes: listOf(termsOf(grantTypes, c.GetGrantTypes())),
		DevMode: c.DevelopmentMode, AccessTokenType: optional(tokenTypes, c.AccessTokenType),
		AccessTokenRoles: c.AccessTokenRoleAssertion, IDTokenRoles: c.IdTokenRoleAssertion,
		IDTokenUserinfo: c.IdTokenUserinfoAssertion, AdditionalOrigins: listOf(c.GetAdditionalOrigins()),
		SkipNativeAppSuccessPage: c.SkipNativeAppSuccessPage, BackChannelLogoutURI: c.BackChannelLogoutUri,
	}
	if c.GetClockSkew() != nil {
		skew := c.GetClockSkew().AsDuration()
		p.ClockSkew = &skew
	}
	if c.GetLoginVersion() != nil {
		login := loginOf(c.GetLoginVersion())
		p.LoginPatch = app.LoginPatch{Version: &login.Version, BaseURI: &login.BaseURI}
	}
	return p
}

// optional returns the term for a value, nil for one that was left out.
func optional[T ~string, V ~int32](terms []T, value *V) *T {
	if value == nil {
		return nil
	}
	t := term(terms, *value)
	return &t
}

// listOf returns a list, nil for an empty one.
func listOf[T any](list []T) *[]T {
	if len(list) == 0 {
		return nil
	}
	return &list
}

// expiryOf reads when a key ends; zero: never. It returns DOMAIN-dv3t5 for what is no time.
func expiryOf(at *timestamppb.Timestamp) (time.Time, error) {
	if at == nil {
		return time.Time{}, nil
	}
	if err := at.CheckValid(); err != nil {
		return time.Time{}, fault.Invalid("DOMAIN-dv3t5", "Errors.AuthNKey.ExpireBeforeNow", "expiration_date",
			"must be a time between the years 1 and 9999").WithCause(err)
	}
	return at.AsTime(), nil
}
