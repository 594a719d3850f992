package authorization

import (
	"fmt"
	"slices"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/search"
)

// Status is whether an authorization counts.
type Status string

// The states of an authorization that exists.
const (
	Active   Status = "active"
	Inactive Status = "inactive"
)

// State is an authorization as its events have left it. Owner of its head is the organization in which it
// was given.
type State struct {
	eventlog.Head

	User    ident.UserID
	Project ident.ProjectID
	Grant   ident.GrantID // empty in the organization that owns the project
	Roles   []string      // keys of roles of the project
	Status  Status
	Removed bool
}

// Org is the organization in which the authorization was given.
func (s State) Org() ident.OrgID { return ident.OrgID(s.Owner) }

// Noun declares authorizations to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type: "usergrant",
	Payloads: []eventlog.Payload{
		Added{}, Changed{}, CascadeChanged{}, Deactivated{}, Reactivated{}, Removed{}, CascadeRemoved{},
	},
	Apply:  apply,
	Tables: tables,
})

// apply is the fold of an authorization.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.User, s.Project, s.Grant, s.Roles, s.Status = p.User, p.Project, p.Grant, p.Roles, Active
	case Changed:
		s.Roles = p.Roles
	case CascadeChanged:
		s.Roles = p.Roles
	case Deactivated:
		s.Status = Inactive
	case Reactivated:
		s.Status = Active
	case Removed, CascadeRemoved:
		s.Removed = true
	}
	return s
}

// NotFound is the fault of an authorization that does not exist, or that the caller may not know of.
var NotFound = fault.New(fault.NotFound, "QUERY-wIPkA", "Errors.UserGrant.NotFound")

// The answers to what cannot be given.
var (
	errNoUser    = fault.New(fault.FailedPrecondition, "COMMAND-4f8sg", "Errors.User.NotFound").WithViolation("user_id", "must be the id of a user")
	errNoProject = fault.New(fault.FailedPrecondition, "COMMAND-3n77S", "Errors.Project.NotFound").WithViolation("project_id", "must be the id of a project")
	errNoGrant   = fault.New(fault.FailedPrecondition, "COMMAND-4m9ff", "Errors.Project.Grant.NotFound").WithViolation("organization_id", "must be the id of an organization that owns the project, or that it is granted to")
	errNoRole    = fault.New(fault.FailedPrecondition, "COMMAND-mm9F4", "Errors.Project.Role.NotFound")
	errTaken     = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.UserGrant.AlreadyExists").WithViolation("user_id", "must be of a user who has no authorization for the project in the organization")
)

// Terms are what an organization can give of a project.
type Terms struct {
	Grant ident.GrantID // empty in the organization that owns the project
	// Roles are the keys that can be given, of those that were asked for.
	Roles []string
}

// check returns COMMAND-mm9F4 for a role that cannot be given.
func (t Terms) check(roles []string) error {
	if err := search.TooMany("role_keys", len(roles), search.MaxValues); err != nil {
		return err
	}
	for i, r := range roles {
		if !slices.Contains(t.Roles, r) {
			return errNoRole.WithViolation(fmt.Sprintf("role_keys[%d]", i), "must be a role of the project, and granted to the organization")
		}
	}
	return nil
}

// New is the wish for an authorization of a user for a project, in an organization.
type New struct {
	User    ident.UserID
	Project ident.ProjectID
	Org     ident.OrgID
	Roles   []string
	// Whom reports whether users of an organization can be given anything by the caller; nil: all can. One
	// who cannot is answered like one who does not exist.
	Whom func(org ident.OrgID) bool
}

// Decide returns the events that begin the authorization. It returns COMMAND-mm9F4 for a role that cannot be
// given, and SEARCH-max01 for more than search.MaxValues.
func (n New) Decide(t Terms) ([]eventlog.Payload, error) {
	if err := t.check(n.Roles); err != nil {
		return nil, err
	}
	return []eventlog.Payload{Added{User: n.User, Project: n.Project, Grant: t.Grant, Roles: orNil(n.Roles)}}, nil
}

// Change is the wish for other roles.
type Change struct {
	Roles []string
}

// Decide returns the event, or none when these are the roles already. Its faults are those of [New.Decide].
func (c Change) Decide(s State, t Terms) ([]eventlog.Payload, error) {
	if err := t.check(c.Roles); err != nil || slices.Equal(c.Roles, s.Roles) {
		return nil, err
	}
	return []eventlog.Payload{Changed{User: s.User, Roles: orNil(c.Roles)}}, nil
}

// Deactivate is the wish that an authorization does not count.
type Deactivate struct{}

// Decide returns the event, or none when the authorization is inactive already.
func (Deactivate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status == Inactive {
		return nil, nil
	}
	return []eventlog.Payload{Deactivated{}}, nil
}

// Activate is the wish that an authorization counts.
type Activate struct{}

// Decide returns the event, or none when the authorization is active already.
func (Activate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status == Active {
		return nil, nil
	}
	return []eventlog.Payload{Reactivated{}}, nil
}

// Remove is the wish that an authorization is no more.
type Remove struct{}

// Decide returns the event.
func (Remove) Decide(s State) ([]eventlog.Payload, error) {
	return []eventlog.Payload{Removed{User: s.User, Project: s.Project, Grant: s.Grant}}, nil
}

// without returns the event that leaves an authorization without some roles, or none when it has none of
// them. What is left may be no role; the authorization stays.
func (s State) without(gone []string) []eventlog.Payload {
	left := slices.DeleteFunc(slices.Clone(s.Roles), func(r string) bool { return slices.Contains(gone, r) })
	if len(left) == len(s.Roles) {
		return nil
	}
	return []eventlog.Payload{CascadeChanged{Roles: orNil(left)}}
}

// orNil returns an empty list as nil, as it is when read back.
func orNil(roles []string) []string {
	if len(roles) == 0 {
		return nil
	}
	return slices.Clone(roles)
}
