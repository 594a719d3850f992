package pat

import (
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// State is a token as its events have left it. Owner of its head is the organization of the user.
type State struct {
	eventlog.Head

	User      ident.UserID
	Hash      []byte // SHA-256 of the token
	Scopes    []string
	ExpiresAt time.Time
	Removed   bool
}

// Noun declares personal access tokens to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "pat",
	Payloads: []eventlog.Payload{Added{}, Removed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a token.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.User, s.Hash, s.Scopes, s.ExpiresAt = p.User, p.Hash, p.Scopes, p.Expiration
	case Removed:
		s.Removed = true
	}
	return s
}

// Add is the wish for a token.
type Add struct {
	Token     ident.TokenID
	User      ident.UserID
	Hash      []byte
	Scopes    []string
	ExpiresAt time.Time // see expiry.At
}

// Decide returns the events that begin a token.
func (a Add) Decide() []eventlog.Payload {
	return []eventlog.Payload{Added{Token: a.Token, User: a.User, Hash: a.Hash, Scopes: a.Scopes, Expiration: a.ExpiresAt}}
}

// NotFound is what a caller is told of a token that does not exist, or that it may not know of.
var NotFound = fault.New(fault.NotFound, "COMMAND-4m77G", "Errors.User.PAT.NotFound")

// Remove is the wish that a token be no more.
type Remove struct{}

// Decide returns the events that end a token.
func (Remove) Decide(s State) []eventlog.Payload {
	return []eventlog.Payload{Removed{Token: ident.TokenID(s.ID)}}
}
