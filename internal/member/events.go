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

// ProjectAdded makes a user a member of a project.
type ProjectAdded struct {
	Project ident.ProjectID `json:"projectId"`
	User    ident.UserID    `json:"userId"`
	Roles   []string        `json:"roles"`
}

// GrantAdded makes a user a member of a grant of a project.
type GrantAdded struct {
	Project ident.ProjectID `json:"projectId"`
	Grant   ident.GrantID   `json:"grantId"`
	User    ident.UserID    `json:"userId"`
	Roles   []string        `json:"roles"`
}

// changed says which roles a member has from now on.
type changed struct {
	User  ident.UserID `json:"userId"`
	Roles []string     `json:"roles"`
}

// removed ends a membership.
type removed struct {
	User ident.UserID `json:"userId"`
}

// What happens to a membership of each kind, after it was added.
type (
	// InstanceChanged says which roles a member of the instance has from now on.
	InstanceChanged changed
	// InstanceRemoved ends a membership of the instance.
	InstanceRemoved removed
	// InstanceCascadeRemoved ends it with its user.
	InstanceCascadeRemoved removed

	// OrgChanged says which roles a member of an organization has from now on.
	OrgChanged changed
	// OrgRemoved ends a membership of an organization.
	OrgRemoved removed
	// OrgCascadeRemoved ends it with its user or its organization.
	OrgCascadeRemoved removed

	// ProjectChanged says which roles a member of a project has from now on.
	ProjectChanged changed
	// ProjectRemoved ends a membership of a project.
	ProjectRemoved removed
	// ProjectCascadeRemoved ends it with its user or its project.
	ProjectCascadeRemoved removed

	// GrantChanged says which roles a member of a grant has from now on.
	GrantChanged changed
	// GrantRemoved ends a membership of a grant.
	GrantRemoved removed
	// GrantCascadeRemoved ends it with its user or its grant.
	GrantCascadeRemoved removed
)

// EventType implements eventlog.Payload.
func (InstanceAdded) EventType() string { return "instance.member.added" }

// EventType implements eventlog.Payload.
func (InstanceChanged) EventType() string { return "instance.member.changed" }

// EventType implements eventlog.Payload.
func (InstanceRemoved) EventType() string { return "instance.member.removed" }

// EventType implements eventlog.Payload.
func (InstanceCascadeRemoved) EventType() string { return "instance.member.cascade.removed" }

// EventType implements eventlog.Payload.
func (OrgAdded) EventType() string { return "org.member.added" }

// EventType implements eventlog.Payload.
func (OrgChanged) EventType() string { return "org.member.changed" }

// EventType implements eventlog.Payload.
func (OrgRemoved) EventType() string { return "org.member.removed" }

// EventType implements eventlog.Payload.
func (OrgCascadeRemoved) EventType() string { return "org.member.cascade.removed" }

// EventType implements eventlog.Payload.
func (ProjectAdded) EventType() string { return "project.member.added" }

// EventType implements eventlog.Payload.
func (ProjectChanged) EventType() string { return "project.member.changed" }

// EventType implements eventlog.Payload.
func (ProjectRemoved) EventType() string { return "project.member.removed" }

// EventType implements eventlog.Payload.
func (ProjectCascadeRemoved) EventType() string { return "project.member.cascade.removed" }

// EventType implements eventlog.Payload.
func (GrantAdded) EventType() string { return "project.grant.member.added" }

// EventType implements eventlog.Payload.
func (GrantChanged) EventType() string { return "project.grant.member.changed" }

// EventType implements eventlog.Payload.
func (GrantRemoved) EventType() string { return "project.grant.member.removed" }

// EventType implements eventlog.Payload.
func (GrantCascadeRemoved) EventType() string { return "project.grant.member.cascade.removed" }
