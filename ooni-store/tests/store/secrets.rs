//! No error message and no `Debug` output contains a password.

use crate::server::OnPostgres;
use crate::support::Engine;
use ooni_store::{BlockingReference, BlockingStore, without_password};
use ooni_testkit::certificate::Authority;
use ooni_testkit::http_server::{answer, serve, serve_tls, tls_config};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::fmt::Debug;

/// The password in each URL.
const SECRET: &str = "hush";

fn check<T: Debug>(url: &str, result: &Result<T, impl std::error::Error>, shown: &mut Vec<String>) {
    shown.push(format!("{result:?}"));
    if let Err(error) = result {
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            shown.push(error.to_string());
            shown.push(format!("{error:?}"));
            cause = error.source();
        }
    }
    for text in shown.drain(..) {
        assert!(!text.contains(SECRET), "{url}: {text}");
    }
}

#[test]
fn no_message_and_no_debug_output_contains_a_password() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let address = engine.url().split_once('@').unwrap().1.to_owned();
    let unreachable = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Errors of ClickHouse that are permanent: a refused connection would be retried for half a minute by each call.
    let refusal = b"Code: 516. DB::Exception: test: Authentication failed";
    let refusing = serve(|_| answer("403 Forbidden", "", refusal));
    let foreign = serve(|_| b"220 ready\r\n".to_vec());
    let certificate = Authority::new("unknown").unwrap().issue(&["127.0.0.1"]).unwrap();
    let untrusted = serve_tls(tls_config(&certificate), |_| answer("200 OK", "", b""));
    let urls = [
        // A server that requires no password.
        format!("postgres://test:hush@{address}"),
        format!("postgres://test@{address}?password=hush"),
        format!("postgresql://{address}?user=test&password=hush&sslmode=disable"),
        // Unreachable servers.
        format!("postgres://test:hush@{unreachable}/db"),
        format!("postgres://{unreachable}/db?password=hush"),
        "postgres://test:hush@none.invalid/db".to_owned(),
        "clickhouse://test:hush@none.invalid/db".to_owned(),
        // Servers that refuse the password, speak another protocol, or have an unknown certificate.
        format!("clickhouse://test:hush@{}/db", refusing.address),
        format!("clickhouse://test:hush@{}/db", foreign.address),
        format!("clickhouse://test:hush@{}/db?secure=1", untrusted.address),
        // Invalid URLs.
        "postgres://test:hush@host:x/db".to_owned(),
        "postgres://test:hush/more@host/db".to_owned(),
        "postgres://test:a/hush@host/db".to_owned(),
        "postgres://test:hush?more@host/db".to_owned(),
        "postgres://test:a@hush@host:x/db".to_owned(),
        "postgres://host/db?password=a&hush".to_owned(),
        "postgres://host/db?password=hush&sslmode=maybe".to_owned(),
        "postgres://host/db?passwd=hush".to_owned(),
        "postgres://host/db?sslpassword=hush".to_owned(),
        "postgres://test:hush%ff@host/db".to_owned(),
        "postgres://host/db?sslmode=disable&pass%77ord=hush".to_owned(),
        "clickhouse://host/db?password=hush".to_owned(),
        "clickhouse://test:hush@host:x/db".to_owned(),
        "clickhouse://host/db?secure=maybe&password=hush".to_owned(),
        "mysql://test:hush@host/db".to_owned(),
        "POSTGRES://test:hush@host/db".to_owned(),
        "host=127.0.0.1 password=hush".to_owned(),
    ];
    for url in &urls {
        assert!(!without_password(url).contains(SECRET), "{url}");
        let shown = &mut Vec::new();
        check(url, &BlockingStore::open(url), shown);
        check(url, &BlockingStore::open_to_read(url), shown);
        check(url, &BlockingStore::migrate(url), shown);
        check(url, &BlockingReference::open(url), shown);
    }
    // A password is sent in a header: servers and proxies log URLs.
    let asked = refusing.asked();
    assert_eq!(asked.len(), 4);
    for head in asked {
        let (line, headers) = head.split_once("\r\n").unwrap();
        assert!(!line.contains(SECRET) && headers.contains(SECRET), "{head}");
    }
}
