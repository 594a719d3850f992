package project

import (
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// State is a project as its events have left it. Owner of its head is the organization.
type State struct {
	eventlog.Head

	Name    string
	Active  bool
	Removed bool
	// RoleAssertion puts the roles of a user into its tokens, without being asked.
	RoleAssertion bool
	// AuthorizationRequired lets only those sign in who have an authorization for the project.
	AuthorizationRequired bool
	// AccessRequired lets only users of organizations sign in that own the project, or have a grant of it.
	AccessRequired bool
	// Labeling says whose look the pages for signing in have: 0 that of the instance, 1 that of the
	// project's organization, 2 that of the user's.
	Labeling int
}

// Org is the organization that owns the project.
func (s State) Org() ident.OrgID { return ident.OrgID(s.Owner) }

// Noun declares projects to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "project",
	Payloads: []eventlog.Payload{Added{}, Changed{}, Deactivated{}, Reactivated{}, Removed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a project.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.Name, s.Active = p.Name, true
		s.RoleAssertion, s.AuthorizationRequired, s.AccessRequired = p.RoleAssertion, p.AuthorizationRequired, p.AccessRequired
		s.Labeling = p.Labeling
	case Changed:
		set(&s.Name, p.Name)
		set(&s.RoleAssertion, p.RoleAssertion)
		set(&s.AuthorizationRequired, p.AuthorizationRequired)
		set(&s.AccessRequired, p.AccessRequired)
		set(&s.Labeling, p.Labeling)
	case Deactivated:
		s.Active = false
	case Reactivated:
		s.Active = true
	case Removed:
		s.Removed = true
	}
	return s
}

// set gives a field a value unless that is nil.
func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// Add is the wish for a project.
type Add struct {
	Name                  string
	RoleAssertion         bool
	AuthorizationRequired bool
	AccessRequired        bool
	Labeling              int
}

// Decide returns the events that begin a project.
func (a Add) Decide() []eventlog.Payload {
	return []eventlog.Payload{Added(a)}
}

// New is Add with a name that somebody has chosen.
type New struct {
	Add
}

// Decide returns the events that begin a project. It returns PROJECT-IOVCC for a blank name.
func (n New) Decide() ([]eventlog.Payload, error) {
	n.Name = strings.TrimSpace(n.Name)
	if n.Name == "" {
		return nil, fault.Invalid("PROJECT-IOVCC", "Errors.Project.Invalid", "name", "must not be blank")
	}
	return n.Add.Decide(), nil
}

// Change is the wish that a project be otherwise; what is nil stays.
type Change struct {
	Name                  *string
	RoleAssertion         *bool
	AuthorizationRequired *bool
	AccessRequired        *bool
	Labeling              *int
}

// Decide returns project.changed with what is not so already, and nothing when all is. It returns
// COMMAND-4m9vS for a blank name.
func (c Change) Decide(s State) ([]eventlog.Payload, error) {
	if c.Name != nil {
		name := strings.TrimSpace(*c.Name)
		if name == "" {
			return nil, fault.Invalid("COMMAND-4m9vS", "Errors.Project.Invalid", "name", "must not be blank")
		}
		c.Name = &name
	}
	changed := Changed{
		Name: other(s.Name, c.Name), RoleAssertion: other(s.RoleAssertion, c.RoleAssertion),
		AuthorizationRequired: other(s.AuthorizationRequired, c.AuthorizationRequired),
		AccessRequired:        other(s.AccessRequired, c.AccessRequired), Labeling: other(s.Labeling, c.Labeling),
	}
	if changed == (Changed{}) {
		return nil, nil
	}
	return []eventlog.Payload{changed}, nil
}

// other returns a wish that differs from what is, else nil.
func other[T comparable](is T, wish *T) *T {
	if wish == nil || *wish == is {
		return nil
	}
	return wish
}

// Deactivate is the wish that nobody can use a project.
type Deactivate struct{}

// Decide returns project.deactivated. It returns COMMAND-mki55 when the project is not active.
func (Deactivate) Decide(s State) ([]eventlog.Payload, error) {
	if !s.Active {
		return nil, fault.New(fault.FailedPrecondition, "COMMAND-mki55", "Errors.Project.NotActive")
	}
	return []eventlog.Payload{Deactivated{}}, nil
}

// Reactivate is the wish to take that back.
type Reactivate struct{}

// Decide returns project.reactivated. It returns COMMAND-5M9bs when the project is active.
func (Reactivate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Active {
		return nil, fault.New(fault.FailedPrecondition, "COMMAND-5M9bs", "Errors.Project.NotInactive")
	}
	return []eventlog.Payload{Reactivated{}}, nil
}
