package app

import (
	"castellan/internal/eventlog"
	"castellan/internal/ident"
)

// Kind is what an application is for.
type Kind string

// The kinds of applications.
const (
	API  Kind = "api"
	OIDC Kind = "oidc"
	SAML Kind = "saml"
)

// Status is whether an application may be used.
type Status string

// The states of an application that exists.
const (
	Active   Status = "active"
	Inactive Status = "inactive"
)

// State is an application as its events have left it. Owner of its head is the organization.
type State struct {
	eventlog.Head

	Project ident.ProjectID
	Name    string
	Kind    Kind
	Status  Status
	// ClientID is how OAuth knows it; empty for SAML.
	ClientID string
	// SecretHash is that of the secret, see vault.SecretMatches; nil when there is none.
	SecretHash []byte
	Console    bool

	// OIDC is the configuration of an [OIDC] application, APIAuth that of an [API], SAML that of a [SAML] one.
	OIDC    OIDCConfig
	APIAuth AuthMethod
	SAML    SAMLConfig

	Removed bool
}

// App is the id of the application.
func (s State) App() ident.AppID { return ident.AppID(s.ID) }

// AuthMethod is how the application authenticates; empty for SAML.
func (s State) AuthMethod() AuthMethod {
	if s.Kind == OIDC {
		return s.OIDC.AuthMethod
	}
	return s.APIAuth
}

// Noun declares applications to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type: "app",
	Payloads: []eventlog.Payload{
		Added{}, Changed{}, Deactivated{}, Reactivated{}, Removed{},
		APIConfigAdded{}, APIConfigChanged{}, APISecretChanged{},
		OIDCConfigAdded{}, OIDCConfigChanged{}, OIDCSecretChanged{},
		SAMLConfigAdded{}, SAMLConfigChanged{},
	},
	Apply:  apply,
	Tables: tables,
})

// apply is the fold of an application.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.Project, s.Name, s.Status = p.Project, p.Name, Active
	case Changed:
		s.Name = p.Name
	case Deactivated:
		s.Status = Inactive
	case Reactivated:
		s.Status = Active
	case Removed:
		s.Removed = true
	case APIConfigAdded:
		s.Kind, s.ClientID, s.APIAuth, s.SecretHash = API, p.ClientID, p.AuthMethod, p.SecretHash
	case APIConfigChanged:
		s.APIAuth = p.AuthMethod
	case APISecretChanged:
		s.SecretHash = p.SecretHash
	case OIDCConfigAdded:
		s.Kind, s.ClientID, s.SecretHash, s.Console = OIDC, p.ClientID, p.SecretHash, p.Console
		if s.OIDC = p.OIDCConfig; p.Console {
			s.OIDC = consoleConfig(p.OIDCConfig)
		}
	case OIDCConfigChanged:
		s.OIDC = p.over(s.OIDC)
	case OIDCSecretChanged:
		s.SecretHash = p.SecretHash
	case SAMLConfigAdded:
		s.Kind, s.SAML = SAML, p.SAMLConfig
	case SAMLConfigChanged:
		if p.SAMLMetadata != nil {
			s.SAML.SAMLMetadata = *p.SAMLMetadata
		}
		s.SAML.Login = p.LoginPatch.over(s.SAML.Login)
	}
	return s
}

// consoleConfig completes the configuration of the console, whose event has only what can differ.
func consoleConfig(c OIDCConfig) OIDCConfig {
	c.Type, c.AccessTokenType = UserAgent, Bearer
	c.ResponseTypes, c.GrantTypes = []ResponseType{Code}, []GrantType{AuthorizationCode}
	return c
}

// Add is the wish for an application of the instance itself.
type Add struct {
	App      ident.AppID
	Project  ident.ProjectID
	Name     string
	ClientID string
	// Console makes it the management console; else it is an API.
	Console bool
	DevMode bool
}

// Decide returns the events that begin an application.
func (a Add) Decide() []eventlog.Payload {
	added := Added{App: a.App, Project: a.Project, Name: a.Name}
	if a.Console {
		return []eventlog.Payload{added, OIDCConfigAdded{
			App: a.App, ClientID: a.ClientID, Console: true,
			OIDCConfig: OIDCConfig{AuthMethod: None, DevMode: a.DevMode},
		}}
	}
	return []eventlog.Payload{added, APIConfigAdded{App: a.App, ClientID: a.ClientID, AuthMethod: PrivateKeyJWT}}
}
