-- The gzip member of s3path that contains the body, and the line in it, from 0; NULL if they are not known.

ALTER TABLE jsonl ADD COLUMN member_offset bigint, ADD COLUMN member_length bigint, ADD COLUMN member_line bigint;

ALTER TABLE refused ADD COLUMN member_offset bigint, ADD COLUMN member_length bigint, ADD COLUMN member_line bigint;

-- The locations of archived bodies without a row: of measurements that were discarded, rejected or refused, or are not scored yet.
CREATE TABLE archived (
    measurement_uid text COLLATE "C" NOT NULL PRIMARY KEY,
    s3path          text COLLATE "C" NOT NULL,
    linenum         bigint NOT NULL,
    date            text COLLATE "C" NOT NULL,
    source          text COLLATE "C" NOT NULL,
    member_offset   bigint,
    member_length   bigint,
    member_line     bigint,
    update_time     timestamp(3) NOT NULL DEFAULT localtimestamp
);
