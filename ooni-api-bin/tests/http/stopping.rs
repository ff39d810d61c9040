//! The end of a server: requests in progress are answered.

use crate::routes::{Gate, server};
use crate::support::Server;
use crate::support::client::post;
use std::io::ErrorKind;
use std::net::TcpStream;

/// Asks a server to stop, and waits until it accepts no more connections.
fn begin_to_stop(server: &mut Server) {
    server.ask_to_stop();
    while !TcpStream::connect(server.address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        std::thread::yield_now();
    }
}

#[test]
fn requests_in_progress_are_answered() {
    let mut server = server(|_| {});
    let gate = Gate::named("in progress");
    let mut idle = server.connect();
    assert_eq!(idle.get("/param/x").status, 200);
    let mut waiting = server.connect();
    waiting.write("GET /wait/in%20progress HTTP/1.1\r\n\r\n");
    let mut sending = server.connect();
    let request = post("/payload/in%20progress", "", &[b'a'; 1000]);
    let (start, rest) = request.split_at(request.len() - 500);
    sending.write(start);
    gate.wait_for(1);
    while !server.get("/metrics").text().contains("busy_workers_count 3\n") {
        std::thread::yield_now();
    }
    begin_to_stop(&mut server);
    assert_eq!(idle.rest(), b"");
    sending.write(rest);
    gate.wait_for(1);
    gate.open();
    assert_eq!(waiting.reply().json()["waited"], true);
    assert_eq!(sending.reply().json()["length"], 1000);
    server.stop();
}

#[test]
fn requests_that_take_too_long_are_not() {
    let mut server = server(|config| config.server.shutdown_timeout = 1);
    let gate = Gate::named("too long");
    let mut waiting = server.connect();
    waiting.write("GET /wait/too%20long HTTP/1.1\r\n\r\n");
    gate.wait_for(1);
    begin_to_stop(&mut server);
    server.stop();
    assert_eq!(waiting.rest(), b"");
}

#[test]
fn the_whole_server_stops() {
    let server = Server::start(|_| {});
    assert_eq!(server.get("/version").status, 200);
    server.stop();
}
