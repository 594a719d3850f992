-- +goose Up

-- Which slot may make ids until when, in microseconds since 1970 (see package idgrant). It
-- belongs to the system and to no tenant, so its key does not start with instance_id: one of
-- the named exceptions to that rule.
CREATE TABLE id_grants (
    slot          BIGINT NOT NULL PRIMARY KEY,
    granted_until BIGINT NOT NULL
);

INSERT INTO id_grants (slot, granted_until)
SELECT slot, 0 FROM generate_series(0, 1023) AS slot;

-- What is added to the number of a transaction to make its commit id (see package postgres).
-- One row; of the system, like id_grants.
CREATE TABLE commit_offset (
    only_row BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    value    BIGINT NOT NULL
);

INSERT INTO commit_offset (value) VALUES (0);
