package project

import (
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// Role is a role of a project as its events have left it. Owner of its head is the organization of the
// project.
type Role struct {
	eventlog.Head

	Project     ident.ProjectID
	Key         string // what tokens say
	DisplayName string // what people see
	Group       string
	Removed     bool
}

// RoleNoun declares roles to the log.
var RoleNoun = eventlog.NewNoun(eventlog.Noun[Role]{
	Type:     "projectrole",
	Payloads: []eventlog.Payload{RoleAdded{}, RoleChanged{}, RoleRemoved{}},
	Apply:    applyRole,
	Tables:   roleTables,
})

// applyRole is the fold of a role.
func applyRole(r Role, e eventlog.Event) Role {
	r.Head = r.After(e)
	switch p := e.Payload.(type) {
	case RoleAdded:
		r.Project, r.Key, r.DisplayName, r.Group = p.Project, p.Key, p.DisplayName, p.Group
	case RoleChanged:
		set(&r.DisplayName, p.DisplayName)
		set(&r.Group, p.Group)
	case RoleRemoved:
		r.Removed = true
	}
	return r
}

// NewRole is the wish for a role.
type NewRole struct {
	Project     ident.ProjectID
	Key         string
	DisplayName string
	Group       string
}

// Decide returns the events that begin a role. It returns COMMAND-4m9vS for a blank key.
func (n NewRole) Decide() ([]eventlog.Payload, error) {
	if strings.TrimSpace(n.Key) == "" {
		return nil, fault.Invalid("COMMAND-4m9vS", "Errors.Project.Role.Invalid", "role_key", "must not be blank")
	}
	return []eventlog.Payload{RoleAdded(n)}, nil
}

// ChangeRole is the wish that a role be shown otherwise; what is nil stays. Its key does.
type ChangeRole struct {
	DisplayName *string
	Group       *string
}

// Decide returns project.role.changed with what is not so already, and nothing when all is.
func (c ChangeRole) Decide(r Role) ([]eventlog.Payload, error) {
	changed := RoleChanged{Key: r.Key, DisplayName: other(r.DisplayName, c.DisplayName), Group: other(r.Group, c.Group)}
	if changed.DisplayName == nil && changed.Group == nil {
		return nil, nil
	}
	return []eventlog.Payload{changed}, nil
}
