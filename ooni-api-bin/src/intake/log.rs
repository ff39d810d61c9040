//! The segments of a directory, and how one record is found in them.

use super::error::Error;
use super::reader::Position;
use super::record::Record;
use super::scan::{Damage, HEADERS, Scanner, Step, Whole};
use super::segment::{Mark, Segment, SegmentInfo, sync_directory};
use crate::clock::{Hour, Timestamp};
use crate::failpoint::{Failpoint, reach};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The segments that have not been released.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) directory: PathBuf,
    /// In the order of their sequence numbers.
    segments: Mutex<Vec<Arc<Segment>>>,
    /// Number of records that turned out to be damaged.
    damaged: AtomicU64,
    /// Whether files may be changed.
    is_writer: bool,
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Number of segments.
    pub segments: usize,
    /// Their length in bytes.
    pub bytes: u64,
}

impl Log {
    /// The segments that a survey found. If this process writes to the log, those with damage are kept.
    pub(crate) fn new(directory: PathBuf, segments: Vec<Arc<Segment>>, is_writer: bool) -> Log {
        let damaged = segments.iter().map(|segment| segment.contents().damaged()).sum();
        segments.iter().rev().skip(1).for_each(|segment| segment.contents().close());
        let log = Log { directory, segments: Mutex::new(segments), damaged: AtomicU64::new(damaged), is_writer };
        log.segments().iter().filter(|segment| segment.contents().is_damaged()).for_each(|segment| log.keep(segment));
        log
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn segments(&self) -> Vec<Arc<Segment>> {
        self.list().clone()
    }

    pub(crate) fn infos(&self) -> Vec<SegmentInfo> {
        self.list().iter().map(|segment| segment.info()).collect()
    }

    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Adds a segment after the others. The last one is closed, or returned if it is empty and so no longer one of them.
    pub(crate) fn begin(&self, segment: Arc<Segment>) -> Option<Arc<Segment>> {
        let mut list = self.list();
        if let Some(last) = list.last() {
            last.contents().close();
        }
        let empty = list.pop_if(|last| last.contents().last < last.header.first);
        list.push(segment);
        empty
    }

    /// Gives a segment with damage a second name, under which it stays after its release, whatever is known then.
    fn keep(&self, segment: &Segment) {
        let kept = segment.path.with_extension("seg.damaged");
        if !self.is_writer || kept.exists() {
            return;
        }
        if let Err(error) = std::fs::hard_link(&segment.path, &kept).and_then(|()| sync_directory(&self.directory)) {
            tracing::error!(%error, segment = %segment.path.display(), "a damaged segment could not be linked");
        }
    }

    /// Notes and reports damage that a reader found.
    pub(crate) fn note(&self, segment: &Segment, damage: Damage) {
        if segment.contents().add_damage(damage.first, damage.records) {
            self.damaged.fetch_add(damage.records, Ordering::Relaxed);
            tracing::error!(
                segment = %segment.path.display(),
                offset = damage.offset,
                size_bytes = damage.bytes,
                first_sequence = damage.first,
                records = damage.records,
                "a part of the intake log is damaged and is skipped; the file will be kept"
            );
            self.keep(segment);
        }
    }

    /// The first segment that has this record or a later one.
    pub(crate) fn segment_of(&self, sequence: u64) -> Option<Arc<Segment>> {
        let list = self.list();
        list.iter().find(|segment| segment.contents().last >= sequence).cloned()
    }

    /// When the first record after a sequence number was received, by its header. This blocks.
    pub(crate) fn received_after(&self, sequence: u64) -> Result<Option<Timestamp>, Error> {
        let next = sequence + 1;
        let Some(segment) = self.segment_of(next) else { return Ok(None) };
        let (mark, end) = {
            let contents = segment.contents();
            (contents.mark_of_sequence(next), contents.length)
        };
        let mut scanner = Scanner::new(&segment, Arc::new(segment.open()?), HEADERS, end);
        if let Some(mark) = mark {
            scanner.seek(mark);
        }
        let header = scanner.skip_to(next).and_then(|()| scanner.peek());
        let header = header.map_err(|error| Error::io("read", &segment.path, error))?;
        Ok(header.map(|header| header.received))
    }

    /// The record with a UID. This blocks.
    pub(crate) fn find(&self, uid: &str) -> Result<Option<Record>, Error> {
        let time = receive_time(uid);
        for segment in self.segments() {
            let (kept, by_time, end) = {
                let contents = segment.contents();
                let time = time.filter(|time| time.hour() == segment.header.hour);
                let by_time = time.and_then(|time| contents.mark_of_time(time));
                (contents.mark_of_kept(uid), by_time, contents.length)
            };
            for (mark, until) in [(kept, None), (by_time, time)] {
                let Some(mark) = mark else { continue };
                match self.find_from(&segment, mark, end, until, uid) {
                    Ok(None) => {}
                    Err(error) if error.is_not_found() => {} // it was released meanwhile
                    found => return found,
                }
            }
        }
        Ok(None)
    }

    /// Looks at the records from a mark on: at one, or at those up to a time.
    fn find_from(
        &self,
        segment: &Segment,
        mark: Mark,
        end: u64,
        until: Option<Timestamp>,
        uid: &str,
    ) -> Result<Option<Record>, Error> {
        let failed = |error| Error::io("read", &segment.path, error);
        let mut scanner = Scanner::new(segment, Arc::new(segment.open()?), HEADERS, end);
        let mut mark = mark;
        scanner.seek(mark);
        loop {
            match scanner.step(false).map_err(failed)? {
                Step::Record { header, offset, .. } => {
                    let is_it = until.is_none_or(|time| header.received == time);
                    if is_it {
                        mark = Mark { sequence: header.sequence, received: header.received, offset };
                        break;
                    }
                    if until.is_some_and(|time| header.received > time) {
                        return Ok(None);
                    }
                }
                Step::Damage(damage) => self.note(segment, damage),
                Step::End { .. } => return Ok(None),
            }
        }
        scanner.seek(mark);
        match scanner.step(true).map_err(failed)? {
            Step::Record { header, whole: Some(Whole { metadata, body }), offset } => {
                Ok(Record::new(&header, offset, &metadata, body).filter(|record| record.uid == uid))
            }
            Step::Damage(damage) => {
                self.note(segment, damage);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Deletes closed segments whose records are all at or before a position, unless `is_needed` of the last receive time.
    /// Those with damage keep their second name. The last segment stays, since it has the sequence number and receive time
    /// to continue with. This blocks.
    pub(crate) fn release(&self, up_to: Position, is_needed: impl Fn(Timestamp) -> bool) -> Result<Released, Error> {
        let mut released = Released::default();
        loop {
            let segment = {
                let list = self.list();
                let Some(first) = list.first().filter(|_| list.len() > 1) else { break };
                let contents = first.contents();
                if !contents.closed || contents.last > up_to.sequence || is_needed(contents.received) {
                    break;
                }
                Arc::clone(first)
            };
            let (length, damaged) = {
                let contents = segment.contents();
                (contents.length, contents.is_damaged())
            };
            reach(Failpoint::SegmentReleasing);
            let kept = segment.path.with_extension("seg.damaged");
            let gone = if damaged && !kept.exists() {
                std::fs::rename(&segment.path, kept)
            } else {
                std::fs::remove_file(&segment.path)
            };
            match gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("release", &segment.path, error));
                }
                _ => {}
            }
            reach(Failpoint::SegmentReleased);
            self.list().retain(|other| !Arc::ptr_eq(other, &segment));
            released.segments += 1;
            released.bytes += length;
        }
        if released.segments > 0 {
            sync_directory(&self.directory).map_err(|error| Error::io("sync", &self.directory, error))?;
        }
        Ok(released)
    }
}

/// The time at the start of a UID.
fn receive_time(uid: &str) -> Option<Timestamp> {
    let digits = |range| {
        let text: &str = uid.get(range)?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?
    };
    if uid.get(14..15)? != "." || uid.get(21..22)? != "_" {
        return None;
    }
    let (minute, second, micros) = (digits(10..12)?, digits(12..14)?, digits(15..21)?);
    let start = Hour::parse(uid.get(..10)?)?.start();
    (minute < 60 && second < 60).then_some(())?;
    Some(Timestamp::from_micros(start.micros() + (minute * 60 + second) * 1_000_000 + micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receive_times() {
        let time = Timestamp::from_micros(1_612_822_030_181_572);
        assert_eq!(receive_time("20210208220710.181572_MA_ndt_7888edc7748936bf"), Some(time));
        for uid in ["", "01202102037f9c2ba4e88f827d61604550760585", "20210208226010.181572_MA", "20210208220710.181572"]
        {
            assert_eq!(receive_time(uid), None, "{uid}");
        }
    }
}
