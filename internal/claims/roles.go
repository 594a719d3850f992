package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// projects returns the projects whose roles are told.
//
// Scopes ask for roles by key, or for those on all projects that they name as an audience. The project
// of the client is one of them whenever there are any, and also when its settings say so (contract
// section 5.6).
func (p *person) projects(use Use, wish Wish) (list []string) {
	add := func(id ident.ProjectID) {
		if id != "" && !slices.Contains(list, string(id)) {
			list = append(list, string(id))
		}
	}
	if use == Introspection {
		add(p.project)
		return list
	}
	if wish.ProjectsRoles || len(wish.Roles) > 0 {
		for _, id := range wish.Projects {
			add(id)
		}
		if wish.OwnProject {
			add(p.ownProject)
		}
	}
	if len(list) > 0 || len(wish.Roles) > 0 || p.assertsRoles(use) {
		add(p.project)
	}
	return list
}

// assertsRoles reports whether roles on the project of the client are told although no scope asks for
// them.
func (p *person) assertsRoles(use Use) bool {
	switch use {
	case AccessToken:
		return p.accessRoles
	case IDToken, IDTokenOnly:
		return p.idRoles
	default:
		return p.projectRoles
	}
}

// granted is an authorization that counts: roles on a project, in an organization.
type granted struct {
	project ident.ProjectID
	org     ident.OrgID
	domain  string // the primary domain of org
	roles   []string
}

// rolesSQL reads what a user is authorized for on the projects of a list, which follows. The organization
// of an authorization may have the project by a grant, which has to be active then.
const rolesSQL = `SELECT a.project_id, a.org_id, d.domain, a.role_keys, g.role_keys
 FROM authorizations a
 JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id AND p.state = 'active'
 JOIN orgs po ON po.instance_id = p.instance_id AND po.org_id = p.org_id AND po.state = 'active'
 JOIN orgs ao ON ao.instance_id = a.instance_id AND ao.org_id = a.org_id AND ao.state = 'active'
 LEFT JOIN org_domains d ON d.instance_id = a.instance_id AND d.org_id = a.org_id AND d.is_primary
 LEFT JOIN project_grants g ON g.instance_id = a.instance_id AND g.grant_id = a.project_grant_id AND g.state = 'active'
 WHERE a.instance_id = $1 AND a.user_id = $2 AND a.state = 'active'
 AND (a.project_grant_id = '' OR g.grant_id IS NOT NULL) AND `

// roles tells the roles of a user on projects. Those on the project of the client have a claim of their
// own, too.
func (c *Claims) roles(ctx context.Context, at ident.InstanceID, id ident.UserID, wish Wish, projects []string,
	ofClient ident.ProjectID, told map[string]any,
) error {
	all, err := store.All(ctx, c.db, scanGranted, c.rolesSQL, at, id, projects)
	if err != nil {
		return fmt.Errorf("read the roles of user %s of instance %s: %w", id, at, err)
	}
	of := make(map[ident.ProjectID]rolesOf)
	for _, g := range all {
		if len(wish.RolesOf) > 0 && !slices.Contains(wish.RolesOf, g.org) {
			continue
		}
		for _, key := range g.roles {
			if len(wish.Roles) > 0 && !slices.Contains(wish.Roles, key) {
				continue
			}
			if of[g.project] == nil {
				of[g.project] = make(rolesOf)
			}
			of[g.project].add(key, g.org, g.domain)
		}
	}
	for project, roles := range of {
		told[rolesOfClaimPrefix+string(project)+rolesOfClaimSuffix] = roles
		if project == ofClient {
			told[rolesClaim] = roles
		}
	}
	return nil
}

// rolesOf is a claim of roles: by key of the role the organizations it is held in, by id, with their
// primary domains.
type rolesOf map[string]map[ident.OrgID]string

func (r rolesOf) add(key string, id ident.OrgID, domain string) {
	if r[key] == nil {
		r[key] = make(map[ident.OrgID]string)
	}
	r[key][id] = domain
}

// scanGranted reads one row of rolesSQL. What the grant of a project does not have, the authorization
// does not give.
func scanGranted(row store.Scanner) (g granted, err error) {
	var (
		domain, limit *string
		keys          string
	)
	if err := row.Scan(&g.project, &g.org, &domain, &keys, &limit); err != nil {
		return g, err
	}
	if domain != nil {
		g.domain = *domain
	}
	if err := json.Unmarshal([]byte(keys), &g.roles); err != nil {
		return g, fmt.Errorf("roles of an authorization: %w", err)
	}
	if limit == nil {
		return g, nil
	}
	var within []string
	if err := json.Unmarshal([]byte(*limit), &within); err != nil {
		return g, fmt.Errorf("roles of a grant: %w", err)
	}
	g.roles = slices.DeleteFunc(g.roles, func(key string) bool { return !slices.Contains(within, key) })
	return g, nil
}

// Refusals of users whom a project does not take.
var (
	errNoAuthorization = fault.New(fault.PermissionDenied, "OIDC-foSyH49RvL", "Errors.User.GrantRequired")
	errNoProject       = fault.New(fault.PermissionDenied, "OIDC-foSyH49RvL", "Errors.User.ProjectRequired")
)

// admitsSQL reads what the project of a client asks of users, and whether it is one of the organization of a
// user, or granted to that.
const admitsSQL = `SELECT p.project_id, p.authorization_required, p.project_access_required,
 u.org_id = p.org_id OR g.grant_id IS NOT NULL
 FROM apps a
 JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
 JOIN users u ON u.instance_id = a.instance_id AND u.user_id = $2
 LEFT JOIN project_grants g ON g.instance_id = p.instance_id AND g.project_id = p.project_id
  AND g.granted_org_id = u.org_id AND g.state = 'active'
 WHERE a.instance_id = $1 AND a.client_id = $3`

// Admits returns nil when the project of a client takes a user. A project may ask that users are authorized
// for something on it, and that it is one of their organization, or granted to that; otherwise the answer is
// a fault of kind PermissionDenied (OIDC-foSyH49RvL). It is as q sees it, and returns the errors of store.DB.
func (c *Claims) Admits(ctx context.Context, q store.Querier, at ident.InstanceID, id ident.UserID, client string) error {
	var authorized, accessible, has bool
	project, err := store.One(ctx, q, func(row store.Scanner) (p string, err error) {
		return p, row.Scan(&p, &authorized, &accessible, &has)
	}, admitsSQL, at, id, client)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: there is no user %s, or no client %s", ErrInactive, id, client)
	case err != nil:
		return fmt.Errorf("read what the project of client %s asks of user %s: %w", client, id, err)
	case accessible && !has:
		return errNoProject
	case !authorized:
		return nil
	}
	all, err := store.All(ctx, q, scanGranted, c.rolesSQL, at, id, []string{project})
	if err != nil {
		return fmt.Errorf("read the roles of user %s of instance %s: %w", id, at, err)
	}
	if len(all) == 0 {
		return errNoAuthorization
	}
	return nil
}
