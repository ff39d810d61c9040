-- The log of rollups: rows that were added and that the rollups do not count yet. A write appends to it, and folding moves many
-- rows at a time into the rollups. Queries add what is in the log.
--
-- The columns have the values of the same columns of fastpath. Ids increase, and are never used again.

CREATE TABLE rollup_log (
    id                     INTEGER PRIMARY KEY,
    measurement_start_time INTEGER NOT NULL,
    probe_asn              INTEGER NOT NULL,
    msm_failure            TEXT NOT NULL,
    confirmed              TEXT NOT NULL,
    anomaly                TEXT NOT NULL,
    blocking_type          TEXT NOT NULL,
    probe_cc               TEXT NOT NULL,
    test_name              TEXT NOT NULL,
    domain                 TEXT NOT NULL,
    input                  TEXT NOT NULL
) STRICT;

-- One row: the id of the last row of the log that was folded. The log has the rows after it.
CREATE TABLE rollup_log_folded (id INTEGER NOT NULL) STRICT;
INSERT INTO rollup_log_folded VALUES (0);
