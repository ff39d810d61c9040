-- The log of rollups: rows that were added and that the rollups do not count yet. A write appends to it, and folding moves many
-- rows at a time into the rollups. Queries add what is in the log.
--
-- The columns have the values of the same columns of fastpath. Ids are given out under the lock of writers, without a cache, so
-- rows are committed in the order of their ids.

CREATE TABLE rollup_log (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    measurement_start_time timestamp NOT NULL,
    probe_asn              bigint NOT NULL,
    msm_failure            text COLLATE "C" NOT NULL,
    confirmed              text COLLATE "C" NOT NULL,
    anomaly                text COLLATE "C" NOT NULL,
    blocking_type          text COLLATE "C" NOT NULL,
    probe_cc               text COLLATE "C" NOT NULL,
    test_name              text COLLATE "C" NOT NULL,
    domain                 text COLLATE "C" NOT NULL,
    input                  text COLLATE "C" NOT NULL
) WITH (
    parallel_workers = 0, -- few rows
    -- The program cleans up after itself; this is for what it leaves. All rows are deleted soon, so a part of the table is not a
    -- measure for what there is to clean up.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000
);

-- One row: the id of the last row of the log that was folded. The log has the rows after it; readers skip those before it, which
-- are deleted and not cleaned up yet.
CREATE TABLE rollup_log_folded (id bigint NOT NULL);
INSERT INTO rollup_log_folded VALUES (0);

-- A sum that is a bigint. It costs half as much as sum(), whose result is a numeric.
CREATE AGGREGATE total(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE);
