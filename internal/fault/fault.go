// Package fault is the one error type of castellan.
//
// A fault has a kind, a stable id, a message that is safe to show to the caller, and a
// hidden cause. The wire turns it into a gRPC status, an HTTP body or an OAuth error, in
// one place each; the cause is logged there and never sent.
//
// fault owns the kinds and how a fault prints. It does not know any protocol: the mapping
// of a kind to a status code belongs to the wire. It guarantees that [Error.Error] includes
// the cause (for logs) and that [Error.Public] never does.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind says what went wrong, in the terms of contract section 1.3.
type Kind uint8

// The kinds. Internal is the zero value, so an error nobody classified is never shown as
// the caller's doing.
const (
	Internal           Kind = iota
	InvalidArgument         // the input is wrong, whatever the state
	NotFound                // the object does not exist, or is not visible to the caller
	AlreadyExists           // a unique name or id is taken
	FailedPrecondition      // the input is right, the state does not allow it
	Unauthenticated         // nobody, or nobody we know
	PermissionDenied        // known, and not allowed
	ResourceExhausted       // a limit or quota; trying later may help
	Unavailable             // a dependency is away; trying again soon may help
	DeadlineExceeded        // the time the caller gave ran out
	Canceled                // the caller went away
	Unimplemented           // declared, and not there
	Aborted                 // lost a race that the caller may run again
)

// Violation names one field of the input and the rule it breaks.
type Violation struct {
	Field string // the path in proto names, for example machine.user_name
	Rule  string // a sentence for people, without the field
}

// Error is a fault. Make one with [New] or [Plain] and enrich it with the With methods,
// each of which returns a copy, so that package-level faults can be shared.
type Error struct {
	Kind Kind
	// ID is stable and documented (contract errors.tsv), for example AUTH-7fs1e. Empty for
	// plain faults, which carry no detail on the wire.
	ID string
	// Message is safe to show to the caller.
	Message string
	// Violations are the fields at fault, for InvalidArgument.
	Violations []Violation
	// cause is logged, never sent.
	cause error
}

// New returns a fault with an id.
func New(kind Kind, id, message string) *Error {
	return &Error{Kind: kind, ID: id, Message: message}
}

// Plain returns a fault without an id; contract section 1.3 lists the cases that have none.
func Plain(kind Kind, message string) *Error {
	return &Error{Kind: kind, Message: message}
}

// Invalid returns an InvalidArgument fault that names one field and the rule it breaks.
func Invalid(id, message, field, rule string) *Error {
	return New(InvalidArgument, id, message).WithViolation(field, rule)
}

// WithCause returns a copy whose hidden cause is err.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// WithViolation returns a copy that names one more field.
func (e *Error) WithViolation(field, rule string) *Error {
	c := *e
	c.Violations = append(append([]Violation(nil), e.Violations...), Violation{Field: field, Rule: rule})
	return &c
}

// Public is the text to send: the message, with the id in parentheses when there is one
// (contract section 1.3).
func (e *Error) Public() string {
	if e.ID == "" {
		return e.Message
	}
	return e.Message + " (" + e.ID + ")"
}

// Error is the text to log: the public text, the violations and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Public())
	for _, v := range e.Violations {
		fmt.Fprintf(&b, "; %s: %s", v.Field, v.Rule)
	}
	if e.cause != nil {
		b.WriteString(": ")
		b.WriteString(e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is compare faults by kind and id, so that a copy with a cause still
// equals the fault it was copied from.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.ID == e.ID && t.Message == e.Message
}

// Renamed returns err with the violations of one field told of another: as the caller calls it, where
// that is another name than the one who found the fault knows. Other errors come back as they are.
func Renamed(err error, from, to string) error {
	var e *Error
	if !errors.As(err, &e) || len(e.Violations) == 0 {
		return err
	}
	c := *e
	c.Violations = slices.Clone(e.Violations)
	for i := range c.Violations {
		if c.Violations[i].Field == from {
			c.Violations[i].Field = to
		}
	}
	return &c
}

// Of returns err as a fault. An error that is none becomes an Internal fault with err as
// its hidden cause; nil stays nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return Plain(Internal, "internal error").WithCause(err)
}

// KindOf returns the kind of err, Internal when it is no fault.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	return Internal
}
