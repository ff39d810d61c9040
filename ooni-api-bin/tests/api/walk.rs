//! Hostile requests to every route. The routes are those of the router, their parameters those of the documentation, so what is
//! added there is tested here.

use crate::documentation::{Example, described_server, difference, encoded, operation_of, shown};
use crate::support::Server;
use crate::support::client::{Client, Reply, post};
use ooni_api::router::{Class, ROUTES, Route};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long an answer may take: the time limit of a query, and some more for a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Values that no parameter expects, or that are at the ends of what it expects.
const HOSTILE: &[&str] = &[
    // Nothing, wrong types, numbers at their ends.
    "",
    " ",
    "x",
    "true",
    "null",
    "[]",
    "{}",
    "0",
    "1",
    "-1",
    "-0",
    "+1",
    "1.5",
    "1e9",
    "NaN",
    "0x10",
    "1000000",
    "1000001",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "AS0",
    "AS4294967295",
    "ZZ",
    // Lists.
    ",",
    ",,,,",
    "IT,FR,DE",
    "AS1,2,AS3",
    // Dates.
    "0000-00-00",
    "0001-01-01",
    "1000-01-01",
    "2025-02-30",
    "2025-07-15T25:61",
    "2025-07-15T10:30:00+99:99",
    "9999-12-31",
    "9999-12-31T23:59:59Z",
    "10000-01-01",
    "-2025-01-01",
    // NUL and other control characters, other alphabets.
    "\0",
    "a\0b",
    "abc\r\nX-Injected: 1",
    "\u{7f}\u{80}\u{85}",
    "абвгд",
    "٢٠٢٥-٠٧-١٥",
    "中华人民共和国",
    "😀😀😀",
    "e\u{301}\u{202e}\u{feff}",
    "ＩＴ",
    "İI",
    // SQL, patterns, HTML, paths, formats.
    "' OR '1'='1",
    "\"; DROP TABLE x; --",
    "1) UNION ALL VALUES (1,2,3) --",
    "%' ESCAPE '!",
    "%_%",
    "\\",
    "$1",
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "javascript:alert(1)",
    "../../../../etc/passwd",
    "{measurement_uid}",
    "https://example.org/<script>?a=b&c=d#e",
    "{\"a\": [1, 2, 3]}",
];

/// Windows of time: of a thousand years, backwards, and empty.
const WINDOWS: &[(&str, &str)] = &[
    ("0001-01-01", "9999-12-31"),
    ("1500-01-01", "2500-01-01"),
    ("9999-12-31", "0001-01-01"),
    ("2025-07-15", "2025-07-15"),
    ("9999-12-31T23:59:59", "9999-12-31T23:59:59"),
    ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
];

/// Offsets and limits at their ends.
const PAGES: &[(&str, &str)] = &[
    ("0", "1"),
    ("0", "0"),
    ("0", "1000000"),
    ("1000000", "1000000"),
    ("9223372036854775807", "1"),
    ("9223372036854775807", "1000000"),
    ("18446744073709551615", "18446744073709551615"),
    ("-1", "-1"),
];

/// What the server says neither in an error nor elsewhere: text of a database or of a program.
const LEAKS: &[&str] = &[
    "sqlite",
    "syntax error",
    "select ",
    "no such column",
    "no such table",
    "pg_",
    "clickhouse",
    "panicked",
    ".rs:",
    "sqlstate",
];

/// A connection that is opened again when the server closed it.
struct Walker<'s> {
    server: &'s Server,
    client: Option<Client>,
    problems: Vec<String>,
}

impl Walker<'_> {
    fn send(&mut self, request: &[u8]) -> Reply {
        let server = self.server;
        let client = self.client.get_or_insert_with(|| {
            let client = server.connect();
            client.sender().set_read_timeout(Some(DEADLINE)).unwrap();
            client
        });
        let reply = client.send(request);
        if reply.header("connection") == Some("close") {
            self.client = None;
        }
        reply
    }

    /// Sends a request and checks what holds for all answers. `operation` is what describes them.
    fn check(&mut self, route: &Route, document: &Value, what: &str, request: &[u8]) -> Reply {
        let reply = self.send(request);
        let operation = operation_of(document, route);
        let mut problem = |text: String| self.problems.push(format!("{} {}: {what}: {text}", route.method, route.path));
        if let Some(difference) = difference(document, operation, &reply) {
            problem(difference);
        }
        if matches!(reply.status, 500 | 502) {
            problem(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
        }
        if reply.header("x-injected").is_some() {
            problem("a header was injected".to_owned());
        }
        let is_head = request.starts_with(b"HEAD ");
        let content_type = reply.header("content-type").unwrap_or_default();
        let text = String::from_utf8_lossy(&reply.body).to_lowercase();
        if content_type.starts_with("text/html") && text.contains("<script") {
            problem("a page has a script".to_owned());
        }
        if content_type.starts_with("application/json") && !is_head {
            match serde_json::from_slice::<Value>(&reply.body) {
                Err(error) => problem(format!("the body is not JSON: {error}")),
                Ok(body) if reply.status >= 400 => {
                    if body.get("error").is_none() && body.get("detail").is_none() && route.path != "/health" {
                        problem(format!("an error without error or detail: {text}"));
                    }
                    if let Some(leak) = LEAKS.iter().find(|leak| text.contains(*leak)) {
                        problem(format!("an error with {leak:?}: {text}"));
                    }
                }
                Ok(_) => {}
            }
        } else if reply.status >= 400
            && !is_head
            && !(route.class == Class::Page && content_type.starts_with("text/html"))
        {
            problem(format!("an error of type {content_type:?}"));
        }
        reply
    }

    fn get(&mut self, route: &Route, document: &Value, target: &str) -> Reply {
        self.check(route, document, target, &request("GET", target, ""))
    }
}

fn request(method: &str, target: &str, headers: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").into_bytes()
}

/// Runs a check of each route, on several threads, and fails with all problems.
fn walk(check: impl Fn(&mut Walker<'_>, &Route, &Value) + Sync) {
    let server = described_server();
    let document = server.get("/openapi.json").json();
    let next = AtomicUsize::new(0);
    let problems: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut walker = Walker { server: &server, client: None, problems: Vec::new() };
                    while let Some(route) = ROUTES.get(next.fetch_add(1, Ordering::Relaxed)) {
                        check(&mut walker, route, &document);
                    }
                    walker.problems
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
    assert_eq!(server.get("/health").status, 200);
    assert!(server.metrics().contains("\nooniapi_http_panics_total 0\n"));
}

#[test]
fn hostile_values_of_every_parameter_of_a_query() {
    walk(|walker, route, document| {
        let example = Example::of(route, operation_of(document, route));
        if route.method != "GET" {
            return;
        }
        for parameter in example.parameters("query") {
            let name = parameter["name"].as_str().unwrap();
            for value in HOSTILE {
                walker.get(route, document, &example.with(name, value));
            }
            let good = encoded(&shown(&parameter["example"]));
            for raw in [
                name.to_owned(),
                format!("{name}=%FF%FE%C0%80"),
                format!("{name}=%zz%"),
                format!("{name}={good}&{name}=%00"),
                format!("{name}=%00&{name}={good}"),
                format!("{name}[]={good}"),
                format!("{}=%27", name.to_uppercase()),
                format!("{name}={}", "a".repeat(10_000)),
                format!("{name}={}", "IT,".repeat(5000)),
                format!("{name}={}", "%F0%9F%98%80".repeat(2000)),
            ] {
                let target = example.with_raw(name, &raw);
                let shown: String = target.chars().take(200).collect();
                walker.check(route, document, &shown, &request("GET", &target, ""));
            }
        }
    });
}

#[test]
fn hostile_values_of_every_parameter_of_a_path() {
    walk(|walker, route, document| {
        let example = Example::of(route, operation_of(document, route));
        for parameter in example.parameters("path") {
            let placeholder = format!("{{{}}}", parameter["name"].as_str().unwrap());
            let template = route.path.replace("{*", "{");
            for value in HOSTILE.iter().filter(|value| !value.is_empty()) {
                let mut target = template.replace(&placeholder, &encoded(value));
                for other in example.parameters("path") {
                    let name = format!("{{{}}}", other["name"].as_str().unwrap());
                    target = target.replace(&name, &encoded(&shown(&other["example"])));
                }
                let sent = match route.method {
                    "GET" => request("GET", &target, ""),
                    method => [method.as_bytes(), &post(&target, "", b"{}")[4..]].concat(),
                };
                walker.check(route, document, &target, &sent);
            }
        }
    });
}

#[test]
fn windows_and_pages_at_their_ends() {
    walk(|walker, route, document| {
        let example = Example::of(route, operation_of(document, route));
        let names: Vec<&str> = example.parameters("query").iter().map(|one| one["name"].as_str().unwrap()).collect();
        for (first, second, values) in [("since", "until", WINDOWS), ("offset", "limit", PAGES)] {
            if route.method != "GET" || !names.contains(&first) || !names.contains(&second) {
                continue;
            }
            for (one, two) in values {
                let target = example.with_raw(first, &format!("{first}={}", encoded(one)));
                let rest: Vec<&str> = target.split('&').filter(|pair| !pair.starts_with(second)).collect();
                walker.get(route, document, &format!("{}&{second}={}", rest.join("&"), encoded(two)));
            }
        }
    });
}

/// `HEAD`, `OPTIONS`, unknown methods, and what a client accepts.
#[test]
fn methods_and_headers_of_every_route() {
    walk(|walker, route, document| {
        let example = Example::of(route, operation_of(document, route));
        let target = example.target();
        let methods: Vec<&str> =
            ROUTES.iter().filter(|other| other.path == route.path).map(|other| other.method).collect();
        if route.method == "GET" {
            let get = walker.get(route, document, &target);
            let head = walker.check(route, document, "HEAD", &request("HEAD", &target, ""));
            let types = [&get, &head].map(|reply| reply.header("content-type").map(str::to_owned));
            if head.status != get.status || types[0] != types[1] {
                walker.problems.push(format!("HEAD {target}: {} instead of {}", head.status, get.status));
            }
            for accept in
                ["", "*/*", "text/html", "application/xml;q=0.1, image/*", "application/json;q=0", "\u{ff}", ";;,,"]
            {
                walker.check(route, document, accept, &request("GET", &target, &format!("Accept: {accept}\r\n")));
            }
            for header in [
                "Range: bytes=0-1",
                "If-None-Match: \"x\"",
                "If-Modified-Since: x",
                "Cookie: a=\"",
                "Authorization: Bearer '",
            ] {
                walker.check(route, document, header, &request("GET", &target, &format!("{header}\r\n")));
            }
        }
        let options = walker.send(&request("OPTIONS", &target, ""));
        let allowed = options.header("allow").unwrap_or_default().to_owned();
        if options.status != 200 || !methods.iter().all(|method| allowed.contains(method)) {
            walker.problems.push(format!("OPTIONS {target}: {} {allowed:?}", options.status));
        }
        let preflight = "Origin: https://example.org\r\nAccess-Control-Request-Method: GET\r\n";
        let preflight = walker.send(&request("OPTIONS", &target, preflight));
        if preflight.status != 204 || preflight.header("access-control-allow-origin").is_none() {
            walker.problems.push(format!("OPTIONS {target}: {} to a preflight request", preflight.status));
        }
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            if methods.contains(&method) {
                continue;
            }
            let reply = walker.send(&request(method, &target, "Content-Length: 0\r\n"));
            if reply.status != 405 || reply.error() != "Method Not Allowed" || reply.header("allow") != Some(&*allowed)
            {
                walker.problems.push(format!("{method} {target}: {}", reply.status));
            }
        }
    });
}

#[test]
fn hostile_bodies() {
    walk(|walker, route, document| {
        let operation = operation_of(document, route);
        if operation.get("requestBody").is_none() {
            return;
        }
        let target = Example::of(route, operation).target();
        let good = operation["requestBody"]["content"]["application/json"]["example"].clone();
        assert!(good.is_object(), "{} {}: no example of the body", route.method, route.path);
        let mut send = |headers: &str, body: &[u8]| {
            let what: String = String::from_utf8_lossy(body).chars().take(100).collect();
            let sent = [route.method.as_bytes(), &post(&target, headers, body)[4..]].concat();
            walker.check(route, document, &format!("{headers:?} {what:?}"), &sent)
        };
        let reply = send("", good.to_string().as_bytes());
        assert!(matches!(reply.status, 200 | 401 | 404), "{} {}: {reply:?}", route.method, route.path);
        for body in [
            "",
            "null",
            "[]",
            "\"x\"",
            "1",
            "{",
            "{}",
            "{\"a\":",
            "\0",
            "\u{feff}{}",
            "{\"a\": NaN}",
            "<script>",
            "{}{}",
        ] {
            send("", body.as_bytes());
        }
        send("", "[".repeat(100_000).as_bytes());
        send("", b"{\"a\": \"\xff\xfe\"}");
        for headers in [
            "Content-Type: text/plain\r\n",
            "Content-Type: '\r\n",
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: x\r\n",
        ] {
            send(headers, good.to_string().as_bytes());
        }
        for name in good.as_object().unwrap().keys() {
            let values = [
                json!(null),
                json!(true),
                json!(-1),
                json!(1e300),
                json!([]),
                json!({}),
                json!([[null]]),
                json!("x".repeat(100_000)),
            ];
            for value in values.into_iter().chain(HOSTILE.iter().map(|text| json!(text))) {
                let mut body = good.clone();
                body[name] = value;
                send("", body.to_string().as_bytes());
            }
        }
    });
}

#[test]
fn unknown_paths() {
    let server = described_server();
    for path in [
        "/unknown",
        "/unknown/path",
        "/un/known/path",
        "/%00",
        "/2025-02-30",
        "/2025-02-30/x.json",
        "/api",
        "/report/",
        "/api/v1/measurements/",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let reply = server.send(&request(method, path, "Content-Length: 0\r\n"));
            assert_eq!(reply.status, 404, "{method} {path}");
            assert_eq!(reply.header("allow"), None, "{method} {path}");
        }
    }
    for (method, path) in
        [("POST", "/2025-07-01"), ("DELETE", "/2025-07-01/x.json"), ("GET", "/report"), ("GET", "/api/v1/register")]
    {
        let reply = server.send(&request(method, path, "Content-Length: 0\r\n"));
        assert_eq!((reply.status, reply.error()), (405, "Method Not Allowed".to_owned()), "{method} {path}");
    }
}

/// A parameter of 100 kB is beyond the limit of headers. The server may close the connection while it is sent.
#[test]
fn parameters_beyond_the_limit_of_headers() {
    let server = described_server();
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let mut client = server.connect();
        let target = format!("{}?a={}", route.path.replace(['{', '}', '*'], ""), "a".repeat(100_000));
        match client.sender().write_all(&request("GET", &target, "")) {
            Err(error) if is_reset(&error) => continue,
            result => result.unwrap(),
        }
        match client.try_reply("GET") {
            Err(error) if is_reset(&error) => {}
            reply => assert!(matches!(reply.unwrap().map(|reply| reply.status), Some(414 | 431)), "{}", route.path),
        }
    }
    assert_eq!(server.get("/health").status, 200);
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
