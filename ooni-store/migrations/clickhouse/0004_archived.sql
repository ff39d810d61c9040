-- The gzip member of s3path that contains the body, and the line in it, from 0; null if they are not known.

ALTER TABLE jsonl ADD COLUMN IF NOT EXISTS member_offset Nullable(UInt64),
    ADD COLUMN IF NOT EXISTS member_length Nullable(UInt64),
    ADD COLUMN IF NOT EXISTS member_line Nullable(UInt32);

ALTER TABLE refused ADD COLUMN IF NOT EXISTS member_offset Nullable(UInt64),
    ADD COLUMN IF NOT EXISTS member_length Nullable(UInt64),
    ADD COLUMN IF NOT EXISTS member_line Nullable(UInt32);

-- The locations of archived bodies without a row: of measurements that were discarded, rejected or refused, or are not scored yet.
CREATE TABLE IF NOT EXISTS archived (
    measurement_uid String,
    s3path String,
    linenum UInt32,
    date LowCardinality(String),
    source String,
    member_offset Nullable(UInt64),
    member_length Nullable(UInt64),
    member_line Nullable(UInt32),
    update_time DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(update_time)
ORDER BY measurement_uid;
