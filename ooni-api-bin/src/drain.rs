//! [`drain`]: scores and archives what is in the intake log, without serving (`ooni-api job archive`).

use crate::app::App;
use crate::archiver::Archived;
use crate::clock::Clock;
use crate::config::Config;
use crate::intake::Position;
use crate::tasks::Tasks;
use anyhow::{Error, bail};
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
