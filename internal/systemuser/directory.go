package systemuser

import (
	"context"
	"errors"

	"github.com/maypok86/otter/v2"

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
func (r *Registry) isCurrent(ctx context.Context, v *verifiedToken) (bool, error) {
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
	u, err := r.added.find(ctx, r.added.db, name)
	if errors.Is(err, store.ErrNotFound) {
		err = errBadToken.WithCause(errUnknown(name))
	}
	return u, err
}

// find reads a user and makes it ready for use. It returns store.ErrNotFound when there is none.
func (d *directory) find(ctx context.Context, q store.Querier, name string) (*user, error) {
	s, err := get(ctx, q, name, "")
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

// Still returns a caller as it is now, as q sees it, which is nil or a transaction. It returns a fault
// of kind Unauthenticated (AUTH-7fs1e) when there is no such user any more, when it is another one of
// that name, and when the key that proved who it is counts no more; and the errors of store.DB. Of a
// user of the database any change since makes another one, as a rotation that keeps the key before.
func (r *Registry) Still(ctx context.Context, q store.Querier, p Proof) (Caller, error) {
	u := r.current.Load().users[string(p.Name)]
	if u == nil {
		var err error
		if u, err = r.findAs(ctx, q, p); err != nil {
			return Caller{}, err
		}
	}
	now := r.clock.Now()
	for i := range u.keys {
		if k := &u.keys[i]; k.Fingerprint == p.Key && k.validAt(now) == nil {
			c := u.caller
			c.Key = p.Key
			return c, nil
		}
	}
	return Caller{}, TokenInvalid("the key that proved who it is counts no more")
}

// findAs finds a caller in the database, unless it was changed.
func (r *Registry) findAs(ctx context.Context, q store.Querier, p Proof) (*user, error) {
	if r.added == nil {
		return nil, errBadToken.WithCause(errUnknown(string(p.Name)))
	}
	if q == nil {
		q = r.added.db
	}
	u, err := r.added.find(ctx, q, string(p.Name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, errBadToken.WithCause(errUnknown(string(p.Name)))
	}
	if err != nil {
		return nil, err
	}
	if u.caller.Sequence != p.Sequence {
		return nil, TokenInvalid("its user was changed")
	}
	return u, nil
}
