package access

import (
	"fmt"
	"slices"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/role"
)

// User is a user of an instance who has shown a token. It implements call.Rights.
type User struct {
	ID ident.UserID
	// Instance is the one whose user it is.
	Instance Instance
	// ResourceOwner is the organization it belongs to.
	ResourceOwner ident.OrgID
	// Memberships are all it has in its instance.
	Memberships []Membership
	// org is the organization that a call of it is for; empty: its own.
	org ident.OrgID
}

var _ call.Rights = User{}

// Membership is the roles that a user holds on something.
type Membership struct {
	Scope member.Scope
	// ID is that of what Scope says.
	ID    string
	Roles []string
	// Owner is the organization that what ID names belongs to; of the instance it is none of them.
	Owner ident.OrgID
}

// grants reports whether one of the roles that count grants a permission.
func (m *Membership) grants(permission string) bool {
	for _, name := range m.Roles {
		if m.Scope.Takes(name) && role.Instance.Grants(name, permission) {
			return true
		}
	}
	return false
}

// Reach implements call.Rights.
func (u User) Reach(permission string) call.Reach {
	reach := call.Reach{Self: u.ID}
	for i := range u.Memberships {
		m := &u.Memberships[i]
		if !m.grants(permission) {
			continue
		}
		switch m.Scope {
		case member.Instance:
			reach.Instance = reach.Instance || m.ID == string(u.Instance.ID)
		case member.Org:
			reach.Orgs = append(reach.Orgs, ident.OrgID(m.ID))
		case member.Project:
			reach.Projects = append(reach.Projects, ident.ProjectID(m.ID))
		case member.ProjectGrant:
			reach.Grants = append(reach.Grants, ident.GrantID(m.ID))
		}
	}
	return reach
}

// User implements call.Rights.
func (u User) User() ident.UserID { return u.ID }

// Org implements call.Rights.
func (u User) Org() ident.OrgID {
	if u.org != "" {
		return u.org
	}
	return u.ResourceOwner
}

// For returns the user as the caller of a call for an organization of its instance, which is there: its own, or one
// in which it is a member of something. It returns [NoOrg] for others: of these it does not learn that they are
// there.
func (u User) For(org ident.OrgID) (User, error) {
	at := func(m Membership) bool { return m.Scope == member.Instance || m.Owner == org }
	if org != u.ResourceOwner && !slices.ContainsFunc(u.Memberships, at) {
		return User{}, NoOrg.WithCause(fmt.Errorf("user %s is no member in organization %s", u.ID, org))
	}
	u.org = org
	return u, nil
}

// May returns nil when the user is a member of the instance a call is about with an IAM_* role that
// grants permission, and otherwise a fault of kind PermissionDenied (AUTH-5mWD2), the same whether
// there is such an instance or not.
func (u User) May(permission string, about ident.InstanceID) error {
	if about != "" && about == u.Instance.ID && u.Reach(permission).Instance {
		return nil
	}
	return call.Denied.WithCause(fmt.Errorf("user %s of instance %s has no %s for instance %.200q",
		u.ID, u.Instance.ID, permission, about))
}
