// Package project is the noun for projects: what applications, roles and authorizations are grouped in,
// and the audience of access tokens. It has three kinds of aggregates: a project, a role of one, and a
// grant of one to another organization, whose administrators then authorize users of their own for it.
//
// Roles and grants are aggregates of their own although they are part of a project, as clients know it. A
// state is loaded and compared as a whole by every command; a project that is granted to thousands of
// organizations would make each of them cost thousands of rows, and everybody who changes one grant
// would wait for everybody who changes another. What they have to agree on they agree on by the row of
// the project: who adds to a project keeps it ([Keep]), who takes away what others build on holds it
// ([Hold]). A role has an id that nobody sees, so that its key can be used again when it was removed.
//
// Events: project.added, .changed, .deactivated, .reactivated, .removed; project.role.added, .changed,
// .removed; project.grant.added, .changed, .cascade.changed, .deactivated, .reactivated, .removed. What is
// called cascade follows from something else that changed.
//
// It refuses blank names (PROJECT-IOVCC, COMMAND-4m9vS), names, keys and grants there are already
// (V3-DKcYh), ids that were ever used (COMMAND-opamwu), states a project is in (COMMAND-mki55,
// COMMAND-5M9bs), roles a project does not have (COMMAND-6m9gd) and organizations there are not
// (COMMAND-3m9gg), and to change the project of the instance itself (PROJECT-self1), which is what tokens
// for its API are for.
//
// It guarantees that names are unique in their organization whatever their case, keys of roles in
// their project; that a project is granted to an organization once; and that a grant has roles of its
// project alone, as long as who removes a role calls [WithdrawRole].
//
// Beside it: org owns projects; app and authorization belong to them; removal takes all of that away
// with a project.
package project
