// Package member is the noun for memberships: the roles a user holds on an instance or on
// one of its organizations. A membership is an aggregate of its own, so that adding two
// administrators at the same time never collides.
//
// Events: instance.member.added, org.member.added.
//
// It refuses nothing yet: the only memberships are those of an instance's first owner.
//
// Beside it: role says which permissions a role has; user is who holds a membership.
package member
