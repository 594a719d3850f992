package app

import "castellan/internal/ident"

// Added begins an application.
type Added struct {
	App     ident.AppID     `json:"appId"`
	Project ident.ProjectID `json:"projectId"`
	Name    string          `json:"name"`
}

// APIConfigAdded makes the application an API: it validates tokens and authenticates to the
// introspection endpoint.
type APIConfigAdded struct {
	App        ident.AppID `json:"appId"`
	ClientID   string      `json:"clientId"`
	AuthMethod AuthMethod  `json:"authMethod"`
}

// OIDCConfigAdded makes the application one that people sign in to.
type OIDCConfigAdded struct {
	App        ident.AppID `json:"appId"`
	ClientID   string      `json:"clientId"`
	AuthMethod AuthMethod  `json:"authMethod"`
	// Console marks the management console of the instance, whose redirect URIs follow from
	// the domains of the instance.
	Console bool `json:"console,omitempty"`
	// DevMode allows redirect URIs without TLS.
	DevMode bool `json:"devMode,omitempty"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "project.application.added" }

// EventType implements eventlog.Payload.
func (APIConfigAdded) EventType() string { return "project.application.config.api.added" }

// EventType implements eventlog.Payload.
func (OIDCConfigAdded) EventType() string { return "project.application.config.oidc.added" }
