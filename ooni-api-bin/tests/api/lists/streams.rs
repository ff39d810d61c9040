//! Lists that are longer than a page, in all formats, and how they end.

use super::rows::{Rows, results, uids};
use super::{list, quiet, sqlite};
use crate::support::Server;
use crate::support::client::{Client, Reply};
use ooni_api::config::Config;
use serde_json::{Value, json};

/// A server with rows, and with limits.
fn limited(rows: &Rows, limit: impl FnOnce(&mut Config)) -> Server {
    Server::start(|config| {
        quiet(config);
        limit(config);
        std::fs::create_dir_all(&config.state_dir).unwrap();
        rows.load(&config.store_uri());
    })
}

/// The records of CSV.
fn records(csv: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            char => field.push(char),
        }
    }
    assert!(record.is_empty() && field.is_empty() && !quoted, "the last line is not complete");
    records
}

fn last_line(reply: &Reply) -> &str {
    reply.text().lines().last().unwrap()
}

#[test]
fn csv_and_ndjson_have_the_rows_of_json() {
    let mut rows = Rows::default();
    let inputs = ["", "https://a.example/?a=1,2", "\"quoted\"", "two\r\nlines", "é \u{0} 𝄞", "# complete: 1 rows"];
    rows.add(2300, |number, row| row["input"] = json!(inputs[number % inputs.len()]));
    let server = sqlite(&rows);
    let expected = results(&list(&server, "limit=2300"));
    assert_eq!(expected.len(), 2300);

    let ndjson = list(&server, "format=ndjson");
    assert_eq!(ndjson.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(results(&ndjson), expected);
    assert_eq!(last_line(&ndjson), r#"{"complete":true,"rows":2300}"#);

    let csv = list(&server, "format=CSV");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(last_line(&csv), "# complete: 2300 rows");
    let records = records(csv.text());
    let names = &records[0];
    assert_eq!((records.len(), names.len()), (2302, 13));
    for (record, row) in records[1..2301].iter().zip(&expected) {
        for (name, field) in names.iter().zip(record) {
            match &row[name] {
                Value::Null => assert_eq!(field, ""),
                Value::String(text) => assert_eq!(field, text),
                Value::Bool(flag) => assert_eq!(field, &flag.to_string()),
                scores => assert_eq!(&serde_json::from_str::<Value>(field).unwrap(), scores),
            }
        }
    }

    let empty = list(&server, "format=csv&probe_cc=FR");
    assert_eq!(empty.text().lines().count(), 2);
    assert_eq!(last_line(&empty), "# complete: 0 rows");
    assert_eq!(list(&server, "format=ndjson&probe_cc=FR").text(), "{\"complete\":true,\"rows\":0}\n");
    assert_eq!(list(&server, "format=xml").status, 400);
}

#[test]
fn a_stream_with_a_limit_says_where_it_continues() {
    let mut rows = Rows::default();
    let server = sqlite(rows.add(1500, |_, _| {}));
    let reply = list(&server, "format=ndjson&order=asc&limit=1200");
    assert_eq!(uids(&reply), rows.uids()[..1200]);
    let rest = continued(&server, last_line(&reply));
    assert_eq!(uids(&rest), rows.uids()[1200..]);
    let reply = list(&server, "format=csv&order=asc&limit=1200");
    assert!(last_line(&reply).starts_with("# complete: 1200 rows; it continues at http://"), "{}", last_line(&reply));
}

/// The list after the end of another one.
fn continued(server: &Server, end: &str) -> Reply {
    let end: Value = serde_json::from_str(end).unwrap();
    let url = end["next_url"].as_str().unwrap_or_else(|| panic!("{end}"));
    server.get(url.strip_prefix(&format!("http://{}", server.address)).unwrap())
}

/// What a server sends until it closes the connection, after the headers of a response with status 200.
fn cut_off(server: &Server, query: &str) -> String {
    let mut client = server.connect();
    client.write(&format!(
        "GET /api/v1/measurements?since=2025-01-01&until=2025-12-31&{query} HTTP/1.1\r\nHost: test\r\n\r\n"
    ));
    let reply = String::from_utf8(client.rest()).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    reply
}

#[test]
fn a_stream_ends_at_the_limit_of_bytes() {
    let mut rows = Rows::default();
    rows.add(3500, |_, _| {});
    let server = limited(&rows, |config| config.reads.max_stream_bytes = 700_000);
    let reply = list(&server, "format=ndjson&order=asc");
    let mut lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.pop().unwrap();
    assert_eq!((&end["complete"], &end["rows"]), (&json!(false), &json!(lines.len())));
    assert_eq!(end["reason"], "the size limit of 700000 bytes was reached");
    assert!(lines.len() > 1000 && reply.body.len() < 701_000, "{} {}", lines.len(), reply.body.len());
    let mut found: Vec<Value> = lines;
    let mut end = last_line(&reply).to_owned();
    while end.contains("next_url") {
        let more = continued(&server, &end);
        end = last_line(&more).to_owned();
        found.extend(more.text().lines().map(|line| serde_json::from_str(line).unwrap()));
        found.pop();
    }
    assert!(end.starts_with("{\"complete\":true,"), "{end}");
    let found: Vec<&str> = found.iter().map(|row| row["measurement_uid"].as_str().unwrap()).collect();
    assert_eq!(found, rows.uids());

    let csv = list(&server, "format=csv");
    assert!(
        last_line(&csv).starts_with("# incomplete: ")
            && last_line(&csv).contains("; the size limit of 700000 bytes was reached; ")
    );
    assert!(!cut_off(&server, "limit=3500").ends_with("0\r\n\r\n"));
}

#[test]
fn a_stream_ends_at_the_limit_of_time() {
    let server = limited(Rows::default().add(1001, |_, _| {}), |config| config.reads.stream_timeout = 0);
    let reply = list(&server, "format=ndjson");
    let end: Value = serde_json::from_str(last_line(&reply)).unwrap();
    assert_eq!((&end["complete"], &end["rows"]), (&json!(false), &json!(1000)));
    assert_eq!(end["reason"], "the time limit of 0 seconds was reached");
    assert_eq!(uids(&continued(&server, last_line(&reply))).len(), 1);
    let csv = list(&server, "format=csv");
    assert!(last_line(&csv).starts_with("# incomplete: 1000 rows; the time limit of 0 seconds was reached; "));
    assert!(!cut_off(&server, "limit=1001").ends_with("0\r\n\r\n"));
    // One page needs no stream.
    assert_eq!(uids(&list(&server, "limit=1000")).len(), 1000);
}

#[test]
fn a_query_that_takes_too_long_is_an_error_before_the_first_byte() {
    let server = limited(Rows::default().add(1, |_, _| {}), |config| config.reads.timeout = 0);
    for query in ["", "limit=5000", "format=csv", "format=ndjson"] {
        let reply = list(&server, query);
        assert_eq!(reply.status, 504, "{query}");
        assert!(reply.error().contains("timed out"), "{reply:?}");
    }
    for route in ["measurement_meta", "raw_measurement"] {
        let reply =
            server.get(&format!("/api/v1/{route}?measurement_uid=20250701000000.000000_IT_ndt_0123456789abcdef"));
        assert_eq!(reply.status, 504, "{route}");
    }
}

/// Rows whose pages have more bytes than sockets hold.
fn long_rows(count: usize) -> Rows {
    let mut rows = Rows::default();
    rows.add(count, |number, row| row["input"] = json!(format!("{number}{}", "x".repeat(15_000))));
    rows
}

/// Asks for a list, and reads the first bytes of the answer.
fn begun(server: &Server, query: &str) -> Client {
    let mut client = server.connect();
    client.write(&format!(
        "GET /api/v1/measurements?since=2025-01-01&until=2025-12-31&{query} HTTP/1.1\r\nHost: test\r\n\r\n"
    ));
    while client.is_silent() {
        std::thread::yield_now();
    }
    client
}

#[test]
fn a_stream_of_a_store_that_fails_ends_with_the_reason() {
    let server = sqlite(&long_rows(1100));
    let mut clients = ["format=ndjson", "format=csv", "limit=1100"].map(|query| begun(&server, query));
    // None of them has taken its first page.
    let database = rusqlite::Connection::open(server.state_dir().join("ooni.db")).unwrap();
    database.execute_batch("ALTER TABLE fastpath RENAME TO other").unwrap();
    let [ndjson, csv, json] = &mut clients;
    let end: Value = serde_json::from_str(last_line(&ndjson.reply())).unwrap();
    assert_eq!((&end["complete"], &end["rows"]), (&json!(false), &json!(1000)));
    assert_eq!(end["reason"], "The store failed.");
    let reply = csv.reply();
    assert!(last_line(&reply).starts_with("# incomplete: 1000 rows; The store failed.; it continues at "));
    assert!(!json.rest().ends_with(b"0\r\n\r\n"));
    assert_eq!(list(&server, "").status, 500);
}

#[test]
fn nothing_is_read_for_a_client_that_stops_reading_or_disconnects() {
    let server = sqlite(&long_rows(2100));
    let whole = list(&server, "format=ndjson").body.len() as u64;
    let client = begun(&server, "format=ndjson");
    drop(client);
    let sum = "ooniapi_http_response_size_bytes_sum{handler=\"/api/v1/measurements\"} ";
    let count = sum.replace("_sum", "_count");
    let value = |metrics: &str, name: &str| -> u64 {
        metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
    };
    let mut metrics = server.metrics();
    while value(&metrics, &count) < 2 {
        std::thread::yield_now();
        metrics = server.metrics();
    }
    // It got the first of three pages, or less.
    let sent = value(&metrics, sum) - whole;
    assert!(sent * 2 < whole, "{sent} of {whole}");
}

#[test]
fn a_list_of_long_rows_is_read_in_short_pages() {
    let mut rows = Rows::default();
    rows.add(60, |number, row| row["input"] = json!(format!("{number}{}", "x".repeat(1_000_000))));
    let server = sqlite(&rows);
    for query in ["order=asc", "order=asc&format=ndjson"] {
        let reply = list(&server, query);
        assert_eq!(uids(&reply), rows.uids(), "{query}");
        assert_eq!(reply.header("content-length"), None, "{query}");
    }
    let reply = list(&server, "order=asc&limit=10");
    assert_eq!(uids(&reply), rows.uids()[..10]);
    assert!(reply.header("content-length").is_some());
}
