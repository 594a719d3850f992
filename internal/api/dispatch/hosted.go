package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"castellan/internal/access"
	"castellan/internal/api/bind"
	"castellan/internal/api/transport"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"

	optionsv1 "castellan/gen/castellan/options/v1"
)

// enter finds out what can be known of a call of an instance's own API before its request is decoded:
// which instance, and what the caller may there. The context it returns is the one in which the
// instance travels to the handler. Users of the instance are told first what has become of it.
func (d *Dispatcher) enter(ctx context.Context, c *transport.Call, v *visit) (context.Context, error) {
	if d.Directory == nil {
		return ctx, errNoDirectory
	}
	enter := d.enterUser
	if v.user == nil {
		enter = d.enterSystem
	}
	if err := enter(ctx, c, v); err != nil {
		return ctx, err
	}
	v.about = v.at.ID
	return bind.At(ctx, v.about), nil
}

// enterPublic is enter for a call that is open to everybody. One that is about the instance of its host
// needs one that is there and served.
func (d *Dispatcher) enterPublic(ctx context.Context, c *transport.Call, v *visit) (context.Context, error) {
	if !v.policy.atHost {
		return ctx, nil
	}
	if d.Directory == nil {
		return ctx, errNoDirectory
	}
	from, err := d.originOf(c)
	if err != nil {
		return ctx, err
	}
	found, err := d.Directory.ByOrigin(ctx, from)
	if err != nil {
		return ctx, err
	}
	v.at, v.about = &found, found.ID
	return bind.At(ctx, v.about), v.usable()
}

// enterUser is enter for a user of the instance.
func (d *Dispatcher) enterUser(ctx context.Context, c *transport.Call, v *visit) error {
	v.at = &v.user.Instance
	if err := v.usable(); err != nil {
		return err
	}
	org, err := d.orgOf(ctx, c, v.at.ID, v.user.ResourceOwner)
	if err != nil {
		return err
	}
	v.rights, err = v.user.For(org)
	return err
}

// enterSystem is enter for a system user, who is no user of the instance. That the host leads nowhere,
// what has become of the instance, and which organizations it has is told only to those who may do
// something there.
func (d *Dispatcher) enterSystem(ctx context.Context, c *transport.Call, v *visit) error {
	denied := call.Denied.WithCause(fmt.Errorf("system user %q may not call %s here", v.system.Name, c.FullMethod))
	if v.policy.authenticated {
		return denied
	}
	from, err := d.originOf(c)
	if err != nil {
		return err
	}
	found, err := d.Directory.ByOrigin(ctx, from)
	member := v.policy.reachedBy(v.system.On(found.ID, ""))
	switch {
	case err != nil && (member || fault.KindOf(err) != fault.NotFound):
		return err
	case err != nil:
		return denied
	}
	org, err := d.orgOf(ctx, c, found.ID, "")
	if err != nil && fault.KindOf(err) != fault.PermissionDenied {
		return err
	}
	v.at, v.rights = &found, v.system.On(found.ID, org)
	if !member && !v.policy.reachedBy(v.rights) {
		return denied
	}
	return cmp.Or(v.usable(), err)
}

// reachedBy reports whether a caller holds one of the permissions of the RPC on something.
func (p *policy) reachedBy(r call.Rights) bool {
	if !r.Reach(p.instancePermission).None() {
		return true
	}
	for i := range p.on {
		if o := &p.on[i]; o.permission != "" && !r.Reach(o.permission).None() {
			return true
		}
	}
	return false
}

// orgOf finds the organization that a call says it is for, in its header; own when it says none. Several
// headers name none that is.
func (d *Dispatcher) orgOf(ctx context.Context, c *transport.Call, at ident.InstanceID, own ident.OrgID) (ident.OrgID, error) {
	name := strings.Join(c.Header["X-Zitadel-Orgid"], ",")
	if name == "" || name == string(own) {
		return own, nil
	}
	return d.Directory.FindOrg(ctx, at, name)
}

// checkHosted is check for a call that went through enter. Who holds the permission on nothing is
// refused before the request is looked at; whether it reaches what the request names is found out once
// the request is known to be a good one.
func (d *Dispatcher) checkHosted(ctx context.Context, v *visit, request proto.Message) error {
	need := v.policy.needed(request)
	if err := v.holds(need, request); err != nil {
		return err
	}
	if err := d.meter(ctx, v); err != nil {
		return err
	}
	if err := validate(request); err != nil {
		return err
	}
	if err := d.reaches(ctx, v, need, request); err != nil {
		return err
	}
	return d.reserve(ctx, v)
}

// needed returns on what the permission is needed: the first whose field the request sets, else the
// last; nil when it is on all of the instance, or none is.
func (p *policy) needed(request proto.Message) *on {
	for i := range p.on {
		if o := &p.on[i]; o.field != nil && o.field.has(request) {
			return o
		}
	}
	if len(p.on) == 0 {
		return nil
	}
	return &p.on[len(p.on)-1]
}

// needs is the permission that need asks for.
func (p *policy) needs(need *on) string {
	if need != nil && need.permission != "" {
		return need.permission
	}
	return p.instancePermission
}

// holds refuses a caller who holds the permission on nothing, or not on the instance where it must.
func (v *visit) holds(need *on, request proto.Message) error {
	if v.policy.authenticated || v.names(need, request) {
		return nil
	}
	permission := v.policy.needs(need)
	reach := v.rights.Reach(permission)
	whole := need == nil || need.kind == optionsv1.On_INSTANCE
	if whole && reach.Instance || !whole && !reach.None() {
		return nil
	}
	return call.Denied.WithCause(fmt.Errorf("%s has no %s on instance %s", v.actor(), permission, v.about))
}

// names reports whether a caller needs no permission, for what is named is the caller itself.
func (v *visit) names(need *on, request proto.Message) bool {
	if need == nil || !need.self || v.user == nil {
		return false
	}
	return need.kind == optionsv1.On_ANY || need.field.text(request) == string(v.user.ID)
}

// reaches refuses a caller whose permission does not reach what the request names, in the words in
// which a thing is missed that does not exist. An organization that is left out is filled in.
func (d *Dispatcher) reaches(ctx context.Context, v *visit, need *on, request proto.Message) error {
	if v.policy.authenticated || need == nil || need.thing() == 0 || v.names(need, request) {
		return nil
	}
	reach := v.rights.Reach(v.policy.needs(need))
	switch need.kind {
	case optionsv1.On_ORG:
		return v.reachesOrg(reach, need, request)
	case optionsv1.On_ORG_DOMAIN:
		return d.reachesDomain(ctx, v, reach, need, request)
	}
	t := access.Thing{Kind: need.thing(), ID: need.field.text(request), Second: need.second.text(request)}
	if reach.Instance && t.ID != "" {
		return nil // what is not there the handler finds out
	}
	owner, err := d.Directory.Owner(ctx, v.about, t)
	if err != nil {
		return err
	}
	if !owner.In(reach) {
		return access.Missing(t.Kind).WithCause(errors.New("it is out of the reach of the caller"))
	}
	return nil
}

// reachesOrg is reaches for an organization. That one exists which a caller is a member of is known: a
// membership goes with what it is of.
func (v *visit) reachesOrg(reach call.Reach, need *on, request proto.Message) error {
	id := ident.OrgID(need.field.text(request))
	if id == "" {
		if id = v.rights.Org(); id == "" {
			return errNoOrg
		}
		if need.field != nil {
			need.field.set(request, string(id))
		}
	}
	if !reach.Org(id) {
		return access.Missing(access.Org).WithCause(fmt.Errorf("organization %.200q is out of the reach of the caller", id))
	}
	return nil
}

// errNoOrg is the answer to a system user, who has no organization, when a call names none.
var errNoOrg = fault.Plain(fault.InvalidArgument, "the call names no organization, and the caller has none: set the organization, or x-zitadel-orgid")

// reachesDomain is reaches for an organization that is named by a domain. The field that names an
// organization by its id gets it, so that the handler need not look it up.
func (d *Dispatcher) reachesDomain(ctx context.Context, v *visit, reach call.Reach, need *on, request proto.Message) error {
	owner, err := d.Directory.Owner(ctx, v.about, access.Thing{Kind: access.OrgDomain, ID: need.field.text(request)})
	if err != nil {
		return err
	}
	if !owner.In(reach) {
		return access.Missing(access.Org).WithCause(fmt.Errorf("organization %s is out of the reach of the caller", owner.Org))
	}
	for i := range v.policy.on {
		if o := &v.policy.on[i]; o.kind == optionsv1.On_ORG && o.field != nil {
			o.field.set(request, string(owner.Org))
		}
	}
	return nil
}
