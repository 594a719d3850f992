package member

import "castellan/internal/ident"

// InstanceAdded makes a user a member of the instance.
type InstanceAdded struct {
	User  ident.UserID `json:"userId"`
	Roles []string     `json:"roles"`
}

// OrgAdded makes a user a member of an organization.
type OrgAdded struct {
	Org   ident.OrgID  `json:"orgId"`
	User  ident.UserID `json:"userId"`
	Roles []string     `json:"roles"`
}

// EventType implements eventlog.Payload.
func (InstanceAdded) EventType() string { return "instance.member.added" }

// EventType implements eventlog.Payload.
func (OrgAdded) EventType() string { return "org.member.added" }
