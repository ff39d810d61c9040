//! A change whose outcome cannot be determined.

use super::super::change::Remove;
use super::super::schema;
use super::*;
use crate::error::ErrorKind;
use crate::write::removal::RemoveOutcome;
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// A proxy for one connection. It closes at COMMIT, which it forwards only if `is_sent`.
fn proxy_up_to_commit(to: u16, is_sent: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut from, mut answers) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut answers));
        let mut buffer = [0; 1 << 16];
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            let is_commit = buffer[..read].windows(7).any(|window| window == b"COMMIT\0");
            if is_commit {
                // The client gets no answer, and new connections are refused.
                client.shutdown(Shutdown::Both).unwrap();
            }
            if !is_commit || is_sent {
                server.write_all(&buffer[..read]).unwrap();
            }
            if is_commit {
                break;
            }
        }
        server.shutdown(Shutdown::Write).unwrap();
    });
    port
}

#[tokio::test]
async fn a_server_that_stays_away_after_commit() {
    skip_without!(Server::shared_postgres());
    let server = Server::shared_postgres().unwrap();
    let url = server.postgres_url("postgres");
    let direct = Connect::new(&url, "test").unwrap();
    schema::migrate(&mut direct.connect().await.unwrap()).await.unwrap();
    for (uid, is_sent) in [("sent", true), ("lost", false)] {
        let port = proxy_up_to_commit(server.port, is_sent);
        let connect = Connect::new(&url.replace(&server.port.to_string(), &port.to_string()), "test").unwrap();
        let writer = Writer { commit_limit: Duration::from_millis(300), ..Writer::new(&connect, 100) };
        let removal = Remove { uid, reason: "asked for", ban: true };
        let error = writer.change(&removal, Deadline::NEVER).await.unwrap_err();
        assert!(matches!(error, PgError::OutcomeUnknown), "{error:?}");
        let error = error.of(&url);
        assert_eq!(
            (error.kind(), error.is_outcome_unknown(), error.is_retryable()),
            (ErrorKind::Unavailable, true, true)
        );
        assert_eq!(error.public_message(), "The outcome of the change is unknown.");
        assert!(error.message().starts_with("outcome unknown: the change may or may not have been committed: "));
        // A retry succeeds, whatever the outcome was.
        let outcome = Writer::new(&direct, 100).change(&removal, Deadline::NEVER).await.unwrap();
        assert_eq!(outcome, if is_sent { RemoveOutcome::Already } else { RemoveOutcome::Banned });
    }
}
