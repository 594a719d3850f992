package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// Service starts, renews and revokes sessions. Each of its methods is one command, in one transaction
// that holds the session. They return the errors of store.DB beside those they name.
type Service struct {
	DB    store.DB
	Log   *eventlog.Log
	Clock ident.Clock
	// IDs makes the ids of sessions.
	IDs *ident.Source
	// Bearers seals refresh tokens.
	Bearers *vault.Bearers
}

// Granted is what a session has given out: an access token to be made, and a refresh token.
type Granted struct {
	Session ident.SessionID
	// Number is that of the access token in its session.
	Number uint64
	// At is when it was given out; its lifetime begins then.
	At time.Time
	// Facts are those of the session, with the scopes of this access token.
	Facts Facts
	// Refresh is the refresh token in the clear.
	Refresh string
}

// Start begins a session and returns what its first tokens are.
func (s *Service) Start(ctx context.Context, at ident.InstanceID, facts Facts, lifetimes defaults.OIDC) (Granted, error) {
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return Granted{}, err
	}
	id := ident.SessionID(ids[0])
	events, err := Start{Session: id, Facts: facts, Lifetimes: lifetimes}.Decide()
	if err != nil {
		return Granted{}, err
	}
	var after State
	err = s.Log.Write(ctx, at, ident.Actor(facts.User), func(ctx context.Context, w *eventlog.Writer) (err error) {
		after, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(id), Owner: string(facts.Org)}, events...)
		return err
	})
	if err != nil {
		return Granted{}, err
	}
	return s.granted(at, after, facts.Scopes)
}

// granted returns the newest tokens of a session.
func (s *Service) granted(at ident.InstanceID, after State, scopes []string) (Granted, error) {
	id := ident.SessionID(after.ID)
	refresh, err := s.Bearers.Seal(at, vault.RefreshBearer, shown{id, after.Generation, after.User}.content())
	if err != nil {
		return Granted{}, err
	}
	g := Granted{Session: id, Number: after.Tokens, At: after.ChangedAt, Facts: after.Facts, Refresh: refresh}
	g.Facts.Scopes = scopes
	return g, nil
}

// Renewal is the wish to have the next tokens for a refresh token.
type Renewal struct {
	// Refresh is the refresh token as it was sent.
	Refresh string
	// Client is the client_id of who has sent it, and has authenticated if it can.
	Client string
	// Scopes are those of the new access token; nil means all of the session.
	Scopes    []string
	Lifetimes defaults.OIDC
	// Check refuses, by an error, what else must not be. It is called when the refresh token is of use,
	// with the session and a reader inside of the transaction that holds it.
	Check func(ctx context.Context, q store.Querier, s State) error
}

// Renew returns the next tokens of a session. It returns [ErrRefresh] for a refresh token that is of no
// use; the session of one that was used before is revoked then. It returns the error of r.Check as it is.
func (s *Service) Renew(ctx context.Context, at ident.InstanceID, r Renewal) (Granted, error) {
	shown, err := s.open(at, r.Refresh)
	if err != nil {
		return Granted{}, err
	}
	var (
		after   State
		refused error
		scopes  []string
	)
	err = s.Log.Write(ctx, at, ident.Actor(shown.user), func(ctx context.Context, w *eventlog.Writer) error {
		held, err := get(ctx, w, s.DB.Dialect().ForUpdate, at, shown.session)
		if err != nil {
			return err
		}
		wish := Renew{Now: w.Now(), Generation: shown.generation, Client: r.Client, Scopes: r.Scopes, Lifetimes: r.Lifetimes}
		events, err := wish.Decide(held)
		if err != nil {
			return err
		}
		if refused = reuse(events); refused == nil {
			err = r.Check(ctx, w, held)
		}
		if err != nil {
			return err
		}
		scopes = r.Scopes
		if scopes == nil {
			scopes = held.Scopes
		}
		after, err = eventlog.Append(ctx, w, Noun, held, events...)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Granted{}, err
	}
	return s.granted(at, after, scopes)
}

// Shown returns the session of a refresh token that [Service.Renew] would take of the client it belongs to, and
// the id of that token. It returns [ErrRefresh] for others. To be shown is not to be used: nothing changes, not
// even for one that has been used before.
func (s *Service) Shown(ctx context.Context, at ident.InstanceID, refresh string) (State, ident.TokenID, error) {
	shown, err := s.open(at, refresh)
	if err != nil {
		return State{}, "", err
	}
	held, err := get(ctx, s.DB, "", at, shown.session)
	if err != nil {
		return State{}, "", err
	}
	err = Renew{Now: s.Clock.Now(), Generation: shown.generation, Client: held.Client}.check(held)
	if err == nil && shown.generation < held.Generation {
		err = ErrRefresh.WithCause(errors.New("it has been used"))
	}
	if err != nil {
		return State{}, "", err
	}
	return held, RefreshID(shown.session, shown.generation), nil
}

// reuse returns [ErrRefresh] when what was decided is to revoke the session. That is written all the same.
func reuse(events []eventlog.Payload) error {
	if _, revoked := events[0].(RefreshTokenRevoked); revoked {
		return ErrRefresh.WithCause(errors.New("the refresh token has been used before; its session is revoked"))
	}
	return nil
}

// RevokeRefresh revokes the session of a refresh token, whichever of its refresh tokens that is, for a
// client. One that is of no use anyway is no error (RFC 7009 section 2.2). It returns [ErrRefresh] for a
// text that is no refresh token of the instance, and [ErrClient] when the session is another client's.
func (s *Service) RevokeRefresh(ctx context.Context, at ident.InstanceID, refresh, client string) error {
	shown, err := s.open(at, refresh)
	if err != nil {
		return err
	}
	return s.Log.Write(ctx, at, ident.Actor(shown.user), func(ctx context.Context, w *eventlog.Writer) error {
		held, err := get(ctx, w, s.DB.Dialect().ForUpdate, at, shown.session)
		if err != nil || !held.Exists() {
			return err
		}
		if held.Client != client {
			return ErrClient.WithCause(fmt.Errorf("it belongs to client %s, not to %.200q", held.Client, client))
		}
		_, err = eventlog.Append(ctx, w, Noun, held, revoke(held)...)
		return err
	})
}

// RevokeAccess revokes an access token, and those given out before it in its session. One that is of no
// use anyway is no error.
func (s *Service) RevokeAccess(ctx context.Context, at ident.InstanceID, a Access) error {
	again := true
	for {
		err := s.Log.Write(ctx, at, ident.Actor(a.User), func(ctx context.Context, w *eventlog.Writer) error {
			held, err := get(ctx, w, s.DB.Dialect().ForUpdate, at, a.Session)
			if err != nil {
				return err
			}
			events := a.Decide(held, w.Now())
			switch {
			case len(events) == 0:
				return nil
			case held.Exists():
				_, err = eventlog.Append(ctx, w, Noun, held, events...)
			default:
				_, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(a.Session), Owner: string(a.Org)}, events...)
			}
			return err
		})
		// Another request has begun the session at the same time: there is one to append to now.
		var conflict *store.ConflictError
		if again && errors.As(err, &conflict) {
			again = false
			continue
		}
		return err
	}
}

// shown is what a refresh token says.
type shown struct {
	session    ident.SessionID
	generation uint64
	user       ident.UserID
}

// content writes what a refresh token says. Ids have no colon.
func (r shown) content() []byte {
	return []byte(string(r.session) + ":" + strconv.FormatUint(r.generation, 10) + ":" + string(r.user))
}

// parseShown reads what content has written.
func parseShown(content []byte) (r shown, ok bool) {
	parts := strings.Split(string(content), ":")
	if len(parts) != 3 {
		return r, false
	}
	generation, err := strconv.ParseUint(parts[1], 10, 64)
	return shown{ident.SessionID(parts[0]), generation, ident.UserID(parts[2])}, err == nil
}

// GaveOut reports whether a text is a refresh token that was given out by an instance, be it of use or not.
// It costs no look-up.
func (s *Service) GaveOut(at ident.InstanceID, text string) bool {
	_, err := s.open(at, text)
	return err == nil
}

// open returns what a refresh token says, or [ErrRefresh].
func (s *Service) open(at ident.InstanceID, refresh string) (shown, error) {
	content, err := s.Bearers.Open(at, vault.RefreshBearer, refresh)
	if err != nil {
		return shown{}, ErrRefresh.WithCause(err)
	}
	r, ok := parseShown(content)
	if !ok {
		return shown{}, errors.New("session: a refresh token that was sealed here cannot be read")
	}
	return r, nil
}
