//! Clients of HTTP/2 that hold a connection, or its responses. They send frames (RFC 9113) that no ordinary client sends.

use crate::routes::server;
use crate::support::Server;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// More than any test takes, so that it fails instead of waiting for ever.
const PATIENCE: Duration = Duration::from_secs(30);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

struct Client {
    stream: TcpStream,
    opened: Instant,
}

/// A frame that the server has sent.
struct Frame {
    kind: u8,
    flags: u8,
    length: usize,
}

impl Client {
    /// A connection whose streams have a window of some bytes.
    fn connect(server: &Server, window: u32) -> Client {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client { stream, opened: Instant::now() };
        client.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let initial_window_size = [&[0, 4][..], &window.to_be_bytes()].concat();
        client.send(SETTINGS, 0, 0, &initial_window_size).unwrap();
        client
    }

    /// The same connection, to send while this one receives.
    fn other(&self) -> Client {
        Client { stream: self.stream.try_clone().unwrap(), opened: self.opened }
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat())
    }

    fn get(&mut self, stream: u32, path: &str) {
        // `:method: GET` and `:scheme: http` of the static table (RFC 7541), and `:path` and `:authority` as literals.
        let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
        block.extend_from_slice(path.as_bytes());
        block.extend_from_slice(b"\x01\x04test");
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &block).unwrap();
    }

    /// The next frame, a ping of which is answered; `None` if the connection is closed.
    fn frame(&mut self) -> Option<Frame> {
        assert!(self.opened.elapsed() < PATIENCE, "the connection is still open");
        let mut head = [0; 9];
        match self.stream.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("nothing is received"),
            Err(_) => return None,
            Ok(()) => {}
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        if (head[3], head[4]) == (PING, 0) {
            self.send(PING, ACK, 0, &payload).ok()?;
        }
        Some(Frame { kind: head[3], flags: head[4], length })
    }

    /// The frames until the connection is closed.
    fn rest(mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.frame()).collect()
    }
}

#[test]
fn pings_do_not_keep_an_idle_connection() {
    let server = server(|config| config.server.header_timeout = 1);
    let mut client = Client::connect(&server, 0);
    let mut pings = client.other();
    let sender = std::thread::spawn(move || {
        for _ in 0..PATIENCE.as_millis() / 50 {
            if pings.send(PING, 0, 0, &[0; 8]).is_err() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        pings.stream.shutdown(std::net::Shutdown::Both).unwrap();
        false
    });
    while client.frame().is_some() {}
    drop(client);
    assert!(sender.join().unwrap(), "the connection is still open");
}

#[test]
fn responses_that_are_not_taken() {
    let server = server(|config| {
        config.server.header_timeout = 1;
        config.server.body_timeout = 1;
    });
    for (window, path) in
        [(0, "/text/10"), (0, "/chunks/10"), (1, "/text/10"), (1, "/text/100000"), (1, "/chunks/9999")]
    {
        let mut client = Client::connect(&server, window);
        for request in 0..50 {
            client.get(2 * request + 1, path);
        }
        let frames = client.rest();
        assert_eq!(frames.iter().filter(|frame| frame.kind == HEADERS).count(), 50, "{window} {path}");
        let taken: usize = frames.iter().filter(|frame| frame.kind == DATA).map(|frame| frame.length).sum();
        assert_eq!(taken, 50 * window as usize, "{window} {path}");
    }
    // That of the metrics is the only request in progress.
    while !server.get("/metrics").text().contains("busy_workers_count 1\n") {
        std::thread::yield_now();
    }
}

#[test]
fn other_requests_do_not_keep_a_response() {
    let server = server(|config| config.server.body_timeout = 1);
    let mut client = Client::connect(&server, 0);
    client.get(1, "/text/10");
    let mut others = client.other();
    let sender = std::thread::spawn(move || {
        // These have no body.
        for request in 1..u32::try_from(PATIENCE.as_millis() / 50).unwrap() {
            let block = b"\x02\x04HEAD\x86\x04\x07/text/1\x01\x04test";
            if others.send(HEADERS, END_HEADERS | END_STREAM, 2 * request + 1, block).is_err() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        others.stream.shutdown(std::net::Shutdown::Both).unwrap();
        false
    });
    while client.frame().is_some() {}
    drop(client);
    assert!(sender.join().unwrap(), "the connection is still open");
}

#[test]
fn slow_clients_get_the_whole_response() {
    // Less than the whole response takes, much more than the time between two updates.
    let server = server(|config| {
        config.server.header_timeout = 2;
        config.server.body_timeout = 2;
    });
    for path in ["/text/200000", "/chunks/20000"] {
        let mut client = Client::connect(&server, 0);
        client.get(1, path);
        let mut updates = client.other();
        let sender = std::thread::spawn(move || {
            for _ in 0..200_000 / (16 << 10) + 1 {
                std::thread::sleep(Duration::from_millis(250));
                let more = (16_u32 << 10).to_be_bytes();
                // Of the stream, and of the connection.
                updates.send(WINDOW_UPDATE, 0, 1, &more).unwrap();
                updates.send(WINDOW_UPDATE, 0, 0, &more).unwrap();
            }
        });
        let mut length = 0;
        loop {
            let frame = client.frame().expect("the connection was closed before the end of the response");
            if frame.kind == DATA {
                length += frame.length;
                if frame.flags & END_STREAM != 0 {
                    break;
                }
            }
        }
        assert_eq!(length, 200_000, "{path}");
        sender.join().unwrap();
    }
}
