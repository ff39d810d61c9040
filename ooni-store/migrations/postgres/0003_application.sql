-- Finds entries of test lists by domain.
CREATE INDEX citizenlab_by_domain ON citizenlab USING hash (domain);

-- Application tables (API spec §14). Days are texts 'YYYY-MM-DD', times 'YYYY-MM-DD hh:mm:ss' with or without milliseconds, UTC.

CREATE TABLE url_priorities (
    category_code text COLLATE "C" NOT NULL,
    cc            text COLLATE "C" NOT NULL,
    domain        text COLLATE "C" NOT NULL,
    url           text COLLATE "C" NOT NULL,
    priority      bigint NOT NULL
);

CREATE UNIQUE INDEX url_priorities_key ON url_priorities (cc, category_code, domain, md5(url));

-- Names of networks. The name with the latest day is valid.
CREATE TABLE asnmeta (
    asn      bigint NOT NULL,
    org_name text COLLATE "C" NOT NULL,
    cc       text COLLATE "C" NOT NULL,
    changed  text COLLATE "C" NOT NULL,
    aut_name text COLLATE "C" NOT NULL,
    source   text COLLATE "C" NOT NULL,
    PRIMARY KEY (asn, changed)
);

-- The latest feedback of each account.
CREATE TABLE msmt_feedback (
    measurement_uid text COLLATE "C" NOT NULL,
    account_id      text COLLATE "C" NOT NULL,
    status          text COLLATE "C" NOT NULL,
    comment         text COLLATE "C" NOT NULL,
    update_time     text COLLATE "C" NOT NULL,
    PRIMARY KEY (measurement_uid, account_id)
);

-- Counts imported from another database. For their weeks, rows are not counted. week is the first second of a Sunday.
CREATE TABLE counters_asn_test_list (
    week      timestamp NOT NULL,
    probe_cc  text COLLATE "C" NOT NULL,
    probe_asn bigint NOT NULL,
    input     text COLLATE "C" NOT NULL,
    msmt_cnt  bigint NOT NULL
);

CREATE UNIQUE INDEX counters_asn_test_list_key ON counters_asn_test_list (week, probe_cc, probe_asn, md5(input));

CREATE TABLE faulty_measurements (
    ts        text COLLATE "C" NOT NULL,
    type      text COLLATE "C" NOT NULL,
    uid       text COLLATE "C" NOT NULL,
    probe_cc  text COLLATE "C" NOT NULL,
    probe_asn bigint NOT NULL,
    -- Details, as JSON.
    details   text COLLATE "C" NOT NULL,
    PRIMARY KEY (ts, type, uid)
);
