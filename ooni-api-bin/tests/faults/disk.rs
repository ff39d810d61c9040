//! Disks and files that are full.

use crate::process::check::{check, check_kept};
use crate::process::load::{Answer, Load, post, request};
use crate::process::server::{Server, Setup};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A disk of 64 MiB.
struct Disk(TempDir);

impl Disk {
    /// `None` if this user may not mount disks.
    fn mount() -> Option<Disk> {
        let disk = Disk(TempDir::new().unwrap());
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(disk.path()).status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(disk);
        }
        eprintln!("skipped: only root can mount a small disk");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills the disk but for some bytes.
    fn fill(&self, free: u64) {
        let mut file = fs::File::create(self.path().join("ballast")).unwrap();
        let is_full = || rustix::fs::statvfs(self.path()).is_ok_and(|disk| disk.f_bavail * disk.f_frsize <= free);
        while !is_full() && file.write_all(&[0; 4096]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A measurement of more than a megabyte that the probes do not reach.
const LARGE: u64 = 95 + 23 * 5 * 1_000_000;

/// A request with a measurement of that size.
fn large_submission() -> Vec<u8> {
    let content = json!({
        "probe_cc": "IT", "probe_asn": "AS1", "test_name": "ndt", "test_keys": {"pad": "x".repeat(1_200_000)}
    });
    let body = json!({"format": "json", "content": content.to_string()}).to_string();
    post("/api/v1/submit_measurement", body.as_bytes())
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    let Some(disk) = Disk::mount() else { return };
    let mut setup = Setup::new();
    setup.use_state(disk.path().join("state"));
    let load = Load::slow();
    let server = Server::start(&setup, None);
    let submitting = load.start(server.address());
    server.wait_for("nothing was stored", |health| health["scoring"]["stored"].as_u64() > Some(0));
    for free in [0, 100_000] {
        disk.fill(free);
        let before = load.unavailable();
        server.wait_for("submissions are accepted", |_| load.unavailable() > before + 100);
        // These need a temporary file.
        assert_eq!(load.probe(server.address()).unwrap().send(LARGE), Some(Answer::Unavailable));
        let answer = request(server.address(), &large_submission()).unwrap();
        assert!(answer.0.starts_with("HTTP/1.1 503 ") && answer.0.contains("\r\nretry-after: "), "{}", answer.0);
        disk.empty();
        let count = load.count();
        server.wait_for("nothing is accepted", |_| load.count() > count + 100);
        let accepted = server.health()["intake"]["accepted"].as_u64();
        server.wait_for("nothing is stored", |health| {
            let pending = health["scoring"]["pending"].as_u64().unwrap();
            health["intake"]["accepted"].as_u64().unwrap() > accepted.unwrap() + pending
        });
    }
    disk.fill(0);
    server.kill();
    submitting.wait();
    check_kept(&setup, &load);
    disk.empty();
    check(&setup, &load);
}

#[test]
fn little_space_for_a_while() {
    let Some(disk) = Disk::mount() else { return };
    let mut setup = Setup::new();
    setup.use_state(disk.path().join("state"));
    setup.set("OONI_API_INTAKE_MIN_FREE_BYTES", "32000000");
    let load = Load::slow();
    let server = Server::start(&setup, None);
    let submitting = load.start(server.address());
    server.wait_for("nothing was stored", |health| health["scoring"]["stored"].as_u64() > Some(0));
    disk.fill(24_000_000);
    let health = server.wait_for("submissions are accepted", |health| {
        health["intake"]["low_disk"] == true && load.unavailable() > 100
    });
    assert_eq!((&health["status"], &health["errors"][0]), (&json!("fail"), &json!("low_disk")), "{health}");
    let answer = request(server.address(), b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    assert!(answer.0.starts_with("HTTP/1.1 503 "), "{}", answer.0);
    // The rest goes on.
    let health = server.wait_until_scored();
    assert_eq!((&health["scoring"]["failing"], &health["intake"]["failures"]), (&json!(false), &json!(0)), "{health}");
    disk.empty();
    let count = load.count();
    server.wait_for("nothing is accepted", |health| load.count() > count + 100 && health["status"] != "fail");
    submitting.stop();
    server.stop();
    check(&setup, &load);
}

/// Files may not grow, as with a quota. The signal that the system sends then does not end the program.
#[test]
fn files_that_may_not_grow() {
    let mut setup = Setup::new();
    let load = Load::new();
    let server = Server::start(&setup, None);
    let submitting = load.start(server.address());
    server.wait_for("nothing was stored", |health| health["scoring"]["stored"].as_u64() > Some(0));
    submitting.stop();
    server.stop();
    setup.use_shell("ulimit -f 3000; exec \"$0\" \"$@\""); // in blocks of 512 or 1,024 bytes
    let server = Server::start(&setup, None);
    let submitting = load.start(server.address());
    server.wait_for("submissions are accepted", |health| {
        load.unavailable() > 100 && health["intake"]["failures"].as_u64() > Some(0)
    });
    // The segment of the next hour has space.
    let count = load.count();
    server.wait_for("nothing is accepted", |_| load.count() > count + 100);
    submitting.stop();
    server.stop();
    check_kept(&setup, &load);
    setup.use_shell("");
    check(&setup, &load);
}

/// What is answered to a head without a body.
fn answer(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[test]
fn too_little_space_is_answered_before_the_body_is_read() {
    let report = "/report/20260301T000000Z_ndt_IT_1_n1_AAAAAAAAAAAAAAAA";
    let mut setup = Setup::new();
    let lengths =
        ["content-length: 100000", "content-length: 100000\r\nexpect: 100-continue", "transfer-encoding: chunked"];
    for (min_free_bytes, status) in [(1, "100"), (1_u64 << 60, "503")] {
        setup.set("OONI_API_INTAKE_MIN_FREE_BYTES", min_free_bytes.to_string());
        let server = Server::start(&setup, None);
        for path in [report, "/api/v1/submit_measurement"] {
            for length in lengths {
                if status == "100" && !length.contains("expect") {
                    continue;
                }
                let answer = answer(server.address(), &format!("POST {path} HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n"));
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
                assert_eq!(answer.contains("\r\nretry-after: "), status == "503", "{answer}");
            }
        }
        server.stop();
    }
}
