//! Import: submits the measurements of files as a probe would (`serve --import`).
//!
//! Files are of any format that [`ooni_archive::can`] reads, except YAML. A measurement without an envelope gets one. A valid
//! uid in the name of a file or member is kept; others get the trivial uid. A measurement that the log or the archive already
//! has is skipped, so an import can be repeated. One that has only a row in the store is imported, and keeps the row.

mod read;

use self::read::{Found, read};
use crate::backoff::Backoff;
use crate::intake::{self, Intake, Payload, Route, Side, Submission};
use crate::stores::Stores;
use ooni_archive::source::local::FileList;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

/// Measurements that are read ahead.
const QUEUE: usize = 64;

/// Measurements that wait for one fsync. The store's queue has space for them, and for the requests of others.
pub(crate) const AT_ONCE: usize = 32;

/// Pauses between attempts to import a measurement.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));

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
    let Found { name, uid, report_id, probe_cc, test_name, body, side } = found;
    let submission = || {
        Ok(Submission {
            route: Route::Import,
            key_report_id: report_id.clone(),
            probe_cc: probe_cc.clone(),
            test_name: test_name.clone(),
            uid: Some(uid.clone()),
            headers: Vec::new(),
            side: Side { report_id: side.report_id.clone(), is_verified: side.is_verified, ..Side::default() },
            body: Payload::Memory(body.clone()),
        })
    };
    match submit_unknown(intake, stores, &uid, submission).await {
        Ok(true) => Became::Accepted,
        Ok(false) => Became::Already,
        Err(error) => {
            tracing::warn!(file = &*name, %error, "a measurement cannot be imported");
            Became::Failed
        }
    }
}

/// Why a measurement was not imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The log did not take it.
    #[error(transparent)]
    Intake(#[from] intake::Error),
    /// The store did not say whether it is known.
    #[error(transparent)]
    Store(#[from] ooni_store::Error),
    /// The store has not been reached.
    #[error("the database is not available")]
    NoStore,
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
}

impl ImportError {
    /// Whether a later try may succeed.
    fn is_temporary(&self) -> bool {
        match self {
            ImportError::Intake(error) => matches!(error, intake::Error::Busy),
            ImportError::Store(error) => error.is_retryable(),
            ImportError::NoStore | ImportError::File(_) => false,
        }
    }
}

/// Submits a measurement unless it is known; whether it was new. Retries while the log or the store is busy.
pub(crate) async fn submit_unknown(
    intake: &Intake,
    stores: &Stores,
    uid: &str,
    submission: impl Fn() -> io::Result<Submission>,
) -> Result<bool, ImportError> {
    let attempt = async || {
        if intake.find(uid).await?.is_some() || is_archived(stores, uid).await? {
            return Ok(false);
        }
        Ok(!intake.accept(submission()?).await?.repeated)
    };
    let mut retries = RETRIES;
    loop {
        match attempt().await {
            Err(error) if ImportError::is_temporary(&error) => {
                tracing::debug!(uid, %error, "the import of a measurement is tried again");
                sleep(retries.pause()).await;
            }
            done => return done,
        }
    }
}

/// Whether a measurement needs no import although the log does not have it: its body is in the archive, or it was removed on
/// purpose. A row alone is not enough, since its body would be lost.
pub(crate) async fn is_archived(stores: &Stores, uid: &str) -> Result<bool, ImportError> {
    let store = stores.measurements().map_err(|_| ImportError::NoStore)?;
    Ok(store.body_location(uid).await?.is_some() || store.uid_status(uid).await?.is_removed)
}
