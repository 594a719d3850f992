package token

import (
	"errors"
	"time"

	"castellan/internal/ident"
	"castellan/internal/session"
)

// ErrToken is the answer to every token that is of no use. What it wraps beside says why, for the log.
var ErrToken = errors.New("token: of no use")

// ErrTooLong is the answer to a wish for a token that would say more than one can hold.
var ErrTooLong = errors.New("token: has too much to say")

// Token is what an access token says.
type Token struct {
	// ID is the jti: that of a token of a session is made by session.AccessID.
	ID ident.TokenID
	// Session and Number say which token of which session it is; empty for a personal access token.
	Session ident.SessionID
	Number  uint64
	// Facts say for whom, to whom and for what it was given. Org is as it is now; Nonce is empty.
	session.Facts
	// Personal says that it is a personal access token, which has no audience and needs none (contract
	// section 5.1).
	Personal bool
	// Issued and Expires are whole seconds.
	Issued, Expires time.Time
}

// Access returns what is needed to revoke the token, see session.Service.RevokeAccess. A personal access
// token has no session, and is revoked by being removed.
func (t Token) Access() session.Access {
	return session.Access{Session: t.Session, Number: t.Number, User: t.User, Org: t.Org, Expires: t.Expires}
}

// Sources are the grounds of what is made of the token (RFC 8693): its own, and its session.
func (t Token) Sources() []session.Ground {
	sources := make([]session.Ground, len(t.Grounds))
	copy(sources, t.Grounds)
	if len(sources) > 0 {
		sources[0].Session, sources[0].Number = t.Session, t.Number
	}
	return sources
}
