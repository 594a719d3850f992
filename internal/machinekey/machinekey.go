package machinekey

import (
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// State is a key as its events have left it. Owner of its head is the organization of the user.
type State struct {
	eventlog.Head

	User      ident.UserID
	PublicKey []byte // PKIX, PEM
	ExpiresAt time.Time
	Removed   bool
}

// Noun declares machine keys to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "machinekey",
	Payloads: []eventlog.Payload{Added{}, Removed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a key.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.User, s.PublicKey, s.ExpiresAt = p.User, p.PublicKey, p.Expiration
	case Removed:
		s.Removed = true
	}
	return s
}

// typeJSON is the only type of key there is (contract section 1.4).
const typeJSON = 1

// Add is the wish for a key.
type Add struct {
	Key       ident.KeyID
	User      ident.UserID
	PublicKey []byte    // PKIX, PEM
	ExpiresAt time.Time // see expiry.At
}

// Decide returns the events that begin a key.
func (a Add) Decide() []eventlog.Payload {
	return []eventlog.Payload{Added{
		Key: a.Key, User: a.User, Type: typeJSON, PublicKey: a.PublicKey, Expiration: a.ExpiresAt,
	}}
}

// NotFound is what a caller is told of a key that does not exist, or that it may not know of.
var NotFound = fault.New(fault.NotFound, "COMMAND-4m77G", "Errors.User.Machine.Key.NotFound")

// Remove is the wish that a key be no more.
type Remove struct{}

// Decide returns the events that end a key.
func (Remove) Decide(s State) []eventlog.Payload {
	return []eventlog.Payload{Removed{Key: ident.KeyID(s.ID)}}
}
