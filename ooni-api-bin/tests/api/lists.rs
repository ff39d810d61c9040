//! Lists, metadata and bodies of measurements.

mod meta;
mod paging;
mod rows;
mod streams;

use self::rows::{Rows, uids};
use crate::support::Server;
use crate::support::client::Reply;
use crate::support::recorded::recorded_server;
use ooni_store::BlockingStore;
use ooni_testkit::server::Server as Database;
use ooni_testkit::skip_without;
use serde_json::{Value, json};

/// A server with these rows in SQLite.
fn sqlite(rows: &Rows) -> Server {
    Server::start(|config| {
        quiet(config);
        std::fs::create_dir_all(&config.state_dir).unwrap();
        rows.load(&config.store_uri());
    })
}

/// A server with these rows in a PostgreSQL server of its own, and the URL of the database.
fn postgres(database: &Database, rows: &Rows) -> (Server, String) {
    let url = database.postgres_url("postgres");
    BlockingStore::migrate(&url).unwrap();
    rows.load(&url);
    let uri = url.clone();
    let server = Server::start(|config| {
        quiet(config);
        config.store.uri = uri;
    });
    (server, url)
}

fn quiet(config: &mut ooni_api::config::Config) {
    config.intake.min_free_bytes = 0;
    config.jobs.schedule = false;
    config.limits.exempt = vec!["127.0.0.0/8".to_owned()];
}

/// The list of a query.
fn list(server: &Server, query: &str) -> Reply {
    server.get(&format!("/api/v1/measurements?since=2025-01-01&until=2025-12-31&{query}"))
}

#[test]
fn old_clients_get_a_constant() {
    let server = recorded_server();
    let expected = json!({
        "metadata": {
            "count": 1, "current_page": 1, "limit": 100, "next_url": null, "offset": 0, "pages": 1, "query_time": 0.001
        },
        "results": [{"measurement_url": ""}],
    });
    for query in
        ["", "?limit=x", "?probe_cc=ZZ", "?report_id=20210709T004340Z_webconnectivity_MY_4818_n1_YCM7J9mGcEHds2K3"]
    {
        for agent in ["okhttp", "okhttp/3.9.1"] {
            let reply = server.send(&format!(
                "GET /api/v1/measurements{query} HTTP/1.1\r\nHost: test\r\nUser-Agent: {agent}\r\n\r\n"
            ));
            assert_eq!((reply.status, reply.json()), (200, expected.clone()), "{query}");
            assert_eq!(reply.header("cache-control"), Some("no-cache"));
        }
    }
    let others = "GET /api/v1/measurements?limit=1 HTTP/1.1\r\nHost: test\r\nUser-Agent: my okhttp\r\n\r\n";
    assert_eq!(server.send(others).json()["results"][0].as_object().unwrap().len(), 13);
}

#[test]
fn measurements_of_unknown_places_are_refused_and_not_listed() {
    let mut rows = Rows::default();
    rows.add(10, |_, _| {});
    rows.add(10, |_, row| row["probe_cc"] = json!("ZZ"));
    rows.add(10, |_, row| row["probe_asn"] = json!(0));
    let server = sqlite(&rows);
    for format in ["", "&format=csv", "&format=ndjson"] {
        for query in ["probe_cc=ZZ", "probe_cc=IT,ZZ", "probe_asn=AS0", "probe_asn=0", "probe_asn=1,00"] {
            let reply = list(&server, &format!("{query}{format}"));
            assert_eq!(reply.status, 403, "{query} {reply:?}");
            assert!(reply.error().contains("(ZZ)"), "{reply:?}");
        }
    }
    let expected: Vec<&str> = rows.uids().into_iter().take(10).collect();
    assert_eq!(uids(&list(&server, "order=asc")), expected);
    assert_eq!(uids(&list(&server, "order=asc&format=ndjson")), expected);
    // What is asked for by name is shown.
    assert_eq!(uids(&list(&server, "probe_cc=zz")), [""; 0]);
}

/// Values that are not what a parameter expects.
fn hostile() -> Vec<String> {
    let mut values: Vec<String> =
        ["%00", "a%00b", "'%20OR%201=1--", "%22%3E%3Cscript%3E", "%F0%9D%84%9E%D0%B0%E2%80%AE", "%ff%fe", "-1", "1e9"]
            .map(str::to_owned)
            .to_vec();
    values.push("x".repeat(20_000));
    values.push("9".repeat(400));
    values.push(",".repeat(5000));
    values.push("a,".repeat(5000));
    values
}

fn check_hostile_values(server: &Server) {
    const NAMES: [&str; 22] = [
        "report_id",
        "input",
        "domain",
        "probe_cc",
        "probe_asn",
        "test_name",
        "category_code",
        "since",
        "until",
        "confirmed",
        "anomaly",
        "failure",
        "software_version",
        "test_version",
        "engine_version",
        "ooni_run_link_id",
        "order_by",
        "order",
        "offset",
        "limit",
        "after",
        "format",
    ];
    let mut client = server.connect();
    for name in NAMES {
        for value in hostile() {
            let reply = client.get(&format!("/api/v1/measurements?{name}={value}&x=%00"));
            match reply.status {
                200 => assert!(reply.json()["results"].is_array(), "{name}={value}"),
                400 => assert!(reply.error().contains(name), "{name}={value} {reply:?}"),
                _ => panic!("{name}={value} {reply:?}"),
            }
        }
    }
    for uid in hostile() {
        for route in ["measurement_meta", "raw_measurement"] {
            let reply = client.get(&format!("/api/v1/{route}?measurement_uid=20250701000000{uid}"));
            assert!(matches!(reply.status, 200 | 400), "{uid} {reply:?}");
            let report = "20250701T000000Z_ndt_IT_3269_n1_0000000000000000";
            let reply = client.get(&format!("/api/v1/{route}?report_id={report}&input={uid}"));
            assert_eq!((reply.status, reply.json()), (200, json!({})), "{uid} {reply:?}");
        }
    }
}

#[test]
fn hostile_values_are_refused_or_find_nothing() {
    check_hostile_values(&sqlite(Rows::default().add(3, |_, _| {})));
}

#[test]
fn hostile_values_are_refused_or_find_nothing_in_postgres() {
    skip_without!(Database::shared_postgres());
    let database = Database::postgres(false).unwrap();
    check_hostile_values(&postgres(&database, Rows::default().add(3, |_, _| {})).0);
}

#[test]
fn the_next_page_keeps_unknown_parameters_but_not_repeated_ones() {
    let server = sqlite(Rows::default().add(5, |_, _| {}));
    let reply = list(&server, "limit=2&x=a%26b+c&limit=1&%C3%A9=&probe_cc=IT");
    let next = reply.json()["metadata"]["next_url"].as_str().unwrap().to_owned();
    let start = format!(
        "http://{}/api/v1/measurements?since=2025-01-01&until=2025-12-31&limit=2&x=a%26b+c&%C3%A9=&probe_cc=IT&offset=2&after=",
        server.address
    );
    assert!(next.starts_with(&start), "{next}");
}

#[test]
fn scores_that_are_not_json_do_not_break_the_list() {
    let mut rows = Rows::default();
    let scores = ["{\"a\": [1, 2.50]}", "", "not JSON", "{\"accuracy\": NaN}", "[]", "{}"];
    rows.add(scores.len(), |number, row| row["scores"] = json!(scores[number]));
    let server = sqlite(&rows);
    let reply = list(&server, "order=asc");
    assert!(reply.text().contains("\"scores\":{\"a\": [1, 2.50]}"), "as it is stored: {}", reply.text());
    let found: Vec<Value> =
        reply.json()["results"].as_array().unwrap().iter().map(|row| row["scores"].clone()).collect();
    assert_eq!(found, [json!({"a": [1, 2.5]}), json!({}), json!({}), json!({}), json!({}), json!({})]);
}
