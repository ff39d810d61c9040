//! Request bodies: codings, limits, temporary files, and the memory that they may use together.

use crate::routes::{Gate, server};
use crate::support::Server;
use crate::support::client::{Reply, post};
use serde_json::json;
use std::io::Write;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

/// Bytes that do not compress well.
fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length as u64);
    (0..length).map(|_| random.u8(..)).collect()
}

fn chunked(path: &str, headers: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut request = format!("POST {path} HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for (number, chunk) in body.chunks(size).enumerate() {
        let extension = if number == 0 { ";extension=1" } else { "" };
        request.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(&[chunk, b"\r\n"].concat());
    }
    request.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
    request
}

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    post("/payload", &format!("Content-Encoding: {coding}\r\n"), body)
}

fn received(reply: &Reply, body: &[u8], in_file: bool) {
    let expected = json!({"length": body.len(), "crc": crc32c::crc32c(body), "file": in_file});
    assert_eq!(reply.json(), expected, "{reply:?}");
}

#[test]
fn codings_and_sizes() {
    let server = server(|config| config.server.spill_above_bytes = 100_000);
    let mut client = server.connect();
    // The parts in which larger bodies are decoded are of 128 KiB.
    for length in [0, 1, 1000, 99_999, 100_000, 100_001, 131_072, 400_000, 3_000_000] {
        let body = noise(length);
        let in_file = length > 100_000;
        received(&client.send(&post("/payload", "", &body)), &body, in_file);
        received(&client.send(&chunked("/payload", "", &body, 7919)), &body, in_file);
        for (coding, encoded) in
            [("gzip", gzip(&body)), ("zstd", zstd(&body)), ("X-GZip", gzip(&body)), ("identity", body.clone())]
        {
            received(&client.send(&coded(coding, &encoded)), &body, in_file);
        }
        let header = "Content-Encoding: zstd\r\n";
        received(&client.send(&chunked("/payload", header, &zstd(&body), 100)), &body, in_file);
        let half = length / 2;
        let members = [gzip(&body[..half]), gzip(&body[half..])].concat();
        received(&client.send(&coded("gzip", &members)), &body, in_file);
        let frames = [zstd(&body[..half]), zstd(&body[half..])].concat();
        received(&client.send(&coded("zstd", &frames)), &body, in_file);
    }
    let temporary = std::fs::read_dir(server.state_dir().join("tmp")).unwrap();
    assert_eq!(temporary.count(), 0, "temporary files have no names");
}

#[test]
fn bodies_that_cannot_be_decoded() {
    let server = server(|config| config.server.spill_above_bytes = 10_000);
    let mut client = server.connect();
    for body in [noise(100), noise(1_000_000)] {
        for (coding, encoded) in [("gzip", gzip(&body)), ("zstd", zstd(&body))] {
            let cut = &encoded[..encoded.len() - 1];
            let longer = [&*encoded, b"x"].concat();
            let mut changed = encoded.clone();
            let end = changed.len() - 9;
            changed[end] ^= 1;
            for bad in [cut, &*longer, &*changed, b"", b"{}", &*body] {
                if bad == changed && coding == "zstd" {
                    continue; // these frames have no checksum
                }
                let reply = server.send(&coded(coding, bad));
                assert_eq!((reply.status, reply.error()), (400, format!("the body cannot be decoded as {coding}")));
            }
        }
    }
    for coding in ["br", "gzip, zstd", "gzip, gzip", "deflate", "zstd;q=1"] {
        let reply = client.send(&coded(coding, b"{}"));
        assert_eq!((reply.status, reply.header("accept-encoding")), (400, Some("gzip, zstd")), "{coding}");
        assert_eq!(reply.error(), "Content-Encoding must be one of gzip, zstd and identity");
    }
    received(&client.send(&post("/payload", "", b"{}")), b"{}", false);
}

#[test]
fn cut_bodies() {
    let server = server(|_| {});
    let whole = post("/payload", "", &noise(1000));
    let mut client = server.connect();
    client.write(&whole[..whole.len() - 1]);
    client.shutdown_write();
    let reply = client.reply();
    assert_eq!((reply.status, &*reply.error()), (400, "the body is malformed or was cut off"));
    for rest in ["5\r\nabc", "x\r\n", "3\r\nabcd\r\n0\r\n\r\n", "ffffffffffffffffff\r\n"] {
        let mut client = server.connect();
        client.write(&format!("POST /payload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{rest}"));
        client.shutdown_write();
        let reply = client.reply();
        assert_eq!((reply.status, &*reply.error()), (400, "the body is malformed or was cut off"), "{rest}");
    }
    received(&server.post("/payload", "{}"), b"{}", false);
}

#[test]
fn sizes_beyond_the_limit() {
    let server = server(|config| {
        config.server.max_body_bytes = 200_000;
        config.server.spill_above_bytes = 50_000;
    });
    let (most, more) = (noise(200_000), noise(200_001));
    received(&server.post("/payload", &most), &most, true);
    received(&server.send(&chunked("/payload", "", &most, 1000)), &most, true);
    received(&server.send(&coded("zstd", &zstd(&[0; 200_000]))), &[0; 200_000], true);
    for request in [
        post("/payload", "", &more),
        chunked("/payload", "", &more, 1000),
        coded("zstd", &zstd(&[0; 200_001])),
        coded("gzip", &gzip(&[0; 200_001])),
        chunked("/payload", "Content-Encoding: gzip\r\n", &gzip(&[0; 200_001]), 10),
    ] {
        let reply = server.send(&request);
        assert_eq!((reply.status, &*reply.error()), (413, "the body is larger than 200000 bytes"));
    }
}

#[test]
fn two_hundred_mebibytes_are_refused_by_their_length() {
    let server = server(|_| {});
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut client = server.connect();
        // Nothing of the body is sent.
        client.write(&format!("POST /payload HTTP/1.1\r\n{expect}Content-Length: 209715200\r\n\r\n"));
        let reply = client.reply();
        assert_eq!((reply.status, &*reply.error()), (413, "the body is larger than 200000000 bytes"));
        assert_eq!(reply.header("connection"), Some("close"));
        assert_eq!(client.rest(), b"");
    }
    received(&server.post("/payload", "{}"), b"{}", false);
}

#[test]
fn clients_that_do_not_stop_sending_get_the_response() {
    let server = server(|config| config.server.max_body_bytes = 10_000_000);
    let mut client = server.connect();
    let head = "POST /payload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"10000\r\n", &[b'a'; 65_536][..], b"\r\n"].concat();
    let mut sender = client.sender();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            sender.write_all(head.as_bytes()).unwrap();
            while sender.write_all(&chunk).is_ok() {}
        });
        let reply = client.reply();
        assert_eq!((reply.status, &*reply.error()), (413, "the body is larger than 10000000 bytes"));
        assert_eq!(reply.header("connection"), Some("close"));
        drop(client);
    });
    received(&server.post("/payload", "{}"), b"{}", false);
}

#[test]
fn expect_continue() {
    let server = server(|_| {});
    let mut client = server.connect();
    client.write("POST /payload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.reply().status, 100);
    received(&client.send("{}"), b"{}", false);
}

#[test]
fn small_bodies() {
    let server = server(|_| {});
    let mut client = server.connect();
    let coded = |coding: &str, body: &[u8]| post("/json", &format!("Content-Encoding: {coding}\r\n"), body);
    for request in
        [post("/json", "", b" {\"a\":1}"), coded("gzip", &gzip(b"{\"a\":1}")), coded("zstd", &zstd(b"{\"a\":1}"))]
    {
        assert_eq!(client.send(&request).json(), json!({"a": 1}));
    }
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for body in [&b""[..], b"[]", b"1", b"{", b"{\"a\":\xff}", &deep, b"{} {}"] {
        let reply = client.post("/json", body);
        assert_eq!((reply.status, &*reply.error()), (400, "JSON expected"), "{}", body.len());
    }
    let (most, more) = (format!("{{}}{}", " ".repeat((1 << 20) - 2)), " ".repeat((1 << 20) + 1));
    assert_eq!(client.send(&coded("gzip", &gzip(most.as_bytes()))).json(), json!({}));
    assert_eq!(client.post("/json", &most).json(), json!({}));
    for request in [
        post("/json", "", more.as_bytes()),
        coded("gzip", &gzip(more.as_bytes())),
        coded("zstd", &zstd(more.as_bytes())),
    ] {
        let reply = server.send(&request);
        assert_eq!((reply.status, &*reply.error()), (413, "the body is larger than 1048576 bytes"));
    }
}

/// The memory of all bodies.
fn in_use(server: &Server) -> u64 {
    let metrics = server.get("/metrics");
    let line = metrics.text().lines().find(|line| line.starts_with("ooniapi_http_body_bytes_in_flight "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn memory_of_all_bodies() {
    let server = server(|config| config.server.max_bytes_in_flight = 1_000_000);
    let gate = Gate::named("memory of all bodies");
    let path = "/payload/memory%20of%20all%20bodies";
    let mut held: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for client in &mut held {
        client.write(&post(path, "", &[b'a'; 400_000]));
    }
    gate.wait_for(2);
    let bytes = in_use(&server);
    assert!((800_000..=1_000_000).contains(&bytes), "{bytes}");

    for request in [post("/payload", "", &[b'a'; 400_000]), coded("gzip", &gzip(&[b'a'; 400_000]))] {
        let reply = server.send(&request);
        assert_eq!((reply.status, &*reply.error()), (503, "too many submissions at the same time"));
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
    received(&server.post("/payload", "{}"), b"{}", false);

    gate.open();
    for mut client in held {
        assert_eq!(client.reply().json()["length"], 400_000);
    }
    received(&server.post("/payload", &[b'a'; 400_000]), &[b'a'; 400_000], false);
    assert_eq!(in_use(&server), 0);
}

#[test]
fn slow_large_bodies_leave_memory_to_others() {
    const MIB: usize = 1 << 20;
    let server = server(|config| {
        config.server.max_bytes_in_flight = 4 * MIB as u64;
        config.server.spill_above_bytes = 100_000;
    });
    // One may not use all the memory, and is not read in vain.
    let mut client = server.connect();
    client.write(&format!("POST /memory HTTP/1.1\r\nContent-Length: {}\r\n\r\n", 4 * MIB - 1));
    assert_eq!(client.reply().status, 413);

    let request = post("/memory", "", &noise(3 * MIB));
    let (start, end) = request.split_at(request.len() - 1000);
    let mut slow = server.connect();
    slow.write(start);
    while in_use(&server) < 3 * MIB as u64 - 1000 {
        std::thread::yield_now();
    }
    let reply = server.post("/memory", &noise(200_000));
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    received(&server.post("/payload", &noise(400_000)), &noise(400_000), true);
    assert_eq!(server.post("/json", "{}").json(), json!({}));

    slow.write(end);
    assert_eq!(slow.reply().json()["length"], 3 * MIB);
    assert_eq!(server.post("/memory", &noise(200_000)).json()["length"], 200_000);
    assert_eq!(in_use(&server), 0);
}

#[test]
fn the_largest_body_fits_into_memory() {
    let server = server(|_| {});
    let body = vec![b'a'; 200_000_000];
    assert_eq!(server.post("/memory", &body).json()["length"], 200_000_000);
    let reply = server.send("POST /memory HTTP/1.1\r\nContent-Length: 200000001\r\n\r\n");
    assert_eq!((reply.status, &*reply.error()), (413, "the body is larger than 200000000 bytes"));
}

#[test]
fn a_part_of_the_memory_is_for_little_bodies() {
    let server = server(|config| config.server.max_bytes_in_flight = 1_000_000);
    let gate = Gate::named("little bodies");
    let mut held: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for client in &mut held {
        client.write(&post("/payload/little%20bodies", "", &[b'a'; 430_000]));
    }
    gate.wait_for(2);
    assert_eq!(server.post("/payload", &noise(100_000)).status, 503);
    received(&server.post("/payload", &noise(60_000)), &noise(60_000), false);
    gate.open();
}

#[test]
fn temporary_files_need_space() {
    let server = server(|config| config.intake.min_free_bytes = u64::MAX);
    for request in [post("/payload", "", &noise(2 << 20)), coded("zstd", &zstd(&[0; 2 << 20]))] {
        let reply = server.send(&request);
        assert_eq!((reply.status, &*reply.error()), (503, "there is not enough free disk space"));
    }
    received(&server.post("/payload", "{}"), b"{}", false);
}

#[test]
fn temporary_files_of_all_bodies() {
    let server = server(|config| config.server.max_spilled_bytes = 5_000_000);
    let gate = Gate::named("temporary files");
    let mut held = server.connect();
    held.write(&post("/payload/temporary%20files", "", &noise(3_000_000)));
    gate.wait_for(1);
    for request in [post("/payload", "", &noise(3_000_000)), coded("zstd", &zstd(&[0; 3_000_000]))] {
        let reply = server.send(&request);
        assert_eq!((reply.status, &*reply.error()), (503, "too many submissions at the same time"));
    }
    received(&server.post("/payload", &noise(1_500_000)), &noise(1_500_000), true);
    gate.open();
    assert_eq!(held.reply().json()["length"], 3_000_000);
    received(&server.post("/payload", &noise(3_000_000)), &noise(3_000_000), true);
}

#[test]
fn temporary_files_that_cannot_be_written() {
    let server = server(|config| config.server.spill_above_bytes = 1000);
    received(&server.post("/payload", &noise(2000)), &noise(2000), true);
    std::fs::remove_dir(server.state_dir().join("tmp")).unwrap();
    let reply = server.post("/payload", &noise(2000));
    assert_eq!((reply.status, &*reply.error()), (500, "Internal Server Error"));
    received(&server.post("/payload", "{}"), b"{}", false);
}
