//! Limits by client and under overload.

use crate::routes::{behave, calls, server};
use crate::support::client::{Client, Reply};
use crate::support::gate::Gate;
use crate::support::{Server, wait_until};
use ooni_store::BlockingStore;
use ooni_testkit::skip_without;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

const REPORT: &str = "20250715T100000Z_echcheck_IT_3269_n1_AAAAAAAAAAAAAAAA";

fn get(server: &Server, path: &str, headers: &str) -> Reply {
    server.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n"))
}

/// What a response says that its client has left.
fn remaining(reply: &Reply) -> Option<u64> {
    reply.header("x-ratelimit-remaining").map(|text| text.parse().unwrap())
}

fn is_refused(reply: &Reply) -> bool {
    assert!(matches!(reply.status, 200 | 503), "{reply:?}");
    if reply.status == 503 {
        assert!(reply.text().contains("too many requests at the same time"), "{reply:?}");
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
    reply.status == 503
}

/// Opens a report and submits measurements on a connection. All of it succeeds.
fn submit(client: &mut Client, count: usize) {
    let opened = client.post("/report", r#"{"probe_cc": "IT", "probe_asn": "AS3269", "test_name": "echcheck"}"#);
    assert_eq!(opened.status, 200, "{opened:?}");
    let report = opened.json()["report_id"].as_str().unwrap().to_owned();
    for number in 0..count {
        let content =
            json!({"test_name": "echcheck", "report_id": report, "input": format!("https://{number}.example/")});
        let body = json!({"format": "json", "content": content}).to_string();
        let reply = client.post(&format!("/report/{report}"), &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.json()["measurement_uid"].is_string(), "{reply:?}");
    }
    assert_eq!(client.post(&format!("/report/{report}/close"), "").status, 200);
}

#[test]
fn a_client_that_used_its_units_is_refused() {
    // One request uses all of it, however fast it is.
    let server = server(|config| config.limits.rate = "1/31day;1000/31day".to_owned());
    let path = "/test/measurement/units";
    let mut client = server.connect();
    let first = client.get(path);
    assert_eq!((first.status, remaining(&first)), (200, Some(0)));
    // A token, which is free, raises no limit.
    let registered = server.post("/api/v1/register", r#"{"password": "secret", "platform": "test"}"#);
    let id = registered.json()["client_id"].as_str().unwrap().to_owned();
    let credentials = json!({"username": id, "password": "secret"}).to_string();
    let token = server.post("/api/v1/login", &credentials).json()["token"].as_str().unwrap().to_owned();
    for headers in [String::new(), format!("Authorization: Bearer {token}\r\n"), "Cookie: a=b\r\n".to_owned()] {
        let reply = get(&server, path, &headers);
        assert_eq!((reply.status, &*reply.error(), remaining(&reply)), (429, "quota exceeded", Some(0)));
        let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=34 * 86_400).contains(&seconds), "{seconds}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    }
    let head = server.send(&format!("HEAD {path} HTTP/1.1\r\n\r\n"));
    assert_eq!((head.status, remaining(&head)), (429, Some(0)));
    assert_eq!(calls("units"), 1);
    assert_eq!(server.metric("rate_limit_hits"), 4);
    // Other routes are not limited, and do not say what is left.
    for path in ["private/a", "page/a", "probe/a", "submission/a", "site/a"] {
        let reply = client.get(&format!("/test/{path}"));
        assert_eq!((reply.status, remaining(&reply)), (200, None), "{path}");
    }
    for path in ["/health", "/robots.txt", "/no/such/route"] {
        assert_eq!(remaining(&client.get(path)), None, "{path}");
    }
    submit(&mut client, 10);
}

#[test]
fn every_request_of_a_limited_route_costs_something() {
    let server = server(|config| config.limits.rate = "100000/hour".to_owned());
    behave("absent", |behaviour| behaviour.status = 404);
    behave("broken", |behaviour| behaviour.status = 500);
    let mut left = 100_000;
    for (request, status, is_limited) in [
        ("HEAD /test/measurement/head", 200, true),
        ("POST /test/measurement/post", 200, true),
        ("GET /test/measurement/absent", 404, true),
        ("GET /test/measurement/broken", 500, true),
        ("OPTIONS /test/measurement/head", 200, false),
        ("PUT /test/measurement/head", 405, false),
        ("GET /test/measurement/head", 200, true),
    ] {
        let reply = server.send(&format!("{request} HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!((reply.status, remaining(&reply).is_some()), (status, is_limited), "{request}");
        if let Some(after) = remaining(&reply) {
            assert!(after < left, "{request}: {after} of {left}");
            left = after;
        }
    }
}

#[test]
fn clients_are_counted_apart() {
    let server = server(|config| {
        config.limits.rate = "1/31day".to_owned();
        config.limits.exempt = vec!["198.51.100.0/24".to_owned(), "2001:db8:ff::1".to_owned()];
        config.server.trusted_proxies = vec!["127.0.0.1".to_owned()];
    });
    let ask = |client: &str| {
        let reply = get(&server, "/test/measurement/apart", &format!("X-Forwarded-For: {client}\r\n"));
        (reply.status, remaining(&reply))
    };
    for (client, expected) in [
        ("192.0.2.1", (200, Some(0))),
        ("192.0.2.2", (200, Some(0))),
        ("192.0.2.1", (429, Some(0))),
        ("::ffff:192.0.2.2", (429, Some(0))),
        // All of a /64 network are one client.
        ("2001:db8::1", (200, Some(0))),
        ("2001:db8::2:3:4:5", (429, Some(0))),
        ("2001:db8:0:1::1", (200, Some(0))),
    ] {
        assert_eq!(ask(client), expected, "{client}");
    }
    for exempt in ["198.51.100.1", "198.51.100.200", "2001:db8:ff::1"] {
        for _ in 0..4 {
            assert_eq!(ask(exempt), (200, None), "{exempt}");
        }
    }
}

#[test]
fn units_come_back() {
    let server = server(|config| config.limits.rate = "1/1second".to_owned());
    let mut client = server.connect();
    assert_eq!(client.get("/test/measurement/back").status, 200);
    wait_until("the unit comes back", || client.get("/test/measurement/back").status == 200);
}

#[test]
fn slow_requests_cost_more() {
    let server = server(|config| config.limits.rate = "100000/hour".to_owned());
    let after_all_ended = || {
        wait_until("all have ended", || {
            server.metric("ooniapi_reads_running") == 0 && server.metric("ooniapi_reads_unsent_bytes") == 0
        });
        remaining(&server.get("/test/measurement/fast")).unwrap()
    };
    let delay = Duration::from_millis(200);
    behave("slow", |behaviour| behaviour.delay = delay);
    let slow = remaining(&server.get("/test/measurement/slow")).unwrap();
    assert!(slow <= 100_000 - 20, "{slow}");
    // A stream costs what it took until its end.
    behave("slow-stream", |behaviour| (behaviour.delay, behaviour.is_stream) = (delay, true));
    let stream = remaining(&server.get("/test/measurement/slow-stream")).unwrap();
    assert!(stream <= slow - 20, "{stream}");
    let left = after_all_ended();
    assert!(left <= stream - 21, "{left}");
    // So does a request whose client goes away.
    behave("left", |behaviour| behaviour.delay = Duration::from_secs(3600));
    let mut gone = server.connect();
    gone.write("GET /test/measurement/left HTTP/1.1\r\n\r\n");
    wait_until("the request is running", || server.metric("ooniapi_reads_running") == 1);
    thread::sleep(delay);
    drop(gone);
    let last = after_all_ended();
    assert!(last <= left - 21, "{last}");
}

#[test]
fn a_request_that_costs_too_much_is_completed() {
    let server = server(|config| config.limits.rate = "10/hour".to_owned());
    behave("expensive", |behaviour| behaviour.delay = Duration::from_millis(300));
    let reply = server.get("/test/measurement/expensive");
    assert_eq!((reply.status, remaining(&reply)), (200, Some(0)));
    assert_eq!(server.get("/test/measurement/expensive").status, 429);
}

#[test]
fn no_limits() {
    let server = server(|config| config.limits.rate = String::new());
    for _ in 0..10 {
        let reply = server.get("/test/measurement/unlimited");
        assert_eq!((reply.status, remaining(&reply)), (200, None));
    }
}

#[test]
fn submissions_are_answered_while_reads_are_refused() {
    let server = server(|config| {
        config.reads.max_concurrent = 4;
        config.reads.max_queued = 12;
        config.limits.rate = String::new();
    });
    let gate = Gate::named("flood");
    behave("flood", |behaviour| behaviour.waits = true);
    let mut readers = Vec::new();
    for number in 0..300 {
        let class = ["measurement", "private", "page"][number % 3];
        let mut reader = server.connect();
        reader.write(&format!("GET /test/{class}/flood?{number} HTTP/1.1\r\n\r\n"));
        readers.push(reader);
    }
    gate.wait_for(4);
    wait_until("the others are refused", || server.metric("ooniapi_reads_refused_total") == 300 - 16);
    assert_eq!(server.metric("ooniapi_reads_running"), 4);
    assert_eq!(server.metric("ooniapi_reads_queued"), 12);
    // They are not affected, nor is any other route.
    submit(&mut server.connect(), 100);
    for (path, status) in
        [("/health", 200), ("/robots.txt", 200), ("/test/probe/a", 200), ("/api/v1/test-helpers", 200)]
    {
        assert_eq!(server.get(path).status, status, "{path}");
    }
    assert_eq!(server.post("/api/v1/geolookup", r#"{"addresses": []}"#).status, 200);
    assert!(is_refused(&server.get("/test/page/other")));
    assert_eq!(calls("other"), 0);
    gate.open();
    let refused = readers.iter_mut().map(Client::reply).filter(is_refused).count();
    assert_eq!(refused, 300 - 16);
    wait_until("all have ended", || server.metric("ooniapi_reads_running") == 0);
    assert_eq!(server.metric("ooniapi_reads_queued"), 0);
    assert_eq!(server.get("/test/page/other").status, 200);
}

#[test]
fn a_read_whose_client_goes_away_leaves_the_queue() {
    let server = server(|config| (config.reads.max_concurrent, config.reads.max_queued) = (1, 1));
    let gate = Gate::named("leave");
    behave("leave", |behaviour| behaviour.waits = true);
    let mut running = server.connect();
    running.write("GET /test/page/leave HTTP/1.1\r\n\r\n");
    gate.wait_for(1);
    for _ in 0..3 {
        let mut waiting = server.connect();
        waiting.write("GET /test/page/never HTTP/1.1\r\n\r\n");
        wait_until("it waits", || server.metric("ooniapi_reads_queued") == 1);
        drop(waiting);
        wait_until("it has left", || server.metric("ooniapi_reads_queued") == 0);
    }
    // And so does one that is running.
    drop(running);
    wait_until("it has ended", || server.metric("ooniapi_reads_running") == 0);
    assert_eq!((calls("never"), server.get("/test/page/next").status), (0, 200));
}

/// A client, by its address behind the proxy, that does not take its response.
fn slow_reader(server: &Server, client: &str, path: &str) -> Client {
    let mut reader = server.connect();
    reader.write(&format!("GET {path} HTTP/1.1\r\nX-Forwarded-For: {client}\r\n\r\n"));
    wait_until("the response begins", || !reader.is_silent());
    reader
}

#[test]
fn slow_readers_leave_the_gate_to_others() {
    let server = server(|config| {
        (config.reads.max_concurrent, config.reads.max_queued) = (1, 0);
        config.reads.max_unsent_bytes = 32 << 20;
        config.server.trusted_proxies = vec!["127.0.0.1".to_owned()];
        config.limits.rate = String::new();
    });
    let unsent = || server.metric("ooniapi_reads_unsent_bytes");
    let gate = Gate::named("endless");
    behave("endless", |behaviour| (behaviour.waits, behaviour.is_stream) = (true, true));
    behave("large", |behaviour| behaviour.body = "a".repeat(16 << 20)); // more than the buffers of a connection
    let ask = |client: &str, path: &str| get(&server, path, &format!("X-Forwarded-For: {client}\r\n"));
    // Two streams of a client, and a response that is larger than the share of a client, take all of their shares.
    let mut streams: Vec<Client> =
        (0..2).map(|_| slow_reader(&server, "192.0.2.1", "/test/measurement/endless")).collect();
    let mut large = slow_reader(&server, "192.0.2.2", "/test/private/large");
    let half = 16 << 20;
    assert_eq!(unsent(), half);
    for (client, path) in [("192.0.2.1", "/test/measurement/endless"), ("192.0.2.2", "/test/private/large")] {
        assert!(is_refused(&ask(client, path)), "{client}");
        assert_eq!(unsent(), half);
    }
    // Small responses of the same clients are not affected, nor are those of others.
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(ask(client, "/test/page/small").status, 200, "{client}");
    }
    let mut others = Vec::new();
    for client in ["192.0.2.3", "192.0.2.4"] {
        others.push(slow_reader(&server, client, "/test/page/large"));
    }
    // All space is used, for a while.
    let refused = ask("192.0.2.5", "/test/page/large");
    assert!(is_refused(&refused));
    assert_eq!(refused.header("content-type"), Some("text/html; charset=utf-8")); // people get a page
    assert_eq!(ask("192.0.2.5", "/test/page/small").status, 200);
    assert_eq!(get(&server, "/test/page/large", "If-None-Match: *\r\n").status, 304);
    assert_eq!(server.send("HEAD /test/page/large HTTP/1.1\r\n\r\n").status, 200);
    // A client that goes away leaves its space, and so does one that has taken all.
    drop(others);
    wait_until("the others are gone", || unsent() == half);
    assert_eq!(large.reply().body.len(), 16 << 20);
    wait_until("the large one is sent", || unsent() == half / 2);
    gate.open();
    for stream in &mut streams {
        assert_eq!(stream.reply().text(), "endless");
    }
    wait_until("the streams have ended", || unsent() == 0);
}

/// What forwards connections to a database server. While the lock is held, only those of probe services go on, if they may.
fn relay(port: u16, may_services: bool) -> (u16, Arc<RwLock<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flow = Arc::new(RwLock::new(()));
    let copy = move |mut from: TcpStream, mut to: TcpStream, flow: Arc<RwLock<()>>, is_free: Arc<AtomicBool>| {
        let mut buffer = [0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            // A connection begins with the name of the application.
            let has_name = buffer[..length].windows(17).any(|text| text == b"ooni-api services");
            is_free.fetch_or(has_name, Relaxed);
            let _flow = if is_free.load(Relaxed) && may_services { None } else { Some(flow.read().unwrap()) };
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    };
    let flows = Arc::clone(&flow);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            let (of_client, of_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let is_free = Arc::<AtomicBool>::default();
            for (from, to) in [(of_client, server), (of_server, client)] {
                let (flow, is_free) = (Arc::clone(&flows), Arc::clone(&is_free));
                thread::spawn(move || copy(from, to, flow, is_free));
            }
        }
    });
    (address.port(), flow)
}

/// A server whose database hangs while it gets many reads.
fn with_hanging_reads(may_services: bool, check: impl FnOnce(&Server)) {
    skip_without!(ooni_testkit::server::Server::shared_postgres());
    // Its own: other tests write test lists into the shared one.
    let postgres = ooni_testkit::server::Server::postgres(false).unwrap();
    let url = postgres.postgres_url("postgres");
    BlockingStore::migrate(&url).unwrap();
    let port = url.rsplit(':').next().unwrap().trim_end_matches("/postgres");
    let (relayed, flow) = relay(port.parse().unwrap(), may_services);
    let server = Server::start(|config| {
        config.store.uri = url.replace(port, &relayed.to_string());
        config.intake.min_free_bytes = 0;
        config.jobs.schedule = false;
        (config.reads.max_concurrent, config.reads.max_queued) = (8, 8);
        config.limits.rate = String::new();
    });
    wait_until("the store is open", || server.get("/health").json()["store"]["reachable"] == true);
    // A connection gets its name only after its first message, so those that are needed are opened now.
    assert_eq!(server.get("/api/_/show_countries_prioritization").status, 200);
    let hanging = flow.write().unwrap();
    let mut readers = Vec::new();
    for number in 0..100 {
        let mut reader = server.connect();
        let path = format!("/api/v1/raw_measurement?report_id={REPORT}&input={number}");
        reader.write(&format!("GET {path} HTTP/1.1\r\n\r\n"));
        readers.push(reader);
    }
    wait_until("reads are refused", || server.metric("ooniapi_reads_refused_total") >= 50);
    check(&server);
    drop(hanging);
    let statuses: Vec<u16> = readers.iter_mut().map(|reader| reader.reply().status).collect();
    assert!(statuses.iter().filter(|status| **status == 503).count() >= 50, "{statuses:?}");
    let last = "/api/v1/raw_measurement?report_id=20250715T100000Z_a";
    wait_until("reads are answered", || server.get(last).status == 200);
}

#[test]
fn submissions_are_answered_while_the_database_hangs() {
    with_hanging_reads(false, |server| {
        submit(&mut server.connect(), 100);
        let health = server.get("/health");
        assert_eq!((health.status, &health.json()["status"]), (200, &json!("degraded")), "{health:?}");
    });
}

#[test]
fn probe_services_do_not_wait_for_the_queries_of_reads() {
    with_hanging_reads(true, |server| {
        submit(&mut server.connect(), 10);
        assert_eq!(server.get("/health").json()["store"]["reachable"], true);
        let urls = server.get("/api/v1/test-list/urls?country_code=IT");
        assert_eq!((urls.status, &urls.json()["metadata"]["count"]), (200, &json!(0)), "{urls:?}");
        assert_eq!(server.get("/api/_/show_countries_prioritization").status, 200);
        // Reads do.
        assert_eq!(server.get("/api/_/countries").status, 503);
    });
}
