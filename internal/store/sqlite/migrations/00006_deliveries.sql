-- +goose Up

-- Messages that have to reach a URL, until they have (see package delivery).
CREATE TABLE deliveries (
    instance_id  TEXT NOT NULL,
    delivery_id  TEXT NOT NULL,
    kind         TEXT NOT NULL,
    url          TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body         BLOB NOT NULL,
    state        TEXT NOT NULL,
    next_at      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    failures     INTEGER NOT NULL,
    last_error   TEXT NOT NULL,
    last_failed  INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (instance_id, delivery_id)
) STRICT;

-- What is to be done next, of all instances: each node has one worker, for one that looked at
-- each instance would cost an idle instance more than bytes on disk. One of the named exceptions
-- to "every index starts with instance_id". Whatever its state, every row has something to be
-- done at next_at, so the state need not be in it.
CREATE INDEX deliveries_next ON deliveries (next_at, instance_id, delivery_id);

-- What operators are shown.
CREATE INDEX deliveries_failed ON deliveries (instance_id, delivery_id) WHERE failures > 0;
