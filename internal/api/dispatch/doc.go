// Package dispatch is what every call goes through, whatever its protocol (law 6 of the
// design): authenticate, authorise, validate, and account for the outcome, once, in that
// order, driven by the options in the proto files.
//
// It owns the order and the translation of store errors into faults. It does not know how
// a call comes in or how an answer is written (transport, which calls it), nor who may do
// what (systemuser).
//
// It guarantees that a handler runs only for a caller who holds the permission its RPC
// declares, with a request that keeps the rules its messages declare; that an anonymous
// caller gets the same answer whatever it asks for (decision D2); and that an RPC that
// declares no permission serves nobody.
package dispatch
