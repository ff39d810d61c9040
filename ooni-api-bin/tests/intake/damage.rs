use crate::support::{Directory, HOUR, bodies, body, in_a_file, open, options, records, report};
use ooni_api::intake::{Intake, Position};
use proptest::prelude::*;
use std::path::PathBuf;

/// A log with one segment, and where its records end.
struct Written {
    directory: Directory,
    bodies: Vec<Vec<u8>>,
    ends: Vec<u64>,
    segment: PathBuf,
}

impl Written {
    async fn new(lengths: &[usize]) -> Written {
        let directory = Directory::new();
        let intake = directory.open().await;
        let (mut all, mut ends) = (Vec::new(), Vec::new());
        for (number, &length) in lengths.iter().enumerate() {
            let body = body(number, length);
            let submission = if number % 3 == 2 { in_a_file("f", &body) } else { report("m", body.clone()) };
            intake.accept(submission).await.unwrap();
            ends.push(intake.segments()[0].length);
            all.push(body);
        }
        intake.shutdown().await;
        let segment = directory.files(".seg")[0].clone();
        Written { directory, bodies: all, ends, segment }
    }

    fn length(&self) -> u64 {
        std::fs::metadata(&self.segment).unwrap().len()
    }

    /// Opens the log, compares its records, adds one, and opens it again.
    async fn check(&self, kept: &[bool]) -> Intake {
        let (intake, recovery) = self.directory.reopen().await;
        let mut expected: Vec<Vec<u8>> =
            self.bodies.iter().zip(kept).filter(|(_, kept)| **kept).map(|(body, _)| body.clone()).collect();
        let found = records(&intake).await;
        assert!(bodies(&found) == expected, "{recovery}");
        for record in &found {
            assert_eq!(intake.find(&record.uid).await.unwrap().unwrap().sequence, record.sequence);
        }
        let new = body(1000, 100);
        let uid = intake.accept(report("new", new.clone())).await.unwrap().uid;
        expected.push(new);
        assert!(bodies(&records(&intake).await) == expected);
        intake.shutdown().await;
        let (intake, recovery) = self.directory.reopen().await;
        assert_eq!(recovery.cut, None);
        let found = records(&intake).await;
        assert!(bodies(&found) == expected);
        assert!(found.is_sorted_by_key(|record| (record.sequence, record.received)));
        assert_eq!(found.last().unwrap().uid, uid);
        intake
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![6 => 0..3000usize, 1 => 60_000..70_000usize, 1 => Just(1_100_000)], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_leaves_exactly_the_whole_records_before_it(lengths in lengths(), place in 0.0..1.0f64) {
        run(async {
            let written = Written::new(&lengths).await;
            let cut = (written.length() as f64 * place) as u64;
            let file = std::fs::OpenOptions::new().write(true).open(&written.segment).unwrap();
            file.set_len(cut).unwrap();
            let kept: Vec<bool> = written.ends.iter().map(|end| *end <= cut).collect();
            written.check(&kept).await;
        });
    }

    #[test]
    fn a_changed_byte_costs_only_its_record(lengths in lengths(), place in 0.0..1.0f64, bit in 0..8u8) {
        run(async {
            let written = Written::new(&lengths).await;
            let place = (written.length() as f64 * place) as usize;
            let mut bytes = std::fs::read(&written.segment).unwrap();
            bytes[place] ^= 1 << bit;
            std::fs::write(&written.segment, bytes).unwrap();
            let starts = std::iter::once(128).chain(written.ends.iter().copied());
            let kept: Vec<bool> = starts.zip(&written.ends).map(|(start, &end)| !(start..end).contains(&(place as u64))).collect();
            written.check(&kept).await;
        });
    }

    #[test]
    fn any_bytes_instead_of_a_segment_are_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..1000), after in 0..400usize) {
        run(async {
            let written = Written::new(&[10, 20]).await;
            let mut segment = std::fs::read(&written.segment).unwrap();
            segment.truncate(after);
            segment.extend(bytes);
            std::fs::write(&written.segment, segment).unwrap();
            let intake = written.directory.open().await;
            let before = records(&intake).await.len();
            intake.accept(report("new", "x")).await.unwrap();
            assert_eq!(records(&intake).await.len(), before + 1);
        });
    }
}

/// Changes a byte of the body of a record.
fn damage(written: &Written, record: usize) {
    let mut bytes = std::fs::read(&written.segment).unwrap();
    bytes[written.ends[record] as usize - 1] ^= 1;
    std::fs::write(&written.segment, bytes).unwrap();
}

#[tokio::test]
async fn a_torn_end_is_reported() {
    let written = Written::new(&[100, 200, 300]).await;
    let file = std::fs::OpenOptions::new().write(true).open(&written.segment).unwrap();
    file.set_len(written.ends[2] - 1).unwrap();
    let (_, recovery) = written.directory.reopen().await;
    let cut = recovery.cut.clone().unwrap();
    assert_eq!((cut.length, cut.bytes), (written.ends[1], written.ends[2] - 1 - written.ends[1]));
    assert_eq!((recovery.records, recovery.last.sequence), (2, 2));
    assert!(recovery.to_string().contains("of an unfinished record from"), "{recovery}");
    assert_eq!(written.length(), written.ends[1]);
}

#[tokio::test]
async fn damage_in_the_middle_is_reported_and_its_file_kept() {
    let written = Written::new(&[100, 200, 300, 400]).await;
    damage(&written, 1);
    let kept = std::fs::read(&written.segment).unwrap();
    let (intake, recovery) = written.directory.reopen().await;
    let [damaged] = &recovery.damaged[..] else { panic!("{recovery}") };
    assert_eq!(
        (damaged.offset, damaged.bytes, damaged.records),
        (written.ends[0], written.ends[1] - written.ends[0], 1)
    );
    assert_eq!((recovery.records, recovery.last.sequence, recovery.cut), (3, 4, None));
    let sequences: Vec<u64> = records(&intake).await.iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [1, 3, 4]);
    assert_eq!((intake.counters().accepted, intake.counters().damaged), (4, 1));
    written.directory.hand.advance(2 * HOUR);
    intake.tick().await.unwrap();
    intake.release(Position { sequence: 4, ..Position::default() }).await.unwrap();
    assert_eq!(intake.segments().len(), 1);
    assert!(std::fs::read(&written.directory.files(".damaged")[0]).unwrap() == kept);
}

#[tokio::test]
async fn readers_verify_closed_segments() {
    for record in [0, 1, 2] {
        let written = Written::new(&[100, 200, 1_100_000]).await;
        let intake = written.directory.open().await;
        written.directory.hand.advance(HOUR);
        intake.accept(report("next", "next")).await.unwrap();
        damage(&written, record);
        let found: Vec<u64> = records(&intake).await.iter().map(|record| record.sequence).collect();
        let expected: Vec<u64> = (1..=4).filter(|sequence| *sequence != record as u64 + 1).collect();
        assert_eq!(found, expected);
        records(&intake).await; // a second reader does not count it again
        assert_eq!((intake.counters().accepted, intake.counters().damaged), (4, 1));
        // A reader that wants this segment only does not wait for a record that will not come.
        let mut reader = intake.reader(Position::default()).until(3);
        let mut count = 0;
        while reader.next().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 2);
        intake.shutdown().await;
        let intake = written.directory.open().await;
        written.directory.hand.advance(HOUR);
        intake.release(Position { sequence: 3, ..Position::default() }).await.unwrap();
        assert_eq!(written.directory.files(".seg").len(), 1);
        assert_eq!(written.directory.files(".damaged").len(), 1, "it is kept, even if only the first process noticed");
    }
}

#[tokio::test]
async fn a_segment_without_a_header_is_kept() {
    let written = Written::new(&[100, 200]).await;
    let mut bytes = std::fs::read(&written.segment).unwrap();
    bytes[20] ^= 1;
    bytes[84] ^= 1;
    std::fs::write(&written.segment, &bytes).unwrap();
    let (intake, recovery) = written.directory.reopen().await;
    assert_eq!(recovery.unreadable, std::slice::from_ref(&written.segment));
    assert!(std::fs::read(&written.directory.files(".unreadable1")[0]).unwrap() == bytes);
    intake.accept(report("new", "x")).await.unwrap();
    assert_eq!(records(&intake).await.len(), 1);
}

#[tokio::test]
async fn a_forged_record_in_a_damaged_body_is_not_one() {
    // A probe sends a whole segment as its body. Its records have another marker.
    let source = Written::new(&[100, 200, 300]).await;
    let forged = std::fs::read(&source.segment).unwrap();
    let directory = Directory::new();
    let intake = directory.open().await;
    intake.accept(report("a", forged)).await.unwrap();
    intake.accept(report("b", "2")).await.unwrap();
    intake.shutdown().await;
    let segment = &directory.files(".seg")[0];
    let mut bytes = std::fs::read(segment).unwrap();
    bytes[130] ^= 1;
    std::fs::write(segment, bytes).unwrap();
    let (intake, _) = open(options(directory.path()), &directory.hand).await;
    let found = records(&intake).await;
    assert_eq!(bodies(&found), [b"2"]);
    assert_eq!(found[0].sequence, 2);
}

#[tokio::test]
async fn leftovers_are_deleted() {
    let directory = Directory::new();
    let intake = directory.open().await;
    intake.accept(report("a", "1")).await.unwrap();
    intake.shutdown().await;
    let segment = directory.files(".seg")[0].clone();
    // A kill before the rename, and one before the deletion of an empty segment.
    std::fs::write(directory.path().join("2021020823-00000000000000000002.seg.tmp"), "OONI").unwrap();
    let empty = directory.path().join("2021020821-00000000000000000001.seg");
    let mut header = [0; 128];
    let file = std::fs::read(&segment).unwrap();
    header.copy_from_slice(&file[..128]);
    for copy in header.chunks_mut(64) {
        let hour = crate::support::start() - HOUR;
        copy[16..24].copy_from_slice(&hour.to_le_bytes());
        let crc = crc32c::crc32c(&copy[12..]);
        copy[8..12].copy_from_slice(&crc.to_le_bytes());
    }
    std::fs::write(&empty, header).unwrap();
    let (intake, recovery) = directory.reopen().await;
    assert_eq!((recovery.segments, recovery.records), (1, 1));
    assert_eq!(records(&intake).await.len(), 1);
    assert!(!empty.exists() && directory.files(".tmp").is_empty());
}
