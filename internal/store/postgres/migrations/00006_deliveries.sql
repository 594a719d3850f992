-- +goose Up

-- Messages that have to reach a URL, until they have (see package delivery).
CREATE TABLE deliveries (
    instance_id  TEXT COLLATE "C" NOT NULL,
    delivery_id  TEXT COLLATE "C" NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL,
    url          TEXT COLLATE "C" NOT NULL,
    content_type TEXT COLLATE "C" NOT NULL,
    body         BYTEA NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,
    next_at      BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    failures     BIGINT NOT NULL,
    last_error   TEXT COLLATE "C" NOT NULL,
    last_failed  BIGINT NOT NULL,
    sequence     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    PRIMARY KEY (instance_id, delivery_id)
);

-- What is to be done next, of all instances: each node has one worker, for one that looked at
-- each instance would cost an idle instance more than bytes on disk. One of the named exceptions
-- to "every index starts with instance_id". Whatever its state, every row has something to be
-- done at next_at, so the state need not be in it.
CREATE INDEX deliveries_next ON deliveries (next_at, instance_id, delivery_id);

-- What operators are shown.
CREATE INDEX deliveries_failed ON deliveries (instance_id, delivery_id) WHERE failures > 0;
