-- +goose Up

-- Removed instances of which rows are left to be deleted, in the background. Of the system: the
-- oldest is looked for, whichever it is.
CREATE TABLE removals (
    instance_id TEXT NOT NULL PRIMARY KEY,
    removed_at  INTEGER NOT NULL
) STRICT;

-- Whether an operator has stopped the instance.
ALTER TABLE instances ADD COLUMN is_stopped INTEGER NOT NULL DEFAULT FALSE;

-- Hosts that links and issuers of an instance may carry although they do not lead to it.
CREATE TABLE instance_trusted_domains (
    instance_id TEXT NOT NULL,
    domain      TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (instance_id, domain)
) STRICT;
