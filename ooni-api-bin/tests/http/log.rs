//! The access log: what it says of a request, and what it never says.

use crate::routes::server;
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
    let server = server(|config| config.server.trusted_proxies = vec!["127.0.0.1".to_owned()]);
    for (id, client, network, request) in [
        ("log-1", "198.51.100.77", "198.51.100.0", "GET /param/x?token=Geheim"),
        ("log-2", "2001:db8:1:2::3", "2001:db8:1::", "POST /param/y"),
        ("log-3", "198.51.100.77", "198.51.100.0", "GET /Geheim?token=Geheim"),
        ("log-4", "198.51.100.77", "198.51.100.0", "GET /panic"),
    ] {
        let headers = "Authorization: Bearer Geheim\r\nCookie: Geheim\r\nContent-Length: 6\r\n";
        let headers = format!("X-Request-Id: {id}\r\nX-Forwarded-For: {client}\r\n{headers}");
        let reply = server.send(&format!("{request} HTTP/1.1\r\n{headers}\r\nGeheim"));
        assert_eq!(reply.header("x-request-id"), Some(id));
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let of_request: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &Value| line["fields"]["id"] == id && line["target"] == "ooni_api::access")
            .collect();
        let [line] = &*of_request else { panic!("{of_request:?}") };
        assert_eq!(line["fields"]["client"], network);
        assert_eq!(line["fields"]["status"], reply.status);
        assert_eq!(line["fields"]["method"], *request.split(' ').next().unwrap());
        assert_eq!(
            line["fields"]["route"],
            if id == "log-3" {
                "none"
            } else if id == "log-4" {
                "/panic"
            } else {
                "/param/{value}"
            }
        );
        assert_eq!(line["fields"]["sent"], reply.body.len());
    }
    server.stop();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let ours = text.lines().filter(|line| !line.contains("\"target\":\"hyper"));
    let ours: Vec<&str> = ours.filter(|line| line.contains("Geheim") || line.contains("198.51.100.77")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    assert!(text.contains("a handler panicked") && text.contains("as planned"));
}
