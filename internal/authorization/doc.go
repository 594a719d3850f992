// Package authorization is the noun for authorizations: the roles of a project that a user holds. The
// interface calls them user grants as well; they say what somebody may in the applications of a project,
// and nothing about castellan itself, which is what member is for.
//
// An authorization belongs to the organization in which it was given: the one that owns the project, or
// one that the project is granted to, which then gives no more than the grant has.
//
// Events: user.grant.added, .changed, .cascade.changed, .deactivated, .reactivated, .removed,
// .cascade.removed. Those with cascade follow from something else that changed.
//
// It refuses a user, a project or a grant that does not exist, roles that the project does not have or
// the grant does not pass on, and a second authorization of a user for the same project in the same
// organization.
//
// It guarantees that roles that are held exist: whoever takes a role from a project, or from a grant,
// calls [Withdraw] in the same write, and who removes a user, a project, a grant or an organization calls
// [RemoveAll].
//
// Beside it: project has roles and grants; user is who holds them; roster lists authorizations with both.
package authorization
