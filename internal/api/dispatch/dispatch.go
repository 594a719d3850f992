package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"castellan/internal/access"
	"castellan/internal/api/transport"
	"castellan/internal/audit"
	"castellan/internal/call"
	"castellan/internal/dpop"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/lapse"
	"castellan/internal/origin"
	"castellan/internal/quota"
	"castellan/internal/store"
	"castellan/internal/systemuser"
)

// Authenticator finds out which system user a caller is.
type Authenticator interface {
	// Authenticate takes the values of the Authorization header. It returns a fault of kind
	// Unauthenticated for anyone it does not know.
	Authenticate(ctx context.Context, authorization []string) (systemuser.Caller, error)
}

// Directory knows instances by their hosts, and the users of instances by their tokens.
type Directory interface {
	// ByOrigin returns a fault of kind NotFound for a request whose host leads to no instance.
	ByOrigin(ctx context.Context, o origin.Origin) (access.Instance, error)
	// ByBearer returns the user of the instance of an origin who has sent a token of which access.IsToken
	// is true. It returns a fault of kind Unauthenticated when there is none.
	ByBearer(ctx context.Context, o origin.Origin, bearer string) (access.User, error)
	// ByBound is ByBearer of a token that is bound to a key with a thumbprint, which was proved.
	ByBound(ctx context.Context, o origin.Origin, bearer, thumbprint string) (access.User, error)
	// FindOrg returns the organization of an instance that an id or a verified domain stands for. It
	// returns a fault of kind PermissionDenied when there is none.
	FindOrg(ctx context.Context, at ident.InstanceID, name string) (ident.OrgID, error)
	// Owner tells where a thing lies. It returns access.Missing of its kind when it is not there.
	Owner(ctx context.Context, at ident.InstanceID, t access.Thing) (access.Owner, error)
}

// Meter counts what instances use of their quotas.
type Meter interface {
	// Admit counts one use, or returns a fault of kind ResourceExhausted when nothing is left. Zero
	// terms are no quota.
	Admit(ctx context.Context, instance ident.InstanceID, terms quota.Terms) error
}

// Dispatcher implements transport.Dispatcher.
type Dispatcher struct {
	// Users knows the system users.
	Users Authenticator
	// Directory knows instances and their users. Without it nobody is a user of an instance, and
	// calls by host are not served.
	Directory Directory
	// Origins tells under which host a call came in; nil: under its own, no proxy is trusted.
	Origins *origin.Resolver
	// Proofs checks that callers have the keys their tokens are bound to; nil: no such tokens are taken.
	Proofs *dpop.Checker
	// Meter counts the calls of the users of instances; nil: they are not counted.
	Meter Meter
	// Audit takes an entry for each call that [Dispatcher.AuditReads] says; nil: nothing is audited.
	Audit *audit.Log
	// AuditReads makes calls that change nothing be audited too. Without it they are when refused. Of
	// the calls of users of instances that come to nothing only the first of a kind in a minute is.
	AuditReads bool
	// Logger takes a line for each call at level debug.
	Logger *slog.Logger
	// Metrics counts calls.
	Metrics *Metrics
	// PublicServices are services of others, named as in their proto files, that anyone may
	// call: they cannot declare it themselves.
	PublicServices []string

	policies sync.Map // protoreflect.FullName of the method -> *policy
}

var (
	_ transport.Dispatcher = (*Dispatcher)(nil)
	_ transport.Admitter   = (*Dispatcher)(nil)
)

// callTimeout is how long a call with one answer may take. A client that wants it shorter says
// so in its own protocol; one that waits longer has been forgotten by those before it.
const callTimeout = 30 * time.Second

// Dispatch implements transport.Dispatcher.
func (d *Dispatcher) Dispatch(ctx context.Context, c *transport.Call, run transport.Run) (proto.Message, error) {
	begin := time.Now()
	ctx, span := d.trace(ctx, c)
	defer span.End()
	if !c.Method.IsStreamingServer() {
		var cancel context.CancelFunc
		ctx, cancel = lapse.After(ctx, callTimeout)
		defer cancel()
	}
	var v visit
	defer v.slot.Release() // nothing is left of it unless the program panics

	answer, err := d.serve(ctx, c, &v, run)

	err = translate(err)
	took := time.Since(begin)
	d.account(ctx, c, span, err, took)
	d.audit(ctx, c, &v, outcome{answer: answer, err: err, at: begin, took: took})
	v.setCookie(c, err)
	return answer, err
}

// serve is the way of a call: who is it, may it, is it well formed, do it.
func (d *Dispatcher) serve(ctx context.Context, c *transport.Call, v *visit, run transport.Run) (_ proto.Message, err error) {
	if v.admission, err = d.admit(ctx, c); err != nil {
		return nil, err
	}
	if v.policy.public {
		if ctx, err = d.enterPublic(ctx, c, v); err != nil {
			return nil, err
		}
		return run(ctx, func(_ context.Context, request proto.Message) error { return validate(request) })
	}
	key, err := idempotencyKey(c.Header)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(c, v.policy)
	if err != nil {
		return nil, err
	}
	if v.policy.hosted() {
		if ctx, err = d.enter(ctx, c, v); err != nil {
			return nil, err
		}
	}
	known := call.Call{
		Actor: v.actor(), ActorSequence: v.system.Sequence, ActorKey: v.system.Key, Rights: v.rights,
		IdempotencyKey: key, Page: page, Answer: c.ResponseHeader,
	}
	if c.Method.IsStreamingServer() && !v.policy.hosted() {
		known.Again = d.again(c, v)
	}
	ctx = call.With(ctx, known)
	return run(ctx, func(ctx context.Context, request proto.Message) error { return d.check(ctx, c, v, request) })
}

// translate turns errors of the store into faults. A conflict no noun has an answer to is a
// race the caller may run again.
func translate(err error) error {
	var (
		known    *fault.Error
		conflict *store.ConflictError
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, eventlog.ErrNoInstance): // it was removed while the call was under way
		return fault.Plain(fault.NotFound, "Instance not found").WithCause(err)
	case errors.Is(err, store.ErrUnavailable):
		return fault.Plain(fault.Unavailable, "the database is not available; try again").WithCause(err)
	case errors.Is(err, store.ErrSerialization), errors.As(err, &conflict):
		return fault.Plain(fault.Aborted, "another call changed the same thing at the same time; try again").WithCause(err)
	}
	return err
}

var tracer = otel.Tracer("castellan")

// trace begins the span of a call, continuing the trace of its caller (W3C Trace Context).
func (d *Dispatcher) trace(ctx context.Context, c *transport.Call) (context.Context, trace.Span) {
	ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(c.Header))
	return tracer.Start(ctx, strings.TrimPrefix(c.FullMethod, "/"), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			attribute.String("rpc.system", string(c.Protocol)),
			attribute.String("castellan.request_id", c.RequestID),
		))
}

// account records how a call went.
func (d *Dispatcher) account(ctx context.Context, c *transport.Call, span trace.Span, err error, took time.Duration) {
	code := transport.CodeOf(err)
	d.Metrics.observe(c, code, took)
	if err != nil {
		span.SetStatus(codes.Error, code)
	}
	if d.Logger.Enabled(ctx, slog.LevelDebug) {
		d.Logger.LogAttrs(ctx, slog.LevelDebug, "call",
			slog.String("method", c.FullMethod), slog.String("protocol", string(c.Protocol)),
			slog.String("code", code), slog.Duration("took", took), slog.String("request_id", c.RequestID),
			slog.String("peer", c.Peer))
	}
}
