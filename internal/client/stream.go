package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
)

// Stream makes one call with many answers, and hands each to see until there are no more, see
// returns an error, or ctx ends. Its errors are those of see, of ctx, or of package connect; see
// [Client.Explain]. A server that says nothing for too long has gone.
func Stream[Req, Res any](ctx context.Context, c *Client, procedure string, request *Req, see func(*Res) error) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var begun atomic.Bool
	alive := time.AfterFunc(c.timeout, func() { // the first answer comes at once
		if begun.Load() {
			cancel(fmt.Errorf("%s has said nothing for %s", c.base, c.silence))
		} else {
			cancel(context.DeadlineExceeded)
		}
	})
	defer alive.Stop()
	begin := sync.OnceFunc(c.wait("waiting for " + c.base))
	defer begin()
	stream, err := c.calls(procedure, func() any { return new(Res) }).CallServerStream(ctx, asking(box{request}, token))
	if err != nil {
		return cause(ctx, err)
	}
	defer func() { _ = stream.Close() }() // what it said last is known by then
	for stream.Receive() {
		begin()
		begun.Store(true)
		alive.Reset(c.silence)
		if err := see(stream.Msg().message.(*Res)); err != nil {
			return err
		}
	}
	return cause(ctx, stream.Err())
}

// cause returns why ctx has ended, if that is why err came to be, else err.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Temporary says whether a stream that ended with err may go on later: the connection broke, or the
// server stops, is busy, or cannot read its database.
func Temporary(err error) bool {
	var refused *connect.Error
	if errors.Is(err, errRefused) {
		return false
	}
	if err == nil || !errors.As(err, &refused) || !connect.IsWireError(err) {
		return true
	}
	switch refused.Code() {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeAborted, connect.CodeDeadlineExceeded:
		return true
	default:
		return false
	}
}
