package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"syscall"
)

// ErrURL means that a URL can never be called, however often that is tried.
var ErrURL = errors.New("egress: the URL cannot be called")

// Error is why there was no answer. Its text is a sentence of our own and at most 150 bytes;
// errors.Is and errors.As find what is behind it.
type Error struct {
	reason string
	cause  error
}

// Error implements error.
func (e *Error) Error() string { return e.reason }

// Unwrap returns the cause, which may tell more than its reader should know.
func (e *Error) Unwrap() error { return e.cause }

// explain says in a sentence why a request failed. The errors of net/http repeat the URL, and
// some what the peer has sent.
func (c *Client) explain(ctx context.Context, err error) error {
	var (
		ours        *Error
		address     *AddressError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		record      tls.RecordHeaderError
		network     net.Error
	)
	because := func(reason string) error { return &Error{reason: reason, cause: err} }
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &address):
		return because(address.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return because("no answer within " + c.timeout.String())
	case errors.As(err, &name) && name.IsNotFound:
		return because("the host is not known")
	case errors.As(err, &name):
		return because("the name of the host could not be resolved")
	case errors.As(err, &certificate):
		return because("the certificate of the host cannot be verified")
	case errors.As(err, &alert), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return because("the host does not speak TLS as expected")
	case errors.Is(err, syscall.ECONNREFUSED):
		return because("the connection was refused")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return because("the host cannot be reached")
	case errors.As(err, &network) && network.Timeout():
		return because("the host took too long to connect")
	}
	return because("the request failed before there was a complete answer")
}
