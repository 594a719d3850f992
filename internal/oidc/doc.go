// Package oidc is what an instance is to OpenID Connect and OAuth 2.0: an issuer, with its endpoints
// (contract sections 5.3 and 5.4).
//
// It owns [Provider], whose fields are what the endpoints depend on, the table of endpoints
// ([Provider.endpoints]), and what all of them have in common: finding the instance and the issuer of a
// request, limits of size and time, CORS, JSON that nobody caches, and errors. It does not decide who may
// do what, nor what is in a token; it knows HTTP, and asks the packages of inner rings. An RPC is never
// served here: that is api/transport.
//
// # Which issuer
//
// The issuer is the scheme and the host the client has used, with the port if there was one, as every
// domain of an instance is an issuer of its own. A host that leads to no instance is told so in plain text
// with status 404 (contract section 3.3), a blocked instance answers 429, a stopped one 503.
//
// # What discovery says
//
// Only what works: there is no endpoint in it for what is not offered yet. Two members are required of
// every issuer although nobody can sign in interactively: authorization_endpoint, which answers every
// request with an OAuth error that says so, and response_types_supported, which must not be empty (RFC 8414
// sections 2 and 3.2). It is "none", the one response type that promises neither a code nor a token (OAuth 2.0
// Multiple Response Type Encoding Practices section 4). Client libraries need a list of known types that is
// not empty: those that check it (Nimbus in Spring, Authlib) refuse an empty one or one of empty text,
// and others (go-oidc, openid-client) do not look.
//
// request_uri_parameter_supported has to be said although it is false: what is left out is true.
//
// # Tokens
//
// The token endpoint takes POST alone, with a form in the body, and is 405 for all else. (The reference
// takes any method, and parameters in the URL: what has secrets in a URL ends up in logs.) Every grant goes
// through [Provider.token], which makes the checks that must not be forgotten: each parameter is there
// once; who asks does not do so too often (package throttle); a client authenticates in exactly one way; an
// assertion that has a jti counts once; scopes are bounded; a proof of possession is one for this request.
// A grant is an entry in [Provider.grants].
//
// Refresh tokens come of exchanges alone (record 0017), and are of use once. Introspection tells of one to the
// application it was given to, when token_type_hint says what it is; the reference never does.
//
// Errors are those of RFC 6749 section 5.2. A client that cannot be authenticated gets invalid_client, with
// status 401 and a challenge when it has tried the Authorization header and 400 otherwise; the reference
// tells a wrong secret (invalid_request) from an unknown client, and answers bad assertions with 500
// (decision D7). What a client can see in what it has sent it is told; whether a user, a client or a key is
// there, and whether it may act, it is not.
//
// # How an endpoint is added
//
// An endpoint is a method of Provider of the form of [endpoint.serve], and one entry in the table. It
// answers with [writeJSON], or returns an error: an [*Error] as OAuth has them, or any other, see [failed].
package oidc
