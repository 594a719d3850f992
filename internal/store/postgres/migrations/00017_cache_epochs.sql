-- +goose Up

-- What nodes keep in memory of an instance is good as long as its epochs are what they were when it was
-- read (docs/adr/0016-fresh-caches.md). An epoch is the sum of the rows of an instance: connections
-- that move it at the same time add to different slots. An instance without a row does not exist.
CREATE TABLE cache_epochs (
    instance_id TEXT COLLATE "C" NOT NULL,
    slot        BIGINT NOT NULL,
    settings    BIGINT NOT NULL,
    access      BIGINT NOT NULL,
    PRIMARY KEY (instance_id, slot)
);

INSERT INTO cache_epochs (instance_id, slot, settings, access) SELECT instance_id, 0, 0, 0 FROM instance_keys;
