//! A process that submits, for tests that kill it or limit its disk. It prints what was acknowledged.

use crate::support::{HOUR, Hand, body, open, options, report, start};
use ooni_api::intake::{Cursor, Intake, Position};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tokio::task::JoinSet;

const DIRECTORY: &str = "INTAKE_TEST_DIRECTORY";
const MODE: &str = "INTAKE_TEST_MODE";

/// This test program, which will run a mode of `child`. `shell` is put before it.
pub(crate) fn command(shell: Option<&str>, directory: &Path, mode: &str) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match shell {
        None => Command::new(program),
        Some(shell) => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]).arg(program);
            command
        }
    };
    command.args(["child::child", "--exact", "--ignored", "--nocapture"]).env(DIRECTORY, directory).env(MODE, mode);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Runs it; the lines it printed, and how it ended.
pub(crate) fn run(mut command: Command) -> (Vec<String>, ExitStatus) {
    let mut child: Child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let lines = output.lines().filter_map(|line| Some(line.unwrap().split_once('@')?.1.to_owned())).collect();
    (lines, child.wait().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that other tests start"]
async fn child() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let hand = Hand::at(start());
    let (intake, _) = open(options(&directory), &hand).await;
    match std::env::var(MODE).unwrap().as_str() {
        "full" => full(&intake, &hand).await,
        "failed-syncs" => {
            for number in 0..6 {
                submit(&intake, number, 1000).await;
            }
        }
        run => killed(&intake, &hand, &directory, run.parse().unwrap()).await,
    }
    intake.shutdown().await;
}

/// Submits a body and prints what came of it.
async fn submit(intake: &Intake, number: usize, length: usize) -> bool {
    match intake.accept(report("r", body(number, length))).await {
        Ok(accepted) => {
            println!("@ok {} {number} {length}", accepted.uid);
            true
        }
        Err(error) => {
            println!("@failed {number} {error}");
            false
        }
    }
}

/// Fills the file, then goes on with the next hour.
async fn full(intake: &Intake, hand: &Hand) {
    let mut number = 0;
    while submit(intake, number, 10_000).await {
        number += 1;
    }
    let mut tasks = JoinSet::new();
    for number in 1000..1008 {
        let intake = intake.clone();
        tasks.spawn(async move { submit(&intake, number, 10_000).await });
    }
    tasks.join_all().await;
    submit(intake, 2000, 10).await;
    hand.advance(HOUR);
    submit(intake, 3000, 10_000).await;
    println!("@failures {}", intake.counters().failures);
}

/// Four tasks submit, and an hour passes now and then. A reader stores, commits its cursor and releases. The process is
/// killed at a failpoint.
async fn killed(intake: &Intake, hand: &Hand, directory: &Path, run: usize) {
    let mut tasks = JoinSet::new();
    for task in 0..4 {
        let (intake, hand) = (intake.clone(), hand.clone());
        tasks.spawn(async move {
            for number in 0..60 {
                submit(&intake, run * 1000 + task * 100 + number, 500 * (number + 1)).await;
                if number % 15 == 14 {
                    hand.set(intake.counters().last_received.micros() + HOUR);
                    intake.tick().await.unwrap();
                }
            }
        });
    }
    let mut cursor = Cursor::<u64>::open(directory, "score").unwrap();
    let mut reader = intake.reader(cursor.position());
    let mut store = std::fs::OpenOptions::new().create(true).append(true).open(directory.join("store")).unwrap();
    let mut position = Position::default();
    for count in 1..=240 {
        let (record, after) = reader.next().await.unwrap().unwrap();
        // In one write: writeln! writes the end of line apart, and the process can be killed in between.
        store.write_all(format!("{}\n", record.uid).as_bytes()).unwrap();
        position = after;
        if count % 10 == 0 {
            let stored = cursor.state() + 10;
            cursor.commit(position, stored).await.unwrap();
        }
        if count % 25 == 0 {
            intake.release(cursor.position()).await.unwrap();
        }
    }
    tasks.join_all().await;
    panic!("not killed; everything was read up to {position:?}");
}
