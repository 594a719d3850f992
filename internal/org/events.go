package org

// Added begins an organization.
type Added struct {
	Name string `json:"name"`
}

// Changed gives the organization another name.
type Changed struct {
	Name string `json:"name"`
}

// Deactivated says that users of the organization cannot act any more, and nobody can use what it has.
type Deactivated struct{}

// Reactivated takes that back.
type Reactivated struct{}

// Removed ends the organization. What it had has been removed before.
type Removed struct{}

// DomainAdded gives the organization one more login domain.
type DomainAdded struct {
	Domain string `json:"domain"`
}

// DomainVerificationAdded says how it can be proved that a domain belongs to the organization.
type DomainVerificationAdded struct {
	Domain string         `json:"domain"`
	Type   ValidationType `json:"validationType"`
	// Token is what has to be published, where everybody can read it.
	Token string `json:"validationToken"`
}

// DomainVerificationFailed records that the proof was not found.
type DomainVerificationFailed struct {
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

// DomainRemoved takes a domain away.
type DomainRemoved struct {
	Domain string `json:"domain"`
}

// MetadataSet writes something down about the organization, in place of what stood under the key.
type MetadataSet struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// MetadataRemoved removes what stands under a key.
type MetadataRemoved struct {
	Key string `json:"key"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "org.added" }

// EventType implements eventlog.Payload.
func (Changed) EventType() string { return "org.changed" }

// EventType implements eventlog.Payload.
func (Deactivated) EventType() string { return "org.deactivated" }

// EventType implements eventlog.Payload.
func (Reactivated) EventType() string { return "org.reactivated" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "org.removed" }

// EventType implements eventlog.Payload.
func (DomainAdded) EventType() string { return "org.domain.added" }

// EventType implements eventlog.Payload.
func (DomainVerificationAdded) EventType() string { return "org.domain.verification.added" }

// EventType implements eventlog.Payload.
func (DomainVerificationFailed) EventType() string { return "org.domain.verification.failed" }

// EventType implements eventlog.Payload.
func (DomainVerified) EventType() string { return "org.domain.verified" }

// EventType implements eventlog.Payload.
func (DomainPrimarySet) EventType() string { return "org.domain.primary.set" }

// EventType implements eventlog.Payload.
func (DomainRemoved) EventType() string { return "org.domain.removed" }

// EventType implements eventlog.Payload.
func (MetadataSet) EventType() string { return "org.metadata.set" }

// EventType implements eventlog.Payload.
func (MetadataRemoved) EventType() string { return "org.metadata.removed" }
