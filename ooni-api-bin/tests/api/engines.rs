//! The same rows in each engine give the same answers, byte for byte, apart from how long a query took.

use crate::counted::{Asked, Data};
use crate::support::Server;
use crate::support::client::{Client, Reply};
use crate::support::recorded::{golden, load_rows, recorded_clock, recorded_server, recorded_settings};
use ooni_store::BlockingStore;
use ooni_testkit::server::Server as Database;
use ooni_testkit::skip_without;
use serde_json::Value;
use std::fs;

/// Routes that read only measurements, test lists and bodies.
const OF_MEASUREMENTS: [&str; 6] = [
    "/api/v1/aggregation",
    "/api/v1/measurement/{measurement_uid}",
    "/api/v1/measurement_meta",
    "/api/v1/measurements",
    "/api/v1/raw_measurement",
    "/api/v1/torsf_stats",
];

/// A request: its path, and its headers as lines.
type Get = (String, String);

/// The recorded requests of some routes.
fn recorded(is_wanted: impl Fn(&str) -> bool) -> Vec<Get> {
    let text = fs::read_to_string(golden("requests.jsonl")).unwrap();
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let wanted = cases.filter(|case| case["method"] == "GET" && is_wanted(case["route"].as_str().unwrap()));
    let request = |case: Value| {
        let headers = case["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, value)| format!("{name}: {}\r\n", value.as_str().unwrap())).collect();
        (case["path"].as_str().unwrap().to_owned(), headers)
    };
    wanted.map(request).collect()
}

/// Random requests: aggregations, lists and metadata.
fn generated(data: &Data, number: u64) -> Vec<Get> {
    let path = |seed: u64| {
        let rng = &mut fastrand::Rng::with_seed(seed);
        match seed % 8 {
            0..4 => Asked::random(data, rng).path(),
            4..7 => list(Asked::random(data, rng), rng),
            _ => format!("/api/v1/measurement_meta?measurement_uid={}", data.any(rng).uid),
        }
    };
    // Other seeds than those of the aggregations that are compared with the rows.
    (1_000_000..1_000_000 + number).map(|seed| (path(seed), String::new())).collect()
}

/// A list of measurements with the filters of an aggregation.
fn list(mut asked: Asked, rng: &mut fastrand::Rng) -> String {
    asked.parameters.retain(|(name, _)| !matches!(*name, "axis_x" | "axis_y" | "time_grain"));
    if let Some((_, links)) = asked.parameters.iter_mut().find(|(name, _)| *name == "ooni_run_link_id") {
        links.truncate(links.find(',').unwrap_or(links.len())); // a list has only one
    }
    let mut add = |name, values: &[&str]| {
        if rng.bool() {
            asked.parameters.push((name, values[rng.usize(..values.len())].to_owned()));
        }
    };
    add("order", &["asc", "desc"]);
    add("order_by", &["measurement_start_time", "input", "probe_cc", "probe_asn", "test_name"]);
    add("limit", &["1", "10", "50", "500"]);
    add("offset", &["0", "1", "7"]);
    add("format", &["json", "csv", "ndjson"]);
    ["anomaly", "confirmed", "failure"].into_iter().for_each(|flag| add(flag, &["", "", "true", "false"]));
    asked.path().replace("/api/v1/aggregation", "/api/v1/measurements")
}

/// Requests with texts that an engine may refuse, or read in its own way.
fn hostile() -> Vec<Get> {
    let long = "x".repeat(20_000);
    let values = [
        "a%00b",
        "%00%00%00",
        "%27%27%27",
        "a%5C%27b",
        "%5Cx00",
        "%25_%25",
        "%F4%8F%BF%BF",
        "%EF%BF%BF",
        "a%0Ab%09c",
        &long,
    ];
    let mut paths = Vec::new();
    for value in values {
        for name in ["input", "domain", "probe_cc", "test_name", "category_code", "software_version"] {
            paths.push(format!("/api/v1/measurements?{name}={value}"));
        }
        paths.push(format!("/api/v1/measurements?report_id=20250701T000000Z_{value}"));
        paths.push(format!("/api/v1/aggregation?input={value}&axis_x=probe_cc"));
        paths.push(format!("/api/v1/torsf_stats?probe_cc={value}"));
        paths.push(format!("/api/v1/measurement_meta?measurement_uid=2025070100000{value}"));
        paths.push(format!("/api/v1/measurement_meta?report_id=20250701T000000Z_ndt_IT_1_n1_a&input={value}"));
        paths.push(format!("/api/v1/raw_measurement?measurement_uid=2025070100000{value}"));
    }
    let numbers = ["0", "4294967295", "18446744073709551615", "9223372036854775807", "9223372036854775808"];
    for number in numbers {
        paths.push(format!("/api/v1/aggregation?ooni_run_link_id={number}"));
        paths.push(format!("/api/v1/measurements?ooni_run_link_id={number}"));
        paths.push(format!("/api/v1/measurements?probe_asn={number}"));
        paths.push(format!("/api/v1/measurements?offset={number}"));
    }
    for time in ["0001-01-01", "1969-12-31T23:59:59", "2106-02-07T06:28:16", "9999-12-31T23:59:59"] {
        for (route, axis) in
            [("aggregation", "&axis_x=measurement_start_day"), ("measurements", ""), ("torsf_stats", "")]
        {
            paths.push(format!("/api/v1/{route}?since={time}&until=9999-12-31T23:59:59{axis}"));
            paths.push(format!("/api/v1/{route}?since=0001-01-01&until={time}{axis}"));
        }
    }
    paths.into_iter().map(|path| (path, String::new())).collect()
}

/// Requests of private routes in other countries than the recorded ones.
fn in_other_countries(requests: &[Get]) -> Vec<Get> {
    let is_of_country = |(path, _): &&Get| path.contains("probe_cc=IT") || path.contains("probe_cc=IR");
    let changed = requests.iter().filter(is_of_country).flat_map(|(path, headers)| {
        ["VE", "RU", "EG", "MY", "AQ"].map(|cc| {
            (
                path.replace("probe_cc=IT", &format!("probe_cc={cc}"))
                    .replace("probe_cc=IR", &format!("probe_cc={cc}")),
                headers.clone(),
            )
        })
    });
    changed.collect()
}

/// Requests with one parameter changed to a text that an engine may refuse.
fn with_hostile_parameters(requests: &[Get]) -> Vec<Get> {
    let mut changed = Vec::new();
    for (path, headers) in requests {
        let Some((route, query)) = path.split_once('?') else { continue };
        let pairs: Vec<&str> = query.split('&').collect();
        for at in 0..pairs.len() {
            let name = pairs[at].split('=').next().unwrap();
            for value in ["a%00b", "%00%00", "%27--", "%F4%8F%BF%BF", "18446744073709551615", "0001-01-01"] {
                let value = format!("{name}={value}");
                let mut pairs = pairs.clone();
                pairs[at] = &value;
                changed.push((format!("{route}?{}", pairs.join("&")), headers.clone()));
            }
        }
    }
    changed
}

/// Sends requests to two servers, and compares the answers. Returns how many are not errors.
fn compare(one: &Server, other: &Server, requests: &[Get]) -> usize {
    let (mut one, mut other) = (one.connect(), other.connect());
    let mut successes = 0;
    for (path, headers) in requests {
        let ask = |client: &mut Client| client.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n"));
        let (a, b) = (ask(&mut one), ask(&mut other));
        let path = &path[..path.len().min(500)];
        assert!(a.status < 500, "{path}: {a:?}");
        assert_eq!(comparable(&a), comparable(&b), "{path}");
        successes += usize::from(a.status == 200);
    }
    successes
}

/// What has to be equal of an answer.
fn comparable(reply: &Reply) -> (u16, Vec<String>, String) {
    let header = |name: &&str| reply.values(name);
    let headers = ["content-type", "cache-control", "content-disposition", "vary"].iter().map(header).collect();
    let mut body = String::from_utf8_lossy(&reply.body).into_owned();
    for key in ["\"query_time\":", "\"elapsed_seconds\":"] {
        if let Some((before, after)) = body.split_once(key) {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | '-'));
            body = format!("{before}{key}{rest}");
        }
    }
    (reply.status, headers, body)
}

/// A server on another database than its own, with the clock of the recording.
fn server_on(url: String) -> Server {
    Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        config.store.uri = url;
    })
}

#[test]
fn postgres_answers_as_sqlite() {
    skip_without!(Database::shared_postgres());
    // Not the shared server: recorded requests submit measurements to it.
    let postgres = Database::postgres(false).unwrap();
    let url = postgres.postgres_url("postgres");
    BlockingStore::migrate(&url).unwrap();
    load_rows(&url);
    let mut requests = recorded(|route| OF_MEASUREMENTS.contains(&route) || route.starts_with("/api/_/"));
    let private = recorded(|route| route.starts_with("/api/_/"));
    requests.extend(in_other_countries(&private));
    let hostile_parameters = with_hostile_parameters(&private);
    requests.extend(generated(&Data::read(), 800));
    requests.extend(hostile());
    let (sqlite, postgres) = (recorded_server(), server_on(url));
    assert!(compare(&sqlite, &postgres, &requests) > requests.len() / 2);
    compare(&sqlite, &postgres, &hostile_parameters);
}

#[test]
fn clickhouse_answers_as_sqlite() {
    skip_without!(Database::shared_clickhouse());
    let url = Database::shared_clickhouse().unwrap().clickhouse_url("default");
    BlockingStore::migrate(&url).unwrap();
    load_measurements(&url);
    let mut requests = recorded(|route| OF_MEASUREMENTS.contains(&route));
    // The engine executes one statement at a time.
    requests.extend(generated(&Data::read(), 60));
    requests.extend(hostile());
    assert!(compare(&recorded_server(), &server_on(url), &requests) > requests.len() / 2);
}

/// One test fails if the engine of ClickHouse is missing, instead of being skipped.
#[test]
fn clickhouse_is_installed() {
    Database::shared_clickhouse().unwrap();
}

/// Loads the rows of the recording into a store without application tables.
fn load_measurements(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let text = fs::read_to_string(golden("rows.jsonl")).unwrap();
    let is_of_measurements = |line: &&str| {
        let row: Value = serde_json::from_str(line).unwrap();
        ["fastpath", "jsonl", "citizenlab"].iter().any(|table| row["table"] == *table)
    };
    let lines: Vec<&str> = text.lines().filter(is_of_measurements).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    let store = BlockingStore::open(url).unwrap();
    let loaded = ooni_store::load_dump(&store, &path, |line, reason| panic!("line {line}: {reason}")).unwrap();
    assert_eq!((loaded.inserted, loaded.listed, loaded.bad), (2822, 645, 0), "{loaded:?}");
}
