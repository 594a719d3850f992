package authorization

import "castellan/internal/ident"

// Added begins an authorization.
type Added struct {
	User    ident.UserID    `json:"userId"`
	Project ident.ProjectID `json:"projectId"`
	Grant   ident.GrantID   `json:"grantId,omitempty"` // empty in the organization that owns the project
	Roles   []string        `json:"roleKeys,omitempty"`
}

// Changed says which roles the user holds from now on.
type Changed struct {
	User  ident.UserID `json:"userId"`
	Roles []string     `json:"roleKeys,omitempty"`
}

// CascadeChanged says which roles are left after some were taken from the project or the grant.
type CascadeChanged struct {
	Roles []string `json:"roleKeys,omitempty"`
}

// Deactivated makes the authorization of no use until it is reactivated.
type Deactivated struct{}

// Reactivated makes the authorization of use again.
type Reactivated struct{}

// Removed ends the authorization.
type Removed struct {
	User    ident.UserID    `json:"userId"`
	Project ident.ProjectID `json:"projectId"`
	Grant   ident.GrantID   `json:"grantId,omitempty"`
}

// CascadeRemoved ends the authorization with what it is about.
type CascadeRemoved struct{}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "user.grant.added" }

// EventType implements eventlog.Payload.
func (Changed) EventType() string { return "user.grant.changed" }

// EventType implements eventlog.Payload.
func (CascadeChanged) EventType() string { return "user.grant.cascade.changed" }

// EventType implements eventlog.Payload.
func (Deactivated) EventType() string { return "user.grant.deactivated" }

// EventType implements eventlog.Payload.
func (Reactivated) EventType() string { return "user.grant.reactivated" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "user.grant.removed" }

// EventType implements eventlog.Payload.
func (CascadeRemoved) EventType() string { return "user.grant.cascade.removed" }
