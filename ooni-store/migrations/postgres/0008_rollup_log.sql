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
    -- All rows are deleted soon, so a part of the table is not a measure for what there is to clean up.
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

-- The rows that are not folded yet. A plan of its own uses the key, whatever the statistics say: a table scan would also read
-- all rows that were deleted and not cleaned up yet.
CREATE FUNCTION rollup_log_rows() RETURNS SETOF rollup_log LANGUAGE sql STABLE ROWS 2000 SET enable_seqscan = off
    AS 'SELECT r.* FROM rollup_log AS r WHERE r.id > (SELECT g.id FROM rollup_log_folded AS g)';

-- A sum that is a bigint. It costs half as much as sum(), whose result is a numeric.
CREATE AGGREGATE total(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE);
