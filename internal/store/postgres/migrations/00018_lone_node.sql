-- +goose Up

-- Whether a node takes itself for the only one that can write, or has ended without a word while it did. Then
-- who comes next waits until that node has stopped to believe it (docs/adr/0019-lone-node.md).
CREATE TABLE lone_node (
    held BOOLEAN NOT NULL
);

INSERT INTO lone_node (held) VALUES (FALSE);
