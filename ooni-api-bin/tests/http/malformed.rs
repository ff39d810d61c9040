//! Requests that are refused: each gets its status with a JSON body, and the server goes on.

use crate::routes::server;
use crate::support::Server;
use crate::support::client::{Client, Reply};

/// The response, after which the connection is closed. The server still answers others.
fn refused(server: &Server, request: &(impl AsRef<[u8]> + ?Sized)) -> Reply {
    let mut client = server.connect();
    let reply = client.send(request);
    assert_eq!(reply.header("connection"), Some("close"), "{reply:?}");
    assert_eq!(client.rest(), b"", "{reply:?}");
    still_answers(server);
    reply
}

fn still_answers(server: &Server) {
    assert_eq!(server.get("/param/x").json()["value"], "x");
}

fn check(server: &Server, request: &(impl AsRef<[u8]> + ?Sized), status: u16, error: &str) {
    let reply = refused(server, request);
    assert_eq!((reply.status, &*reply.error()), (status, error));
}

#[test]
fn length_and_transfer_encoding() {
    let server = server(|_| {});
    let refusal = "Content-Length with Transfer-Encoding, or an invalid Content-Length";
    let body = "\r\n2\r\n{}\r\n0\r\n\r\n";
    for headers in
        ["Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length:2\r\n"]
    {
        check(&server, &format!("POST /payload HTTP/1.1\r\nHost: test\r\n{headers}{body}"), 400, refusal);
    }
    // Behind requests that are answered.
    let mut client = server.connect();
    let good = "POST /payload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    client.write(&format!("{good}{good}{}{good}", good.replacen("\r\n", "\r\nContent-Length: 2\r\n", 1)));
    assert_eq!([client.reply().status, client.reply().status, client.reply().status], [200, 200, 400]);
    assert_eq!(client.rest(), b"");
}

#[test]
fn framing() {
    let server = server(|_| {});
    for headers in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Name : value\r\n",
        "Name: a\r\n folded\r\n",
        "no colon\r\n",
        "Name: \0\r\n",
        ": value\r\n",
    ] {
        check(&server, &format!("POST /payload HTTP/1.1\r\n{headers}\r\n"), 400, "Bad Request");
    }
    check(&server, "POST /payload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Bad Request");
}

#[test]
fn request_lines() {
    let server = server(|_| {});
    for line in [
        "",
        "GET",
        "GET /",
        "GET / HTTP/3.0",
        "GET / HTTP/1.1 x",
        "GET param/x HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /a b HTTP/1.1",
        "G\u{e9}T / HTTP/1.1",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    ] {
        check(&server, &format!("{line} \r\nHost: test\r\n\r\n"), 400, "Bad Request");
    }
    check(&server, &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000)), 431, "Request Header Fields Too Large");
}

#[test]
fn paths() {
    let server = server(|_| {});
    // Text of any alphabet arrives as it is; what is not UTF-8 is replaced.
    for (path, value) in [
        ("%00", "\0"),
        ("..", ".."),
        ("%2e%2e%2Fetc%2Fpasswd", "../etc/passwd"),
        ("%D0%B0%F0%9F%98%80", "а😀"),
        ("%ff%fe", "\u{fffd}\u{fffd}"),
        ("a+b%20c", "a+b c"),
        ("%", "%"),
        ("%zz", "%zz"),
    ] {
        assert_eq!(server.get(&format!("/param/{path}")).json()["value"], value, "{path}");
    }
    assert_eq!(server.get("/param/x?q=%ff").json()["query"], "\u{fffd}");
    // None of these is a route.
    for path in [
        "/",
        "/param",
        "/param/",
        "/param/x/",
        "//param/x",
        "/param/../param/x",
        "/./param/x",
        "/PARAM/x",
        "/%70aram/x",
        "*",
    ] {
        let reply = server.get(path);
        assert_eq!((reply.status, &*reply.error()), (404, "Not Found"), "{path}");
    }
    // Bytes that are not ASCII are either refused or read as UTF-8, never answered by a route with something else.
    for path in [&b"/param/\xd0\xb0"[..], b"/param/\xff\xfe", b"/param/\xc0\xaf"] {
        let reply = server.send(&[b"GET ", path, b" HTTP/1.1\r\n\r\n"].concat());
        let is_text = std::str::from_utf8(path).is_ok();
        assert!(reply.status == 400 || is_text && reply.status == 200, "{path:?}: {reply:?}");
    }
    still_answers(&server);
}

#[test]
fn headers_that_are_not_text() {
    let server = server(|config| config.server.trusted_proxies = vec!["127.0.0.1".to_owned()]);
    for name in ["X-Forwarded-For", "X-Request-Id", "Accept-Encoding", "Origin", "X-Real-IP", "Host"] {
        let request = [format!("GET /client HTTP/1.1\r\n{name}: ").as_bytes(), b"\xff\xfe\r\n\r\n"].concat();
        let reply = server.send(&request);
        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(reply.json()["client"], "127.0.0.1", "{name}");
    }
    let request = b"POST /payload HTTP/1.1\r\nContent-Encoding: \xff\r\nContent-Length: 0\r\n\r\n";
    let reply = server.send(request);
    assert_eq!(reply.status, 400);
    assert!(reply.error().contains("Content-Encoding"));
}

#[test]
fn methods() {
    let server = server(|_| {});
    for (method, path, status, allow) in [
        ("DELETE", "/param/x", 405, Some("GET, POST, HEAD, OPTIONS")),
        ("PATCH", "/payload", 405, Some("POST, OPTIONS")),
        ("GET", "/payload", 405, Some("POST, OPTIONS")),
        ("HACK", "/payload", 405, Some("POST, OPTIONS")),
        ("get", "/param/x", 405, Some("GET, POST, HEAD, OPTIONS")),
        ("HACK", "/nothing", 404, None),
    ] {
        let reply = server.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let text = if status == 405 { "Method Not Allowed" } else { "Not Found" };
        assert_eq!((reply.status, &*reply.error(), reply.header("allow")), (status, text, allow), "{method} {path}");
    }
    let reply = server.send("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n");
    assert_eq!(reply.status, 404);
    still_answers(&server);
}

#[test]
fn many_headers() {
    let server = server(|config| config.server.max_headers = 50);
    let request = |count: usize| format!("GET /client HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(server.send(&request(50)).status, 200);
    let refusal = "Request Header Fields Too Large";
    check(&server, &request(51), 431, refusal);
    check(&server, &request(100_000), 431, refusal);
}

#[test]
fn long_headers() {
    let server = server(|config| config.server.max_header_bytes = 10_000);
    let request = |length: usize| format!("GET /client HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(length));
    assert_eq!(server.send(&request(9_000)).status, 200);
    check(&server, &request(11_000), 431, "Request Header Fields Too Large");
    check(&server, &request(10_000_000), 431, "Request Header Fields Too Large");
}

#[test]
fn refused_requests_are_counted() {
    let server = server(|_| {});
    check(&server, "GET /\r\n\r\n", 400, "Bad Request");
    let metrics = server.get("/metrics");
    let line = r#"ooniapi_http_requests_total{handler="none",method="none",status="400"} 1"#;
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

#[test]
fn pipelining() {
    let server = server(|_| {});
    let mut client = server.connect();
    let get = |number: usize| format!("GET /param/{number} HTTP/1.1\r\nHost: test\r\n\r\n");
    let post = |number: usize| format!("POST /param/{number} HTTP/1.1\r\nContent-Length: 3\r\n\r\n{{}}\n");
    let requests: String = (0..100).map(|number| if number % 3 == 0 { post(number) } else { get(number) }).collect();
    client.write(&requests);
    for number in 0..100 {
        assert_eq!(client.reply().json()["value"], number.to_string());
    }
    // The same byte by byte.
    let mut sender = client.sender();
    std::thread::scope(|scope| {
        scope.spawn(move || requests.bytes().for_each(|byte| std::io::Write::write_all(&mut sender, &[byte]).unwrap()));
        for number in 0..100 {
            assert_eq!(client.reply().json()["value"], number.to_string());
        }
    });
}

#[test]
fn old_versions_and_absolute_addresses() {
    let server = server(|_| {});
    let mut client: Client = server.connect();
    let reply = client.send("GET http://elsewhere.example/param/x HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(reply.json()["value"], "x");
    client.write("GET /param/y HTTP/1.0\r\n\r\n");
    let text = String::from_utf8(client.rest()).unwrap();
    assert!(text.starts_with("HTTP/1.0 200 OK\r\n") && text.contains("\"value\":\"y\""), "{text}");
}
