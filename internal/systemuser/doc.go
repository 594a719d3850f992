// Package systemuser knows the users of the System API: their names, public keys and memberships.
// Some live in the configuration; others are added at run time, and live in the log and the
// database like any other noun, under the system in place of an instance ([ident.System]).
//
// It owns the forms of that configuration ([Parse], [Config]), the noun ([Noun]) and its commands
// ([Service]), the registry that tells who sent a token ([Registry]), the question whether a caller
// may do something ([Caller.May]), and the making of keys and tokens for the command line
// ([GenerateKey], [Mint]). It does not know users of instances, whose tokens other packages
// check, nor HTTP: it takes header values. Which roles grant what belongs to role.
//
// Events: system.user.added, system.user.key.rotated, system.user.removed.
//
// A system user proves who it is with a JSON Web Token it signed itself (contract section 4,
// RFC 7519), in compact form (RFC 7515 section 3.1). The token is accepted when
//   - it is at most [MaxToken] bytes long, each part is canonical base64url, header and
//     claims are JSON objects without repeated members, and the header has no crit or b64;
//   - aud is, or contains, the issuer of this system, see [Issuer];
//   - exp is later than in 1 s, iat is at most 1 s ahead and at most [MaxAge] old, nbf, if
//     present, is at most 1 s ahead; exp and iat are required;
//   - iss and sub are equal and name a system user;
//   - alg is one that fits the user's key, and the signature verifies with that key, never
//     with one the token brings (jwk, jku, x5c, x5u and kid are ignored);
//   - the user's certificate is valid, when its key is one.
//
// Tokens are not used up: one can be sent again until it is too old, so clients make them
// short-lived and the connection keeps them secret.
//
// It refuses to change a user of the configuration (SYSUSER-conf1), to give anybody what the giver
// does not have (SYSUSER-grant), and to remove the last user who can let others in (SYSUSER-last1).
//
// It guarantees that whoever fails any of these checks gets the same answer, AUTH-7fs1e, and
// only the log learns which one failed; that a reload changes all users or none, and takes
// effect for the next call, also for tokens seen before; that a user who is added, whose key is
// rotated or who is removed is so on every node once the call is answered (decision D1); that a
// call of a user of the configuration reads nothing from the database, any other one row, and a
// stranger nothing at all before its token is right in everything that needs no key; and that no
// key or token appears in an error.
package systemuser
