//! An S3 server that fails, lies and hangs.

use crate::process::check::{check, check_kept};
use crate::process::kills;
use crate::process::load::Load;
use crate::process::server::{Server, Setup};
use ooni_api::failpoint::Failpoint;
use ooni_testkit::s3_server::{self, Fault, Plan};
use std::fs;
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const BUCKET: &str = "ooni";

/// A bucket in a folder, and a setup whose archive is there.
struct Bucket {
    folder: TempDir,
    setup: Setup,
}

impl Bucket {
    fn new() -> Bucket {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut setup = Setup::new();
        setup.set("AWS_ACCESS_KEY_ID", "id");
        setup.set("AWS_SECRET_ACCESS_KEY", "secret");
        Bucket { folder, setup }
    }

    /// Serves the bucket, in place of the server before.
    fn serve(&mut self, faults: Vec<(Fault, u64)>, seed: u64) -> s3_server::Server {
        let signed = Some(("id".to_owned(), "secret".to_owned()));
        let plan = Plan { seed, faults, signed, ..Plan::default() };
        let server = s3_server::start(self.folder.path(), plan);
        self.setup.use_s3(&server.url, BUCKET, self.folder.path().join(BUCKET));
        server
    }
}

#[test]
fn killed_at_each_step_with_s3() {
    let mut bucket = Bucket::new();
    let _server = bucket.serve(Vec::new(), 0);
    let load = Load::slow();
    for point in Failpoint::PIPELINE {
        let server = Server::start(&bucket.setup, Some(point.name()));
        let submitting = load.start(server.address());
        server.wait_until_killed(point.name());
        submitting.wait();
        check_kept(&bucket.setup, &load);
    }
    check(&bucket.setup, &load);
}

#[test]
fn a_server_that_fails_and_lies() {
    let mut faults = vec![
        (Fault::Status(503), 20),
        (Fault::Status(500), 10),
        (Fault::Reset(0), 20),
        (Fault::Reset(1000), 20),
        (Fault::Short(100), 20),
        (Fault::Corrupt, 20),
        (Fault::Delay(300), 30),
        (Fault::StoreShort(1000), 80),
        (Fault::StoreShort(0), 20),
    ];
    if kills() > 10 {
        faults.push((Fault::Stall(0), 2)); // each takes half a minute
    }
    let mut bucket = Bucket::new();
    let load = Load::slow();
    for kill in 0..2.max(kills() / 4) {
        let _s3 = bucket.serve(faults.clone(), kill);
        let server = Server::start(&bucket.setup, None);
        let submitting = load.start(server.address());
        sleep(Duration::from_millis(1500 + kill * 7919 % 2000));
        server.kill();
        submitting.wait();
        check_kept(&bucket.setup, &load);
    }
    // It succeeds with the same server.
    let s3 = bucket.serve(faults, 1000);
    let server = Server::start(&bucket.setup, None);
    server.wait_until_archived();
    server.kill();
    check_kept(&bucket.setup, &load);
    assert!(s3.asked().iter().any(|asked| asked.method == "PUT"));
    drop(s3);
    let _s3 = bucket.serve(Vec::new(), 0);
    check(&bucket.setup, &load);
}

#[test]
fn a_server_that_hangs() {
    let mut bucket = Bucket::new();
    let s3 = bucket.serve(vec![(Fault::Stall(0), 1000)], 0);
    let load = Load::slow();
    let server = Server::start(&bucket.setup, None);
    let submitting = load.start(server.address());
    server.wait_for("nothing is archived", |_| !s3.asked().is_empty());
    // The rest goes on.
    let count = load.count();
    server.wait_for("nothing was accepted", |_| load.count() > count + 100);
    submitting.stop();
    let health = server.wait_until_scored();
    assert_eq!((health["archive"]["cans"].as_u64(), health["archive"]["postcans"].as_u64()), (Some(0), Some(0)));
    server.stop();
    check_kept(&bucket.setup, &load);
    drop(s3);
    let _s3 = bucket.serve(Vec::new(), 0);
    check(&bucket.setup, &load);
}
