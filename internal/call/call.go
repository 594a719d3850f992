// Package call carries what the dispatcher has found out about a call to the handler that
// serves it: who makes it, what the caller may on an instance, under which key it may be repeated,
// and which page of a list it is about.
//
// It is what a handler finds in its context. The instance is not among it: that is an argument, from
// the wire inward (law 3 of the design; how it gets past generated signatures, package bind says).
package call

import (
	"context"
	"net/http"

	"castellan/internal/ident"
)

// Call is one authenticated call.
type Call struct {
	// Actor is who makes the call; events record it.
	Actor ident.Actor
	// ActorSequence is the sequence of the system user when it was authenticated, 0 for one of the
	// configuration. What changes the user later has a greater one.
	ActorSequence uint64
	// ActorKey is the fingerprint of the key by which the system user was authenticated; empty for
	// others.
	ActorKey string
	// Rights are those on the instance that a call of an instance's own API is about; nil for the
	// calls of operators, whose requests name the instance.
	Rights Rights
	// IdempotencyKey is the caller's name for this write (decision D11), or empty.
	IdempotencyKey string
	// Page is where the page of a list begins that the caller asks for, as it sent it in
	// [PageHeader]; empty when it did not.
	Page string
	// Again, of a call that streams, finds out whether the caller would be let in now as it was then. It
	// returns what it would be told otherwise. Nil for others, and for calls of an instance's own API.
	Again func(ctx context.Context) error
	// Answer is the header of the answer, on every protocol; nil in tests that have none.
	Answer http.Header
}

// The headers, over gRPC metadata, with which lists are read page after page on any node. The
// value is opaque: it belongs to one caller and one search, and what it was made of cannot be read.
const (
	// PageHeader says in a request where the page begins, instead of the offset of the query. Calls
	// other than ListInstances refuse it.
	PageHeader = "Castellan-Page"
	// NextPageHeader says in an answer where the next page begins, when there may be one.
	NextPageHeader = "Castellan-Next-Page"
)

// ShowNextPage puts the beginning of the next page into the answer; an empty one is none.
func (c Call) ShowNextPage(page string) {
	if c.Answer != nil && page != "" {
		c.Answer.Set(NextPageHeader, page)
	}
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
