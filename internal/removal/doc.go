// Package removal takes something away with everything below it: a user, a project, a role or a grant of
// one, an organization.
//
// It owns the order of things and the rule that all of it happens in one transaction. Each thing ends with
// an event of its own, in its own history, what lies below before what it lies in: so the rows are the fold
// of the log afterwards as before, and who follows the log is told of everything that is gone. What a
// thing is and what else it is about belongs to its noun.
//
//	organization   users, projects, grants to it, authorizations given in it, memberships, policies
//	project        applications with their keys, authorizations, grants, roles, memberships
//	grant          authorizations that rest on it, memberships
//	role           nothing: it goes from the grants and authorizations that have it, which stay
//	user           tokens, keys, metadata, authorizations, memberships, sessions
//
// It refuses to remove the default organization of an instance (COMMA-wG9p1), the organization that owns
// the project of the instance itself (COMMA-AF3JW), and that project (PROJECT-self1).
//
// It guarantees that of an organization of any size only a page is held in memory at a time; that nothing
// is added meanwhile to what is removed, for who adds something keeps what it adds to; and that names,
// domains and user names are free when it returns. Ids are not: nothing that comes later is mistaken for what
// was.
//
// What a session stands on is asked at each use of a token, so one that begins while its user is being
// removed is of no use; its row goes when it would have expired.
package removal
