-- Rows (scoring spec §10, §11), locations of bodies (formats spec §9), refused measurements (scoring spec §12), removed
-- measurements, test lists (API spec §14.3), and rollups.
--
-- Times are seconds since 1970, UTC: datetime(measurement_start_time, 'unixepoch'). update_time is text, with milliseconds.
-- NaN in test_runtime or bootstrap_time is stored as NULL, since SQLite has no NaN.

CREATE TABLE fastpath (
    measurement_uid        TEXT NOT NULL PRIMARY KEY,
    report_id              TEXT NOT NULL,
    input                  TEXT NOT NULL,
    probe_cc               TEXT NOT NULL,
    probe_asn              INTEGER NOT NULL,
    test_name              TEXT NOT NULL,
    test_start_time        INTEGER NOT NULL,
    measurement_start_time INTEGER NOT NULL,
    scores                 TEXT NOT NULL,
    platform               TEXT NOT NULL,
    anomaly                TEXT NOT NULL,
    confirmed              TEXT NOT NULL,
    msm_failure            TEXT NOT NULL,
    blocking_type          TEXT NOT NULL,
    domain                 TEXT NOT NULL,
    software_name          TEXT NOT NULL,
    software_version       TEXT NOT NULL,
    test_version           TEXT NOT NULL,
    test_runtime           REAL,
    architecture           TEXT NOT NULL,
    engine_name            TEXT NOT NULL,
    engine_version         TEXT NOT NULL,
    test_helper_address    TEXT NOT NULL,
    test_helper_type       TEXT NOT NULL,
    -- An integer; from 2^63 on its digits as text, because it exceeds SQLite's integers.
    ooni_run_link_id       ANY,
    is_verified            TEXT NOT NULL,
    -- Name and version of the rules that scored the measurement, and SHA-256 of the fingerprint lists.
    ruleset                TEXT NOT NULL,
    fingerprints_sha256    TEXT NOT NULL,
    -- SHA-256 of the body as it was read.
    body_sha256            TEXT NOT NULL,
    update_time            TEXT NOT NULL
) STRICT;

-- Each index is named after the values that it finds. Most end with the start of the measurement, by which lists are ordered.
CREATE INDEX fastpath_by_time ON fastpath (measurement_start_time);
CREATE INDEX fastpath_by_report ON fastpath (report_id, input);
CREATE INDEX fastpath_by_input ON fastpath (input, measurement_start_time);
CREATE INDEX fastpath_by_domain ON fastpath (domain, measurement_start_time);
CREATE INDEX fastpath_by_network ON fastpath (probe_asn, measurement_start_time);
CREATE INDEX fastpath_by_country ON fastpath (probe_cc, measurement_start_time);
-- Nearly all measurements belong to web_connectivity.
CREATE INDEX fastpath_by_test ON fastpath (test_name, measurement_start_time) WHERE test_name <> 'web_connectivity';

-- The location of each row's body, if it is known.
CREATE TABLE jsonl (
    report_id       TEXT NOT NULL,
    input           TEXT NOT NULL,
    s3path          TEXT NOT NULL,
    -- Line in the file, from 0.
    linenum         INTEGER NOT NULL,
    measurement_uid TEXT NOT NULL PRIMARY KEY,
    -- 'YYYY-MM-DD'
    date            TEXT NOT NULL,
    -- The key of the can.
    source          TEXT NOT NULL,
    update_time     TEXT NOT NULL
) STRICT;

CREATE TABLE obs_openvpn (
    anomaly                       INTEGER NOT NULL,
    bootstrap_time                REAL,
    confirmed                     INTEGER NOT NULL,
    failure                       TEXT NOT NULL,
    input                         TEXT NOT NULL,
    last_handshake_transaction_id INTEGER NOT NULL,
    measurement_start_time        INTEGER NOT NULL,
    measurement_uid               TEXT NOT NULL PRIMARY KEY,
    minivpn_version               TEXT NOT NULL,
    obfs4_version                 TEXT NOT NULL,
    obfuscation                   TEXT NOT NULL,
    platform                      TEXT NOT NULL,
    probe_asn                     INTEGER NOT NULL,
    probe_cc                      TEXT NOT NULL,
    probe_network_name            TEXT NOT NULL,
    provider                      TEXT NOT NULL,
    remote                        TEXT NOT NULL,
    report_id                     TEXT NOT NULL,
    resolver_asn                  INTEGER NOT NULL,
    resolver_ip                   TEXT NOT NULL,
    resolver_network_name         TEXT NOT NULL,
    software_name                 TEXT NOT NULL,
    software_version              TEXT NOT NULL,
    success                       INTEGER NOT NULL,
    success_handshake             INTEGER NOT NULL,
    success_icmp                  INTEGER NOT NULL,
    success_urlgrab               INTEGER NOT NULL,
    test_runtime                  REAL,
    test_start_time               INTEGER NOT NULL,
    transport                     TEXT NOT NULL,
    update_time                   TEXT NOT NULL
) STRICT;

-- Measurements without a row because a column does not accept their value.
CREATE TABLE refused (
    measurement_uid TEXT NOT NULL PRIMARY KEY,
    column_name     TEXT NOT NULL,
    message         TEXT NOT NULL,
    -- The row as JSON; for openvpn {"row": …, "openvpn": …}. NULL if it is too long to be kept.
    row_json        TEXT,
    s3path          TEXT NOT NULL,
    linenum         INTEGER NOT NULL,
    date            TEXT NOT NULL,
    source          TEXT NOT NULL,
    update_time     TEXT NOT NULL
) STRICT;

-- Measurements that were removed permanently. They are not stored again.
CREATE TABLE removed (
    measurement_uid TEXT NOT NULL PRIMARY KEY,
    reason          TEXT NOT NULL,
    update_time     TEXT NOT NULL
) STRICT;

-- Test lists. A URL can be in several lists. cc is the name of the list's file, and ZZ for the global list.
CREATE TABLE citizenlab (
    url           TEXT NOT NULL,
    domain        TEXT NOT NULL,
    cc            TEXT NOT NULL,
    category_code TEXT NOT NULL
) STRICT;

CREATE INDEX citizenlab_by_url ON citizenlab (url, cc, category_code);
CREATE INDEX citizenlab_by_category ON citizenlab (category_code, cc, url);
CREATE INDEX citizenlab_by_list ON citizenlab (cc, url);

-- Rollups: counts of rows by the columns of their keys (src/rollup.rs). Times are the first second of an hour, day, week or
-- month. A row is counted in at most one of failure, confirmed and anomaly, the first that applies; the counts of flags are
-- independent.

CREATE TABLE rollup_day_test (
    day                  INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (day, test_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_day_country (
    day                  INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    probe_cc             TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (day, test_name, probe_cc)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_hour_country (
    hour                 INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    probe_cc             TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (hour, test_name, probe_cc)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_month_country (
    month                INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    probe_cc             TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (month, test_name, probe_cc)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_month_network (
    month                INTEGER NOT NULL,
    probe_cc             TEXT NOT NULL,
    probe_asn            INTEGER NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (month, probe_cc, probe_asn)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_test_domain (
    test_name            TEXT NOT NULL,
    domain               TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (test_name, domain)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_country (
    probe_cc             TEXT NOT NULL,
    day                  INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    blocking_type        TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (probe_cc, day, test_name, blocking_type)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_country_network (
    probe_cc             TEXT NOT NULL,
    day                  INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    probe_asn            INTEGER NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (probe_cc, day, test_name, probe_asn)
) STRICT, WITHOUT ROWID;

CREATE INDEX rollup_country_network_by_probe_asn ON rollup_country_network (probe_asn, day);

CREATE TABLE rollup_country_domain (
    probe_cc             TEXT NOT NULL,
    day                  INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    domain               TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (probe_cc, day, test_name, domain)
) STRICT, WITHOUT ROWID;

CREATE INDEX rollup_country_domain_by_domain ON rollup_country_domain (domain, day);

CREATE TABLE rollup_category (
    category_code        TEXT NOT NULL,
    list_cc              TEXT NOT NULL,
    day                  INTEGER NOT NULL,
    test_name            TEXT NOT NULL,
    probe_cc             TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (category_code, list_cc, day, test_name, probe_cc)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_week_input (
    test_name            TEXT NOT NULL,
    probe_cc             TEXT NOT NULL,
    week                 INTEGER NOT NULL,
    input                TEXT NOT NULL,
    measurement_count    INTEGER NOT NULL,
    failure_count        INTEGER NOT NULL,
    confirmed_count      INTEGER NOT NULL,
    anomaly_count        INTEGER NOT NULL,
    confirmed_flag_count INTEGER NOT NULL,
    anomaly_flag_count   INTEGER NOT NULL,
    PRIMARY KEY (test_name, probe_cc, week, input)
) STRICT, WITHOUT ROWID;
