//! `fastpath store import`: tables as the reference made them (API spec §14, §15), put into stores.

use crate::commands::{content, done, fastpath};
use crate::server::{OnClickhouse, OnPostgres};
use crate::support::{Engine, open};
use ooni_store::Incoming;
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;

/// Tables of the years of PostgreSQL, without columns that came later: nulls, real booleans, JSON, an enum.
const OLD: &str = r#"
    CREATE TYPE ootest AS ENUM ('web_connectivity', 'dash', 'telegram');
    CREATE TABLE fastpath (
        measurement_uid text PRIMARY KEY, report_id text, input text, probe_cc text, probe_asn integer, test_name ootest,
        test_start_time timestamp without time zone, measurement_start_time timestamp without time zone,
        filename text, scores jsonb, platform text, anomaly boolean, confirmed boolean, msm_failure boolean, domain text,
        software_name text, software_version text);
    CREATE TABLE jsonl (
        report_id text, input text, s3path text NOT NULL, linenum integer NOT NULL, measurement_uid text);
    CREATE TABLE citizenlab (
        domain text, url text, cc text, category_code text, priority integer NOT NULL DEFAULT 256);
    INSERT INTO fastpath VALUES
        ('20200101000000.1_IT_a', 'R1', 'https://x.org/', 'IT', 30722, 'web_connectivity', '2020-01-01 00:00:00',
            '2020-01-01 00:00:01.75', NULL, '{"analysis": {"blocking_type": "dns"}, "extra": {"test_runtime": 1.5}}', 'linux',
            true, false, NULL, 'x.org', 'ooniprobe', '3.0'),
        ('20200101000000.2_IT_b', 'R1', NULL, 'ZZ', 0, 'dash', '2020-02-01 00:00:00', '2020-02-01 00:00:01', NULL, '{}', NULL,
            NULL, NULL, true, NULL, NULL, NULL),
        ('20200101000000.3_IT_c', 'R2', 'y', 'IT', -5, 'dash', '2020-02-01', '2020-02-01', NULL, '{}', NULL, NULL, NULL, NULL,
            NULL, NULL, NULL),
        ('20200101000000.4_IT_d', 'R2', 'y', 'IT', 5, 'dash', '2020-02-01', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL,
            NULL, NULL);
    INSERT INTO jsonl VALUES ('R1', 'https://x.org/', 'raw/20200101/a.jsonl.gz', 3, '20200101000000.1_IT_a');
    INSERT INTO citizenlab VALUES ('x.org', 'https://x.org/', 'it', 'NEWS'), ('x.org', 'https://x.org/', 'IT', 'NEWS'),
        ('x.org', 'https://x.org/', 'ZZ', 'HUMR')"#;

/// Tables with the columns of the column store, flags as it has them.
const NEW: &str = r#"
    CREATE TABLE fastpath (
        measurement_uid text, report_id text, input text, probe_cc text, probe_asn bigint, test_name text,
        test_start_time timestamp, measurement_start_time timestamp, scores text, platform text, anomaly text, confirmed text,
        msm_failure text, blocking_type text, domain text, software_name text, software_version text, test_version text,
        test_runtime real, architecture text, engine_name text, engine_version text, test_helper_address text,
        test_helper_type text, ooni_run_link_id numeric, is_verified text, update_time timestamp);
    CREATE TABLE jsonl (
        report_id text, input text, s3path text, linenum integer, measurement_uid text, date date, source text,
        update_time timestamp);
    CREATE TABLE obs_openvpn (
        measurement_uid text, anomaly smallint, bootstrap_time real, measurement_start_time timestamp,
        test_start_time timestamp, probe_asn bigint, probe_cc text, provider text, success smallint);
    INSERT INTO fastpath
        SELECT 'u' || lpad(n::text, 5, '0'), 'R', '', 'IT', n, 'openvpn', '2024-01-02 03:04:00', '2024-01-02 03:04:05', '{}',
            'android', 't', 'f', 'f', 'ip', '', 'o', '1', '2', 'NaN', 'arm64', 'e', '3', 'h', 'https',
            18446744073709551615, 't', '2024-01-03'
        FROM generate_series(1, 1203) AS n;
    INSERT INTO jsonl VALUES
        ('R', '', 'raw/b.jsonl.gz', 8, 'u00002', '2024-01-03', 'api', '2024-01-03'),
        ('R', '', 'raw/b.jsonl.gz', 7, 'u00002', '2024-01-03', 'api', '2024-01-03');
    INSERT INTO obs_openvpn VALUES ('u00001', 0, 2.5, '2024-01-02 03:04:05', '2024-01-02 03:04:00', 1, 'IT', 'p', 1)"#;

/// The tables of `OLD` in a column store, with types that such tables had.
const OLD_COLUMNS: &str = r#"
    CREATE TABLE fastpath (
        measurement_uid Nullable(String), report_id String, input Nullable(String), probe_cc LowCardinality(String),
        probe_asn Int32, test_name Enum8('web_connectivity' = 1, 'dash' = 2), test_start_time DateTime('Europe/Rome'),
        measurement_start_time Nullable(DateTime64(2, 'Asia/Tokyo')), filename String, scores String,
        platform LowCardinality(Nullable(String)), anomaly Nullable(Bool), confirmed Nullable(Bool), msm_failure Nullable(UInt8),
        domain String, software_name String, software_version FixedString(3)) ENGINE = MergeTree ORDER BY tuple();
    CREATE TABLE jsonl (
        report_id String, input String, s3path String, linenum Int32, measurement_uid String)
        ENGINE = ReplacingMergeTree ORDER BY (report_id, input);
    CREATE TABLE citizenlab (domain String, url String, cc String, category_code String) ENGINE = MergeTree ORDER BY url;
    INSERT INTO fastpath VALUES
        ('20200101000000.1_IT_a', 'R1', 'https://x.org/', 'IT', 30722, 'web_connectivity', toDateTime('2020-01-01', 'UTC'),
            toDateTime64('2020-01-01 00:00:01.75', 2, 'UTC'), '',
            '{"extra": {"test_runtime": 1.5}, "analysis": {"blocking_type": "dns"}}', 'linux', true, false, NULL, 'x.org',
            'ooniprobe', '3.0'),
        ('20200101000000.2_IT_b', 'R1', NULL, 'ZZ', 0, 'dash', toDateTime('2020-02-01', 'UTC'),
            toDateTime64('2020-02-01 00:00:01', 2, 'UTC'), '', '{}', NULL, NULL, NULL, 1, '', '', ''),
        ('20200101000000.3_IT_c', 'R2', 'y', 'IT', -5, 'dash', toDateTime('2020-02-01', 'UTC'),
            toDateTime64('2020-02-01', 2, 'UTC'), '', '{}', NULL, NULL, NULL, NULL, '', '', ''),
        ('20200101000000.4_IT_d', 'R2', 'y', 'IT', 5, 'dash', toDateTime('2020-02-01', 'UTC'), NULL, '', '{}', NULL, NULL, NULL,
            NULL, '', '', '');
    INSERT INTO jsonl VALUES ('R1', 'https://x.org/', 'raw/20200101/a.jsonl.gz', 3, '20200101000000.1_IT_a');
    INSERT INTO citizenlab VALUES ('x.org', 'https://x.org/', 'it', 'NEWS'), ('x.org', 'https://x.org/', 'IT', 'NEWS'),
        ('x.org', 'https://x.org/', 'ZZ', 'HUMR')"#;

/// Those of `NEW` as the column store has them: the later a uid the earlier its start, and one was scored twice.
const NEW_COLUMNS: &str = r#"
    CREATE TABLE fastpath (
        measurement_uid String, report_id String, input String, probe_cc LowCardinality(String), probe_asn UInt32,
        test_name LowCardinality(String), test_start_time DateTime, measurement_start_time DateTime, scores String,
        platform String, anomaly String, confirmed String, msm_failure String, blocking_type String, domain String,
        software_name String, software_version String, test_version String, test_runtime Float32, architecture String,
        engine_name LowCardinality(String), engine_version String, test_helper_address LowCardinality(String),
        test_helper_type LowCardinality(String), ooni_run_link_id Nullable(UInt64), is_verified LowCardinality(String),
        update_time DateTime64(3))
        ENGINE = ReplacingMergeTree(update_time) ORDER BY (measurement_start_time, report_id, input, measurement_uid);
    CREATE TABLE jsonl (
        report_id String, input String, s3path String, linenum Int32, measurement_uid String, date Date, source String,
        update_time DateTime64(3)) ENGINE = ReplacingMergeTree(update_time) ORDER BY (report_id, input, measurement_uid);
    CREATE TABLE obs_openvpn (
        measurement_uid String, anomaly Int8, bootstrap_time Float32, measurement_start_time DateTime,
        test_start_time DateTime, probe_asn UInt32, probe_cc String, provider String, success Int8, report_id String)
        ENGINE = ReplacingMergeTree ORDER BY (measurement_start_time, report_id);
    INSERT INTO fastpath
        SELECT 'u' || leftPad(toString(number), 5, '0'), 'R', '', 'IT', number, 'openvpn',
            toDateTime('2024-01-02 03:04:00', 'UTC'), toDateTime('2024-01-02 03:04:05', 'UTC') - intDiv(number, 500), '{}',
            'android', 't', 'f', 'f', 'ip', '', 'o', '1', '2', nan, 'arm64', 'e', '3', 'h', 'https', 18446744073709551615, 't',
            '2024-01-03'
        FROM numbers(1, 1203);
    INSERT INTO fastpath SELECT * REPLACE ('f' AS anomaly, toDateTime64('2024-01-02', 3) AS update_time) FROM fastpath
        WHERE measurement_uid = 'u00001';
    INSERT INTO jsonl VALUES
        ('R', '', 'raw/b.jsonl.gz', 8, 'u00002', '2024-01-03', 'api', '2024-01-02'),
        ('R', '', 'raw/b.jsonl.gz', 7, 'u00002', '2024-01-03', 'api', '2024-01-03');
    INSERT INTO obs_openvpn VALUES
        ('u00001', 0, 2.5, toDateTime('2024-01-02 03:04:05', 'UTC'), toDateTime('2024-01-02 03:04:00', 'UTC'), 1, 'IT', 'p', 1,
            'R')"#;

fn on_postgres(tables: &str) -> Box<dyn Engine> {
    let database = OnPostgres::empty();
    database.query(tables);
    Box::new(database)
}

fn on_clickhouse(tables: &str) -> Box<dyn Engine> {
    let database = OnClickhouse::empty();
    tables.split(';').for_each(|statement| drop(database.query(statement)));
    Box::new(database)
}

pub(crate) fn tables_of_the_reference(new: fn() -> Box<dyn Engine>) {
    old_tables(&*on_postgres(OLD), &*new());
    old_tables(&*on_clickhouse(OLD_COLUMNS), &*new());
    // After the uid come those that are greater, or those that started later too.
    new_tables(&*on_postgres(NEW), &*new(), 3);
    new_tables(&*on_clickhouse(NEW_COLUMNS), &*new(), 3 + 999);
}

fn old_tables(from: &dyn Engine, to: &dyn Engine) {
    done(&["migrate", "--db-uri", &to.url()]);
    let arguments = ["store", "import", &from.url(), &to.url()];
    let (code, said) = fastpath(&arguments);
    let after = "2 refused\n2 entries of test lists\n";
    let imported = format!("4 measurements: 2 imported, 0 already there, {after}");
    assert!(code == Some(1) && said.starts_with(&imported), "{said}");
    let store = to.open();
    let found: Vec<_> = store.0.measurements(None).map(Result::unwrap).collect();
    let rows: Vec<_> = found.iter().map(|found| found.row.each_ref().map(crate::support::text)).collect();
    let scores = r#"{"extra": {"test_runtime": 1.5}, "analysis": {"blocking_type": "dns"}}"#;
    assert_eq!(
        rows[0],
        [
            "20200101000000.1_IT_a",
            "R1",
            "https://x.org/",
            "IT",
            "30722",
            "web_connectivity",
            "2020-01-01 00:00:00",
            "2020-01-01 00:00:01",
            scores,
            "linux",
            "t",
            "f",
            "f",
            "dns",
            "x.org",
            "ooniprobe",
            "3.0",
            "",
            "1.5",
            "",
            "",
            "",
            "",
            "",
            "",
            "u",
        ]
    );
    assert_eq!(
        rows[1],
        [
            "20200101000000.2_IT_b",
            "R1",
            "",
            "ZZ",
            "0",
            "dash",
            "2020-02-01 00:00:00",
            "2020-02-01 00:00:01",
            "{}",
            "",
            "f",
            "f",
            "t",
            "",
            "",
            "",
            "",
            "",
            "0.0",
            "",
            "",
            "",
            "",
            "",
            "",
            "u",
        ]
    );
    let provenance = &found[0].provenance;
    assert_eq!((&*provenance.ruleset, &*provenance.body_sha256), ("reference", ""));
    let body = found[0].body().unwrap();
    assert_eq!((&*body.s3path, body.linenum, found[1].body()), ("raw/20200101/a.jsonl.gz", 3, None));
    let refusals: Vec<_> = store.0.refusals().map(Result::unwrap).collect();
    let said: Vec<_> = refusals.iter().map(|it| format!("{}: {}", it.refused.column, it.refused.message)).collect();
    assert_eq!(said, ["probe_asn: -5 is not a 32-bit unsigned integer", "measurement_start_time: is null"]);
    assert!(refusals[0].json.contains(r#""probe_asn":"-5""#), "{}", refusals[0].json);
    done(&["rollup", "check", "--db-uri", &to.url()]);
    let before = content(&store);
    let (_, said) = fastpath(&arguments);
    assert_eq!(said, format!("4 measurements: 0 imported, 2 already there, {after}"));
    assert!(content(&store) == before);
}

fn new_tables(from: &dyn Engine, to: &dyn Engine, after: u64) {
    done(&["migrate", "--db-uri", &to.url()]);
    let url = from.url();
    let rest = |said: &str| format!("{said}, 0 refused\n0 entries of test lists\n");
    let said = done(&["store", "import", &url, &to.url(), "--after", "u01200"]);
    assert!(said.starts_with(&rest(&format!("{after} measurements: {after} imported, 0 already there"))), "{said}");
    let said = done(&["store", "import", &url, &to.url()]);
    assert_eq!(said, rest(&format!("1203 measurements: {} imported, {after} already there", 1203 - after)));
    let found: Vec<_> = open(&to.url()).unwrap().0.measurements(None).map(Result::unwrap).collect();
    assert_eq!(found.len(), 1203);
    let row = found[0].row.each_ref().map(crate::support::text);
    assert_eq!((&*row[10], &*row[13], &*row[24], &*row[25]), ("t", "ip", "18446744073709551615", "t"));
    let body = found[1].body().unwrap();
    assert_eq!((body.linenum, &*body.date, &*body.source), (7, "2024-01-03", "api"));
    let vpn = found[0].openvpn().unwrap().unwrap().each_ref().map(crate::support::text);
    assert_eq!((&*vpn[0], &*vpn[1], &*vpn[7], &*vpn[15], &*vpn[23]), ("false", "2.5", "u00001", "p", "true"));
    assert_eq!(found.iter().filter(|found| found.openvpn.is_some()).count(), 1);
    done(&["rollup", "check", "--db-uri", &to.url()]);
}

#[test]
fn what_cannot_be_imported() {
    let to = crate::support::InFile::new();
    for (from, said) in [
        (OnPostgres::new().url(), "is a store of fastpath; copy it with `fastpath store copy`"),
        (OnPostgres::empty().url(), "does not contain the table fastpath of the reference"),
        (OnClickhouse::new().url(), "is a store of fastpath; copy it with `fastpath store copy`"),
        (OnClickhouse::empty().url(), "does not contain the table fastpath of the reference"),
        ("sqlite:a.db".to_owned(), "unsupported URL of a reference database: expected postgres://… or clickhouse://…"),
    ] {
        let (code, text) = fastpath(&["store", "import", &from, &to.url()]);
        assert!(code == Some(2) && text.contains(said), "{text}");
    }
    assert!(!to.path.exists());
}

#[test]
fn a_dump_in_a_file() {
    const DUMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ooni-store/tests/fixtures/dump.jsonl");
    let to = crate::support::InFile::new();
    let said = done(&["store", "import", DUMP, &to.url()]);
    let tables = "19 entries of test lists\n6 rows of asnmeta\n6 rows of counters_asn_test_list\n\
        5 rows of msmt_feedback\n8 rows of url_priorities\n2 rows of test_groups skipped: they are constants\n";
    let first = "23 measurements: 23 imported, 0 already there; 10 of them with a body\n";
    assert_eq!(said, format!("{first}{tables}"));
    done(&["rollup", "check", "--db-uri", &to.url()]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.jsonl");
    std::fs::write(&path, format!("{{\n{}", std::fs::read_to_string(DUMP).unwrap())).unwrap();
    let (code, said) = fastpath(&["store", "import", &path.display().to_string(), &to.url()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("invalid lines: 1\n") && said.contains("bad.jsonl:1: not a row"), "{said}");
    let (code, said) = fastpath(&["store", "import", "nowhere.jsonl", &to.url()]);
    assert!(code == Some(2) && said.contains("nowhere.jsonl: no such file"), "{said}");
}

#[test]
fn what_clickhouse_may_have_besides() {
    skip_without!(Server::shared_clickhouse());
    let from = on_clickhouse(NEW_COLUMNS);
    let to = crate::support::InFile::new();
    // Bytes that are not text, and rows that all start at once.
    from.query("INSERT INTO fastpath SELECT * REPLACE (unhex('61FF') AS platform, 'z' AS measurement_uid) FROM fastpath LIMIT 1");
    from.query(
        "INSERT INTO fastpath SELECT * EXCEPT (number) REPLACE ('v' || leftPad(toString(number), 5, '0') AS measurement_uid)
         FROM (SELECT * FROM fastpath LIMIT 1) AS one CROSS JOIN numbers(2500) AS many",
    );
    let said = done(&["store", "import", &from.url(), &to.url()]);
    assert!(said.starts_with("3704 measurements: 3704 imported, 0 already there, 0 refused\n"), "{said}");
    let found: Vec<_> = open(&to.url()).unwrap().0.measurements(None).map(Result::unwrap).collect();
    let last = found.last().unwrap().row.each_ref().map(crate::support::text);
    assert_eq!((found.len(), &*last[0], &*last[9]), (3704, "z", "a\u{fffd}"));
    let (code, said) = fastpath(&["store", "import", &from.url(), &to.url(), "--after", "unknown"]);
    assert!(
        code == Some(2) && said.contains("does not contain measurement unknown, after which to continue"),
        "{said}"
    );
}
