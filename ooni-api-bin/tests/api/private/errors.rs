//! Private routes without rows, without parameters, with hostile parameters, and without a store.

use super::encoded;
use crate::support::Server;
use crate::support::recorded::{recorded_clock, recorded_server, recorded_settings};
use ooni_store::BlockingStore;
use serde_json::{Value, json};

/// The routes that read a store, with parameters that they accept.
const ROUTES: [(&str, &[(&str, &str)]); 20] = {
    const CC: (&str, &str) = ("probe_cc", "IT");
    const ASN: (&str, &str) = ("probe_asn", "3269");
    [
        ("/api/_/asn_by_month", &[]),
        ("/api/_/countries_by_month", &[]),
        ("/api/_/global_overview", &[]),
        ("/api/_/global_overview_by_month", &[]),
        ("/api/_/countries", &[]),
        ("/api/_/country_overview", &[CC]),
        ("/api/_/networks", &[]),
        ("/api/_/asnmeta", &[("asn", "3269")]),
        ("/api/_/domains", &[]),
        ("/api/_/domain_metadata", &[("domain", "twitter.com")]),
        ("/api/_/test_coverage", &[CC, ("test_groups", "im")]),
        ("/api/_/website_networks", &[CC]),
        ("/api/_/website_stats", &[CC, ASN, ("input", "https://twitter.com/")]),
        ("/api/_/website_urls", &[CC, ASN, ("limit", "5"), ("offset", "5")]),
        ("/api/_/vanilla_tor_stats", &[CC]),
        ("/api/_/im_networks", &[CC]),
        ("/api/_/im_stats", &[CC, ASN, ("test_name", "signal")]),
        ("/api/_/circumvention_stats_by_country", &[]),
        ("/api/_/circumvention_runtime_stats", &[]),
        ("/api/_/measurement_feedback/20250710120034.300587_IR_webconnectivity_cdf2cdb7b26ede71", &[]),
    ]
};

/// A placeholder page, which reads no store.
const NETWORK_STATS: (&str, &[(&str, &str)]) = ("/api/_/network_stats", &[("probe_cc", "IT")]);

/// Parameters that may be missing.
const OPTIONAL: [&str; 4] = ["test_groups", "input", "limit", "offset"];

fn path(route: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("{route}?{}", pairs.join("&"))
}

#[test]
fn parameters_are_required() {
    let server = recorded_server();
    let mut client = server.connect();
    for (route, parameters) in ROUTES.into_iter().chain([NETWORK_STATS]) {
        assert_eq!(client.get(&path(route, parameters)).status, 200, "{route}");
        for (name, _) in parameters {
            let others = parameters.iter().copied().filter(|(other, _)| other != name);
            let empty = others.clone().chain([(*name, "")]);
            for parameters in [others.collect::<Vec<_>>(), empty.collect()] {
                let reply = client.get(&path(route, &parameters));
                if OPTIONAL.contains(name) {
                    assert_eq!(reply.status, 200, "{route} without {name}: {reply:?}");
                } else {
                    assert_eq!(reply.status, 400, "{route} without {name}: {reply:?}");
                    assert!(reply.error().contains(name), "{route} without {name}: {reply:?}");
                }
            }
        }
    }
}

#[test]
fn wrong_parameters_are_refused() {
    let server = recorded_server();
    let mut client = server.connect();
    let wrong = [
        ("probe_cc", &["I", "ITA", "é", "\0"][..]),
        ("probe_asn", &["x", "as3269", "AS", "-1", "4294967296", "1.5", "3269 ", "٣"]),
        ("asn", &["AS3269", "x", "-1", "4294967296", "99999999999999999999"]),
        ("test_name", &["ndt", "Signal", "signal,telegram", "'"]),
        ("limit", &["x", "10001", "1.5", "9999999999999999999999"]),
        ("offset", &["x", "-1", "1.5", "9999999999999999999999"]),
    ];
    for (route, parameters) in ROUTES.into_iter().chain([NETWORK_STATS]) {
        for (name, values) in wrong.into_iter().filter(|(name, _)| parameters.iter().any(|(other, _)| other == name)) {
            for value in values {
                let changed: Vec<_> =
                    parameters.iter().map(|&(other, old)| (other, if other == name { value } else { old })).collect();
                let reply = client.get(&path(route, &changed));
                assert_eq!(reply.status, 400, "{route}, {name}={value}: {reply:?}");
                assert!(reply.error().contains(name), "{route}, {name}={value}: {reply:?}");
            }
        }
    }
}

#[test]
fn hostile_values_are_data() {
    let server = recorded_server();
    let mut client = server.connect();
    let long = "x".repeat(20_000);
    let hostile = [
        "'",
        "' OR 1=1 --",
        "'; DROP TABLE fastpath; --",
        "<script>alert(1)</script>",
        "\0",
        "a\0b",
        "\u{1}",
        "\u{fffd}",
        "🙂",
        "🙂🙂",
        "١٢",
        "%",
        "%00",
        "..",
        "../../etc/passwd",
        "{}",
        "[]",
        ",",
        ",,,,",
        "&a=b",
        "\r\nX: y",
        "1e309",
        "NaN",
        "-0",
        &long,
    ];
    for (route, parameters) in ROUTES.into_iter().chain([NETWORK_STATS]) {
        for (name, _) in parameters {
            for value in hostile {
                let changed: Vec<_> =
                    parameters.iter().map(|&(other, old)| (other, if other == *name { value } else { old })).collect();
                let reply = client.get(&path(route, &changed));
                assert!(matches!(reply.status, 200 | 400), "{route}, {name}={value}: {reply:?}");
                assert_eq!(reply.header("content-type"), Some("application/json"), "{route}, {name}={value}");
                assert_eq!(reply.header("x"), None);
                assert!(reply.json().is_object(), "{route}, {name}={value}: {reply:?}");
            }
        }
    }
    for value in hostile.iter().filter(|value| !value.is_empty() && **value != "..") {
        let reply = client.get(&format!("/api/_/measurement_feedback/{}", encoded(value)));
        assert_eq!((reply.status, reply.json()), (200, json!({"summary": {}})), "{value}");
    }
    // The tables are still there.
    assert_eq!(client.get("/api/_/global_overview").json()["measurement_count"], 2822);
}

#[test]
fn an_empty_store_has_empty_charts() {
    let server = Server::start_at(recorded_clock(), recorded_settings);
    let mut client = server.connect();
    let mut get = |route: &str, parameters: &[(&str, &str)]| {
        let reply = client.get(&path(route, parameters));
        assert_eq!(reply.status, 200, "{route}: {reply:?}");
        reply.json()
    };
    for (route, parameters) in ROUTES {
        let answer = get(route, parameters);
        let expected = match route.rsplit('/').next().unwrap() {
            "asn_by_month" | "countries_by_month" => json!([]),
            "global_overview" => json!({"country_count": 0, "measurement_count": 0, "network_count": 0}),
            "global_overview_by_month" => {
                json!({"countries_by_month": [], "measurements_by_month": [], "networks_by_month": []})
            }
            "countries" => json!({"countries": []}),
            "country_overview" => {
                json!({"first_bucket_date": "1970-01-01", "measurement_count": 0, "network_count": 0})
            }
            "networks" | "domains" | "circumvention_stats_by_country" | "circumvention_runtime_stats" => {
                json!({"results": [], "v": 0})
            }
            "asnmeta" => json!({"org_name": "Unknown"}),
            "domain_metadata" => json!({"canonical_domain": "twitter.com", "category_code": "MISC"}),
            "website_networks" | "website_stats" => json!({"results": []}),
            "website_urls" => json!({
                "metadata": {"current_page": 2, "limit": 5, "next_url": null, "offset": 5, "total_count": 0},
                "results": []
            }),
            "vanilla_tor_stats" => json!({"last_tested": null, "networks": [], "notok_networks": 0}),
            "im_networks" => json!({}),
            "im_stats" | "test_coverage" => {
                let charts = answer.as_object().unwrap().values();
                let counts: Vec<&Value> = charts.flat_map(|chart| chart.as_array().unwrap()).collect();
                let is_zero = |point: &&Value| [&point["total_count"], &point["count"]].contains(&&json!(0));
                assert!(counts.iter().all(is_zero) && counts.len() >= 32, "{route}: {answer}");
                continue;
            }
            _ => json!({"summary": {}}),
        };
        assert_eq!(answer, expected, "{route}");
    }
}

/// The routes whose errors have the version of the answer.
fn has_version(route: &str) -> bool {
    ["/networks", "/domains", "_by_country", "_runtime_stats"].iter().any(|end| route.ends_with(end))
}

#[test]
fn a_store_that_cannot_be_reached() {
    let server = Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        config.store.uri = "postgres://me:secret@127.0.0.1:1/db?sslmode=disable".to_owned();
    });
    let mut client = server.connect();
    for (route, parameters) in ROUTES {
        let reply = client.get(&path(route, parameters));
        assert_eq!(reply.status, 503, "{route}: {reply:?}");
        assert_eq!(reply.error(), "the database is not available", "{route}");
        assert!(reply.header("retry-after").is_some(), "{route}");
        assert_eq!(reply.json()["v"], if has_version(route) { json!(0) } else { Value::Null }, "{route}");
    }
}

#[test]
fn a_read_has_one_deadline() {
    let server = Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        config.reads.timeout = 0;
        std::fs::create_dir_all(&config.state_dir).unwrap();
        drop(BlockingStore::open(&config.store_uri()).unwrap());
    });
    let mut client = server.connect();
    for (route, parameters) in ROUTES {
        let reply = client.get(&path(route, parameters));
        assert_eq!(reply.status, 504, "{route}: {reply:?}");
        let text = "The database query timed out. Try changing the query parameters.";
        assert_eq!(reply.error(), text, "{route}");
        assert_eq!(reply.json()["v"], if has_version(route) { json!(0) } else { Value::Null }, "{route}");
    }
}
