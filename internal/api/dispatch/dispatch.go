package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/api/transport"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/once"
	"castellan/internal/store"
	"castellan/internal/systemuser"

	optionsv1 "castellan/gen/castellan/options/v1"
)

// Authenticator finds out who a caller is.
type Authenticator interface {
	// Authenticate takes the values of the Authorization header. It returns a fault of kind
	// Unauthenticated for anyone it does not know.
	Authenticate(ctx context.Context, authorization []string) (systemuser.Caller, error)
}

// Dispatcher implements transport.Dispatcher.
type Dispatcher struct {
	// Users knows the system users.
	Users Authenticator
	// Logger takes a line for each call at level debug.
	Logger *slog.Logger
	// Metrics counts calls.
	Metrics *Metrics
	// PublicServices are services of others, named as in their proto files, that anyone may
	// call: they cannot declare it themselves.
	PublicServices []string

	policies sync.Map // protoreflect.FullName of the method -> policy
}

var (
	_ transport.Dispatcher = (*Dispatcher)(nil)
	_ transport.Admitter   = (*Dispatcher)(nil)
)

// policy is what the proto file of an RPC declares.
type policy struct {
	permission string
	public     bool
}

// errUndeclared refuses RPCs nobody has thought about.
var errUndeclared = fault.Plain(fault.PermissionDenied, "this method declares no permission")

// admission is what is known of a caller before its request is.
type admission struct {
	policy policy
	caller systemuser.Caller
	call   call.Call
}

// Admit implements transport.Admitter: it authenticates.
func (d *Dispatcher) Admit(ctx context.Context, c *transport.Call) error {
	begin := time.Now()
	a, err := d.admit(ctx, c)
	if err != nil {
		d.account(ctx, c, trace.SpanFromContext(ctx), err, time.Since(begin))
		return err
	}
	c.Admission = a
	return nil
}

// admit finds out who calls, as far as the method wants to know.
func (d *Dispatcher) admit(ctx context.Context, c *transport.Call) (a admission, err error) {
	if a, ok := c.Admission.(admission); ok {
		return a, nil
	}
	if a.policy = d.policyOf(c.Method); a.policy.public {
		return a, nil
	}
	if a.caller, err = d.Users.Authenticate(ctx, c.Header["Authorization"]); err != nil {
		return a, err
	}
	// More than one key is as bad as a bad one: which of them would count?
	key := strings.Join(c.Header["Idempotency-Key"], " ")
	if _, sent := c.Header["Idempotency-Key"]; sent {
		err = once.CheckName(key)
	}
	a.call = call.Call{Actor: a.caller.Name, IdempotencyKey: key}
	return a, err
}

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
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}

	answer, err := d.serve(ctx, c, run)

	err = translate(err)
	d.account(ctx, c, span, err, time.Since(begin))
	return answer, err
}

// serve is the way of a call: who is it, may it, is it well formed, do it.
func (d *Dispatcher) serve(ctx context.Context, c *transport.Call, run transport.Run) (proto.Message, error) {
	a, err := d.admit(ctx, c)
	if err != nil {
		return nil, err
	}
	if !a.policy.public {
		ctx = call.With(ctx, a.call)
	}
	return run(ctx, func(_ context.Context, request proto.Message) error {
		if !a.policy.public {
			if a.policy.permission == "" {
				return errUndeclared
			}
			if err := a.caller.May(a.policy.permission, scopeOf(request, c.Header)); err != nil {
				return err
			}
		}
		return validate(request)
	})
}

// scopeOf says what a call is about, as far as memberships care (contract section 4).
func scopeOf(request proto.Message, header http.Header) systemuser.Scope {
	scope := systemuser.Scope{Org: ident.OrgID(header.Get("X-Zitadel-Orgid"))}
	if r, ok := request.(interface{ GetInstanceId() string }); ok {
		scope.Instance = ident.InstanceID(r.GetInstanceId())
	}
	return scope
}

// policyOf returns what the proto file declares for a method; it is looked up once.
func (d *Dispatcher) policyOf(m protoreflect.MethodDescriptor) policy {
	if p, ok := d.policies.Load(m.FullName()); ok {
		return p.(policy)
	}
	var p policy
	if auth, ok := proto.GetExtension(m.Options(), optionsv1.E_Auth).(*optionsv1.Auth); ok {
		p.permission, p.public = auth.GetPermission(), auth.GetPublic()
	}
	for _, name := range d.PublicServices {
		p.public = p.public || string(m.Parent().FullName()) == name
	}
	d.policies.Store(m.FullName(), p)
	return p
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
