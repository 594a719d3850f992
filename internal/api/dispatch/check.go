package dispatch

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/access"
	"castellan/internal/api/transport"
	"castellan/internal/audit"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/systemuser"
)

// visit is one call on its way.
type visit struct {
	admission
	// about is the instance the call is about: the one its request names, or that of the host.
	about ident.InstanceID
	// at is the instance that was found by host, for a user or for the call; nil when none was.
	at *access.Instance
	// rights are those of the caller on the instance of the host; nil for a call that is not hosted.
	rights call.Rights
	// exhausted is set when the caller is told that the instance is blocked, or its quota exhausted.
	exhausted bool
	// slot is the place in the audit log of a call whose handler runs.
	slot audit.Slot
}

// check is what a decoded request meets before its handler does: which instance is it about, may
// that be used, may the caller, is something left of its quota, is it valid; and can it be written
// down. That comes last, so that nobody holds a place in the audit log who may not, or who is slow to
// send a request.
func (d *Dispatcher) check(ctx context.Context, c *transport.Call, v *visit, request proto.Message) error {
	if v.policy.hosted() {
		return d.checkHosted(ctx, v, request)
	}
	if v.policy.permission == "" {
		return errUndeclared
	}
	if err := d.find(ctx, c, v, request); err != nil {
		return err
	}
	if err := v.open(c.Header); err != nil {
		return err
	}
	if err := d.meter(ctx, v); err != nil {
		return err
	}
	if err := validate(request); err != nil {
		return err
	}
	return d.reserve(ctx, v)
}

// find finds out which instance the call is about and tells the request, so that the instance is an
// argument from here on.
func (d *Dispatcher) find(ctx context.Context, c *transport.Call, v *visit, request proto.Message) error {
	if r, ok := request.(interface{ GetInstanceId() string }); ok {
		v.about = ident.InstanceID(r.GetInstanceId())
	}
	if v.user != nil {
		v.at = &v.user.Instance
	}
	if v.about != "" || v.policy.byHost == nil {
		return nil
	}
	if v.at == nil {
		found, err := d.byHost(ctx, c, v)
		if err != nil {
			return err
		}
		v.at = &found
	}
	v.about = v.at.ID
	request.ProtoReflect().Set(v.policy.byHost, protoreflect.ValueOfString(string(v.about)))
	return nil
}

// errNoDirectory is the answer where there is no directory of instances.
var errNoDirectory = fault.Plain(fault.Unimplemented, "instances are not found by host here")

// byHost finds the instance of the host for a system user. That a host leads nowhere is told only to
// those who may call about some instance (decision D2).
func (d *Dispatcher) byHost(ctx context.Context, c *transport.Call, v *visit) (access.Instance, error) {
	if d.Directory == nil {
		return access.Instance{}, errNoDirectory
	}
	from, err := d.originOf(c)
	if err != nil {
		return access.Instance{}, err
	}
	found, err := d.Directory.ByOrigin(ctx, from)
	if fault.KindOf(err) == fault.NotFound {
		if denied := v.may(c.Header); denied != nil {
			return found, denied
		}
	}
	return found, err
}

// open decides whether the instance may be used, and by the caller. What has become of an instance is
// told to its own users, whatever they may do, and to those system users who may call about it: to
// any other, one that is stopped or blocked is like all that are not theirs.
func (v *visit) open(header http.Header) error {
	first, second := v.usable, func() error { return v.may(header) }
	if v.user == nil {
		first, second = second, first
	}
	if err := first(); err != nil {
		return err
	}
	return second()
}

// usable refuses calls to an instance that is stopped or blocked. Those of a system user who names
// the instance, and those that are for system users alone, are how it comes to be otherwise.
func (v *visit) usable() error {
	if v.at == nil || !v.policy.ofInstances() {
		return nil
	}
	err := v.at.Usable()
	v.exhausted = errors.Is(err, access.Blocked)
	return err
}

// may decides whether the caller holds a permission that suffices. A user of an instance needs that
// of the RPC for members, on its own instance. A system user needs that of the RPC; the one for
// members does when a membership of the very instance grants it.
func (v *visit) may(header http.Header) error {
	if v.user != nil {
		return v.user.May(v.policy.instancePermission, v.about)
	}
	err := v.system.May(v.policy.permission, systemuser.Scope{
		Instance: v.about, Org: ident.OrgID(header.Get("X-Zitadel-Orgid")),
	})
	if err == nil || v.policy.instancePermission == "" || v.about == "" {
		return err
	}
	if v.system.May(v.policy.instancePermission, systemuser.Scope{Instance: v.about}) == nil {
		return nil
	}
	return err
}

// meter counts the calls of the users of instances; those of system users never count (contract
// section 4).
func (d *Dispatcher) meter(ctx context.Context, v *visit) error {
	if v.user == nil || d.Meter == nil {
		return nil
	}
	err := d.Meter.Admit(ctx, v.user.Instance.ID, v.user.Instance.Requests)
	v.exhausted = fault.KindOf(err) == fault.ResourceExhausted
	return err
}

// The cookie by which the pages of an instance know that it is blocked, or its quota is exhausted
// (contract section 2.8).
const (
	exhaustedCookie = "zitadel.quota.exhausted"
	exhaustedAge    = 300 // seconds
)

// setCookie tells browsers that a call by host was refused for want of quota, and takes that back
// when one has succeeded.
func (v *visit) setCookie(c *transport.Call, err error) {
	cookie := http.Cookie{Name: exhaustedCookie, Path: "/", SameSite: http.SameSiteLaxMode}
	switch {
	case v.at == nil || c.Protocol == transport.GRPC:
		return
	case v.exhausted:
		cookie.Value, cookie.MaxAge = "true", exhaustedAge
	case err == nil && hasCookie(c.Header):
		cookie.MaxAge = -1 // 0 on the wire
	default:
		return
	}
	c.ResponseHeader.Add("Set-Cookie", cookie.String())
}

// hasCookie reports whether a browser has the cookie.
func hasCookie(header http.Header) bool {
	r := http.Request{Header: header}
	_, err := r.Cookie(exhaustedCookie)
	return err == nil
}
