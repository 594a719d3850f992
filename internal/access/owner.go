package access

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/app"
	"castellan/internal/authorization"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/org"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/user"
)

// Kind is what an id names.
type Kind uint8

// The kinds of things that lie in an organization.
const (
	// Org is an organization, which lies in itself.
	Org Kind = iota + 1
	// OrgDomain is an organization by one of its verified domains, in any case.
	OrgDomain
	UserKind
	Project
	// ProjectGrant is a grant of a project, the first id, to an organization, the second one. It lies
	// in its project.
	ProjectGrant
	// GrantedProject is the same grant, lying also in the organization it is granted to.
	GrantedProject
	App
	// AppKey is a key of an app. It lies where its app does.
	AppKey
	// Authorization is what a user was given on a project. It lies in its own organization, and in its
	// project and that one's organization; and in the grant through which it was given, if any.
	Authorization
)

// Thing names something of an instance.
type Thing struct {
	Kind Kind
	ID   string
	// Second is the second id, of kinds that have two.
	Second string
}

// Owner is where a thing lies. What it does not lie in is empty.
type Owner struct {
	Org ident.OrgID
	// OtherOrg is the second organization, when there are two.
	OtherOrg ident.OrgID
	Project  ident.ProjectID
	Grant    ident.GrantID
}

// In reports whether a thing lies in the reach of a permission.
func (o Owner) In(r call.Reach) bool {
	return r.Grant(o.Grant, o.Project, o.Org) || o.OtherOrg != "" && r.Org(o.OtherOrg)
}

// ownerSQL reads where a thing of a kind lies. Its columns are those of Owner, in its order.
var ownerSQL = map[Kind]string{
	Org:       `SELECT org_id, '', '', '' FROM orgs WHERE instance_id = $1 AND org_id = $2`,
	OrgDomain: `SELECT org_id, '', '', '' FROM org_domains WHERE instance_id = $1 AND domain = $2 AND is_verified`,
	UserKind:  `SELECT org_id, '', '', '' FROM users WHERE instance_id = $1 AND user_id = $2`,
	Project:   `SELECT org_id, '', project_id, '' FROM projects WHERE instance_id = $1 AND project_id = $2`,
	ProjectGrant: `SELECT org_id, '', project_id, grant_id FROM project_grants
 WHERE instance_id = $1 AND project_id = $2 AND granted_org_id = $3`,
	GrantedProject: `SELECT org_id, granted_org_id, project_id, grant_id FROM project_grants
 WHERE instance_id = $1 AND project_id = $2 AND granted_org_id = $3`,
	App: `SELECT org_id, '', project_id, '' FROM apps WHERE instance_id = $1 AND app_id = $2`,
	Authorization: `SELECT a.org_id, p.org_id, a.project_id, a.project_grant_id FROM authorizations a
 JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
 WHERE a.instance_id = $1 AND a.authorization_id = $2`,
	AppKey: `SELECT a.org_id, '', a.project_id, '' FROM app_keys k
 JOIN apps a ON a.instance_id = k.instance_id AND a.app_id = k.app_id WHERE k.instance_id = $1 AND k.key_id = $2`,
}

// missing are the answers when there is no such thing.
var missing = map[Kind]*fault.Error{
	Org:            org.NotFound,
	OrgDomain:      org.NotFound,
	UserKind:       user.NotFound,
	Project:        project.NotFound,
	ProjectGrant:   project.GrantNotFound,
	GrantedProject: project.GrantNotFound,
	App:            app.NotFound,
	AppKey:         app.KeyNotFound,
	Authorization:  authorization.NotFound,
}

// Missing is the answer to a call about a thing of a kind that is not there, or that is nothing the
// caller may learn of.
func Missing(kind Kind) *fault.Error { return missing[kind] }

// Owner tells where a thing of an instance lies. It returns [Missing] when it is not there, and the
// errors of store.DB. It costs one read by key; none when the thing has no id.
func (d *Directory) Owner(ctx context.Context, at ident.InstanceID, t Thing) (Owner, error) {
	sql, known := ownerSQL[t.Kind]
	if !known {
		return Owner{}, fmt.Errorf("access: nobody has said where a thing of kind %d lies", t.Kind)
	}
	if t.ID == "" {
		return Owner{}, Missing(t.Kind)
	}
	args := []any{at, t.ID}
	if t.Kind == OrgDomain {
		args[1] = org.DomainName(t.ID)
	}
	if t.Kind == ProjectGrant || t.Kind == GrantedProject {
		args = append(args, t.Second)
	}
	found, err := store.One(ctx, d.config.DB, func(row store.Scanner) (o Owner, err error) {
		err = row.Scan(&o.Org, &o.OtherOrg, &o.Project, &o.Grant)
		return o, err
	}, sql, args...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return found, Missing(t.Kind)
	case err != nil:
		return found, fmt.Errorf("find the owner of %q of instance %s: %w", t.ID, at, err)
	}
	return found, nil
}

// NoOrg is the answer to a header x-zitadel-orgid that names no organization of the instance (contract section
// 3.3), or none that the caller may learn of.
var NoOrg = fault.New(fault.PermissionDenied, "AUTH-Bs7Ds", "Organisation doesn't exist")

// maxOrgName is the length of the longest id or domain of an organization that is looked for, in bytes.
const maxOrgName = 1024

// FindOrg returns the organization of an instance that a name stands for: an id, else a verified
// domain. It returns a fault of kind PermissionDenied (AUTH-Bs7Ds) when there is none, and the errors of
// store.DB. It costs one statement.
func (d *Directory) FindOrg(ctx context.Context, at ident.InstanceID, name string) (ident.OrgID, error) {
	if name == "" || len(name) > maxOrgName {
		return "", NoOrg
	}
	found, err := store.One(ctx, d.config.DB, func(row store.Scanner) (id ident.OrgID, err error) {
		err = row.Scan(&id)
		return id, err
	}, `SELECT org_id FROM (
 SELECT org_id, 1 AS place FROM orgs WHERE instance_id = $1 AND org_id = $2
 UNION ALL
 SELECT org_id, 2 AS place FROM org_domains WHERE instance_id = $1 AND domain = $3 AND is_verified) AS named
 ORDER BY place LIMIT 1`, at, name, org.DomainName(name))
	if errors.Is(err, store.ErrNotFound) {
		return "", NoOrg.WithCause(fmt.Errorf("instance %s has no organization %.200q", at, name))
	}
	if err != nil {
		return "", fmt.Errorf("find an organization of instance %s: %w", at, err)
	}
	return found, nil
}
