-- Totals of countries and networks, and days of countries, for the overviews of Explorer.

CREATE TABLE IF NOT EXISTS rollup_network (
    probe_cc LowCardinality(String),
    probe_asn UInt32,
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (probe_cc, probe_asn, of_day);

CREATE TABLE IF NOT EXISTS rollup_network_next AS rollup_network;

CREATE TABLE IF NOT EXISTS rollup_country_day (
    probe_cc LowCardinality(String),
    day DateTime('UTC'),
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (probe_cc, day, of_day);

CREATE TABLE IF NOT EXISTS rollup_country_day_next AS rollup_country_day;

-- Rows of all days are counted until the new rollups are rebuilt.
INSERT INTO dirty (change, rollup_name, day, is_done)
SELECT 0, 'network', toDate(measurement_start_time), 1 FROM fastpath GROUP BY toDate(measurement_start_time);

INSERT INTO dirty (change, rollup_name, day, is_done)
SELECT 0, 'country_day', toDate(measurement_start_time), 1 FROM fastpath GROUP BY toDate(measurement_start_time);
