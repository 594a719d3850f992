package machinekey

import (
	"context"
	"crypto/rsa"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// Keys makes RSA keys; vault.KeyPool has some ready.
type Keys interface {
	Take(ctx context.Context) (*rsa.PrivateKey, error)
}

// Service makes and removes machine keys. Each of its methods is one command, in one transaction; a key
// pair is made before.
type Service struct {
	DB    store.DB
	Log   *eventlog.Log
	IDs   *ident.Source
	Clock ident.Clock
	Keys  Keys
	// Keep keeps a user from being removed until tx ends. It returns the organization of the user, whether
	// it is a machine, and a fault of kind NotFound when there is none with that id.
	Keep func(ctx context.Context, tx store.Tx, at ident.InstanceID, user ident.UserID) (org ident.OrgID, machine bool, err error)
}

var errNoMachine = fault.New(fault.FailedPrecondition, "COMMAND-bnipwm1", "Errors.User.NotFound").
	WithViolation("user_id", "must be that of a machine user")

// Wish is the wish for a key of a machine user.
type Wish struct {
	User    ident.UserID
	Expires time.Time // zero: never
	// PublicKey is that of a pair the caller has made, in PEM; empty asks for a new pair.
	PublicKey []byte
}

// Add makes a key. It returns the key file with the private half this once, nil when the caller has made
// the pair. It returns the fault of Keep when there is no such user, COMMAND-bnipwm1 when it is no machine,
// COMMAND-5F3h1 for a public key that assertion.ParseKey would not take, or a certificate, DOMAIN-dv3t5,
// naming expiration_date, and the errors of store.DB.
func (s *Service) Add(ctx context.Context, at ident.InstanceID, actor ident.Actor, wish Wish) (after State, file []byte, err error) {
	add := Add{User: wish.User}
	if add.ExpiresAt, err = expiry.At(s.Clock.Now(), wish.Expires, "expiration_date"); err != nil {
		return State{}, nil, err
	}
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return State{}, nil, err
	}
	add.Key = ident.KeyID(ids[0])
	if len(wish.PublicKey) > 0 {
		add.PublicKey, err = publicKey(wish.PublicKey)
	} else {
		file, err = s.pair(ctx, &add)
	}
	if err != nil {
		return State{}, nil, err
	}
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
		return State{}, nil, err
	}
	return after, file, nil
}

// publicKey returns a public key in the form in which keys are stored.
func publicKey(text []byte) ([]byte, error) {
	refuse := func(rule string, cause error) error {
		return fault.Invalid("COMMAND-5F3h1", "Errors.User.Machine.Key.Invalid", "public_key", rule).WithCause(cause)
	}
	key, err := assertion.ParseKey(text)
	if err != nil {
		return nil, refuse(err.Error(), err)
	}
	if !key.NotAfter.IsZero() {
		return nil, refuse("is a certificate, not a public key", nil)
	}
	return vault.PublicKeyPEM(key.Public())
}

// pair takes a key pair and divides it: the public half for the log, the file for the caller.
func (s *Service) pair(ctx context.Context, add *Add) (file []byte, err error) {
	key, err := s.Keys.Take(ctx)
	if err != nil {
		return nil, err
	}
	if add.PublicKey, err = vault.PublicKeyPEM(&key.PublicKey); err != nil {
		return nil, err
	}
	return vault.MachineKeyFile(key, add.Key, add.User, add.ExpiresAt)
}

// Remove ends a key of a user: assertions signed with it count no more. It returns the last state of the
// key, [NotFound] when the user has none with that id, and the errors of store.DB.
func (s *Service) Remove(ctx context.Context, at ident.InstanceID, actor ident.Actor, user ident.UserID, id ident.KeyID) (State, error) {
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
