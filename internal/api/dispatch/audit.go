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

// audits reports whether calls of an RPC are written down however they end.
func (d *Dispatcher) audits(p *policy) bool { return p.write || d.AuditReads }

// reserve takes the place in the audit log of a call whose handler runs next, and waits for one
// before anything is done that could not be written down.
func (d *Dispatcher) reserve(ctx context.Context, v *visit) (err error) {
	if d.Audit == nil || !d.audits(v.policy) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout) // a stream has no limit of its own
	defer cancel()
	v.slot, err = d.Audit.Reserve(ctx)
	return err
}

// audit writes down a call of somebody we know that wrote, or tried to, or was refused. Calls of
// strangers are only counted: they could fill the log.
func (d *Dispatcher) audit(ctx context.Context, c *transport.Call, v *visit, o outcome) {
	switch {
	case d.Audit == nil || v.actor() == "":
	case v.slot.Held():
		v.slot.Record(entryOf(c, v, o))
	case d.audits(v.policy) || refused(o.err):
		d.auditRefused(ctx, c, v, o)
	}
}

// auditRefused writes down a call whose handler did not run. It has changed nothing, and waits for
// nothing. The users of instances are many, and unknown to the operator: of theirs only the first of
// a kind is written, and the others are counted.
func (d *Dispatcher) auditRefused(ctx context.Context, c *transport.Call, v *visit, o outcome) {
	e := entryOf(c, v, o)
	if v.user != nil {
		d.Metrics.omitted(d.Audit.RecordFirst(e))
		return
	}
	if !d.Audit.TryRecord(e) {
		d.Logger.WarnContext(ctx, "no place in the audit log", "entry", e)
	}
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
