package usermetadata

import (
	"bytes"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// Set gives a user an entry, or an entry another value.
type Set struct {
	User  ident.UserID `json:"userId"`
	Key   string       `json:"key"`
	Value []byte       `json:"value"`
}

// Removed ends an entry.
type Removed struct {
	User ident.UserID `json:"userId"`
	Key  string       `json:"key"`
}

// EventType implements eventlog.Payload.
func (Set) EventType() string { return "user.metadata.set" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "user.metadata.removed" }

// State is an entry as its events have left it. Owner of its head is the organization of the user.
type State struct {
	eventlog.Head

	User    ident.UserID
	Key     string
	Value   []byte
	Removed bool
}

// Noun declares the metadata of users to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "usermetadata",
	Payloads: []eventlog.Payload{Set{}, Removed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of an entry.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Set:
		s.User, s.Key, s.Value = p.User, p.Key, p.Value
		if s.Value == nil {
			s.Value = []byte{} // an empty value is one
		}
	case Removed:
		s.Removed = true
	}
	return s
}

// Entry is the wish for an entry.
type Entry struct {
	Key   string
	Value []byte
}

var (
	errInvalid = fault.New(fault.InvalidArgument, "META-2m00f", "Errors.Metadata.Invalid")
	errNothing = fault.New(fault.FailedPrecondition, "META-9mm2d", "Errors.Metadata.NoData").
			WithViolation("metadata", "must have at least one entry")
	errNoKeys = fault.New(fault.FailedPrecondition, "META-9mw2d", "Errors.Metadata.NoData").
			WithViolation("keys", "must have at least one entry")
	errAbsent = fault.New(fault.NotFound, "META-2nnds", "Errors.Metadata.KeyNotExisting")
)

// Decide returns the event that makes an entry as it is wished, or none when it is so. s is the entry the
// user has for the key, the zero State when there is none. It returns META-2m00f for an empty key.
func (e Entry) Decide(user ident.UserID, s State) ([]eventlog.Payload, error) {
	if e.Key == "" {
		return nil, errInvalid.WithViolation("metadata.key", "must not be empty")
	}
	if s.Exists() && bytes.Equal(s.Value, e.Value) {
		return nil, nil
	}
	return []eventlog.Payload{Set{User: user, Key: e.Key, Value: e.Value}}, nil
}

// Remove is the wish that an entry be no more.
type Remove struct{}

// Decide returns the events that end an entry.
func (Remove) Decide(s State) []eventlog.Payload {
	return []eventlog.Payload{Removed{User: s.User, Key: s.Key}}
}
