//! Timeouts and limits of connections.

use crate::routes::{Gate, server};
use crate::support::client::post;
use std::time::Duration;

#[test]
fn slow_headers() {
    let server = server(|config| config.server.header_timeout = 1);
    // The first request of a connection, and a later one.
    for before in ["", "GET /param/x HTTP/1.1\r\n\r\n"] {
        let mut client = server.connect();
        if !before.is_empty() {
            assert_eq!(client.send(before).status, 200);
        }
        client.write("GET /param/x HTTP/1.1\r\nHost: te");
        let reply = client.reply();
        assert_eq!((reply.status, &*reply.error()), (408, "Request Timeout"));
        assert_eq!(reply.header("connection"), Some("close"));
        assert_eq!(client.rest(), b"");
    }
    let metrics = server.get("/metrics");
    let line = r#"ooniapi_http_requests_total{handler="none",method="none",status="408"} 2"#;
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

#[test]
fn silent_connections() {
    let server = server(|config| config.server.header_timeout = 1);
    for start in ["", "\r\n", "PRI * HT"] {
        let mut client = server.connect();
        client.write(start);
        let rest = client.rest();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{start:?}: {rest:?}");
    }
    let mut client = server.connect();
    assert_eq!(client.get("/param/x").status, 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn slow_bodies() {
    let server = server(|config| config.server.body_timeout = 1);
    let mut client = server.connect();
    let request = post("/payload", "", b"0123456789");
    client.write(&request[..request.len() - 5]);
    let reply = client.reply();
    assert_eq!((reply.status, &*reply.error()), (408, "Request Timeout"));
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(client.rest(), b"");
    assert_eq!(server.get("/param/x").status, 200);
}

#[test]
fn bodies_that_never_end() {
    let server = server(|config| config.server.body_timeout = 1);
    for path in ["/payload", "/memory", "/json"] {
        let mut client = server.connect();
        client.write(&format!("POST {path} HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"));
        // There is progress all the time, but too little of it.
        for byte in 0..200 {
            assert!(byte < 199, "{path}: the body is still read");
            client.write("a");
            std::thread::sleep(Duration::from_millis(50));
            if !client.is_silent() {
                break;
            }
        }
        assert_eq!(client.reply().status, 408, "{path}");
    }
}

#[test]
fn clients_that_do_not_read() {
    let mut server = server(|config| {
        config.server.body_timeout = 1;
        config.server.shutdown_timeout = 3600;
    });
    let mut client = server.connect();
    client.write("GET /text/100000000 HTTP/1.1\r\n\r\n");
    while client.is_silent() {
        std::thread::yield_now();
    }
    // The server ends only with its connections, and this one ends only by the timeout.
    server.ask_to_stop();
    server.stop();
    assert!(client.try_reply("").is_err(), "the response is complete");
}

#[test]
fn requests_that_take_long_are_not_idle() {
    let server = server(|config| {
        config.server.header_timeout = 1;
        config.server.body_timeout = 1;
    });
    let gate = Gate::named("not idle");
    let mut slow = server.connect();
    slow.write("GET /wait/not%20idle HTTP/1.1\r\n\r\n");
    gate.wait_for(1);
    // Two connections that are closed for being idle, one after the other, show that enough time has passed.
    for _ in 0..2 {
        assert_eq!(server.connect().rest(), b"");
    }
    gate.open();
    assert_eq!(slow.reply().status, 200);
}

#[test]
fn unread_bodies() {
    let server = server(|_| {});
    // A small one does not end the connection.
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.post("/unread", &[b'a'; 1000]).status, 200);
    }
    assert_eq!(client.post("/nothing", &[b'a'; 1000]).status, 404);
    assert_eq!(client.get("/param/x").status, 200);
    // Even if it comes after the response.
    let request = post("/unread", "", &[b'a'; 1000]);
    for (start, rest) in [request.split_at(request.len() - 1000), request.split_at(request.len() - 1)] {
        assert_eq!(client.send(start).status, 200);
        client.write(rest);
        assert_eq!(client.get("/param/x").status, 200);
    }
    // A large one does, and the client gets the response although it is still sending.
    let reply = client.post("/unread", &[b'a'; 3_000_000]);
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    assert_eq!(client.rest(), b"");
}

#[test]
fn connections_beyond_the_limit_wait() {
    let server = server(|config| config.server.max_connections = 2);
    let mut open = [server.connect(), server.connect()];
    for client in &mut open {
        assert_eq!(client.get("/param/x").status, 200);
    }
    let mut waiting = server.connect();
    waiting.write("GET /param/y HTTP/1.1\r\n\r\n");
    for _ in 0..100 {
        for client in &mut open {
            assert_eq!(client.get("/param/x").status, 200);
        }
        assert!(waiting.is_silent());
    }
    let [first, _second] = open;
    drop(first);
    assert_eq!(waiting.reply().json()["value"], "y");
}

/// Runs the test below in a process that may open few files.
#[test]
fn too_many_open_files() {
    let limited = r#"ulimit -n 64 && exec "$0" connections::with_few_files --exact --ignored --nocapture"#;
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh").args(["-c", limited]).arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by too_many_open_files, with a limit"]
fn with_few_files() {
    let server = server(|_| {});
    let mut open = server.connect();
    assert_eq!(open.get("/param/x").status, 200);
    let mut files: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    assert!((1..64).contains(&files.len()), "there is no limit");
    // The last descriptor is that of the client.
    files.pop();
    let mut waiting = server.connect();
    waiting.write("GET /param/y HTTP/1.1\r\n\r\n");
    while open.get("/metrics").text().contains("ooniapi_http_accept_errors_total 0\n") {
        std::thread::yield_now();
    }
    drop(files);
    assert_eq!(waiting.reply().json()["value"], "y");
}
