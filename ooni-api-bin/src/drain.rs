//! [`drain`]: scores and archives what is in the intake log, without serving (`ooni-api job archive`).

use crate::app::App;
use crate::archiver::{Archived, has_ended};
use crate::clock::{Clock, Hour};
use crate::config::Config;
use crate::intake::{self, Cursor, Position, SegmentInfo, Snapshot};
use crate::tasks::Tasks;
use anyhow::{Error, anyhow, bail};
use std::collections::BTreeSet;
use tokio::sync::watch;

/// Scores the log to its end and archives the hours that are over, or all with `current`; releases what both are done with.
///
/// # Errors
/// A running server uses the state directory; the store or the archive fails. Nothing is lost; it can be repeated.
pub async fn drain(config: Config, clock: Clock, current: bool) -> anyhow::Result<Archived> {
    let opened = App::open(config, clock).await;
    let (app, Tasks { scoring, archiver, .. }) = opened.map_err(|error| match error.downcast_ref() {
        Some(intake::Error::Locked(_)) => anyhow!("a server is using this state directory; it archives by itself"),
        _ => error,
    })?;
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
    let now = clock.now();
    // A segment that is not closed will be when its hour is over.
    let is_due = |segment: &&SegmentInfo| {
        current || segment.hour < now.hour() || (segment.closed && has_ended(segment.hour, now))
    };
    let due = segments.iter().filter(|segment| segment.last_sequence > archived).filter(is_due);
    let measurements: u64 =
        due.clone().map(|segment| segment.last_sequence - archived.max(segment.first_sequence - 1)).sum();
    let hours = due.map(|segment| segment.hour).collect::<BTreeSet<Hour>>().len();
    let [measurements, hours] =
        [(measurements, "measurement"), (hours as u64, "hour")].map(|(count, noun)| match count {
            1 => format!("1 {noun}"),
            _ => format!("{count} {noun}s"),
        });
    Ok(format!("{measurements} of {hours} would be archived"))
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
