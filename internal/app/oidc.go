package app

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"castellan/internal/fault"
)

// Limits of a configuration. The interface knows none; what is beyond them is refused, because others
// would have to read it.
const (
	// MaxURIs is how many entries a list of URIs or origins has at most.
	MaxURIs = 1000
	// MaxURI is how many bytes a URI has at most.
	MaxURI = 2048
	// maxSkew is the greatest clock skew (contract messages.tsv).
	maxSkew = 5 * time.Second
)

// field is where the configuration stands in a request, with which its violations begin.
const field = "oidc_configuration."

// normal returns the configuration as it is stored: without blanks around URIs, durations cut to
// microseconds, and an empty list as nil. It returns violations of the rules in [OIDCConfig.check].
func (c OIDCConfig) normal() (OIDCConfig, []fault.Violation) {
	for _, list := range []*[]string{&c.RedirectURIs, &c.PostLogoutRedirectURIs, &c.AdditionalOrigins} {
		*list = trimmed(*list)
	}
	c.ResponseTypes, c.GrantTypes = orNil(c.ResponseTypes), orNil(c.GrantTypes)
	c.BackChannelLogoutURI, c.BaseURI = strings.TrimSpace(c.BackChannelLogoutURI), strings.TrimSpace(c.BaseURI)
	c.ClockSkew = c.ClockSkew.Truncate(time.Microsecond)
	if c.AccessTokenType == "" {
		c.AccessTokenType = Bearer
	}
	return c, c.check()
}

// withDefaults returns the configuration of a new application with what it left out: an application
// that says nothing else gets a code and exchanges it.
func (c OIDCConfig) withDefaults() OIDCConfig {
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []GrantType{AuthorizationCode}
	}
	if len(c.ResponseTypes) == 0 && slices.Contains(c.GrantTypes, AuthorizationCode) {
		c.ResponseTypes = []ResponseType{Code}
	}
	return c
}

// check returns what is wrong with a configuration in its normal form.
func (c OIDCConfig) check() []fault.Violation {
	var wrong violations
	wrong.oneOf("application_type", c.Type, Web, UserAgent, Native)
	wrong.oneOf("auth_method_type", c.AuthMethod, SecretBasic, SecretPost, None, PrivateKeyJWT)
	wrong.oneOf("access_token_type", c.AccessTokenType, Bearer, JWT)
	for _, r := range c.ResponseTypes {
		wrong.oneOf("response_types", r, Code, IDToken, IDTokenToken)
	}
	for _, g := range c.GrantTypes {
		wrong.oneOf("grant_types", g, AuthorizationCode, Implicit, RefreshToken, DeviceCode, TokenExchange)
	}
	wrong.each("redirect_uris", c.RedirectURIs, checkRedirect)
	wrong.each("post_logout_redirect_uris", c.PostLogoutRedirectURIs, checkRedirect)
	wrong.each("additional_origins", c.AdditionalOrigins, checkOrigin)
	if len(c.GrantTypes) == 0 {
		wrong.add("grant_types", "must have at least one entry")
	}
	for _, needed := range c.neededGrants() {
		if !slices.Contains(c.GrantTypes, needed) {
			wrong.add("grant_types", "must have "+string(needed)+", which a response type needs")
		}
	}
	if len(c.neededGrants()) == 0 && (slices.Contains(c.GrantTypes, AuthorizationCode) || slices.Contains(c.GrantTypes, Implicit)) {
		wrong.add("response_types", "must have one that a grant type needs")
	}
	if c.ClockSkew < 0 || c.ClockSkew > maxSkew {
		wrong.add("clock_skew", "must be from 0s to 5s")
	}
	if c.BackChannelLogoutURI != "" {
		wrong.rule("back_channel_logout_uri", checkWeb(c.BackChannelLogoutURI))
	}
	wrong.login(c.Login)
	return wrong
}

// neededGrants are the grant types without which the response types are of no use.
func (c OIDCConfig) neededGrants() []GrantType {
	var needed []GrantType
	if slices.Contains(c.ResponseTypes, Code) {
		needed = append(needed, AuthorizationCode)
	}
	if slices.Contains(c.ResponseTypes, IDToken) || slices.Contains(c.ResponseTypes, IDTokenToken) {
		needed = append(needed, Implicit)
	}
	return needed
}

// AllowedOrigins are the origins from which browsers may call the API with tokens of the application:
// those of its redirect URIs, then the additional ones, each once.
func (c OIDCConfig) AllowedOrigins() []string {
	var origins []string
	for _, uri := range c.RedirectURIs {
		if u, err := url.Parse(uri); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			origins = append(origins, u.Scheme+"://"+u.Host)
		}
	}
	seen := make(map[string]bool)
	return slices.DeleteFunc(append(origins, c.AdditionalOrigins...), func(o string) bool {
		again := seen[o]
		seen[o] = true
		return again
	})
}

// checkRedirect returns what is wrong with a URI to which a browser is sent (RFC 6749, section 3.1.2):
// absolute, without a fragment, and no script. One with wildcards has no form that could be asked for.
func checkRedirect(uri string) string {
	scheme, rest, found := strings.Cut(uri, ":")
	switch {
	case !found || rest == "" || !isScheme(scheme):
		return "must be an absolute URI"
	case strings.Contains(rest, "#"):
		return "must have no fragment"
	case strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "must have no blanks nor control characters"
	case slices.Contains([]string{"javascript", "data", "vbscript", "blob", "file", "about"}, strings.ToLower(scheme)):
		return "must lead to an application"
	case (isHTTP(uri) || isHTTPS(uri)) && !strings.Contains(uri, "*"):
		if u, err := url.Parse(uri); err != nil || u.Host == "" {
			return "must have a host"
		}
	}
	return ""
}

// isScheme reports whether s can be the scheme of a URI (RFC 3986, section 3.1).
func isScheme(s string) bool {
	for i, r := range []byte(s) {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(r))) {
			return false
		}
	}
	return s != ""
}

// checkOrigin returns what is wrong with an origin: a scheme and a host, perhaps with a port.
func checkOrigin(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return "must be an origin, such as https://app.example.com"
	}
	return ""
}

// checkWeb returns what is wrong with a URL that is called, or that people are sent to.
func checkWeb(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "" || u.User != nil || len(uri) > MaxURI {
		return fmt.Sprintf("must be an http or https URL without a fragment, of at most %d bytes", MaxURI)
	}
	return ""
}

// violations are what is wrong with a configuration.
type violations []fault.Violation

func (v *violations) add(name, rule string) {
	*v = append(*v, fault.Violation{Field: field + name, Rule: rule})
}

// rule adds a rule, unless it is empty.
func (v *violations) rule(name, rule string) {
	if rule != "" {
		v.add(name, rule)
	}
}

// oneOf adds a violation unless a value is one of those there are.
func (v *violations) oneOf(name string, value any, all ...any) {
	if !slices.Contains(all, value) {
		v.add(name, "must be a value that is declared")
	}
}

// each checks every entry of a list.
func (v *violations) each(name string, list []string, check func(string) string) {
	if len(list) > MaxURIs {
		v.add(name, fmt.Sprintf("must have at most %d entries", MaxURIs))
		return
	}
	for i, entry := range list {
		rule := check(entry)
		if len(entry) > MaxURI {
			rule = fmt.Sprintf("must have at most %d bytes", MaxURI)
		}
		v.rule(fmt.Sprintf("%s[%d]", name, i), rule)
	}
}

// login checks which login pages are asked for.
func (v *violations) login(l Login) {
	v.oneOf("login_version", l.Version, LoginVersion(""), LoginV1, LoginV2)
	if l.BaseURI != "" {
		v.rule("login_version.login_v2.base_uri", checkWeb(l.BaseURI))
	}
}

// refusal is the fault that names all violations, or nil when there are none.
func (v violations) refusal(id, message string) error {
	if len(v) == 0 {
		return nil
	}
	f := fault.New(fault.InvalidArgument, id, message)
	f.Violations = v
	return f
}

// trimmed returns a list without blanks around its entries, nil when it is empty.
func trimmed(list []string) []string {
	var all []string
	for _, entry := range list {
		all = append(all, strings.TrimSpace(entry))
	}
	return all
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
