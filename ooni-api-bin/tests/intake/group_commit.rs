use crate::support::{Directory, body, in_a_file, open, options, records, report, uids};
use ooni_api::intake::{Error, Intake, Options, Payload, Submission};
use std::collections::HashSet;
use std::future::Future as _;
use std::io::Read as _;
use std::pin::pin;
use std::task::{Context, Waker};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submissions_share_syncs() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..1000 {
        let intake = intake.clone();
        tasks.spawn(async move { intake.accept(report(&number.to_string(), body(number, 1000))).await.unwrap().uid });
    }
    let answered: HashSet<String> = tasks.join_all().await.into_iter().collect();
    assert_eq!(answered.len(), 1000, "all UIDs are distinct");
    let counters = intake.counters();
    assert_eq!((counters.accepted, counters.failures, counters.waiting), (1000, 0, 0));
    assert!(counters.syncs <= 500, "{} syncs", counters.syncs);
    let records = records(&intake).await;
    let stored = uids(&records);
    assert!(stored.is_sorted(), "the order of UIDs is that of the log");
    assert_eq!(stored.iter().map(|uid| (*uid).to_owned()).collect::<HashSet<_>>(), answered);
    assert!(records.iter().zip(1..).all(|(record, sequence)| record.sequence == sequence));
    for record in &records {
        assert_eq!(record.body.bytes().unwrap(), body(record.key_report_id.parse().unwrap(), 1000));
    }
    intake.shutdown().await;
}

#[tokio::test]
async fn a_record_has_what_was_submitted() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let mut submission = report("20210208T162755Z_ndt_DZ_36947_n1_8swgXi7xNuRUyO9a", "{\"format\":\"json\"}");
    submission.side.report_id = Some("mine".to_owned());
    submission.side.is_verified = Some('u');
    let side = submission.side.clone();
    let accepted = intake.accept(submission).await.unwrap();
    assert_eq!(accepted.uid, "20210208220000.000000_IT_ndt_274fc1b28dd3ee9d");
    assert_eq!((accepted.report_id.as_deref(), accepted.repeated), (Some("mine"), false));
    let record = intake.find(&accepted.uid).await.unwrap().unwrap();
    assert_eq!((record.sequence, &record.uid, &record.side), (1, &accepted.uid, &side));
    assert_eq!(record.key_report_id, "20210208T162755Z_ndt_DZ_36947_n1_8swgXi7xNuRUyO9a");
    assert_eq!(record.headers, [("user-agent".to_owned(), "probe/3".to_owned())]);
    assert_eq!(record.received.uid_text(), "20210208220000.000000");
    assert_eq!(record.body.bytes().unwrap(), "{\"format\":\"json\"}");
}

#[tokio::test]
async fn large_bodies_are_copied_from_their_files() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let large = body(1, 3_000_000);
    let uid = intake.accept(in_a_file("a", &large)).await.unwrap().uid;
    // The file may be longer than the body.
    let mut longer = in_a_file("b", &large);
    if let Payload::File { length, .. } = &mut longer.body {
        *length = 700_000;
    }
    intake.accept(longer).await.unwrap();
    intake.accept(in_a_file("c", b"")).await.unwrap();
    let record = intake.find(&uid).await.unwrap().unwrap();
    assert_eq!(record.body.length(), 3_000_000);
    assert_eq!(record.body.bytes().unwrap(), large);
    let mut read = Vec::new();
    record.body.reader().read_to_end(&mut read).unwrap();
    assert!(read == large);
    let records = records(&intake).await;
    let lengths: Vec<u64> = records.iter().map(|record| record.body.length()).collect();
    assert_eq!(lengths, [3_000_000, 700_000, 0]);
    assert!(records[1].body.bytes().unwrap() == large[..700_000]);
}

#[tokio::test]
async fn a_file_that_is_too_short_fails_alone() {
    let directory = Directory::new();
    let intake = directory.open().await;
    intake.accept(report("a", "1")).await.unwrap();
    let mut short = in_a_file("b", b"12345");
    if let Payload::File { length, .. } = &mut short.body {
        *length = 6;
    }
    let error = intake.accept(short).await.unwrap_err();
    assert!(error.to_string().contains("temporary file"), "{error}");
    // Truncated between hashing and writing, behind another body in the same write.
    let (gate, file) = (in_a_file("c", &body(1, 2_000_000)), in_a_file("d", &body(2, 1_000_000)));
    let Payload::File { file: handle, .. } = &file.body else { panic!() };
    let handle = handle.try_clone().unwrap();
    let mut tasks = JoinSet::new();
    for submission in [gate, file, report("e", "2")] {
        let intake = intake.clone();
        tasks.spawn(async move { intake.accept(submission).await.is_ok() });
    }
    handle.set_len(10).unwrap();
    let answers = tasks.join_all().await;
    let stored = records(&intake).await;
    assert_eq!(stored.len(), 1 + answers.iter().filter(|&&ok| ok).count());
    assert!(stored.iter().zip(1..).all(|(record, sequence)| record.sequence == sequence));
    assert_eq!(directory.files(".seg").len(), 1);
}

#[tokio::test]
async fn invalid_submissions_are_refused() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let base = || report("r", "b");
    let refused = [
        Submission { probe_cc: "I/T".to_owned(), ..base() },
        Submission { probe_cc: String::new(), ..base() },
        Submission { test_name: "web_connectivity".to_owned(), ..base() },
        Submission { test_name: "x".repeat(65), ..base() },
        Submission { uid: Some("../x".to_owned()), ..base() },
        Submission { headers: vec![("a".to_owned(), "b".repeat(1 << 20))], ..base() },
        Submission { body: Payload::Memory(vec![0; 200_000_001].into()), ..base() },
    ];
    for submission in refused {
        let error = intake.accept(submission).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_) | Error::TooLarge { .. }), "{error}");
    }
    assert_eq!(intake.counters().accepted, 0);
}

#[tokio::test]
async fn too_much_waiting_is_refused() {
    let directory = Directory::new();
    for (queue, queue_bytes) in [(1, 1 << 20), (10, 1000)] {
        let options = Options { queue, queue_bytes, ..options(directory.path()) };
        let (intake, _) = open(options, &directory.hand).await;
        {
            // It has its space from the first poll on, and cannot get further before the second.
            let mut waiting = pin!(intake.accept(in_a_file("a", &body(queue, 1000))));
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let error = intake.accept(report("b", body(queue, 1000))).await.unwrap_err();
            assert!(matches!(error, Error::Busy), "{error}");
            waiting.await.unwrap();
        }
        // A single body may be larger than the queue.
        intake.accept(report("c", body(queue, 5000))).await.unwrap();
        assert_eq!(intake.counters().waiting, 0);
        intake.shutdown().await;
    }
}

#[tokio::test]
async fn one_process_writes() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let error = Intake::open(options(directory.path()), directory.hand.clock()).await.unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error}");
    let other = intake.clone();
    intake.shutdown().await;
    let error = other.accept(report("a", "1")).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
    directory.open().await.accept(report("a", "1")).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_writes_what_is_waiting() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..100 {
        let intake = intake.clone();
        tasks.spawn(async move { intake.accept(report(&number.to_string(), "b")).await });
    }
    tokio::task::yield_now().await;
    intake.shutdown().await;
    let answers = tasks.join_all().await;
    let stored = answers.iter().filter(|answer| answer.is_ok()).count();
    let (_, recovery) = directory.reopen().await;
    assert_eq!((recovery.records, recovery.cut), (stored as u64, None));
    assert!(stored > 0);
}
