-- Rows (scoring spec §10, §11), locations of bodies (formats spec §9), refused measurements (scoring spec §12), removed
-- measurements, test lists (API spec §14.3), and rollups. For ClickHouse 24 and later.
--
-- Times are UTC. A migration is not a transaction, so each statement can be executed again. Of rows with the same key, the
-- one with the latest update_time is valid; the setting `final` of every query selects it. A statement ends at a line that
-- ends with a semicolon.

CREATE TABLE IF NOT EXISTS schema_version (version UInt32) ENGINE = MergeTree ORDER BY version;

CREATE TABLE IF NOT EXISTS fastpath (
    measurement_uid String,
    report_id String,
    input String,
    probe_cc LowCardinality(String),
    probe_asn UInt32,
    test_name LowCardinality(String),
    test_start_time DateTime('UTC'),
    measurement_start_time DateTime('UTC'),
    scores String,
    platform LowCardinality(String),
    anomaly LowCardinality(String),
    confirmed LowCardinality(String),
    msm_failure LowCardinality(String),
    blocking_type LowCardinality(String),
    domain String,
    software_name LowCardinality(String),
    software_version LowCardinality(String),
    test_version LowCardinality(String),
    test_runtime Float32,
    architecture LowCardinality(String),
    engine_name LowCardinality(String),
    engine_version LowCardinality(String),
    test_helper_address String,
    test_helper_type String,
    ooni_run_link_id Nullable(UInt64),
    is_verified LowCardinality(String),
    -- Name and version of the rules that scored the measurement, and SHA-256 of the fingerprint lists.
    ruleset LowCardinality(String),
    fingerprints_sha256 LowCardinality(String),
    -- SHA-256 of the body as it was read.
    body_sha256 String,
    update_time DateTime64(6, 'UTC'),
    INDEX by_report report_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_input input TYPE bloom_filter GRANULARITY 1,
    INDEX by_domain domain TYPE bloom_filter GRANULARITY 1,
    INDEX by_network probe_asn TYPE bloom_filter GRANULARITY 1
) ENGINE = ReplacingMergeTree(update_time)
PARTITION BY toYYYYMM(measurement_start_time)
ORDER BY (measurement_start_time, measurement_uid);

-- The location of each row's body; if it is unknown, s3path, date and source are empty. It is also the index by which the
-- row of a uid is found in fastpath: an entry here is written before the row. A uid has two entries only while the start of
-- its measurement is being changed.
CREATE TABLE IF NOT EXISTS jsonl (
    report_id String,
    input String,
    s3path String,
    -- Line in the file, from 0.
    linenum UInt32,
    measurement_uid String,
    -- 'YYYY-MM-DD'
    date LowCardinality(String),
    -- The key of the can.
    source String,
    measurement_start_time DateTime('UTC'),
    update_time DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(update_time)
ORDER BY (measurement_uid, measurement_start_time);

CREATE TABLE IF NOT EXISTS obs_openvpn (
    anomaly Bool,
    bootstrap_time Float32,
    confirmed Bool,
    failure LowCardinality(String),
    input String,
    last_handshake_transaction_id UInt64,
    measurement_start_time DateTime('UTC'),
    measurement_uid String,
    minivpn_version LowCardinality(String),
    obfs4_version LowCardinality(String),
    obfuscation LowCardinality(String),
    platform LowCardinality(String),
    probe_asn UInt32,
    probe_cc LowCardinality(String),
    probe_network_name String,
    provider LowCardinality(String),
    remote String,
    report_id String,
    resolver_asn UInt32,
    resolver_ip String,
    resolver_network_name String,
    software_name LowCardinality(String),
    software_version LowCardinality(String),
    success Bool,
    success_handshake Bool,
    success_icmp Bool,
    success_urlgrab Bool,
    test_runtime Float32,
    test_start_time DateTime('UTC'),
    transport LowCardinality(String),
    update_time DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(update_time)
ORDER BY measurement_uid;

-- Measurements without a row because a column does not accept their value.
CREATE TABLE IF NOT EXISTS refused (
    measurement_uid String,
    column_name LowCardinality(String),
    message String,
    -- The row as JSON; for openvpn {"row": …, "openvpn": …}. Null if it is too long to be kept.
    row_json Nullable(String),
    s3path String,
    linenum UInt32,
    date LowCardinality(String),
    source String,
    update_time DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(update_time)
ORDER BY measurement_uid;

-- Measurements that were removed permanently. They are not stored again.
CREATE TABLE IF NOT EXISTS removed (
    measurement_uid String,
    reason String,
    update_time DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(update_time)
ORDER BY measurement_uid;

-- Test lists. A URL can be in several lists. cc is the name of the list's file, and ZZ for the global list. New lists are
-- written to citizenlab_next, and then replace the old ones as one partition.
CREATE TABLE IF NOT EXISTS citizenlab (
    url String,
    domain String,
    cc LowCardinality(String),
    category_code LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (url, cc, category_code);

CREATE TABLE IF NOT EXISTS citizenlab_next AS citizenlab;

-- Days on which a rollup may differ from the rows; an empty name stands for all rollups. Rows of these days are counted
-- until the rollup has been rebuilt. A change adds its days here before it writes, and again when it is done.
CREATE TABLE IF NOT EXISTS dirty (
    change UInt64,
    rollup_name String,
    day Date,
    is_done UInt8,
    marked DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = MergeTree
ORDER BY day;

-- The lease of the process that rebuilds rollups. A row expires after one minute.
CREATE TABLE IF NOT EXISTS lease (
    holder UInt64,
    taken DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = MergeTree
PARTITION BY holder
ORDER BY taken;

-- Rollups: counts of rows by the columns of their keys (src/rollup.rs) and by day; a cell is the sum over of_day. Times are
-- the first second of an hour, day, week or month. A row is counted in at most one of failure, confirmed and anomaly, the
-- first that applies; the counts of flags are independent. Rebuilt months are written to the table with the suffix _next,
-- and each then replaces the old month as one partition.

CREATE TABLE IF NOT EXISTS rollup_day_test (
    day DateTime('UTC'),
    test_name LowCardinality(String),
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (day, test_name, of_day);

CREATE TABLE IF NOT EXISTS rollup_day_test_next AS rollup_day_test;

CREATE TABLE IF NOT EXISTS rollup_day_country (
    day DateTime('UTC'),
    test_name LowCardinality(String),
    probe_cc LowCardinality(String),
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (day, test_name, probe_cc, of_day);

CREATE TABLE IF NOT EXISTS rollup_day_country_next AS rollup_day_country;

CREATE TABLE IF NOT EXISTS rollup_hour_country (
    hour DateTime('UTC'),
    test_name LowCardinality(String),
    probe_cc LowCardinality(String),
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (hour, test_name, probe_cc, of_day);

CREATE TABLE IF NOT EXISTS rollup_hour_country_next AS rollup_hour_country;

CREATE TABLE IF NOT EXISTS rollup_month_country (
    month DateTime('UTC'),
    test_name LowCardinality(String),
    probe_cc LowCardinality(String),
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (month, test_name, probe_cc, of_day);

CREATE TABLE IF NOT EXISTS rollup_month_country_next AS rollup_month_country;

CREATE TABLE IF NOT EXISTS rollup_month_network (
    month DateTime('UTC'),
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
ORDER BY (month, probe_cc, probe_asn, of_day);

CREATE TABLE IF NOT EXISTS rollup_month_network_next AS rollup_month_network;

CREATE TABLE IF NOT EXISTS rollup_test_domain (
    test_name LowCardinality(String),
    domain String,
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (test_name, domain, of_day);

CREATE TABLE IF NOT EXISTS rollup_test_domain_next AS rollup_test_domain;

CREATE TABLE IF NOT EXISTS rollup_country (
    probe_cc LowCardinality(String),
    day DateTime('UTC'),
    test_name LowCardinality(String),
    blocking_type LowCardinality(String),
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (probe_cc, day, test_name, blocking_type, of_day);

CREATE TABLE IF NOT EXISTS rollup_country_next AS rollup_country;

CREATE TABLE IF NOT EXISTS rollup_country_network (
    probe_cc LowCardinality(String),
    day DateTime('UTC'),
    test_name LowCardinality(String),
    probe_asn UInt32,
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64,
    INDEX by_network probe_asn TYPE bloom_filter GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (probe_cc, day, test_name, probe_asn, of_day);

CREATE TABLE IF NOT EXISTS rollup_country_network_next AS rollup_country_network;

CREATE TABLE IF NOT EXISTS rollup_country_domain (
    probe_cc LowCardinality(String),
    day DateTime('UTC'),
    test_name LowCardinality(String),
    domain String,
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64,
    INDEX by_domain domain TYPE bloom_filter GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (probe_cc, day, test_name, domain, of_day);

CREATE TABLE IF NOT EXISTS rollup_country_domain_next AS rollup_country_domain;

CREATE TABLE IF NOT EXISTS rollup_category (
    category_code LowCardinality(String),
    list_cc LowCardinality(String),
    day DateTime('UTC'),
    test_name LowCardinality(String),
    probe_cc LowCardinality(String),
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (category_code, list_cc, day, test_name, probe_cc, of_day);

CREATE TABLE IF NOT EXISTS rollup_category_next AS rollup_category;

CREATE TABLE IF NOT EXISTS rollup_week_input (
    test_name LowCardinality(String),
    probe_cc LowCardinality(String),
    -- The week of 1970-01-01 begins before that day.
    week DateTime64(0, 'UTC'),
    input String,
    of_day Date,
    measurement_count UInt64,
    failure_count UInt64,
    confirmed_count UInt64,
    anomaly_count UInt64,
    confirmed_flag_count UInt64,
    anomaly_flag_count UInt64
) ENGINE = MergeTree
PARTITION BY toYYYYMM(of_day)
ORDER BY (test_name, probe_cc, week, input, of_day);

CREATE TABLE IF NOT EXISTS rollup_week_input_next AS rollup_week_input;
