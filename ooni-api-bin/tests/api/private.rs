//! Explorer's private routes, compared with counts of the recorded rows that do not use the server's code.

mod charts;
mod errors;
mod rows;
mod vpn_config;

use self::rows::{Row, at_borders, count_by, distinct_by, measurements, table};
use crate::support::Server;
use crate::support::client::Client;
use crate::support::recorded::{load_rows, recorded_clock, recorded_server, recorded_settings};
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::names::{COUNTRIES, TEST_NAMES};
use ooni_core::time::DateTime;
use ooni_store::{BlockingStore, load_dump};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The days of the charts at a time of the server's clock.
struct Days {
    now: DateTime,
    today: &'static str,
    /// 31 and 32 days before today.
    ago_31: &'static str,
    ago_32: &'static str,
    yesterday: &'static str,
    before_yesterday: &'static str,
    six_months_ago: &'static str,
    /// The first of this month two years ago, and of the next month.
    first_month: &'static str,
    next_month: &'static str,
}

/// When the requests of `tests/golden` were recorded.
const RECORDED: Days = Days {
    now: at(2025, 7, 15),
    today: "2025-07-15",
    ago_31: "2025-06-14",
    ago_32: "2025-06-13",
    yesterday: "2025-07-14",
    before_yesterday: "2025-07-13",
    six_months_ago: "2025-01-15",
    first_month: "2023-07-01",
    next_month: "2025-08-01",
};

/// The last day of a month, after one that has no such day six months before.
const END_OF_AUGUST: Days = Days {
    now: at(2025, 8, 31),
    today: "2025-08-31",
    ago_31: "2025-07-31",
    ago_32: "2025-07-30",
    yesterday: "2025-08-30",
    before_yesterday: "2025-08-29",
    six_months_ago: "2025-02-28",
    first_month: "2023-08-01",
    next_month: "2025-09-01",
};

const fn at(year: u16, month: u8, day: u8) -> DateTime {
    DateTime::new(year, month, day, 23, 59, 59).unwrap()
}

/// A server with the recorded rows and others at the borders of its charts, and all these rows.
fn server_at(days: &Days) -> (Server, Vec<Row>) {
    let Days { now, today, ago_31, ago_32, yesterday, before_yesterday, six_months_ago, first_month, next_month } =
        *days;
    let borders = at_borders(&[
        "2012-12-01",
        first_month,
        six_months_ago,
        ago_32,
        ago_31,
        before_yesterday,
        yesterday,
        today,
        next_month,
    ]);
    let server = Server::start_at(Clock::new(move || Timestamp::from_date_time(now)), |config| {
        recorded_settings(config);
        std::fs::create_dir_all(&config.state_dir).unwrap();
        load_rows(&config.store_uri());
        let file = config.state_dir.join("borders.jsonl");
        let lines: Vec<String> =
            borders.iter().map(|row| json!({"table": "fastpath", "row": row}).to_string()).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let store = BlockingStore::open(&config.store_uri()).unwrap();
        let loaded = load_dump(&store, &file, |line, reason| panic!("line {line}: {reason}")).unwrap();
        assert_eq!(loaded.inserted, borders.len() as u64, "{loaded:?}");
    });
    (server, measurements(borders))
}

/// The answer to a request, which is cached this long.
fn get(client: &mut Client, path: &str, cache: &str) -> Value {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    assert_eq!(reply.header("cache-control"), Some(cache), "{path}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{path}");
    reply.json()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The countries of some rows, one without rows, and one in lower case.
fn countries(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().map(|row| row.probe_cc.clone()).chain(["AQ", "it"].map(str::to_owned)).collect()
}

#[test]
fn overviews() {
    let (server, rows) = server_at(&RECORDED);
    let mut client = server.connect();
    let all: Vec<&Row> = rows.iter().collect();
    let by_country = count_by(&rows, |row| row.probe_cc.clone());
    let by_network = count_by(&rows, |row| row.probe_asn);
    let overview = json!({
        "country_count": by_country.len(), "measurement_count": rows.len(), "network_count": by_network.len()
    });
    assert_eq!(get(&mut client, "/api/_/global_overview", "max-age=86400"), overview);

    let names: BTreeMap<&str, &str> = COUNTRIES.into_iter().collect();
    let named = by_country.iter().filter_map(|(code, count)| {
        names.get(&**code).map(|name| json!({"alpha_2": code, "count": count, "name": name}))
    });
    let expected = json!({"countries": named.collect::<Vec<_>>()});
    assert_eq!(get(&mut client, "/api/_/countries", "max-age=86400"), expected);
    assert!(by_country.contains_key("ZZ"), "a country without a name");

    for country in countries(&rows) {
        let is_counted = |row: &&&Row| row.probe_cc == country && *row.start > *"2012-12-01 00:00:00";
        let counted: Vec<&Row> = all.iter().filter(is_counted).copied().collect();
        let first = counted.iter().map(|row| row.day()).min();
        let expected = json!({
            "first_bucket_date": first.as_deref().unwrap_or("1970-01-01"),
            "measurement_count": counted.len(),
            "network_count": distinct_by(&counted, |_| (), |row| row.probe_asn).get(&()).unwrap_or(&0)
        });
        let path = format!("/api/_/country_overview?probe_cc={country}");
        assert_eq!(get(&mut client, &path, "max-age=86400"), expected, "{country}");
    }
}

#[test]
fn months() {
    for days in [RECORDED, END_OF_AUGUST] {
        let (server, rows) = server_at(&days);
        let mut client = server.connect();
        // The first second of the first month is excluded.
        let (from, to) = (format!("{} 00:00:01", days.first_month), format!("{} 00:00:00", days.next_month));
        let rows: Vec<&Row> = rows.iter().filter(|row| row.is_within(&from, &to)).collect();
        let month = |row: &Row| format!("{}-01T00:00:00+00:00", &row.start[..7]);
        let list = |counts: BTreeMap<String, u64>| {
            counts.into_iter().map(|(date, value)| json!({"date": date, "value": value})).collect::<Value>()
        };
        let networks = list(distinct_by(&rows, month, |row| row.probe_asn));
        let countries = list(distinct_by(&rows, month, |row| row.probe_cc.clone()));
        let counts = list(count_by(rows.iter().copied().cloned(), month));
        assert_eq!(get(&mut client, "/api/_/asn_by_month", "max-age=86400"), networks);
        assert_eq!(get(&mut client, "/api/_/countries_by_month", "max-age=86400"), countries);
        let overview = json!({
            "networks_by_month": networks, "countries_by_month": countries, "measurements_by_month": counts
        });
        assert_eq!(get(&mut client, "/api/_/global_overview_by_month", "max-age=86400"), overview);
    }
}

/// The latest names of networks.
fn names_of_networks() -> BTreeMap<u64, String> {
    let mut latest: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for row in table("asnmeta") {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let entry = latest.entry(row["asn"].as_u64().unwrap()).or_default();
        *entry = entry.clone().max((text("changed"), text("org_name")));
    }
    latest.into_iter().map(|(asn, (_, name))| (asn, name)).collect()
}

#[test]
fn networks() {
    let ((server, rows), names) = (server_at(&RECORDED), names_of_networks());
    let mut client = server.connect();
    let result = |(asn, count): (u64, u64)| json!({"cnt": count, "org_name": names.get(&asn).map_or("", |name| name), "probe_asn": asn});
    let results: Vec<Value> = count_by(&rows, |row| row.probe_asn).into_iter().map(result).collect();
    assert_eq!(get(&mut client, "/api/_/networks", "max-age=7200"), json!({"v": 0, "results": results}));
    for (asn, name) in &names {
        let path = format!("/api/_/asnmeta?asn={asn}");
        assert_eq!(get(&mut client, &path, "max-age=7200"), json!({"org_name": name}), "{asn}");
    }
    assert!(names.len() < table("asnmeta").len(), "no network has two names");
    for asn in ["0", "4294967295"] {
        let path = format!("/api/_/asnmeta?asn={asn}");
        assert_eq!(get(&mut client, &path, "max-age=7200"), json!({"org_name": "Unknown"}));
    }
    let page = json!({
        "metadata": {"current_page": 1, "limit": 10, "next_url": null, "offset": 0, "total_count": 0}, "results": []
    });
    assert_eq!(get(&mut client, "/api/_/network_stats?probe_cc=IT", "max-age=86400"), page);
}

#[test]
fn domains() {
    let (server, rows) = server_at(&RECORDED);
    let mut client = server.connect();
    /// The entry that comes first: the global list, then the shortest URL.
    type Entry = (bool, usize, String, String, String);
    let mut lists: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for row in table("citizenlab") {
        let [domain, url, cc, category] =
            ["domain", "url", "cc", "category_code"].map(|name| row[name].as_str().unwrap().to_owned());
        let entry = (cc != "ZZ", url.len(), url, category, domain.clone());
        lists.entry(domain).or_default().push(entry);
    }
    let web = rows.iter().filter(|row| row.test_name == "web_connectivity");
    let counts = count_by(web, |row| row.domain.clone());
    let result = |(domain, entries): (&String, &Vec<Entry>)| {
        let (.., category, _) = entries.iter().min().unwrap();
        json!({
            "category_code": category, "domain_name": domain, "measurement_count": counts.get(domain).unwrap_or(&0)
        })
    };
    let results: Vec<Value> = lists.iter().map(result).collect();
    assert_eq!(get(&mut client, "/api/_/domains", "max-age=7200"), json!({"v": 0, "results": results}));

    let bare = lists.keys().map(|domain| domain.strip_prefix("www.").unwrap_or(domain).to_owned());
    let unknown = ["nothing.example", "www", "'; --"].map(str::to_owned);
    for bare in bare.chain(unknown).collect::<BTreeSet<_>>() {
        let with_www = format!("www.{bare}");
        let entries = lists.get(&bare).into_iter().chain(lists.get(&with_www)).flatten();
        let expected = match entries.min() {
            Some((.., category, domain)) => json!({"canonical_domain": domain, "category_code": category}),
            None => json!({"canonical_domain": bare, "category_code": "MISC"}),
        };
        for domain in [&bare, &with_www] {
            let path = format!("/api/_/domain_metadata?domain={}", encoded(domain));
            assert_eq!(get(&mut client, &path, "max-age=7200"), expected, "{domain}");
        }
    }
}

#[test]
fn test_names() {
    let tests = TEST_NAMES.map(|(id, name)| json!({"id": id, "name": name}));
    let server = Server::start(|_| {});
    assert_eq!(get(&mut server.connect(), "/api/_/test_names", "max-age=3600"), json!({"test_names": tests}));
}

#[test]
fn feedback() {
    let server = recorded_server();
    let mut client = server.connect();
    let mut latest: BTreeMap<(String, String), (String, String)> = BTreeMap::new();
    for row in table("msmt_feedback") {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let entry = latest.entry((text("measurement_uid"), text("account_id"))).or_default();
        *entry = entry.clone().max((text("update_time"), text("status")));
    }
    let mut summaries: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::from([("no-such-measurement", BTreeMap::new())]);
    for ((uid, _), (_, status)) in &latest {
        *summaries.entry(uid).or_default().entry(status).or_default() += 1;
    }
    for (uid, summary) in &summaries {
        let path = format!("/api/_/measurement_feedback/{uid}");
        assert_eq!(get(&mut client, &path, "max-age=0"), json!({"summary": summary}), "{uid}");
    }
    assert!(summaries.len() > 2 && latest.len() < table("msmt_feedback").len());
}

#[test]
fn nobody_is_logged_in() {
    let server = Server::start_at(recorded_clock(), recorded_settings);
    let account = get(&mut server.connect(), "/api/_/account_metadata", "no-cache");
    assert_eq!(account, json!({"logged_in": false, "role": ""}));
    // The page of any origin may read the answer, but without credentials.
    let reply =
        server.send("GET /api/_/account_metadata HTTP/1.1\r\nHost: test\r\nOrigin: https://explorer.ooni.org\r\n\r\n");
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://explorer.ooni.org"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    let feedback = r#"{"measurement_uid": "x", "status": "ok"}"#;
    for reply in [
        server.get("/api/_/quotas_summary"),
        server.post("/api/_/measurement_feedback", feedback),
        server.post("/api/_/measurement_feedback", "not JSON"),
        server.post("/api/_/measurement_feedback", ""),
    ] {
        assert_eq!((reply.status, &*reply.error()), (401, "Authentication required"));
    }
}
