//! Each route: its success, and what it refuses.

use crate::support::Server;
use crate::support::client::{Reply, post};
use crate::support::recorded::{load_rows, recorded_clock, recorded_server, recorded_settings};
use ooni_store::{Store, StoreOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A server without rows.
pub(crate) fn empty_server() -> Server {
    Server::start_at(recorded_clock(), recorded_settings)
}

pub(crate) fn send(server: &Server, path: &str, body: &Value) -> Reply {
    server.post(path, &body.to_string())
}

/// The answer to a request that succeeds.
pub(crate) fn answer(server: &Server, path: &str, body: &Value) -> Value {
    let reply = send(server, path, body);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-cache"), "{path}");
    reply.json()
}

fn refused(server: &Server, path: &str, body: &Value) -> String {
    let reply = send(server, path, body);
    assert_eq!(reply.status, 400, "{path} {body}: {reply:?}");
    reply.error()
}

#[test]
fn check_in() {
    let server = recorded_server();
    let checked = answer(&server, "/api/v1/check-in", &json!({"probe_cc": "it", "probe_asn": "AS3269"}));
    assert_eq!((&checked["v"], &checked["utc_time"]), (&json!(1), &json!("2025-07-15T10:30:00Z")));
    // The address of the test is unknown, and the claim counts for report ids and URLs.
    assert_eq!((&checked["probe_cc"], &checked["probe_asn"]), (&json!("ZZ"), &json!("AS0")));
    assert_eq!(checked["probe_network_name"], Value::Null);
    let tests = checked["tests"].as_object().unwrap();
    let ids: BTreeSet<_> = tests.values().map(|test| test["report_id"].as_str().unwrap()).collect();
    assert_eq!((tests.len(), ids.len()), (21, 21));
    assert!(ids.iter().all(|id| id.starts_with("20250715T103000Z_") && id.contains("_IT_3269_n1_")), "{ids:?}");
    assert_eq!(tests["web_connectivity"]["urls"].as_array().unwrap().len(), 100);
    assert_eq!(checked["conf"]["features"]["webconnectivity_0.5"], true);
    for helper in checked["conf"]["test_helpers"]["web-connectivity"].as_array().unwrap() {
        assert!(!helper["front"].is_null() || helper.get("front").is_none(), "{helper}");
    }

    assert_eq!(refused(&server, "/api/v1/check-in", &json!({"probe_cc": "ITA"})), "probe_cc: two letters are expected");
    assert_eq!(refused(&server, "/api/v1/check-in", &json!([])), "JSON expected");
    let body = json!({"probe_cc": "IT", "probe_asn": "AS3269"}).to_string();
    let without_type = server.post("/api/v1/check-in", &body);
    let as_form =
        server.send(&post("/api/v1/check-in", "Content-Type: application/x-www-form-urlencoded\r\n", body.as_bytes()));
    assert_eq!((without_type.status, as_form.status), (200, 200));
    assert_eq!(server.get("/api/v1/check-in").status, 405);
}

#[test]
fn test_lists() {
    let server = recorded_server();
    let get = |query: &str| {
        let reply = server.get(&format!("/api/v1/test-list/urls{query}"));
        (reply.status, reply.json())
    };
    let (status, all) = get("");
    assert_eq!(
        (status, all["metadata"]["count"].as_u64().unwrap()),
        (200, all["results"].as_array().unwrap().len() as u64)
    );
    let (_, some) = get("?category_codes=news,humr&limit=7&debug=yes");
    let results = some["results"].as_array().unwrap();
    assert_eq!(results.len(), 7);
    for result in results {
        assert!(matches!(result["category_code"].as_str(), Some("NEWS" | "HUMR")), "{result}");
        assert!(result["priority"].as_i64().unwrap() > 0 && result["weight"].is_f64() && result["msmt_cnt"].is_u64());
    }
    assert!(results.windows(2).all(|pair| pair[0]["weight"].as_f64() >= pair[1]["weight"].as_f64()));
    for query in ["?limit=0", "?limit=x", "?probe_cc=ITA", "?country_code=1", "?debug=maybe"] {
        assert_eq!(get(query).0, 400, "{query}");
    }
    assert_eq!(get("?limit=12&limit=13").1["metadata"]["count"], 12);
}

/// A store without lists is not an error.
#[test]
fn empty_lists() {
    let server = empty_server();
    let checked = answer(&server, "/api/v1/check-in", &json!({}));
    assert_eq!(checked["tests"]["web_connectivity"]["urls"], json!([]));
    assert_eq!(server.get("/api/v1/test-list/urls").json()["metadata"]["count"], 0);
    let rules = server.get("/api/_/debug_prioritization").json();
    assert_eq!((&rules["entries"], &rules["test_items"]), (&json!([]), &json!([])));
    assert_eq!(server.get("/api/_/show_countries_prioritization").json(), json!([]));
    let csv = server.get("/api/_/show_countries_prioritization?format=csv");
    assert_eq!(csv.text(), "anomaly_perc,category_code,cc,domain,msmt_cnt,priority,url\r\n");
    assert_eq!(server.get("/api/_/show_countries_prioritization?format=xml").status, 400);
}

/// Rules are written into a store that has none.
#[test]
fn default_rules() {
    let server = empty_server();
    // They are written in the background, and what the server reads is cached for a minute.
    until(&server, async |store| !store.url_priorities(&[]).await.unwrap().is_empty());
    let rules = server.get("/api/_/debug_prioritization").json();
    assert_eq!(rules["prio_rules"].as_array().unwrap().len(), 31);
}

/// Waits until a store is as wanted.
pub(crate) fn until(server: &Server, is_so: impl AsyncFn(&Store) -> bool) {
    let url = format!("sqlite:{}", server.state_dir().join("ooni.db").display());
    Runtime::new().unwrap().block_on(async {
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        let waiting = async {
            while !is_so(&store).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting).await.expect("the store never has what is expected");
    });
}

/// A store that cannot be reached: check-in answers without URLs.
#[test]
fn unavailable_store() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        config.store.uri = format!("postgres://test@127.0.0.1:{unused}/none");
    });
    let checked = answer(&server, "/api/v1/check-in", &json!({"probe_cc": "IT", "probe_asn": "AS3269"}));
    assert_eq!(checked["tests"]["web_connectivity"]["urls"], json!([]));
    let lists = server.get("/api/v1/test-list/urls?probe_cc=IT");
    assert_eq!((lists.status, &lists.json()["results"]), (200, &json!([])));
    for path in ["/api/_/debug_prioritization", "/api/_/show_countries_prioritization"] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{path}");
        reply.error();
    }
    let opened = answer(&server, "/report", &json!({"test_name": "ndt", "probe_cc": "IT", "probe_asn": "AS3269"}));
    let report = format!("/report/{}", opened["report_id"].as_str().unwrap());
    let accepted = answer(&server, &report, &json!({"format": "json", "content": {}}));
    assert!(accepted["measurement_uid"].as_str().unwrap().starts_with("20250715103000."));
}

/// A store that fails after a while: check-in has no URLs, and `test-list/urls` a random sample of the global list.
#[test]
fn failing_store() {
    let server = recorded_server();
    let get = |query: &str| server.get(&format!("/api/v1/test-list/urls?{query}")).json()["results"].clone();
    assert_eq!(get("probe_cc=IT&limit=20").as_array().unwrap().len(), 20);
    let database = server.state_dir().join("ooni.db");
    let rename = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('ALTER TABLE citizenlab RENAME TO gone')";
    assert!(Command::new("python3").args(["-c", rename]).arg(database).status().unwrap().success());
    // Another country, since the lists of the first one are kept for a minute.
    let [one, two] = [get("probe_cc=VE&limit=20"), get("probe_cc=VE&limit=20")];
    assert_ne!(one, two);
    for item in one.as_array().unwrap().iter().chain(two.as_array().unwrap()) {
        assert_eq!(item["country_code"], "XX");
    }
    assert_eq!((one.as_array().unwrap().len(), two.as_array().unwrap().len()), (20, 20));
    let news = get("probe_cc=VE&category_codes=NEWS");
    assert!(news.as_array().unwrap().iter().all(|item| item["category_code"] == "NEWS"), "{news}");
    assert!(!news.as_array().unwrap().is_empty());
    let checked = answer(&server, "/api/v1/check-in", &json!({"probe_cc": "VE", "probe_asn": "AS8048"}));
    assert_eq!(checked["tests"]["web_connectivity"]["urls"], json!([]));
}

#[test]
fn services() {
    let server = empty_server();
    let helpers = server.get("/api/v1/test-helpers");
    assert_eq!((helpers.status, helpers.json().as_object().unwrap().len()), (200, 6));
    let collectors = server.get("/api/v1/collectors");
    assert_eq!(
        (collectors.header("cache-control"), collectors.json().as_array().unwrap().len()),
        (Some("max-age=3600"), 6)
    );
    let net_tests = json!({"net-tests": [{"name": "ndt", "version": "1", "other": []}, {}]});
    let bouncer = &answer(&server, "/bouncer/net-tests", &net_tests)["net-tests"][0];
    assert_eq!(
        (&bouncer["name"], &bouncer["version"], &bouncer["input-hashes"]),
        (&json!("ndt"), &json!("1"), &Value::Null)
    );
    for body in [
        json!({}),
        json!({"net-tests": []}),
        json!({"net-tests": {}}),
        json!({"net-tests": [5]}),
        json!([]),
        json!({"net-tests": [{"name": 1, "version": "1"}]}),
    ] {
        assert_eq!(refused(&server, "/bouncer/net-tests", &body), "Malformed request");
    }
}

#[test]
fn registration_and_login() {
    let server = empty_server();
    let registered = answer(&server, "/api/v1/register", &json!({"password": 5}));
    let client_id = registered["client_id"].as_str().unwrap();
    assert_eq!(client_id.len(), 132);
    let login = |username: Value| send(&server, "/api/v1/login", &json!({"username": username, "password": "x"}));
    let token = login(json!(client_id)).json();
    assert_eq!(token["expire"], "2025-07-22T10:30:00Z");
    let token = token["token"].as_str().unwrap();
    for legacy in ["", "kLnD8Nc3PjyZ8Z2iDVpyYhZg", "a.b.c"] {
        assert_eq!(login(json!(legacy)).status, 200, "{legacy}");
    }
    // The token of a login does not log in, and a changed one neither.
    for username in [token.to_owned(), format!("{}AA", &client_id[..130])] {
        let reply = login(json!(username));
        assert_eq!((reply.status, reply.error().as_str()), (401, "Invalid credentials"), "{username}");
    }
    assert_eq!(send(&server, "/api/v1/login", &json!({})).error(), "Missing credentials");
    assert_eq!(
        refused(&server, "/api/v1/login", &json!({"username": 5, "password": "x"})),
        "username: a text is expected"
    );
    let metrics = server.metrics();
    let counted = r#"probe_login_requests{detail="ok",login="legacy",state="successful"} 3"#;
    assert!(metrics.contains(counted), "{}", metrics);

    let update = |body: &str| {
        let length = body.len();
        server.send(&format!("PUT /api/v1/update/x HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}"))
    };
    assert_eq!(update(r#"{"probe_cc": "IT", "supported_tests": []}"#).json(), json!({"status": "ok"}));
    assert_eq!(update(r#"{"probe_cc": null, "supported_tests": null}"#).json(), json!({"status": "ok"}));
    assert_eq!(update(r#"{"probe_cc": 5}"#).error(), "probe_cc: a text is expected");
    assert_eq!(update("[]").error(), "JSON expected");
    assert_eq!(server.get("/api/v1/register").error(), "Method Not Allowed");
}

#[test]
fn geolookup() {
    let server = empty_server();
    let of = |addresses: Value| {
        answer(&server, "/api/v1/geolookup", &json!({"addresses": addresses}))["geolocation"].clone()
    };
    let found = of(json!(["89.160.20.112", "2001:0220:0000::0001", "2001:220::1", "1.2.3.4"]));
    assert_eq!(found["89.160.20.112"], json!({"cc": "SE", "asn": 29518, "as_name": "Bredband2 AB"}));
    assert_eq!(found["2001:220::1"], json!({"cc": "KR", "asn": null, "as_name": null}));
    assert_eq!(found["1.2.3.4"], json!({"cc": "ZZ", "asn": null, "as_name": null}));
    assert_eq!(found.as_object().unwrap().len(), 3);
    for addresses in [json!("1.2.3.4"), json!([5]), json!(["x"]), json!([""]), json!(["1.2.3.4/8"]), json!(["٣.2.3.4"])]
    {
        refused(&server, "/api/v1/geolookup", &json!({"addresses": addresses}));
    }
    let many: Vec<String> = (0..1001).map(|i| format!("10.0.{}.{}", i / 256, i % 256)).collect();
    assert_eq!(
        refused(&server, "/api/v1/geolookup", &json!({"addresses": many})),
        "addresses: at most 1000 are allowed"
    );
    assert_eq!(of(json!(many[..1000])).as_object().unwrap().len(), 1000);
}

#[test]
fn reports() {
    let server = empty_server();
    let opened =
        answer(&server, "/report", &json!({"test_name": "Web_Connectivity", "probe_cc": "i_t", "probe_asn": "as3269"}));
    assert!(
        opened["report_id"].as_str().unwrap().starts_with("20250715T103000Z_webconnectivity_IT_3269_n1_"),
        "{opened}"
    );
    assert_eq!(opened["supported_formats"], json!(["yaml", "json"]));
    assert_eq!(refused(&server, "/report", &json!({"test_name": 5})), "test_name: a text is expected");
    assert_eq!(refused(&server, "/report", &json!("x")), "JSON expected");
    let close = server.post("/report/any/close", "");
    assert_eq!((close.status, close.json()), (200, json!({})));
    let found = server.get("/api/_/check_report_id?report_id=x");
    assert_eq!((found.header("cache-control"), found.json()), (Some("max-age=1"), json!({"found": true, "v": 0})));
}

#[test]
fn credentials_are_not_configured() {
    let server = empty_server();
    let manifest = server.get("/api/v1/manifest");
    assert_eq!((manifest.status, &manifest.json()["detail"]["error"]), (404, &json!("manifest_not_found")));
    let body = json!({"manifest_version": "0", "credential_sign_request": "x"});
    let signed = send(&server, "/api/v1/sign_credential", &body);
    let detail = json!({"error": "manifest_not_found", "message": "No manifest with version '0' was found"});
    assert_eq!((signed.status, &signed.json()["detail"]), (404, &detail));
    assert_eq!(
        (manifest.header("cache-control"), signed.header("cache-control")),
        (Some("no-cache"), Some("no-cache"))
    );
    for (body, error) in
        [(json!([]), "JSON expected"), (json!({"manifest_version": 1}), "manifest_version: a text is expected")]
    {
        let reply = send(&server, "/api/v1/sign_credential", &body);
        assert_eq!((reply.status, reply.json()), (400, json!({"detail": {"error": error}})));
    }
}

#[test]
fn pages() {
    let server = empty_server();
    let robots = server.get("/robots.txt");
    assert!(robots.text().starts_with("\nUser-agent: *\n"), "{}", robots.text());
    assert_eq!(robots.header("cache-control"), Some("max-age=86400"));
    let invalid = server.get("/invalidpath");
    assert_eq!((invalid.status, invalid.json()), (404, json!({"error": 404})));
    let api = server.get("/api/");
    assert_eq!((api.status, api.header("location")), (302, Some("/apidocs")));
}

/// Two servers with the same lists return the same order, apart from random parts.
#[test]
fn order_of_urls() {
    let urls = || {
        let server = Server::start_at(recorded_clock(), |config| {
            recorded_settings(config);
            std::fs::create_dir_all(&config.state_dir).unwrap();
            load_rows(&config.store_uri());
        });
        server.get("/api/v1/test-list/urls?probe_cc=IT").json()
    };
    assert_eq!(urls(), urls());
}
