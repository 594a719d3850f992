package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/fault"
)

// Protocol names how a call came in.
type Protocol string

// The protocols of the port (contract section 3.2).
const (
	GRPC    Protocol = "grpc"
	GRPCWeb Protocol = "grpc-web" // binary and text
	Connect Protocol = "connect"
	REST    Protocol = "rest"
)

// Call describes one call, before its request is decoded.
type Call struct {
	// Method is the method called, with its options.
	Method protoreflect.MethodDescriptor
	// FullMethod is its name on the wire: /package.Service/Method.
	FullMethod string
	Protocol   Protocol
	// RequestID is what the caller sent as X-Request-Id, or a new one when it sent none that
	// is 1 to 128 visible ASCII characters. The response carries it.
	RequestID string
	// HTTPMethod, Host and Peer are the verb, the Host (or :authority) header and the remote
	// network address of the request.
	HTTPMethod, Host, Peer string
	// Path is that of the URL of the request, as it was sent.
	Path string
	// TLS says whether the connection to this process is encrypted.
	TLS bool
	// Header is the header of the request. It must not be changed.
	Header http.Header
	// ResponseHeader is sent before the answer, on every protocol and with errors too. It may
	// be changed until the answer, or the first message of a stream, is sent.
	ResponseHeader http.Header
	// Admission is what the [Admitter] has found out; nil when it was not asked.
	Admission any
}

// Check is run on a decoded request before the handler sees it. Its error refuses the call.
type Check = func(ctx context.Context, request proto.Message) error

// Run decodes the request of a call, gives it to check, and calls the handler with ctx. It
// can be used once. The error is an InvalidArgument or ResourceExhausted fault when no request
// can be made of the body, that of check, or that of the handler; a panic of the handler is
// logged and returned as an Internal fault. The message is the response; for a method that
// streams its responses it is nil, and Run returns when the stream is over.
type Run = func(ctx context.Context, check Check) (proto.Message, error)

// Dispatcher does what must not be forgotten around each call, once, in order: what needs no
// request (authentication) before it uses run, what needs one (authorisation, validation) in
// check, and what looks at the outcome (audit) after it.
//
// It may answer without run. Its error, a fault or not, is what the caller gets, as contract
// sections 1.3 and 3.1 say. It must be safe for concurrent use.
type Dispatcher interface {
	Dispatch(ctx context.Context, call *Call, run Run) (proto.Message, error)
}

// Admitter is what a Dispatcher also implements to refuse calls by their header alone. Over gRPC,
// gRPC-Web and Connect a message is read as a whole before Dispatch; what Admit refuses is never
// read, so that a stranger can neither fill the memory nor learn what its message would have met.
// REST calls are not given to Admit: Dispatch comes before their body is read.
type Admitter interface {
	// Admit authenticates a call and sets its Admission, or returns why it is refused.
	Admit(ctx context.Context, call *Call) error
}

var (
	errPanic     = errors.New("panic") // the cause of faults whose panic is in the log already
	errRunTwice  = errors.New("the dispatcher ran a call twice")
	errUnchecked = errors.New("the handler did not ask for its request")
	errNoAnswer  = errors.New("neither an answer nor an error")
)

// internal is the fault for what can only be our mistake.
func internal(cause error) *fault.Error {
	return fault.Plain(fault.Internal, "internal error").WithCause(cause)
}

// handler decodes the request with dec, which also checks it, and answers.
type handler func(ctx context.Context, dec func(proto.Message) error) (proto.Message, error)

// dispatch runs one call through the dispatcher. decode fills the message it is given with
// the request; handle is the generated handler. The fault returned is logged already.
func (g *Registrar) dispatch(ctx context.Context, call *Call, decode func(proto.Message) error, handle handler) (proto.Message, *fault.Error) {
	used := false
	run := func(ctx context.Context, check Check) (out proto.Message, err error) {
		if used {
			return nil, internal(errRunTwice)
		}
		used = true
		defer g.rescue(ctx, call, &err)
		checked := false
		out, err = handle(ctx, func(in proto.Message) error {
			if err := decode(in); err != nil {
				return err
			}
			if err := check(ctx, in); err != nil {
				return err
			}
			checked = true
			return nil
		})
		if err == nil && !checked {
			return nil, internal(errUnchecked)
		}
		return out, err
	}
	out, err := g.guarded(ctx, call, run)
	if err != nil {
		f := classify(err)
		g.report(ctx, call, f)
		return nil, f
	}
	return out, nil
}

// guarded calls the dispatcher and turns a panic of its own into an error.
func (g *Registrar) guarded(ctx context.Context, call *Call, run Run) (out proto.Message, err error) {
	defer g.rescue(ctx, call, &err)
	return g.config.Dispatcher.Dispatch(ctx, call, run)
}

// rescue, deferred, logs a panic and puts an Internal fault in its place.
func (g *Registrar) rescue(ctx context.Context, call *Call, err *error) {
	p := recover()
	if p == nil {
		return
	}
	if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
		panic(p) // the way to tell net/http to drop the connection
	}
	g.config.Logger.ErrorContext(ctx, "panic in a call", "method", call.FullMethod,
		"request_id", call.RequestID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	*err = internal(errPanic)
}

// report logs the hidden cause of faults that are the server's doing.
func (g *Registrar) report(ctx context.Context, call *Call, f *fault.Error) {
	log := g.config.Logger.ErrorContext
	switch f.Kind {
	case fault.Internal:
		if errors.Is(f, errPanic) {
			return
		}
	case fault.Unavailable, fault.DeadlineExceeded, fault.Canceled:
		// A caller who left, or whose time ran out, is no news.
		if ctx.Err() != nil || errors.Unwrap(f) == nil {
			return
		}
		log = g.config.Logger.WarnContext
	default:
		return
	}
	log(ctx, "call failed", "method", call.FullMethod, "protocol", string(call.Protocol),
		"request_id", call.RequestID, "error", f.Error())
}
