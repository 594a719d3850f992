// Package transport puts every method of ordinary generated gRPC services on the wire four
// times, through one door: as gRPC, gRPC-Web (binary and text), Connect, and REST with JSON.
//
// A [Registrar] is a grpc.ServiceRegistrar: the generated RegisterXServer functions fill it,
// and it is the http.Handler of the port (contract sections 3.1 and 3.2). Each call, whatever
// its protocol, becomes one [Call] and goes through one [Dispatcher].
//
// transport owns the protocols: routing, framing, JSON, limits on size, CORS, request ids,
// and the one place where a fault becomes a status (contract section 1.3). It does not own
// what a call means: who may make it, in which instance, and whether it is valid is decided
// by the Dispatcher; the answers come from the services. gRPC, gRPC-Web and Connect frames
// are connect-go's; the mapping to REST follows the google.api.http rules in the descriptors
// and is ours.
//
// connect-go reads one whole message, up to the limit on size, before it calls us. What it
// refuses while it does so (a message too large, broken framing or compression) the
// Dispatcher never sees; nothing else is refused before the Dispatcher has run.
//
// It guarantees that no handler runs but through the Dispatcher; that a request is decoded
// only after the Dispatcher has asked for it, so that a body no message can be made of fails
// after authentication (decision D2); that a cause of an error is logged once and never sent;
// that a panic is answered and logged; that a message larger than the limit is refused,
// compressed or not; and that the same message gives the same JSON text, byte for byte.
//
// Routes are kept in a trie for each HTTP method instead of on net/http's ServeMux, which
// refuses rules that overlap without one being more specific (24 of the 893 rules of the
// contract do) and answers unclean paths with redirects.
package transport
