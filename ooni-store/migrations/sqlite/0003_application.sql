-- Finds entries of test lists by domain.
CREATE INDEX citizenlab_by_domain ON citizenlab (domain);

-- Application tables (API spec §14). Days are texts 'YYYY-MM-DD', times 'YYYY-MM-DD hh:mm:ss' with or without milliseconds, UTC.

CREATE TABLE url_priorities (
    category_code TEXT NOT NULL,
    cc            TEXT NOT NULL,
    domain        TEXT NOT NULL,
    url           TEXT NOT NULL,
    priority      INTEGER NOT NULL,
    PRIMARY KEY (cc, category_code, domain, url)
) STRICT, WITHOUT ROWID;

-- Names of networks. The name with the latest day is valid.
CREATE TABLE asnmeta (
    asn      INTEGER NOT NULL,
    org_name TEXT NOT NULL,
    cc       TEXT NOT NULL,
    changed  TEXT NOT NULL,
    aut_name TEXT NOT NULL,
    source   TEXT NOT NULL,
    PRIMARY KEY (asn, changed)
) STRICT, WITHOUT ROWID;

-- The latest feedback of each account.
CREATE TABLE msmt_feedback (
    measurement_uid TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    status          TEXT NOT NULL,
    comment         TEXT NOT NULL,
    update_time     TEXT NOT NULL,
    PRIMARY KEY (measurement_uid, account_id)
) STRICT, WITHOUT ROWID;

-- Counts imported from another database. For their weeks, rows are not counted. week is the first second of a Sunday.
CREATE TABLE counters_asn_test_list (
    week      INTEGER NOT NULL,
    probe_cc  TEXT NOT NULL,
    probe_asn INTEGER NOT NULL,
    input     TEXT NOT NULL,
    msmt_cnt  INTEGER NOT NULL,
    PRIMARY KEY (week, probe_cc, probe_asn, input)
) STRICT, WITHOUT ROWID;

CREATE TABLE faulty_measurements (
    ts        TEXT NOT NULL,
    type      TEXT NOT NULL,
    uid       TEXT NOT NULL,
    probe_cc  TEXT NOT NULL,
    probe_asn INTEGER NOT NULL,
    -- Details, as JSON.
    details   TEXT NOT NULL,
    PRIMARY KEY (ts, type, uid)
) STRICT, WITHOUT ROWID;
