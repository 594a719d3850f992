package app

import (
	"context"
	"crypto/rsa"
	"io"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// Service changes applications. Each of its methods is one command, in one transaction that holds the
// application, or the project of a new one.
//
// Every method returns [NotFound] when there is no such application, or it is of another project than
// the one named; the faults of its decision; and the errors of store.DB.
type Service struct {
	DB    store.DB
	Log   *eventlog.Log
	IDs   *ident.Source
	Clock ident.Clock
	// Random is the source of secrets; nil is the system's.
	Random io.Reader
	// Keys makes RSA keys; vault.KeyPool has some ready.
	Keys Keys
	// Project returns the organization of a project, which nobody removes until the transaction ends. It
	// returns a fault of kind NotFound when there is none with that id.
	Project func(ctx context.Context, tx store.Tx, instance ident.InstanceID, id ident.ProjectID) (ident.OrgID, error)
}

// Keys makes RSA keys.
type Keys interface {
	Take(ctx context.Context) (*rsa.PrivateKey, error)
}

// Add makes an application. It returns it, and its secret in the clear, which is kept nowhere; empty for
// one that needs none. It also returns PROJECT-lxowmp for an id that was ever used, V3-DKcYh for a name that
// the project has or an entity that the instance has, and the fault of [Service.Project].
func (s *Service) Add(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish New) (after State, secret string, err error) {
	ids, err := s.IDs.Next(ctx, 2)
	if err != nil {
		return State{}, "", err
	}
	made := Credentials{App: ident.AppID(ids[0])}
	if wish.App != "" {
		made.App = wish.App
	}
	if wish.SAML == nil {
		made.ClientID = ids[1]
	}
	if wish.NeedsSecret() {
		secret, made.SecretHash = vault.NewSecret(s.Random)
	}
	events, err := wish.Decide(made)
	if err != nil {
		return State{}, "", err
	}
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		org, err := s.Project(ctx, w, instance, wish.Project)
		if err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(made.App), Owner: string(org)}, events...)
		return err
	})
	if err != nil {
		return State{}, "", taken(err)
	}
	return after, secret, nil
}

// taken turns the conflict of a name that has to be unique into the fault callers know. An id is in the
// log for ever, so one that was used is found there.
func taken(err error) error {
	switch {
	case store.ConflictIn(err, "events"):
		return errTaken.WithCause(err)
	case store.ConflictIn(err, tables[0].Name):
		return errNameTaken.WithCause(err)
	case store.ConflictIn(err, tables[1].Name):
		return errEntityTaken.WithCause(err)
	}
	return err
}

// Name names an application: its id, and its project, which callers have to know as well. An empty
// project is any.
type Name struct {
	App     ident.AppID
	Project ident.ProjectID
}

// Change changes an application, see [Change.Decide]. What is the same already changes nothing and
// writes nothing.
func (s *Service) Change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name, wish Change) (State, error) {
	return s.change(ctx, instance, actor, of, wish.Decide)
}

// Deactivate makes an application of no use, see [Deactivate.Decide].
func (s *Service) Deactivate(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name) (State, error) {
	return s.change(ctx, instance, actor, of, Deactivate{}.Decide)
}

// Reactivate makes an application of use again, see [Reactivate.Decide].
func (s *Service) Reactivate(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name) (State, error) {
	return s.change(ctx, instance, actor, of, Reactivate{}.Decide)
}

// NewSecret gives an application another secret, see [SetSecret.Decide], and returns it in the clear. It is
// kept nowhere.
func (s *Service) NewSecret(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name) (after State, secret string, err error) {
	secret, hash := vault.NewSecret(s.Random)
	after, err = s.change(ctx, instance, actor, of, SetSecret{Hash: hash}.Decide)
	if err != nil {
		return State{}, "", err
	}
	return after, secret, nil
}

// Remove removes an application and its keys, and returns it as it was last.
func (s *Service) Remove(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name) (after State, err error) {
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		before, err := s.hold(ctx, w, of)
		if err != nil {
			return err
		}
		after, err = RemoveHeld(ctx, w, before)
		return err
	})
	return after, err
}

// RemoveHeld removes an application and its keys as part of a larger write, in which the application is
// held: nobody else writes it until the transaction ends.
func RemoveHeld(ctx context.Context, w *eventlog.Writer, held State) (State, error) {
	keys, err := keysOf(ctx, w, w.Instance(), held.App())
	if err != nil {
		return State{}, err
	}
	for _, k := range keys {
		events, err := RemoveKey{}.Decide(k)
		if err == nil {
			_, err = eventlog.Append(ctx, w, KeyNoun, k, events...)
		}
		if err != nil {
			return State{}, err
		}
	}
	events, err := Remove{}.Decide(held)
	if err != nil {
		return State{}, err
	}
	return eventlog.Append(ctx, w, Noun, held, events...)
}

// Hold returns an application that nobody else writes until the transaction ends. It returns [NotFound]
// when there is none with that id, and the errors of store.Querier.
func Hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, id ident.AppID) (State, error) {
	return hold(ctx, tx, d, instance, id)
}

// change is every other command: load, decide, append.
func (s *Service) change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name,
	decide func(State) ([]eventlog.Payload, error),
) (after State, err error) {
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		before, err := s.hold(ctx, w, of)
		if err != nil {
			return err
		}
		after = before
		events, err := decide(before)
		if err != nil || len(events) == 0 {
			return err
		}
		after, err = eventlog.Append(ctx, w, Noun, before, events...)
		return err
	})
	if err != nil {
		return State{}, taken(err)
	}
	return after, nil
}

// hold returns the application that of names, held.
func (s *Service) hold(ctx context.Context, w *eventlog.Writer, of Name) (State, error) {
	held, err := hold(ctx, w, s.DB.Dialect(), w.Instance(), of.App)
	if err == nil && of.Project != "" && held.Project != of.Project {
		return State{}, NotFound
	}
	return held, err
}

// AddKey gives an application a key, see [AddKey.Decide], that is of use until expires; zero: for ever. It
// returns the key and the file in which its owner receives the private half, which is kept nowhere. It
// also returns the fault of [expiry.At].
func (s *Service) AddKey(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name, expires time.Time) (after KeyState, file []byte, err error) {
	wish := AddKey{}
	if wish.ExpiresAt, err = expiry.At(s.Clock.Now(), expires, "expiration_date"); err != nil {
		return KeyState{}, nil, err
	}
	// Most wishes that come to nothing end here, before they have cost a key.
	found, err := Get(ctx, s.DB, instance, of.App)
	if err == nil {
		_, err = wish.Decide(found)
	}
	if err != nil {
		return KeyState{}, nil, err
	}
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return KeyState{}, nil, err
	}
	key, err := s.Keys.Take(ctx)
	if err != nil {
		return KeyState{}, nil, err
	}
	wish.Key = ident.KeyID(ids[0])
	if wish.PublicKey, err = vault.PublicKeyPEM(&key.PublicKey); err != nil {
		return KeyState{}, nil, err
	}
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		held, err := s.hold(ctx, w, of)
		if err != nil {
			return err
		}
		events, err := wish.Decide(held)
		if err != nil {
			return err
		}
		if file, err = vault.AppKeyFile(key, wish.Key, held.App(), held.ClientID); err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, KeyNoun, eventlog.Origin{ID: ids[0], Owner: held.Owner}, events...)
		return err
	})
	if err != nil {
		return KeyState{}, nil, err
	}
	return after, file, nil
}

// RemoveKey removes a key of an application, and returns it as it was last. It also returns [KeyNotFound]
// when the application has no such key.
func (s *Service) RemoveKey(ctx context.Context, instance ident.InstanceID, actor ident.Actor, of Name, id ident.KeyID) (after KeyState, err error) {
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if _, err := s.hold(ctx, w, of); err != nil {
			return err
		}
		key, err := GetKey(ctx, w, instance, id)
		if err != nil {
			return err
		}
		if key.App != of.App {
			return KeyNotFound
		}
		events, err := RemoveKey{}.Decide(key)
		if err != nil {
			return err
		}
		after, err = eventlog.Append(ctx, w, KeyNoun, key, events...)
		return err
	})
	return after, err
}
