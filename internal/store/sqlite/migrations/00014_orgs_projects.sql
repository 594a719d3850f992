-- +goose Up

-- The names of organizations, each once in an instance whatever its case (search.Fold). A table of its
-- own, so that a conflict says that it is the name that is taken.
CREATE TABLE org_names (
    instance_id TEXT NOT NULL,
    name_key    TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    PRIMARY KEY (instance_id, name_key)
) STRICT;

CREATE INDEX org_names_of ON org_names (instance_id, org_id);

-- What SQL can fold. A name with other letters gets its key when the organization is next renamed, or
-- the table rebuilt.
INSERT INTO org_names (instance_id, name_key, org_id) SELECT instance_id, lower(name), org_id FROM orgs;

-- The orders in which organizations are listed.
CREATE INDEX orgs_by_name ON orgs (instance_id, name, org_id);
CREATE INDEX orgs_by_creation ON orgs (instance_id, created_at, org_id);

-- How a domain is being validated: what has to be published for it, which is no secret.
ALTER TABLE org_domains ADD COLUMN validation_type TEXT NOT NULL DEFAULT '';
ALTER TABLE org_domains ADD COLUMN validation_token TEXT NOT NULL DEFAULT '';
ALTER TABLE org_domains ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;

-- So far an organization has the domain it began with.
UPDATE org_domains SET created_at = (SELECT o.created_at FROM orgs o
 WHERE o.instance_id = org_domains.instance_id AND o.org_id = org_domains.org_id);

CREATE TABLE org_metadata (
    instance_id TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    meta_key    TEXT NOT NULL,
    meta_value  BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, org_id, meta_key)
) STRICT;

-- The zero of each is what a project begins with.
ALTER TABLE projects ADD COLUMN role_assertion INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE projects ADD COLUMN authorization_required INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE projects ADD COLUMN project_access_required INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE projects ADD COLUMN private_labeling INTEGER NOT NULL DEFAULT 0;

CREATE INDEX projects_of ON projects (instance_id, org_id, project_id);

-- The names of projects, each once in an organization, as org_names.
CREATE TABLE project_names (
    instance_id TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    name_key    TEXT NOT NULL,
    project_id  TEXT NOT NULL,
    PRIMARY KEY (instance_id, org_id, name_key)
) STRICT;

CREATE INDEX project_names_of ON project_names (instance_id, project_id);

INSERT INTO project_names (instance_id, org_id, name_key, project_id)
SELECT instance_id, org_id, lower(name), project_id FROM projects;

-- A role has an id of its own in the log, so that a key can be used again after its role was removed.
CREATE TABLE project_roles (
    instance_id  TEXT NOT NULL,
    project_id   TEXT NOT NULL,
    role_key     TEXT NOT NULL,
    role_id      TEXT NOT NULL,
    org_id       TEXT NOT NULL,
    display_name TEXT NOT NULL,
    group_name   TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (instance_id, project_id, role_key)
) STRICT;

CREATE INDEX project_roles_by_id ON project_roles (instance_id, role_id);

-- role_keys is a JSON array of texts.
CREATE TABLE project_grants (
    instance_id    TEXT NOT NULL,
    grant_id       TEXT NOT NULL,
    project_id     TEXT NOT NULL,
    org_id         TEXT NOT NULL,
    granted_org_id TEXT NOT NULL,
    role_keys      TEXT NOT NULL,
    state          TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    PRIMARY KEY (instance_id, grant_id)
) STRICT;

-- A project is granted to an organization once.
CREATE UNIQUE INDEX project_grants_once ON project_grants (instance_id, project_id, granted_org_id);
CREATE INDEX project_grants_to ON project_grants (instance_id, granted_org_id, grant_id);
CREATE INDEX project_grants_of ON project_grants (instance_id, org_id, grant_id);

-- The same keys as rows, to find the grants that have one.
CREATE TABLE project_grant_roles (
    instance_id TEXT NOT NULL,
    grant_id    TEXT NOT NULL,
    role_key    TEXT NOT NULL,
    project_id  TEXT NOT NULL,
    PRIMARY KEY (instance_id, grant_id, role_key)
) STRICT;

CREATE INDEX project_grant_roles_by_key ON project_grant_roles (instance_id, project_id, role_key, grant_id);

-- What goes with its user.
CREATE INDEX oidc_sessions_of ON oidc_sessions (instance_id, user_id, session_id);
