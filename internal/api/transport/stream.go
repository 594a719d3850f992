package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// streamHandler returns the connect-go side of a method that streams its answers.
func (g *Registrar) streamHandler(m *method) *connect.Handler {
	return connect.NewServerStreamHandler(m.full, func(ctx context.Context, req *connect.Request[frame], out *connect.ServerStream[frame]) error {
		call := ctx.Value(callKey{}).(*Call)
		_, f := g.dispatch(ctx, call, req.Msg.decode, func(ctx context.Context, dec func(proto.Message) error) (proto.Message, error) {
			return nil, m.stream(m.impl, &serverStream{ctx: ctx, out: out, dec: dec})
		})
		if f != nil {
			return connectError(f)
		}
		return nil
	}, g.options...)
}

// serverStream is what generated code takes for the gRPC stream of a method with one request
// and many answers.
type serverStream struct {
	ctx      context.Context
	out      *connect.ServerStream[frame]
	dec      func(proto.Message) error
	received bool
}

// Context returns the context the dispatcher gave the call.
func (s *serverStream) Context() context.Context { return s.ctx }

// RecvMsg decodes and checks the request, once; then io.EOF.
func (s *serverStream) RecvMsg(m any) error {
	if s.received {
		return io.EOF
	}
	s.received = true
	return s.dec(m.(proto.Message))
}

// SendMsg sends one answer. Its error is a Canceled one when the caller has gone.
func (s *serverStream) SendMsg(m any) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	message, ok := m.(proto.Message)
	if !ok {
		return internal(fmt.Errorf("a %T is no message", m))
	}
	return s.out.Send(&frame{message: message})
}

// SetHeader adds to what is sent before the first answer.
func (s *serverStream) SetHeader(md metadata.MD) error {
	addMetadata(s.out.ResponseHeader(), md)
	return nil
}

// SendHeader sends the header at once.
func (s *serverStream) SendHeader(md metadata.MD) error {
	addMetadata(s.out.ResponseHeader(), md)
	return s.out.Send(nil)
}

// SetTrailer adds to what is sent after the last answer.
func (s *serverStream) SetTrailer(md metadata.MD) { addMetadata(s.out.ResponseTrailer(), md) }

// addMetadata adds gRPC metadata to a header; binary values are encoded as gRPC wants it.
func addMetadata(h http.Header, md metadata.MD) {
	for key, values := range md {
		for _, value := range values {
			if strings.HasSuffix(key, "-bin") {
				value = connect.EncodeBinaryHeader([]byte(value))
			}
			h.Add(key, value)
		}
	}
}
