package pat

import (
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
)

// State is a token as its events have left it. Owner of its head is the organization of the user.
type State struct {
	eventlog.Head

	User      ident.UserID
	Hash      []byte // SHA-256 of the token
	Scopes    []string
	ExpiresAt time.Time
}

// Noun declares personal access tokens to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "pat",
	Payloads: []eventlog.Payload{Added{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a token.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	if p, ok := e.Payload.(Added); ok {
		s.User, s.Hash, s.Scopes, s.ExpiresAt = p.User, p.Hash, p.Scopes, p.Expiration
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
