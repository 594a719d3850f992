// Package access tells what must be known before a call about an instance may do anything: which
// instance a host leads to, whether it may be used at all, and whose a personal access token is.
//
// It owns no table and changes nothing. It reads those of instance, limit, quota, pat, user and
// member, because these questions are asked by every call and must cost no more than a look-up
// each: [Directory.ByHost] is one statement, [Directory.ByToken] that one and another. In which
// order the answers count is decided by dispatch; what a role grants by role; who a system user is
// by systemuser, which is beside it.
//
// No answer is kept for the next call, so an instance that is stopped, a token that expires and a
// member who is removed are so from then on, on every node (decision D1). All that is remembered is
// which tokens were of use, for these need not wait behind strangers, who get no more than their
// share of the database.
//
// It guarantees that a host means what instance.NormalizeDomain makes of it and nothing else
// (decision D10: it is given the Host or :authority alone); that a token is of use on the hosts of
// its own instance only; and that every token that is of no use gets the same answer, AUTH-7fs1e,
// whether it is unknown, expired, of another instance, or of a user who is no more.
package access
