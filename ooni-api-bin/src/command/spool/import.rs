//! `ooni-api spool import`: files of the reference's spool become records of the intake log.

use super::{Failure, eprint_line, failed};
use crate::clock::Clock;
use crate::config::Config;
use crate::import::is_known;
use crate::intake::spool::{Post, import};
use crate::intake::{Error, Intake, Options, Payload, Route, Side, Submission};
use crate::stores::Stores;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;

/// Submissions that wait for the same sync.
const TOGETHER: usize = 64;

/// Smaller files are read into memory.
const SMALL: u64 = 64 << 10;

pub(super) async fn run(config: &Config, folder: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    if !folder.is_dir() {
        return Err(Failure::Usage(vec![format!("{}: no such folder", folder.display())]));
    }
    let options = Options {
        repeat_window: Duration::from_secs(config.intake.repeat_window),
        max_repeats: config.intake.max_repeats,
        ..Options::new(config.intake_directory())
    };
    let opened = Intake::open(options, Clock::system()).await;
    let (intake, _) = opened.map_err(|error| match error {
        Error::Locked(_) => Failure::Failed(format!(
            "the state directory {} is in use by another process; stop the server first",
            config.state_dir.display()
        )),
        error => failed(error),
    })?;
    let stores = Stores::open(config).await.map_err(failed)?;
    stores.measurements().map_err(|_| Failure::Failed("the store cannot be reached".to_owned()))?;
    let mut counts = Counts::default();
    let mut running = JoinSet::new();
    for found in import(folder) {
        match found {
            Ok(post) => {
                let (intake, stores) = (intake.clone(), stores.clone());
                running.spawn(async move { (post.path.clone(), submit(&intake, &stores, post).await) });
            }
            Err(skipped) => counts.fail(&skipped.to_string()),
        }
        if running.len() >= TOGETHER
            && let Some(done) = running.join_next().await
        {
            counts.add(done.map_err(failed)?);
        }
    }
    while let Some(done) = running.join_next().await {
        counts.add(done.map_err(failed)?);
    }
    intake.shutdown().await;
    let Counts { imported, known, failed } = counts;
    writeln!(out, "{imported} measurements imported, {known} already there").map_err(Failure::Output)?;
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Failed(format!("{failed} files were not imported"))),
    }
}

#[derive(Default)]
struct Counts {
    imported: u64,
    known: u64,
    failed: u64,
}

impl Counts {
    fn add(&mut self, (path, result): (PathBuf, Result<bool, String>)) {
        match result {
            Ok(true) => self.imported += 1,
            Ok(false) => self.known += 1,
            Err(reason) => self.fail(&format!("{}: {reason}", path.display())),
        }
    }

    fn fail(&mut self, line: &str) {
        eprint_line(line);
        self.failed += 1;
    }
}

/// Whether the measurement is new.
async fn submit(intake: &Intake, stores: &Stores, post: Post) -> Result<bool, String> {
    if is_known(intake, stores, &post.uid).await? {
        return Ok(false);
    }
    let submission = Submission {
        route: Route::Import,
        key_report_id: String::new(),
        body: payload(&post.path).map_err(|error| error.to_string())?,
        probe_cc: post.probe_cc,
        test_name: post.test_name,
        uid: Some(post.uid),
        headers: Vec::new(),
        side: Side::default(),
    };
    intake.accept(submission).await.map(|accepted| !accepted.repeated).map_err(|error| error.to_string())
}

fn payload(path: &Path) -> io::Result<Payload> {
    let length = fs::metadata(path)?.len();
    match length {
        0..SMALL => Ok(Payload::Memory(fs::read(path)?.into())),
        length => Ok(Payload::File { file: File::open(path)?, length }),
    }
}
