package dispatch

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"castellan/internal/access"
	"castellan/internal/api/transport"
	"castellan/internal/audit"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// outcome is how a call ended.
type outcome struct {
	answer proto.Message
	err    error
	at     time.Time // when the call came in
	took   time.Duration
}

// audit writes down a call of somebody we know that wrote, or tried to, or was refused. Calls of
// strangers are only counted: they could fill the log.
func (d *Dispatcher) audit(ctx context.Context, c *transport.Call, v *visit, o outcome) {
	if d.Audit == nil || v.actor() == "" {
		return
	}
	if !v.slot.Held() {
		if !refused(o.err) {
			return
		}
		var err error
		if v.slot, err = d.Audit.Reserve(ctx); err != nil {
			// It did nothing but be refused, and has waited for as long as it may.
			d.Logger.WarnContext(ctx, "no place in the audit log", "entry", entryOf(c, v, o), "error", err)
			return
		}
	}
	v.slot.Record(entryOf(c, v, o))
}

// refused reports whether a call ended because its caller may not, or may no more.
func refused(err error) bool {
	if err == nil {
		return false
	}
	kind := fault.KindOf(err)
	return kind == fault.PermissionDenied || kind == fault.ResourceExhausted || errors.Is(err, access.Stopped)
}

// entryOf describes a call.
func entryOf(c *transport.Call, v *visit, o outcome) audit.Entry {
	e := audit.Entry{
		At:            o.at,
		Actor:         v.actor(),
		Method:        c.FullMethod,
		Protocol:      string(c.Protocol),
		Instance:      v.about,
		RemoteAddress: c.Peer,
		RequestID:     c.RequestID,
		Outcome:       transport.CodeOf(o.err),
		Duration:      o.took,
	}
	if v.user != nil {
		e.ActorInstance = v.user.Instance.ID
	}
	// A call that makes an instance is about the one it made.
	if made, ok := o.answer.(interface{ GetInstanceId() string }); ok && e.Instance == "" && o.err == nil {
		e.Instance = ident.InstanceID(made.GetInstanceId())
	}
	return e
}
