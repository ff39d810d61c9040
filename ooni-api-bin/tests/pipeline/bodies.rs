//! What `raw_measurement` and `measurement/{uid}` return, from the log and from the archive.

use crate::support::Server;
use crate::support::client::{Client, Reply, post};
use crate::{NOW, clock, scored};
use ooni_api::app::App;
use ooni_api::clock::Timestamp;
use ooni_api::config::Config;
use ooni_api::intake::{Payload, Route, Side, Submission};
use ooni_testkit::server::Server as Database;
use ooni_testkit::skip_without;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

fn uid(number: usize) -> String {
    format!("20260301110000.{number:06}_IT_ndt_0123456789abcdef")
}

fn measurement(cc: &str, rest: &str) -> String {
    format!(
        "{{\"report_id\":\"20260301T110000Z_ndt_IT_1_n1_a\",\"probe_cc\":\"{cc}\",\"probe_asn\":\"AS1\",\
         \"test_name\":\"ndt\",\"measurement_start_time\":\"2026-03-01 11:00:00\",\"test_start_time\":\"2026-03-01 11:00:00\",\
         \"software_name\":\"probe\",\"software_version\":\"3\",\"test_version\":\"1\",\"test_runtime\":1,\
         \"test_keys\":{{}}{rest}}}"
    )
}

fn envelope(content: &str) -> String {
    format!("{{\"format\":\"json\",\"content\":{content}}}")
}

fn configure(config: &mut Config, folder: &Path, state: &str) {
    config.state_dir = folder.join(state);
    config.store.uri = format!("sqlite:{}", folder.join("ooni.db").display());
    config.archive.location = format!("file:{}", folder.join("archive").display());
    config.intake.min_free_bytes = 0;
    config.scoring.batch_delay = 10;
    config.jobs.schedule = false;
}

/// Submits bodies, and scores and archives them. The log in `state` keeps them, since they can be repeated.
async fn fill(config: Config, bodies: &[String]) {
    let (app, tasks) = App::open(config, clock()).await.unwrap();
    for (number, body) in bodies.iter().enumerate() {
        let submission = Submission {
            route: Route::Import,
            key_report_id: String::new(),
            probe_cc: "IT".to_owned(),
            test_name: "ndt".to_owned(),
            uid: Some(uid(number)),
            headers: Vec::new(),
            side: Side::default(),
            body: Payload::Memory(body.clone().into()),
        };
        app.intake.accept(submission).await.unwrap();
    }
    scored(&app, tasks.scoring, bodies.len() as u64).await;
    tasks.archiver.run_once(true).await.unwrap();
    app.intake.shutdown().await;
}

fn filled(folder: &Path, bodies: &[String]) {
    let mut config = Config::default();
    configure(&mut config, folder, "log");
    tokio::runtime::Runtime::new().unwrap().block_on(fill(config, bodies));
}

/// A server with the log, or with an empty one, so that the archive answers.
fn server(folder: &Path, state: &str) -> Server {
    Server::start_at(clock(), |config| configure(config, folder, state))
}

fn raw(server: &Server, uid: &str) -> Reply {
    server.get(&format!("/api/v1/raw_measurement?measurement_uid={uid}"))
}

#[test]
fn log_and_archive_return_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let plain = measurement("IT", "");
    let lines = measurement("IT", ",\r\n\"input\":null\n");
    let bodies = [
        envelope(&plain),
        envelope(&lines),
        "not JSON".to_owned(),
        envelope(&measurement("ZZ", "")),
        "{\"format\":\"json\"}".to_owned(),
    ];
    filled(folder.path(), &bodies);
    for state in ["log", "other"] {
        let server = server(folder.path(), state);
        for (number, expected) in [(0, &plain), (1, &lines)] {
            let reply = raw(&server, &uid(number));
            assert_eq!((reply.status, reply.text()), (200, &**expected), "{state}");
            assert_eq!(reply.header("cache-control"), Some("max-age=86400"), "{state}");
            let reply = server.get(&format!("/api/v1/measurement/{}", uid(number)));
            assert_eq!((reply.status, reply.text()), (200, &**expected), "{state}");
        }
        let reply = raw(&server, &uid(2));
        assert_eq!((reply.status, reply.error()), (404, "Measurement not found".to_owned()), "{state}");
        for number in [3, 4] {
            let reply = raw(&server, &uid(number));
            assert_eq!((reply.status, reply.text()), (200, "{}\n"), "{state} {number}");
        }
        for number in 2..5 {
            assert_eq!(server.get(&format!("/api/v1/measurement/{}", uid(number))).status, 400, "{state} {number}");
        }
    }
}

#[test]
fn that_a_fresh_measurement_is_unknown_is_not_cached_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), "state");
    for (minutes, max_age) in [(0, 60), (59, 60), (60, 86_400)] {
        let time = Timestamp::from_micros(NOW - minutes * 60_000_000);
        let uid = format!("measurement_uid={}_IT_ndt_0123456789abcdef", time.uid_text());
        let report = format!("report_id={}_ndt_IT_1_n1_abcdefghijklmnop", time.report_text());
        for query in [uid, report] {
            let reply = server.get(&format!("/api/v1/raw_measurement?{query}"));
            let cache = format!("max-age={max_age}");
            assert_eq!((reply.text(), reply.header("cache-control")), ("{}\n", Some(&*cache)), "{query}");
        }
    }
}

/// Clients that do not read their responses do not fill the memory.
#[test]
fn large_bodies_are_bounded() {
    const SIZE: usize = 20_000_000;
    let folder = tempfile::tempdir().unwrap();
    let large = measurement("IT", &format!(",\"x\":\"{}\"", "x".repeat(SIZE)));
    filled(folder.path(), &[envelope(&large)]);
    for (state, most) in [("log", 16), ("other", 16)] {
        let server = server(folder.path(), state);
        let path = format!("/api/v1/raw_measurement?measurement_uid={}", uid(0));
        let clients: Vec<Client> = (0..40)
            .map(|_| {
                let mut client = server.connect();
                client.write(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
                client
            })
            .collect();
        // The body of a response to HEAD would not be read.
        let replies: Vec<(Client, Reply)> = clients
            .into_iter()
            .map(|mut client| {
                let reply = client.reply_to("HEAD");
                (client, reply)
            })
            .collect();
        let count = |status| replies.iter().filter(|(_, reply)| reply.status == status).count();
        assert!((1..=most).contains(&count(200)), "{state}: {}", count(200));
        assert_eq!(count(200) + count(503), replies.len(), "{state}");
        let refused = replies.iter().filter(|(_, reply)| reply.status == 503);
        assert!(refused.clone().all(|(_, reply)| reply.header("retry-after").is_some()), "{state}");
        drop(replies);
        // The memory is free again as soon as the server has noticed that they are gone.
        let reply = loop {
            let reply = server.get(&path);
            if reply.status != 503 {
                break reply;
            }
        };
        assert!(reply.status == 200 && reply.body == large.as_bytes(), "{state}");
    }
}

#[test]
fn the_log_answers_while_the_store_is_down() {
    let database = Database::postgres(false).map_err(|error| format!("{error:#}"));
    skip_without!(database);
    let database = database.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = database.postgres_url("postgres");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ooni_store::Store::migrate(&url, &ooni_store::StoreOptions::default())).unwrap();
    let mut config = Config::default();
    configure(&mut config, folder.path(), "log");
    config.store.uri.clone_from(&url);
    let plain = measurement("IT", "");
    runtime.block_on(fill(config, &[envelope(&plain), envelope(&measurement("ZZ", ""))]));
    let server = Server::start_at(clock(), |config| {
        configure(config, folder.path(), "log");
        config.store.uri = url;
    });
    for is_up in [true, false] {
        if !is_up {
            database.stop().unwrap();
        }
        assert_eq!(raw(&server, &uid(0)).text(), plain);
        assert_eq!(raw(&server, &uid(1)).text(), "{}\n");
    }
}

/// Another collector may send a measurement again after its segment was released.
#[test]
fn the_feed_knows_what_was_archived() {
    let folder = tempfile::tempdir().unwrap();
    let body = envelope(&measurement("IT", ""));
    filled(folder.path(), std::slice::from_ref(&body));
    let feed: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start_at(clock(), |config| {
        configure(config, folder.path(), "other");
        config.feed.listen = feed.to_string();
    });
    for (number, accepted) in [(0, 0), (1, 1), (1, 1)] {
        server.get("/version"); // the listeners are open
        let reply = Client::connect(feed).send(&post(&format!("/{}", uid(number)), "", body.as_bytes()));
        assert_eq!(reply.status, 200);
        assert_eq!(server.get("/health").json()["intake"]["accepted"], accepted, "{number}");
    }
}

#[test]
fn yaml_is_returned_with_its_envelope() {
    let folder = tempfile::tempdir().unwrap();
    let content = "report_id: 20260301T110000Z_ndt_IT_1_n1_a\\nprobe_cc: IT\\nprobe_asn: AS1\\ntest_name: ndt\\n\
                   test_start_time: '2026-03-01 11:00:00'\\nmeasurement_start_time: '2026-03-01 11:00:00'\\n\
                   software_name: probe\\nsoftware_version: '3'\\ntest_version: '1'\\ntest_runtime: 1\\ntest_keys: {}\\n";
    let body = format!("{{\"format\":\"yaml\",\"content\":\"{content}\"}}");
    filled(folder.path(), std::slice::from_ref(&body));
    for state in ["log", "other"] {
        let reply = raw(&server(folder.path(), state), &uid(0));
        assert_eq!((reply.status, reply.text()), (200, &*body), "{state}");
    }
}
