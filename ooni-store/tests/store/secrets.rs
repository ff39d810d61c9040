//! Passwords, which no message and no Debug of a store shows.

use crate::server::OnPostgres;
use crate::support::Engine;
use ooni_store::{BlockingReference, BlockingStore, without_password};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::fmt::Debug;

/// What each URL has as its password, which is wrong or not asked for.
const SECRET: &str = "hush";

fn shows<T: Debug>(url: &str, result: &Result<T, impl std::error::Error>, also: &mut Vec<String>) {
    also.push(format!("{result:?}"));
    if let Err(error) = result {
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            also.push(error.to_string());
            also.push(format!("{error:?}"));
            cause = error.source();
        }
    }
    for said in also.drain(..) {
        assert!(!said.contains(SECRET), "{url}: {said}");
    }
}

#[test]
fn no_message_and_no_debug_shows_a_password() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let place = engine.url().split_once('@').unwrap().1.to_owned();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = [
        // A server that is there, and trusts everybody.
        format!("postgres://test:hush@{place}"),
        format!("postgres://test@{place}?password=hush"),
        format!("postgresql://{place}?user=test&password=hush&sslmode=disable"),
        // None is there.
        format!("postgres://test:hush@{nobody}/db"),
        format!("postgres://{nobody}/db?password=hush"),
        format!("clickhouse://test:hush@{nobody}/db"),
        "postgres://test:hush@none.invalid/db".to_owned(),
        // Invalid.
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
        let said = &mut Vec::new();
        shows(url, &BlockingStore::open(url), said);
        shows(url, &BlockingStore::open_to_read(url), said);
        shows(url, &BlockingStore::migrate(url), said);
        shows(url, &BlockingReference::open(url), said);
    }
}
