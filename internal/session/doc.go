// Package session is the noun for OIDC sessions: what refresh tokens belong to, and where it is written
// that access tokens are revoked.
//
// Events: oidc_session.added, oidc_session.access_token.added, oidc_session.access_token.revoked,
// oidc_session.refresh_token.added, oidc_session.refresh_token.renewed,
// oidc_session.refresh_token.revoked, oidc_session.expired.
//
// It owns what all tokens of a session have in common ([Facts]) and what each of them stands on
// ([Ground]). An access token names its session and its number in it, and says everything else itself
// (see token), so giving one out without a refresh token writes nothing: the session of such a token
// begins, if ever, with its revocation. Refresh tokens say which session they are of and which in its
// row they are; no secret of theirs is stored.
//
// It refuses refresh tokens that are unknown, too old, revoked or of another client (OIDCS-JOI23, the
// same for every reason). One that has been used before was copied: whoever uses it, the whole session
// is revoked (RFC 9700 section 4.14.2).
//
// A session is of no use once its last token has expired; then oidc_session.expired takes its row away
// ([Service.Sweep]). That is an event like others, so the rows stay the fold of the log whenever they
// are compared, and what was swept stays so in a rebuild. A token's expiry is in the token itself, and
// nothing waits for the sweep.
//
// It guarantees that of two who use one refresh token at the same time, on any node, one gets the next;
// that a revocation counts for every request that begins after it is answered; and that whoever revokes
// an access token revokes those given out before it in its session, and none given out later.
//
// Beside it: user, app, machinekey and pat hold what a session stands on, and are not known here: that
// they still are is asked by token, at each use.
package session
