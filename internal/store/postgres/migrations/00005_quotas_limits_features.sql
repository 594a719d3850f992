-- +goose Up

-- How much of something an instance may use in a period: one quota a unit.
CREATE TABLE quotas (
    instance_id    TEXT COLLATE "C" NOT NULL,
    unit           BIGINT NOT NULL,
    quota_id       TEXT COLLATE "C" NOT NULL,
    period_from    BIGINT NOT NULL,
    reset_interval BIGINT NOT NULL,
    amount         BIGINT NOT NULL,
    is_limited     BOOLEAN NOT NULL,
    notifications  TEXT COLLATE "C" NOT NULL,
    sequence       BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL,
    PRIMARY KEY (instance_id, unit)
);

-- What has been used of a quota in a period. It is counted, not folded from events; a period that
-- is over stays until the one after the next has begun.
CREATE TABLE quota_usage (
    instance_id  TEXT COLLATE "C" NOT NULL,
    unit         BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    amount       BIGINT NOT NULL,
    PRIMARY KEY (instance_id, unit, period_start)
);

-- NULL is a limit that has not been set, or has been reset.
CREATE TABLE instance_limits (
    instance_id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    audit_log_retention BIGINT,
    block               BOOLEAN,
    sequence            BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    changed_at          BIGINT NOT NULL
);

-- NULL is a feature that is as the built-in defaults say.
CREATE TABLE instance_features (
    instance_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    login_default_org BOOLEAN,
    sequence          BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    changed_at        BIGINT NOT NULL
);
