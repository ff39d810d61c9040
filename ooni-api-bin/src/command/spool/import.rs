//! `ooni-api spool import`: files of the reference's spool become records of the intake log.

use super::{Failure, eprint_line, failed};
use crate::clock::Clock;
use crate::config::Config;
use crate::import::{AT_ONCE, ImportError, submit_unknown};
use crate::intake::spool::{Post, import};
use crate::intake::{Error, Intake, Options, Payload, Route, Side, Submission};
use crate::stores::Stores;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;

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
                running.spawn(async move {
                    let result = submit(&intake, &stores, &post).await;
                    (post.path, result)
                });
            }
            Err(skipped) => counts.fail(&skipped.to_string()),
        }
        if running.len() >= AT_ONCE
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
    fn add(&mut self, (path, result): (PathBuf, Result<bool, ImportError>)) {
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
async fn submit(intake: &Intake, stores: &Stores, post: &Post) -> Result<bool, ImportError> {
    let submission = || {
        Ok(Submission {
            route: Route::Import,
            key_report_id: String::new(),
            body: payload(&post.path)?,
            probe_cc: post.probe_cc.clone(),
            test_name: post.test_name.clone(),
            uid: Some(post.uid.clone()),
            headers: Vec::new(),
            side: Side::default(),
        })
    };
    submit_unknown(intake, stores, &post.uid, submission).await
}

fn payload(path: &Path) -> io::Result<Payload> {
    let length = fs::metadata(path)?.len();
    match length {
        0..SMALL => Ok(Payload::Memory(fs::read(path)?.into())),
        length => Ok(Payload::File { file: File::open(path)?, length, space: None }),
    }
}
