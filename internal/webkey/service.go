package webkey

import (
	"context"
	"crypto/rsa"
	"slices"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/flight"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service makes and changes keys. Each of its commands is one transaction that holds the instance, so
// that commands on the keys of an instance follow each other.
//
// Every method returns the fault of [Service.Hold] when there is no such instance, the faults of its
// decision, the error of RSA or IDs, and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
	IDs *ident.Source
	// RSA returns a new key of so many bits.
	RSA func(ctx context.Context, bits int) (*rsa.PrivateKey, error)
	// Hold locks an instance until the transaction ends. It returns a fault of kind NotFound when
	// there is none with that id.
	Hold func(ctx context.Context, tx store.Tx, instance ident.InstanceID) error

	first flight.Group[ident.InstanceID, []State]
}

// self is who makes the first keys of an instance.
const self ident.Actor = "castellan"

// List returns the keys of an instance, the oldest first, and makes the first ones when it has none yet.
func (s *Service) List(ctx context.Context, instance ident.InstanceID) ([]State, error) {
	keys, err := List(ctx, s.DB, instance)
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	return s.First(ctx, instance)
}

// First makes the first keys of an instance, unless it has keys, and returns those it has. However many
// ask for the same ones, on whatever nodes, only one set remains; a node makes no more than one.
func (s *Service) First(ctx context.Context, instance ident.InstanceID) ([]State, error) {
	return s.first.Do(ctx, instance, func(ctx context.Context) ([]State, error) { return s.makeFirst(ctx, instance) })
}

// makeFirst is First of one caller on this node. It looks before it makes a key, which takes long: a caller may
// have found none just before another one had made them.
func (s *Service) makeFirst(ctx context.Context, instance ident.InstanceID) ([]State, error) {
	if keys, err := List(ctx, s.DB, instance); err != nil || len(keys) > 0 {
		return keys, err
	}
	pairs, err := s.pairs(ctx, First, 2)
	if err != nil {
		return nil, err
	}
	var keys []State
	err = s.write(ctx, instance, self, func(ctx context.Context, w *eventlog.Writer, have []State) error {
		if keys = have; len(have) > 0 {
			return nil // another node was first
		}
		active, err := begin(ctx, w, pairs[0])
		if err != nil {
			return err
		}
		if active, err = eventlog.Append(ctx, w, Noun, active, Activated{}); err != nil {
			return err
		}
		next, err := begin(ctx, w, pairs[1])
		keys = []State{active, next}
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Create adds a key, in state initial. It returns CRYPTO-Ii2ai for a key there is none of, and a fault of
// kind FailedPrecondition when the instance has [MaxKeys] already.
func (s *Service) Create(ctx context.Context, instance ident.InstanceID, actor ident.Actor, c Config) (State, error) {
	if err := c.check(); err != nil {
		return State{}, err
	}
	// An instance has its first keys before any other, so that one is active.
	have, err := s.List(ctx, instance)
	if err != nil {
		return State{}, err
	}
	if err := room(have); err != nil {
		return State{}, err // before a key is made that takes seconds
	}
	pairs, err := s.pairs(ctx, c, 1)
	if err != nil {
		return State{}, err
	}
	var made State
	err = s.write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer, have []State) error {
		if err := room(have); err != nil {
			return err
		}
		made, err = begin(ctx, w, pairs[0])
		return err
	})
	if err != nil {
		return State{}, err
	}
	return made, nil
}

// room returns nil when there may be one more key.
func room(have []State) error {
	if len(have) < MaxKeys {
		return nil
	}
	return fault.New(fault.FailedPrecondition, "WEBKEY-max01", "an instance has at most 100 web keys: delete some first")
}

// Activate makes a key the one that signs, and the one before inactive. The active key stays as it is.
// It returns [NotFound] when there is no such key.
func (s *Service) Activate(ctx context.Context, instance ident.InstanceID, actor ident.Actor, id ident.KeyID) (State, error) {
	var after State
	err := s.write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer, have []State) error {
		after = keyOf(have, id)
		events, err := activate(after)
		if err != nil || len(events) == 0 {
			return err
		}
		// First the one before: there is no moment with two active ones, which the table refuses.
		for _, k := range have {
			if _, err := appendTo(ctx, w, k, deactivate(k)); err != nil {
				return err
			}
		}
		after, err = appendTo(ctx, w, after, events)
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// Delete ends a key and returns when; the zero time when there is no such key, as for one that has been
// deleted before. It returns COMMAND-Chai1 for the active key.
func (s *Service) Delete(ctx context.Context, instance ident.InstanceID, actor ident.Actor, id ident.KeyID) (time.Time, error) {
	var at time.Time
	err := s.write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer, have []State) error {
		at = time.Time{}
		events, err := remove(keyOf(have, id))
		if err != nil || len(events) == 0 {
			return err
		}
		gone, err := appendTo(ctx, w, keyOf(have, id), events)
		at = gone.ChangedAt
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	return at, nil
}

// write is every command: it holds the instance, reads its keys, and lets fn decide and append.
func (s *Service) write(ctx context.Context, instance ident.InstanceID, actor ident.Actor,
	fn func(ctx context.Context, w *eventlog.Writer, have []State) error,
) error {
	return s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := s.Hold(ctx, w, instance); err != nil {
			return err
		}
		have, err := List(ctx, w, instance)
		if err != nil {
			return err
		}
		return fn(ctx, w, have)
	})
}

// pairs makes n keys.
func (s *Service) pairs(ctx context.Context, c Config, n int) ([]pair, error) {
	ids, err := s.IDs.Next(ctx, n)
	if err != nil {
		return nil, err
	}
	pairs := make([]pair, n)
	for i, id := range ids {
		if pairs[i], err = newPair(ctx, ident.KeyID(id), c, s.RSA); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

// begin appends the first event of a key.
func begin(ctx context.Context, w *eventlog.Writer, p pair) (State, error) {
	sealer, err := w.Sealer(ctx)
	if err != nil {
		return State{}, err
	}
	origin := eventlog.Origin{ID: string(p.id), Owner: string(w.Instance())}
	return eventlog.Begin(ctx, w, Noun, origin, p.added(sealer))
}

// appendTo appends events to a key; without any it stays as it is.
func appendTo(ctx context.Context, w *eventlog.Writer, s State, events []eventlog.Payload) (State, error) {
	if len(events) == 0 {
		return s, nil
	}
	return eventlog.Append(ctx, w, Noun, s, events...)
}

// keyOf returns the key with an id, or the zero State.
func keyOf(keys []State, id ident.KeyID) State {
	i := slices.IndexFunc(keys, func(k State) bool { return k.ID == string(id) })
	if i < 0 {
		return State{}
	}
	return keys[i]
}
