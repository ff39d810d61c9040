//! Logs in temporary directories, with a clock that tests set.

use ooni_api::clock::{Clock, Hour, Timestamp};
use ooni_api::intake::{Error, Intake, Options, Payload, Position, Record, Recovery, Route, Side, Submission};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const HOUR: u64 = 3600 * SECOND;

/// 22:00 on a day in 2021.
pub(crate) fn start() -> u64 {
    Hour::parse("2021020822").unwrap().start().micros()
}

/// A clock that stands still until it is set.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn at(micros: u64) -> Hand {
        Hand(Arc::new(AtomicU64::new(micros)))
    }

    pub(crate) fn set(&self, micros: u64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, micros: u64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::new(move || Timestamp::from_micros(hand.0.load(Ordering::SeqCst)))
    }
}

pub(crate) struct Directory {
    pub(crate) temporary: tempfile::TempDir,
    pub(crate) hand: Hand,
}

impl Directory {
    pub(crate) fn new() -> Directory {
        Directory { temporary: tempfile::tempdir().unwrap(), hand: Hand::at(start()) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    pub(crate) async fn open(&self) -> Intake {
        self.reopen().await.0
    }

    pub(crate) async fn reopen(&self) -> (Intake, Recovery) {
        open(options(self.path()), &self.hand).await
    }

    /// The files with a suffix, sorted.
    pub(crate) fn files(&self, suffix: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect();
        files.sort();
        files
    }
}

pub(crate) fn options(directory: &Path) -> Options {
    Options { min_free_bytes: 0, ..Options::new(directory) }
}

/// Opens a log. A process that another test has just forked may hold the lock of a closed log until it runs its program.
pub(crate) async fn open(options: Options, hand: &Hand) -> (Intake, Recovery) {
    for _ in 0..1000 {
        match Intake::open(options.clone(), hand.clock()).await {
            Err(Error::Locked(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays locked", options.directory.display());
}

pub(crate) fn report(report_id: &str, body: impl Into<Vec<u8>>) -> Submission {
    Submission {
        route: Route::Report,
        key_report_id: report_id.to_owned(),
        probe_cc: "IT".to_owned(),
        test_name: "ndt".to_owned(),
        uid: None,
        headers: vec![("user-agent".to_owned(), "probe/3".to_owned())],
        side: Side::default(),
        body: Payload::Memory(body.into().into()),
    }
}

pub(crate) fn imported(uid: &str, body: impl Into<Vec<u8>>) -> Submission {
    Submission { route: Route::Import, uid: Some(uid.to_owned()), ..report("", body) }
}

pub(crate) fn in_a_file(report_id: &str, body: &[u8]) -> Submission {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(body).unwrap();
    Submission { body: Payload::File { file, length: body.len() as u64, space: None }, ..report(report_id, "") }
}

/// A body of a given length that says which one it is.
pub(crate) fn body(number: usize, length: usize) -> Vec<u8> {
    let mut body = format!("{{\"number\":{number}}}").into_bytes();
    let seed = number as u8;
    body.extend((body.len()..length).map(|place| (place as u8).wrapping_mul(31).wrapping_add(seed)));
    body
}

/// All records that are durable now.
pub(crate) async fn records(intake: &Intake) -> Vec<Record> {
    let mut reader = intake.reader(Position::default());
    let mut records = Vec::new();
    while let Some((record, position)) = reader.next_ready().await.unwrap() {
        assert_eq!((position.sequence, position.received), (record.sequence, record.received));
        records.push(record);
    }
    records
}

pub(crate) fn uids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.uid.as_str()).collect()
}

pub(crate) fn bodies(records: &[Record]) -> Vec<Vec<u8>> {
    records.iter().map(|record| record.body.bytes().unwrap().to_vec()).collect()
}
