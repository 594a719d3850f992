// Package member is the noun for memberships: the roles a user holds on an instance, on one of its
// organizations, on a project, or on the grant of a project to another organization. The interface calls
// who holds one an administrator as well. A membership is an aggregate of its own, so that adding two
// administrators at the same time never collides.
//
// Events, for each of instance.member, org.member, project.member and project.grant.member: .added,
// .changed, .removed, and .cascade.removed, which follows from the removal of the user or of what the
// membership is about.
//
// It refuses roles that are not known or are for something else (see [Scope.Takes]), no roles at all, a
// second membership of a user on the same thing, and a user or thing that does not exist. Whether somebody
// may give a role is for others to say: see call.MayGive.
//
// It guarantees that who is a member exists, and what of: whoever removes a user, an organization, a
// project or a grant calls [RemoveAll] in the same write.
//
// Beside it: role says which permissions a role has; user is who holds a membership; authorization is what
// users may in the applications of a project; roster lists memberships.
package member
