package project

import (
	"fmt"
	"slices"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/search"
)

// Grant is a grant of a project to an organization as its events have left it. Owner of its head is the
// organization of the project.
type Grant struct {
	eventlog.Head

	Project ident.ProjectID
	Org     ident.OrgID // to which the project is granted
	Roles   []string    // keys of roles, in the order in which they were granted
	Active  bool
	Removed bool
}

// GrantNoun declares grants to the log.
var GrantNoun = eventlog.NewNoun(eventlog.Noun[Grant]{
	Type: "projectgrant",
	Payloads: []eventlog.Payload{
		GrantAdded{}, GrantChanged{}, GrantCascadeChanged{}, GrantDeactivated{}, GrantReactivated{}, GrantRemoved{},
	},
	Apply:  applyGrant,
	Tables: grantTables,
})

// applyGrant is the fold of a grant.
func applyGrant(g Grant, e eventlog.Event) Grant {
	g.Head = g.After(e)
	switch p := e.Payload.(type) {
	case GrantAdded:
		g.Project, g.Org, g.Roles, g.Active = p.Project, p.Org, p.Roles, true
	case GrantChanged:
		g.Roles = p.Roles
	case GrantCascadeChanged:
		g.Roles = p.Roles
	case GrantDeactivated:
		g.Active = false
	case GrantReactivated:
		g.Active = true
	case GrantRemoved:
		g.Removed = true
	}
	return g
}

// GrantID is the id of the grant.
func (g Grant) GrantID() ident.GrantID { return ident.GrantID(g.ID) }

// NewGrant is the wish to grant roles of a project to an organization.
type NewGrant struct {
	Project ident.ProjectID
	Org     ident.OrgID
	Roles   []string
}

// Decide returns the events that begin a grant with an id. owner is the organization of the project, has
// are the roles the project has of those that are wished for. It returns PROJECT-ckUpbvboAH for a grant
// to owner, COMMAND-6m9gd for a role the project does not have and SEARCH-max01 for too many of them.
func (n NewGrant) Decide(id ident.GrantID, owner ident.OrgID, has []string) ([]eventlog.Payload, error) {
	if n.Org == owner {
		return nil, fault.New(fault.FailedPrecondition, "PROJECT-ckUpbvboAH", "Errors.Project.Grant.Invalid").
			WithViolation("granted_organization_id", "must not be the organization that owns the project")
	}
	roles, err := grantable(n.Roles, has)
	if err != nil {
		return nil, err
	}
	return []eventlog.Payload{GrantAdded{Grant: id, Project: n.Project, Org: n.Org, Roles: roles}}, nil
}

// ChangeGrant is the wish to grant other roles.
type ChangeGrant struct {
	Roles []string
}

// Decide returns project.grant.changed, or nothing when these are the roles already. has are the roles the
// project has of those that are wished for. It returns the faults of [NewGrant.Decide].
func (c ChangeGrant) Decide(g Grant, has []string) ([]eventlog.Payload, error) {
	roles, err := grantable(c.Roles, has)
	if err != nil || slices.Equal(roles, g.Roles) {
		return nil, err
	}
	return []eventlog.Payload{GrantChanged{Grant: g.GrantID(), Roles: roles}}, nil
}

// grantable returns roles without those that are named again, nil when there are none.
func grantable(roles, has []string) ([]string, error) {
	if err := search.TooMany("role_keys", len(roles), search.MaxValues); err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(has)) // false: named already
	for _, key := range has {
		known[key] = true
	}
	var all []string
	for i, key := range roles {
		first, exists := known[key]
		if !exists {
			return nil, fault.New(fault.FailedPrecondition, "COMMAND-6m9gd", "Errors.Project.Role.NotFound").
				WithViolation(fmt.Sprintf("role_keys[%d]", i), "must be the key of a role of the project")
		}
		if known[key] = false; first {
			all = append(all, key)
		}
	}
	return all, nil
}

// without returns the event by which a role that is removed goes from the grant.
func (g Grant) without(role string) []eventlog.Payload {
	var left []string
	for _, key := range g.Roles {
		if key != role {
			left = append(left, key)
		}
	}
	return []eventlog.Payload{GrantCascadeChanged{Grant: g.GrantID(), Roles: left}}
}

// taken returns the roles that g had and after has not.
func (g Grant) taken(after Grant) []string {
	return slices.DeleteFunc(slices.Clone(g.Roles), func(key string) bool { return slices.Contains(after.Roles, key) })
}

// DeactivateGrant is the wish that the organization cannot use the project.
type DeactivateGrant struct{}

// Decide returns project.grant.deactivated, or nothing when the grant is inactive.
func (DeactivateGrant) Decide(g Grant) ([]eventlog.Payload, error) {
	if !g.Active {
		return nil, nil
	}
	return []eventlog.Payload{GrantDeactivated{Grant: g.GrantID()}}, nil
}

// ReactivateGrant is the wish to take that back.
type ReactivateGrant struct{}

// Decide returns project.grant.reactivated, or nothing when the grant is active.
func (ReactivateGrant) Decide(g Grant) ([]eventlog.Payload, error) {
	if g.Active {
		return nil, nil
	}
	return []eventlog.Payload{GrantReactivated{Grant: g.GrantID()}}, nil
}
