//! Explorer's private routes, compared with counts of the recorded rows that do not use the server's code.

mod errors;
mod rows;
mod vpn_config;

use self::rows::{Row, at_borders, count_by, dates, distinct_by, measurements, sum_by, table};
use crate::support::Server;
use crate::support::client::Client;
use crate::support::recorded::{load_rows, recorded_clock, recorded_server, recorded_settings};
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::names::{COUNTRIES, INSTANT_MESSAGING, TEST_GROUPS, TEST_NAMES};
use ooni_core::time::DateTime;
use ooni_store::{BlockingStore, load_dump};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::cmp::Reverse;
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
fn coverage() {
    let tests: BTreeMap<&str, &str> =
        TEST_GROUPS.iter().flat_map(|(group, tests)| tests.iter().map(|test| (*test, *group))).collect();
    for days in [RECORDED, END_OF_AUGUST] {
        let (server, rows) = server_at(&days);
        let mut client = server.connect();
        let of_networks = dates(days.ago_31, days.before_yesterday);
        let of_tests: Vec<String> = dates(days.ago_32, days.yesterday).into_iter().take(30).collect();
        assert_eq!((of_networks.len(), of_tests.len()), (30, 30));
        for country in countries(&rows) {
            let of_country: Vec<&Row> = rows.iter().filter(|row| row.probe_cc == country).collect();
            for groups in [None, Some("websites"), Some("im,circumvention,nosuch"), Some("nosuch"), Some("")] {
                let wanted = groups.filter(|groups| !groups.is_empty());
                let is_wanted = |row: &&&Row| {
                    let group = tests.get(&*row.test_name).copied().unwrap_or_default();
                    wanted.is_none_or(|wanted| wanted.split(',').any(|one| one == group))
                };
                let of_groups: Vec<&Row> = of_country.iter().filter(is_wanted).copied().collect();
                let networks = distinct_by(&of_groups, Row::day, |row| row.probe_asn);
                let networks: Vec<Value> = of_networks
                    .iter()
                    .map(|day| json!({"count": networks.get(day).unwrap_or(&0), "test_day": day}))
                    .collect();
                let counts = count_by(of_country.iter().copied().cloned(), |row| {
                    (tests.get(&*row.test_name).copied().unwrap_or_default(), row.day())
                });
                let mut coverage = Vec::new();
                for group in tests.values().collect::<BTreeSet<_>>() {
                    for day in &of_tests {
                        let count = counts.get(&(*group, day.clone())).unwrap_or(&0);
                        coverage.push(json!({"count": count, "test_day": day, "test_group": group}));
                    }
                }
                let groups = groups.map_or_else(String::new, |groups| format!("&test_groups={groups}"));
                let path = format!("/api/_/test_coverage?probe_cc={country}{groups}");
                let expected = json!({"network_coverage": networks, "test_coverage": coverage});
                assert_eq!(get(&mut client, &path, "max-age=3600"), expected, "{path}");
            }
        }
    }
}

#[test]
fn websites() {
    let (server, rows) = server_at(&RECORDED);
    let mut client = server.connect();
    let (from, to) = (format!("{} 00:00:00", RECORDED.ago_31), format!("{} 00:00:00", RECORDED.today));
    let rows: Vec<Row> = rows.into_iter().filter(|row| row.is_within(&from, &to)).collect();
    let mut pages = 0;
    for country in countries(&rows) {
        let of_country: Vec<&Row> = rows.iter().filter(|row| row.probe_cc == country).collect();
        let by_network = count_by(of_country.iter().copied().cloned(), |row| row.probe_asn);
        let mut networks: Vec<_> = by_network.iter().collect();
        networks.sort_by_key(|(asn, count)| (Reverse(**count), **asn));
        let results: Vec<Value> =
            networks.iter().map(|(asn, count)| json!({"count": count, "probe_asn": asn})).collect();
        let path = format!("/api/_/website_networks?probe_cc={country}");
        assert_eq!(get(&mut client, &path, "max-age=0"), json!({"results": results}), "{path}");

        for asn in by_network.keys().chain(&[1]) {
            let of_network: Vec<&Row> = of_country.iter().filter(|row| row.probe_asn == *asn).copied().collect();
            for input in of_network.iter().map(|row| &row.input).collect::<BTreeSet<_>>() {
                // An empty input is a missing one.
                let of_input = of_network.iter().filter(|row| !input.is_empty() && row.input == *input);
                let by_day = sum_by(&of_input.copied().collect::<Vec<_>>(), Row::day);
                let results: Vec<Value> = by_day.iter().map(|(day, counts)| day_of(day, counts)).collect();
                let path = format!("/api/_/website_stats?probe_cc={country}&probe_asn={asn}&input={}", encoded(input));
                assert_eq!(get(&mut client, &path, "max-age=0"), json!({"results": results}), "{path}");
            }
            pages += pages_of_inputs(&mut client, &country, *asn, &of_network);
        }
    }
    assert!(pages > 20, "{pages}");
}

fn day_of(day: &str, [anomaly, confirmed, failure, total]: &[u64; 4]) -> Value {
    json!({
        "anomaly_count": anomaly,
        "confirmed_count": confirmed,
        "failure_count": failure,
        "test_day": day,
        "total_count": total
    })
}

/// Follows the pages of a network and returns their number.
fn pages_of_inputs(client: &mut Client, country: &str, asn: u64, rows: &[&Row]) -> usize {
    const LIMIT: usize = 3;
    let web: Vec<&Row> = rows.iter().filter(|row| row.test_name == "web_connectivity").copied().collect();
    let mut inputs: Vec<_> = sum_by(&web, |row| row.input.clone()).into_iter().collect();
    inputs.sort_by_key(|(_, [anomaly, confirmed, _, total])| (Reverse(*confirmed), Reverse(*total), Reverse(*anomaly)));
    let result = |(input, [anomaly, confirmed, failure, total]): &(String, [u64; 4])| {
        json!({
            "anomaly_count": anomaly,
            "confirmed_count": confirmed,
            "failure_count": failure,
            "input": input,
            "total_count": total
        })
    };
    let mut path = format!("/api/_/website_urls?probe_cc={country}&probe_asn=AS{asn}&limit={LIMIT}");
    for page in 0.. {
        let offset = page * LIMIT;
        let results: Vec<Value> = inputs.iter().skip(offset).take(LIMIT).map(result).collect();
        let next =
            format!("/api/_/website_urls?limit={LIMIT}&offset={}&probe_asn={asn}&probe_cc={country}", offset + LIMIT);
        let next_url = (results.len() == LIMIT).then(|| format!("https://api.ooni.org{next}"));
        let metadata = json!({
            "current_page": page + 1,
            "limit": LIMIT,
            "next_url": next_url,
            "offset": offset,
            "total_count": inputs.len()
        });
        let expected = json!({"metadata": metadata, "results": results});
        assert_eq!(get(client, &path, "max-age=3600"), expected, "{path}");
        if next_url.is_none() {
            return page + 1;
        }
        path = next;
    }
    unreachable!()
}

#[test]
fn pages_of_websites_have_limits() {
    let server = recorded_server();
    let mut client = server.connect();
    let mut metadata = |query: &str| {
        let path = format!("/api/_/website_urls?probe_cc=IT&probe_asn=3269{query}");
        get(&mut client, &path, "max-age=3600")["metadata"].take()
    };
    let all = metadata("&limit=10000")["total_count"].as_u64().unwrap();
    assert_eq!(all, 20);
    for limit in ["", "&limit=", "&limit=0", "&limit=-1", "&limit=10&limit=x"] {
        assert_eq!((&metadata(limit)["limit"], &metadata(limit)["offset"]), (&json!(10), &json!(0)), "{limit}");
    }
    // The number of all inputs does not depend on the page.
    let page = metadata("&limit=7&offset=1000");
    let expected = json!({"current_page": 144, "limit": 7, "next_url": null, "offset": 1000, "total_count": all});
    assert_eq!(page, expected);
    assert_eq!(metadata("&limit=7&offset=1")["current_page"], 2);
    assert_eq!(
        metadata("&limit=20")["next_url"].as_str().unwrap().split("offset=").nth(1).unwrap(),
        "20&probe_asn=3269&probe_cc=IT"
    );
    assert_eq!(metadata("&limit=21")["next_url"], Value::Null);
}

#[test]
fn vanilla_tor() {
    for days in [RECORDED, END_OF_AUGUST] {
        let (server, rows) = server_at(&days);
        let mut client = server.connect();
        let from = format!("{} 00:00:00", days.six_months_ago);
        let mut not_ok = 0;
        for country in countries(&rows) {
            let is_counted = |row: &&Row| row.probe_cc == country && row.test_name == "vanilla_tor" && row.start > from;
            let counted: Vec<&Row> = rows.iter().filter(is_counted).collect();
            let last = |asn: Option<u64>| {
                counted.iter().filter(|row| asn.is_none_or(|asn| row.probe_asn == asn)).map(|row| row.day()).max()
            };
            let by_network = sum_by(&counted, |row| row.probe_asn);
            let network = |(asn, [anomaly, _, failure, total]): (&u64, &[u64; 4])| {
                json!({
                    "failure_count": failure,
                    "last_tested": last(Some(*asn)),
                    "probe_asn": asn,
                    "success_count": total - anomaly,
                    "test_runtime_avg": null,
                    "test_runtime_max": null,
                    "test_runtime_min": null,
                    "total_count": total
                })
            };
            let is_not_ok =
                |[anomaly, _, _, total]: &&[u64; 4]| *total > 5 && (total - anomaly) as f64 / (*total as f64) < 0.6;
            let expected = json!({
                "last_tested": last(None),
                "networks": by_network.iter().map(network).collect::<Vec<_>>(),
                "notok_networks": by_network.values().filter(is_not_ok).count()
            });
            let path = format!("/api/_/vanilla_tor_stats?probe_cc={country}");
            assert_eq!(get(&mut client, &path, "max-age=0"), expected, "{path}");
            not_ok += by_network.values().filter(is_not_ok).count();
        }
        assert!(not_ok > 0);
    }
}

#[test]
fn instant_messaging() {
    let (server, rows) = server_at(&RECORDED);
    let mut client = server.connect();
    let (from, to) = (format!("{} 00:00:00", RECORDED.ago_31), format!("{} 00:00:00", RECORDED.today));
    let is_counted = |row: &Row| row.is_within(&from, &to) && INSTANT_MESSAGING.contains(&&*row.test_name);
    let rows: Vec<Row> = rows.into_iter().filter(is_counted).collect();
    for country in countries(&rows) {
        let of_country: Vec<&Row> = rows.iter().filter(|row| row.probe_cc == country).collect();
        let mut tests: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &of_country {
            tests.entry(&row.test_name).or_default().push(row);
        }
        let test = |rows: &Vec<&Row>| {
            let mut networks: Vec<_> =
                count_by(rows.iter().copied().cloned(), |row| row.probe_asn).into_iter().collect();
            networks.sort_by_key(|(asn, count)| (Reverse(*count), *asn));
            let last = |asn: u64| rows.iter().filter(|row| row.probe_asn == asn).map(|row| row.day()).max();
            let network = |(asn, count): &(u64, u64)| json!({"asn": asn, "last_tested": last(*asn), "name": "", "total_count": count});
            json!({
                "anomaly_networks": [],
                "last_tested": rows.iter().map(|row| row.day()).max(),
                "ok_networks": networks.iter().map(network).collect::<Vec<_>>()
            })
        };
        let expected: BTreeMap<&str, Value> = tests.iter().map(|(name, rows)| (*name, test(rows))).collect();
        let path = format!("/api/_/im_networks?probe_cc={country}");
        assert_eq!(get(&mut client, &path, "max-age=3600"), json!(expected), "{path}");

        for asn in of_country.iter().map(|row| row.probe_asn).chain([1]).collect::<BTreeSet<_>>() {
            for test in INSTANT_MESSAGING {
                let of_test = of_country.iter().filter(|row| row.probe_asn == asn && row.test_name == test);
                let counts = count_by(of_test.copied().cloned(), Row::day);
                let day = |day: &String| {
                    let count = counts.get(day).unwrap_or(&0);
                    json!({"anomaly_count": null, "test_day": format!("{day}T00:00:00+00:00"), "total_count": count})
                };
                let results: Vec<Value> = dates(RECORDED.ago_31, RECORDED.today).iter().map(day).collect();
                assert_eq!(results.len(), 32);
                let path = format!("/api/_/im_stats?probe_cc={country}&probe_asn={asn}&test_name={test}");
                assert_eq!(get(&mut client, &path, "max-age=3600"), json!({"results": results}), "{path}");
            }
        }
    }
}

#[test]
fn circumvention() {
    const TESTS: [&str; 5] = ["torsf", "tor", "stunreachability", "psiphon", "riseupvpn"];
    for days in [RECORDED, END_OF_AUGUST] {
        let (server, rows) = server_at(&days);
        let mut client = server.connect();
        let (from, to) = (format!("{} 00:00:01", days.six_months_ago), format!("{} 00:00:00", days.yesterday));
        let is_counted = |row: &&Row| row.is_within(&from, &to) && TESTS.contains(&&*row.test_name);
        let rows: Vec<&Row> = rows.iter().filter(is_counted).collect();
        let by_country = count_by(rows.iter().copied().cloned(), |row| row.probe_cc.clone());
        let results: Vec<Value> = by_country.iter().map(|(cc, count)| json!({"cnt": count, "probe_cc": cc})).collect();
        let path = "/api/_/circumvention_stats_by_country";
        assert_eq!(get(&mut client, path, "max-age=86400"), json!({"results": results, "v": 0}));

        let mut runtimes: BTreeMap<(&str, &str, String), Vec<f64>> = BTreeMap::new();
        for row in &rows {
            if let Some(runtime) = row.runtime {
                runtimes.entry((&row.test_name, &row.probe_cc, row.day())).or_default().push(runtime);
            }
        }
        let [mut tests, mut ccs, mut all_days] = [const { BTreeSet::new() }; 3];
        for (test, cc, day) in runtimes.keys() {
            tests.insert(test.to_string());
            ccs.insert(cc.to_string());
            all_days.insert(day.clone());
        }
        let answer = get(&mut client, "/api/_/circumvention_runtime_stats", "max-age=86400");
        let mut results = answer["results"].as_array().unwrap().iter();
        for (test, cc, day) in tests
            .iter()
            .flat_map(|test| ccs.iter().flat_map(move |cc| [(test, cc)]))
            .flat_map(|(test, cc)| all_days.iter().map(move |day| (test, cc, day)))
        {
            let result = results.next().unwrap();
            let keys = json!([result["test_name"], result["probe_cc"], result["date"]]);
            assert_eq!(keys, json!([test, cc, day]));
            let found = result["v"].as_array().unwrap();
            match runtimes.get_mut(&(&**test, &**cc, day.clone())) {
                None => assert!(found.is_empty(), "{result}"),
                Some(seconds) => {
                    let expected = [percentile(seconds, 0.5), percentile(seconds, 0.9), seconds.len() as f64];
                    for (found, expected) in found.iter().zip(expected) {
                        let is_near = (found.as_f64().unwrap() - expected).abs() <= 1e-5 * expected.abs();
                        assert!(is_near, "{result}: {expected}");
                    }
                    assert_eq!(found.len(), 3);
                }
            }
        }
        assert_eq!((results.next(), &answer["v"]), (None, &json!(0)));
        assert!(runtimes.len() > 5, "{runtimes:?}");
    }
}

/// A percentile, interpolated between neighbours.
fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = share * (values.len() - 1) as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    below + (above - below) * place.fract()
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
