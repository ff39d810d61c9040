//! [`drain`]: scores and archives what is in the intake log, without serving (`ooni-api job archive`).

use crate::app::App;
use crate::archiver::Archived;
use crate::clock::{Clock, Hour};
use crate::config::Config;
use crate::intake::{Cursor, Position, Snapshot};
use crate::tasks::Tasks;
use anyhow::{Error, bail};
use std::collections::BTreeSet;
use tokio::sync::watch;

/// Scores the log to its end and archives the hours that are over, or all with `current`; releases what both are done with.
///
/// # Errors
/// A running server uses the state directory; the store or the archive fails. Nothing is lost; it can be repeated.
pub async fn drain(config: Config, clock: Clock, current: bool) -> anyhow::Result<Archived> {
    let (app, Tasks { scoring, archiver, .. }) = App::open(config, clock).await?;
    let (stop, stopped) = watch::channel(false);
    let scoring = tokio::spawn(scoring.run(stopped));
    let scored = wait_for_scoring(&app).await;
    let _ = stop.send(true);
    scoring.await?;
    let scored = scored?;
    let archived = archiver.run_once(current).await.map_err(Error::msg);
    let position = scored.min(app.archiver.borrow().position);
    app.intake.release(position).await?;
    app.intake.shutdown().await;
    archived
}

/// Says what [`drain`] would archive. A running server may use the state directory.
///
/// # Errors
/// The log cannot be read.
pub fn pending(config: &Config, clock: &Clock, current: bool) -> anyhow::Result<String> {
    let folder = config.intake_directory();
    let archived = Cursor::<serde_json::Value>::open(&folder, "archive")?.position().sequence;
    let segments = if folder.is_dir() { Snapshot::open(&folder)?.segments() } else { Vec::new() };
    let is_due = |hour| current || hour < clock.now().hour();
    let due = segments.iter().filter(|segment| segment.last_sequence > archived && is_due(segment.hour));
    let measurements: u64 =
        due.clone().map(|segment| segment.last_sequence - archived.max(segment.first_sequence - 1)).sum();
    let hours: BTreeSet<Hour> = due.map(|segment| segment.hour).collect();
    Ok(format!("{measurements} measurements of {} hours would be archived", hours.len()))
}

/// Waits until all measurements that are in the log now are scored.
async fn wait_for_scoring(app: &App) -> anyhow::Result<Position> {
    let last = app.intake.counters().accepted;
    let mut progress = app.scoring.clone();
    let progress = progress.wait_for(|progress| progress.position.sequence >= last || progress.error.is_some()).await?;
    match &progress.error {
        Some(error) => bail!("measurements cannot be stored: {error}"),
        None => Ok(progress.position),
    }
}
