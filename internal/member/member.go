package member

import (
	"fmt"
	"slices"
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/role"
	"castellan/internal/search"
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

// Takes reports whether a role counts in a scope, by how its name begins. The table of roles has others,
// SYSTEM_OWNER among them, which no membership can give. That there is such a role is not asked.
func (s Scope) Takes(name string) bool {
	const grant = "PROJECT_GRANT_"
	switch s {
	case Instance:
		return strings.HasPrefix(name, "IAM_")
	case Org:
		return strings.HasPrefix(name, "ORG_")
	case Project:
		return strings.HasPrefix(name, "PROJECT_") && !strings.HasPrefix(name, grant)
	case ProjectGrant:
		return strings.HasPrefix(name, grant)
	}
	return false
}

// State is a membership as its events have left it. Owner of its head is the instance or the
// organization that owns what it is about.
type State struct {
	eventlog.Head

	User    ident.UserID
	Scope   Scope
	ScopeID string
	Roles   []string
	Removed bool
}

// Noun declares memberships to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type: "member",
	Payloads: []eventlog.Payload{
		InstanceAdded{}, InstanceChanged{}, InstanceRemoved{}, InstanceCascadeRemoved{},
		OrgAdded{}, OrgChanged{}, OrgRemoved{}, OrgCascadeRemoved{},
		ProjectAdded{}, ProjectChanged{}, ProjectRemoved{}, ProjectCascadeRemoved{},
		GrantAdded{}, GrantChanged{}, GrantRemoved{}, GrantCascadeRemoved{},
	},
	Apply:  apply,
	Tables: tables,
})

// apply is the fold of a membership.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case InstanceAdded:
		s.Scope, s.ScopeID, s.User, s.Roles = Instance, string(e.Instance), p.User, p.Roles
	case OrgAdded:
		s.Scope, s.ScopeID, s.User, s.Roles = Org, string(p.Org), p.User, p.Roles
	case ProjectAdded:
		s.Scope, s.ScopeID, s.User, s.Roles = Project, string(p.Project), p.User, p.Roles
	case GrantAdded:
		s.Scope, s.ScopeID, s.User, s.Roles = ProjectGrant, string(p.Grant), p.User, p.Roles
	case InstanceChanged:
		s.Roles = p.Roles
	case OrgChanged:
		s.Roles = p.Roles
	case ProjectChanged:
		s.Roles = p.Roles
	case GrantChanged:
		s.Roles = p.Roles
	case InstanceRemoved, InstanceCascadeRemoved, OrgRemoved, OrgCascadeRemoved,
		ProjectRemoved, ProjectCascadeRemoved, GrantRemoved, GrantCascadeRemoved:
		s.Removed = true
	}
	return s
}

// NotFound is the fault of a membership that does not exist.
var NotFound = fault.New(fault.NotFound, "MEMBER-none1", "Errors.Member.NotFound").
	WithViolation("user_id", "must be of a user who is an administrator of the resource")

// terms are the faults of a scope.
type terms struct {
	roles, user, taken *fault.Error
}

// refusals are the faults that clients know, by scope.
var refusals = map[Scope]terms{
	Instance: {
		fault.New(fault.InvalidArgument, "INSTANCE-3m9fs", "Errors.Instance.MemberInvalid"),
		fault.New(fault.FailedPrecondition, "INSTA-GSXOn", "Errors.User.NotFound"),
		fault.New(fault.AlreadyExists, "INSTA-pFDwe", "Errors.Instance.Member.AlreadyExists"),
	},
	Org: {
		fault.New(fault.InvalidArgument, "Org-4N8es", "Errors.Org.MemberInvalid"),
		fault.New(fault.FailedPrecondition, "ORG-GoXOn", "Errors.User.NotFound"),
		fault.New(fault.AlreadyExists, "ORG-poWwe", "Errors.Org.Member.AlreadyExists"),
	},
	Project: {
		fault.New(fault.InvalidArgument, "PROJECT-3m9ds", "Errors.Project.Member.Invalid"),
		fault.New(fault.FailedPrecondition, "COMMAND-4f8sg", "Errors.User.NotFound"),
		fault.New(fault.AlreadyExists, "PROJECT-PtXi1", "Errors.Project.Member.AlreadyExists"),
	},
	ProjectGrant: {
		fault.New(fault.InvalidArgument, "PROJECT-m0sDf", "Errors.Project.Grant.Member.Invalid"),
		fault.New(fault.FailedPrecondition, "COMMAND-4f8sg", "Errors.User.NotFound"),
		fault.New(fault.AlreadyExists, "PROJECT-PtXi1", "Errors.Project.Grant.Member.AlreadyExists"),
	},
}

// CheckRoles returns a fault that names the first role that is not known or is not for the scope, or says that
// there is none: INSTANCE-3m9fs, Org-4N8es, PROJECT-3m9ds or PROJECT-m0sDf.
func (s Scope) CheckRoles(roles []string) error {
	refusal := refusals[s].roles
	if len(roles) == 0 {
		return refusal.WithViolation("roles", "must have at least one entry")
	}
	if err := search.TooMany("roles", len(roles), search.MaxValues); err != nil {
		return err
	}
	for i, name := range roles {
		if !s.Takes(name) || !role.Instance.Known(name) {
			return refusal.WithViolation(fmt.Sprintf("roles[%d]", i), "must be a role for this kind of resource")
		}
	}
	return nil
}

// Add is the wish for a membership of an instance's first owner: on Org, or on the instance when Org is
// empty.
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

// New is the wish that a user be a member of a thing that exists.
type New struct {
	User  ident.UserID
	Roles []string
	// Whom reports whether users of an organization can be made members by the caller; nil: all can. One
	// who cannot is answered like one who does not exist.
	Whom func(org ident.OrgID) bool
}

// Decide returns the events that begin the membership. Its faults are those of [Scope.CheckRoles].
func (n New) Decide(of Thing) ([]eventlog.Payload, error) {
	if err := of.Scope.CheckRoles(n.Roles); err != nil {
		return nil, err
	}
	var added eventlog.Payload
	switch of.Scope {
	case Instance:
		added = InstanceAdded{User: n.User, Roles: n.Roles}
	case Org:
		added = OrgAdded{Org: ident.OrgID(of.ID), User: n.User, Roles: n.Roles}
	case Project:
		added = ProjectAdded{Project: ident.ProjectID(of.ID), User: n.User, Roles: n.Roles}
	case ProjectGrant:
		added = GrantAdded{Project: of.Project, Grant: ident.GrantID(of.ID), User: n.User, Roles: n.Roles}
	}
	return []eventlog.Payload{added}, nil
}

// Change is the wish for other roles.
type Change struct {
	Roles []string
}

// Decide returns the event, or none when these are the roles already. Its faults are those of
// [Scope.CheckRoles].
func (c Change) Decide(s State) ([]eventlog.Payload, error) {
	if err := s.Scope.CheckRoles(c.Roles); err != nil || slices.Equal(c.Roles, s.Roles) {
		return nil, err
	}
	p := changed{User: s.User, Roles: c.Roles}
	return []eventlog.Payload{map[Scope]eventlog.Payload{
		Instance: InstanceChanged(p), Org: OrgChanged(p), Project: ProjectChanged(p), ProjectGrant: GrantChanged(p),
	}[s.Scope]}, nil
}

// Remove is the wish that a membership is no more; Cascade, because its user or what it is about is removed.
type Remove struct {
	Cascade bool
}

// Decide returns the event.
func (r Remove) Decide(s State) ([]eventlog.Payload, error) {
	p := removed{User: s.User}
	if r.Cascade {
		return []eventlog.Payload{map[Scope]eventlog.Payload{
			Instance: InstanceCascadeRemoved(p), Org: OrgCascadeRemoved(p), Project: ProjectCascadeRemoved(p), ProjectGrant: GrantCascadeRemoved(p),
		}[s.Scope]}, nil
	}
	return []eventlog.Payload{map[Scope]eventlog.Payload{
		Instance: InstanceRemoved(p), Org: OrgRemoved(p), Project: ProjectRemoved(p), ProjectGrant: GrantRemoved(p),
	}[s.Scope]}, nil
}
