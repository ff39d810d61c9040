//! Probes that submit measurements, and remember what was acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
pub struct Load(Arc<Inner>);

struct Inner {
    /// How long a probe waits after each submission.
    pause: Duration,
    next: AtomicU64,
    unavailable: AtomicU64,
    acknowledged: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// Probes that submit until the server is gone, or they are stopped.
pub struct Submitting {
    probes: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// A connection that submits.
pub struct Probe {
    load: Load,
    reader: BufReader<TcpStream>,
}

/// The answer to a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200.
    Acknowledged,
    /// 503, with a time after which to try again.
    Unavailable,
}

impl Load {
    /// As fast as the server answers.
    pub fn new() -> Load {
        Load::with_pause(Duration::ZERO)
    }

    /// At most 800 a second, for tests whose time depends on something else.
    pub fn slow() -> Load {
        Load::with_pause(Duration::from_millis(10))
    }

    fn with_pause(pause: Duration) -> Load {
        let (next, unavailable) = (AtomicU64::new(0), AtomicU64::new(0));
        Load(Arc::new(Inner { pause, next, unavailable, acknowledged: Mutex::default() }))
    }

    /// The bodies that were acknowledged, by their uids.
    pub fn acknowledged(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.acknowledged.lock().unwrap().clone()
    }

    /// How many bodies were acknowledged.
    pub fn count(&self) -> usize {
        self.0.acknowledged.lock().unwrap().len()
    }

    /// How often the answer was 503.
    pub fn unavailable(&self) -> u64 {
        self.0.unavailable.load(Ordering::Relaxed)
    }

    /// Starts to submit.
    pub fn start(&self, address: SocketAddr) -> Submitting {
        let stop = Arc::new(AtomicBool::new(false));
        let probe = |_| {
            let (load, stop) = (self.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let Some(mut probe) = load.probe(address) else { return };
                while !stop.load(Ordering::Relaxed) && probe.submit().is_some() {
                    std::thread::sleep(load.0.pause);
                }
            })
        };
        Submitting { probes: (0..PROBES).map(probe).collect(), stop }
    }

    /// A connection; `None` if the server is gone.
    pub fn probe(&self, address: SocketAddr) -> Option<Probe> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Some(Probe { load: self.clone(), reader: BufReader::new(stream) })
    }
}

impl Submitting {
    /// Waits until the connections are closed.
    pub fn wait(self) {
        for probe in self.probes {
            probe.join().unwrap();
        }
    }

    /// Stops after the submissions at hand.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wait();
    }
}

impl Probe {
    /// Submits the next measurement, again after a 503 until it is acknowledged. `None` if the server is gone.
    pub fn submit(&mut self) -> Option<()> {
        let number = self.next();
        while self.send(number)? == Answer::Unavailable {
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(())
    }

    /// The number of the next measurement.
    pub fn next(&self) -> u64 {
        self.load.0.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Submits a measurement. `None` if the server is gone.
    pub fn send(&mut self, number: u64) -> Option<Answer> {
        let (report_id, body) = measurement(number);
        let head = format!("POST /report/{report_id} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        self.reader.get_mut().write_all(&[head.as_bytes(), &body].concat()).ok()?;
        let (status, head, answer) = response(&mut self.reader)?;
        if status == 503 {
            assert!(head.contains("\r\nretry-after: "), "{head}");
            self.load.0.unavailable.fetch_add(1, Ordering::Relaxed);
            return Some(Answer::Unavailable);
        }
        assert_eq!(status, 200, "{head}{}", String::from_utf8_lossy(&answer));
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let uid = answer["measurement_uid"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let other = self.load.0.acknowledged.lock().unwrap().insert(uid.clone(), body);
        assert!(other.is_none(), "{uid} was given twice");
        Some(Answer::Acknowledged)
    }
}

/// Status, head and body of a response; `None` when the connection ends.
fn response(reader: &mut BufReader<TcpStream>) -> Option<(u16, String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some((head[9..12].parse().unwrap(), head, body))
}

/// Sends a request and returns the whole answer, head and body.
pub fn request(address: SocketAddr, request: &[u8]) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(answer.len(), |end| end + 4);
    let body = answer.split_off(end);
    Ok((String::from_utf8(answer).unwrap(), body))
}

/// A request with a body, on a connection that is closed after it.
pub fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A measurement and its report id. Each body is different. Some are not JSON, some are discarded, rejected or refused by the
/// store, some have no envelope, some are large.
pub fn measurement(number: u64) -> (String, Vec<u8>) {
    let (test, cc, asn) = REPORTS[(number % 4) as usize];
    let report_id = format!("20260301T000000Z_{test}_{cc}_{asn}_n1_AAAAAAAA{number:08}");
    let kind = number % 23;
    let pad = "x".repeat(if kind == 3 && number.is_multiple_of(5) { 1_200_000 } else { (number * 37 % 5000) as usize });
    let with = |more: &str| {
        format!(
            "{{\"report_id\":\"{report_id}\",\"probe_cc\":\"{}\",\"probe_asn\":\"AS{asn}\",\"test_name\":\"{}\",\r\n\
             \"test_start_time\":\"2026-03-01 00:00:00\",\"measurement_start_time\":\"2026-03-01 00:00:01\",\
             \"test_keys\":{{\"pad\":\"{pad}\"}},{more}\"n\":{number}}}",
            cc.to_uppercase(),
            test.replace("webc", "web_c"),
        )
    };
    let content = match kind {
        0 => return (report_id.clone(), format!("not JSON \u{e9} {number}").into_bytes()),
        1 => format!("{{\"probe_cc\":\"ZZ\",\"report_id\":\"x\",\"n\":{number}}}"),
        2 => format!("{{\"report_id\":\"x\",\"probe_cc\":\"IT\",\"probe_asn\":\"AS1\",\"test_name\":[{number}]}}"),
        4 => with("\"input\":\"\\ud800\","),
        5 => return (report_id.clone(), with("").into_bytes()),
        6 => {
            let body = format!("{{\"format\":\"yaml\",\"content\":\"a: {number}\"}}");
            return (report_id.clone(), body.into_bytes());
        }
        7 => with("\"is_verified\":\"t\","),
        _ => with(""),
    };
    let body = format!("{{\"format\":\"json\",\"content\":{content}}}").into_bytes();
    (report_id, body)
}
