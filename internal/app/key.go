package app

import (
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// KeyState is a key as its events have left it. Owner of its head is the organization of the application.
type KeyState struct {
	eventlog.Head

	App       ident.AppID
	PublicKey []byte // PKIX, PEM
	ExpiresAt time.Time
	Removed   bool
}

// Key is the id of the key.
func (s KeyState) Key() ident.KeyID { return ident.KeyID(s.ID) }

// KeyNoun declares the keys of applications to the log.
var KeyNoun = eventlog.NewNoun(eventlog.Noun[KeyState]{
	Type:     "appkey",
	Payloads: []eventlog.Payload{KeyAdded{}, KeyRemoved{}},
	Apply:    applyKey,
	Tables:   keyTables,
})

// applyKey is the fold of a key.
func applyKey(s KeyState, e eventlog.Event) KeyState {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case KeyAdded:
		s.App, s.PublicKey, s.ExpiresAt = p.App, p.PublicKey, p.Expiration
	case KeyRemoved:
		s.Removed = true
	}
	return s
}

// KeyNotFound is the fault of a key that does not exist, or that the caller may not know of.
var KeyNotFound = fault.New(fault.NotFound, "QUERY-Tha6f", "Errors.AuthNKey.NotFound")

var errNoKeys = fault.New(fault.FailedPrecondition, "COMMAND-Dff54", "Errors.Project.App.AuthMethodNoPrivateKeyJWT").
	WithViolation("application_id", "must be of an application whose authentication method is private_key_jwt")

// typeJSON is the only type of key there is.
const typeJSON = 1

// AddKey is the wish for a key.
type AddKey struct {
	Key       ident.KeyID
	PublicKey []byte    // PKIX, PEM
	ExpiresAt time.Time // see expiry.At
}

// Decide returns the events that begin a key of an application. It returns COMMAND-Dff54 for one that
// authenticates in another way.
func (w AddKey) Decide(of State) ([]eventlog.Payload, error) {
	if of.AuthMethod() != PrivateKeyJWT {
		return nil, errNoKeys
	}
	return []eventlog.Payload{KeyAdded{
		App: of.App(), ClientID: of.ClientID, Key: w.Key, Type: typeJSON, PublicKey: w.PublicKey, Expiration: w.ExpiresAt,
	}}, nil
}

// RemoveKey is the wish that a key is no more.
type RemoveKey struct{}

// Decide returns the event.
func (RemoveKey) Decide(s KeyState) ([]eventlog.Payload, error) {
	return []eventlog.Payload{KeyRemoved{Key: s.Key()}}, nil
}
