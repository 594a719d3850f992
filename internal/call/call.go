// Package call carries what the dispatcher has found out about a call to the handler that
// serves it: who makes it, and under which key it may be repeated.
//
// It is the one thing castellan keeps in a context value. The instance is not among it:
// that is an argument, from the wire inward (law 3 of the design).
package call

import (
	"context"

	"castellan/internal/ident"
)

// Call is one authenticated call.
type Call struct {
	// Actor is who makes the call; events record it.
	Actor ident.Actor
	// ActorSequence is the sequence of the system user when it was authenticated, 0 for one of the
	// configuration. What changes the user later has a greater one.
	ActorSequence uint64
	// IdempotencyKey is the caller's name for this write (decision D11), or empty.
	IdempotencyKey string
}

type key struct{}

// With returns a context that carries c.
func With(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, key{}, c)
}

// From returns the call of ctx. It panics when there is none: a handler was reached around
// the dispatcher, and going on would act as nobody.
func From(ctx context.Context) Call {
	c, ok := ctx.Value(key{}).(Call)
	if !ok {
		panic("call: a handler ran without the dispatcher")
	}
	return c
}
