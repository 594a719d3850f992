package org

// Added begins an organization.
type Added struct {
	Name string `json:"name"`
}

// DomainAdded gives the organization one more login domain.
type DomainAdded struct {
	Domain string `json:"domain"`
}

// DomainVerified records that the domain belongs to the organization.
type DomainVerified struct {
	Domain string `json:"domain"`
}

// DomainPrimarySet makes a domain the one that is shown in login names.
type DomainPrimarySet struct {
	Domain string `json:"domain"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "org.added" }

// EventType implements eventlog.Payload.
func (DomainAdded) EventType() string { return "org.domain.added" }

// EventType implements eventlog.Payload.
func (DomainVerified) EventType() string { return "org.domain.verified" }

// EventType implements eventlog.Payload.
func (DomainPrimarySet) EventType() string { return "org.domain.primary.set" }
