-- +goose Up

-- The directory: instances and the domains that lead to them. It answers questions that are
-- asked before the instance is known, so its keys are the id and the domain themselves: the
-- first of the named exceptions to "every key starts with instance_id".
CREATE TABLE instances (
    instance_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name              TEXT COLLATE "C" NOT NULL,
    defaults_version  BIGINT NOT NULL,
    default_language  TEXT COLLATE "C" NOT NULL,
    default_org_id    TEXT COLLATE "C" NOT NULL,
    iam_project_id    TEXT COLLATE "C" NOT NULL,
    console_app_id    TEXT COLLATE "C" NOT NULL,
    console_client_id TEXT COLLATE "C" NOT NULL,
    sequence          BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    changed_at        BIGINT NOT NULL
);

-- The orders in which operators list instances. Each ends with the id, so that a page can begin
-- after the last row of the one before it, and covers the search for the ids of a page.
CREATE INDEX instances_by_name ON instances (name, instance_id);
CREATE INDEX instances_by_creation ON instances (created_at, instance_id);

CREATE TABLE instance_domains (
    domain       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    instance_id  TEXT COLLATE "C" NOT NULL,
    is_generated BOOLEAN NOT NULL,
    is_primary   BOOLEAN NOT NULL,
    sequence     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL
);

CREATE INDEX instance_domains_of ON instance_domains (instance_id);

CREATE TABLE orgs (
    instance_id TEXT COLLATE "C" NOT NULL,
    org_id      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, org_id)
);

CREATE TABLE org_domains (
    instance_id TEXT COLLATE "C" NOT NULL,
    org_id      TEXT COLLATE "C" NOT NULL,
    domain      TEXT COLLATE "C" NOT NULL,
    is_verified BOOLEAN NOT NULL,
    is_primary  BOOLEAN NOT NULL,
    PRIMARY KEY (instance_id, org_id, domain)
);

-- A verified domain belongs to one organization of an instance.
CREATE UNIQUE INDEX org_domains_verified ON org_domains (instance_id, domain) WHERE is_verified;

CREATE TABLE users (
    instance_id              TEXT COLLATE "C" NOT NULL,
    user_id                  TEXT COLLATE "C" NOT NULL,
    org_id                   TEXT COLLATE "C" NOT NULL,
    login_key                TEXT COLLATE "C" NOT NULL,
    username                 TEXT COLLATE "C" NOT NULL,
    kind                     TEXT COLLATE "C" NOT NULL,
    state                    TEXT COLLATE "C" NOT NULL,
    name                     TEXT COLLATE "C" NOT NULL,
    access_token_type        TEXT COLLATE "C" NOT NULL,
    first_name               TEXT COLLATE "C" NOT NULL,
    last_name                TEXT COLLATE "C" NOT NULL,
    display_name             TEXT COLLATE "C" NOT NULL,
    preferred_language       TEXT COLLATE "C" NOT NULL,
    email                    TEXT COLLATE "C" NOT NULL,
    email_verified           BOOLEAN NOT NULL,
    password_hash            TEXT COLLATE "C" NOT NULL,
    password_change_required BOOLEAN NOT NULL,
    sequence                 BIGINT NOT NULL,
    created_at               BIGINT NOT NULL,
    changed_at               BIGINT NOT NULL,
    PRIMARY KEY (instance_id, user_id)
);

-- User names are unique in their instance, whatever their case.
CREATE UNIQUE INDEX users_login ON users (instance_id, login_key);

CREATE TABLE personal_access_tokens (
    instance_id TEXT COLLATE "C" NOT NULL,
    token_id    TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    token_hash  BYTEA NOT NULL,
    scopes      TEXT COLLATE "C" NOT NULL,
    expires_at  BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, token_id)
);

CREATE UNIQUE INDEX personal_access_tokens_hash ON personal_access_tokens (instance_id, token_hash);

CREATE TABLE machine_keys (
    instance_id TEXT COLLATE "C" NOT NULL,
    key_id      TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    public_key  BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, key_id)
);

CREATE TABLE projects (
    instance_id TEXT COLLATE "C" NOT NULL,
    project_id  TEXT COLLATE "C" NOT NULL,
    org_id      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, project_id)
);

CREATE TABLE apps (
    instance_id      TEXT COLLATE "C" NOT NULL,
    app_id           TEXT COLLATE "C" NOT NULL,
    org_id           TEXT COLLATE "C" NOT NULL,
    project_id       TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL,
    client_id        TEXT COLLATE "C" NOT NULL,
    auth_method      TEXT COLLATE "C" NOT NULL,
    is_console       BOOLEAN NOT NULL,
    dev_mode         BOOLEAN NOT NULL,
    sequence         BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    changed_at       BIGINT NOT NULL,
    PRIMARY KEY (instance_id, app_id)
);

CREATE UNIQUE INDEX apps_client ON apps (instance_id, client_id);

-- A membership is found by the user who holds it: that is what every permission check asks.
CREATE TABLE members (
    instance_id TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    scope       TEXT COLLATE "C" NOT NULL,
    scope_id    TEXT COLLATE "C" NOT NULL,
    owner       TEXT COLLATE "C" NOT NULL,
    roles       TEXT COLLATE "C" NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, user_id, scope, scope_id)
);

-- Who has a part in the instance, or in one of its organizations.
CREATE INDEX members_of ON members (instance_id, scope, scope_id, user_id);
