//! Bodies and paths that no probe sends: always a JSON error of the 4xx kind, never 500, and the server stays up.

use crate::routes::empty_server;
use crate::support::client::{Reply, post};

/// Routes that take a JSON object.
const POSTS: [&str; 9] = [
    "/api/v1/check-in",
    "/api/_/check-in",
    "/api/v1/register",
    "/api/v1/login",
    "/api/v1/geolookup",
    "/bouncer/net-tests",
    "/report",
    "/api/v1/sign_credential",
    "/api/v1/submit_measurement",
];

/// Members that any of these routes looks at.
const MEMBERS: [&str; 18] = [
    "probe_cc",
    "probe_asn",
    "run_type",
    "charging",
    "on_wifi",
    "web_connectivity",
    "username",
    "password",
    "addresses",
    "net-tests",
    "test_name",
    "format",
    "content",
    "nym",
    "zkp_request",
    "manifest_version",
    "protocol_version",
    "platform",
];

/// An error in JSON, of the form of its route.
fn is_error(reply: &Reply) -> bool {
    let body = reply.json();
    (400..500).contains(&reply.status) && (body["error"].is_string() || body["detail"].is_object())
}

#[test]
fn bodies_that_are_not_objects() {
    let server = empty_server();
    let deep = "[".repeat(100_000);
    let large = format!("\"{}\"", "a".repeat((1 << 20) - 2));
    let larger = format!("{{\"a\":\"{}\"}}", "a".repeat(1 << 20));
    let bodies: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"\0",
        b"{",
        b"}",
        b"[]",
        b"[{}]",
        b"null",
        b"true",
        b"5",
        b"1e999",
        b"\"x\"",
        b"{}{}",
        b"{\"a\":}",
        b"{'a':1}",
        b"{\"a\":\"\0\"}",
        b"{\"a\":\"\xff\"}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\\ud83d\"}",
        b"a=b&c=d",
        b"<html>",
        "{\u{a0}}".as_bytes(),
        "\u{421}".as_bytes(),
        deep.as_bytes(),
        large.as_bytes(),
        larger.as_bytes(),
    ];
    for path in POSTS {
        for body in &bodies {
            let reply = server.send(&post(path, "", body));
            let body = String::from_utf8_lossy(&body[..body.len().min(40)]);
            assert!(is_error(&reply), "{path} {body:?}: {reply:?}");
        }
    }
    assert_eq!(server.get("/version").status, 200);
}

#[test]
fn members_of_any_type() {
    let server = empty_server();
    let texts = [
        "",
        "\u{0}",
        "\u{202e}",
        "ИТ",
        "AS\u{661}",
        "😀",
        "../../etc/passwd",
        "' OR 1=1 --",
        "${jndi:x}",
        "IT\r\nX: y",
    ];
    let long = "я".repeat(200_000);
    let mut values: Vec<serde_json::Value> = serde_json::from_str(
        r#"[null, true, 0, -1, 1e300, 18446744073709551616, [], {}, [[]], [{}], [null], {"category_codes": 5},
            {"category_codes": [5]}, {"category_codes": ["\u0000"]}, [{"name": null, "version": []}], {"a": {"a": {}}}]"#,
    )
    .unwrap();
    values.extend(texts.iter().map(|text| serde_json::json!(text)));
    values.push(serde_json::json!(long));
    for path in POSTS {
        let mut client = server.connect();
        for member in MEMBERS {
            for value in &values {
                let reply = client.post(path, &serde_json::json!({member: value}).to_string());
                assert!(reply.status == 200 || is_error(&reply), "{path} {member}: {reply:?}");
            }
        }
    }
}

#[test]
fn paths() {
    let server = empty_server();
    let good = "20250715T100000Z_ndt_IT_3269_n1_AAAAAAAAAAAAAAAA";
    let long = format!("{}{}", "_".repeat(5), "a".repeat(8000));
    for id in [
        "..",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%00",
        "_____",
        "a",
        &long,
        "20250715T100000Z_%D0%BD%D0%B4%D1%82_IT_3269_n1_A",
        "20250715T100000Z_ndt_%D0%98%D0%A2_3269_n1_A",
        "20250715T100000Z_ndt_IT_%D9%A3_n1_A",
        "20250715T100000Z_nd%00t_IT_3269_n1_A",
        "20250715T100000Z_ndt_IT_4294967296_n1_A",
        "20250715T100000Z_ndt_IT_-1_n1_A",
        "20250715T100000Z_ndt_IT__n1_A",
        "20250715T100000Z_ndt_I%2f_3269_n1_A",
        "20250715T100000Z_ndt_IT_3269_n1_A_b",
        "20250715T100000Z_ndt_IT_3269_n1",
    ] {
        let reply = server.post(&format!("/report/{id}"), "{}");
        assert_eq!(reply.status, 400, "{id}: {reply:?}");
        assert_eq!(reply.error(), "Incorrect format", "{id}");
    }
    for path in ["/report/", "/report/a/b", "/report//close", "/report/%2f/x"] {
        assert_eq!(server.post(path, "{}").status, 404, "{path}");
    }
    // An id that is valid once it is decoded, and one whose other parts are not looked at.
    assert_eq!(server.post("/report/%ff_ndt_IT_3269_%00_..", "{}").status, 200);
    assert_eq!(server.post(&format!("/report/{}", good.replace('_', "%5F")), "{}").status, 200);
    for method in ["GET", "PUT", "DELETE", "PATCH", "FOO"] {
        let reply = server.send(&format!("{method} /report/{good} HTTP/1.1\r\nHost: test\r\n\r\n"));
        assert_eq!((reply.status, reply.error().as_str()), (405, "Method Not Allowed"), "{method}");
    }
}

#[test]
fn queries() {
    let server = empty_server();
    for path in ["/api/v1/test-list/urls", "/api/_/debug_prioritization", "/api/_/show_countries_prioritization"] {
        for query in [
            "probe_cc=%00%00",
            "probe_cc=%FF",
            "probe_cc=%D0%98%D0%A2",
            "limit=%00",
            "limit=9999999999999999999999",
            "limit=1e3",
            "limit=-9223372036854775808",
            "probe_asn=AS",
            "probe_asn=99999999999",
            "format=%00",
            "debug=%00",
            "&&&=&=",
            "category_codes=%00,%FF",
        ] {
            let reply = server.get(&format!("{path}?{query}"));
            assert!(reply.status == 200 || is_error(&reply), "{path} {query}: {reply:?}");
        }
    }
}

/// Many clients at once.
#[test]
fn deep_bodies_at_once() {
    let server = empty_server();
    let body = "[".repeat(300_000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for path in POSTS {
                    let reply = server.post(path, &body);
                    assert!(is_error(&reply), "{path}: {reply:?}");
                }
            });
        }
    });
    assert_eq!(server.get("/version").status, 200);
}
