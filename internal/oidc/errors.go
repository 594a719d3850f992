package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"castellan/internal/fault"
	"castellan/internal/store"
)

// The codes of errors (RFC 6749 section 5.2).
const (
	codeInvalidRequest = "invalid_request"
	codeInvalidClient  = "invalid_client"
	codeInvalidGrant   = "invalid_grant"
	codeUnauthorized   = "unauthorized_client"
	codeGrantType      = "unsupported_grant_type"
	codeInvalidScope   = "invalid_scope"
	codeInvalidProof   = "invalid_dpop_proof" // RFC 9449 section 5
	codeUnavailable    = "temporarily_unavailable"
	codeServerError    = "server_error"
)

// Error is an error as OAuth has them.
type Error struct {
	// Code is one of RFC 6749 section 5.2 and of its extensions.
	Code string
	// Description is for the people who write the client. It is ASCII without quotes and backslashes.
	Description string
	// Status is that of HTTP; 0 is 400.
	Status int
	cause  error
	// challenge is that of status 401 (RFC 9110 section 11.6.1).
	challenge string
	// retryAfter is when to try again.
	retryAfter time.Duration
}

// newError returns an error with status 400.
func newError(code, format string, args ...any) *Error {
	return &Error{Code: code, Description: fmt.Sprintf(format, args...)}
}

// with returns a copy with another status.
func (e *Error) with(status int) *Error {
	c := *e
	c.Status = status
	return &c
}

// because returns a copy whose hidden cause is err: it is logged, and never sent.
func (e *Error) because(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// Error is the text to log.
func (e *Error) Error() string {
	text := e.Code + ": " + e.Description
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// refusal is an answer in plain text: to whom asks no issuer, or one that is not served.
type refusal struct {
	status int
	text   string
}

// Error is the text to log.
func (e *refusal) Error() string { return e.text }

// notAllowed is the answer to a method that an endpoint does not have.
type notAllowed struct{ methods []string }

// Error is the text to log.
func (e *notAllowed) Error() string { return "the methods are " + strings.Join(e.methods, ", ") }

// allowed reports whether a method is one of an endpoint. HEAD is where GET is.
func allowed(methods []string, method string) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return slices.Contains(methods, method)
}

// fail answers a request with an error.
func (p *Provider) fail(w http.ResponseWriter, r *http.Request, err error) {
	var plain *refusal
	var method *notAllowed
	switch {
	case errors.As(err, &plain):
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, plain.text, plain.status)
		return
	case errors.As(err, &method):
		w.Header().Set("Allow", strings.Join(method.methods, ", "))
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	e := failed(err)
	if e.Status >= http.StatusInternalServerError {
		p.Logger.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
	}
	if e.challenge != "" {
		w.Header().Set("WWW-Authenticate", e.challenge)
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", seconds(e.retryAfter))
	}
	writeJSON(w, e.Status, struct {
		Code        string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, e.Description})
}

// failed returns any error as one of OAuth, with its status. What is our fault is server_error, and why is
// for the log alone.
func failed(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Status != 0:
		return e
	case e != nil:
		return e.with(http.StatusBadRequest)
	case errors.As(err, new(*http.MaxBytesError)):
		return newError(codeInvalidRequest, "the request is too large").with(http.StatusRequestEntityTooLarge)
	}
	var conflict *store.ConflictError
	switch {
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, store.ErrSerialization), errors.As(err, &conflict):
		return newError(codeUnavailable, "try again later").because(err).with(http.StatusServiceUnavailable)
	}
	f := fault.Of(err)
	switch f.Kind {
	case fault.InvalidArgument, fault.NotFound, fault.AlreadyExists, fault.FailedPrecondition:
		return newError(codeInvalidRequest, "%s", f.Public()).because(err).with(http.StatusBadRequest)
	case fault.ResourceExhausted:
		return newError(codeUnavailable, "%s", f.Public()).because(err).with(http.StatusTooManyRequests)
	case fault.Unavailable, fault.DeadlineExceeded, fault.Canceled, fault.Aborted:
		return newError(codeUnavailable, "try again later").because(err).with(http.StatusServiceUnavailable)
	case fault.Internal, fault.Unauthenticated, fault.PermissionDenied, fault.Unimplemented:
	}
	return newError(codeServerError, "internal error").because(err).with(http.StatusInternalServerError)
}
