use crate::support::{Directory, HOUR, body, imported, records, report, uids};
use ooni_api::intake::{Error, Position, Route, Submission};
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};
use tokio::task::JoinSet;

const UID: &str = "20201020000000.000001_MA_ndt_7888edc7748936bf";

#[tokio::test]
async fn a_repeat_gets_the_first_answer_for_an_hour() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let submission = || {
        let mut submission = report("r", "body");
        submission.side.report_id = Some("generated".to_owned());
        submission
    };
    let first = intake.accept(submission()).await.unwrap();
    directory.hand.advance(HOUR);
    let mut again = submission();
    again.side.report_id = Some("another".to_owned());
    let again = intake.accept(again).await.unwrap();
    assert_eq!((&again.uid, &again.report_id, again.repeated), (&first.uid, &Some("generated".to_owned()), true));
    directory.hand.advance(1);
    let later = intake.accept(submission()).await.unwrap();
    assert!(!later.repeated && later.uid != first.uid);
    assert_eq!((intake.counters().accepted, intake.counters().repeated), (2, 1));
}

#[tokio::test]
async fn another_body_report_or_route_is_not_a_repeat() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let route = Submission { route: Route::SubmitMeasurement, ..report("r", "body") };
    for submission in [report("r", "body"), report("r", "other"), report("s", "body"), route] {
        assert!(!intake.accept(submission).await.unwrap().repeated);
    }
}

#[tokio::test]
async fn repeats_are_known_after_a_restart() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let mut submission = report("r", "body");
    submission.side.report_id = Some("generated".to_owned());
    let first = intake.accept(submission).await.unwrap();
    directory.hand.advance(HOUR / 2);
    intake.accept(report("s", body(1, 5_000_000))).await.unwrap();
    directory.hand.advance(HOUR / 2); // now there are two segments
    intake.accept(report("t", "body")).await.unwrap();
    intake.shutdown().await;
    let intake = directory.open().await;
    assert_eq!(directory.files(".seg").len(), 2);
    let again = intake.accept(report("r", "body")).await.unwrap();
    assert_eq!((again.uid, again.report_id, again.repeated), (first.uid, Some("generated".to_owned()), true));
    for submission in [report("s", body(1, 5_000_000)), report("t", "body")] {
        assert!(intake.accept(submission).await.unwrap().repeated);
    }
    assert_eq!(intake.counters().accepted, 3);
}

#[tokio::test]
async fn a_segment_is_released_when_its_records_cannot_be_repeated() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let first = intake.accept(report("r", "body")).await.unwrap();
    let position = Position { sequence: 1, ..Position::default() };
    intake.rotate().await.unwrap();
    assert_eq!(intake.release(position).await.unwrap().segments, 0);
    directory.hand.advance(HOUR);
    intake.accept(report("s", "body")).await.unwrap();
    assert_eq!(intake.release(position).await.unwrap().segments, 0);
    intake.shutdown().await;
    let intake = directory.open().await;
    let again = intake.accept(report("r", "body")).await.unwrap();
    assert_eq!((again.uid, again.repeated), (first.uid, true));
    directory.hand.advance(1);
    assert_eq!(intake.release(position).await.unwrap().segments, 1);
    assert!(!intake.accept(report("r", "body")).await.unwrap().repeated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_twins_get_one_answer() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let intake = intake.clone();
        tasks.spawn(async move { intake.accept(report("r", body(1, 100_000))).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
    assert!(answers.iter().all(|answer| answer.uid == answers[0].uid));
    assert_eq!((intake.counters().accepted, intake.counters().repeated), (1, 49));
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_make_its_retry_a_second_record() {
    let directory = Directory::new();
    let intake = directory.open().await;
    {
        let gone = pin!(intake.accept(report("r", "body")));
        assert!(gone.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let retry = intake.accept(report("r", "body")).await.unwrap();
    assert!(retry.repeated);
    assert_eq!(uids(&records(&intake).await), [retry.uid]);
}

#[tokio::test]
async fn an_import_of_a_uid_in_the_log_is_a_repeat() {
    let directory = Directory::new();
    let intake = directory.open().await;
    let first = intake.accept(imported(UID, "body")).await.unwrap();
    assert_eq!((first.uid.as_str(), first.repeated), (UID, false));
    let own = intake.accept(report("r", "body")).await.unwrap();
    for (uid, hours) in [(UID, 0), (UID, 3), (own.uid.as_str(), 0), (own.uid.as_str(), 3)] {
        directory.hand.advance(hours * HOUR);
        assert!(intake.accept(imported(uid, "body")).await.unwrap().repeated, "{uid} after {hours} hours");
        let error = intake.accept(imported(uid, "another body")).await.unwrap_err();
        assert!(matches!(error, Error::Conflict(_)), "{error}");
    }
    intake.shutdown().await;
    let intake = directory.open().await;
    assert!(intake.accept(imported(UID, "body")).await.unwrap().repeated);
    assert_eq!(intake.find(UID).await.unwrap().unwrap().body.bytes().unwrap(), "body");
    assert_eq!(intake.counters().accepted, 2);
}
