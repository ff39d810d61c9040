-- Rows (scoring spec §10, §11), where their bodies are (formats spec §9), and what was refused (scoring spec §12).
--
-- Times are UTC, 'YYYY-MM-DD HH:MM:SS', which sorts and which SQLite's functions take; update_time has milliseconds.
-- A test_runtime or bootstrap_time that is not a number is NULL, since SQLite knows no such float.

CREATE TABLE fastpath (
    measurement_uid        TEXT NOT NULL PRIMARY KEY,
    report_id              TEXT NOT NULL,
    input                  TEXT NOT NULL,
    probe_cc               TEXT NOT NULL,
    probe_asn              INTEGER NOT NULL,
    test_name              TEXT NOT NULL,
    test_start_time        TEXT NOT NULL,
    measurement_start_time TEXT NOT NULL,
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
    -- An integer, or the digits as text from 2^63 on, which SQLite's integers do not reach.
    ooni_run_link_id       ANY,
    is_verified            TEXT NOT NULL,
    update_time            TEXT NOT NULL
) STRICT;

CREATE TABLE jsonl (
    report_id       TEXT NOT NULL,
    input           TEXT NOT NULL,
    s3path          TEXT NOT NULL,
    -- From 0.
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
    measurement_start_time        TEXT NOT NULL,
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
    test_start_time               TEXT NOT NULL,
    transport                     TEXT NOT NULL,
    update_time                   TEXT NOT NULL
) STRICT;

-- Measurements without a row because a column does not take what they have.
CREATE TABLE refused (
    measurement_uid TEXT NOT NULL PRIMARY KEY,
    column_name     TEXT NOT NULL,
    message         TEXT NOT NULL,
    -- The row as JSON; of openvpn {"row": …, "openvpn": …}. NULL when it is too long to be kept.
    row_json        TEXT,
    s3path          TEXT NOT NULL,
    linenum         INTEGER NOT NULL,
    date            TEXT NOT NULL,
    source          TEXT NOT NULL,
    update_time     TEXT NOT NULL
) STRICT;
