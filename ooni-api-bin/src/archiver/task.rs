//! [`Archiver`]: the task that archives the hours of the log, one segment after the other.

use super::Archived;
use super::can::{Built, Until, build};
use super::groups::{Group, groups};
use super::plan::Plan;
use super::publish::publish;
use crate::clock::{Clock, Timestamp};
use crate::failpoint::{Failpoint, reach};
use crate::intake::{Cursor, Intake, Place, Position, SegmentInfo};
use crate::stores::Stores;
use ooni_archive::layout::HourlyCan;
use ooni_archive::writer::ArchiveWriter;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often the clock is compared with the end of an hour.
const TICK: Duration = Duration::from_secs(1);
/// How long to wait after a failure, at first and at most.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// How the log is archived.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Id of this collector.
    pub collector: String,
    /// A can ends after the measurement with which it exceeds this size.
    pub can_bytes: u64,
    /// How long after its end an hour is archived.
    pub delay: Duration,
    /// Folder for plans and for the files of the can at hand.
    pub folder: PathBuf,
}

/// How far the archiver is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The log is archived up to here.
    pub position: Position,
    /// What became of the measurements before.
    pub archived: Archived,
    /// When the last can was done.
    pub last_success: Option<Timestamp>,
    /// The error of the last attempt, while it is repeated.
    pub error: Option<String>,
}

/// The task, and what it needs.
#[derive(Debug)]
pub struct Archiver {
    intake: Intake,
    stores: Stores,
    archive: ArchiveWriter,
    clock: Clock,
    settings: Settings,
    cursor: Cursor<Archived>,
    progress: watch::Sender<Progress>,
}

impl Archiver {
    /// A task that continues at the cursor, and its progress.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn new(
        intake: Intake,
        stores: Stores,
        archive: ArchiveWriter,
        clock: Clock,
        settings: Settings,
        cursor: Cursor<Archived>,
    ) -> io::Result<(Archiver, watch::Receiver<Progress>)> {
        std::fs::create_dir_all(&settings.folder)?;
        let (position, archived) = (cursor.position(), *cursor.state());
        let (progress, watched) = watch::channel(Progress { position, archived, ..Progress::default() });
        Ok((Archiver { intake, stores, archive, clock, settings, cursor, progress }, watched))
    }

    /// Archives hours as they end, until `stop` is set.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = FIRST_RETRY;
        loop {
            let step = tokio::select! {
                step = self.next_due() => step,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let failed = match step {
                Some(segment) => tokio::select! {
                    archived = self.archive(&segment) => archived.err(),
                    _ = stop.wait_for(|stop| *stop) => return,
                },
                None => None,
            };
            let wait = match failed {
                None => {
                    pause = FIRST_RETRY;
                    continue;
                }
                Some(error) => {
                    tracing::warn!(error, "an hour cannot be archived, and is tried again");
                    self.progress.send_modify(|progress| progress.error = Some(error));
                    let wait = pause;
                    pause = LAST_RETRY.min(pause * 2);
                    wait
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Archives all hours that have ended, and the current one as well if `current` is set.
    ///
    /// # Errors
    /// A sentence about the first failure.
    pub async fn run_once(mut self, current: bool) -> Result<Archived, String> {
        if current {
            self.intake.rotate().await.map_err(|error| error.to_string())?;
        }
        while let Some(segment) = self.closed() {
            self.archive(&segment).await?;
        }
        Ok(*self.cursor.state())
    }

    /// Waits a little; the next segment if its hour has ended long enough ago.
    async fn next_due(&self) -> Option<SegmentInfo> {
        if let Err(error) = self.intake.tick().await {
            tracing::warn!(%error, "the current hour cannot be closed");
        }
        let now = self.clock.now();
        let due = self.closed().filter(|segment| {
            now.seconds_since(segment.hour.next().start()) >= self.settings.delay.as_secs_f64()
                || segment.hour.next().start() > now
        });
        if due.is_none() {
            sleep(TICK).await;
        }
        due
    }

    /// The first closed segment that is not archived.
    fn closed(&self) -> Option<SegmentInfo> {
        let done = self.cursor.position().sequence;
        self.intake.segments().into_iter().find(|segment| segment.closed && segment.last_sequence > done)
    }

    async fn archive(&mut self, segment: &SegmentInfo) -> Result<(), String> {
        let mut archived = *self.cursor.state();
        let name = segment.path.file_stem().unwrap_or_default().to_string_lossy();
        let path = self.settings.folder.join(format!("{name}.plan"));
        let mut plan = Plan::open(path.clone()).map_err(|error| format!("{}: {error}", path.display()))?;
        let read = groups(&self.intake, self.cursor.position(), segment.last_sequence).await;
        let (groups, end) = read.map_err(|error| error.to_string())?;
        for (group, places) in groups {
            archived += self.archive_group(&mut plan, group, places).await?;
        }
        self.cursor.commit(end, archived).await.map_err(|error| error.to_string())?;
        reach(Failpoint::ArchiveCursor);
        plan.remove().map_err(|error| format!("{}: {error}", path.display()))?;
        self.progress.send_replace(Progress {
            position: end,
            archived,
            last_success: Some(self.clock.now()),
            error: None,
        });
        Ok(())
    }

    /// Publishes the cans of a group: those that the plan already has, then further ones.
    async fn archive_group(&self, plan: &mut Plan, group: Group, places: Vec<Place>) -> Result<Archived, String> {
        let Settings { collector, can_bytes, .. } = &self.settings;
        let mut can = HourlyCan::new(group.hour, &group.cc, &group.testname, collector, 0)?;
        let places: Arc<[Place]> = places.into();
        let planned = plan.cans(&group);
        let mut archived = Archived::default();
        let mut at = 0;
        let mut next = planned.last().map(|planned| planned.number + 1);
        for planned in planned {
            let end = (at + planned.count).min(places.len());
            let built = self.build(&group, &places, at, Until::Count(end - at)).await?;
            at = end;
            archived += built.archived();
            if !planned.is_done {
                self.publish(plan, &group, &can.numbered(planned.number), &built).await?;
            }
        }
        while at < places.len() {
            let number = match next {
                Some(number) => number,
                None => self.archive.next_number(&can).await.map_err(|error| error.to_string())?,
            };
            let built = self.build(&group, &places, at, Until::Size(*can_bytes)).await?;
            can = can.numbered(number);
            plan.add(&group, number, built.count).map_err(|error| format!("the plan cannot be written: {error}"))?;
            reach(Failpoint::ArchivePlanned);
            self.publish(plan, &group, &can, &built).await?;
            at += built.count;
            archived += built.archived();
            next = Some(number + 1);
        }
        Ok(archived)
    }

    async fn publish(&self, plan: &mut Plan, group: &Group, can: &HourlyCan, built: &Built) -> Result<(), String> {
        publish(&self.archive, &self.stores, group.hour, can, built).await?;
        plan.done(group, can.number()).map_err(|error| format!("the plan cannot be written: {error}"))?;
        reach(Failpoint::ArchiveDone);
        self.progress.send_modify(|progress| {
            progress.last_success = Some(self.clock.now());
            progress.error = None;
        });
        Ok(())
    }

    async fn build(&self, group: &Group, places: &Arc<[Place]>, from: usize, until: Until) -> Result<Built, String> {
        let (intake, group, places) = (self.intake.clone(), group.clone(), Arc::clone(places));
        let folder = self.settings.folder.clone();
        let built = spawn_blocking(move || build(&intake, &group, &places[from..], until, &folder)).await;
        let built = built.map_err(|error| error.to_string())?;
        built.map_err(|error| format!("a can cannot be built: {error}"))
    }
}
