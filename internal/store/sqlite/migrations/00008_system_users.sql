-- +goose Up

-- Users of the System API who were added at run time. They belong to no instance but to the
-- system, which stands in instance_id (ident.System). Each call of one of them reads its row by its
-- key. A user that was removed keeps its row, so that a sequence never stands for two keys.
CREATE TABLE system_users (
    instance_id    TEXT NOT NULL,
    name           TEXT NOT NULL,
    is_removed     INTEGER NOT NULL,
    public_key     TEXT NOT NULL,
    previous_key   TEXT NOT NULL,
    previous_until INTEGER NOT NULL,
    memberships    TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    PRIMARY KEY (instance_id, name)
) STRICT;
