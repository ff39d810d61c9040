//! Reruns that are killed and resumed: nothing is lost and nothing is duplicated.
//!
//! A corpus in all formats is on a server that fails, delays and truncates. The result is compared with that of an
//! uninterrupted run from the disk, and this one with the expectations of the generator of the corpus.
//! `OONI_KILLED_MEASUREMENTS` is the number of measurements in the corpus.

#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // clippy does not treat helpers of tests as tests
#![cfg(all(debug_assertions, unix))] // there are no failpoints without

#[path = "killed/corpus.rs"]
mod corpus;
#[path = "killed/run.rs"]
mod run;

use corpus::Corpus;
use ooni_store::failpoint::Failpoint;
use ooni_testkit::s3_server::{Fault, Plan, start};
use run::{Run, Source};
use std::os::unix::process::ExitStatusExt as _;

/// One request in ten fails or is delayed. No bytes are changed, because a can with the same damage twice is skipped and only
/// read by another run.
fn faults(seed: u64) -> Plan {
    let faults =
        vec![(Fault::Status(503), 30), (Fault::Delay(20), 50), (Fault::Short(100), 20), (Fault::Reset(700), 30)];
    Plan { seed, faults, ..Plan::default() }
}

const SIGKILL: Option<i32> = Some(9);

#[test]
fn the_uninterrupted_run_is_correct() {
    Corpus::get().check();
}

/// Killed five times, at random points.
fn killed_at_random(format: &str, seed: u64, more: &[&str]) {
    let corpus = Corpus::get();
    let server = start(corpus.root(), faults(seed));
    let run = Run::new(Source::S3(&server), format);
    let mut random = seed;
    for number in 0..5 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // After about so many cans, and a little later.
        let cans = corpus.cans() * (2 * number + 1) / 12;
        let mut child = run.spawn(&[&["--resume"], more].concat());
        run.wait_for_cans(&mut child, cans);
        std::thread::sleep(std::time::Duration::from_millis((random >> 33) % 30));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), SIGKILL);
        let done = run.cans();
        assert!(cans <= done && done < corpus.cans(), "{done} of {} cans", corpus.cans());
    }
    run.complete(more);
    corpus.compare(&run);
}

#[test]
fn a_parquet_file_of_a_run_killed_at_random() {
    killed_at_random("parquet", 1, &["--jobs", "2"]);
}

#[test]
fn lines_of_a_run_killed_at_random() {
    killed_at_random("jsonl", 2, &["--jobs", "3"]);
}

#[test]
fn csv_of_a_run_killed_at_random_with_one_thread() {
    killed_at_random("csv", 3, &["--jobs", "1"]);
}

/// Killed once at each failpoint, in order, with the files of another run present.
fn killed_everywhere(format: &str, seed: u64, more: &[&str]) {
    let corpus = Corpus::get();
    let server = start(corpus.root(), faults(seed));
    let run = Run::new(Source::S3(&server), format);
    if more.is_empty() {
        run.another();
    }
    for (number, point) in Failpoint::ALL.into_iter().enumerate() {
        assert_eq!(point as usize, number + 1);
        let (resume, times) = match point {
            // These are reached only once.
            Failpoint::Begun | Failpoint::OutputBegun | Failpoint::JournalBegun => (&[][..], 1),
            Failpoint::Finishing | Failpoint::Finished | Failpoint::Complete => (&["--resume"][..], 1),
            _ => (&["--resume"][..], 4),
        };
        let before = run.cans();
        let ended = run
            .command(&[resume, more].concat())
            .env("FASTPATH_FAILPOINT", format!("{}:{times}", number + 1))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.signal(), SIGKILL, "{point:?} is never reached: {:?} {stderr}", ended.status);
        if times > 1 && point != Failpoint::PieceWritten {
            assert!(run.cans() > before, "{point:?}: it has not come further");
        }
    }
    run.complete(more);
    corpus.compare(&run);
}

#[test]
fn a_parquet_file_of_a_run_killed_at_each_failpoint() {
    killed_everywhere("parquet", 4, &[]);
}

#[test]
fn lines_of_a_run_killed_at_each_failpoint() {
    killed_everywhere("jsonl", 5, &[]);
}

/// Without a file, the journal is beside the store.
#[test]
fn a_store_alone() {
    killed_everywhere("", 6, &[]);
}

/// The bulk load is finished by the run that completes it.
#[test]
fn a_bulk_load_killed_at_each_failpoint() {
    killed_everywhere("", 7, &["--bulk"]);
}

#[test]
fn a_bulk_load_killed_at_random() {
    killed_at_random("csv", 8, &["--jobs", "2", "--bulk"]);
}

#[test]
fn an_interrupted_run_says_how_to_resume() {
    let corpus = Corpus::get();
    for (format, jobs) in [("jsonl", "1"), ("parquet", "2")] {
        let run = Run::new(Source::Folder(corpus.archive()), format);
        let mut child = run.spawn(&["--jobs", jobs]);
        run.wait_for_cans(&mut child, corpus.cans() / 3);
        let output = run.interrupt(child);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.ends_with("fastpath: stopped: by a signal; repeat the command with --resume to continue\n"),
            "{stderr}"
        );
        assert!(run.cans() < corpus.cans());
        if format == "jsonl" {
            assert!(corpus.has_beginning(&run.output()), "whole cans, and no more");
        }
        run.complete(&[]);
        corpus.compare(&run);
    }
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let corpus = Corpus::get();
    let stalls = vec![Some(Fault::Stall(10)); 1000];
    let server = start(corpus.root(), Plan { objects: stalls, ..Plan::default() });
    let run = Run::new(Source::S3(&server), "jsonl");
    let mut child = run.spawn(&["--jobs", "1"]);
    while server.objects().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it waits for a server that sends nothing");
        std::thread::sleep(run::POLL);
    }
    run::signal(&child, "INT");
    let output = run.interrupt(child);
    assert_eq!(output.status.code(), Some(130));
}

/// A can that the server does not deliver is reported, skipped, and requested again by the next run.
#[test]
fn a_can_that_cannot_be_downloaded_is_retried_later() {
    let corpus = Corpus::get();
    for format in ["jsonl", "parquet"] {
        let refusal = Plan { objects: vec![Some(Fault::Status(403))], ..Plan::default() };
        let [refusing, server] = [refusal, Plan::default()].map(|plan| start(corpus.root(), plan));
        let mut run = Run::new(Source::S3(&refusing), format);
        let ended = run.command(&[]).output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        let advice = "fastpath: part of the archive could not be read; repeat the command with --resume to retry it\n";
        assert!(stderr.contains(advice) && stderr.contains("403"), "{stderr}");
        assert_eq!(run.cans(), corpus.cans() - 1);
        let before = run.output();
        run.source = Source::S3(&server);
        run.complete(&[]);
        assert_eq!(server.objects().len(), 1, "only what was missing is downloaded");
        match format {
            "jsonl" => corpus.compare_unordered(&run),
            _ => assert!(run.output().starts_with(b"PAR1") && before.starts_with(b"PAR1") && before != run.output()),
        }
    }
}
