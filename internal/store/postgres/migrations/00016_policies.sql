-- +goose Up

-- What an instance (org_id is empty) has other than the built-in defaults, and the policies that
-- organizations have of their own. The settings are JSON, with what is said alone.
CREATE TABLE policies (
    instance_id TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    org_id      TEXT COLLATE "C" NOT NULL,
    policy_id   TEXT COLLATE "C" NOT NULL,
    settings    TEXT COLLATE "C" NOT NULL,
    sequence    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (instance_id, kind, org_id)
);

CREATE UNIQUE INDEX policies_id ON policies (instance_id, policy_id);

-- The log of one instance in its order, for those who look at one alone. created_at is there for
-- conditions on dates, which need not be looked up for what they leave out.
CREATE INDEX events_of_instance ON events (instance_id, commit_id, log_number, created_at);
