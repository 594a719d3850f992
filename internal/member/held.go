package member

import (
	"context"
	"fmt"
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
		return r.Grant(ident.GrantID(h.ScopeID), "", org)
	}
}

// Held returns all that a user is a member of. It returns the errors of the database.
func Held(ctx context.Context, q store.Querier, at ident.InstanceID, user ident.UserID) ([]Holding, error) {
	held, err := store.All(ctx, q, func(row store.Scanner) (h Holding, err error) {
		var roles string
		err = row.Scan(&h.Scope, &h.ScopeID, &h.Owner, &roles)
		h.Roles = strings.Fields(roles)
		return h, err
	}, `SELECT scope, scope_id, owner, roles FROM members WHERE instance_id = $1 AND user_id = $2`, at, user)
	if err != nil {
		return nil, fmt.Errorf("find what user %s of instance %s is a member of: %w", user, at, err)
	}
	return held, nil
}
