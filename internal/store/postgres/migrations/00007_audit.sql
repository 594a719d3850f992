-- +goose Up

-- What callers did and were refused, for the operator (see package audit). It is about all
-- instances and outlives them, and is read by time: a table of the system, whose keys do not
-- start with instance_id, like id_grants.
CREATE TABLE audit_log (
    at                BIGINT NOT NULL,
    number            BIGINT NOT NULL,
    actor             TEXT COLLATE "C" NOT NULL,
    actor_instance_id TEXT COLLATE "C" NOT NULL,
    method            TEXT COLLATE "C" NOT NULL,
    protocol          TEXT COLLATE "C" NOT NULL,
    instance_id       TEXT COLLATE "C" NOT NULL,
    remote_address    TEXT COLLATE "C" NOT NULL,
    request_id        TEXT COLLATE "C" NOT NULL,
    outcome           TEXT COLLATE "C" NOT NULL,
    duration          BIGINT NOT NULL,
    PRIMARY KEY (at, number)
);

-- One for each question; all of them in the order of time. Most calls succeed, so only the
-- others can be found by how they ended.
CREATE INDEX audit_log_by_actor ON audit_log (actor, at, number);
CREATE INDEX audit_log_by_method ON audit_log (method, at, number);
CREATE INDEX audit_log_by_instance ON audit_log (instance_id, at, number);
CREATE INDEX audit_log_by_outcome ON audit_log (outcome, at, number) WHERE outcome <> 'OK';
