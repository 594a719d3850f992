package project

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// What a caller is told of something that does not exist.
var (
	NotFound      = fault.New(fault.NotFound, "QUERY-fk2fs", "Errors.Project.NotFound")
	RoleNotFound  = fault.New(fault.NotFound, "COMMAND-vv8M9", "Errors.Project.Role.NotExisting")
	GrantNotFound = fault.New(fault.NotFound, "PROJECT-D8JxR", "Errors.Project.Grant.NotFound")
)

const projectColumns = `instance_id, project_id, org_id, name, state, role_assertion, authorization_required,
 project_access_required, private_labeling, sequence, created_at, changed_at`

const (
	getSQL  = `SELECT ` + projectColumns + ` FROM projects WHERE instance_id = $1 AND project_id = $2`
	keepSQL = `SELECT org_id FROM projects WHERE instance_id = $1 AND project_id = $2`
)

// Get returns a project. It returns [NotFound] when the instance has none with that id.
func Get(ctx context.Context, q store.Querier, at ident.InstanceID, id ident.ProjectID) (State, error) {
	return found(store.One(ctx, q, scan, getSQL, string(at), string(id)))(NotFound)
}

// Hold is [Get] within a write that changes the project, or takes away what others may build on: until
// tx ends nobody else does, nor adds to the project.
func Hold(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, id ident.ProjectID) (State, error) {
	return found(store.One(ctx, tx, scan, getSQL+d.ForUpdate, string(at), string(id)))(NotFound)
}

// Keep is for whoever adds something to a project: until tx ends nobody removes the project nor what
// belongs to it, and others may add too. It returns the organization of the project, and [NotFound] when
// there is none.
func Keep(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, id ident.ProjectID) (ident.OrgID, error) {
	org, err := found(store.One(ctx, tx, scanText, keepSQL+d.ForKeyShare, string(at), string(id)))(NotFound)
	return ident.OrgID(org), err
}

// PageOfOrg returns at most limit projects of an organization, whose ids follow after, and locks them.
func PageOfOrg(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, org ident.OrgID, after ident.ProjectID, limit int) ([]State, error) {
	return store.All(ctx, tx, scan, `SELECT `+projectColumns+` FROM projects
 WHERE instance_id = $1 AND org_id = $2 AND project_id > $3 ORDER BY project_id LIMIT $4`+d.ForUpdate,
		string(at), string(org), string(after), limit)
}

// found returns the answer to a question, in which absent takes the place of no row.
func found[T any](answer T, err error) func(absent *fault.Error) (T, error) {
	return func(absent *fault.Error) (T, error) {
		var none T
		switch {
		case errors.Is(err, store.ErrNotFound):
			return none, absent
		case err != nil:
			return none, fmt.Errorf("look for something of a project: %w", err)
		}
		return answer, nil
	}
}

const roleColumns = `instance_id, project_id, role_key, role_id, org_id, display_name, group_name, sequence, created_at, changed_at`

// HoldRole returns a role within a write that changes it. It returns [RoleNotFound] when the project has
// none with that key.
func HoldRole(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, of ident.ProjectID, key string) (Role, error) {
	return found(store.One(ctx, tx, scanRole, `SELECT `+roleColumns+` FROM project_roles
 WHERE instance_id = $1 AND project_id = $2 AND role_key = $3`+d.ForUpdate, string(at), string(of), key))(RoleNotFound)
}

// Roles returns at most limit roles of a project, whose keys follow after, within a write that holds the
// project.
func Roles(ctx context.Context, tx store.Tx, at ident.InstanceID, of ident.ProjectID, after string, limit int) ([]Role, error) {
	return store.All(ctx, tx, scanRole, `SELECT `+roleColumns+` FROM project_roles
 WHERE instance_id = $1 AND project_id = $2 AND role_key > $3 ORDER BY role_key LIMIT $4`, string(at), string(of), after, limit)
}

// has returns which of some keys are those of roles of a project, which a write keeps.
func has(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, of ident.ProjectID, keys []string) ([]string, error) {
	return store.All(ctx, tx, scanText, `SELECT role_key FROM project_roles
 WHERE instance_id = $1 AND project_id = $2 AND `+d.InList("role_key", "$3"), string(at), string(of), keys)
}

const grantColumns = `instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state, sequence, created_at, changed_at`

// HoldGrant returns the grant of a project to an organization within a write that changes it. It returns
// [GrantNotFound] when there is none.
func HoldGrant(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, of ident.ProjectID, to ident.OrgID) (Grant, error) {
	return found(store.One(ctx, tx, scanGrant, `SELECT `+grantColumns+` FROM project_grants
 WHERE instance_id = $1 AND project_id = $2 AND granted_org_id = $3`+d.ForUpdate, string(at), string(of), string(to)))(GrantNotFound)
}

// GrantsOf returns at most limit grants of a project, whose organizations follow after, and locks them.
func GrantsOf(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, of ident.ProjectID, after ident.OrgID, limit int) ([]Grant, error) {
	return store.All(ctx, tx, scanGrant, `SELECT `+grantColumns+` FROM project_grants
 WHERE instance_id = $1 AND project_id = $2 AND granted_org_id > $3 ORDER BY granted_org_id LIMIT $4`+d.ForUpdate,
		string(at), string(of), string(after), limit)
}

// GrantsTo returns at most limit grants to an organization, whose ids follow after, and locks them.
func GrantsTo(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, to ident.OrgID, after ident.GrantID, limit int) ([]Grant, error) {
	return store.All(ctx, tx, scanGrant, `SELECT `+grantColumns+` FROM project_grants
 WHERE instance_id = $1 AND granted_org_id = $2 AND grant_id > $3 ORDER BY grant_id LIMIT $4`+d.ForUpdate,
		string(at), string(to), string(after), limit)
}

func scan(row store.Scanner) (s State, err error) {
	var (
		instance         ident.InstanceID
		id, org, state   string
		sequence         uint64
		created, changed int64
	)
	err = row.Scan(&instance, &id, &org, &s.Name, &state, &s.RoleAssertion, &s.AuthorizationRequired,
		&s.AccessRequired, &s.Labeling, &sequence, &created, &changed)
	s.Head = eventlog.Restore(instance, id, org, sequence, created, changed)
	s.Active = state == stateOf(true)
	return s, err
}

func scanRole(row store.Scanner) (r Role, err error) {
	var (
		instance         ident.InstanceID
		id, org          string
		sequence         uint64
		created, changed int64
	)
	err = row.Scan(&instance, &r.Project, &r.Key, &id, &org, &r.DisplayName, &r.Group, &sequence, &created, &changed)
	r.Head = eventlog.Restore(instance, id, org, sequence, created, changed)
	return r, err
}

func scanGrant(row store.Scanner) (g Grant, err error) {
	var (
		instance         ident.InstanceID
		id, org, state   string
		roles            string
		sequence         uint64
		created, changed int64
	)
	if err := row.Scan(&instance, &id, &g.Project, &org, &g.Org, &roles, &state, &sequence, &created, &changed); err != nil {
		return g, err
	}
	g.Head = eventlog.Restore(instance, id, org, sequence, created, changed)
	g.Active = state == stateOf(true)
	g.Roles, err = decodeRoles(roles)
	return g, err
}

func scanText(row store.Scanner) (text string, err error) { return text, row.Scan(&text) }
