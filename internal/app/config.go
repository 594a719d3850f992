package app

import (
	"slices"
	"time"
)

// AuthMethod is how an application authenticates (RFC 8414, token_endpoint_auth_method).
type AuthMethod string

// The methods of authentication.
const (
	SecretBasic   AuthMethod = "client_secret_basic"
	SecretPost    AuthMethod = "client_secret_post"
	PrivateKeyJWT AuthMethod = "private_key_jwt"
	None          AuthMethod = "none" // a public client; PKCE instead of a secret
)

// NeedsSecret reports whether an application that authenticates in this way has a secret.
func (m AuthMethod) NeedsSecret() bool { return m == SecretBasic || m == SecretPost }

// ApplicationType is where an OIDC application runs.
type ApplicationType string

// The types of OIDC applications.
const (
	Web       ApplicationType = "web"
	UserAgent ApplicationType = "user_agent" // a script in a browser
	Native    ApplicationType = "native"     // on the device of its user
)

// ResponseType is what the authorization endpoint answers with (OpenID Connect Core 1.0, section 3).
type ResponseType string

// The response types.
const (
	Code         ResponseType = "code"
	IDToken      ResponseType = "id_token"
	IDTokenToken ResponseType = "id_token token"
)

// GrantType is a way to get tokens, by its name at the token endpoint (RFC 7591, section 2).
type GrantType string

// The grant types an application can be allowed.
const (
	AuthorizationCode GrantType = "authorization_code"
	Implicit          GrantType = "implicit"
	RefreshToken      GrantType = "refresh_token"
	DeviceCode        GrantType = "urn:ietf:params:oauth:grant-type:device_code"
	TokenExchange     GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// TokenType is the form of the access tokens of an application.
type TokenType string

// The forms of access tokens.
const (
	Bearer TokenType = "bearer" // opaque
	JWT    TokenType = "jwt"    // RFC 9068
)

// LoginVersion is which pages people sign in with.
type LoginVersion string

// The login pages an application can ask for; without one it is what the instance says.
const (
	LoginV1 LoginVersion = "v1"
	LoginV2 LoginVersion = "v2"
)

// Login is which pages people sign in with, and, for version 2, where they are: a URL, or empty for
// those of the instance.
type Login struct {
	Version LoginVersion `json:"loginVersion,omitempty"`
	BaseURI string       `json:"loginBaseURI,omitempty"`
}

// OIDCConfig is how an application signs people in and gets tokens.
type OIDCConfig struct {
	Type       ApplicationType `json:"applicationType,omitempty"`
	AuthMethod AuthMethod      `json:"authMethod"`
	// RedirectURIs are where answers of the authorization endpoint may be sent, PostLogoutRedirectURIs
	// where a browser may be sent after a logout. In DevMode they may hold wildcards.
	RedirectURIs           []string       `json:"redirectUris,omitempty"`
	PostLogoutRedirectURIs []string       `json:"postLogoutRedirectUris,omitempty"`
	ResponseTypes          []ResponseType `json:"responseTypes,omitempty"`
	GrantTypes             []GrantType    `json:"grantTypes,omitempty"`
	// DevMode allows redirect URIs without TLS.
	DevMode         bool      `json:"devMode,omitempty"`
	AccessTokenType TokenType `json:"accessTokenType,omitempty"`
	// AccessTokenRoles and IDTokenRoles put the roles of a user into its tokens though no scope asks for it.
	AccessTokenRoles bool `json:"accessTokenRoleAssertion,omitempty"`
	IDTokenRoles     bool `json:"idTokenRoleAssertion,omitempty"`
	// IDTokenUserinfo puts what userinfo answers into id tokens.
	IDTokenUserinfo bool `json:"idTokenUserinfoAssertion,omitempty"`
	// ClockSkew is added to the expiry of tokens, and taken from the times from which on they are valid.
	ClockSkew time.Duration `json:"clockSkew,omitempty"` // nanoseconds
	// AdditionalOrigins are those from which browsers may call the API, beside those of RedirectURIs.
	AdditionalOrigins        []string `json:"additionalOrigins,omitempty"`
	SkipNativeAppSuccessPage bool     `json:"skipNativeAppSuccessPage,omitempty"`
	// BackChannelLogoutURI is told when a session ends (OpenID Connect Back-Channel Logout 1.0); empty: none.
	BackChannelLogoutURI string `json:"backChannelLogoutURI,omitempty"`
	Login
}

// OIDCPatch is a change of an [OIDCConfig]: what is nil stays as it is.
type OIDCPatch struct {
	Type                     *ApplicationType `json:"applicationType,omitempty"`
	AuthMethod               *AuthMethod      `json:"authMethod,omitempty"`
	RedirectURIs             *[]string        `json:"redirectUris,omitempty"`
	PostLogoutRedirectURIs   *[]string        `json:"postLogoutRedirectUris,omitempty"`
	ResponseTypes            *[]ResponseType  `json:"responseTypes,omitempty"`
	GrantTypes               *[]GrantType     `json:"grantTypes,omitempty"`
	DevMode                  *bool            `json:"devMode,omitempty"`
	AccessTokenType          *TokenType       `json:"accessTokenType,omitempty"`
	AccessTokenRoles         *bool            `json:"accessTokenRoleAssertion,omitempty"`
	IDTokenRoles             *bool            `json:"idTokenRoleAssertion,omitempty"`
	IDTokenUserinfo          *bool            `json:"idTokenUserinfoAssertion,omitempty"`
	ClockSkew                *time.Duration   `json:"clockSkew,omitempty"` // nanoseconds
	AdditionalOrigins        *[]string        `json:"additionalOrigins,omitempty"`
	SkipNativeAppSuccessPage *bool            `json:"skipNativeAppSuccessPage,omitempty"`
	BackChannelLogoutURI     *string          `json:"backChannelLogoutURI,omitempty"`
	LoginPatch
}

// LoginPatch is a change of a [Login].
type LoginPatch struct {
	Version *LoginVersion `json:"loginVersion,omitempty"`
	BaseURI *string       `json:"loginBaseURI,omitempty"`
}

// over returns c with the change made.
func (p OIDCPatch) over(c OIDCConfig) OIDCConfig {
	put(&c.Type, p.Type)
	put(&c.AuthMethod, p.AuthMethod)
	putList(&c.RedirectURIs, p.RedirectURIs)
	putList(&c.PostLogoutRedirectURIs, p.PostLogoutRedirectURIs)
	putList(&c.ResponseTypes, p.ResponseTypes)
	putList(&c.GrantTypes, p.GrantTypes)
	put(&c.DevMode, p.DevMode)
	put(&c.AccessTokenType, p.AccessTokenType)
	put(&c.AccessTokenRoles, p.AccessTokenRoles)
	put(&c.IDTokenRoles, p.IDTokenRoles)
	put(&c.IDTokenUserinfo, p.IDTokenUserinfo)
	put(&c.ClockSkew, p.ClockSkew)
	putList(&c.AdditionalOrigins, p.AdditionalOrigins)
	put(&c.SkipNativeAppSuccessPage, p.SkipNativeAppSuccessPage)
	put(&c.BackChannelLogoutURI, p.BackChannelLogoutURI)
	c.Login = p.LoginPatch.over(c.Login)
	return c
}

// over returns l with the change made.
func (p LoginPatch) over(l Login) Login {
	put(&l.Version, p.Version)
	put(&l.BaseURI, p.BaseURI)
	return l
}

// changeOf returns what makes one configuration of another, and whether that is anything.
func changeOf(was, is OIDCConfig) (p OIDCPatch, any bool) {
	p = OIDCPatch{
		Type:                     differing(was.Type, is.Type),
		AuthMethod:               differing(was.AuthMethod, is.AuthMethod),
		RedirectURIs:             differingList(was.RedirectURIs, is.RedirectURIs),
		PostLogoutRedirectURIs:   differingList(was.PostLogoutRedirectURIs, is.PostLogoutRedirectURIs),
		ResponseTypes:            differingList(was.ResponseTypes, is.ResponseTypes),
		GrantTypes:               differingList(was.GrantTypes, is.GrantTypes),
		DevMode:                  differing(was.DevMode, is.DevMode),
		AccessTokenType:          differing(was.AccessTokenType, is.AccessTokenType),
		AccessTokenRoles:         differing(was.AccessTokenRoles, is.AccessTokenRoles),
		IDTokenRoles:             differing(was.IDTokenRoles, is.IDTokenRoles),
		IDTokenUserinfo:          differing(was.IDTokenUserinfo, is.IDTokenUserinfo),
		ClockSkew:                differing(was.ClockSkew, is.ClockSkew),
		AdditionalOrigins:        differingList(was.AdditionalOrigins, is.AdditionalOrigins),
		SkipNativeAppSuccessPage: differing(was.SkipNativeAppSuccessPage, is.SkipNativeAppSuccessPage),
		BackChannelLogoutURI:     differing(was.BackChannelLogoutURI, is.BackChannelLogoutURI),
		LoginPatch:               loginChangeOf(was.Login, is.Login),
	}
	return p, p != OIDCPatch{}
}

func loginChangeOf(was, is Login) LoginPatch {
	return LoginPatch{Version: differing(was.Version, is.Version), BaseURI: differing(was.BaseURI, is.BaseURI)}
}

// put gives a field its new value, when there is one.
func put[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// putList is put for a list, of which an empty one is nil, as it is when read back.
func putList[T any](field, value *[]T) {
	if value != nil {
		*field = nil
		if len(*value) > 0 {
			*field = slices.Clone(*value)
		}
	}
}

// differing returns the new value of a field, or nil when it is the old one.
func differing[T comparable](was, is T) *T {
	if was == is {
		return nil
	}
	return &is
}

// differingList is differing for a list.
func differingList[T comparable](was, is []T) *[]T {
	if slices.Equal(was, is) {
		return nil
	}
	is = append([]T{}, is...) // [] and not null, when it is empty
	return &is
}
