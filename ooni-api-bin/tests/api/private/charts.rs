//! The charts of a country: coverage, websites, instant messaging and circumvention tools.

use super::rows::{Row, count_by, dates, distinct_by, sum_by};
use super::{END_OF_AUGUST, RECORDED, countries, encoded, get, server_at};
use crate::support::client::Client;
use crate::support::recorded::recorded_server;
use ooni_api::names::{INSTANT_MESSAGING, TEST_GROUPS};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

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
