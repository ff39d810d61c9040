//! Processes that are killed while they write.

use crate::support::{Engine, InFile, open, open_to_read, sound};
use ooni_store::OnExisting;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Rows in a batch of the child process.
const BATCH: u32 = 100;

/// The child process of [`killed_while_writing`]: writes batches without end, and prints when one is durable.
#[test]
#[ignore = "a child process of another test"]
fn writer() {
    let store = open(&std::env::var("STORE").unwrap()).unwrap();
    for batch in 0.. {
        let written = store.write(&sound(batch * BATCH..(batch + 1) * BATCH), OnExisting::Keep).unwrap();
        assert_eq!(written.inserted + written.already, u64::from(BATCH));
        println!("durable {batch}");
    }
}

#[test]
fn killed_while_writing() {
    let engine = InFile::new();
    let mut whole = 0;
    for kill in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::writer", "--ignored", "--nocapture", "--test-threads", "1"])
            .env("STORE", engine.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable = 0;
        // Waits for some more batches than before, and then kills the process somewhere within a batch.
        while durable <= whole + 2 * kill {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, number)) = line.split_once("durable ") {
                durable = number.parse::<u64>().unwrap() + 1;
            }
        }
        (0..kill * 300_000).for_each(|spin| assert!(std::hint::black_box(spin) < u64::MAX));
        child.kill().unwrap();
        child.wait().unwrap();
        let rows = open_to_read(&engine.url()).unwrap().count().unwrap();
        assert_eq!(rows % u64::from(BATCH), 0, "a partial batch");
        assert!(rows >= durable * u64::from(BATCH), "{durable} batches were acknowledged, there are {rows} rows");
        assert_eq!(engine.query("PRAGMA integrity_check"), [["ok"]]);
        assert_eq!(engine.table("jsonl").len() as u64, rows);
        whole = rows / u64::from(BATCH);
    }
    assert!(whole > 16);
}
