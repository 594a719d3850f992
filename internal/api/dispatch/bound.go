package dispatch

import (
	"context"
	"errors"
	"strings"

	"castellan/internal/access"
	"castellan/internal/api/transport"
	"castellan/internal/dpop"
	"castellan/internal/fault"
)

// errProof is the answer to a token that is bound to a key, without a proof of it for the call.
var errProof = fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")

// boundToken returns the access token of an Authorization header of scheme DPoP (RFC 9449 section 7.1); ok is
// false when it is of another scheme, or not exactly one.
func boundToken(authorization []string) (text string, ok bool) {
	if len(authorization) != 1 {
		return "", false
	}
	scheme, text, _ := strings.Cut(authorization[0], " ")
	return strings.TrimSpace(text), strings.EqualFold(scheme, "DPoP")
}

// byProof returns the user of an instance whose token is bound to a key that the call proves to have. What the
// proof is made for is the request as the client has sent it: its verb, and the URL without query. Only after
// the token has proved to be of use is the proof used up.
func (d *Dispatcher) byProof(ctx context.Context, c *transport.Call, text string) (user access.User, thumbprint string, err error) {
	from, err := d.originOf(c)
	if err != nil {
		return user, "", err
	}
	proof, err := d.Proofs.Read(c.Header.Values("DPoP"), dpop.Request{Method: c.HTTPMethod, URL: from.Issuer() + c.Path, Token: text})
	if err == nil {
		user, err = d.Directory.ByBound(ctx, from, text, proof.Thumbprint)
	}
	if err == nil {
		err = d.Proofs.Spend(ctx, user.Instance.ID, proof)
	}
	switch {
	case errors.Is(err, dpop.ErrProof):
		challenge(c, "invalid_dpop_proof")
		err = errProof.WithCause(err)
	case fault.KindOf(err) == fault.Unauthenticated:
		challenge(c, "invalid_token")
	}
	return user, proof.Thumbprint, err
}

// challenge tells a client that binds its tokens what was not good (RFC 9449 section 7.1). Others are told
// what clients of the reference know.
func challenge(c *transport.Call, code string) {
	c.ResponseHeader.Set("WWW-Authenticate", `DPoP error="`+code+`", algs="`+strings.Join(dpop.Algorithms(), " ")+`"`)
}

// stillBound returns the user of a call that goes on, who has proved to have a key when it began.
func (d *Dispatcher) stillBound(ctx context.Context, c *transport.Call, thumbprint string) (user access.User, err error) {
	from, err := d.originOf(c)
	if err != nil {
		return user, err
	}
	text, _ := boundToken(c.Header["Authorization"])
	return d.Directory.ByBound(ctx, from, text, thumbprint)
}
