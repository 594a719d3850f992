package app

import (
	"time"

	"castellan/internal/ident"
)

// Added begins an application.
type Added struct {
	App     ident.AppID     `json:"appId"`
	Project ident.ProjectID `json:"projectId"`
	Name    string          `json:"name"`
}

// Changed gives the application another name.
type Changed struct {
	App  ident.AppID `json:"appId"`
	Name string      `json:"name"`
}

// Deactivated makes the application of no use until it is reactivated.
type Deactivated struct {
	App ident.AppID `json:"appId"`
}

// Reactivated makes the application of use again.
type Reactivated struct {
	App ident.AppID `json:"appId"`
}

// Removed ends the application.
type Removed struct {
	App ident.AppID `json:"appId"`
}

// APIConfigAdded makes the application an API: it validates tokens and authenticates to the
// introspection endpoint.
type APIConfigAdded struct {
	App        ident.AppID `json:"appId"`
	ClientID   string      `json:"clientId"`
	AuthMethod AuthMethod  `json:"authMethod"`
	SecretHash []byte      `json:"hashedSecret,omitempty"` // see vault.HashSecret
}

// APIConfigChanged changes how an API authenticates.
type APIConfigChanged struct {
	App        ident.AppID `json:"appId"`
	AuthMethod AuthMethod  `json:"authMethod"`
}

// APISecretChanged gives an API another secret.
type APISecretChanged struct {
	App        ident.AppID `json:"appId"`
	SecretHash []byte      `json:"hashedSecret"`
}

// OIDCConfigAdded makes the application one that people sign in to.
type OIDCConfigAdded struct {
	App      ident.AppID `json:"appId"`
	ClientID string      `json:"clientId"`
	// Console marks the management console of the instance, whose redirect URIs follow from
	// the domains of the instance, and whose configuration is not written: see apply.
	Console    bool   `json:"console,omitempty"`
	SecretHash []byte `json:"hashedSecret,omitempty"`
	OIDCConfig
}

// OIDCConfigChanged changes what it names.
type OIDCConfigChanged struct {
	App ident.AppID `json:"appId"`
	OIDCPatch
}

// OIDCSecretChanged gives the application another secret.
type OIDCSecretChanged struct {
	App        ident.AppID `json:"appId"`
	SecretHash []byte      `json:"hashedSecret"`
}

// SAMLConfigAdded makes the application a service provider of SAML 2.0.
type SAMLConfigAdded struct {
	App ident.AppID `json:"appId"`
	SAMLConfig
}

// SAMLConfigChanged replaces the metadata, unless it is nil, and changes what else it names.
type SAMLConfigChanged struct {
	App ident.AppID `json:"appId"`
	*SAMLMetadata
	LoginPatch
}

// KeyAdded begins a key of an application.
type KeyAdded struct {
	App        ident.AppID `json:"applicationId"`
	ClientID   string      `json:"clientId"`
	Key        ident.KeyID `json:"keyId"`
	Type       int         `json:"type"`      // always 1, JSON
	PublicKey  []byte      `json:"publicKey"` // PKIX, PEM
	Expiration time.Time   `json:"expirationDate"`
}

// KeyRemoved ends a key.
type KeyRemoved struct {
	Key ident.KeyID `json:"keyId"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "project.application.added" }

// EventType implements eventlog.Payload.
func (Changed) EventType() string { return "project.application.changed" }

// EventType implements eventlog.Payload.
func (Deactivated) EventType() string { return "project.application.deactivated" }

// EventType implements eventlog.Payload.
func (Reactivated) EventType() string { return "project.application.reactivated" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "project.application.removed" }

// EventType implements eventlog.Payload.
func (APIConfigAdded) EventType() string { return "project.application.config.api.added" }

// EventType implements eventlog.Payload.
func (APIConfigChanged) EventType() string { return "project.application.config.api.changed" }

// EventType implements eventlog.Payload.
func (APISecretChanged) EventType() string { return "project.application.config.api.secret.changed" }

// EventType implements eventlog.Payload.
func (OIDCConfigAdded) EventType() string { return "project.application.config.oidc.added" }

// EventType implements eventlog.Payload.
func (OIDCConfigChanged) EventType() string { return "project.application.config.oidc.changed" }

// EventType implements eventlog.Payload.
func (OIDCSecretChanged) EventType() string { return "project.application.config.oidc.secret.changed" }

// EventType implements eventlog.Payload.
func (SAMLConfigAdded) EventType() string { return "project.application.config.saml.added" }

// EventType implements eventlog.Payload.
func (SAMLConfigChanged) EventType() string { return "project.application.config.saml.changed" }

// EventType implements eventlog.Payload.
func (KeyAdded) EventType() string { return "project.application.oidc.key.added" }

// EventType implements eventlog.Payload.
func (KeyRemoved) EventType() string { return "project.application.oidc.key.removed" }
