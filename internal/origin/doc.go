// Package origin tells under which scheme and host a request came in: which host leads to its instance,
// and which one issuers, links and cookies carry.
//
// It owns the question whose word counts (decision D10). By default that is the Host, or :authority, of
// the request and nothing else. Headers in which a proxy says what its client has sent count only from
// peers the operator has configured as trusted; from anybody else they are not even read. A trusted proxy
// must set the headers it does not want its clients to send.
//
// From a trusted proxy (contract section 3.3)
//   - the host that leads to the instance is the first that is there of X-Zitadel-Instance-Host, the
//     host of Forwarded (RFC 7239) and of X-Zitadel-Forwarded, which has the same form,
//     X-Forwarded-Host, and the request's own. X-Forwarded-For is not among them: it has addresses;
//   - the public host is that of X-Zitadel-Public-Host, if any;
//   - the scheme is the proto of Forwarded, X-Zitadel-Forwarded or X-Forwarded-Proto, in this order.
//
// All of these headers must be well-formed and short, and must not contradict themselves: where several
// proxies have added to one, all must have seen the same. One that does is refused, whether it would have
// counted or not.
//
// It does not know instances: whether a host leads to one, and whether a public host is one of its
// trusted domains, is for access. It keeps no state, and reads nothing but the request.
//
// It guarantees that without trusted proxies an [Origin] is made of the Host and the connection alone;
// and that a host it takes from a header is a name or an address of ASCII characters, perhaps with a port.
package origin
