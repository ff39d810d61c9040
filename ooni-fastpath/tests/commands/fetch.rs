//! `fastpath fetch`: copies are complete, can be resumed, and can be used as a source.

mod network;

use ooni_testkit::s3_server::{Fault, Plan, Server, start};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const KEYS: [(&str, usize); 6] = [
    ("canned/2020-10-20/ndt.0.tar.lz4", 1000),
    ("canned/2020-10-21/web_connectivity.00.tar.lz4", 2000),
    ("raw/20201020/11/IT/urlgetter/2020102011_IT_urlgetter.n1.0.jsonl.gz", 300),
    ("raw/20201020/11/IT/urlgetter/2020102011_IT_urlgetter.n1.0.tar.gz", 400),
    ("raw/20201021/11/US/ndt/2020102111_US_ndt.n1.0.tar.gz", 5_000_000),
    ("raw/20201022/11/US/ndt/2020102211_US_ndt.n1.0.tar.gz", 6),
];

fn buckets() -> TempDir {
    let root = TempDir::new().unwrap();
    for (key, size) in KEYS {
        let path = root.path().join("archive").join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text: Vec<u8> = (0..size).map(|at| (at * at % 251) as u8).collect();
        fs::write(path, text).unwrap();
    }
    root
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
    command.args(["fetch", "--start-day", "2020-10-20", "--end-day", "2020-10-22"]).args(arguments);
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        command.env_remove(name);
    }
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    command.stdin(Stdio::null());
    command
}

fn fetch(server: &Server, out: &Path, more: &[&str]) -> Output {
    let arguments = ["--source", "s3://archive", "--s3-endpoint", &server.url, "--out", out.to_str().unwrap()];
    command(&arguments).args(more).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The keys of all files in a folder.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path => found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

fn same(root: &TempDir, out: &Path, keys: &[&str]) {
    assert_eq!(files(out), keys);
    for key in keys {
        assert!(fs::read(root.path().join("archive").join(key)).unwrap() == fs::read(out.join(key)).unwrap(), "{key}");
    }
}

fn out() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("copy");
    (folder, path)
}

#[test]
fn a_copy() {
    let root = buckets();
    let server = start(root.path(), Plan::default());
    let (_folder, out) = out();
    let dry = fetch(&server, &out, &["--dry-run"]);
    assert_eq!((dry.status.code(), out.exists(), server.objects().len()), (Some(0), false, 0));
    assert_eq!(
        text(&dry.stdout),
        "day         test             cans    bytes\n\
         2020-10-20  ndt                 1     1000\n\
         2020-10-20  urlgetter           1      400\n\
         2020-10-21  ndt                 1  5000000\n\
         2020-10-21  webconnectivity     1     2000\n\
         all                             4  5003400\n"
    );
    let ran = fetch(&server, &out, &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(ran.stdout, dry.stdout);
    let cans = [KEYS[0].0, KEYS[1].0, KEYS[3].0, KEYS[4].0];
    same(&root, &out, &cans);
    assert!(server.asked().iter().all(|asked| !asked.signed));

    // Only damaged copies are copied again.
    let before = server.objects().len();
    fs::write(out.join(KEYS[1].0), vec![0; 2000]).unwrap();
    fs::write(out.join(KEYS[3].0), "short").unwrap();
    assert_eq!(fetch(&server, &out, &[]).status.code(), Some(0));
    assert_eq!(server.objects().len(), before + 2);
    same(&root, &out, &cans);

    // The copy can be used as a source.
    let again = command(&["--dry-run", "--source", out.to_str().unwrap()]).output().unwrap();
    assert_eq!(text(&again.stdout), text(&dry.stdout));

    let with_lines = fetch(&server, &out, &["--with-jsonl", "--ccs", "it", "--testnames", "url_getter"]);
    assert_eq!(with_lines.status.code(), Some(0));
    assert!(out.join(KEYS[2].0).is_file());
}

#[test]
fn through_faults() {
    let root = buckets();
    let faults = vec![(Fault::Status(503), 100), (Fault::Reset(2_000_000), 200), (Fault::Short(5), 100)];
    let server = start(root.path(), Plan { seed: 5, faults, ..Plan::default() });
    let (_folder, out) = out();
    let ran = fetch(&server, &out, &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    same(&root, &out, &[KEYS[0].0, KEYS[1].0, KEYS[3].0, KEYS[4].0]);
    assert!(text(&ran.stderr).contains("requests were retried"), "{}", text(&ran.stderr));
}

#[test]
fn a_killed_fetch_is_resumed() {
    let root = buckets();
    let (_folder, out) = out();
    // The last and largest download does not complete.
    let server = start(root.path(), Plan { faults: vec![(Fault::Stall(3_000_000), 1000)], ..Plan::default() });
    let arguments = ["--source", "s3://archive", "--s3-endpoint", &server.url, "--out", out.to_str().unwrap()];
    let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let part = loop {
        let files = files(&out);
        let part = files.iter().find(|name| name.contains("_US_ndt.") && name.ends_with(".part")).cloned();
        match part.filter(|part| fs::metadata(out.join(part)).is_ok_and(|metadata| metadata.len() >= 2_500_000)) {
            Some(part) => break part,
            None => std::thread::yield_now(),
        }
        assert!(child.try_wait().unwrap().is_none(), "fetch ended by itself");
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let had = fs::metadata(out.join(part)).unwrap().len();
    let healthy = start(root.path(), Plan::default());
    let ran = fetch(&healthy, &out, &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    same(&root, &out, &[KEYS[0].0, KEYS[1].0, KEYS[3].0, KEYS[4].0]);
    let ranges: Vec<_> = healthy.objects().into_iter().filter_map(|asked| asked.range).collect();
    assert_eq!(ranges, [format!("bytes={had}-4999999")]);
}

#[test]
fn a_folder_is_compared_by_content() {
    let root = buckets();
    let (_folder, out) = out();
    let source = root.path().join("archive");
    let fetch = || command(&["--source", source.to_str().unwrap(), "--out", out.to_str().unwrap()]).output().unwrap();
    let cans = [KEYS[0].0, KEYS[1].0, KEYS[3].0, KEYS[4].0];
    let ran = fetch();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    same(&root, &out, &cans);
    // The same size, but other bytes.
    let mut bytes = fs::read(out.join(KEYS[4].0)).unwrap();
    bytes[4_999_999] ^= 1;
    fs::write(out.join(KEYS[4].0), bytes).unwrap();
    fs::write(out.join(KEYS[1].0), vec![0; 2000]).unwrap();
    let ran = fetch();
    assert_eq!(ran.status.code(), Some(0));
    assert!(text(&ran.stderr).contains("4 of 4 cans, 2 of them already there"), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).lines().all(|line| line.len() <= 80), "{}", text(&ran.stderr));
    same(&root, &out, &cans);
    // There is a folder where a file should be.
    fs::remove_file(out.join(KEYS[0].0)).unwrap();
    fs::create_dir(out.join(KEYS[0].0)).unwrap();
    let ran = fetch();
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains(KEYS[0].0), "{}", text(&ran.stderr));
}

#[cfg(unix)]
#[test]
fn linked_folders_are_followed() {
    let root = buckets();
    let hour = root.path().join("archive/raw/20201021/11");
    fs::rename(&hour, root.path().join("disk2")).unwrap();
    std::os::unix::fs::symlink(root.path().join("disk2"), &hour).unwrap();
    // A cycle of links ends where no can is expected.
    std::os::unix::fs::symlink(root.path().join("archive/raw"), root.path().join("disk2/raw")).unwrap();
    let (_folder, out) = out();
    let source = root.path().join("archive");
    let ran = command(&["--source", source.to_str().unwrap(), "--out", out.to_str().unwrap()]).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    same(&root, &out, &[KEYS[0].0, KEYS[1].0, KEYS[3].0, KEYS[4].0]);
}

#[test]
fn nothing_found_is_a_failure() {
    let root = buckets();
    let source = root.path().join("archive");
    let ran = command(&["--source", source.to_str().unwrap(), "--dry-run", "--ccs", "FR", "--testnames", "dash"])
        .output()
        .unwrap();
    let stderr = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1));
    assert!(stderr.contains("/archive: no cans below") && stderr.contains("countries FR, tests dash"), "{stderr}");
    assert!(stderr.ends_with("; countries there: IT US; tests there: ndt webconnectivity\n"), "{stderr}");
}

/// Names are judged by the listing that is needed anyway, before anything is copied.
#[test]
fn unknown_names() {
    let root = buckets();
    let new = root.path().join("archive/raw/20201021/12/Q1/newtest/2020102112_Q1_newtest.n1.0.tar.gz");
    fs::create_dir_all(new.parent().unwrap()).unwrap();
    fs::write(&new, "new").unwrap();
    let server = start(root.path(), Plan::default());
    let (_folder, out) = out();
    let mut listings = 0;
    let mut fetch = |arguments: &[&str]| {
        let ran = fetch(&server, &out, arguments);
        let before = std::mem::replace(&mut listings, server.listings().len());
        (ran, listings - before)
    };
    let (ran, listings_of_known) = fetch(&["--testnames", "signal"]);
    assert_eq!(ran.status.code(), Some(1));
    let (ran, listings_of_unknown) = fetch(&["--testnames", "signl"]);
    assert_eq!((ran.status.code(), listings_of_unknown), (Some(2), listings_of_known));
    let stderr = text(&ran.stderr);
    assert!(stderr.contains("nothing found in s3://archive: "), "{stderr}");
    assert!(stderr.contains("; tests there: ndt newtest urlgetter webconnectivity\n"), "{stderr}");
    assert!(
        stderr.ends_with("fastpath: --testnames signl: nothing found; unknown test; did you mean signal?\n"),
        "{stderr}"
    );
    let (ran, _) = fetch(&["--testnames", "ndt,signl"]);
    assert_eq!((ran.status.code(), out.exists(), server.objects().len()), (Some(2), false, 0));
    let (ran, _) = fetch(&["--testnames", "new_test", "--ccs", "q1"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(files(&out), [new.strip_prefix(root.path().join("archive")).unwrap().to_str().unwrap()]);
    // If the listing fails, no name is reported as unknown.
    let listings = vec![Some(Fault::Status(403)); 100];
    let broken = start(root.path(), Plan { listings, ..Plan::default() });
    let ran = super::fetch::fetch(&broken, &out, &["--testnames", "signl"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(!text(&ran.stderr).contains("unknown test"), "{}", text(&ran.stderr));
}

#[test]
fn signed() {
    let root = buckets();
    let signed = Some(("KEYOFTHISTEST".to_owned(), "SECRETOFTHISTEST".to_owned()));
    let server = start(root.path(), Plan { signed, ..Plan::default() });
    let (_folder, out) = out();
    let with = |key: &str, secret: &str| {
        command(&["--source", "s3://archive", "--s3-endpoint", &server.url, "--out", out.to_str().unwrap()])
            .envs([("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)])
            .output()
            .unwrap()
    };
    let unsigned = fetch(&server, &out, &[]);
    assert_eq!(unsigned.status.code(), Some(1));
    assert!(text(&unsigned.stderr).contains("access denied"), "{}", text(&unsigned.stderr));
    for (key, secret) in [("KEYOFTHISTEST", "WRONGSECRET"), ("OTHERKEY", "SECRETOFTHISTEST")] {
        let wrong = with(key, secret);
        let stderr = text(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(1));
        assert!(stderr.contains("rejects the credentials") && stderr.contains("s3://archive/"), "{stderr}");
        assert!(!stderr.contains(key) && !stderr.contains(secret), "{stderr}");
    }
    assert_eq!(with("KEYOFTHISTEST", "SECRETOFTHISTEST").status.code(), Some(0));
    same(&root, &out, &[KEYS[0].0, KEYS[1].0, KEYS[3].0, KEYS[4].0]);
}

#[test]
fn missing_cans_are_named() {
    let root = buckets();
    let objects = vec![Some(Fault::Status(404))];
    let server = start(root.path(), Plan { objects, ..Plan::default() });
    let (_folder, out) = out();
    let ran = fetch(&server, &out, &["--jobs", "1"]);
    let stderr = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1));
    assert!(stderr.contains(&format!("s3://archive/{}: no such object", KEYS[0].0)), "{stderr}");
    same(&root, &out, &[KEYS[1].0, KEYS[3].0, KEYS[4].0]);
    let nowhere = command(&["--source", "s3://nowhere", "--s3-endpoint", &server.url, "--dry-run"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(text(&nowhere.stderr).contains("no such bucket"), "{}", text(&nowhere.stderr));
}

#[test]
fn arguments() {
    let fetch = |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_fastpath")).arg("fetch").args(arguments).output();
    let days = ["--start-day", "2020-10-20", "--end-day", "2020-10-21"];
    for wrong in [
        &["--start-day", "2020-10-20", "--out", "x"][..],
        &["--start-day", "2020-10-20", "--end-day", "2020-10-20", "--out", "x"],
        &["--start-day", "20201020", "--end-day", "2020-10-21", "--out", "x"],
        &[&days[..], &["--out", "x", "--ccs", "ITA"]].concat(),
        &[&days[..], &["--out", "x", "--testnames", "a/b"]].concat(),
        &[&days[..], &["--out", "x", "--source", "/nonexistent"]].concat(),
        &[&days[..], &["--out", "x", "--source", "gs://bucket"]].concat(),
        &[&days[..], &["--out", "x", "--source", "s3://b", "--s3-endpoint", "not a url"]].concat(),
        &days,
    ] {
        let ran = fetch(wrong).unwrap();
        assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{wrong:?}");
        assert!(!ran.stderr.is_empty());
    }
    let help = fetch(&["--help"]).unwrap();
    for word in ["--source", "--s3-endpoint", "--dry-run", "Ctrl-C", "Exit code", "AWS_ACCESS_KEY_ID"] {
        assert!(text(&help.stdout).contains(word), "{word}");
    }
}
