package usermetadata

import (
	"context"
	"slices"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes the metadata of users. Each of its methods is one command, in one transaction.
type Service struct {
	DB    store.DB
	Log   *eventlog.Log
	IDs   *ident.Source
	Clock ident.Clock
	// Keep keeps a user from being removed until tx ends. It returns the organization of the user, and a
	// fault of kind NotFound when there is none with that id.
	Keep func(ctx context.Context, tx store.Tx, at ident.InstanceID, user ident.UserID) (ident.OrgID, error)
}

// Set gives a user entries, all or none, and returns the time of the change. A key that is named more
// than once gets its last value. It returns META-9mm2d for no entries, the fault of Keep when there is no
// such user, those of [Entry.Decide] and the errors of store.DB.
func (s *Service) Set(ctx context.Context, at ident.InstanceID, actor ident.Actor, user ident.UserID, entries []Entry) (set time.Time, err error) {
	if len(entries) == 0 {
		return time.Time{}, errNothing
	}
	put, err := s.Putting(ctx, entries)
	if err != nil {
		return time.Time{}, err
	}
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		org, err := s.Keep(ctx, w, at, user)
		if err != nil {
			return err
		}
		set = w.Now()
		return put(ctx, w, user, org)
	})
	if store.ConflictIn(err, Table) {
		err = fault.New(fault.Aborted, "META-race1", "Errors.Metadata.Changed").WithCause(err)
	}
	return set, err
}

// Put writes entries of a user who is held, as part of a write on the user.
type Put func(ctx context.Context, w *eventlog.Writer, user ident.UserID, org ident.OrgID) error

// Putting returns how entries are written as part of another write. It makes ids, and so is called
// before that write begins.
func (s *Service) Putting(ctx context.Context, entries []Entry) (Put, error) {
	ids, err := s.IDs.Next(ctx, len(entries))
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]Entry, len(entries))
	var keys []string // in the order in which they are named
	for _, e := range entries {
		if _, again := wanted[e.Key]; !again {
			keys = append(keys, e.Key)
		}
		wanted[e.Key] = e
	}
	return func(ctx context.Context, w *eventlog.Writer, user ident.UserID, org ident.OrgID) error {
		have, err := withKeys(ctx, w, s.DB.Dialect(), s.DB.Dialect().ForUpdate, w.Instance(), user, keys)
		if err != nil {
			return err
		}
		for i, key := range keys {
			before := have[key]
			events, err := wanted[key].Decide(user, before)
			if err != nil {
				return err
			}
			switch {
			case len(events) == 0:
			case before.Exists():
				_, err = eventlog.Append(ctx, w, Noun, before, events...)
			default:
				_, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: ids[i], Owner: string(org)}, events...)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// Remove takes entries from a user, all or none, and returns the time of the change. It returns
// META-9mw2d for no keys, the fault of Keep when there is no such user, META-2nnds for a key the user has
// no entry for, and the errors of store.DB.
func (s *Service) Remove(ctx context.Context, at ident.InstanceID, actor ident.Actor, user ident.UserID, keys []string) (removed time.Time, err error) {
	if len(keys) == 0 {
		return time.Time{}, errNoKeys
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if _, err := s.Keep(ctx, w, at, user); err != nil {
			return err
		}
		have, err := withKeys(ctx, w, s.DB.Dialect(), s.DB.Dialect().ForUpdate, at, user, keys)
		if err != nil {
			return err
		}
		for _, key := range keys {
			before, there := have[key]
			if !there {
				return errAbsent
			}
			if _, err := eventlog.Append(ctx, w, Noun, before, Remove{}.Decide(before)...); err != nil {
				return err
			}
		}
		removed = w.Now()
		return nil
	})
	return removed, err
}
