package instance

import "castellan/internal/ident"

// Added begins an instance. It refers to the defaults by version (decision D12).
type Added struct {
	Name     string `json:"name"`
	Defaults int    `json:"defaultsVersion"`
}

// Changed gives the instance another name.
type Changed struct {
	Name string `json:"name"`
}

// DefaultLanguageSet records a default language that differs from the built-in one.
type DefaultLanguageSet struct {
	Language string `json:"language"`
}

// DomainAdded gives the instance one more domain.
type DomainAdded struct {
	Domain    string `json:"domain"`
	Generated bool   `json:"generated,omitempty"`
}

// DomainRemoved takes a domain away.
type DomainRemoved struct {
	Domain string `json:"domain"`
}

// DomainPrimarySet makes a domain the one that links and issuers use.
type DomainPrimarySet struct {
	Domain string `json:"domain"`
}

// TrustedDomainAdded lets links and issuers of the instance carry a host that does not lead to it,
// such as that of a proxy.
type TrustedDomainAdded struct {
	Domain string `json:"domain"`
}

// TrustedDomainRemoved takes that back.
type TrustedDomainRemoved struct {
	Domain string `json:"domain"`
}

// Stopped makes the instance serve nothing but the System API.
type Stopped struct{}

// Started makes a stopped instance serve again.
type Started struct{}

// Removed ends the instance. Its key is destroyed in the same write.
type Removed struct{}

// DefaultOrgSet names the organization that users without one belong to.
type DefaultOrgSet struct {
	Org ident.OrgID `json:"orgId"`
}

// ProjectSet names the project that stands for the instance's own APIs.
type ProjectSet struct {
	Project ident.ProjectID `json:"iamProjectId"`
}

// ConsoleSet names the application that is the management console.
type ConsoleSet struct {
	ClientID string      `json:"clientId"`
	App      ident.AppID `json:"appId"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "instance.added" }

// EventType implements eventlog.Payload.
func (Changed) EventType() string { return "instance.changed" }

// EventType implements eventlog.Payload.
func (DefaultLanguageSet) EventType() string { return "instance.default.language.set" }

// EventType implements eventlog.Payload.
func (DomainAdded) EventType() string { return "instance.domain.added" }

// EventType implements eventlog.Payload.
func (DomainRemoved) EventType() string { return "instance.domain.removed" }

// EventType implements eventlog.Payload.
func (DomainPrimarySet) EventType() string { return "instance.domain.primary.set" }

// EventType implements eventlog.Payload.
func (DefaultOrgSet) EventType() string { return "instance.default.org.set" }

// EventType implements eventlog.Payload.
func (ProjectSet) EventType() string { return "instance.iam.project.set" }

// EventType implements eventlog.Payload.
func (ConsoleSet) EventType() string { return "instance.iam.console.set" }

// EventType implements eventlog.Payload.
func (TrustedDomainAdded) EventType() string { return "instance.trusted_domains.added" }

// EventType implements eventlog.Payload.
func (TrustedDomainRemoved) EventType() string { return "instance.trusted_domains.removed" }

// EventType implements eventlog.Payload.
func (Stopped) EventType() string { return "instance.stopped" }

// EventType implements eventlog.Payload.
func (Started) EventType() string { return "instance.started" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "instance.removed" }
