-- Measurements that were rejected (scoring spec §4), by the can that was read and their position in it, from 0; negative for
-- a part of the can that cannot be read as measurements. They are replaced when the can is read again, and deleted when a
-- measurement of their uid is stored.
CREATE TABLE IF NOT EXISTS rejected (
    can String,
    position Int64,
    -- Null where none is known.
    measurement_uid Nullable(String),
    -- Such as 'E-TYPE'.
    code LowCardinality(String),
    -- A JSON pointer into the document.
    path String,
    message String,
    update_time DateTime64(6, 'UTC'),
    INDEX by_uid measurement_uid TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplacingMergeTree(update_time)
ORDER BY (can, position);
