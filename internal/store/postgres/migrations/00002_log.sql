-- +goose Up

-- The log: every event of every instance. Its primary key starts with the instance; the order
-- of all commits, which followers read, is the second of the named exceptions to that rule
-- (docs/adr/0001-event-log.md). Payloads are sealed under the key of the instance.
CREATE TABLE events (
    log_number     BIGINT GENERATED ALWAYS AS IDENTITY,
    commit_id      BIGINT NOT NULL,
    instance_id    TEXT COLLATE "C" NOT NULL,
    aggregate_type TEXT COLLATE "C" NOT NULL,
    aggregate_id   TEXT COLLATE "C" NOT NULL,
    sequence       BIGINT NOT NULL,
    event_type     TEXT COLLATE "C" NOT NULL,
    owner          TEXT COLLATE "C" NOT NULL,
    actor          TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    payload        BYTEA NOT NULL,
    PRIMARY KEY (instance_id, aggregate_type, aggregate_id, sequence)
);

CREATE INDEX events_in_order ON events (commit_id, log_number);

-- Within an aggregate the order of the log is that of the sequences. A transaction gets its
-- number when it first writes, so one that began early can append to what a later one has
-- changed meanwhile, and would come before it in the log. It has lost a race: it is undone,
-- and run again under a new number.
-- +goose StatementBegin
CREATE FUNCTION keep_event_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM events
        WHERE instance_id = NEW.instance_id AND aggregate_type = NEW.aggregate_type
          AND aggregate_id = NEW.aggregate_id AND sequence = NEW.sequence - 1
          AND commit_id > NEW.commit_id
    ) THEN
        RAISE EXCEPTION 'a later transaction has appended to the same aggregate'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER events_keep_order BEFORE INSERT ON events
    FOR EACH ROW WHEN (NEW.sequence > 1) EXECUTE FUNCTION keep_event_order();

-- The key of each instance, sealed under the master key. Without its row nothing that the
-- instance left in the log, or in a backup of the log, can be read.
CREATE TABLE instance_keys (
    instance_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed_key  BYTEA NOT NULL
);

-- Which master key this database is sealed under. One row, written by the first node that starts;
-- a node with another key must not start. Of the system, like id_grants.
CREATE TABLE master_key (
    only_row BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    key_id   BYTEA NOT NULL
);

-- Answers of writes that carried an idempotency key, sealed under the key of the instance
-- they made. Keyed by the caller, for the instance is not known when the key is looked up:
-- a table of the system, the named exception of id_grants.
CREATE TABLE idempotency_keys (
    actor       TEXT COLLATE "C" NOT NULL,
    key_hash    BYTEA NOT NULL,
    instance_id TEXT COLLATE "C" NOT NULL,
    answer      BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (actor, key_hash)
);

CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
