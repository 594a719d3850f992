-- +goose Up

-- The log: every event of every instance. Its primary key starts with the instance; the order
-- of all commits, which followers read, is the second of the named exceptions to that rule
-- (docs/adr/0001-event-log.md). Payloads are sealed under the key of the instance.
CREATE TABLE events (
    log_number     INTEGER PRIMARY KEY AUTOINCREMENT,
    commit_id      INTEGER NOT NULL,
    instance_id    TEXT NOT NULL,
    aggregate_type TEXT NOT NULL,
    aggregate_id   TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    event_type     TEXT NOT NULL,
    owner          TEXT NOT NULL,
    actor          TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    payload        BLOB NOT NULL,
    UNIQUE (instance_id, aggregate_type, aggregate_id, sequence)
) STRICT;

CREATE INDEX events_in_order ON events (commit_id, log_number);

-- The key of each instance, sealed under the master key. Without its row nothing that the
-- instance left in the log, or in a backup of the log, can be read.
CREATE TABLE instance_keys (
    instance_id TEXT NOT NULL PRIMARY KEY,
    sealed_key  BLOB NOT NULL
) STRICT;

-- Which master key this database is sealed under. One row, written by the first node that starts;
-- a node with another key must not start. Of the system, like id_grants.
CREATE TABLE master_key (
    only_row INTEGER NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    key_id   BLOB NOT NULL
) STRICT;

-- Answers of writes that carried an idempotency key, sealed under the key of the instance
-- they made. Keyed by the caller, for the instance is not known when the key is looked up:
-- a table of the system, the named exception of id_grants.
CREATE TABLE idempotency_keys (
    actor       TEXT NOT NULL,
    key_hash    BLOB NOT NULL,
    instance_id TEXT NOT NULL,
    answer      BLOB NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (actor, key_hash)
) STRICT;

CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
