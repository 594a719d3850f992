-- +goose Up

-- What a user is beyond what an instance starts with. NULL is no secret, 0 no time, and codes is the
-- JSON of those that were made and not used.
ALTER TABLE users ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN secret_hash BLOB;
ALTER TABLE users ADD COLUMN nick_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN gender INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN email_key TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN phone TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN phone_verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN password_changed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN mfa_skipped_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN codes TEXT NOT NULL DEFAULT '';

UPDATE users SET email_key = lower(email);
UPDATE users SET password_changed_at = created_at WHERE password_hash <> '';

-- Addresses are looked for whatever the case of their letters; they need not be unique.
CREATE INDEX users_email ON users (instance_id, email_key);
-- The order in which users are listed, of one organization and of all.
CREATE INDEX users_created ON users (instance_id, created_at, user_id);
CREATE INDEX users_of_org ON users (instance_id, org_id, created_at, user_id);

-- Who owns the user of a credential; one whose instance is being removed may have none any more.
ALTER TABLE personal_access_tokens ADD COLUMN org_id TEXT NOT NULL DEFAULT '';
ALTER TABLE machine_keys ADD COLUMN org_id TEXT NOT NULL DEFAULT '';
UPDATE personal_access_tokens SET org_id = COALESCE((SELECT u.org_id FROM users u
 WHERE u.instance_id = personal_access_tokens.instance_id AND u.user_id = personal_access_tokens.user_id), '');
UPDATE machine_keys SET org_id = COALESCE((SELECT u.org_id FROM users u
 WHERE u.instance_id = machine_keys.instance_id AND u.user_id = machine_keys.user_id), '');
CREATE INDEX personal_access_tokens_of ON personal_access_tokens (instance_id, user_id, token_id);
CREATE INDEX machine_keys_of ON machine_keys (instance_id, user_id, key_id);

-- What others keep about a user, by a key.
CREATE TABLE user_metadata (
    instance_id TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    meta_key    TEXT NOT NULL,
    meta_value  BLOB NOT NULL,
    metadata_id TEXT NOT NULL,
    org_id      TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, user_id, meta_key)
) STRICT;

CREATE INDEX user_metadata_by_id ON user_metadata (instance_id, metadata_id);
CREATE INDEX user_metadata_by_key ON user_metadata (instance_id, meta_key, user_id);
