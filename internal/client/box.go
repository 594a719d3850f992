package client

import (
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

// box is what connect sends and receives: a message of any type. With the types themselves connect would be compiled
// once for each pair of them, and be a thirtieth of the program.
type box struct{ message any } // a proto.Message

// calls returns what calls a procedure and receives into messages that fresh makes.
func (c *Client) calls(procedure string, fresh func() any) *connect.Client[box, box] {
	return connect.NewClient[box, box](c.http, c.base+procedure,
		connect.WithReadMaxBytes(maxAnswer),
		connect.WithCodec(codec{}),
		connect.WithResponseInitializer(func(_ connect.Spec, answer any) error {
			answer.(*box).message = fresh()
			return nil
		}),
	)
}

// asking is a request with a token.
func asking(request box, token string) *connect.Request[box] {
	asked := connect.NewRequest(&request)
	asked.Header().Set("Authorization", "Bearer "+token)
	return asked
}

// codec is the binary one of protobuf, for what is in a box.
type codec struct{}

var _ connect.Codec = codec{}

// Name implements [connect.Codec]: it is part of the content type.
func (codec) Name() string { return "proto" }

// Marshal implements [connect.Codec].
func (codec) Marshal(m any) ([]byte, error) { return proto.Marshal(m.(*box).message.(proto.Message)) }

// Unmarshal implements [connect.Codec].
func (codec) Unmarshal(data []byte, m any) error {
	return proto.Unmarshal(data, m.(*box).message.(proto.Message))
}
