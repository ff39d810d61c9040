//! Import: submits the measurements of files as a probe would (`serve --import`).
//!
//! Files are of any format that [`ooni_archive::can`] reads, except YAML. A measurement without an envelope gets one. A valid
//! uid in the name of a file or member is kept; others get the trivial uid. A measurement that the log, the store or the
//! archive already has is skipped, so an import can be repeated.

mod read;

use self::read::{Found, read};
use crate::intake::{Intake, Payload, Route, Side, Submission};
use crate::stores::Stores;
use ooni_archive::source::local::FileList;
use ooni_store::UidStatus;
use std::fmt;
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

/// Measurements that are read ahead.
const QUEUE: usize = 64;

/// Measurements that wait for one fsync.
const AT_ONCE: usize = 256;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Measurements that were accepted.
    pub accepted: u64,
    /// Measurements that were there before.
    pub already: u64,
    /// Measurements that cannot be read or accepted. Each is logged.
    pub failed: u64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Imported { accepted, already, failed } = self;
        write!(f, "{accepted} imported, {already} already there, {failed} failed")
    }
}

/// Imports files and folders.
///
/// # Errors
/// A sentence, if a path does not exist. Nothing was imported then.
pub async fn import(intake: &Intake, stores: &Stores, paths: &[PathBuf]) -> Result<Imported, String> {
    let files = FileList::find(paths, None).map_err(|missing| {
        let names: Vec<String> = missing.0.iter().map(|path| path.path.display().to_string()).collect();
        format!("no such file or directory: {}", names.join(", "))
    })?;
    let (sender, mut found) = mpsc::channel(QUEUE);
    let reading = tokio::task::spawn_blocking(move || read(files, &sender));
    let mut imported = Imported::default();
    let mut running = JoinSet::new();
    while let Some(found) = found.recv().await {
        while running.len() >= AT_ONCE {
            imported.count(running.join_next().await);
        }
        let (intake, stores) = (intake.clone(), stores.clone());
        running.spawn(async move { submit(&intake, &stores, found).await });
    }
    while let Some(result) = running.join_next().await {
        imported.count(Some(result));
    }
    imported.failed += reading.await.map_err(|error| error.to_string())?;
    Ok(imported)
}

/// What became of a measurement.
enum Became {
    Accepted,
    Already,
    Failed,
}

impl Imported {
    fn count(&mut self, result: Option<Result<Became, JoinError>>) {
        match result {
            Some(Ok(Became::Accepted)) => self.accepted += 1,
            Some(Ok(Became::Already)) => self.already += 1,
            Some(Ok(Became::Failed) | Err(_)) => self.failed += 1,
            None => {}
        }
    }
}

async fn submit(intake: &Intake, stores: &Stores, found: Found) -> Became {
    match is_known(intake, stores, &found.uid).await {
        Ok(true) => return Became::Already,
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(file = &*found.name, error, "a measurement cannot be imported");
            return Became::Failed;
        }
    }
    let Found { name, uid, report_id, probe_cc, test_name, body, side } = found;
    let submission = Submission {
        route: Route::Import,
        key_report_id: report_id,
        probe_cc,
        test_name,
        uid: Some(uid),
        headers: Vec::new(),
        side: Side { report_id: side.report_id, is_verified: side.is_verified, ..Side::default() },
        body: Payload::Memory(body),
    };
    match intake.accept(submission).await {
        Ok(accepted) if accepted.repeated => Became::Already,
        Ok(_) => Became::Accepted,
        Err(error) => {
            tracing::warn!(file = &*name, %error, "a measurement cannot be imported");
            Became::Failed
        }
    }
}

/// Whether the log, the store or the archive has this measurement.
pub(crate) async fn is_known(intake: &Intake, stores: &Stores, uid: &str) -> Result<bool, String> {
    if intake.find(uid).await.map_err(|error| error.to_string())?.is_some() {
        return Ok(true);
    }
    let store = stores.measurements().map_err(|_| "the database is not available".to_owned())?;
    let status = store.uid_status(uid).await.map_err(|error| error.to_string())?;
    Ok(status != UidStatus::default())
}
