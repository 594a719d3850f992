package member

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Holding is the roles that a user holds on something.
type Holding struct {
	Scope   Scope
	ScopeID string
	Owner   string // of the membership: the instance, or the organization
	// Granted is the organization to which a project is granted, of roles on the grant.
	Granted ident.OrgID
	Roles   []string
}

// In reports whether what the roles are held on lies in the reach of a permission.
func (h Holding) In(r call.Reach) bool {
	org := ident.OrgID(h.Owner)
	switch h.Scope {
	case Instance:
		return r.Instance
	case Org:
		return r.Org(ident.OrgID(h.ScopeID))
	case Project:
		return r.Project(ident.ProjectID(h.ScopeID), org)
	default:
		return r.Grant(ident.GrantID(h.ScopeID), "", org) || h.Granted != "" && r.Org(h.Granted)
	}
}

// Held returns what of a user's memberships counts against those who would act as it: of the instance, and of
// what belongs or is granted to its own organization, with the roles that count there. What the user is trusted with
// elsewhere in the instance is given to it by those who know who looks after it. It returns the errors of
// the database.
func Held(ctx context.Context, q store.Querier, at ident.InstanceID, user ident.UserID) ([]Holding, error) {
	held, err := store.All(ctx, q, func(row store.Scanner) (h Holding, err error) {
		var roles string
		err = row.Scan(&h.Scope, &h.ScopeID, &h.Owner, &h.Granted, &roles)
		h.Roles = slices.DeleteFunc(strings.Fields(roles), func(name string) bool { return !h.Scope.Takes(name) })
		return h, err
	}, `SELECT m.scope, m.scope_id, m.owner, COALESCE(g.granted_org_id, ''), m.roles FROM members m
 JOIN users u ON u.instance_id = m.instance_id AND u.user_id = m.user_id
 LEFT JOIN project_grants g ON g.instance_id = m.instance_id AND m.scope = $4 AND g.grant_id = m.scope_id
 WHERE m.instance_id = $1 AND m.user_id = $2 AND (m.scope = $3 OR m.owner = u.org_id OR g.granted_org_id = u.org_id)
 ORDER BY m.scope, m.scope_id`, at, user, Instance, ProjectGrant)
	if err != nil {
		return nil, fmt.Errorf("find what user %s of instance %s is a member of: %w", user, at, err)
	}
	return held, nil
}
