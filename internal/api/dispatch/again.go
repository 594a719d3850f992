package dispatch

import (
	"context"

	"castellan/internal/api/transport"
	"castellan/internal/store"
	"castellan/internal/systemuser"
)

// Standing finds out whether a system user who was let in would be still, by what it was known by then:
// its token may have expired meanwhile. Authenticators that do not know are believed once.
type Standing interface {
	// Still returns a fault of kind Unauthenticated when it would not.
	Still(ctx context.Context, q store.Querier, p systemuser.Proof) (systemuser.Caller, error)
}

// again returns what finds out whether a call that goes on would be let in now: whether the caller is
// still known, the instance still served, and the permission still held. It is for after check.
func (d *Dispatcher) again(c *transport.Call, v *visit) func(context.Context) error {
	return func(ctx context.Context) error {
		now := visit{admission: v.admission, about: v.about}
		err := d.admitAgain(ctx, c, &now)
		if err == nil && now.user == nil && v.at != nil {
			found, absent := d.byHost(ctx, c, &now)
			now.at, err = &found, absent
		}
		if err == nil {
			err = now.open(c.Header)
		}
		return translate(err)
	}
}

// admitAgain finds out who calls once more.
func (d *Dispatcher) admitAgain(ctx context.Context, c *transport.Call, v *visit) (err error) {
	if v.user != nil && v.thumbprint != "" {
		user, err := d.stillBound(ctx, c, v.thumbprint)
		if err == nil {
			v.user, v.at = &user, &user.Instance
		}
		return err
	}
	if v.user != nil {
		fresh := *c
		fresh.Admission = nil
		if v.admission, err = d.admit(ctx, &fresh); err == nil && v.user != nil {
			v.at = &v.user.Instance
		}
		return err
	}
	if known, ok := d.Users.(Standing); ok {
		v.system, err = known.Still(ctx, nil, systemuser.Proof{Name: v.system.Name, Sequence: v.system.Sequence, Key: v.system.Key})
	}
	return err
}
