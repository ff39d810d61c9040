//! Bodies of 64 MiB that decode to 64 GiB: they end early, in bounded memory.

use crate::bodies::{gzip, zstd};
use crate::routes::server;
use serde_json::json;
use std::io::Write;

/// How much more memory the process, with the other tests in it, may need meanwhile.
const MEMORY: u64 = 150 << 20;

/// The most memory that this process has used so far, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Sends 32 MiB of zeros, encoded, as often as fits into 64 MiB.
fn bomb(coding: &str, part: &[u8]) {
    let server = server(|_| {});
    let repeats = (64 << 20) / part.len();
    assert!(repeats >= 2 << 10, "{repeats} times 32 MiB are not 64 GiB");
    let before = peak_memory();
    let mut client = server.connect();
    let mut sender = client.sender();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let head = format!("POST /payload HTTP/1.1\r\nContent-Encoding: {coding}\r\n");
            let length = repeats * part.len();
            sender.write_all(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes()).unwrap();
            (0..repeats).all(|_| sender.write_all(part).is_ok()) // the server may have had enough
        });
        let reply = client.reply();
        assert_eq!((reply.status, &*reply.error()), (413, "the body is larger than 200000000 bytes"));
        drop(client);
    });
    let used = peak_memory() - before;
    assert!(used < MEMORY, "{coding}: {used} bytes");
    let reply = server.post("/payload", "{}");
    assert_eq!(reply.json(), json!({"length": 2, "crc": crc32c::crc32c(b"{}"), "file": false}));
}

#[test]
fn gzip_bomb() {
    bomb("gzip", &gzip_best(&vec![0; 32 << 20]));
}

#[test]
fn zstd_bomb() {
    bomb("zstd", &zstd(&vec![0; 32 << 20]));
}

/// One member, or frame, of a gibibyte.
#[test]
fn bombs_in_one_piece() {
    let server = server(|_| {});
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..1024).for_each(|_| encoder.write_all(&zeros).unwrap());
    let body = encoder.finish().unwrap();
    for (path, limit) in [("/payload", 200_000_000), ("/json", 1 << 20)] {
        let request = crate::support::client::post(path, "Content-Encoding: zstd\r\n", &body);
        let reply = server.send(&request);
        assert_eq!((reply.status, reply.error()), (413, format!("the body is larger than {limit} bytes")));
    }
    let body = gzip(&vec![0; 300_000_000]);
    let reply = server.send(&crate::support::client::post("/payload", "Content-Encoding: gzip\r\n", &body));
    assert_eq!(reply.status, 413);
}

fn gzip_best(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
