package transport_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	zitadelv1 "castellan/gen/zitadel/v1"
	"castellan/internal/api/transport"
	"castellan/internal/fault"
)

func TestEveryProtocolReachesTheHandlerThroughTheDispatcher(t *testing.T) {
	t.Parallel()
	eachWire(t, func(t *testing.T, w wire) {
		b := setup(t)
		in := message(t, `f_string: "héllo" f_int64: -9007199254740993 color: COLOR_BLUE child { names: ["a", ""] } f_bytes: "\377\000"`)
		var seen *transport.Call
		var checked, audited proto.Message
		b.gate.before = func(_ context.Context, c *transport.Call) error {
			seen = c
			c.ResponseHeader.Set("X-From-Dispatcher", "yes")
			return nil
		}
		b.gate.check = func(_ context.Context, m proto.Message) error { checked = proto.Clone(m); return nil }
		b.gate.after = func(_ *transport.Call, m proto.Message, _ error) { audited = m }
		got := w.call(t, b.start(t), in, http.Header{"X-Tenant": {"t1"}, "X-Request-Id": {"mine-1"}})
		if got.code != codes.OK {
			t.Fatalf("%v: %s", got.code, got.message)
		}
		for name, m := range map[string]proto.Message{"answer": got.answer, "checked": checked, "audited": audited} {
			if diff := cmp.Diff(proto.Message(in), m, protocmp.Transform()); diff != "" {
				t.Errorf("%s differs:\n%s", name, diff)
			}
		}
		if seen.FullMethod != createPath || seen.Method.FullName() != "castellan.transport.test.EchoService.Create" ||
			seen.Protocol != w.protocol || seen.HTTPMethod != "POST" || seen.RequestID != "mine-1" || seen.TLS ||
			!strings.HasPrefix(seen.Host, "127.0.0.1:") || !strings.HasPrefix(seen.Peer, "127.0.0.1:") ||
			seen.Header.Get("X-Tenant") != "t1" {
			t.Errorf("call is %+v", seen)
		}
		for k, want := range map[string]string{"X-Request-Id": "mine-1", "X-From-Dispatcher": "yes", "X-Content-Type-Options": "nosniff"} {
			if got.header.Get(k) != want {
				t.Errorf("%s is %q, want %q", k, got.header.Get(k), want)
			}
		}
	})
}

func TestErrorsAreTheSameOnEveryProtocol(t *testing.T) {
	t.Parallel()
	canceled := fault.Plain(fault.Internal, "internal error").WithCause(context.Canceled)
	cases := []struct {
		name    string
		err     error
		code    codes.Code
		message string
		details []proto.Message
		logged  int
	}{
		{name: "with id", err: fault.New(fault.NotFound, "ORG-1", "not here"), code: codes.NotFound, message: "not here (ORG-1)",
			details: []proto.Message{&zitadelv1.ErrorDetail{Id: "ORG-1", Message: "not here"}}},
		{name: "plain", err: fault.Plain(fault.AlreadyExists, "taken"), code: codes.AlreadyExists, message: "taken"},
		{name: "precondition", err: fault.New(fault.FailedPrecondition, "A-1", "no"), code: codes.FailedPrecondition, message: "no (A-1)",
			details: []proto.Message{&zitadelv1.ErrorDetail{Id: "A-1", Message: "no"}}},
		{name: "violation", err: fault.Invalid("V-1", "bad", "machine.name", "is empty"), code: codes.InvalidArgument, message: "bad (V-1)",
			details: []proto.Message{&zitadelv1.ErrorDetail{Id: "V-1", Message: "bad"}, &errdetails.BadRequest{
				FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "machine.name", Description: "is empty"}}}}},
		{name: "invalid UTF-8", err: fault.New(fault.InvalidArgument, "V-2", "bad \xff"), code: codes.InvalidArgument, message: "bad \uFFFD (V-2)",
			details: []proto.Message{&zitadelv1.ErrorDetail{Id: "V-2", Message: "bad \uFFFD"}}},
		{name: "internal", err: errors.New("secret cause"), code: codes.Internal, message: "internal error", logged: 1},
		{name: "unavailable", err: fault.Plain(fault.Unavailable, "try again").WithCause(errors.New("secret cause")),
			code: codes.Unavailable, message: "try again", logged: 1},
		{name: "generated stub", err: status.Error(codes.Unimplemented, "method Create not implemented"),
			code: codes.Unimplemented, message: "method Create not implemented"},
		{name: "status of ours", err: status.Error(codes.Unknown, "secret"), code: codes.Internal, message: "internal error", logged: 1},
		{name: "canceled", err: canceled, code: codes.Canceled, message: "the call was canceled"},
		{name: "deadline", err: context.DeadlineExceeded, code: codes.DeadlineExceeded, message: "the deadline of the call has passed"},
		{name: "aborted", err: fault.Plain(fault.Aborted, "lost"), code: codes.Aborted, message: "lost"},
		{name: "exhausted", err: fault.Plain(fault.ResourceExhausted, "slow down"), code: codes.ResourceExhausted, message: "slow down"},
		{name: "denied", err: fault.New(fault.PermissionDenied, "AUTH-5mWD2", "No matching permissions found"),
			code: codes.PermissionDenied, message: "No matching permissions found (AUTH-5mWD2)",
			details: []proto.Message{&zitadelv1.ErrorDetail{Id: "AUTH-5mWD2", Message: "No matching permissions found"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachWire(t, func(t *testing.T, w wire) {
				b := setup(t)
				b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) { return nil, c.err }
				got := w.call(t, b.start(t), newEverything(), http.Header{"X-Request-Id": {"r-7"}})
				if got.code != c.code || got.message != c.message {
					t.Errorf("%v %q, want %v %q", got.code, got.message, c.code, c.message)
				}
				if diff := cmp.Diff(c.details, got.details, protocmp.Transform()); diff != "" {
					t.Error(diff)
				}
				if n := b.log.lines("r-7"); c.logged != 0 && (n != 1 || b.log.lines(errText(c.err)) != 1) {
					t.Errorf("want the cause logged once with the request id:\n%s", b.log)
				}
				if got.header.Get("X-Request-Id") != "r-7" {
					t.Errorf("headers of the error: %v", got.header)
				}
			})
		})
	}
}

func errText(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

func TestPanicsAreAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	eachWire(t, func(t *testing.T, w wire) {
		b := setup(t)
		b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) { panic("kaboom") }
		var audited error
		b.gate.after = func(_ *transport.Call, _ proto.Message, err error) { audited = err }
		got := w.call(t, b.start(t), newEverything(), nil)
		if got.code != codes.Internal || got.message != "internal error" {
			t.Errorf("%v %q", got.code, got.message)
		}
		if fault.KindOf(audited) != fault.Internal || audited == nil {
			t.Errorf("the dispatcher saw %v", audited)
		}
		if b.log.lines("kaboom") != 1 || b.log.lines("calls_test.go") != 1 || b.log.lines("made-here") != 1 {
			t.Errorf("log:\n%s", b.log)
		}
	})
}

func TestPanicOfTheDispatcherIsAnswered(t *testing.T) {
	t.Parallel()
	eachWire(t, func(t *testing.T, w wire) {
		b := setup(t)
		b.gate.before = func(context.Context, *transport.Call) error { panic("kaboom") }
		if got := w.call(t, b.start(t), newEverything(), nil); got.code != codes.Internal {
			t.Errorf("%v %q", got.code, got.message)
		}
		if b.log.lines("kaboom") != 1 {
			t.Errorf("log:\n%s", b.log)
		}
	})
}

func TestRefusedCallsDoNotReachTheHandler(t *testing.T) {
	t.Parallel()
	refusal := fault.New(fault.PermissionDenied, "AUTH-1", "no")
	gates := map[string]*gate{
		"authentication": {before: func(context.Context, *transport.Call) error { return refusal }},
		"check":          {check: func(context.Context, proto.Message) error { return refusal }},
	}
	for name, g := range gates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWire(t, func(t *testing.T, w wire) {
				b := setup(t)
				*b.gate = *g
				b.echo.answer = func(context.Context, proto.Message) (proto.Message, error) {
					t.Error("the handler ran")
					return newEverything(), nil
				}
				if got := w.call(t, b.start(t), newEverything(), nil); got.code != codes.PermissionDenied {
					t.Errorf("%v %q", got.code, got.message)
				}
			})
		})
	}
}

func TestDispatcherMayAnswerItself(t *testing.T) {
	t.Parallel()
	eachWire(t, func(t *testing.T, w wire) {
		stored := message(t, `f_string: "as before"`)
		reg := transport.New(transport.Config{Dispatcher: answering{stored}})
		e := &echo{}
		reg.RegisterService(e.desc(), e)
		got := w.call(t, listen(t, reg.Handler()), newEverything(), nil)
		if got.code != codes.OK || !proto.Equal(got.answer, stored) {
			t.Errorf("%v %v", got.code, got.answer)
		}
	})
}

// answering is a Dispatcher that knows the answer.
type answering struct{ out proto.Message }

func (a answering) Dispatch(context.Context, *transport.Call, transport.Run) (proto.Message, error) {
	return a.out, nil
}

func TestBrokenDispatchersFailClosed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		dispatcher dispatchFunc
		code       codes.Code
	}{
		"no check":  {func(ctx context.Context, run transport.Run) (proto.Message, error) { return run(ctx, nil) }, codes.Internal},
		"no answer": {func(context.Context, transport.Run) (proto.Message, error) { return nil, nil }, codes.Internal},
		"runs twice": {func(ctx context.Context, run transport.Run) (proto.Message, error) {
			check := func(context.Context, proto.Message) error { return nil }
			if _, err := run(ctx, check); err != nil {
				return nil, err
			}
			return run(ctx, check)
		}, codes.Internal},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWire(t, func(t *testing.T, w wire) {
				log := &logBuffer{}
				reg := transport.New(transport.Config{Dispatcher: c.dispatcher, Logger: textLogger(log)})
				e := &echo{}
				reg.RegisterService(e.desc(), e)
				got := w.call(t, listen(t, reg.Handler()), newEverything(), nil)
				if got.code != c.code || log.String() == "" {
					t.Errorf("%v %q, log %q", got.code, got.message, log)
				}
			})
		})
	}
}

// dispatchFunc is a Dispatcher without a Call.
type dispatchFunc func(context.Context, transport.Run) (proto.Message, error)

func (f dispatchFunc) Dispatch(ctx context.Context, _ *transport.Call, run transport.Run) (proto.Message, error) {
	return f(ctx, run)
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"OK":              nil,
		"NotFound":        fault.Plain(fault.NotFound, "x"),
		"Internal":        errors.New("x"),
		"Canceled":        context.Canceled,
		"Unimplemented":   status.Error(codes.Unimplemented, "x"),
		"InvalidArgument": status.Error(codes.InvalidArgument, "x"),
		"Aborted":         connect.NewError(connect.CodeAborted, errors.New("x")),
	} {
		if got := transport.CodeOf(err); got != want {
			t.Errorf("CodeOf(%v) = %s, want %s", err, got, want)
		}
	}
}
