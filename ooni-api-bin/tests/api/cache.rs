//! The cache of responses, and entity tags.

use crate::routes::{behave, calls, server};
use crate::support::client::{Client, Reply};
use crate::support::gate::Gate;
use crate::support::{Server, wait_until};
use std::io::Read;

/// A request of a method and target, with other lines of headers.
fn send(server: &Server, request: &str, headers: &str) -> Reply {
    server.send(&format!("{request} HTTP/1.1\r\nHost: test\r\n{headers}\r\n"))
}

fn cached(name: &str) {
    behave(name, |behaviour| behaviour.max_age = 3600);
}

fn requests(server: &Server, result: &str) -> u64 {
    server.metric(&format!("ooniapi_cache_requests_total{{result=\"{result}\"}}"))
}

#[test]
fn hits() {
    let server = server(|_| {});
    for (number, class) in ["measurement", "private", "page"].into_iter().enumerate() {
        let name = format!("hit-{class}");
        let target = format!("/test/{class}/{name}?a=1&b=2");
        cached(&name);
        let first = server.get(&target);
        assert_eq!((first.status, first.text(), first.header("age")), (200, &*name, None));
        for method in ["GET", "HEAD", "GET"] {
            let hit = send(&server, &format!("{method} {target}"), "");
            assert_eq!(hit.status, 200);
            assert_eq!(hit.text(), if method == "GET" { &name } else { "" });
            assert!(hit.header("age").unwrap().parse::<u64>().unwrap() < 3600);
            for header in ["content-type", "content-length", "cache-control", "etag", "vary"] {
                assert_eq!(hit.header(header), first.header(header), "{header}");
            }
            // A hit costs nothing.
            assert_eq!(hit.header("x-ratelimit-remaining").is_some(), class == "measurement");
            assert_eq!(hit.header("x-ratelimit-remaining"), first.header("x-ratelimit-remaining"));
        }
        assert_eq!(calls(&name), 1);
        let of_all = (requests(&server, "hit"), requests(&server, "miss"), requests(&server, "stale"));
        let count = number as u64 + 1;
        assert_eq!(of_all, (3 * count, count, 0));
        assert_eq!(server.metric("ooniapi_cache_fills_total"), count);
        assert_eq!(server.metric("ooniapi_cache_responses"), count);
        assert!(server.metric("ooniapi_cache_bytes") > 500 * count);
    }
    // HEAD fills it as well.
    cached("hit-head");
    assert_eq!(send(&server, "HEAD /test/page/hit-head", "").status, 200);
    assert_eq!(server.get("/test/page/hit-head").text(), "hit-head");
    assert_eq!(calls("hit-head"), 1);
}

#[test]
fn what_a_response_depends_on() {
    let server = server(|_| {});
    cached("key");
    let mut expected = 0;
    for (target, headers, is_computed) in [
        ("?a=1&b=2", "", true),
        ("?a=1&b=2", "User-Agent: curl/8\r\nAccept-Encoding: gzip\r\nOrigin: https://a.example\r\n", false),
        ("?b=2&a=1", "", true),
        ("?a=1&b=2&", "", true),
        ("?a=1&b=%32", "", true),
        ("", "", true),
        ("?a=1&b=2", "User-Agent: okhttp/4.12\r\n", true),
        ("?a=1&b=2", "User-Agent: okhttp/5.0\r\n", false),
        ("?a=1&b=2", "User-Agent: not okhttp\r\n", false),
        // What may be personal is neither kept nor answered by what is kept.
        ("?a=1&b=2", "Authorization: Bearer x\r\n", true),
        ("?a=1&b=2", "Cookie: a=b\r\n", true),
        ("?c", "Cookie: a=b\r\n", true),
        ("?c", "", true),
    ] {
        expected += usize::from(is_computed);
        assert_eq!(send(&server, &format!("GET /test/page/key{target}"), headers).status, 200);
        assert_eq!(calls("key"), expected, "{target} {headers}");
    }
}

#[test]
fn what_is_not_cached() {
    let uncached = |server: &Server, target: &str, name: &str| {
        for count in 1..=3 {
            let reply = server.get(target);
            assert_eq!((reply.header("age"), calls(name)), (None, count), "{target}");
        }
    };
    let server_with =
        |max_bytes| server(move |config| (config.cache.max_bytes, config.cache.max_response_bytes) = (max_bytes, 1000));
    let server = server_with(1 << 20);
    for class in ["probe", "submission", "site"] {
        let name = format!("class-{class}");
        cached(&name);
        uncached(&server, &format!("/test/{class}/{name}"), &name);
    }
    behave("no-age", |behaviour| behaviour.max_age = 0);
    behave("failed", |behaviour| (behaviour.max_age, behaviour.status) = (60, 404));
    behave("long", |behaviour| (behaviour.max_age, behaviour.body) = (60, "a".repeat(1001)));
    behave("streamed", |behaviour| (behaviour.max_age, behaviour.is_stream) = (60, true));
    for name in ["no-age", "failed", "long", "streamed"] {
        uncached(&server, &format!("/test/page/{name}"), name);
    }
    cached("off");
    uncached(&server_with(0), "/test/page/off", "off");
}

#[test]
fn old_responses_make_room() {
    let server = server(|config| config.cache.max_bytes = 20_000);
    behave("room", |behaviour| (behaviour.max_age, behaviour.body) = (3600, "a".repeat(2000)));
    for number in 0..50 {
        assert_eq!(server.get(&format!("/test/page/room?{number}")).status, 200);
        let bytes = server.metric("ooniapi_cache_bytes");
        assert!(bytes <= 20_000, "{bytes}");
    }
    let kept = server.metric("ooniapi_cache_responses");
    assert!((2..10).contains(&kept), "{kept}");
    assert_eq!(server.metric("ooniapi_cache_evictions_total"), 50 - kept);
    assert!(server.get("/test/page/room?49").header("age").is_some());
    assert!(server.get("/test/page/room?0").header("age").is_none());
}

#[test]
fn one_request_computes_a_response() {
    let server = server(|_| {});
    let gate = Gate::named("single");
    behave("single", |behaviour| (behaviour.max_age, behaviour.waits) = (3600, true));
    let ask = || {
        let mut client = server.connect();
        client.write("GET /test/private/single HTTP/1.1\r\n\r\n");
        client
    };
    // The client of the first goes away, so that another one has to.
    let first = ask();
    gate.wait_for(1);
    let mut clients: Vec<Client> = (0..20).map(|_| ask()).collect();
    wait_until("they wait", || server.metric("ooniapi_reads_queued") == 20);
    assert_eq!(server.metric("ooniapi_reads_running"), 1);
    drop(first);
    gate.wait_for(1);
    assert_eq!((calls("single"), server.metric("ooniapi_reads_queued")), (2, 19));
    gate.open();
    let replies: Vec<Reply> = clients.iter_mut().map(Client::reply).collect();
    assert!(replies.iter().all(|reply| (reply.status, reply.text()) == (200, "single")), "{replies:?}");
    assert_eq!(replies.iter().filter(|reply| reply.header("age").is_none()).count(), 1);
    assert_eq!(calls("single"), 2);
}

#[test]
fn hits_pass_the_gate() {
    let server = server(|config| (config.reads.max_concurrent, config.reads.max_queued) = (1, 0));
    cached("passes");
    server.get("/test/page/passes");
    let gate = Gate::named("blocks");
    behave("blocks", |behaviour| behaviour.waits = true);
    let mut blocking = server.connect();
    blocking.write("GET /test/page/blocks HTTP/1.1\r\n\r\n");
    gate.wait_for(1);
    assert_eq!(server.get("/test/page/other").status, 503);
    assert_eq!(server.get("/test/page/passes").status, 200);
    // Those that would wait for another one are refused as well.
    assert_eq!(server.get("/test/page/blocks").status, 503);
    gate.open();
    assert_eq!(blocking.reply().status, 200);
}

#[test]
fn an_old_response_is_used_when_a_new_one_fails() {
    let server = server(|_| {});
    behave("stale", |behaviour| behaviour.max_age = 1);
    let first = server.get("/test/page/stale");
    for status in [500, 503, 504] {
        behave("stale", |behaviour| behaviour.status = status);
        let mut reply = first.clone();
        wait_until("it is old", || {
            reply = server.get("/test/page/stale");
            reply.header("warning").is_some()
        });
        assert_eq!((reply.status, reply.text()), (200, "stale"));
        assert_eq!(reply.header("warning"), Some("111 - \"Revalidation Failed\""));
        assert!(reply.header("age").unwrap().parse::<u64>().unwrap() >= 1);
        assert_eq!((reply.header("etag"), reply.header("cache-control")), (first.header("etag"), Some("max-age=1")));
    }
    assert!(requests(&server, "stale") >= 3);
    behave("stale", |behaviour| behaviour.status = 200);
    wait_until("it is new again", || server.get("/test/page/stale").header("warning").is_none());
}

#[test]
fn tags() {
    let server = server(|_| {});
    let long = "a long text that compresses well ".repeat(100);
    for (name, max_age) in [("tag-kept", 3600), ("tag-not-kept", 0)] {
        behave(name, |behaviour| (behaviour.body, behaviour.max_age) = (long.clone(), max_age));
        let target = format!("/test/measurement/{name}");
        let whole = server.get(&target);
        let tag = whole.header("etag").unwrap().to_owned();
        assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{tag}");
        for headers in ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: zstd\r\nOrigin: https://a.example\r\n"] {
            for method in ["GET", "HEAD"] {
                let request = format!("{method} {target}");
                assert_eq!(send(&server, &request, headers).header("etag"), Some(&*tag));
                let other = send(&server, &request, &format!("{headers}If-None-Match: \"other\"\r\n"));
                assert_eq!((other.status, other.header("etag")), (200, Some(&*tag)));
                for condition in [&*tag, tag.trim_start_matches("W/"), "*", &format!("\"other\", {tag}")] {
                    let same = send(&server, &request, &format!("{headers}If-None-Match: {condition}\r\n"));
                    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(&*tag)));
                    assert_eq!(same.header("cache-control"), whole.header("cache-control"));
                    assert_eq!(same.values("vary"), other.values("vary"));
                    assert!(same.header("x-ratelimit-remaining").is_some());
                    for absent in ["content-type", "content-length", "content-encoding", "transfer-encoding"] {
                        assert_eq!(same.header(absent), None, "{absent}");
                    }
                }
            }
        }
        behave(name, |behaviour| behaviour.body.push('!'));
    }
    let changed = server.get("/test/measurement/tag-not-kept");
    assert_ne!(changed.header("etag"), server.get("/test/measurement/tag-kept").header("etag"));
    // On every route, but not for streams, errors and other methods.
    assert!(server.get("/robots.txt").header("etag").is_some());
    behave("tag-stream", |behaviour| behaviour.is_stream = true);
    for request in
        ["GET /test/page/tag-stream", "GET /nothing", "POST /test/measurement/tag-kept", "OPTIONS /robots.txt"]
    {
        let reply = send(&server, request, "Content-Length: 0\r\nIf-None-Match: *\r\n");
        assert_eq!((reply.header("etag"), reply.status == 304), (None, false), "{request}");
    }
}

#[test]
fn a_connection_goes_on_after_304() {
    let server = server(|_| {});
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.send("GET /robots.txt HTTP/1.1\r\nIf-None-Match: *\r\n\r\n").status, 304);
        assert_eq!(client.send("HEAD /robots.txt HTTP/1.1\r\nIf-None-Match: *\r\n\r\n").status, 304);
        assert_eq!(client.get("/robots.txt").status, 200);
    }
}

#[test]
fn hits_are_compressed() {
    let server = server(|_| {});
    let long = "a long text that compresses well ".repeat(100);
    behave("compressed", |behaviour| (behaviour.body, behaviour.max_age) = (long.clone(), 3600));
    for coding in ["gzip", "", "gzip"] {
        let reply = send(&server, "GET /test/page/compressed", &format!("Accept-Encoding: {coding}\r\n"));
        let mut text = String::new();
        match coding {
            "" => text = reply.text().to_owned(),
            _ => drop(flate2::read::GzDecoder::new(&*reply.body).read_to_string(&mut text).unwrap()),
        }
        assert!(text == long, "{coding}");
    }
    assert_eq!(calls("compressed"), 1);
}

#[test]
fn scripts_may_read_these_headers() {
    let server = server(|_| {});
    for path in ["/test/measurement/exposed", "/nothing"] {
        let reply = send(&server, &format!("GET {path}"), "Origin: https://a.example\r\n");
        let exposed = reply.header("access-control-expose-headers");
        assert_eq!(exposed, Some("x-ratelimit-remaining, retry-after, etag"), "{path}");
    }
}
