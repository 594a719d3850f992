package dispatch

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"castellan/internal/access"
	"castellan/internal/api/transport"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/lapse"
	"castellan/internal/once"
	"castellan/internal/origin"
	"castellan/internal/systemuser"
)

// admission is what is known of a caller before its request is.
type admission struct {
	policy *policy
	// system is who calls, unless it is a user of an instance.
	system systemuser.Caller
	// user is the user of an instance who calls, or nil.
	user *access.User
	// thumbprint is that of the key its token is bound to; empty when it is to none.
	thumbprint string
}

// actor is who calls, as events and the audit log record it; empty for nobody.
func (a *admission) actor() ident.Actor {
	if a.user != nil {
		return ident.Actor(a.user.ID)
	}
	return a.system.Name
}

// Admit implements transport.Admitter: it authenticates.
func (d *Dispatcher) Admit(ctx context.Context, c *transport.Call) error {
	begin := time.Now()
	a, err := d.admit(ctx, c)
	if err != nil {
		err = translate(err)
		d.account(ctx, c, trace.SpanFromContext(ctx), err, time.Since(begin))
		return err
	}
	c.Admission = a
	return nil
}

// admit finds out who calls, as far as the method wants to know.
func (d *Dispatcher) admit(ctx context.Context, c *transport.Call) (a admission, err error) {
	if a, ok := c.Admission.(admission); ok {
		return a, nil
	}
	if a.policy = d.policyOf(c.Method); a.policy.public {
		return a, nil
	}
	authorization := c.Header["Authorization"]
	ctx, cancel := lapse.After(ctx, callTimeout)
	defer cancel()
	if bearer, ok := userToken(authorization); ok && d.Directory != nil {
		from, err := d.originOf(c)
		if err != nil {
			return a, err
		}
		user, err := d.Directory.ByBearer(ctx, from, bearer)
		if err != nil {
			return a, err
		}
		a.user = &user
		return a, nil
	}
	if text, ok := boundToken(authorization); ok && d.Directory != nil && d.Proofs != nil {
		user, thumbprint, err := d.byProof(ctx, c, text)
		if err != nil {
			return a, err
		}
		a.user, a.thumbprint = &user, thumbprint
		return a, nil
	}
	a.system, err = d.Users.Authenticate(ctx, authorization)
	return a, err
}

// originOf tells under which host a call came in.
func (d *Dispatcher) originOf(c *transport.Call) (origin.Origin, error) {
	return d.Origins.Resolve(origin.Request{Host: c.Host, Peer: c.Peer, TLS: c.TLS, Header: c.Header})
}

// userToken returns the token of a user of an instance that an Authorization header has; ok is false
// when it has none. What has not the form of one, or is no header as it must be, is left to the system
// users' authentication to refuse.
func userToken(authorization []string) (bearer string, ok bool) {
	bearer, err := systemuser.BearerToken(authorization)
	return bearer, err == nil && access.IsToken(bearer)
}

// idempotencyKey returns the caller's name for this call, or none. More than one is as bad as a bad
// one: which of them would count?
func idempotencyKey(header http.Header) (string, error) {
	values, sent := header["Idempotency-Key"]
	if !sent {
		return "", nil
	}
	key := strings.Join(values, " ")
	return key, once.CheckName(key)
}

// pageOf returns which page of a list the caller asks for by its header, or none. A call that has no
// such pages refuses the header: it would answer with the first page, again and again.
func pageOf(c *transport.Call, p *policy) (string, error) {
	page := strings.Join(c.Header[call.PageHeader], " ") // two are none that was ever given out
	if page != "" && !p.paged {
		const rule = "is for lists that answer with " + call.NextPageHeader
		return "", fault.Plain(fault.InvalidArgument, call.PageHeader+": "+rule).WithViolation(call.PageHeader, rule)
	}
	return page, nil
}
