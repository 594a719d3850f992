package call

import (
	"fmt"
	"slices"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/role"
)

// Rights say what a caller may on one instance.
type Rights interface {
	// Reach returns on what the caller holds a permission of role.Instance; on nothing when it has no
	// such permission.
	Reach(permission string) Reach
	// User is the caller; empty for a system user.
	User() ident.UserID
	// Org is the organization a call is for that names none: the one that the header x-zitadel-orgid
	// names, else that of the user. It is empty for a system user who sends no such header.
	Org() ident.OrgID
}

// Reach is on what of an instance a caller holds one permission. What it holds on something it holds
// on all that lies in it: the instance, its organizations, their projects, the grants of a project.
// The zero Reach is nothing.
type Reach struct {
	// Instance: on all of the instance. The lists may be empty then.
	Instance bool
	// Orgs, Projects and Grants (those of projects to other organizations) are what memberships are of.
	Orgs     []ident.OrgID
	Projects []ident.ProjectID
	Grants   []ident.GrantID
	// Self is the user itself, to whom some of what is its own is shown without any permission; empty
	// for a system user. It gives nothing else.
	Self ident.UserID
}

// None reports whether the caller holds the permission on nothing.
func (r Reach) None() bool {
	return !r.Instance && len(r.Orgs)+len(r.Projects)+len(r.Grants) == 0
}

// Org reports whether the caller holds the permission on an organization.
func (r Reach) Org(id ident.OrgID) bool {
	return r.Instance || slices.Contains(r.Orgs, id)
}

// Project reports whether the caller holds the permission on a project of an organization.
func (r Reach) Project(id ident.ProjectID, of ident.OrgID) bool {
	return r.Org(of) || slices.Contains(r.Projects, id)
}

// Grant reports whether the caller holds the permission on a grant of a project of an organization.
func (r Reach) Grant(id ident.GrantID, of ident.ProjectID, org ident.OrgID) bool {
	return r.Project(of, org) || slices.Contains(r.Grants, id)
}

// Denied is the answer to a known caller who does not hold the permission that a call needs on anything
// (contract section 4).
var Denied = fault.New(fault.PermissionDenied, "AUTH-5mWD2", "No matching permissions found")

// MayGive returns nil when a caller may give all of roles on something: on tells whether it lies in
// the reach of a permission. Nobody gives what it lacks: the caller needs each permission of each role
// there, or role.GiveAny, which owners of an instance or an organization have. Otherwise MayGive returns a fault of
// kind PermissionDenied (AUTH-5mWD2) that names the role. A role that is not known gives nothing, and whether it can be given
// there at all is for the caller to say.
func MayGive(rights Rights, roles []string, on func(Reach) bool) error {
	if on(rights.Reach(role.GiveAny)) {
		return nil
	}
	for _, name := range roles {
		for _, permission := range role.Instance.Permissions(name) {
			if !on(rights.Reach(permission)) {
				return fault.New(fault.PermissionDenied, Denied.ID, fmt.Sprintf(
					"No matching permissions found: the role %.200q has more than yours", name)).
					WithCause(fmt.Errorf("lacks %s", permission))
			}
		}
	}
	return nil
}
