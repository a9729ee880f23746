-- What remains of rows that were let go (analytics/store/duckdb/hot_window.py).

-- The rows of a site's days that ended by `since` are gone; its days are those of `timezone`.
CREATE TABLE windows (
    site VARCHAR PRIMARY KEY,
    since BIGINT NOT NULL,
    timezone VARCHAR NOT NULL,
    first_event BIGINT NOT NULL
);

-- For each value of a dimension, the last of the gone days on which a visitor was active.
CREATE TABLE last_seen (
    site VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    visitor UBIGINT NOT NULL,
    day INTEGER NOT NULL
);

-- The gone days on which visitors came who are good for one day only.
CREATE TABLE cookieless_days (
    site VARCHAR NOT NULL,
    day INTEGER NOT NULL
);

-- How many rows are gone, by the hour of the ledger; `moment` (a quarter of an hour) is that of
-- the event or of its visit's beginning, whichever is later: retention deletes by it.
CREATE TABLE gone_rows (
    site VARCHAR NOT NULL,
    moment BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    rows BIGINT NOT NULL
);
