-- +goose Up

-- What an application is configured with, and the hash of its secret. Lists are JSON arrays, nothing when
-- they are empty; grant_types are divided by blanks; clock_skew is in microseconds.
ALTER TABLE apps ADD COLUMN name_key TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN state TEXT COLLATE "C" NOT NULL DEFAULT 'active';
ALTER TABLE apps ADD COLUMN secret_hash BYTEA;
ALTER TABLE apps ADD COLUMN app_type TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN redirect_uris TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN post_logout_redirect_uris TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN response_types TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN grant_types TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN access_token_type TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN access_token_roles BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE apps ADD COLUMN id_token_roles BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE apps ADD COLUMN id_token_userinfo BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE apps ADD COLUMN clock_skew BIGINT NOT NULL DEFAULT 0;
ALTER TABLE apps ADD COLUMN additional_origins TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN skip_native_success_page BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE apps ADD COLUMN back_channel_logout_uri TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN login_version TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN login_base_uri TEXT COLLATE "C" NOT NULL DEFAULT '';

-- The applications there are already are those of the instances themselves. Their names are ASCII; the console
-- is what package app folds its events into.
UPDATE apps SET name_key = lower(name);
UPDATE apps SET app_type = 'user_agent', response_types = '["code"]', grant_types = 'authorization_code',
 access_token_type = 'bearer' WHERE is_console;

-- Names are unique in their project, whatever their case (search.Fold).
CREATE UNIQUE INDEX apps_name ON apps (instance_id, project_id, name_key);

-- An application of SAML has no client id. Whoever looks for one need not know that.
DROP INDEX apps_client;
CREATE UNIQUE INDEX apps_client ON apps (instance_id, client_id) WHERE client_id <> '';
CREATE INDEX apps_by_client ON apps (instance_id, client_id);

-- The metadata of service providers, apart because they are long. Those behind a URL have no entity id here.
CREATE TABLE saml_apps (
    instance_id  TEXT COLLATE "C" NOT NULL,
    app_id       TEXT COLLATE "C" NOT NULL,
    entity_id    TEXT COLLATE "C" NOT NULL,
    metadata     BYTEA,
    metadata_url TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (instance_id, app_id)
);

CREATE UNIQUE INDEX saml_apps_entity ON saml_apps (instance_id, entity_id) WHERE entity_id <> '';

CREATE TABLE app_keys (
    instance_id TEXT COLLATE "C" NOT NULL,
    key_id      TEXT COLLATE "C" NOT NULL,
    app_id      TEXT COLLATE "C" NOT NULL,
    org_id      TEXT COLLATE "C" NOT NULL,
    public_key  BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, key_id)
);

CREATE INDEX app_keys_of ON app_keys (instance_id, app_id, key_id);

-- Which roles of a project a user holds: in the organization that owns the project, or, with
-- project_grant_id, in one that the project is granted to. role_keys are a JSON array, for a key may hold any character.
CREATE TABLE authorizations (
    instance_id      TEXT COLLATE "C" NOT NULL,
    authorization_id TEXT COLLATE "C" NOT NULL,
    user_id          TEXT COLLATE "C" NOT NULL,
    project_id       TEXT COLLATE "C" NOT NULL,
    project_grant_id TEXT COLLATE "C" NOT NULL,
    org_id           TEXT COLLATE "C" NOT NULL,
    role_keys        TEXT COLLATE "C" NOT NULL,
    state            TEXT COLLATE "C" NOT NULL,
    sequence         BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    changed_at       BIGINT NOT NULL,
    PRIMARY KEY (instance_id, authorization_id)
);

-- A user has one authorization for a project in an organization. It is what every token asks for.
CREATE UNIQUE INDEX authorizations_of ON authorizations (instance_id, user_id, project_id, org_id);
CREATE INDEX authorizations_project ON authorizations (instance_id, project_id, authorization_id);
CREATE INDEX authorizations_grant ON authorizations (instance_id, project_grant_id, authorization_id);
CREATE INDEX authorizations_org ON authorizations (instance_id, org_id, authorization_id);

-- The same keys as rows, to find the authorizations that have one.
CREATE TABLE authorization_roles (
    instance_id      TEXT COLLATE "C" NOT NULL,
    authorization_id TEXT COLLATE "C" NOT NULL,
    role_key         TEXT COLLATE "C" NOT NULL,
    project_id       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (instance_id, authorization_id, role_key)
);

CREATE INDEX authorization_roles_by_key ON authorization_roles (instance_id, project_id, role_key, authorization_id);

-- A membership has an id of its own in the log, so that a user can be a member of the same thing again. Those
-- there are so far are named after what they are about.
ALTER TABLE members ADD COLUMN member_id TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE members SET member_id = CASE scope WHEN 'instance' THEN 'instance:' || user_id ELSE 'org:' || scope_id || ':' || user_id END;

CREATE INDEX members_by_id ON members (instance_id, member_id);
