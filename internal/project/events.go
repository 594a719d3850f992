package project

import "castellan/internal/ident"

// Added begins a project.
type Added struct {
	Name                  string `json:"name"`
	RoleAssertion         bool   `json:"projectRoleAssertion,omitempty"`
	AuthorizationRequired bool   `json:"projectRoleCheck,omitempty"`
	AccessRequired        bool   `json:"hasProjectCheck,omitempty"`
	Labeling              int    `json:"privateLabelingSetting,omitempty"`
}

// Changed changes what is set of it.
type Changed struct {
	Name                  *string `json:"name,omitempty"`
	RoleAssertion         *bool   `json:"projectRoleAssertion,omitempty"`
	AuthorizationRequired *bool   `json:"projectRoleCheck,omitempty"`
	AccessRequired        *bool   `json:"hasProjectCheck,omitempty"`
	Labeling              *int    `json:"privateLabelingSetting,omitempty"`
}

// Deactivated says that nobody can use the project or sign in to its applications.
type Deactivated struct{}

// Reactivated takes that back.
type Reactivated struct{}

// Removed ends the project. What it had has been removed before.
type Removed struct{}

// RoleAdded begins a role.
type RoleAdded struct {
	Project     ident.ProjectID `json:"projectId"`
	Key         string          `json:"key"`
	DisplayName string          `json:"displayName,omitempty"`
	Group       string          `json:"group,omitempty"`
}

// RoleChanged changes what is set of it.
type RoleChanged struct {
	Key         string  `json:"key"`
	DisplayName *string `json:"displayName,omitempty"`
	Group       *string `json:"group,omitempty"`
}

// RoleRemoved ends a role. Nobody holds it any more.
type RoleRemoved struct {
	Key string `json:"key"`
}

// GrantAdded grants roles of a project to another organization.
type GrantAdded struct {
	Grant   ident.GrantID   `json:"grantId"`
	Project ident.ProjectID `json:"projectId"`
	Org     ident.OrgID     `json:"grantedOrgId"`
	Roles   []string        `json:"roleKeys,omitempty"`
}

// GrantChanged grants other roles.
type GrantChanged struct {
	Grant ident.GrantID `json:"grantId"`
	Roles []string      `json:"roleKeys,omitempty"`
}

// GrantCascadeChanged is GrantChanged because a role of the project was removed.
type GrantCascadeChanged struct {
	Grant ident.GrantID `json:"grantId"`
	Roles []string      `json:"roleKeys,omitempty"`
}

// GrantDeactivated says that the organization cannot use the project, nor its users.
type GrantDeactivated struct {
	Grant ident.GrantID `json:"grantId"`
}

// GrantReactivated takes that back.
type GrantReactivated struct {
	Grant ident.GrantID `json:"grantId"`
}

// GrantRemoved ends a grant.
type GrantRemoved struct {
	Grant ident.GrantID `json:"grantId"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "project.added" }

// EventType implements eventlog.Payload.
func (Changed) EventType() string { return "project.changed" }

// EventType implements eventlog.Payload.
func (Deactivated) EventType() string { return "project.deactivated" }

// EventType implements eventlog.Payload.
func (Reactivated) EventType() string { return "project.reactivated" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "project.removed" }

// EventType implements eventlog.Payload.
func (RoleAdded) EventType() string { return "project.role.added" }

// EventType implements eventlog.Payload.
func (RoleChanged) EventType() string { return "project.role.changed" }

// EventType implements eventlog.Payload.
func (RoleRemoved) EventType() string { return "project.role.removed" }

// EventType implements eventlog.Payload.
func (GrantAdded) EventType() string { return "project.grant.added" }

// EventType implements eventlog.Payload.
func (GrantChanged) EventType() string { return "project.grant.changed" }

// EventType implements eventlog.Payload.
func (GrantCascadeChanged) EventType() string { return "project.grant.cascade.changed" }

// EventType implements eventlog.Payload.
func (GrantDeactivated) EventType() string { return "project.grant.deactivated" }

// EventType implements eventlog.Payload.
func (GrantReactivated) EventType() string { return "project.grant.reactivated" }

// EventType implements eventlog.Payload.
func (GrantRemoved) EventType() string { return "project.grant.removed" }
