package pat

import (
	"context"
	"io"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// Service makes and removes personal access tokens. Each of its methods is one command, in one
// transaction.
type Service struct {
	DB     store.DB
	Log    *eventlog.Log
	IDs    *ident.Source
	Clock  ident.Clock
	Random io.Reader // nil: the system's
	// Keep keeps a user from being removed until tx ends. It returns the organization of the user, whether
	// it is a machine, and a fault of kind NotFound when there is none with that id.
	Keep func(ctx context.Context, tx store.Tx, at ident.InstanceID, user ident.UserID) (org ident.OrgID, machine bool, err error)
}

var errNoMachine = fault.New(fault.FailedPrecondition, "COMMAND-Df2f1", "Errors.User.WrongType").
	WithViolation("user_id", "must be that of a machine user")

// Wish is the wish for a token of a machine user.
type Wish struct {
	User    ident.UserID
	Scopes  []string
	Expires time.Time // zero: never
}

// Add makes a token, which it returns this once. It returns the fault of Keep when there is no such
// user, COMMAND-Df2f1 when it is no machine, DOMAIN-dv3t5, naming expiration_date, and the errors of
// store.DB.
func (s *Service) Add(ctx context.Context, at ident.InstanceID, actor ident.Actor, wish Wish) (State, vault.Token, error) {
	none := vault.Token{}
	until, err := expiry.At(s.Clock.Now(), wish.Expires, "expiration_date")
	if err != nil {
		return State{}, none, err
	}
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return State{}, none, err
	}
	token := vault.NewToken(s.Random)
	add := Add{Token: ident.TokenID(ids[0]), User: wish.User, Hash: token.Hash(), Scopes: wish.Scopes, ExpiresAt: until}
	var after State
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		org, machine, err := s.Keep(ctx, w, at, wish.User)
		if err == nil && !machine {
			err = errNoMachine
		}
		if err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: ids[0], Owner: string(org)}, add.Decide()...)
		return err
	})
	if err != nil {
		return State{}, none, err
	}
	return after, token, nil
}

// Remove ends a token of a user: whoever sends it from now on is a stranger. It returns the last state
// of the token, [NotFound] when the user has none with that id, and the errors of store.DB.
func (s *Service) Remove(ctx context.Context, at ident.InstanceID, actor ident.Actor, user ident.UserID, id ident.TokenID) (State, error) {
	var after State
	err := s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		before, err := get(ctx, w, s.DB.Dialect().ForUpdate, at, user, id)
		if err != nil {
			return err
		}
		after, err = eventlog.Append(ctx, w, Noun, before, Remove{}.Decide(before)...)
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}
