-- +goose Up

-- What nodes keep in memory of an instance is good as long as its epochs are what they were when it was
-- read (docs/adr/0016-fresh-caches.md). An epoch is the sum of the rows of an instance: connections
-- that move it at the same time add to different slots. An instance without a row does not exist.
CREATE TABLE cache_epochs (
    instance_id TEXT NOT NULL,
    slot        INTEGER NOT NULL,
    settings    INTEGER NOT NULL,
    access      INTEGER NOT NULL,
    PRIMARY KEY (instance_id, slot)
) STRICT;

INSERT INTO cache_epochs (instance_id, slot, settings, access) SELECT instance_id, 0, 0, 0 FROM instance_keys;
