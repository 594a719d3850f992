-- +goose Up

-- Users of the System API who were added at run time. They belong to no instance but to the
-- system, which stands in instance_id (ident.System). Each call of one of them reads its row by its
-- key. A user that was removed keeps its row, so that a sequence never stands for two keys.
CREATE TABLE system_users (
    instance_id    TEXT COLLATE "C" NOT NULL,
    name           TEXT COLLATE "C" NOT NULL,
    is_removed     BOOLEAN NOT NULL,
    public_key     TEXT COLLATE "C" NOT NULL,
    previous_key   TEXT COLLATE "C" NOT NULL,
    previous_until BIGINT NOT NULL,
    memberships    TEXT COLLATE "C" NOT NULL,
    sequence       BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL,
    PRIMARY KEY (instance_id, name)
);
