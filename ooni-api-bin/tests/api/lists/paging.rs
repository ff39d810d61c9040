//! Pages that follow each other.

use super::rows::{Rows, results, uids};
use super::{list, postgres, sqlite};
use crate::support::Server;
use ooni_testkit::server::Server as Database;
use ooni_testkit::skip_without;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ORDERS: [&str; 5] = ["measurement_start_time", "input", "probe_cc", "probe_asn", "test_name"];

/// Rows of which many have the same value in each column.
fn ties(count: usize, change: impl Fn(&mut Value)) -> Rows {
    let mut rows = Rows::default();
    rows.add(count, |number, row| {
        row["measurement_start_time"] = json!(format!("2025-07-01 00:00:{:02}", number / 20));
        row["input"] = json!(["", "https://b.example/", "https://a.example/é", "https://a.example/"][number % 4]);
        row["probe_cc"] = json!(["IT", "DE", "US"][number % 3]);
        row["probe_asn"] = json!([20, 100, 3][number % 3]);
        row["test_name"] = json!(["ndt", "dash", "web_connectivity"][number % 3]);
        change(row);
    });
    rows
}

/// The path of the next page.
fn next(server: &Server, page: &Value) -> Option<String> {
    let url = page["metadata"]["next_url"].as_str()?;
    Some(url.strip_prefix(&format!("http://{}", server.address)).unwrap_or_else(|| panic!("{url}")).to_owned())
}

/// The value by which rows are ordered. Texts are ordered by bytes, numbers by value.
fn key(row: &Value, order_by: &str) -> (u64, String, String) {
    let text = row[order_by].as_str().unwrap_or_default();
    let number = text.strip_prefix("AS").and_then(|number| number.parse().ok());
    let text = if number.is_some() { "" } else { text };
    (number.unwrap_or(0), text.to_owned(), row["measurement_uid"].as_str().unwrap().to_owned())
}

/// Reads all pages of a list. After each page, `between` gets their number.
fn walk(server: &Server, query: &str, mut between: impl FnMut(usize)) -> Vec<Value> {
    let mut found = Vec::new();
    let mut path = format!("/api/v1/measurements?since=2025-01-01&until=2025-12-31&{query}");
    for number in 1.. {
        let reply = server.get(&path);
        let (page, rows) = (reply.json(), results(&reply));
        let metadata = &page["metadata"];
        assert_eq!(
            (&metadata["offset"], &metadata["current_page"]),
            (&json!(found.len()), &json!(number)),
            "{metadata}"
        );
        found.extend(rows);
        let Some(next) = next(server, &page) else {
            let pages = found.len().div_ceil(7);
            assert_eq!((&metadata["count"], &metadata["pages"]), (&json!(found.len()), &json!(pages)), "{metadata}");
            return found;
        };
        assert_eq!((&metadata["count"], &metadata["pages"]), (&json!(-1), &json!(-1)), "{metadata}");
        path = next;
        between(number);
    }
    unreachable!()
}

fn check_pages(server: &Server, url: &str, rows: &Rows) {
    for order_by in ORDERS {
        for order in ["asc", "desc"] {
            // Rows come before, between and after those that were read.
            let insert = |number: usize| {
                if number == 3 {
                    let uid = |row: &Value| {
                        row["measurement_uid"].as_str().unwrap().replace("_IT_", &format!("_{order_by}{order}_"))
                    };
                    ties(50, |row| row["measurement_uid"] = json!(uid(row))).load(url);
                }
            };
            let found = walk(server, &format!("limit=7&order_by={order_by}&order={order}"), insert);
            let mut keys: Vec<_> = found.iter().map(|row| key(row, order_by)).collect();
            if order == "desc" {
                keys.reverse();
            }
            assert!(keys.is_sorted_by(|a, b| a < b), "{order_by} {order} {keys:?}");
            let found: BTreeSet<&str> = found.iter().map(|row| row["measurement_uid"].as_str().unwrap()).collect();
            for uid in rows.uids() {
                assert!(found.contains(uid), "{order_by} {order} {uid}");
            }
        }
    }
}

#[test]
fn pages_have_every_row_once_while_rows_are_inserted() {
    let rows = ties(100, |_| {});
    let server = sqlite(&rows);
    let url = format!("sqlite:{}", server.state_dir().join("ooni.db").display());
    check_pages(&server, &url, &rows);
}

#[test]
fn pages_of_postgres_have_every_row_once_while_rows_are_inserted() {
    skip_without!(Database::shared_postgres());
    let database = Database::postgres(false).unwrap();
    let rows = ties(100, |_| {});
    let (server, url) = postgres(&database, &rows);
    check_pages(&server, &url, &rows);
}

#[test]
fn an_offset_without_a_cursor_skips_rows() {
    let rows = ties(50, |_| {});
    let server = sqlite(&rows);
    let all = uids(&list(&server, "order_by=input&order=asc"));
    let reply = list(&server, "order_by=input&order=asc&limit=10&offset=15");
    assert_eq!(uids(&reply), all[15..25]);
    let page = reply.json();
    assert_eq!(page["metadata"]["current_page"], 3);
    let reply = server.get(&next(&server, &page).unwrap());
    assert_eq!(uids(&reply), all[25..35]);
    // The cursor alone, which a client should not send, is a page too; the offset is only counted.
    let after = next(&server, &page).unwrap().replace("offset=25", "offset=0");
    assert_eq!(uids(&server.get(&after)), all[25..35]);
    let reply = list(&server, "offset=5000");
    assert_eq!((&reply.json()["metadata"]["count"], uids(&reply).len()), (&json!(5000), 0));
}

#[test]
fn cursors_that_are_damaged_are_refused() {
    let server = sqlite(&ties(20, |_| {}));
    let cursor = |order_by| next(&server, &list(&server, &format!("limit=7&order_by={order_by}")).json()).unwrap();
    let damaged = cursor("input").replace("order_by=input", "order_by=probe_asn");
    for path in [
        &*damaged,
        "/api/v1/measurements?after=x",
        "/api/v1/measurements?after=%5B%5D",
        "/api/v1/measurements?after=%00",
    ] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.error().starts_with("after: ")), (400, true), "{path} {reply:?}");
    }
}

#[test]
fn a_list_longer_than_a_page_is_one_answer() {
    let mut rows = Rows::default();
    rows.add(2500, |number, row| row["measurement_start_time"] = json!(format!("2025-07-01 00:00:{:02}", number / 50)));
    let server = sqlite(&rows);
    let uids_of = rows.uids();
    for limit in [999, 1000, 1001, 1999, 2000, 2001, 2499, 2500, 2501, 1_000_000] {
        let reply = list(&server, &format!("order=asc&limit={limit}"));
        assert_eq!(uids(&reply), uids_of[..limit.min(2500)], "{limit}");
        let page = reply.json();
        let metadata = &page["metadata"];
        let count = if limit > 2500 { json!(2500) } else { json!(-1) };
        assert_eq!((&metadata["limit"], &metadata["count"]), (&json!(limit), &count), "{metadata}");
        assert_eq!(metadata["next_url"].is_null(), limit > 2500, "{metadata}");
        assert_eq!(reply.header("content-length").is_some(), limit <= 1000, "{limit}");
        assert_eq!(reply.header("cache-control"), Some("max-age=60"));
        if limit < 2500 {
            let rest = uids(&server.get(&next(&server, &page).unwrap()));
            assert_eq!(rest[..], uids_of[limit..2500.min(2 * limit)], "{limit}");
        }
    }
    let reply = list(&server, "order=asc&limit=2000&offset=400");
    assert_eq!(uids(&reply), uids_of[400..2400]);
    let head = server
        .send("HEAD /api/v1/measurements?limit=2500&since=2025-01-01&until=2025-12-31 HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((head.status, head.body.len()), (200, 0));
}
