package systemuser

import (
	"fmt"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/role"
)

// MemberType is what a membership is of.
type MemberType uint8

// memberTypes are the types by their names, in lower case.
var memberTypes = map[string]MemberType{"system": System, "iam": IAM, "organization": Organization}

// MarshalText implements encoding.TextMarshaler with the name of the type, in lower case. It returns
// an error for one that is none.
func (t MemberType) MarshalText() ([]byte, error) {
	for name, known := range memberTypes {
		if known == t {
			return []byte(name), nil
		}
	}
	return nil, fmt.Errorf("%d is no type of membership", t)
}

// UnmarshalText implements encoding.TextUnmarshaler for what MarshalText returns.
func (t *MemberType) UnmarshalText(text []byte) error {
	known, ok := memberTypes[string(text)]
	if !ok {
		return fmt.Errorf("%.100q is no type of membership", text)
	}
	*t = known
	return nil
}

// The types a system user can have (contract section 4). The zero MemberType is none.
const (
	System       MemberType = iota + 1 // everything
	IAM                                // one instance
	Organization                       // one organization
)

// Membership gives roles, within what it is of.
type Membership struct {
	Type MemberType `json:"type"`
	// AggregateID is the instance or organization; empty for System.
	AggregateID string `json:"aggregateId,omitempty"`
	// Roles count as role.System says. ORG_* and PROJECT_* roles may be configured, as in the
	// reference, and grant a system user nothing.
	Roles []string `json:"roles"`
}

// Caller is a system user that has proved who it is. Its memberships are shared: read only.
type Caller struct {
	Name        ident.Actor
	Memberships []Membership
	// Sequence is that of a user of the database when it was looked up; 0 for one of the
	// configuration.
	Sequence uint64
	// Key is the fingerprint of the key that signed the token, see [KeyInfo].
	Key string
}

// Proof is what is kept of a [Caller] while its call goes on, to find out later whether it still is
// who it was, see [Registry.Still].
type Proof struct {
	Name     ident.Actor
	Sequence uint64
	Key      string
}

// Scope is what a call is about. Empty means none in particular.
type Scope struct {
	Instance ident.InstanceID
	Org      ident.OrgID
}

// May returns nil when a membership that covers scope grants permission, and otherwise a
// fault of kind PermissionDenied (AUTH-5mWD2). Memberships of the system cover everything,
// those of an instance or organization only calls about it. Ids of organizations are unique
// over instances as this program makes them.
func (c Caller) May(permission string, scope Scope) error {
	for i := range c.Memberships {
		m := &c.Memberships[i]
		if !m.covers(scope) {
			continue
		}
		for _, name := range m.Roles {
			if role.System.Grants(name, permission) {
				return nil
			}
		}
	}
	return call.Denied.WithCause(fmt.Errorf("system user %q has no %s for instance %q, organization %q",
		c.Name, permission, scope.Instance, scope.Org))
}

func (m *Membership) covers(scope Scope) bool {
	switch m.Type {
	case System:
		return true
	case IAM:
		return m.AggregateID != "" && m.AggregateID == string(scope.Instance)
	case Organization:
		return m.AggregateID != "" && m.AggregateID == string(scope.Org)
	default:
		return false
	}
}

// On returns what the caller may on an instance, as role.System says, for a call that is about an
// organization of it, if any: one that was found there. Memberships of the system and of the instance
// reach all of it, one of the organization what lies in that.
func (c Caller) On(instance ident.InstanceID, org ident.OrgID) call.Rights {
	return rights{caller: c, instance: instance, org: org}
}

// rights implements call.Rights.
type rights struct {
	caller   Caller
	instance ident.InstanceID
	org      ident.OrgID
}

// Reach implements call.Rights.
func (r rights) Reach(permission string) (to call.Reach) {
	if r.caller.May(permission, Scope{Instance: r.instance}) == nil {
		return call.Reach{Instance: true}
	}
	if r.org != "" && r.caller.May(permission, Scope{Org: r.org}) == nil {
		return call.Reach{Orgs: []ident.OrgID{r.org}}
	}
	return to
}

// User implements call.Rights: a system user is no user of the instance.
func (rights) User() ident.UserID { return "" }

// Org implements call.Rights.
func (r rights) Org() ident.OrgID { return r.org }
