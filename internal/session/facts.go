package session

import (
	"errors"
	"fmt"
	"time"

	"castellan/internal/ident"
)

// Facts are what all tokens of a session have in common: who lets whom do what, and how that was proved.
type Facts struct {
	// User is who the tokens speak for, and Org its organization.
	User ident.UserID `json:"userID"`
	Org  ident.OrgID  `json:"userResourceOwner"`
	// Client is the client_id of who asked: that of an application, or the name of a machine user.
	Client string `json:"clientID"`
	// Audience are the ids of the clients and projects the tokens are meant for.
	Audience []string `json:"audience"`
	// Scopes are what was granted.
	Scopes []string `json:"scope"`
	// Methods are how the user authenticated (RFC 8176); none for a machine.
	Methods []string `json:"authMethods"`
	// AuthTime is when.
	AuthTime time.Time `json:"authTime"`
	// Nonce goes into ID tokens as the client has sent it (OpenID Connect Core section 2).
	Nonce string `json:"nonce,omitempty"`
	// Actor is who acts for the user; nil when it is the user (RFC 8693 section 4.1).
	Actor *Actor `json:"actor,omitempty"`
	// Thumbprint is that of the key the tokens are bound to (RFC 9449 section 6.1); empty for bearer
	// tokens.
	Thumbprint string `json:"thumbprint,omitempty"`
	// Grounds are what the tokens stand on: 1 to MaxGrounds. Where one is gone, so are they.
	Grounds []Ground `json:"grounds"`
}

// Actor is who acts for a user, and for whom it acted before, as in the claim act.
type Actor struct {
	User   ident.UserID `json:"user_id"`
	Issuer string       `json:"issuer,omitempty"`
	Actor  *Actor       `json:"actor,omitempty"`
}

// Kind says what a ground is.
type Kind string

// The kinds of grounds, by the credential somebody has authenticated with.
const (
	// MachineKey is a key of the user; ID is the id of the key.
	MachineKey Kind = "machine_key"
	// MachineSecret is the secret of the user; ID is vault.SecretPrint of its hash.
	MachineSecret Kind = "machine_secret"
	// PersonalToken is a personal access token of the user; ID is the id of the token.
	PersonalToken Kind = "pat"
	// AppKey is a key of the application Client; ID is the id of the key.
	AppKey Kind = "app_key"
	// AppSecret is the secret of the application Client; ID is vault.SecretPrint of its hash.
	AppSecret Kind = "app_secret"
	// App is the application Client itself, which has no credential; ID is empty.
	App Kind = "app"
)

// Ground is something that must go on to be for a token to be of use: that a user is active, and its
// organization, that a credential has been neither removed nor replaced and has not expired, and that a
// token that was exchanged has not been revoked.
type Ground struct {
	Kind Kind `json:"kind"`
	// User is whose credential it is; for an application, on whose behalf it was used.
	User ident.UserID `json:"user"`
	// Client is the client_id of an application; empty for credentials of users.
	Client string `json:"client,omitempty"`
	// ID names the credential, see the kinds.
	ID string `json:"id,omitempty"`
	// Session and Number are the access token that the credential has led to, and that was exchanged
	// for this one; empty and 0 in the first ground, which speaks of the token itself.
	Session ident.SessionID `json:"session,omitempty"`
	Number  uint64          `json:"number,omitempty"`
}

// MaxGrounds is how many grounds a token may stand on: an exchange of tokens that are the result of
// exchanges themselves comes to an end somewhere.
const MaxGrounds = 8

// MaxActors is how long a chain of actors may be.
const MaxActors = 4

// Depth is how many actors a chain has.
func (a *Actor) Depth() (n int) {
	for ; a != nil; a = a.Actor {
		n++
	}
	return n
}

// check returns an error for facts no session can have. It would be a mistake of the program.
func (f *Facts) check() error {
	if f.User == "" || f.Org == "" || len(f.Grounds) == 0 {
		return errors.New("session: a session needs a user, an organization and a ground")
	}
	if len(f.Grounds) > MaxGrounds {
		return fmt.Errorf("session: %d grounds, more than %d", len(f.Grounds), MaxGrounds)
	}
	if n := f.Actor.Depth(); n > MaxActors {
		return fmt.Errorf("session: %d actors, more than %d", n, MaxActors)
	}
	return nil
}
