//! Responses: compression, HEAD, OPTIONS, CORS, headers for browsers, panics.

use crate::routes::server;
use crate::support::Server;
use crate::support::client::Reply;
use std::io::Read;

fn get(server: &Server, path: &str, headers: &str) -> Reply {
    server.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n"))
}

#[test]
fn compression() {
    let server = server(|_| {});
    // At once with a length, or in parts without one.
    for (path, length) in
        [("/text/1001", 1001), ("/text/1000000", 1_000_000), ("/chunks/10000", 100_000), ("/chunks/0", 0)]
    {
        let plain = get(&server, path, "");
        assert_eq!((plain.status, plain.body.len(), plain.header("content-encoding")), (200, length, None));
        assert_eq!(plain.header("vary"), Some("accept-encoding"), "{path}");
        for (accepted, coding) in
            [("gzip", "gzip"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "zstd"), ("zstd;q=0.1, *", "gzip")]
        {
            let reply = get(&server, path, &format!("Accept-Encoding: {accepted}\r\n"));
            assert_eq!(reply.header("content-encoding"), Some(coding), "{path} {accepted}");
            assert_eq!(reply.header("vary"), Some("accept-encoding"), "{path}");
            assert_eq!(reply.header("content-length").is_some(), length == 1001, "{path}");
            let mut decoded = Vec::new();
            match coding {
                "gzip" => flate2::read::GzDecoder::new(&*reply.body).read_to_end(&mut decoded).unwrap(),
                _ => zstd::stream::read::Decoder::new(&*reply.body).unwrap().read_to_end(&mut decoded).unwrap(),
            };
            assert!(decoded == plain.body, "{path} {accepted}");
            assert!(length == 0 || reply.body.len() < length / 2, "{path} {accepted}");
        }
        for refused in ["identity", "br", "gzip;q=0"] {
            let reply = get(&server, path, &format!("Accept-Encoding: {refused}\r\n"));
            assert_eq!((reply.header("content-encoding"), reply.body == plain.body), (None, true), "{path} {refused}");
        }
    }
    // Short, or of a type that does not compress.
    let short = get(&server, "/text/1000", "Accept-Encoding: gzip\r\n");
    assert_eq!((short.header("content-encoding"), short.header("vary")), (None, Some("accept-encoding")));
    let image = get(&server, "/image", "Accept-Encoding: gzip\r\n");
    assert_eq!((image.header("content-encoding"), image.header("vary"), image.body.len()), (None, None, 100_000));
}

#[test]
fn head() {
    let server = server(|_| {});
    let mut client = server.connect();
    for (path, status, length) in [
        ("/text/5000", 200, Some("5000")),
        ("/text/0", 200, Some("0")),
        ("/chunks/100", 200, None),
        ("/nothing", 404, Some("22")),
        ("/payload", 405, Some("31")),
    ] {
        let head = client.send(&format!("HEAD {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        assert_eq!((head.status, head.header("content-length")), (status, length), "{path}");
        // The next response shows that no body was sent.
        let get = client.get(path);
        assert_eq!(get.status, status);
        assert_eq!(get.header("content-length"), length);
        assert_eq!(get.header("content-type"), head.header("content-type"));
    }
    let request = "HEAD /text/5000 HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n";
    let head = client.send(request);
    let get = client.send(&request.replace("HEAD", "GET"));
    for name in ["content-encoding", "content-length", "vary", "content-type"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[test]
fn options() {
    let server = server(|_| {});
    let send = |path: &str, headers: &str| server.send(&format!("OPTIONS {path} HTTP/1.1\r\n{headers}\r\n"));
    for headers in ["", "Origin: https://example.org\r\n", "Access-Control-Request-Method: POST\r\n"] {
        let reply = send("/param/x", headers);
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{headers}");
        assert_eq!(reply.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
        assert_eq!(reply.header("access-control-allow-methods"), None);
    }
    let preflight = "Origin: https://example.org\r\nAccess-Control-Request-Method: POST\r\n";
    let reply = send("/payload", &format!("{preflight}Access-Control-Request-Headers: content-type, x-a\r\n"));
    assert_eq!((reply.status, reply.header("allow")), (204, Some("POST, OPTIONS")));
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://example.org"));
    assert_eq!(reply.header("access-control-allow-methods"), Some("POST, OPTIONS"));
    assert_eq!(reply.header("access-control-allow-headers"), Some("content-type, x-a"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    assert_eq!(reply.values("vary"), "access-control-request-headers, origin");
    let reply = send("/nothing", preflight);
    assert_eq!((reply.status, &*reply.error()), (404, "Not Found"));
}

#[test]
fn origins() {
    let server = server(|_| {});
    for (path, status) in [("/client", 200), ("/nothing", 404), ("/payload", 405), ("/panic", 500)] {
        let without = get(&server, path, "");
        assert_eq!(without.status, status);
        assert_eq!(without.header("access-control-allow-origin"), Some("*"), "{path}");
        assert!(!without.values("vary").contains("origin"), "{path}");
        let with = get(&server, path, "Origin: null\r\n");
        assert_eq!(with.header("access-control-allow-origin"), Some("null"), "{path}");
        assert!(with.values("vary").contains("origin"), "{path}");
    }
}

#[test]
fn every_response_has_these_headers() {
    let server = server(|_| {});
    for path in ["/client", "/nothing", "/panic"] {
        let reply = get(&server, path, "");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(reply.header("strict-transport-security"), None, "{path}");
        assert_eq!(reply.header("x-request-id").map(str::len), Some(16), "{path}");
        assert!(reply.header("date").is_some(), "{path}");
    }
}

#[test]
fn panics() {
    let server = server(|_| {});
    let mut client = server.connect();
    for _ in 0..2 {
        let reply = client.get("/panic");
        assert_eq!((reply.status, &*reply.error()), (500, "Internal Server Error"));
        assert_eq!(client.get("/param/x").json()["value"], "x");
    }
    let metrics = client.get("/metrics");
    assert!(metrics.text().contains("ooniapi_http_panics_total 2"), "{}", metrics.text());
}

#[test]
fn responses_that_fail() {
    let server = server(|_| {});
    let mut client = server.connect();
    client.write("GET /failure HTTP/1.1\r\n\r\n");
    let text = String::from_utf8(client.rest()).unwrap();
    assert!(!text.contains("\r\n0\r\n\r\n"), "a complete response: {text}");
    assert_eq!(server.get("/param/x").status, 200);
}

#[test]
fn metrics_of_requests() {
    let server = server(|_| {});
    let mut client = server.connect();
    client.get("/param/a");
    client.get("/param/b");
    client.post("/param/b", "12345");
    client.get("/nothing");
    client.send("HACK /param/a HTTP/1.1\r\n\r\n");
    let text = client.get("/metrics").text().to_owned();
    for line in [
        r#"ooniapi_http_requests_total{handler="/param/{value}",method="GET",status="200"} 2"#,
        r#"ooniapi_http_requests_total{handler="none",method="GET",status="404"} 1"#,
        r#"ooniapi_http_requests_total{handler="none",method="other",status="405"} 1"#,
        r#"ooniapi_http_request_duration_seconds_count{handler="/param/{value}",method="POST",status="200"} 1"#,
        r#"ooniapi_http_response_size_bytes_count{handler="/param/{value}"} 3"#,
        "ooniapi_http_connections 1",
        "busy_workers_count 1",
        "ooniapi_http_body_bytes_in_flight 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
