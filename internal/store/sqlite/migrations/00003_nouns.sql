-- +goose Up

-- The directory: instances and the domains that lead to them. It answers questions that are
-- asked before the instance is known, so its keys are the id and the domain themselves: the
-- first of the named exceptions to "every key starts with instance_id".
CREATE TABLE instances (
    instance_id       TEXT NOT NULL PRIMARY KEY,
    name              TEXT NOT NULL,
    defaults_version  INTEGER NOT NULL,
    default_language  TEXT NOT NULL,
    default_org_id    TEXT NOT NULL,
    iam_project_id    TEXT NOT NULL,
    console_app_id    TEXT NOT NULL,
    console_client_id TEXT NOT NULL,
    sequence          INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    changed_at        INTEGER NOT NULL
) STRICT;

-- The orders in which operators list instances. Each ends with the id, so that a page can begin
-- after the last row of the one before it, and covers the search for the ids of a page.
CREATE INDEX instances_by_name ON instances (name, instance_id);
CREATE INDEX instances_by_creation ON instances (created_at, instance_id);

CREATE TABLE instance_domains (
    domain       TEXT NOT NULL PRIMARY KEY,
    instance_id  TEXT NOT NULL,
    is_generated INTEGER NOT NULL,
    is_primary   INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX instance_domains_of ON instance_domains (instance_id);

CREATE TABLE orgs (
    instance_id TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    name        TEXT NOT NULL,
    state       TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, org_id)
) STRICT;

CREATE TABLE org_domains (
    instance_id TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    domain      TEXT NOT NULL,
    is_verified INTEGER NOT NULL,
    is_primary  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, org_id, domain)
) STRICT;

-- A verified domain belongs to one organization of an instance.
CREATE UNIQUE INDEX org_domains_verified ON org_domains (instance_id, domain) WHERE is_verified;

CREATE TABLE users (
    instance_id              TEXT NOT NULL,
    user_id                  TEXT NOT NULL,
    org_id                   TEXT NOT NULL,
    login_key                TEXT NOT NULL,
    username                 TEXT NOT NULL,
    kind                     TEXT NOT NULL,
    state                    TEXT NOT NULL,
    name                     TEXT NOT NULL,
    access_token_type        TEXT NOT NULL,
    first_name               TEXT NOT NULL,
    last_name                TEXT NOT NULL,
    display_name             TEXT NOT NULL,
    preferred_language       TEXT NOT NULL,
    email                    TEXT NOT NULL,
    email_verified           INTEGER NOT NULL,
    password_hash            TEXT NOT NULL,
    password_change_required INTEGER NOT NULL,
    sequence                 INTEGER NOT NULL,
    created_at               INTEGER NOT NULL,
    changed_at               INTEGER NOT NULL,
    PRIMARY KEY (instance_id, user_id)
) STRICT;

-- User names are unique in their instance, whatever their case.
CREATE UNIQUE INDEX users_login ON users (instance_id, login_key);

CREATE TABLE personal_access_tokens (
    instance_id TEXT NOT NULL,
    token_id    TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    token_hash  BLOB NOT NULL,
    scopes      TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, token_id)
) STRICT;

CREATE UNIQUE INDEX personal_access_tokens_hash ON personal_access_tokens (instance_id, token_hash);

CREATE TABLE machine_keys (
    instance_id TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    public_key  BLOB NOT NULL,
    expires_at  INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, key_id)
) STRICT;

CREATE TABLE projects (
    instance_id TEXT NOT NULL,
    project_id  TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    name        TEXT NOT NULL,
    state       TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, project_id)
) STRICT;

CREATE TABLE apps (
    instance_id      TEXT NOT NULL,
    app_id           TEXT NOT NULL,
    org_id           TEXT NOT NULL,
    project_id       TEXT NOT NULL,
    name             TEXT NOT NULL,
    kind             TEXT NOT NULL,
    client_id        TEXT NOT NULL,
    auth_method      TEXT NOT NULL,
    is_console       INTEGER NOT NULL,
    dev_mode         INTEGER NOT NULL,
    sequence         INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,
    PRIMARY KEY (instance_id, app_id)
) STRICT;

CREATE UNIQUE INDEX apps_client ON apps (instance_id, client_id);

-- A membership is found by the user who holds it: that is what every permission check asks.
CREATE TABLE members (
    instance_id TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    scope       TEXT NOT NULL,
    scope_id    TEXT NOT NULL,
    owner       TEXT NOT NULL,
    roles       TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, user_id, scope, scope_id)
) STRICT;

-- Who has a part in the instance, or in one of its organizations.
CREATE INDEX members_of ON members (instance_id, scope, scope_id, user_id);
