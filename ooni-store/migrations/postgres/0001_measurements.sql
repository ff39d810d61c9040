-- Rows (scoring spec §10, §11), locations of bodies (formats spec §9), refused measurements (scoring spec §12), removed
-- measurements, test lists (API spec §14.3), and rollups. For PostgreSQL 15 and later.
--
-- Times are UTC. Texts are compared by bytes. Since PostgreSQL cannot store NUL in a text, U+0000 is encoded as U+0001
-- U+0001, and U+0001 as U+0001 U+0002. Long texts are indexed by their first characters or by their hash, since an index
-- entry has at most 2.7 kB; texts in keys have at most 600 bytes.

CREATE TABLE schema_version (version integer NOT NULL);
INSERT INTO schema_version VALUES (0);

CREATE TABLE fastpath (
    measurement_uid        text COLLATE "C" NOT NULL,
    report_id              text COLLATE "C" NOT NULL,
    input                  text COLLATE "C" NOT NULL,
    probe_cc               text COLLATE "C" NOT NULL,
    probe_asn              bigint NOT NULL,
    test_name              text COLLATE "C" NOT NULL,
    test_start_time        timestamp NOT NULL,
    measurement_start_time timestamp NOT NULL,
    scores                 text COLLATE "C" NOT NULL,
    platform               text COLLATE "C" NOT NULL,
    anomaly                text COLLATE "C" NOT NULL,
    confirmed              text COLLATE "C" NOT NULL,
    msm_failure            text COLLATE "C" NOT NULL,
    blocking_type          text COLLATE "C" NOT NULL,
    domain                 text COLLATE "C" NOT NULL,
    software_name          text COLLATE "C" NOT NULL,
    software_version       text COLLATE "C" NOT NULL,
    test_version           text COLLATE "C" NOT NULL,
    test_runtime           real NOT NULL,
    architecture           text COLLATE "C" NOT NULL,
    engine_name            text COLLATE "C" NOT NULL,
    engine_version         text COLLATE "C" NOT NULL,
    test_helper_address    text COLLATE "C" NOT NULL,
    test_helper_type       text COLLATE "C" NOT NULL,
    ooni_run_link_id       numeric(20),
    is_verified            text COLLATE "C" NOT NULL,
    -- Name and version of the rules that scored the measurement, and SHA-256 of the fingerprint lists.
    ruleset                text COLLATE "C" NOT NULL,
    fingerprints_sha256    text COLLATE "C" NOT NULL,
    -- SHA-256 of the body as it was read.
    body_sha256            text COLLATE "C" NOT NULL,
    update_time            timestamp(3) NOT NULL DEFAULT localtimestamp,
    -- The order of lists without conditions. The key of jsonl makes uids unique.
    PRIMARY KEY (measurement_start_time, measurement_uid)
) PARTITION BY RANGE (measurement_start_time);

-- Each month from 2012 to 2039 has a partition, fastpath_YYYY_MM, created when the first row of that month or of the month
-- before is written. Other times, which come from wrong clocks, share two partitions.
CREATE TABLE fastpath_before PARTITION OF fastpath FOR VALUES FROM (MINVALUE) TO ('2012-01-01');
CREATE TABLE fastpath_after PARTITION OF fastpath FOR VALUES FROM ('2040-01-01') TO (MAXVALUE);

-- Each index is named after the values that it finds. Most end with the start of the measurement, by which lists are ordered.
CREATE INDEX fastpath_by_report ON fastpath (substr(report_id, 1, 256), substr(input, 1, 256));
CREATE INDEX fastpath_by_input ON fastpath (substr(input, 1, 256), measurement_start_time);
CREATE INDEX fastpath_by_domain ON fastpath (domain, measurement_start_time);
CREATE INDEX fastpath_by_network ON fastpath (probe_asn, measurement_start_time);
CREATE INDEX fastpath_by_country ON fastpath (probe_cc, measurement_start_time);
-- Nearly all measurements belong to web_connectivity.
CREATE INDEX fastpath_by_test ON fastpath (test_name, measurement_start_time) WHERE test_name <> 'web_connectivity';

-- The location of each row's body; if it is unknown, s3path, date and source are empty. The key makes measurement_uid
-- unique across the partitions of fastpath, and measurement_start_time says which of them has the row.
CREATE TABLE jsonl (
    report_id       text COLLATE "C" NOT NULL,
    input           text COLLATE "C" NOT NULL,
    s3path          text COLLATE "C" NOT NULL,
    -- Line in the file, from 0.
    linenum         bigint NOT NULL,
    measurement_uid text COLLATE "C" NOT NULL PRIMARY KEY,
    -- 'YYYY-MM-DD'
    date            text COLLATE "C" NOT NULL,
    -- The key of the can.
    source          text COLLATE "C" NOT NULL,
    measurement_start_time timestamp NOT NULL,
    update_time     timestamp(3) NOT NULL DEFAULT localtimestamp
);

-- Used to drop a month.
CREATE INDEX jsonl_by_time ON jsonl USING brin (measurement_start_time);

CREATE TABLE obs_openvpn (
    anomaly                       boolean NOT NULL,
    bootstrap_time                real NOT NULL,
    confirmed                     boolean NOT NULL,
    failure                       text COLLATE "C" NOT NULL,
    input                         text COLLATE "C" NOT NULL,
    last_handshake_transaction_id numeric(20) NOT NULL,
    measurement_start_time        timestamp NOT NULL,
    measurement_uid               text COLLATE "C" NOT NULL PRIMARY KEY,
    minivpn_version               text COLLATE "C" NOT NULL,
    obfs4_version                 text COLLATE "C" NOT NULL,
    obfuscation                   text COLLATE "C" NOT NULL,
    platform                      text COLLATE "C" NOT NULL,
    probe_asn                     bigint NOT NULL,
    probe_cc                      text COLLATE "C" NOT NULL,
    probe_network_name            text COLLATE "C" NOT NULL,
    provider                      text COLLATE "C" NOT NULL,
    remote                        text COLLATE "C" NOT NULL,
    report_id                     text COLLATE "C" NOT NULL,
    resolver_asn                  bigint NOT NULL,
    resolver_ip                   text COLLATE "C" NOT NULL,
    resolver_network_name         text COLLATE "C" NOT NULL,
    software_name                 text COLLATE "C" NOT NULL,
    software_version              text COLLATE "C" NOT NULL,
    success                       boolean NOT NULL,
    success_handshake             boolean NOT NULL,
    success_icmp                  boolean NOT NULL,
    success_urlgrab               boolean NOT NULL,
    test_runtime                  real NOT NULL,
    test_start_time               timestamp NOT NULL,
    transport                     text COLLATE "C" NOT NULL,
    update_time                   timestamp(3) NOT NULL DEFAULT localtimestamp
);

-- Measurements without a row because a column does not accept their value.
CREATE TABLE refused (
    measurement_uid text COLLATE "C" NOT NULL,
    column_name     text COLLATE "C" NOT NULL,
    message         text COLLATE "C" NOT NULL,
    -- The row as JSON; for openvpn {"row": …, "openvpn": …}. NULL if it is too long to be kept.
    row_json        text COLLATE "C",
    s3path          text COLLATE "C" NOT NULL,
    linenum         bigint NOT NULL,
    date            text COLLATE "C" NOT NULL,
    source          text COLLATE "C" NOT NULL,
    update_time     timestamp(3) NOT NULL DEFAULT localtimestamp
);

-- The index is on a hash, because a uid may be refused for its length.
CREATE UNIQUE INDEX refused_by_uid ON refused (md5(measurement_uid));

-- Measurements that were removed permanently. They are not stored again.
CREATE TABLE removed (
    measurement_uid text COLLATE "C" NOT NULL,
    reason          text COLLATE "C" NOT NULL,
    update_time     timestamp(3) NOT NULL DEFAULT localtimestamp
);

CREATE UNIQUE INDEX removed_by_uid ON removed (md5(measurement_uid));

-- Test lists. A URL can be in several lists. cc is the name of the list's file, and ZZ for the global list.
CREATE TABLE citizenlab (
    url           text COLLATE "C" NOT NULL,
    domain        text COLLATE "C" NOT NULL,
    cc            text COLLATE "C" NOT NULL,
    category_code text COLLATE "C" NOT NULL
);

CREATE INDEX citizenlab_by_url ON citizenlab USING hash (url);
CREATE INDEX citizenlab_by_category ON citizenlab (category_code, cc);
CREATE INDEX citizenlab_by_list ON citizenlab (cc);

-- Rollups: counts of rows by the columns of their keys (src/rollup.rs). Times are the first second of an hour, day, week or
-- month. A row is counted in at most one of failure, confirmed and anomaly, the first that applies; the counts of flags are
-- independent.

CREATE TABLE rollup_day_test (
    day                  timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (day, test_name)
);

CREATE TABLE rollup_day_country (
    day                  timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    probe_cc             text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (day, test_name, probe_cc)
);

CREATE TABLE rollup_hour_country (
    hour                 timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    probe_cc             text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (hour, test_name, probe_cc)
);

CREATE TABLE rollup_month_country (
    month                timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    probe_cc             text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (month, test_name, probe_cc)
);

CREATE TABLE rollup_month_network (
    month                timestamp NOT NULL,
    probe_cc             text COLLATE "C" NOT NULL,
    probe_asn            bigint NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (month, probe_cc, probe_asn)
);

CREATE TABLE rollup_test_domain (
    test_name            text COLLATE "C" NOT NULL,
    domain               text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (test_name, domain)
);

CREATE TABLE rollup_country (
    probe_cc             text COLLATE "C" NOT NULL,
    day                  timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    blocking_type        text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (probe_cc, day, test_name, blocking_type)
);

CREATE TABLE rollup_country_network (
    probe_cc             text COLLATE "C" NOT NULL,
    day                  timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    probe_asn            bigint NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (probe_cc, day, test_name, probe_asn)
);

CREATE INDEX rollup_country_network_by_probe_asn ON rollup_country_network (probe_asn, day);

CREATE TABLE rollup_country_domain (
    probe_cc             text COLLATE "C" NOT NULL,
    day                  timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    domain               text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (probe_cc, day, test_name, domain)
);

CREATE INDEX rollup_country_domain_by_domain ON rollup_country_domain (domain, day);

CREATE TABLE rollup_category (
    category_code        text COLLATE "C" NOT NULL,
    list_cc              text COLLATE "C" NOT NULL,
    day                  timestamp NOT NULL,
    test_name            text COLLATE "C" NOT NULL,
    probe_cc             text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL,
    PRIMARY KEY (category_code, list_cc, day, test_name, probe_cc)
);

CREATE TABLE rollup_week_input (
    test_name            text COLLATE "C" NOT NULL,
    probe_cc             text COLLATE "C" NOT NULL,
    week                 timestamp NOT NULL,
    input                text COLLATE "C" NOT NULL,
    measurement_count    bigint NOT NULL,
    failure_count        bigint NOT NULL,
    confirmed_count      bigint NOT NULL,
    anomaly_count        bigint NOT NULL,
    confirmed_flag_count bigint NOT NULL,
    anomaly_flag_count   bigint NOT NULL
);

CREATE UNIQUE INDEX rollup_week_input_key ON rollup_week_input (test_name, probe_cc, week, md5(input));
