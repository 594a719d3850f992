package member

import (
	"castellan/internal/eventlog"
	"castellan/internal/ident"
)

// Scope is what a membership is about.
type Scope string

// The scopes of memberships.
const (
	Instance     Scope = "instance"
	Org          Scope = "org"
	Project      Scope = "project"
	ProjectGrant Scope = "project_grant"
)

// The roles of an instance's first owner (contract section 1.4).
const (
	InstanceOwner = "IAM_OWNER"
	OrgOwner      = "ORG_OWNER"
)

// State is a membership as its events have left it. Owner of its head is the instance or
// the organization it is about.
type State struct {
	eventlog.Head

	User    ident.UserID
	Scope   Scope
	ScopeID string
	Roles   []string
}

// Noun declares memberships to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "member",
	Payloads: []eventlog.Payload{InstanceAdded{}, OrgAdded{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a membership.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case InstanceAdded:
		s.Scope, s.ScopeID, s.User, s.Roles = Instance, string(e.Instance), p.User, p.Roles
	case OrgAdded:
		s.Scope, s.ScopeID, s.User, s.Roles = Org, string(p.Org), p.User, p.Roles
	}
	return s
}

// Add is the wish for a membership: on Org, or on the instance when Org is empty.
type Add struct {
	Org   ident.OrgID
	User  ident.UserID
	Roles []string
}

// Origin returns the id of the membership and who owns it.
func (a Add) Origin(instance ident.InstanceID) eventlog.Origin {
	if a.Org == "" {
		return eventlog.Origin{ID: string(Instance) + ":" + string(a.User), Owner: string(instance)}
	}
	return eventlog.Origin{ID: string(Org) + ":" + string(a.Org) + ":" + string(a.User), Owner: string(a.Org)}
}

// Decide returns the events that begin a membership.
func (a Add) Decide() []eventlog.Payload {
	if a.Org == "" {
		return []eventlog.Payload{InstanceAdded{User: a.User, Roles: a.Roles}}
	}
	return []eventlog.Payload{OrgAdded{Org: a.Org, User: a.User, Roles: a.Roles}}
}
