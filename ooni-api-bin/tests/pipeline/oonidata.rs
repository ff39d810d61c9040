//! OONI's program that downloads measurements reads the archive.
//!
//! The test is skipped where the program cannot be installed: there are no wheels of its dependency lxml 4.9 for Python 3.13
//! and later.

use crate::process::archive;
use crate::process::server::{Server, Setup};
use crate::submit::{TIME, report_of, submit};
use flate2::read::MultiGzDecoder;
use ooni_testkit::corpus::{Options, generate};
use ooni_testkit::python::Package;
use ooni_testkit::s3_server::{Plan, start};
use ooni_testkit::skip_without;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

/// The bucket that it reads.
const BUCKET: &str = "ooni-data-eu-fra";

#[test]
fn oonidata_syncs_the_archive() {
    let python = Package::Oonidata.python();
    skip_without!(&python);
    let mut setup = Setup::new();
    setup.start_at(TIME);
    let buckets = setup.folder().join("buckets");
    fs::create_dir_all(buckets.join(BUCKET)).unwrap();
    let s3 = start(&buckets, Plan::default());
    setup.use_s3(&s3.url, BUCKET, buckets.join(BUCKET));

    let server = Server::start(&setup, None);
    let mut submitted = BTreeMap::new();
    let options = Options { n: 200, seed: 3, wc_share: 0.5, malformed: 0.0, odd: 0.0, ..Options::default() };
    for (number, made) in generate(&options).unwrap().enumerate() {
        let mut content: Value = serde_json::from_slice(&made.content).unwrap();
        let text = std::str::from_utf8(&made.content).unwrap();
        let (path, body) = match number % 2 {
            0 => (report_of(&made, number), [b"{\"format\":\"json\",\"content\":", text.as_bytes(), b"}"].concat()),
            _ => {
                ("/api/v1/submit_measurement".to_owned(), json!({"format": "json", "content": text}).to_string().into())
            }
        };
        let Some((uid, _)) = submit(server.address(), &path, &body) else { continue };
        content["measurement_uid"] = json!(uid);
        submitted.insert(uid, content);
        // These are not measurements, and do not disturb those of the same can.
        submit(server.address(), &path, format!("not JSON {number}").as_bytes());
    }
    assert!(submitted.len() > 150, "{}", submitted.len());
    server.stop();
    setup.complete(&["job", "archive", "--current"]);
    assert!(archive::bodies(&setup.archive()).len() > submitted.len());

    let downloads = setup.folder().join("downloads");
    let mut sync = Command::new(python.unwrap());
    sync.args(["-m", "oonidata.main", "sync", "--start-day", "2025-07-15", "--end-day", "2025-07-17", "--output-dir"]);
    sync.arg(&downloads)
        .env("AWS_ENDPOINT_URL", &s3.url)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("NO_PROXY", "127.0.0.1");
    let synced = sync.output().unwrap();
    let said = String::from_utf8_lossy(&synced.stderr);
    assert!(synced.status.success() && !said.contains("failed to stream"), "{said}");
    let downloaded = lines(&downloads);
    assert!(downloaded.keys().eq(submitted.keys()), "{} of {}: {said}", downloaded.len(), submitted.len());
    for (uid, content) in &submitted {
        assert_eq!(downloaded[uid], *content, "{uid}");
    }
    // The lines have the same measurements.
    let lines = archive::lines(&setup.archive());
    let in_lines = lines.values().flatten().filter(|line| *line != b"{}");
    let mut in_lines: Vec<Value> = in_lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    let mut contents: Vec<Value> = submitted.into_values().collect();
    contents.iter_mut().for_each(|content| _ = content.as_object_mut().unwrap().remove("measurement_uid"));
    let key = |value: &Value| value.to_string();
    in_lines.sort_by_key(key);
    contents.sort_by_key(key);
    assert!(in_lines == contents);
}

/// The measurements in the files that were downloaded, by uid.
#[allow(clippy::disallowed_methods)] // oonidata has written what is read
fn lines(folder: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            assert!(path.to_str().unwrap().ends_with(".jsonl.gz"), "{}", path.display());
            for line in BufReader::new(MultiGzDecoder::new(fs::File::open(&path).unwrap())).lines() {
                let value: Value = serde_json::from_str(&line.unwrap()).unwrap();
                let uid = value["measurement_uid"].as_str().unwrap().to_owned();
                assert!(found.insert(uid, value).is_none(), "{}", path.display());
            }
        }
    }
    found
}
