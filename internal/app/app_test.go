package app

import (
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func (a Add) when(State) ([]eventlog.Payload, error) { return a.Decide(), nil }

// The applications an instance starts with. The console's configuration follows from its being one.
func TestAdd(t *testing.T) {
	added := Added{App: "7", Project: "8", Name: "ACME"}
	console := func(dev bool) *State {
		return &State{Project: "8", Name: "ACME", Kind: OIDC, Status: Active, ClientID: "9", Console: true, OIDC: OIDCConfig{
			Type: UserAgent, AuthMethod: None, DevMode: dev, AccessTokenType: Bearer,
			ResponseTypes: []ResponseType{Code}, GrantTypes: []GrantType{AuthorizationCode},
		}}
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name:  "API, which authenticates with a key",
			When:  Add{App: "7", Project: "8", Name: "ACME", ClientID: "9"}.when,
			Then:  []eventlog.Payload{added, APIConfigAdded{App: "7", ClientID: "9", AuthMethod: PrivateKeyJWT}},
			State: &State{Project: "8", Name: "ACME", Kind: API, Status: Active, ClientID: "9", APIAuth: PrivateKeyJWT},
		},
		{
			Name:  "console, which has no secret",
			When:  Add{App: "7", Project: "8", Name: "ACME", ClientID: "9", Console: true}.when,
			Then:  []eventlog.Payload{added, OIDCConfigAdded{App: "7", ClientID: "9", OIDCConfig: OIDCConfig{AuthMethod: None}, Console: true}},
			State: console(false),
		},
		{
			Name: "console without TLS",
			When: Add{App: "7", Project: "8", Name: "ACME", ClientID: "9", Console: true, DevMode: true}.when,
			Then: []eventlog.Payload{
				added, OIDCConfigAdded{App: "7", ClientID: "9", OIDCConfig: OIDCConfig{AuthMethod: None, DevMode: true}, Console: true},
			},
			State: console(true),
		},
	})
}

var made = Credentials{App: "7", ClientID: "9", SecretHash: []byte("hash")}

func (n New) when(State) ([]eventlog.Payload, error) { return n.Decide(made) }

// web is a configuration in which nothing is left out.
func web() OIDCConfig {
	return OIDCConfig{
		Type: Web, AuthMethod: SecretBasic, RedirectURIs: []string{"https://app.example/cb"},
		PostLogoutRedirectURIs: []string{"https://app.example/bye"}, ResponseTypes: []ResponseType{Code, IDToken},
		GrantTypes: []GrantType{AuthorizationCode, Implicit, RefreshToken}, DevMode: true, AccessTokenType: JWT,
		AccessTokenRoles: true, IDTokenRoles: true, IDTokenUserinfo: true, ClockSkew: time.Second,
		AdditionalOrigins: []string{"https://spa.example"}, SkipNativeAppSuccessPage: true,
		BackChannelLogoutURI: "https://app.example/logout", Login: Login{Version: LoginV2, BaseURI: "https://login.example"},
	}
}

func TestNewOIDC(t *testing.T) {
	added := Added{App: "7", Project: "8", Name: "Shop"}
	full := web()
	untidy := web()
	untidy.RedirectURIs, untidy.AdditionalOrigins = []string{" https://app.example/cb\n"}, []string{" https://spa.example "}
	untidy.ClockSkew += 999 * time.Nanosecond
	least := OIDCConfig{Type: Native, AuthMethod: None}
	leastKept := OIDCConfig{
		Type: Native, AuthMethod: None, AccessTokenType: Bearer,
		ResponseTypes: []ResponseType{Code}, GrantTypes: []GrantType{AuthorizationCode},
	}
	device := OIDCConfig{Type: Native, AuthMethod: None, GrantTypes: []GrantType{DeviceCode, RefreshToken}}
	deviceKept := device
	deviceKept.AccessTokenType = Bearer
	begun := func(c OIDCConfig) []eventlog.Payload {
		return []eventlog.Payload{added, OIDCConfigAdded{App: "7", ClientID: "9", SecretHash: []byte("hash"), OIDCConfig: c}}
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "all there is", When: New{Project: "8", Name: "Shop", OIDC: &full}.when, Then: begun(full),
			State: &State{
				Project: "8", Name: "Shop", Kind: OIDC, Status: Active, ClientID: "9", SecretHash: []byte("hash"), OIDC: full,
			},
		},
		{Name: "blanks", When: New{Project: "8", Name: " Shop ", OIDC: &untidy}.when, Then: begun(full)},
		{Name: "the least", When: New{Project: "8", Name: "Shop", OIDC: &least}.when, Then: begun(leastKept)},
		{Name: "a device needs no response type", When: New{Project: "8", Name: "Shop", OIDC: &device}.when, Then: begun(deviceKept)},
		{
			Name: "no name", When: New{Project: "8", Name: " ", OIDC: &full}.when,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "PROJECT-1n8df", Fields: []string{"name"}},
		},
		{
			Name: "nothing", When: New{Project: "8", Name: "Shop"}.when,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "APP-0iiN46", Fields: []string{"application_type"}},
		},
	})
}

// Each rule of a configuration is found, and named, on its own.
func TestOIDCRules(t *testing.T) {
	const many = MaxURIs + 1
	cases := map[string]struct {
		break_ func(c *OIDCConfig)
		fields []string
	}{
		"application type":      {func(c *OIDCConfig) { c.Type = "spa" }, []string{"application_type"}},
		"no application type":   {func(c *OIDCConfig) { c.Type = "" }, []string{"application_type"}},
		"auth method":           {func(c *OIDCConfig) { c.AuthMethod = "tls_client_auth" }, []string{"auth_method_type"}},
		"token type":            {func(c *OIDCConfig) { c.AccessTokenType = "paseto" }, []string{"access_token_type"}},
		"response type":         {func(c *OIDCConfig) { c.ResponseTypes = append(c.ResponseTypes, "token") }, []string{"response_types"}},
		"grant type":            {func(c *OIDCConfig) { c.GrantTypes = append(c.GrantTypes, "password") }, []string{"grant_types"}},
		"code without a grant":  {func(c *OIDCConfig) { c.GrantTypes = []GrantType{Implicit} }, []string{"grant_types"}},
		"token without a grant": {func(c *OIDCConfig) { c.GrantTypes = []GrantType{AuthorizationCode} }, []string{"grant_types"}},
		"grant without a response": {func(c *OIDCConfig) {
			c.ResponseTypes, c.GrantTypes = nil, []GrantType{Implicit}
		}, []string{"response_types"}},
		"skew":                 {func(c *OIDCConfig) { c.ClockSkew = 5*time.Second + time.Microsecond }, []string{"clock_skew"}},
		"negative skew":        {func(c *OIDCConfig) { c.ClockSkew = -time.Microsecond }, []string{"clock_skew"}},
		"redirect: relative":   {func(c *OIDCConfig) { c.RedirectURIs = []string{"https://a.example", "/cb"} }, []string{"redirect_uris[1]"}},
		"redirect: empty":      {func(c *OIDCConfig) { c.RedirectURIs = []string{""} }, []string{"redirect_uris[0]"}},
		"redirect: no scheme":  {func(c *OIDCConfig) { c.RedirectURIs = []string{"://a"} }, []string{"redirect_uris[0]"}},
		"redirect: a digit":    {func(c *OIDCConfig) { c.RedirectURIs = []string{"1a:b"} }, []string{"redirect_uris[0]"}},
		"redirect: fragment":   {func(c *OIDCConfig) { c.RedirectURIs = []string{"https://a.example/#b"} }, []string{"redirect_uris[0]"}},
		"redirect: blank":      {func(c *OIDCConfig) { c.RedirectURIs = []string{"https://a.example/ b"} }, []string{"redirect_uris[0]"}},
		"redirect: no host":    {func(c *OIDCConfig) { c.RedirectURIs = []string{"https://[::1"} }, []string{"redirect_uris[0]"}},
		"redirect: script":     {func(c *OIDCConfig) { c.RedirectURIs = []string{"JavaScript:alert(1)"} }, []string{"redirect_uris[0]"}},
		"redirect: too long":   {func(c *OIDCConfig) { c.RedirectURIs = []string{"https:" + string(make([]byte, MaxURI))} }, []string{"redirect_uris[0]"}},
		"too many redirects":   {func(c *OIDCConfig) { c.RedirectURIs = make([]string, many) }, []string{"redirect_uris"}},
		"logout: relative":     {func(c *OIDCConfig) { c.PostLogoutRedirectURIs = []string{"bye"} }, []string{"post_logout_redirect_uris[0]"}},
		"origin: path":         {func(c *OIDCConfig) { c.AdditionalOrigins = []string{"https://a.example/"} }, []string{"additional_origins[0]"}},
		"origin: no host":      {func(c *OIDCConfig) { c.AdditionalOrigins = []string{"a.example"} }, []string{"additional_origins[0]"}},
		"back channel: scheme": {func(c *OIDCConfig) { c.BackChannelLogoutURI = "ftp://a.example" }, []string{"back_channel_logout_uri"}},
		"back channel: user":   {func(c *OIDCConfig) { c.BackChannelLogoutURI = "https://me@a.example" }, []string{"back_channel_logout_uri"}},
		"login version":        {func(c *OIDCConfig) { c.Version = "v3" }, []string{"login_version"}},
		"login URI":            {func(c *OIDCConfig) { c.BaseURI = "login" }, []string{"login_version.login_v2.base_uri"}},
		"everything at once":   {func(c *OIDCConfig) { *c = OIDCConfig{ClockSkew: -1e9} }, []string{"application_type", "auth_method_type", "clock_skew"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			config := web()
			c.break_(&config)
			for i := range c.fields {
				c.fields[i] = field + c.fields[i]
			}
			_, err := New{Name: "Shop", OIDC: &config}.Decide(made)
			logtest.CheckRefusal(t, err, logtest.Refusal{Kind: fault.InvalidArgument, ID: "PROJECT-1n8df", Fields: c.fields})
		})
	}
}

func TestNewAPI(t *testing.T) {
	added := Added{App: "7", Project: "8", Name: "Stock"}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "with a secret", When: New{Project: "8", Name: "Stock", API: new(SecretBasic)}.when,
			Then: []eventlog.Payload{added, APIConfigAdded{App: "7", ClientID: "9", AuthMethod: SecretBasic, SecretHash: []byte("hash")}},
			State: &State{
				Project: "8", Name: "Stock", Kind: API, Status: Active, ClientID: "9", APIAuth: SecretBasic, SecretHash: []byte("hash"),
			},
		},
		{
			Name: "in a way APIs do not have", When: New{Project: "8", Name: "Stock", API: new(SecretPost)}.when,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "PROJECT-Bff2g", Fields: []string{"api_configuration.auth_method_type"}},
		},
	})
	for _, c := range []struct {
		n    New
		want bool
	}{
		{New{API: new(SecretBasic)}, true}, {New{API: new(PrivateKeyJWT)}, false}, {New{SAML: &SAMLWish{}}, false},
		{New{OIDC: &OIDCConfig{AuthMethod: SecretPost}}, true}, {New{OIDC: &OIDCConfig{AuthMethod: None}}, false},
	} {
		if got := c.n.NeedsSecret(); got != c.want {
			t.Errorf("%+v needs a secret: %t", c.n, got)
		}
	}
}

const metadata = `<?xml version="1.0"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://sp.example"><md:SPSSODescriptor/></md:EntityDescriptor>`

func TestNewSAML(t *testing.T) {
	added := Added{App: "7", Project: "8", Name: "HR"}
	login := Login{Version: LoginV1}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "document", When: New{Project: "8", Name: "HR", SAML: &SAMLWish{Metadata: []byte(metadata), Login: login}}.when,
			Then: []eventlog.Payload{added, SAMLConfigAdded{App: "7", SAMLConfig: SAMLConfig{
				SAMLMetadata: SAMLMetadata{EntityID: "https://sp.example", Metadata: []byte(metadata)}, Login: login,
			}}},
			State: &State{Project: "8", Name: "HR", Kind: SAML, Status: Active, SAML: SAMLConfig{
				SAMLMetadata: SAMLMetadata{EntityID: "https://sp.example", Metadata: []byte(metadata)}, Login: login,
			}},
		},
		{
			Name: "URL", When: New{Project: "8", Name: "HR", SAML: &SAMLWish{URL: " https://sp.example/md "}}.when,
			Then: []eventlog.Payload{added, SAMLConfigAdded{App: "7", SAMLConfig: SAMLConfig{
				SAMLMetadata: SAMLMetadata{URL: "https://sp.example/md"},
			}}},
		},
		{
			Name: "neither", When: New{Project: "8", Name: "HR", SAML: &SAMLWish{}}.when,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SAML-wmqlo1", Fields: []string{fieldXML}},
		},
		{
			Name: "no XML", When: New{Project: "8", Name: "HR", SAML: &SAMLWish{Metadata: []byte("{}")}}.when,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SAML-bquso", Fields: []string{fieldXML}},
		},
		{
			Name: "no URL", When: New{Project: "8", Name: "HR", SAML: &SAMLWish{URL: "sp.example"}}.when,
			Fault: &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SAML-bquso", Fields: []string{fieldURL}},
		},
		{
			Name: "login", When: New{Project: "8", Name: "HR", SAML: &SAMLWish{URL: "https://sp.example", Login: Login{BaseURI: "x"}}}.when,
			Fault: &logtest.Refusal{
				Kind: fault.InvalidArgument, ID: "PROJECT-1n9df", Fields: []string{"saml_configuration.login_version.login_v2.base_uri"},
			},
		},
	})
}
