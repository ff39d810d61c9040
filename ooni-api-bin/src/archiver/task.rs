//! [`Archiver`]: the task that archives the hours of the log, one segment after the other.

use super::Archived;
use super::can::{Built, build};
use super::groups::{Group, groups};
use super::plan::{Plan, Planned, Step};
use super::publish::{is_taken, publish};
use crate::backoff::Backoff;
use crate::clock::{Clock, Hour, Timestamp};
use crate::failpoint::{Failpoint, reach};
use crate::intake::{self, Cursor, Intake, Place, Position, SegmentInfo};
use crate::stores::Stores;
use ooni_archive::layout::HourlyCan;
use ooni_archive::writer::ArchiveWriter;
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often the clock is compared with the end of an hour.
const TICK: Duration = Duration::from_secs(1);
/// Pauses between attempts to archive an hour.
const RETRIES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

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
    /// What an earlier process left in the folder is deleted, except plans that are still needed. So the log has to be open
    /// in this process only, as [`Intake`] ensures.
    ///
    /// # Errors
    /// The folder cannot be created or read.
    pub fn new(
        intake: Intake,
        stores: Stores,
        archive: ArchiveWriter,
        clock: Clock,
        settings: Settings,
        cursor: Cursor<Archived>,
    ) -> io::Result<(Archiver, watch::Receiver<Progress>)> {
        intake::create_directory(&settings.folder)?;
        let (position, archived) = (cursor.position(), *cursor.state());
        let pending = intake.segments().into_iter().filter(|segment| segment.last_sequence > position.sequence);
        tidy(&settings.folder, &pending.map(|segment| plan_path(&settings, &segment)).collect())?;
        let (progress, watched) = watch::channel(Progress { position, archived, ..Progress::default() });
        Ok((Archiver { intake, stores, archive, clock, settings, cursor, progress }, watched))
    }

    /// Archives hours as they end, until `stop` is set.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut retries = RETRIES;
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
            let Some(error) = failed else {
                retries.reset();
                continue;
            };
            tracing::warn!(error, "an hour cannot be archived, and is tried again");
            self.progress.send_modify(|progress| progress.error = Some(error));
            tokio::select! {
                () = sleep(retries.pause()) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Archives all hours that have ended, without the delay, and the current one as well if `current` is set.
    ///
    /// # Errors
    /// A sentence about the first failure.
    pub async fn run_once(mut self, current: bool) -> Result<Archived, String> {
        let closed = if current { self.intake.rotate().await } else { self.intake.tick().await };
        closed.map_err(|error| error.to_string())?;
        let clock = self.clock.clone();
        let is_due = |segment: &SegmentInfo| current || has_ended(segment.hour, clock.now());
        while let Some(segment) = self.closed().filter(is_due) {
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
        let waited = |hour: Hour| now.seconds_since(hour.next().start()) >= self.settings.delay.as_secs_f64();
        let due = self
            .closed()
            .filter(|SegmentInfo { hour, .. }| has_ended(*hour, now) && (waited(*hour) || *hour > now.hour()));
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
        let path = plan_path(&self.settings, segment);
        let mut plan = Plan::open(path.clone()).map_err(|error| format!("{}: {error}", path.display()))?;
        let read = groups(&self.intake, self.cursor.position(), segment.last_sequence).await;
        let (groups, end) = read.map_err(|error| error.to_string())?;
        for (group, places) in groups {
            archived += self.archive_group(&mut plan, group, places).await?;
        }
        self.cursor.commit(end, archived).await.map_err(|error| error.to_string())?;
        reach(Failpoint::ArchiveCursor);
        self.progress.send_replace(Progress {
            position: end,
            archived,
            last_success: Some(self.clock.now()),
            error: None,
        });
        if let Err(error) = plan.remove() {
            tracing::warn!(%error, plan = %path.display(), "a plan that is done cannot be deleted; the next start does it");
        }
        Ok(())
    }

    /// Publishes the cans of a group: those that the plan already has, then further ones.
    async fn archive_group(&self, plan: &mut Plan, group: Group, places: Vec<Place>) -> Result<Archived, String> {
        let places: Arc<[Place]> = places.into();
        let mut archived = Archived::default();
        let mut at = 0;
        let mut next = None;
        for planned in plan.cans(&group) {
            let end = places.partition_point(|place| place.sequence <= planned.last).max(at);
            next = Some(planned.number + 1);
            archived += match planned.step {
                Step::Done(archived) => archived,
                Step::Planned | Step::Putting => {
                    let built = self.build(&group, &places, at..end, None).await?;
                    next = Some(self.publish(plan, planned, &built).await? + 1);
                    built.archived()
                }
            };
            at = end;
        }
        while at < places.len() {
            let number = match next {
                Some(number) => number,
                None => self.next_number(&self.can(&group, 0)?).await?,
            };
            let built = self.build(&group, &places, at..places.len(), Some(self.settings.can_bytes)).await?;
            at += built.count;
            let Some(last) = places[..at].last().map(|place| place.sequence) else { break };
            plan.add(&group, number, last).map_err(not_written)?;
            reach(Failpoint::ArchivePlanned);
            let planned = Planned { group: group.clone(), number, last, step: Step::Planned };
            next = Some(self.publish(plan, planned, &built).await? + 1);
            archived += built.archived();
        }
        Ok(archived)
    }

    /// Publishes a can, and returns its number.
    async fn publish(&self, plan: &mut Plan, planned: Planned, built: &Built) -> Result<u32, String> {
        let Planned { group, number, last, step } = planned;
        let mut can = self.can(&group, number)?;
        if step == Step::Planned {
            while is_taken(&self.archive, &can).await? {
                let number = self.next_number(&can).await?.max(can.number() + 1);
                let (taken, collector) = (can.postcan_key(), &self.settings.collector);
                tracing::warn!(taken, number, collector, "another server archives with the same collector_id");
                plan.add(&group, number, last).map_err(not_written)?;
                can = can.numbered(number);
            }
            plan.putting(&group, can.number()).map_err(not_written)?;
            reach(Failpoint::ArchivePutting);
        }
        publish(&self.archive, &self.stores, group.hour, &can, built).await?;
        plan.done(&group, can.number(), built.archived()).map_err(not_written)?;
        reach(Failpoint::ArchiveDone);
        self.progress.send_modify(|progress| {
            progress.last_success = Some(self.clock.now());
            progress.error = None;
        });
        Ok(can.number())
    }

    fn can(&self, group: &Group, number: u32) -> Result<HourlyCan, String> {
        HourlyCan::new(group.hour, &group.cc, &group.testname, &self.settings.collector, number)
    }

    async fn next_number(&self, can: &HourlyCan) -> Result<u32, String> {
        self.archive.next_number(can).await.map_err(|error| error.to_string())
    }

    async fn build(
        &self,
        group: &Group,
        places: &Arc<[Place]>,
        range: Range<usize>,
        most_bytes: Option<u64>,
    ) -> Result<Built, String> {
        let (intake, group, places) = (self.intake.clone(), group.clone(), Arc::clone(places));
        let folder = self.settings.folder.clone();
        let built = spawn_blocking(move || build(&intake, &group, &places[range], most_bytes, &folder)).await;
        let built = built.map_err(|error| error.to_string())?;
        built.map_err(|error| format!("a can cannot be built: {error}"))
    }
}

/// Whether a closed segment of an hour need not wait for the end of the hour. That is so if the hour is over, or so far in the
/// future that the clock was set back after the segment was written.
pub(crate) fn has_ended(hour: Hour, now: Timestamp) -> bool {
    hour < now.hour() || hour > now.hour().next()
}

fn plan_path(settings: &Settings, segment: &SegmentInfo) -> PathBuf {
    let name = segment.path.file_stem().unwrap_or_default().to_string_lossy();
    settings.folder.join(format!("{name}.plan"))
}

/// Deletes the files of a folder except some.
fn tidy(folder: &Path, except: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !except.contains(&path)
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(%error, file = %path.display(), "a file of an earlier process cannot be deleted");
        }
    }
    Ok(())
}

fn not_written(error: io::Error) -> String {
    format!("the plan cannot be written: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_segment_waits_for_the_end_of_its_hour_unless_the_clock_was_set_back() {
        let now = Hour::parse("2026030112").unwrap().start();
        let ended = |hour: &str| has_ended(Hour::parse(hour).unwrap(), now);
        let hours = ["2026030110", "2026030111", "2026030112", "2026030113", "2026030114", "2026030200"];
        assert_eq!(hours.map(ended), [true, true, false, false, true, true]);
    }
}
