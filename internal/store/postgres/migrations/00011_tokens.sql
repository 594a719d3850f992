-- +goose Up

-- What refresh tokens belong to, and which access tokens are revoked (see package session). An access
-- token without a refresh token has no row here unless it is revoked.
CREATE TABLE oidc_sessions (
    instance_id     TEXT COLLATE "C" NOT NULL,
    session_id      TEXT COLLATE "C" NOT NULL,
    org_id          TEXT COLLATE "C" NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    is_revoked      BOOLEAN NOT NULL,
    revoked_through BIGINT NOT NULL,
    tokens          BIGINT NOT NULL,
    generation      BIGINT NOT NULL,
    idle_until      BIGINT NOT NULL,
    refresh_until   BIGINT NOT NULL,
    ends_at         BIGINT NOT NULL,
    facts           TEXT COLLATE "C" NOT NULL,
    sequence        BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL,
    PRIMARY KEY (instance_id, session_id)
);

-- What a sweep ends next, of all instances: one look for all of them, as with deliveries. One of the
-- named exceptions to "every index starts with instance_id".
CREATE INDEX oidc_sessions_ends ON oidc_sessions (ends_at, instance_id, session_id);

-- Ids that count once: of assertions and proofs of possession, until these are too old (see package
-- spent). No fold of events; a row is of no use after expires_at.
CREATE TABLE spent_ids (
    instance_id TEXT COLLATE "C" NOT NULL,
    id_hash     BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, id_hash)
);

-- What a sweep deletes next, of all instances: another of the named exceptions.
CREATE INDEX spent_ids_expire ON spent_ids (expires_at, instance_id, id_hash);
