-- +goose Up

-- How much of something an instance may use in a period: one quota a unit.
CREATE TABLE quotas (
    instance_id    TEXT NOT NULL,
    unit           INTEGER NOT NULL,
    quota_id       TEXT NOT NULL,
    period_from    INTEGER NOT NULL,
    reset_interval INTEGER NOT NULL,
    amount         INTEGER NOT NULL,
    is_limited     INTEGER NOT NULL,
    notifications  TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    PRIMARY KEY (instance_id, unit)
) STRICT;

-- What has been used of a quota in a period. It is counted, not folded from events; a period that
-- is over stays until the one after the next has begun.
CREATE TABLE quota_usage (
    instance_id  TEXT NOT NULL,
    unit         INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    PRIMARY KEY (instance_id, unit, period_start)
) STRICT;

-- NULL is a limit that has not been set, or has been reset.
CREATE TABLE instance_limits (
    instance_id         TEXT NOT NULL PRIMARY KEY,
    audit_log_retention INTEGER,
    block               INTEGER,
    sequence            INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    changed_at          INTEGER NOT NULL
) STRICT;

-- NULL is a feature that is as the built-in defaults say.
CREATE TABLE instance_features (
    instance_id       TEXT NOT NULL PRIMARY KEY,
    login_default_org INTEGER,
    sequence          INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    changed_at        INTEGER NOT NULL
) STRICT;
