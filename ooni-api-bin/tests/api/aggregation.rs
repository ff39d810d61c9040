//! `/api/v1/aggregation` and `/api/v1/torsf_stats`, compared with counts over the rows of `tests/golden`.

use crate::counted::{Asked, Data, Row, bucket, encoded};
use crate::support::Server;
use crate::support::client::{Client, Reply};
use crate::support::recorded::{recorded_clock, recorded_server, recorded_settings};
use ooni_core::time::DateTime;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const ROUTE: &str = "/api/v1/aggregation";

/// The groups as CSV.
fn csv(axes: &[&str], groups: &[Map<String, Value>]) -> String {
    let counts = ["anomaly_count", "confirmed_count", "failure_count", "measurement_count", "ok_count"];
    let mut names: Vec<&str> = counts.iter().chain(axes).copied().collect();
    names.sort_unstable();
    let field = |value: &Value| match value {
        Value::String(text) if text.contains([',', '"', '\n', '\r']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |group: &Map<String, Value>| names.iter().map(|name| field(&group[*name])).collect::<Vec<_>>().join(",");
    let lines = [names.join(",")].into_iter().chain(groups.iter().map(line));
    lines.map(|line| line + "\r\n").collect()
}

#[test]
fn random_requests_have_the_counts_of_the_rows() {
    const REQUESTS: u64 = 1500;
    let data = Data::read();
    let server = recorded_server();
    let mut client = server.connect();
    let (mut empty, mut of_lists) = (0, 0);
    for seed in 0..REQUESTS {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let asked = Asked::random(&data, rng);
        let path = asked.path();
        let groups = data.groups(&asked);
        let reply = client.get(&path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let body = reply.json();
        assert_eq!((&body["v"], &body["dimension_count"]), (&json!(0), &json!(asked.axes.len())), "{path}");
        match asked.axes[..] {
            [] => assert_eq!(body["result"], json!(groups[0]), "{path}"),
            _ => assert_eq!(body["result"], json!(groups), "{path}"),
        }
        let rows = if asked.axes.is_empty() { 1 } else { groups.len() };
        assert_eq!(body["db_stats"]["row_count"], json!(rows), "{path}");
        if seed.is_multiple_of(5) {
            let reply = client.get(&format!("{path}&format=csv"));
            assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"), "{path}");
            assert_eq!(reply.text(), csv(&asked.axes, &groups), "{path}");
        }
        empty += u64::from(groups.iter().all(|group| group["measurement_count"] == 0));
        of_lists += u64::from(asked.category.is_some() || asked.axes.contains(&"category_code"));
    }
    // The requests are worth something.
    assert!(empty < REQUESTS / 2 && of_lists > REQUESTS / 10, "{empty} are empty, {of_lists} are of test lists");
}

#[test]
fn windows_of_all_times() {
    let data = Data::read();
    let server = recorded_server();
    let all = data.rows.len();
    for grain in ["day", "week", "month", "year", "auto"] {
        let window = "since=0001-01-01&until=9999-12-31T23:59:59Z";
        let reply = server.get(&format!("{ROUTE}?{window}&axis_x=measurement_start_day&time_grain={grain}"));
        let body = reply.json();
        let counts =
            body["result"].as_array().unwrap().iter().map(|group| group["measurement_count"].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), all as u64, "{grain}");
    }
}

/// The error of a refused request.
fn refused(client: &mut Client, query: &str) -> String {
    let reply = client.get(&format!("{ROUTE}?{query}"));
    assert_eq!(reply.status, 400, "{query}: {reply:?}");
    assert_eq!(reply.json()["v"], 0, "{query}");
    reply.error()
}

#[test]
fn errors_name_the_parameter() {
    let server = recorded_server();
    let mut client = server.connect();
    for (query, said) in [
        ("since=nope", "since: "),
        ("since=1+July+2025", "since: "),
        ("until=2025-02-30", "until: "),
        ("since=0001-01-01T00:00:00%2B14:00", "since: "),
        ("probe_cc=it", "probe_cc: "),
        ("probe_cc=ITA", "probe_cc: "),
        ("probe_cc=IT,x", "probe_cc: "),
        ("probe_asn=abc", "probe_asn: "),
        ("probe_asn=-1", "probe_asn: "),
        ("probe_asn=4294967296", "probe_asn: "),
        ("test_name=Web", "test_name: "),
        ("domain=xy", "domain: "),
        ("domain=http://example.com", "domain: "),
        ("input=ab", "input: "),
        ("category_code=news", "category_code: "),
        ("ooni_run_link_id=x", "ooni_run_link_id: "),
        ("ooni_run_link_id=1,-2", "ooni_run_link_id: "),
        ("ooni_run_link_id=18446744073709551616", "ooni_run_link_id: "),
        ("axis_x=nosuch", "axis_x: "),
        ("axis_x=probe_cc,domain", "axis_x: "),
        ("axis_y=PROBE_CC", "axis_y: "),
        ("axis_x=probe_cc&axis_y=probe_cc", "axis_x and axis_y cannot be the same"),
        ("time_grain=minute", "time_grain: "),
        ("format=xml", "format: "),
        ("download=maybe", "download: "),
        ("axis_x=measurement_start_day&since=2025-07-06&until=2025-07-05", "Invalid since and until values"),
        (
            "axis_x=measurement_start_day&since=2025-07-01&until=2025-07-09&time_grain=hour",
            "Choose time_grain between day, week, auto for the given time range",
        ),
    ] {
        let error = refused(&mut client, query);
        assert!(error.starts_with(said), "{query}: {error}");
    }
}

#[test]
fn empty_and_repeated_parameters() {
    let server = recorded_server();
    let result = |query: &str| server.get(&format!("{ROUTE}?{query}")).json()["result"].clone();
    const NAMES: &str = "since= until= probe_cc= probe_asn= test_name= domain= input= category_code= ooni_run_link_id= axis_x= \
        axis_y= time_grain= format= download=";
    assert_eq!(result(&NAMES.split(' ').collect::<Vec<_>>().join("&")), result(""));
    assert_eq!(result("probe_cc=IT&probe_cc=it&unknown=1"), result("probe_cc=IT"));
    assert_ne!(result("probe_cc=IT"), result(""));
}

#[test]
fn hostile_values() {
    let server = recorded_server();
    let numbers = |count: u32| (1..=count).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let values = [
        "' OR 1=1 --".to_owned(),
        "\"; DROP TABLE fastpath; --".to_owned(),
        "<script>alert(1)</script>".to_owned(),
        "\0".to_owned(),
        "a\0b.example.com".to_owned(),
        "пример.рф".to_owned(),
        "٣".to_owned(),
        "\u{202e}\u{fffd}\u{10ffff}".to_owned(),
        "%s%n{}$1?\\".to_owned(),
        "-1".to_owned(),
        "1e9".to_owned(),
        "NaN".to_owned(),
        ",".repeat(1000),
        "A".repeat(20_000),
        numbers(4000),
        "0001-01-01".to_owned(),
        "9999-12-31T23:59:59-23:59".to_owned(),
    ];
    let mut client = server.connect();
    for name in ["since", "until", "probe_cc", "probe_asn", "test_name", "domain", "input", "category_code"]
        .into_iter()
        .chain(["ooni_run_link_id", "axis_x", "axis_y", "time_grain", "format", "download", "unknown"])
    {
        for value in &values {
            let shown = &value[..value.len().min(30)];
            let reply = client.get(&format!("{ROUTE}?{name}={}", encoded(value)));
            assert!(matches!(reply.status, 200 | 400), "{name}={shown}: {reply:?}");
            assert_eq!(reply.json()["v"], 0, "{name}={shown}");
            if reply.status == 400 {
                assert!(reply.error().contains(name), "{name}={shown}: {reply:?}");
            }
            for text in ["SELECT", "sqlite", "syntax"] {
                assert!(!reply.text().contains(text), "{name}={shown}: {reply:?}");
            }
        }
        // Bytes that are not UTF-8, and a value beyond the limit of headers.
        let reply = client.get(&format!("{ROUTE}?{name}=%ff%fe%80"));
        assert!(matches!(reply.status, 200 | 400), "{name}: {reply:?}");
        assert_eq!(server.get(&format!("{ROUTE}?{name}={}", "a".repeat(100_000))).status, 431, "{name}");
    }
    assert_eq!(client.get(ROUTE).json()["result"]["measurement_count"], 1351);
}

#[test]
fn only_windows_that_ended_long_ago_are_cached() {
    let server = recorded_server();
    // Without `since`, aggregations begin 180 days ago, so their window moves. The others begin with the first measurement.
    let from = "since=2024-01-01&";
    for (route, parameters, is_cached_from_the_first) in
        [(ROUTE, "&format=csv", false), ("/api/v1/torsf_stats", "", true)]
    {
        for (query, is_old) in [
            ("until=2025-07-12T10:29:59", true),
            ("until=2023-01-01", true),
            ("until=2025-07-12T10:30:00", false),
            ("until=2025-07-15", false),
            ("", false),
        ] {
            for (query, is_cached) in
                [(format!("{from}{query}"), is_old), (query.to_owned(), is_old && is_cached_from_the_first)]
            {
                let reply = server.get(&format!("{route}?{query}{parameters}"));
                let wanted = is_cached.then_some("max-age=86400");
                assert_eq!((reply.status, reply.header("cache-control")), (200, wanted), "{route}?{query}");
            }
        }
    }
}

#[test]
fn downloads_have_a_name() {
    let server = recorded_server();
    for (query, name) in [
        ("download=true", Some("attachment; filename=ooni-aggregate-data.json")),
        ("download=TRUE&format=csv", Some("attachment; filename=ooni-aggregate-data.csv")),
        ("download=false", None),
        ("", None),
    ] {
        let reply = server.get(&format!("{ROUTE}?{query}"));
        assert_eq!((reply.status, reply.header("content-disposition")), (200, name), "{query}");
    }
}

#[test]
fn a_query_that_takes_too_long_is_answered_with_504() {
    let server = Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        config.reads.timeout = 0;
    });
    for route in [ROUTE, "/api/v1/torsf_stats"] {
        let reply = server.get(route);
        assert_eq!(reply.status, 504, "{reply:?}");
        assert_eq!(reply.error(), "The database query timed out. Try changing the query parameters.");
    }
}

#[test]
fn torsf_stats_have_the_counts_of_the_rows() {
    let data = Data::read();
    let server = recorded_server();
    let mut client = server.connect();
    let rows: Vec<&Row> = data.rows.iter().filter(|row| row.test == "torsf").collect();
    let first = rows.iter().map(|row| row.start).min().unwrap();
    let last = rows.iter().map(|row| row.start).max().unwrap();
    let text = |time: i64| encoded(&DateTime::from_timestamp(time).unwrap().to_string());
    for (query, cc, after, until) in [
        (String::new(), None, i64::MIN, i64::MAX),
        ("probe_cc=&since=&until=".to_owned(), None, i64::MIN, i64::MAX),
        ("probe_cc=IT".to_owned(), Some("IT"), i64::MIN, i64::MAX),
        // The start of the window is exclusive, its end inclusive.
        (format!("since={}&until={}", text(first), text(last)), None, first, last),
        (format!("since={}&until={}", text(first - 1), text(last - 1)), None, first - 1, last - 1),
        ("since=9999-12-31T23:59:59".to_owned(), None, i64::MAX, i64::MAX),
        ("until=9999-12-31T23:59:59".to_owned(), None, i64::MIN, i64::MAX),
        ("since=2025-07-06&until=2025-07-05".to_owned(), None, 1, 0),
        (format!("probe_cc={}", encoded("' OR 1=1 --")), Some("'"), 0, 0),
    ] {
        let mut days: BTreeMap<(String, &str), [u64; 4]> = BTreeMap::new();
        for row in &rows {
            if cc.is_none_or(|cc| cc == row.cc) && row.start > after && row.start <= until {
                let counts = days.entry((bucket(row.start, "day"), &row.cc)).or_default();
                counts[0] += 1;
                counts[1] += u64::from(row.anomaly);
                counts[2] += u64::from(row.confirmed);
                counts[3] += u64::from(row.failure);
            }
        }
        let day = |((day, cc), counts): (&(String, &str), &[u64; 4])| {
            json!({
                "measurement_start_day": day,
                "probe_cc": cc,
                "measurement_count": counts[0],
                "anomaly_count": counts[1],
                "confirmed_count": counts[2],
                "failure_count": counts[3],
                "anomaly_rate": counts[1] as f64 / counts[0] as f64,
            })
        };
        let result: Vec<Value> = days.iter().map(day).collect();
        assert_eq!(
            client.get(&format!("/api/v1/torsf_stats?{query}")).json(),
            json!({"v": 0, "result": result}),
            "{query}"
        );
    }
    let reply: Reply = client.get("/api/v1/torsf_stats?until=nope");
    assert_eq!((reply.status, &reply.json()["v"]), (400, &json!(0)));
    assert!(reply.error().starts_with("until: "), "{reply:?}");
}

#[test]
fn routes_over_observations_say_what_is_missing() {
    let server = recorded_server();
    for (route, table) in [
        ("/api/v1/observations", "obs_web"),
        ("/api/v1/analysis", "analysis_web_measurement"),
        ("/api/v1/aggregation/observations", "obs_web"),
        ("/api/v1/aggregation/observations/ctrl", "obs_web_ctrl"),
        ("/api/v1/aggregation/analysis", "analysis_web_measurement"),
        ("/api/v1/detector/changepoints", "event_detector_changepoints"),
    ] {
        let reply = server.get(&format!("{route}?probe_cc=IT"));
        let detail = format!("This server has no observations: the table {table} is missing.");
        assert_eq!((reply.status, reply.json()), (501, json!({"detail": detail})), "{route}");
    }
}
