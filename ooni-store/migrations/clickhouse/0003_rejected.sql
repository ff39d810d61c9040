-- Rejected measurements (scoring spec §4), by the can that was read and their position in it. Positions count from 0; those of
-- parts of the can that cannot be read as measurements are negative. Rejections are replaced when the can is read again, and
-- deleted when a measurement with their uid is stored.
CREATE TABLE IF NOT EXISTS rejected (
    can String,
    position Int64,
    -- Null if it is unknown.
    measurement_uid Nullable(String),
    -- The error code, such as 'E-TYPE'.
    code LowCardinality(String),
    -- The JSON pointer of the value in the document.
    path String,
    message String,
    update_time DateTime64(6, 'UTC'),
    INDEX by_uid measurement_uid TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplacingMergeTree(update_time)
ORDER BY (can, position);
