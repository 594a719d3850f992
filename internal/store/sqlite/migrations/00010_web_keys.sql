-- +goose Up

-- The keys with which an instance signs tokens. private_key is sealed under the key of the instance;
-- public_key is the JWK that everybody may read. At most one is active.
CREATE TABLE web_keys (
    instance_id TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    state       TEXT NOT NULL,
    algorithm   TEXT NOT NULL,
    bits        INTEGER NOT NULL,
    public_key  TEXT NOT NULL,
    private_key BLOB NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, key_id)
) STRICT;

CREATE UNIQUE INDEX web_keys_active ON web_keys (instance_id) WHERE state = 'active';
