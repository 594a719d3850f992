package project

import "castellan/internal/eventlog"

// State is a project as its events have left it. Owner of its head is the organization.
type State struct {
	eventlog.Head

	Name string
}

// Noun declares projects to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "project",
	Payloads: []eventlog.Payload{Added{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a project.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	if p, ok := e.Payload.(Added); ok {
		s.Name = p.Name
	}
	return s
}

// Add is the wish for a project.
type Add struct {
	Name string
}

// Decide returns the events that begin a project.
func (a Add) Decide() []eventlog.Payload {
	return []eventlog.Payload{Added{Name: a.Name}}
}
