-- What the DuckDB file holds. The columns of `rows` are the fields of analytics.event.Row, in
-- order; times are UTC milliseconds, so that no time zone table but Python's is ever asked.

CREATE TABLE schema_version (version INTEGER NOT NULL);

CREATE TABLE rows (
    event_id UUID NOT NULL,
    site VARCHAR NOT NULL,
    ts BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    visitor UBIGINT NOT NULL,
    name VARCHAR NOT NULL,
    hostname VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    referrer VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    utm_source VARCHAR NOT NULL,
    utm_medium VARCHAR NOT NULL,
    utm_campaign VARCHAR NOT NULL,
    utm_content VARCHAR NOT NULL,
    utm_term VARCHAR NOT NULL,
    click_id VARCHAR NOT NULL,
    country VARCHAR NOT NULL,
    region VARCHAR NOT NULL,
    city VARCHAR NOT NULL,
    device VARCHAR NOT NULL,
    browser VARCHAR NOT NULL,
    browser_version VARCHAR NOT NULL,
    os VARCHAR NOT NULL,
    os_version VARCHAR NOT NULL,
    screen VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    props MAP(VARCHAR, VARCHAR) NOT NULL,
    revenue DECIMAL(38, 3),
    currency VARCHAR NOT NULL,
    scroll_depth SMALLINT,
    engaged_ms BIGINT NOT NULL,
    interactive BOOLEAN NOT NULL,
    bot VARCHAR,
    skew_ms BIGINT NOT NULL,
    log_offset BIGINT NOT NULL,
    session UBIGINT NOT NULL,
    session_start BIGINT NOT NULL,
    opens TINYINT NOT NULL,
    engages TINYINT NOT NULL,
    gap_ms BIGINT NOT NULL,
    prev_path VARCHAR,
    prev_hostname VARCHAR,
    entry_hostname VARCHAR NOT NULL,
    entry_path VARCHAR NOT NULL,
    entry_referrer VARCHAR NOT NULL,
    entry_source VARCHAR NOT NULL,
    entry_channel VARCHAR NOT NULL,
    entry_utm_source VARCHAR NOT NULL,
    entry_utm_medium VARCHAR NOT NULL,
    entry_utm_campaign VARCHAR NOT NULL,
    entry_utm_content VARCHAR NOT NULL,
    entry_utm_term VARCHAR NOT NULL,
    entry_country VARCHAR NOT NULL,
    entry_region VARCHAR NOT NULL,
    entry_city VARCHAR NOT NULL,
    entry_device VARCHAR NOT NULL,
    entry_browser VARCHAR NOT NULL,
    entry_browser_version VARCHAR NOT NULL,
    entry_os VARCHAR NOT NULL,
    entry_os_version VARCHAR NOT NULL,
    entry_screen VARCHAR NOT NULL,
    entry_language VARCHAR NOT NULL
);

-- For each partition of the log, where to go on reading.
CREATE TABLE offsets (
    partition INTEGER PRIMARY KEY,
    next_offset BIGINT NOT NULL
);

-- received = stored + duplicate + dead + the drops of the same (site, hour).
CREATE TABLE ledger (
    site VARCHAR NOT NULL,
    hour BIGINT NOT NULL,
    received BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    dead BIGINT NOT NULL,
    erased BIGINT NOT NULL,
    PRIMARY KEY (site, hour)
);

CREATE TABLE drops (
    site VARCHAR NOT NULL,
    hour BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (site, hour, reason)
);

CREATE TABLE dead_letters (
    partition INTEGER NOT NULL,
    log_offset BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    payload BLOB NOT NULL
);

-- What retention has deleted: a site's figures begin here, though rows of visits that span the
-- moment are still there.
CREATE TABLE kept_since (
    site VARCHAR PRIMARY KEY,
    since BIGINT NOT NULL
);

-- The cells of a site are true for every day (of `timezone`) that ended by `until`.
CREATE TABLE cell_state (
    site VARCHAR PRIMARY KEY,
    timezone VARCHAR NOT NULL,
    until BIGINT NOT NULL
);

-- Visitors active on `day` for a value of a dimension, by the days since they last were.
CREATE TABLE cell_visitors (
    site VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    day INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    visitors BIGINT NOT NULL
);

-- The figures that add up over days (see analytics/store/sql/measures.py).
CREATE TABLE cell_sums (
    site VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    day INTEGER NOT NULL,
    pageviews BIGINT NOT NULL,
    events BIGINT NOT NULL,
    begun BIGINT NOT NULL,
    engages BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    views BIGINT NOT NULL,
    viewed BIGINT NOT NULL,
    engaged_ms BIGINT NOT NULL,
    scroll_sum BIGINT NOT NULL,
    scroll_visits BIGINT NOT NULL,
    exits BIGINT NOT NULL
);
