//! The address of a client and the id of a request, with and without a trusted proxy.

use crate::routes::server;
use crate::support::Server;
use serde_json::Value;

fn client(server: &Server, headers: &str) -> (Value, Option<String>) {
    let reply = server.send(&format!("GET /client HTTP/1.1\r\nHost: test\r\n{headers}\r\n"));
    (reply.json(), reply.header("x-request-id").map(str::to_owned))
}

#[test]
fn headers_of_others_do_not_count() {
    let server = server(|config| config.server.trusted_proxies = vec!["192.0.2.0/24".to_owned()]);
    let headers = "X-Forwarded-For: 203.0.113.7\r\nX-Real-IP: 203.0.113.8\r\nX-Request-Id: mine\r\n";
    let (seen, id) = client(&server, headers);
    assert_eq!((&seen["client"], &seen["peer"]), (&"127.0.0.1".into(), &"127.0.0.1".into()));
    assert_eq!(seen["id"], *id.as_ref().unwrap());
    assert_ne!(id.unwrap(), "mine");
    let ids = [client(&server, "").1, client(&server, "").1];
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn headers_of_trusted_proxies_count() {
    let server =
        server(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".to_owned(), "2001:db8::1".to_owned()]);
    for (headers, expected) in [
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.7, 2001:db8::1\r\n", "203.0.113.7"),
        ("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 127.0.0.9\r\n", "198.51.100.1"),
        ("X-Forwarded-For: unknown\r\nX-Real-IP: 203.0.113.8\r\n", "203.0.113.8"),
        ("X-Real-IP: unknown\r\n", "127.0.0.1"),
    ] {
        let (seen, _) = client(&server, headers);
        assert_eq!((&seen["client"], &seen["peer"]), (&expected.into(), &"127.0.0.1".into()), "{headers}");
    }
    for (id, kept) in
        [("a1!~", true), (&*"x".repeat(64), true), (&*"x".repeat(65), false), ("a b", false), ("", false), ("é", false)]
    {
        let (seen, sent) = client(&server, &format!("X-Request-Id: {id}\r\n"));
        assert_eq!(seen["id"], *sent.as_ref().unwrap());
        assert_eq!(sent.unwrap() == id, kept, "{id}");
    }
}

#[test]
fn lists_that_cannot_be_parsed_are_errors_at_the_start() {
    let config = ooni_api::config::Server { trusted_proxies: vec!["localhost".to_owned()], ..Default::default() };
    let directory = tempfile::tempdir().unwrap();
    let config = ooni_api::config::Config { server: config, state_dir: directory.path().into(), ..Default::default() };
    let error = ooni_api::http::HttpServer::open(&config, &Default::default()).unwrap_err();
    let text = format!("{error:#}");
    assert_eq!(text, "trusted_proxies: \"localhost\": expected an address or a network, such as 10.0.0.0/8");
}
