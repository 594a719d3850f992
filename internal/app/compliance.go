package app

import (
	"net"
	"slices"
	"strings"
)

// Problem is why a configuration differs from what the specifications advise: OpenID Connect
// Registration 1.0, section 2 (application_type), and RFC 8252. Its text is what clients know it by.
type Problem string

// The problems of a configuration.
const (
	NotCompliant           Problem = "Application.OIDC.V1.NotCompliant" // leads all others
	NoRedirectURIs         Problem = "Application.OIDC.V1.NoRedirectUris"
	RefreshWithoutCode     Problem = "Application.OIDC.V1.GrantType.Refresh.NoAuthCode"
	CodeHTTPOnlyForWeb     Problem = "Application.OIDC.V1.Code.RedirectUris.HttpOnlyForWeb"
	CodeCustomForNative    Problem = "Application.OIDC.V1.Code.RedirectUris.CustomOnlyForNative"
	ImplicitNoCustom       Problem = "Application.OIDC.V1.Implicit.RedirectUris.CustomNotAllowed"
	ImplicitNoHTTP         Problem = "Application.OIDC.V1.Implicit.RedirectUris.HttpNotAllowed"
	NativeOnlyLoopback     Problem = "Application.OIDC.V1.Native.RedirectUris.MustBeHttpLocalhost"
	NativeWithoutSecret    Problem = "Application.OIDC.V1.Native.AuthMethodType.NotNone"
	UserAgentWithoutSecret Problem = "Application.OIDC.V1.UserAgent.AuthMethodType.NotNone"
)

// problemTexts say the problems to people.
var problemTexts = map[Problem]string{
	NotCompliant:           "This configuration differs from what OpenID Connect 1.0 advises.",
	NoRedirectURIs:         "At least one redirect URI is needed.",
	RefreshWithoutCode:     "The grant type refresh_token is of no use without authorization_code.",
	CodeHTTPOnlyForWeb:     "With the grant type authorization_code, http redirect URIs are for web applications only.",
	CodeCustomForNative:    "With the grant type authorization_code, redirect URIs of a custom scheme are for native applications only.",
	ImplicitNoCustom:       "With the grant type implicit, redirect URIs of a custom scheme are not allowed.",
	ImplicitNoHTTP:         "With the grant type implicit, http redirect URIs are not allowed.",
	NativeOnlyLoopback:     "http redirect URIs of a native application must lead to the device itself, such as http://localhost.",
	NativeWithoutSecret:    "A native application cannot keep a secret; its authentication method should be none.",
	UserAgentWithoutSecret: "An application in a browser cannot keep a secret; its authentication method should be none.",
}

// Text says the problem to people.
func (p Problem) Text() string { return problemTexts[p] }

// Problems returns why the configuration differs from what the specifications advise: none, or
// [NotCompliant] and what it is about. Nothing is refused for it.
func (c OIDCConfig) Problems() []Problem {
	var found []Problem
	has := func(g GrantType) bool { return slices.Contains(c.GrantTypes, g) }
	if has(RefreshToken) && !has(AuthorizationCode) && !has(DeviceCode) {
		found = append(found, RefreshWithoutCode)
	}
	redirects := !has(DeviceCode) || has(AuthorizationCode) // a device shows its user a page of ours
	if len(c.RedirectURIs) == 0 && redirects {
		found = append(found, NoRedirectURIs)
	}
	found = append(found, c.redirectProblems(has(AuthorizationCode), has(Implicit))...)
	switch {
	case c.AuthMethod == None:
	case c.Type == Native:
		found = append(found, NativeWithoutSecret)
	case c.Type == UserAgent:
		found = append(found, UserAgentWithoutSecret)
	}
	if len(found) == 0 {
		return nil
	}
	return append([]Problem{NotCompliant}, found...)
}

// redirectProblems are those of redirect URIs, by the grant types for which they are used.
func (c OIDCConfig) redirectProblems(code, implicit bool) (found []Problem) {
	custom := slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return !isHTTP(uri) && !isHTTPS(uri) })
	plain := slices.ContainsFunc(c.RedirectURIs, isHTTP)
	outside := slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return isHTTP(uri) && !isLoopback(uri) })
	if plain && c.Type == UserAgent && code {
		found = append(found, CodeHTTPOnlyForWeb)
	}
	if plain && implicit && !code && c.Type != Native {
		found = append(found, ImplicitNoHTTP)
	}
	if outside && c.Type == Native && (code || implicit) {
		found = append(found, NativeOnlyLoopback)
	}
	switch {
	case custom && implicit && (!code || c.Type != Native):
		found = append(found, ImplicitNoCustom)
	case custom && code && c.Type != Native:
		found = append(found, CodeCustomForNative)
	}
	return found
}

func isHTTP(uri string) bool  { return strings.HasPrefix(strings.ToLower(uri), "http://") }
func isHTTPS(uri string) bool { return strings.HasPrefix(strings.ToLower(uri), "https://") }

// isLoopback reports whether an http URI leads to the device itself (RFC 8252, section 7.3). Its port
// may be a wildcard.
func isLoopback(uri string) bool {
	host := uri[len("http://"):]
	if end := strings.IndexAny(host, "/?"); end >= 0 {
		host = host[:end]
	}
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		host = host[:colon]
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
