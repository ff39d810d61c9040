//! Probes that submit measurements, and remember what was acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections at the same time.
const PROBES: u64 = 8;

/// Reports that measurements belong to.
const REPORTS: [(&str, &str, u32); 4] =
    [("webconnectivity", "IT", 30722), ("signal", "BR", 28573), ("ndt", "it", 1), ("telegram", "IR", 44244)];

/// All measurements of a test.
#[derive(Clone)]
pub(crate) struct Load(Arc<Inner>);

struct Inner {
    next: AtomicU64,
    acknowledged: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// Probes that submit until the server is gone.
pub(crate) struct Submitting(Vec<JoinHandle<()>>);

impl Load {
    pub(crate) fn new() -> Load {
        Load(Arc::new(Inner { next: AtomicU64::new(0), acknowledged: Mutex::default() }))
    }

    /// The bodies that were acknowledged, by their uids.
    pub(crate) fn acknowledged(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.acknowledged.lock().unwrap().clone()
    }

    /// Starts to submit.
    pub(crate) fn start(&self, address: SocketAddr) -> Submitting {
        let probe = |_| {
            let load = self.clone();
            std::thread::spawn(move || load.submit(address))
        };
        Submitting((0..PROBES).map(probe).collect())
    }

    fn submit(&self, address: SocketAddr) {
        let Ok(stream) = TcpStream::connect(address) else { return };
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut reader = BufReader::new(stream);
        loop {
            let number = self.0.next.fetch_add(1, Ordering::Relaxed);
            let (report_id, body) = measurement(number);
            let head =
                format!("POST /report/{report_id} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
            let sent = reader.get_mut().write_all(&[head.as_bytes(), &body].concat());
            let Some(answer) = sent.ok().and_then(|()| answer(&mut reader)) else { return };
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            let uid = answer["measurement_uid"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
            let other = self.0.acknowledged.lock().unwrap().insert(uid.clone(), body);
            assert!(other.is_none(), "{uid} was given twice");
        }
    }
}

impl Submitting {
    /// Waits until the connections are closed.
    pub(crate) fn wait(self) {
        for probe in self.0 {
            probe.join().unwrap();
        }
    }
}

/// The body of a 200; `None` when the connection ends.
fn answer(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// Sends a request and returns the whole answer.
pub(crate) fn request(address: SocketAddr, request: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A measurement and its report id. Some bodies are not JSON, some are discarded, some are large.
fn measurement(number: u64) -> (String, Vec<u8>) {
    let (test, cc, asn) = REPORTS[(number % 4) as usize];
    let report_id = format!("20260301T000000Z_{test}_{cc}_{asn}_n1_AAAAAAAA{number:08}");
    let content = match number % 23 {
        0 => return (report_id, format!("not JSON \u{e9} {number}").into_bytes()),
        1 => format!("{{\"probe_cc\":\"ZZ\",\"report_id\":\"x\",\"n\":{number}}}"),
        2 => format!("{{\"report_id\":\"x\",\"probe_cc\":\"IT\",\"probe_asn\":\"AS1\",\"test_name\":[{number}]}}"),
        kind => format!(
            "{{\"report_id\":\"{report_id}\",\"probe_cc\":\"{}\",\"probe_asn\":\"AS{asn}\",\"test_name\":\"{}\",\r\n\
             \"test_start_time\":\"2026-03-01 00:00:00\",\"measurement_start_time\":\"2026-03-01 00:00:01\",\
             \"test_keys\":{{\"pad\":\"{}\"}},\"n\":{number}}}",
            cc.to_uppercase(),
            test.replace("webc", "web_c"),
            "x".repeat(if kind == 3 && number.is_multiple_of(5) { 1_200_000 } else { (number * 37 % 5000) as usize }),
        ),
    };
    (report_id, format!("{{\"format\":\"json\",\"content\":{content}}}").into_bytes())
}
