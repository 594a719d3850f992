package transport

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	zitadelv1 "castellan/gen/zitadel/v1"
	"castellan/internal/fault"
)

// grpcCodes maps kinds to codes (contract section 1.3).
var grpcCodes = map[fault.Kind]codes.Code{
	fault.Internal:           codes.Internal,
	fault.InvalidArgument:    codes.InvalidArgument,
	fault.NotFound:           codes.NotFound,
	fault.AlreadyExists:      codes.AlreadyExists,
	fault.FailedPrecondition: codes.FailedPrecondition,
	fault.Unauthenticated:    codes.Unauthenticated,
	fault.PermissionDenied:   codes.PermissionDenied,
	fault.ResourceExhausted:  codes.ResourceExhausted,
	fault.Unavailable:        codes.Unavailable,
	fault.DeadlineExceeded:   codes.DeadlineExceeded,
	fault.Canceled:           codes.Canceled,
	fault.Unimplemented:      codes.Unimplemented,
	fault.Aborted:            codes.Aborted,
}

// classify returns err as a fault. Beyond faults it knows the errors of the libraries around
// us: context errors, gRPC statuses (which generated code returns for methods nobody has
// implemented) and connect errors (a stream that broke).
func classify(err error) *fault.Error {
	f := fault.Of(err)
	if f.Kind != fault.Internal {
		return f
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fault.Plain(fault.Canceled, "the call was canceled").WithCause(err)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Plain(fault.DeadlineExceeded, "the deadline of the call has passed").WithCause(err)
	}
	if errors.As(err, new(*fault.Error)) {
		return f
	}
	var ce *connect.Error
	if errors.As(err, &ce) {
		return coded(codes.Code(ce.Code()), ce.Message(), err)
	}
	var gs interface{ GRPCStatus() *status.Status }
	if errors.As(err, &gs) {
		return coded(gs.GRPCStatus().Code(), gs.GRPCStatus().Message(), err)
	}
	return f
}

// coded returns the fault for an error that has a code; Internal for a code without a kind.
// The message is kept only where it is about the caller's doing: that of a failure of ours may
// tell too much.
func coded(code codes.Code, message string, err error) *fault.Error {
	for kind, c := range grpcCodes {
		switch {
		case c != code || kind == fault.Internal:
		case kind == fault.Canceled: // writing to a caller who has left is no cause to log
			return fault.Plain(kind, message)
		default:
			return fault.Plain(kind, message).WithCause(err)
		}
	}
	return internal(err)
}

// codeOf returns the gRPC code of a fault.
func codeOf(f *fault.Error) codes.Code {
	if code, ok := grpcCodes[f.Kind]; ok {
		return code
	}
	return codes.Internal
}

// CodeOf returns the name of the gRPC code that err is answered with, in every protocol: OK
// for nil. Metrics count by it.
func CodeOf(err error) string {
	if err == nil {
		return codes.OK.String()
	}
	return codeOf(classify(err)).String()
}

// details returns what travels with the status: an ErrorDetail when the fault has an id, and
// the fields at fault when it names any.
func details(f *fault.Error) []*anypb.Any {
	var messages []proto.Message
	if f.ID != "" {
		messages = append(messages, &zitadelv1.ErrorDetail{Id: valid(f.ID), Message: valid(f.Message)})
	}
	if len(f.Violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range f.Violations {
			bad.FieldViolations = append(bad.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: valid(v.Field), Description: valid(v.Rule)})
		}
		messages = append(messages, bad)
	}
	var packed []*anypb.Any
	for _, m := range messages {
		detail, err := anypb.New(m)
		if err != nil {
			panic(err) // unreachable: marshalling fails on invalid UTF-8 only
		}
		packed = append(packed, detail)
	}
	return packed
}

// valid returns s as text that protobuf accepts.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// connectError returns the fault as the error connect-go sends over its three protocols.
func connectError(f *fault.Error) *connect.Error {
	err := connect.NewError(connect.Code(codeOf(f)), errors.New(valid(f.Public())))
	for _, d := range details(f) {
		if detail, bad := connect.NewErrorDetail(d); bad == nil { // an Any is taken as it is
			err.AddDetail(detail)
		}
	}
	return err
}

// statusJSON returns the fault as the google.rpc.Status of a REST answer (contract section 3.1).
func statusJSON(f *fault.Error) ([]byte, error) {
	text, err := protojson.Marshal(&statuspb.Status{
		Code:    int32(codeOf(f)),
		Message: valid(f.Public()),
		Details: details(f),
	})
	return compact(text), err
}
