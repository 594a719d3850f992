-- +goose Up

-- Which slot may make ids until when, in microseconds since 1970 (see package idgrant). It
-- belongs to the system and to no tenant, so its key does not start with instance_id: one of
-- the named exceptions to that rule.
CREATE TABLE id_grants (
    slot          INTEGER NOT NULL PRIMARY KEY,
    granted_until INTEGER NOT NULL
) STRICT;

INSERT INTO id_grants (slot, granted_until)
WITH RECURSIVE slots (slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM slots WHERE slot < 1023)
SELECT slot, 0 FROM slots;
