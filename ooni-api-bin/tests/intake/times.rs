use crate::support::{Directory, HOUR, SECOND, imported, open, options, records, report, start, uids};
use ooni_api::intake::{Cursor, Options, Position};

#[tokio::test]
async fn times_never_go_back() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let mut number = 0;
    // Forwards, backwards by an hour, a little later, forwards by two hours, back again.
    let (earlier, later) = (start() - HOUR, start() + HOUR);
    let times =
        [start(), start() + 5 * SECOND, earlier + 5 * SECOND, earlier + 6 * SECOND, later + 7 * SECOND, start()];
    for time in times.into_iter().chain([later + 8 * SECOND]) {
        directory.hand.set(time);
        number += 1;
        intake.accept(report(&number.to_string(), "b")).await.unwrap();
    }
    let records = records(&intake).await;
    let offsets: Vec<u64> = records.iter().map(|record| record.received.micros() - start()).collect();
    let (five, late) = (5 * SECOND, 7 * SECOND + HOUR);
    assert_eq!(offsets, [0, five, five + 1, five + 2, late, late + 1, 8 * SECOND + HOUR]);
    let segments: Vec<(String, u64, bool)> = intake
        .segments()
        .into_iter()
        .map(|segment| (segment.hour.to_string(), segment.records, segment.closed))
        .collect();
    assert_eq!(segments, [("2021020822".to_owned(), 4, true), ("2021020823".to_owned(), 3, false)]);
}

#[tokio::test]
async fn times_continue_after_a_restart_with_an_earlier_clock() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let first = intake.accept(report("a", "1")).await.unwrap().uid;
    intake.shutdown().await;
    directory.hand.set(start() - HOUR);
    let intake = directory.open().await;
    assert_eq!(intake.counters().last_received.micros(), start());
    let second = intake.accept(report("b", "2")).await.unwrap().uid;
    assert!(second.starts_with("20210208220000.000001_"), "{second}");
    assert_eq!(uids(&records(&intake).await), [first, second]);
}

#[tokio::test]
async fn an_hour_without_traffic_is_closed_for_good() {
    let directory = Directory::new();
    let intake = directory.open().await;
    intake.accept(report("a", "1")).await.unwrap();
    directory.hand.advance(HOUR - 1);
    intake.tick().await.unwrap();
    assert!(!intake.segments()[0].closed);
    directory.hand.advance(1);
    intake.tick().await.unwrap();
    intake.tick().await.unwrap();
    let closed: Vec<bool> = intake.segments().iter().map(|segment| segment.closed).collect();
    assert_eq!(closed, [true, false]);
    // An earlier clock does not reopen it, not even after a restart.
    directory.hand.set(start());
    intake.accept(report("b", "2")).await.unwrap();
    intake.shutdown().await;
    let intake = directory.open().await;
    intake.accept(report("c", "3")).await.unwrap();
    let records = records(&intake).await;
    let offsets: Vec<u64> = records.iter().map(|record| record.received.micros() - start()).collect();
    assert_eq!(offsets, [0, HOUR, HOUR + 1]);
}

#[tokio::test]
async fn an_empty_hour_leaves_no_file() {
    let directory = Directory::new();
    let intake = directory.open().await;
    directory.hand.advance(HOUR);
    intake.tick().await.unwrap();
    directory.hand.advance(HOUR);
    intake.accept(report("a", "1")).await.unwrap();
    intake.shutdown().await;
    let files = directory.files(".seg");
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].ends_with("2021020900-00000000000000000001.seg"), "{files:?}");
}

#[tokio::test]
async fn numbers_and_times_continue_when_everything_is_released_or_lost() {
    let directory = Directory::new();
    let intake = directory.open().await;
    for number in 0..3 {
        intake.accept(report(&number.to_string(), "b")).await.unwrap();
    }
    let last = records(&intake).await[2].clone();
    let position = Position { sequence: last.sequence, received: last.received };
    Cursor::open(directory.path(), "score").unwrap().commit(position, 3).await.unwrap();
    directory.hand.advance(2 * HOUR);
    intake.tick().await.unwrap();
    assert_eq!(intake.release(position).await.unwrap().segments, 1);
    intake.shutdown().await;
    assert_eq!(directory.files(".seg").len(), 1);
    let (intake, recovery) = directory.reopen().await;
    assert_eq!((recovery.records, intake.counters().accepted), (0, 3));
    intake.shutdown().await;
    // If even the last segment is gone, the cursor is what is left.
    std::fs::remove_file(&directory.files(".seg")[0]).unwrap();
    directory.hand.set(start() - HOUR);
    let intake = directory.open().await;
    intake.accept(report("b", "2")).await.unwrap();
    let mut reader = intake.reader(position);
    let (record, _) = reader.next().await.unwrap().unwrap();
    assert_eq!((record.sequence, record.received.micros()), (4, last.received.micros() + 1));
}

#[tokio::test]
async fn a_full_segment_is_followed_by_another_one_of_the_hour() {
    let by_records = |directory: &Directory| Options { max_segment_records: 2, ..options(directory.path()) };
    let by_bytes = |directory: &Directory| Options { max_segment_bytes: 800, ..options(directory.path()) };
    for limited in [&by_records as &dyn Fn(&Directory) -> Options, &by_bytes] {
        let directory = Directory::new();
        let (intake, _) = open(limited(&directory), &directory.hand).await;
        let mut accepted = Vec::new();
        for number in 0..5 {
            let name = format!("2015{number}");
            accepted.push(intake.accept(imported(&name, "x".repeat(100))).await.unwrap().uid);
        }
        let of_segments = |intake: &ooni_api::intake::Intake| -> Vec<(u64, bool)> {
            intake.segments().iter().map(|segment| (segment.records, segment.closed)).collect()
        };
        assert_eq!(of_segments(&intake), [(2, true), (2, true), (1, false)]);
        assert_eq!(uids(&records(&intake).await), accepted);
        for (number, uid) in (1..).zip(&accepted) {
            assert_eq!(intake.find(uid).await.unwrap().unwrap().sequence, number);
        }
        intake.shutdown().await;
        let (intake, _) = open(limited(&directory), &directory.hand).await;
        for (number, uid) in (1..).zip(&accepted) {
            assert_eq!(intake.find(uid).await.unwrap().unwrap().sequence, number);
        }
        assert_eq!(intake.find("20157").await.unwrap().map(|record| record.uid), None);
        assert_eq!(of_segments(&intake), [(2, true), (2, true), (1, false)]);
    }
}
