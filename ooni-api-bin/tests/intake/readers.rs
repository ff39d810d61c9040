use crate::support::{Directory, HOUR, bodies, body, imported, open, options, records, report};
use ooni_api::intake::{Body, Options, Position, Snapshot};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_waits_for_records_and_ends_at_the_shutdown() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let mut reader = intake.reader(Position::default());
    let reading = tokio::spawn(async move {
        let mut sequences = Vec::new();
        while let Some((record, _)) = reader.next().await.unwrap() {
            sequences.push(record.sequence);
        }
        sequences
    });
    for number in 0..30 {
        intake.accept(report(&number.to_string(), body(number, 100_000))).await.unwrap();
        directory.hand.advance(HOUR / 10);
    }
    intake.shutdown().await;
    assert_eq!(reading.await.unwrap(), Vec::from_iter(1..=30));
}

#[tokio::test]
async fn a_reader_starts_anywhere_and_loses_nothing_when_it_is_cancelled() {
    let directory = Directory::new();
    let intake = directory.open().await;
    for number in 0..200 {
        intake.accept(report(&number.to_string(), body(number, 20_000))).await.unwrap();
        directory.hand.advance(HOUR / 50);
    }
    let all = records(&intake).await;
    assert_eq!(all.len(), 200);
    for start in [0, 1, 49, 50, 51, 120, 199, 200] {
        let from = Position { sequence: start, ..Position::default() };
        let mut reader = intake.reader(from).until((start + 3).min(200));
        let mut read = Vec::new();
        loop {
            // Polled once and dropped, again and again.
            tokio::select! {
                biased;
                next = reader.next() => match next.unwrap() {
                    Some((record, _)) => read.push(record.sequence),
                    None => break,
                },
                () = tokio::task::yield_now() => {}
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(read, Vec::from_iter(start + 1..=(start + 3).min(200)), "from {start}");
    }
    for (record, before) in all.iter().zip(0..) {
        let received = intake.received_after(Position { sequence: before, ..Position::default() }).await.unwrap();
        assert_eq!(received, Some(record.received));
    }
    let end = Position { sequence: 200, ..Position::default() };
    assert_eq!(intake.received_after(end).await.unwrap(), None);
    for record in all.iter().step_by(17) {
        let found = intake.find(&record.uid).await.unwrap().unwrap();
        assert_eq!((found.sequence, found.body.bytes().unwrap()), (record.sequence, record.body.bytes().unwrap()));
    }
    for uid in ["", "20210208220000.000001_IT_ndt_0000000000000000", "20200208220000.000000_IT_ndt_0000000000000000"] {
        assert!(intake.find(uid).await.unwrap().is_none(), "{uid}");
    }
    let mut other = all[7].uid.clone();
    other.replace_range(other.len() - 1.., "x");
    assert!(intake.find(&other).await.unwrap().is_none());
}

#[tokio::test]
async fn large_bodies_stay_in_the_file() {
    let directory = Directory::new();
    let intake = directory.open().await;
    intake.accept(report("a", body(1, 2_000_000))).await.unwrap();
    intake.accept(report("b", "small")).await.unwrap();
    directory.hand.advance(2 * HOUR);
    intake.tick().await.unwrap();
    let records = records(&intake).await;
    assert!(matches!(records[0].body, Body::File(_)) && matches!(records[1].body, Body::Memory(_)));
    let released = intake.release(Position { sequence: 2, ..Position::default() }).await.unwrap();
    assert!(released.segments == 1 && released.bytes > 2_000_000, "{released:?}");
    assert!(bodies(&records) == [body(1, 2_000_000), b"small".to_vec()], "readable after the release");
}

#[tokio::test]
async fn segments_are_released_when_all_their_records_were_read() {
    let directory = Directory::new();
    let intake = directory.open().await;
    for number in 0..8 {
        intake.accept(report(&number.to_string(), "b")).await.unwrap();
        directory.hand.advance(HOUR / 2);
    }
    let uid = records(&intake).await[1].uid.clone();
    let at = |sequence| Position { sequence, ..Position::default() };
    for (sequence, released) in [(0, 0), (1, 0), (3, 1), (3, 0), (u64::MAX, 2)] {
        assert_eq!(intake.release(at(sequence)).await.unwrap().segments, released, "up to {sequence}");
    }
    assert_eq!(intake.segments().len(), 1, "the last one stays");
    assert!(intake.find(&uid).await.unwrap().is_none());
    assert_eq!(records(&intake).await.len(), 2);
    assert_eq!(intake.counters().accepted, 8);
    intake.shutdown().await;
    let (intake, recovery) = directory.reopen().await;
    assert_eq!((recovery.records, recovery.last.sequence, recovery.damaged), (2, 8, vec![]));
    assert_eq!(intake.accept(report("x", "b")).await.unwrap().uid, records(&intake).await[2].uid);
}

#[tokio::test]
async fn a_snapshot_of_a_running_log() {
    let directory = Directory::new();
    let intake = directory.open().await;
    intake.accept(report("a", "1")).await.unwrap();
    directory.hand.advance(HOUR);
    let uid = "01202102037f9c2ba4e88f827d61604550760585";
    intake.accept(imported(uid, "2")).await.unwrap();
    let snapshot = Snapshot::open(directory.path()).unwrap();
    intake.accept(report("b", "3")).await.unwrap();
    assert_eq!((snapshot.segments().len(), snapshot.recovery().records), (2, 2));
    let mut reader = snapshot.reader(Position::default());
    let mut sequences = Vec::new();
    while let Some((record, _)) = reader.next().await.unwrap() {
        sequences.push(record.sequence);
    }
    assert_eq!(sequences, [1, 2]);
    assert_eq!(snapshot.find(uid).await.unwrap().unwrap().sequence, 2);
}

#[tokio::test]
async fn a_low_disk_has_no_room() {
    let directory = Directory::new();
    let all = Options { min_free_bytes: u64::MAX - 1, ..options(directory.path()) };
    let (intake, _) = open(all, &directory.hand).await;
    let error = intake.has_room().unwrap_err();
    assert!(error.free > 0 && error.free < error.required);
    intake.shutdown().await;
    assert!(directory.open().await.has_room().is_ok());
}
