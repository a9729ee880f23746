-- What erasing leaves behind for a while (analytics/store/duckdb/row_erasure.py).

-- Ids of events that were erased: a copy that comes late is a duplicate as ever.
CREATE TABLE erased_ids (
    site VARCHAR NOT NULL,
    event_id UUID NOT NULL,
    received_at BIGINT NOT NULL
);

-- How often something was deleted whose bytes the file still holds, until it is compacted. A file
-- of an older version is compacted if ever a row was deleted from it.
CREATE TABLE uncompacted (deletions BIGINT NOT NULL);
INSERT INTO uncompacted SELECT 1 FROM ledger HAVING sum(erased) > 0;
