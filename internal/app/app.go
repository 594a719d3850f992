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
)

// AuthMethod is how an application authenticates (RFC 8414, token_endpoint_auth_method).
type AuthMethod string

// The methods of the applications every instance starts with.
const (
	PrivateKeyJWT AuthMethod = "private_key_jwt"
	None          AuthMethod = "none" // a public client; PKCE instead of a secret
)

// State is an application as its events have left it. Owner of its head is the organization.
type State struct {
	eventlog.Head

	Project    ident.ProjectID
	Name       string
	Kind       Kind
	ClientID   string
	AuthMethod AuthMethod
	Console    bool
	DevMode    bool
}

// Noun declares applications to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "app",
	Payloads: []eventlog.Payload{Added{}, APIConfigAdded{}, OIDCConfigAdded{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of an application.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.Project, s.Name = p.Project, p.Name
	case APIConfigAdded:
		s.Kind, s.ClientID, s.AuthMethod = API, p.ClientID, p.AuthMethod
	case OIDCConfigAdded:
		s.Kind, s.ClientID, s.AuthMethod = OIDC, p.ClientID, p.AuthMethod
		s.Console, s.DevMode = p.Console, p.DevMode
	}
	return s
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
			App: a.App, ClientID: a.ClientID, AuthMethod: None, Console: true, DevMode: a.DevMode,
		}}
	}
	return []eventlog.Payload{added, APIConfigAdded{App: a.App, ClientID: a.ClientID, AuthMethod: PrivateKeyJWT}}
}
