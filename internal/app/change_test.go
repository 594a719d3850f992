package app

import (
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

// The applications of the tests, as their events.
func oidcApp() []eventlog.Payload {
	return []eventlog.Payload{
		Added{App: logtest.ID, Project: "8", Name: "Shop"},
		OIDCConfigAdded{App: logtest.ID, ClientID: "9", SecretHash: []byte("hash"), OIDCConfig: web()},
	}
}

func apiApp(m AuthMethod) []eventlog.Payload {
	return []eventlog.Payload{
		Added{App: logtest.ID, Project: "8", Name: "Stock"}, APIConfigAdded{App: logtest.ID, ClientID: "9", AuthMethod: m},
	}
}

func samlApp() []eventlog.Payload {
	return []eventlog.Payload{Added{App: logtest.ID, Project: "8", Name: "HR"}, SAMLConfigAdded{App: logtest.ID, SAMLConfig: SAMLConfig{
		SAMLMetadata: SAMLMetadata{EntityID: "https://sp.example", Metadata: []byte(metadata)}, Login: Login{Version: LoginV1},
	}}}
}

func refused(id string, fields ...string) *logtest.Refusal {
	return &logtest.Refusal{Kind: fault.InvalidArgument, ID: id, Fields: fields}
}

func TestChangeName(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "another", Given: apiApp(SecretBasic), When: Change{Name: new(" Store ")}.Decide, Then: []eventlog.Payload{Changed{App: logtest.ID, Name: "Store"}}},
		{Name: "the same", Given: apiApp(SecretBasic), When: Change{Name: new("Stock")}.Decide},
		{Name: "none", Given: apiApp(SecretBasic), When: Change{Name: new("")}.Decide, Fault: refused("COMMAND-4m9vS", "name")},
		{Name: "nothing", Given: apiApp(SecretBasic), When: Change{}.Decide},
	})
}

func TestChangeOIDC(t *testing.T) {
	all := OIDCPatch{
		Type: new(Native), AuthMethod: new(None), RedirectURIs: &[]string{"app:/cb"}, PostLogoutRedirectURIs: &[]string{"app:/bye"},
		ResponseTypes: &[]ResponseType{Code}, GrantTypes: &[]GrantType{AuthorizationCode}, DevMode: new(false),
		AccessTokenType: new(Bearer), AccessTokenRoles: new(false), IDTokenRoles: new(false), IDTokenUserinfo: new(false),
		ClockSkew: new(2 * time.Second), AdditionalOrigins: &[]string{"https://other.example"}, SkipNativeAppSuccessPage: new(false),
		BackChannelLogoutURI: new("https://other.example/logout"),
		LoginPatch:           LoginPatch{Version: new(LoginV1), BaseURI: new("https://other.example/login")},
	}
	after := logtest.Fold(t, Noun, oidcApp()...)
	after.OIDC = all.over(after.OIDC)
	lists := OIDCPatch{RedirectURIs: &[]string{}, PostLogoutRedirectURIs: &[]string{}, AdditionalOrigins: &[]string{}}
	without := logtest.Fold(t, Noun, oidcApp()...)
	without.OIDC.RedirectURIs, without.OIDC.PostLogoutRedirectURIs, without.OIDC.AdditionalOrigins = nil, nil, nil
	same := OIDCPatch{Type: new(Web), RedirectURIs: &[]string{" https://app.example/cb"}, ClockSkew: new(time.Second)}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "all there is", Given: oidcApp(), When: Change{OIDC: &all}.Decide,
			Then: []eventlog.Payload{OIDCConfigChanged{App: logtest.ID, OIDCPatch: all}}, State: &after,
		},
		{
			Name: "only what differs", Given: oidcApp(), When: Change{OIDC: &OIDCPatch{DevMode: new(true), IDTokenRoles: new(false)}}.Decide,
			Then: []eventlog.Payload{OIDCConfigChanged{App: logtest.ID, OIDCPatch: OIDCPatch{IDTokenRoles: new(false)}}},
		},
		{
			Name: "lists emptied", Given: oidcApp(), When: Change{OIDC: &lists}.Decide,
			Then: []eventlog.Payload{OIDCConfigChanged{App: logtest.ID, OIDCPatch: lists}}, State: &without,
		},
		{Name: "the same", Given: oidcApp(), When: Change{OIDC: &same}.Decide},
		{
			Name: "name and configuration", Given: oidcApp(), When: Change{Name: new("Store"), OIDC: &OIDCPatch{DevMode: new(false)}}.Decide,
			Then: []eventlog.Payload{
				Changed{App: logtest.ID, Name: "Store"}, OIDCConfigChanged{App: logtest.ID, OIDCPatch: OIDCPatch{DevMode: new(false)}},
			},
		},
		{
			Name: "what is left must fit", Given: oidcApp(), When: Change{Name: new("Store"), OIDC: &OIDCPatch{GrantTypes: &[]GrantType{Implicit}}}.Decide,
			Fault: refused("COMMAND-5m9fs", "oidc_configuration.grant_types"),
		},
		{Name: "of an API", Given: apiApp(None), When: Change{OIDC: &OIDCPatch{}}.Decide, Fault: refused("COMMAND-GBr34", "oidc_configuration")},
	})
}

func TestChangeAPI(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "another", Given: apiApp(SecretBasic), When: Change{API: new(PrivateKeyJWT)}.Decide,
			Then:  []eventlog.Payload{APIConfigChanged{App: logtest.ID, AuthMethod: PrivateKeyJWT}},
			State: &State{Project: "8", Name: "Stock", Kind: API, Status: Active, ClientID: "9", APIAuth: PrivateKeyJWT},
		},
		{Name: "the same", Given: apiApp(SecretBasic), When: Change{API: new(SecretBasic)}.Decide},
		{Name: "none there is", Given: apiApp(SecretBasic), When: Change{API: new(None)}.Decide, Fault: refused("COMMAND-1m900", "api_configuration.auth_method_type")},
		{Name: "of an OIDC application", Given: oidcApp(), When: Change{API: new(SecretBasic)}.Decide, Fault: refused("COMMAND-Gnwt3", "api_configuration")},
	})
}

func TestChangeSAML(t *testing.T) {
	other := strings.Replace(metadata, "sp.example", "sp2.example", 1)
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "document", Given: samlApp(), When: Change{SAML: &SAMLChange{Metadata: []byte(other)}}.Decide,
			Then: []eventlog.Payload{SAMLConfigChanged{App: logtest.ID, SAMLMetadata: &SAMLMetadata{EntityID: "https://sp2.example", Metadata: []byte(other)}}},
			State: &State{Project: "8", Name: "HR", Kind: SAML, Status: Active, SAML: SAMLConfig{
				SAMLMetadata: SAMLMetadata{EntityID: "https://sp2.example", Metadata: []byte(other)}, Login: Login{Version: LoginV1},
			}},
		},
		{
			Name: "URL instead", Given: samlApp(), When: Change{SAML: &SAMLChange{URL: "https://sp.example/md"}}.Decide,
			Then: []eventlog.Payload{SAMLConfigChanged{App: logtest.ID, SAMLMetadata: &SAMLMetadata{URL: "https://sp.example/md"}}},
		},
		{
			Name: "login alone", Given: samlApp(), When: Change{SAML: &SAMLChange{Login: &Login{Version: LoginV2, BaseURI: "https://l.example"}}}.Decide,
			Then: []eventlog.Payload{SAMLConfigChanged{App: logtest.ID, LoginPatch: LoginPatch{Version: new(LoginV2), BaseURI: new("https://l.example")}}},
			State: &State{Project: "8", Name: "HR", Kind: SAML, Status: Active, SAML: SAMLConfig{
				SAMLMetadata: SAMLMetadata{EntityID: "https://sp.example", Metadata: []byte(metadata)},
				Login:        Login{Version: LoginV2, BaseURI: "https://l.example"},
			}},
		},
		{Name: "the same", Given: samlApp(), When: Change{SAML: &SAMLChange{Metadata: []byte(metadata), Login: &Login{Version: LoginV1}}}.Decide},
		{Name: "nothing", Given: samlApp(), When: Change{SAML: &SAMLChange{}}.Decide},
		{Name: "no XML", Given: samlApp(), When: Change{SAML: &SAMLChange{Metadata: []byte("<a>")}}.Decide, Fault: refused("SAML-3fk2b", fieldXML)},
		{Name: "of an API", Given: apiApp(None), When: Change{SAML: &SAMLChange{}}.Decide, Fault: refused("COMMAND-GBr35", "saml_configuration")},
		{
			Name: "login that is none", Given: samlApp(), When: Change{SAML: &SAMLChange{Login: &Login{Version: "v9"}}}.Decide,
			Fault: refused("COMMAND-5n9fs", "saml_configuration.login_version"),
		},
	})
}

func TestLife(t *testing.T) {
	inactive := append(apiApp(SecretBasic), Deactivated{App: logtest.ID})
	state := func(s Status, removed bool) *State {
		return &State{Project: "8", Name: "Stock", Kind: API, Status: s, ClientID: "9", APIAuth: SecretBasic, Removed: removed}
	}
	precondition := func(id string) *logtest.Refusal {
		return &logtest.Refusal{Kind: fault.FailedPrecondition, ID: id, Fields: []string{"application_id"}}
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "deactivate", Given: apiApp(SecretBasic), When: Deactivate{}.Decide, Then: []eventlog.Payload{Deactivated{App: logtest.ID}}, State: state(Inactive, false)},
		{Name: "deactivate again", Given: inactive, When: Deactivate{}.Decide, Fault: precondition("COMMAND-dsh35")},
		{Name: "reactivate", Given: inactive, When: Reactivate{}.Decide, Then: []eventlog.Payload{Reactivated{App: logtest.ID}}, State: state(Active, false)},
		{Name: "reactivate an active one", Given: apiApp(SecretBasic), When: Reactivate{}.Decide, Fault: precondition("COMMAND-1n8cM")},
		{Name: "remove", Given: apiApp(SecretBasic), When: Remove{}.Decide, Then: []eventlog.Payload{Removed{App: logtest.ID}}, State: state(Active, true)},
	})
}

func TestSetSecret(t *testing.T) {
	secret := SetSecret{Hash: []byte("new")}
	oidc := logtest.Fold(t, Noun, oidcApp()...)
	oidc.SecretHash = []byte("new")
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "OIDC", Given: oidcApp(), When: secret.Decide, Then: []eventlog.Payload{OIDCSecretChanged{App: logtest.ID, SecretHash: []byte("new")}}, State: &oidc},
		{
			Name: "API", Given: apiApp(SecretBasic), When: secret.Decide, Then: []eventlog.Payload{APISecretChanged{App: logtest.ID, SecretHash: []byte("new")}},
			State: &State{Project: "8", Name: "Stock", Kind: API, Status: Active, ClientID: "9", APIAuth: SecretBasic, SecretHash: []byte("new")},
		},
		{Name: "SAML", Given: samlApp(), When: secret.Decide, Fault: refused("APP-aLWIzw", "application_id")},
	})
}

func TestKey(t *testing.T) {
	expires := logtest.At(100)
	add := AddKey{Key: "5", PublicKey: []byte("key"), ExpiresAt: expires}
	added := KeyAdded{App: logtest.ID, ClientID: "9", Key: "5", Type: 1, PublicKey: []byte("key"), Expiration: expires}
	of := func(app []eventlog.Payload) func(KeyState) ([]eventlog.Payload, error) {
		return func(KeyState) ([]eventlog.Payload, error) { return add.Decide(logtest.Fold(t, Noun, app...)) }
	}
	none := &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "COMMAND-Dff54", Fields: []string{"application_id"}}
	logtest.Run(t, KeyNoun, []logtest.Case[KeyState]{
		{
			Name: "add", When: of(apiApp(PrivateKeyJWT)), Then: []eventlog.Payload{added},
			State: &KeyState{App: logtest.ID, PublicKey: []byte("key"), ExpiresAt: expires},
		},
		{Name: "of an API with a secret", When: of(apiApp(SecretBasic)), Fault: none},
		{Name: "of an OIDC application with a secret", When: of(oidcApp()), Fault: none},
		{Name: "of SAML", When: of(samlApp()), Fault: none},
		{
			Name: "remove", Given: []eventlog.Payload{added}, When: RemoveKey{}.Decide, Then: []eventlog.Payload{KeyRemoved{Key: logtest.ID}},
			State: &KeyState{App: logtest.ID, PublicKey: []byte("key"), ExpiresAt: expires, Removed: true},
		},
	})
}
