package roster

import (
	"context"
	"fmt"
	"time"

	"castellan/internal/authorization"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Authorization is an authorization with who holds it, and what it is about.
type Authorization struct {
	ID                   ident.AuthorizationID
	CreatedAt, ChangedAt time.Time
	Status               authorization.Status
	Org                  ident.OrgID // in which it was given
	OrgName              string
	Project              ident.ProjectID
	ProjectName          string
	ProjectOrg           ident.OrgID // that owns the project
	Holder               Holder
	// Roles are in the order in which they were given.
	Roles []ProjectRole
}

// ProjectRole is a role of a project.
type ProjectRole struct {
	Key, DisplayName, Group string
}

// AuthorizationColumn is what authorizations are sorted by; the id decides between equals.
type AuthorizationColumn uint8

// The columns, of which the date of creation is the default.
const (
	ByAuthorizationCreation AuthorizationColumn = iota
	ByAuthorizationChange
	ByAuthorization
	ByAuthorizationUser
	ByAuthorizationProject
	ByAuthorizationOrg
	ByAuthorizationUserOrg
)

// authorizationColumns are those of the statement, in the order of their constants.
var authorizationColumns = [...]string{
	ByAuthorizationCreation: "a.created_at", ByAuthorizationChange: "a.changed_at", ByAuthorization: "a.authorization_id",
	ByAuthorizationUser: "a.user_id", ByAuthorizationProject: "a.project_id", ByAuthorizationOrg: "a.org_id", ByAuthorizationUserOrg: "u.org_id",
}

// AuthorizationSearch says which authorizations are wanted. All conditions must hold.
type AuthorizationSearch struct {
	Page search.Page
	By   AuthorizationColumn
	// Within is what the caller may see; what it holds itself it always may.
	Within call.Reach
	// IDs and Users are met by the authorizations of one of each list.
	IDs, Users   [][]string
	Orgs         []ident.OrgID // in which they were given
	Statuses     []authorization.Status
	UserOrgs     []ident.OrgID
	LoginNames   []search.Text
	DisplayNames []search.Text
	Projects     []ident.ProjectID
	ProjectNames []search.Text
	// Roles are met by those with one role whose key meets the condition.
	Roles  []search.Text
	Grants []ident.GrantID
}

// authorizations is what the list is made of.
const authorizations = `authorizations a
 JOIN users u ON u.instance_id = a.instance_id AND u.user_id = a.user_id
 JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id`

// Authorizations returns a page of the authorizations of an instance, and how many are on all pages. It
// returns the errors of store.DB.
func Authorizations(ctx context.Context, db store.DB, at ident.InstanceID, s AuthorizationSearch) (total int, page []Authorization, err error) {
	by := authorizationColumns[ByAuthorizationCreation]
	if int(s.By) < len(authorizationColumns) {
		by = authorizationColumns[s.By]
	}
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l, err := s.list(ctx, q, db.Dialect(), at)
		if err != nil {
			return err
		}
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, by); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		page, err = authorizationsOf(ctx, q, db.Dialect(), at, ids)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list the authorizations of instance %s: %w", at, err)
	}
	return total, page, nil
}

// list returns the list that a search makes.
func (s AuthorizationSearch) list(ctx context.Context, q store.Querier, d *store.Dialect, at ident.InstanceID) (*listing.List, error) {
	l := listing.New(d, authorizations, authorizationColumns[ByAuthorization])
	l.And("a.instance_id = " + l.Arg(at))
	l.Within(s.Within, listing.Columns{
		Org: "a.org_id", OtherOrg: "p.org_id", Project: "a.project_id", Grant: "a.project_grant_id", Self: "a.user_id",
	})
	for _, ids := range s.IDs {
		l.Among("a.authorization_id", ids...)
	}
	for _, ids := range s.Users {
		l.Among("a.user_id", ids...)
	}
	among(l, "a.org_id", s.Orgs)
	among(l, "a.state", s.Statuses)
	among(l, "u.org_id", s.UserOrgs)
	among(l, "a.project_id", s.Projects)
	among(l, "a.project_grant_id", s.Grants)
	l.Compare("u.username", s.LoginNames...)
	l.Compare(displayName, s.DisplayNames...)
	l.Compare("p.name", s.ProjectNames...)
	for _, role := range s.Roles {
		keys, err := rolesLike(ctx, q, at, role)
		if err != nil {
			return nil, err
		}
		l.And(`EXISTS (SELECT 1 FROM authorization_roles r WHERE r.instance_id = a.instance_id AND r.project_id = a.project_id
 AND r.authorization_id = a.authorization_id AND ` + d.InList("r.role_key", l.Arg(keys)) + `)`)
	}
	return l, nil
}

// among adds a condition for each value.
func among[T ~string](l *listing.List, column string, values []T) {
	for _, v := range values {
		l.Among(column, string(v))
	}
}

// rolesLike returns the keys of roles of an instance that meet a condition. Roles that are held exist, and
// of those there are few.
func rolesLike(ctx context.Context, q store.Querier, at ident.InstanceID, condition search.Text) ([]string, error) {
	if condition.Method == search.Equals {
		return []string{condition.Value}, nil
	}
	keys, match := []string{}, condition.Matcher()
	_, err := store.All(ctx, q, func(row store.Scanner) (none struct{}, err error) {
		var key string
		if err = row.Scan(&key); err == nil && match(key) {
			keys = append(keys, key)
		}
		return none, err
	}, `SELECT DISTINCT role_key FROM project_roles WHERE instance_id = $1`, at)
	return keys, err
}

// authorizationsOf returns the authorizations with some ids, in their order.
func authorizationsOf(ctx context.Context, q store.Querier, d *store.Dialect, at ident.InstanceID, ids []string) ([]Authorization, error) {
	projects := make(map[string]bool)
	found, err := store.All(ctx, q, func(row store.Scanner) (a Authorization, err error) {
		var created, changed int64
		var keys string
		dest := []any{
			&a.ID, &created, &changed, &a.Status, &a.Org, &a.OrgName, &a.Project, &a.ProjectName, &a.ProjectOrg, &keys,
		}
		if err := row.Scan(append(dest, a.Holder.dest()...)...); err != nil {
			return a, err
		}
		a.CreatedAt, a.ChangedAt = store.Time(created), store.Time(changed)
		projects[string(a.Project)] = true
		roles, err := authorization.DecodeRoles(keys)
		for _, key := range roles {
			a.Roles = append(a.Roles, ProjectRole{Key: key})
		}
		return a, err
	}, `SELECT a.authorization_id, a.created_at, a.changed_at, a.state, a.org_id, COALESCE(o.name, ''), a.project_id, p.name, p.org_id,
 a.role_keys, `+holder+` FROM `+authorizations+`
 LEFT JOIN orgs o ON o.instance_id = a.instance_id AND o.org_id = a.org_id
 WHERE a.instance_id = $1 AND `+d.InList("a.authorization_id", "$2"), at, ids)
	if err != nil {
		return nil, err
	}
	if err := nameRoles(ctx, q, d, at, found, projects); err != nil {
		return nil, err
	}
	return listing.Sort(ids, found, func(a Authorization) string { return string(a.ID) }), nil
}

// nameRoles completes the roles of authorizations for some projects.
func nameRoles(ctx context.Context, q store.Querier, d *store.Dialect, at ident.InstanceID, of []Authorization, projects map[string]bool) error {
	type name struct {
		project ident.ProjectID
		key     string
	}
	wanted := make(map[name]*ProjectRole)
	keys, ids := []string{}, []string{}
	for project := range projects {
		ids = append(ids, project)
	}
	for _, a := range of {
		for _, r := range a.Roles {
			if n := (name{a.Project, r.Key}); wanted[n] == nil {
				wanted[n] = &ProjectRole{Key: r.Key}
				keys = append(keys, r.Key)
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := store.All(ctx, q, func(row store.Scanner) (none struct{}, err error) {
		var n name
		var r ProjectRole
		if err = row.Scan(&n.project, &n.key, &r.DisplayName, &r.Group); err == nil && wanted[n] != nil {
			wanted[n].DisplayName, wanted[n].Group = r.DisplayName, r.Group
		}
		return none, err
	}, `SELECT project_id, role_key, display_name, group_name FROM project_roles
 WHERE instance_id = $1 AND `+d.InList("project_id", "$2")+` AND `+d.InList("role_key", "$3"), at, ids, keys)
	for _, a := range of {
		for i := range a.Roles {
			a.Roles[i] = *wanted[name{a.Project, a.Roles[i].Key}]
		}
	}
	return err
}
