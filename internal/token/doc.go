// Package token makes and verifies the access tokens of users of an instance.
//
// It owns their two forms. A sealed token is one opaque text that only this system can open
// (vault.Bearers); a JWT says the same for everybody to read (RFC 9068), signed by the instance
// (signing). Which of them a user gets is a property of the user. It owns ID tokens too
// ([Service.IDToken]), and knows personal access tokens when it sees them, which pat keeps. It does not
// know who may have a token, nor what for: grants are oidc's. Sessions, in which refresh tokens and
// revocations live, belong to session.
//
// A token carries everything about itself, so giving one out writes nothing. It does not carry what may
// change: [Service.Verify] reads at each use, in one point read by primary keys, whether the user and its
// organization are active, whether the credential that led to the token is still there, is the same and has
// not expired, whether the application, its project and its organization are active, and whether the token
// or its session has been revoked. So all of these count for the next request, on every node (decision D1).
// A token that was made of others (RFC 8693) stands on what they stood on, at the cost of one more read for
// each, and one with an actor on its permission to act, at one more.
//
// It guarantees that a token is of use in its own instance only; that every token that is of no use gets
// the same answer, [ErrToken], whose cause only the log learns; that a sealed token that was made up, and
// a text that is no token at all, are refused before the database is asked; and that a token that is
// bound to a key is not taken without it (RFC 9449) by those who do not ask for bound ones.
package token
