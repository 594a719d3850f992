-- +goose Up

-- What callers did and were refused, for the operator (see package audit). It is about all
-- instances and outlives them, and is read by time: a table of the system, whose keys do not
-- start with instance_id, like id_grants.
CREATE TABLE audit_log (
    at                INTEGER NOT NULL,
    number            INTEGER NOT NULL,
    actor             TEXT NOT NULL,
    actor_instance_id TEXT NOT NULL,
    method            TEXT NOT NULL,
    protocol          TEXT NOT NULL,
    instance_id       TEXT NOT NULL,
    remote_address    TEXT NOT NULL,
    request_id        TEXT NOT NULL,
    outcome           TEXT NOT NULL,
    duration          INTEGER NOT NULL,
    PRIMARY KEY (at, number)
) STRICT, WITHOUT ROWID;

-- One for each question; all of them in the order of time. Most calls succeed, so only the
-- others can be found by how they ended.
CREATE INDEX audit_log_by_actor ON audit_log (actor, at, number);
CREATE INDEX audit_log_by_method ON audit_log (method, at, number);
CREATE INDEX audit_log_by_instance ON audit_log (instance_id, at, number);
CREATE INDEX audit_log_by_outcome ON audit_log (outcome, at, number) WHERE outcome <> 'OK';
