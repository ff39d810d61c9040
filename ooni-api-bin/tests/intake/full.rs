//! Disks without space, and syncs that fail: no submission of that write is acknowledged, and later ones are accepted.

use crate::child::{command, run};
use crate::support::{Directory, HOUR, Hand, body, open, options, records, report, start};
use ooni_api::intake::{Error, Intake, Options};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// UIDs and bodies of the lines `ok`.
fn acknowledged(lines: &[String]) -> BTreeMap<String, Vec<u8>> {
    let body = |line: &String| {
        let [uid, number, length] = line.strip_prefix("ok ")?.split(' ').collect::<Vec<_>>()[..] else { return None };
        Some((uid.to_owned(), body(number.parse().unwrap(), length.parse().unwrap())))
    };
    lines.iter().filter_map(body).collect()
}

async fn stored(intake: &Intake) -> BTreeMap<String, Vec<u8>> {
    let records = records(intake).await;
    assert!(records.iter().zip(1..).all(|(record, sequence)| record.sequence == sequence));
    records.into_iter().map(|record| (record.uid, record.body.bytes().unwrap().to_vec())).collect()
}

#[tokio::test]
async fn a_file_that_may_not_grow() {
    let directory = Directory::new();
    let shell = "trap '' XFSZ; ulimit -f 600"; // in blocks of 512 or 1,024 bytes
    let (lines, status) = run(command(Some(shell), directory.path(), "full"));
    assert!(status.success(), "{lines:?}");
    let failed: Vec<&String> = lines.iter().filter(|line| line.starts_with("failed")).collect();
    assert!(failed.len() >= 8 && failed.iter().all(|line| line.contains("File too large")), "{lines:?}");
    let acknowledged = acknowledged(&lines);
    assert!(acknowledged.len() >= 28, "{lines:?}");
    let last = &lines[lines.len() - 2];
    assert!(
        last.starts_with("ok 2021020823") && last.contains(" 3000 "),
        "the next hour has a file of its own: {last}"
    );
    assert!(lines[lines.len() - 3].contains(" 2000 10"), "a small one still fits: {lines:?}");
    let (intake, recovery) = directory.reopen().await;
    assert_eq!((&recovery.cut, recovery.damaged.len()), (&None, 0), "{recovery}");
    assert!(stored(&intake).await == acknowledged);
}

#[tokio::test]
#[cfg(debug_assertions)] // there are no failpoints without
async fn a_sync_that_fails() {
    for times in [1, 3] {
        let directory = Directory::new();
        let mut command = command(None, directory.path(), "failed-syncs");
        command.env("OONI_API_FAILPOINT", format!("intake-sync-error:{times}"));
        let (lines, status) = run(command);
        assert!(status.success(), "{lines:?}");
        let failed = format!("failed {} sync ", times - 1);
        assert!(lines.len() == 6 && lines[times - 1].starts_with(&failed), "{lines:?}");
        let (intake, recovery) = directory.reopen().await;
        assert_eq!((&recovery.cut, recovery.damaged.len()), (&None, 0), "{recovery}");
        assert_eq!(recovery.segments, if times == 1 { 1 } else { 2 }, "an empty segment is replaced");
        let acknowledged = acknowledged(&lines);
        assert!(acknowledged.len() == 5 && stored(&intake).await == acknowledged);
    }
}

/// A process that was killed before the sync leaves records in the page cache. They count only if the next start can sync
/// them.
#[tokio::test]
#[cfg(debug_assertions)] // there are no failpoints without
async fn a_log_that_cannot_be_synced_is_not_opened() {
    let directory = Directory::new();
    let run = |failpoint: &str| {
        let mut command = command(None, directory.path(), "failed-syncs");
        command.env("OONI_API_FAILPOINT", failpoint);
        run(command)
    };
    let (lines, status) = run("intake-after-write");
    assert!(!status.success() && lines.is_empty(), "{lines:?}");
    let (lines, status) = run("recovery-sync-error");
    assert!(!status.success() && lines.is_empty(), "{lines:?}");
    let (intake, recovery) = directory.reopen().await;
    assert_eq!((recovery.records, recovery.cut), (1, None));
    assert!(intake.accept(report("r", body(0, 1000))).await.unwrap().repeated);
}

#[tokio::test]
async fn a_failure_is_reported_until_the_disk_works_again() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (temporary.path().join("log"), temporary.path().join("elsewhere"));
    let hand = Hand::at(start());
    let (intake, _) = open(options(&folder), &hand).await;
    intake.accept(report("r", "1")).await.unwrap();
    assert!(!intake.counters().failing);
    for is_retried in [true, false] {
        // The next hour needs a segment, which cannot be created.
        std::fs::rename(&folder, &elsewhere).unwrap();
        hand.advance(HOUR);
        intake.accept(report("r", "2")).await.unwrap_err();
        assert!(intake.counters().failing);
        intake.tick().await.unwrap_err();
        assert!(intake.counters().failing);
        std::fs::rename(&elsewhere, &folder).unwrap();
        match is_retried {
            true => drop(intake.accept(report("r", is_retried.to_string())).await.unwrap()),
            false => intake.tick().await.unwrap(),
        }
        assert!(!intake.counters().failing);
    }
    assert_eq!(records(&intake).await.len(), 2);
    let other = intake.clone();
    intake.shutdown().await;
    assert!(other.counters().failing, "the thread that writes has ended");
}

/// A disk of 1 MiB.
struct Disk<'a>(&'a Path);

impl Disk<'_> {
    /// `None` if this user may not mount disks.
    fn mount(path: &Path) -> Option<Disk<'_>> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(path).status();
        mount.is_ok_and(|status| status.success()).then_some(Disk(path))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_while() {
    let temporary = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(temporary.path()) else {
        eprintln!("not tested: only root can mount a small disk");
        return;
    };
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![0; 500_000]).unwrap();
    let hand = Hand::at(start());
    let options = Options { min_free_bytes: 100_000, ..options(&disk.0.join("log")) };
    let (intake, _) = open(options.clone(), &hand).await;
    intake.has_room().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut failures = 0;
    for number in 0..100 {
        let body = body(number, 10_000);
        match intake.accept(report("r", body.clone())).await {
            Ok(accepted) => _ = acknowledged.insert(accepted.uid, body),
            Err(Error::Io { source, .. }) => {
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
                failures += 1;
                if failures == 5 {
                    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
                    assert!(intake.has_room().is_err());
                    std::fs::remove_file(&ballast).unwrap();
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(failures >= 5 && acknowledged.len() > 60, "{failures} failures, {} accepted", acknowledged.len());
    assert_eq!(intake.counters().failures, failures);
    assert!(stored(&intake).await == acknowledged);
    intake.shutdown().await;
    let (intake, recovery) = open(options, &hand).await;
    assert_eq!((&recovery.cut, recovery.damaged.len()), (&None, 0), "{recovery}");
    assert!(stored(&intake).await == acknowledged);
    intake.shutdown().await;
}
