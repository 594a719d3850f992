-- +goose Up

-- The keys with which an instance signs tokens. private_key is sealed under the key of the instance;
-- public_key is the JWK that everybody may read. At most one is active.
CREATE TABLE web_keys (
    instance_id TEXT COLLATE "C" NOT NULL,
    key_id      TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    algorithm   TEXT COLLATE "C" NOT NULL,
    bits        BIGINT NOT NULL,
    public_key  TEXT COLLATE "C" NOT NULL,
    private_key BYTEA NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, key_id)
);

CREATE UNIQUE INDEX web_keys_active ON web_keys (instance_id) WHERE state = 'active';
