-- The gzip member of s3path that contains the body, and the line in it, from 0; NULL if they are not known.

ALTER TABLE jsonl ADD COLUMN member_offset INTEGER;
ALTER TABLE jsonl ADD COLUMN member_length INTEGER;
ALTER TABLE jsonl ADD COLUMN member_line INTEGER;

ALTER TABLE refused ADD COLUMN member_offset INTEGER;
ALTER TABLE refused ADD COLUMN member_length INTEGER;
ALTER TABLE refused ADD COLUMN member_line INTEGER;

-- The locations of archived bodies without a row: of measurements that were discarded, rejected or refused, or are not scored yet.
CREATE TABLE archived (
    measurement_uid TEXT NOT NULL PRIMARY KEY,
    s3path          TEXT NOT NULL,
    linenum         INTEGER NOT NULL,
    date            TEXT NOT NULL,
    source          TEXT NOT NULL,
    member_offset   INTEGER,
    member_length   INTEGER,
    member_line     INTEGER,
    update_time     TEXT NOT NULL
) STRICT;
