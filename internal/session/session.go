package session

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// ErrRefresh is the answer to every refresh token that is of no use (contract errors.tsv), the same for
// every reason, which is its cause.
var ErrRefresh = fault.New(fault.FailedPrecondition, "OIDCS-JOI23", "Errors.OIDCSession.RefreshTokenInvalid")

// ErrClient is the answer to a client that has the refresh token of another.
var ErrClient = fault.New(fault.FailedPrecondition, "OIDCS-SKjl3", "Errors.OIDCSession.InvalidClient")

// ErrScope is the answer to a wish for more than the session allows (RFC 6749 section 6).
var ErrScope = fault.New(fault.InvalidArgument, "OIDCS-scope", "Errors.OIDCSession.ScopeExceeded")

// State is a session as its events have left it. Owner of its head is the organization of the user.
type State struct {
	eventlog.Head
	// Facts are those of the session; of one that began with a revocation the user alone.
	Facts

	// Revoked says that nothing of the session is of use any more.
	Revoked bool
	// RevokedThrough is the number of the last access token that has been revoked, with all before it.
	RevokedThrough uint64
	// Tokens is how many access tokens were given out, and so the number of the last one.
	Tokens uint64
	// Generation is how many refresh tokens were given out. Only the last one is of use.
	Generation uint64
	// IdleUntil is when it has to be used, at the latest at RefreshUntil.
	IdleUntil, RefreshUntil time.Time
	// Ends is when the last token expires.
	Ends time.Time
	// Expired says that the session has no row any more.
	Expired bool
}

// Noun declares sessions to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type: "oidc_session",
	Payloads: []eventlog.Payload{
		Added{}, AccessTokenAdded{}, AccessTokenRevoked{}, RefreshTokenAdded{}, RefreshTokenRenewed{},
		RefreshTokenRevoked{}, Expired{},
	},
	Apply:  apply,
	Tables: tables,
})

// apply is the fold of a session.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.Facts = p.Facts
	case AccessTokenAdded:
		s.Tokens = p.Number
		s.Ends = later(s.Ends, e.At.Add(p.Lifetime))
	case AccessTokenRevoked:
		s.RevokedThrough, s.User = max(s.RevokedThrough, p.Number), p.User
		s.Ends = later(s.Ends, p.Expires)
	case RefreshTokenAdded:
		s.Generation++
		s.RefreshUntil = e.At.Add(p.Lifetime)
		s.stay(e.At.Add(p.IdleLifetime))
	case RefreshTokenRenewed:
		s.Generation++
		s.stay(e.At.Add(p.IdleLifetime))
	case RefreshTokenRevoked:
		s.Revoked = true
	case Expired:
		s.Expired = true
	}
	return s
}

// stay lets the refresh token be of use until a time, within the time that all of them have together.
func (s *State) stay(until time.Time) {
	s.IdleUntil = until
	if s.RefreshUntil.Before(until) {
		s.IdleUntil = s.RefreshUntil
	}
	s.Ends = later(s.Ends, s.IdleUntil)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// AccessID is the id of an access token: of which session it is, and which of its tokens.
func AccessID(session ident.SessionID, number uint64) ident.TokenID {
	return ident.TokenID(string(session) + "-at_" + strconv.FormatUint(number, 10))
}

// RefreshID is the id of a refresh token.
func RefreshID(session ident.SessionID, generation uint64) ident.TokenID {
	return ident.TokenID(string(session) + "-rt_" + strconv.FormatUint(generation, 10))
}

// Start is the wish for a session with a refresh token.
type Start struct {
	Session ident.SessionID
	Facts   Facts
	// Lifetimes are those of the tokens.
	Lifetimes defaults.OIDC
}

// Decide returns the events that begin a session with its first access token and its first refresh
// token.
func (s Start) Decide() ([]eventlog.Payload, error) {
	if err := s.Facts.check(); err != nil {
		return nil, err
	}
	return []eventlog.Payload{
		Added{s.Facts},
		AccessTokenAdded{AccessID(s.Session, 1), 1, s.Facts.Scopes, s.Lifetimes.AccessTokenLifetime},
		RefreshTokenAdded{
			RefreshID(s.Session, 1), s.Lifetimes.RefreshTokenExpiration, s.Lifetimes.RefreshTokenIdleExpiration,
		},
	}, nil
}

// Renew is the wish for the next tokens of a session.
type Renew struct {
	Now time.Time
	// Generation is that of the refresh token that is shown.
	Generation uint64
	// Client is who shows it.
	Client string
	// Scopes are those of the new access token; nil means all of the session.
	Scopes    []string
	Lifetimes defaults.OIDC
}

// check returns [ErrRefresh] unless the refresh token that is shown is one of a session that goes on.
func (r Renew) check(s State) error {
	switch {
	case s.Generation == 0 || r.Generation == 0 || r.Generation > s.Generation:
		return ErrRefresh.WithCause(fmt.Errorf("the session has no refresh token %d", r.Generation))
	case s.Client != r.Client:
		return ErrRefresh.WithCause(fmt.Errorf("it belongs to client %s, not to %.200q", s.Client, r.Client))
	case s.Revoked:
		return ErrRefresh.WithCause(errors.New("the session has been revoked"))
	case s.Expired || !r.Now.Before(s.IdleUntil):
		return ErrRefresh.WithCause(errors.New("it has expired"))
	}
	return nil
}

// Decide returns the events of the next access token and the next refresh token. It returns [ErrScope]
// when Scopes has one that the session has not, and [ErrRefresh]. For a refresh token that has been used
// before it returns the event that revokes the session.
func (r Renew) Decide(s State) ([]eventlog.Payload, error) {
	if err := r.check(s); err != nil {
		return nil, err
	}
	if r.Generation < s.Generation {
		return []eventlog.Payload{RefreshTokenRevoked{Reused: true}}, nil
	}
	scopes := r.Scopes
	if scopes == nil {
		scopes = s.Scopes
	}
	for _, scope := range scopes {
		if !slices.Contains(s.Scopes, scope) {
			return nil, ErrScope.WithCause(fmt.Errorf("the session has no scope %.200q", scope))
		}
	}
	id, number := ident.SessionID(s.ID), s.Tokens+1
	return []eventlog.Payload{
		AccessTokenAdded{AccessID(id, number), number, scopes, r.Lifetimes.AccessTokenLifetime},
		RefreshTokenRenewed{RefreshID(id, s.Generation+1), r.Lifetimes.RefreshTokenIdleExpiration},
	}, nil
}

// Access is an access token, as far as a session knows it.
type Access struct {
	Session ident.SessionID
	Number  uint64
	User    ident.UserID
	Org     ident.OrgID
	Expires time.Time
}

// Decide returns oidc_session.access_token.revoked, or nothing when the token is of no use anyway.
func (a Access) Decide(s State, now time.Time) []eventlog.Payload {
	if s.Revoked || s.Expired || s.RevokedThrough >= a.Number || !now.Before(a.Expires) {
		return nil
	}
	return []eventlog.Payload{AccessTokenRevoked{AccessID(a.Session, a.Number), a.Number, a.User, a.Expires}}
}

// revoke returns oidc_session.refresh_token.revoked, or nothing when it is so already.
func revoke(s State) []eventlog.Payload {
	if s.Revoked || s.Expired {
		return nil
	}
	return []eventlog.Payload{RefreshTokenRevoked{}}
}

// expire returns oidc_session.expired, or nothing when the session is still of use, or is gone.
func expire(s State, now time.Time) []eventlog.Payload {
	if s.Expired || now.Before(s.Ends) {
		return nil
	}
	return []eventlog.Payload{Expired{}}
}
