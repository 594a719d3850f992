package systemuser

import (
	"context"
	"errors"

	"github.com/maypok86/otter/v2"

	"castellan/internal/ident"
	"castellan/internal/store"
)

const (
	// maxAsking is how many look-ups for tokens that have proved nothing yet may run at once on a
	// node. Strangers can have the database asked for any name; they cannot occupy it.
	maxAsking = 4
	// maxPrepared is how many users of the database are kept ready for use.
	maxPrepared = MaxUsers
)

// directory finds users in the database.
type directory struct {
	db     store.Querier
	asking chan struct{} // one place for each look-up for a stranger
	// prepared has users ready for use by their names, so that their keys are not parsed again for
	// each new token. One counts as long as its sequence is that of the row.
	prepared *otter.Cache[string, *user]
}

// Ask makes the users in the database known, beside those of the configuration, which win. Each
// call of such a user then costs one read by primary key, and a key that is rotated or a user that
// is removed stops to count on every node when the call that does it is answered. Ask before the
// registry is used.
func (r *Registry) Ask(db store.Querier) {
	r.added = &directory{
		db: db, asking: make(chan struct{}, maxAsking),
		prepared: otter.Must(&otter.Options[string, *user]{MaximumSize: maxPrepared}),
	}
}

// isCurrent reports whether what is remembered of a token is so still. A token that is remembered
// has proved who sent it, so the question does not wait behind those of strangers.
func (r *Registry) isCurrent(ctx context.Context, v verifiedToken) (bool, error) {
	if v.user.caller.Sequence == 0 {
		return true, nil
	}
	sequence, err := sequenceOf(ctx, r.added.db, string(v.user.caller.Name))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return sequence == v.user.caller.Sequence, err
}

// lookUp finds a user in the database for a token that claims its name. It returns AUTH-7fs1e when
// there is none.
func (r *Registry) lookUp(ctx context.Context, name string) (*user, error) {
	if r.added == nil || checkName(name) != nil || canonicalName(name) != name {
		return nil, errBadToken.WithCause(errUnknown(name))
	}
	select {
	case r.added.asking <- struct{}{}:
		defer func() { <-r.added.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	u, err := r.added.find(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		err = errBadToken.WithCause(errUnknown(name))
	}
	return u, err
}

// find reads a user and makes it ready for use. It returns store.ErrNotFound when there is none.
func (d *directory) find(ctx context.Context, name string) (*user, error) {
	s, err := get(ctx, d.db, name, "")
	if err != nil {
		return nil, err
	}
	if s.Removed {
		return nil, store.ErrNotFound
	}
	if u, ready := d.prepared.GetIfPresent(name); ready && u.caller.Sequence == s.Sequence {
		return u, nil
	}
	u, err := s.user()
	if err != nil {
		return nil, err
	}
	d.prepared.Set(name, u)
	return u, nil
}

// Named returns the system user with a name as it is now, whether it is of the configuration or in
// the database. It returns a fault of kind Unauthenticated (AUTH-7fs1e) when there is none, and the
// errors of store.DB.
func (r *Registry) Named(ctx context.Context, name ident.Actor) (Caller, error) {
	if u := r.current.Load().users[string(name)]; u != nil {
		return u.caller, nil
	}
	if r.added == nil {
		return Caller{}, errBadToken.WithCause(errUnknown(string(name)))
	}
	u, err := r.added.find(ctx, string(name))
	if errors.Is(err, store.ErrNotFound) {
		err = errBadToken.WithCause(errUnknown(string(name)))
	}
	if err != nil {
		return Caller{}, err
	}
	return u.caller, nil
}
