//! What is done when the log is opened: it finds out what is in the directory, and cuts what was not finished.
//!
//! Only the last segment can end with a torn record, because the others were complete before the next one was begun. It is
//! verified from start to end and synced; of the others only the headers of the records are read, and readers verify the rest.

use super::cursor::last_position;
use super::error::Error;
use super::reader::Position;
use super::record::Metadata;
use super::repeat::{First, Repeats, key};
use super::scan::{HEADERS, Scanner, Step, WHOLE};
use super::segment::{DATA_START, Mark, Segment, SegmentHeader, parse_name, sync_directory};
use crate::clock::Hour;
use crate::failpoint::{Failpoint, fail};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Number of segments.
    pub segments: usize,
    /// Number of records in them.
    pub records: u64,
    /// The last record.
    pub last: Position,
    /// The unfinished end of the last segment, which was cut. Nothing in it was acknowledged.
    pub cut: Option<Cut>,
    /// Damaged parts. They are skipped; their files are kept.
    pub damaged: Vec<Damaged>,
    /// Segments without a readable header. They are kept, with `.unreadable` and a number after their names.
    pub unreadable: Vec<PathBuf>,
}

/// An unfinished end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub path: PathBuf,
    /// Its length after the cut.
    pub length: u64,
    /// How many bytes were cut.
    pub bytes: u64,
}

/// A part of a segment that is not readable although records follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The segment.
    pub path: PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many records are missing.
    pub records: u64,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recovery { segments, records, last, cut, damaged, unreadable } = self;
        write!(f, "{records} records in {segments} segments, the last one is number {}", last.sequence)?;
        if let Some(Cut { path, length, bytes }) = cut {
            write!(f, "; cut {bytes} bytes of an unfinished record from {} at {length}", path.display())?;
        }
        for Damaged { path, offset, bytes, records } in damaged {
            write!(f, "; {records} records are damaged in {bytes} bytes of {} at {offset}", path.display())?;
        }
        for path in unreadable {
            write!(f, "; {} has no readable header", path.display())?;
        }
        Ok(())
    }
}

/// What is in a directory.
#[derive(Debug)]
pub(crate) struct Survey {
    /// In the order of their sequence numbers.
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) recovery: Recovery,
    /// Files to delete: unfinished ones, and segments that another one replaced.
    leftover: Vec<PathBuf>,
}

impl Survey {
    /// Looks at a directory and changes nothing. The submissions of the last hours go into the table of repeats.
    pub(crate) fn new(directory: &Path, repeats: Option<&Repeats>) -> Result<Survey, Error> {
        let failed = |error| Error::io("read", directory, error);
        let mut survey = Survey { segments: Vec::new(), recovery: Recovery::default(), leftover: Vec::new() };
        let mut last = last_position(directory).map_err(failed)?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name() else { continue };
            if name.to_string_lossy().ends_with(".seg.tmp") {
                survey.leftover.push(path);
            } else if let Some((first, _)) = parse_name(name)
                && let Some(file) = open(&path)?
            {
                match SegmentHeader::read(&file, &path)? {
                    Some(header) => found.push((header, path, file)),
                    None => {
                        last.sequence = last.sequence.max(first.saturating_sub(1));
                        survey.recovery.unreadable.push(path);
                    }
                }
            }
        }
        survey.recovery.unreadable.sort();
        found.sort_by_key(|(header, ..)| (header.first, header.hour));
        let firsts: Vec<u64> = found.iter().skip(1).map(|(header, ..)| header.first).collect();
        let newest = found.last().map(|(header, ..)| header.hour);
        for (index, (header, path, file)) in found.into_iter().enumerate() {
            let next = firsts.get(index).copied();
            let length = file.metadata().map_err(|error| Error::io("read", &path, error))?.len();
            if next == Some(header.first) && length <= DATA_START {
                survey.leftover.push(path);
                continue;
            }
            let segment = Segment::new(header, path);
            let repeats = repeats.filter(|repeats| newest.is_some_and(|newest| repeats.may_last(header.hour, newest)));
            survey
                .scan(&segment, file, length, next, repeats)
                .map_err(|error| Error::io("read", &segment.path, error))?;
            survey.segments.push(Arc::new(segment));
        }
        if let Some(newest) = survey.segments.last() {
            let contents = newest.contents();
            last.sequence = last.sequence.max(contents.last);
            last.received = last.received.max(contents.received);
        }
        survey.recovery.segments = survey.segments.len();
        survey.recovery.records = survey.segments.iter().map(|segment| segment.contents().records).sum();
        survey.recovery.last = last;
        Ok(survey)
    }

    /// Reads a segment. `next` is the first sequence number of the segment after it.
    fn scan(
        &mut self,
        segment: &Segment,
        file: File,
        length: u64,
        next: Option<u64>,
        repeats: Option<&Repeats>,
    ) -> io::Result<()> {
        let is_last = next.is_none();
        let mut scanner = Scanner::new(segment, Arc::new(file), if is_last { WHOLE } else { HEADERS }, length);
        scanner.limit = next.map_or(u64::MAX, |next| next.saturating_sub(1));
        let mut contents = segment.contents();
        contents.closed = !is_last;
        let mut damaged = |offset, bytes, records| {
            self.recovery.damaged.push(Damaged { path: segment.path.clone(), offset, bytes, records });
        };
        loop {
            match scanner.step(is_last)? {
                Step::Record { header, offset, .. } => {
                    let mark = Mark { sequence: header.sequence, received: header.received, offset };
                    let metadata: Option<Metadata> = if header.has_kept_uid || repeats.is_some() {
                        serde_json::from_slice(&scanner.metadata(&header, offset)?).ok()
                    } else {
                        None
                    };
                    let uid = metadata.as_ref().and_then(|metadata| metadata.uid.as_deref());
                    contents.add(mark, header.length(), uid);
                    if let (Some(repeats), Some(metadata)) = (repeats, &metadata) {
                        let key = key(metadata.route, &metadata.key_report_id, uid, &header.digest);
                        let report_id = metadata.side.report_id.as_deref();
                        repeats.add(key, First::new(header.received, &header.digest, report_id));
                    }
                }
                Step::Damage(damage) => {
                    contents.add_damage(damage.first, damage.records);
                    damaged(damage.offset, damage.bytes, damage.records);
                }
                Step::End { torn } if is_last => {
                    if torn > 0 {
                        let (path, length) = (segment.path.clone(), length - torn);
                        self.recovery.cut = Some(Cut { path, length, bytes: torn });
                        contents.length = length;
                    }
                    return Ok(());
                }
                Step::End { torn } => {
                    let records = scanner.limit.saturating_sub(contents.last);
                    if records > 0 {
                        let first = contents.last + 1;
                        contents.add_damage(first, records);
                        damaged(length - torn, torn, records);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Cuts and tidies up what `new` found.
    pub(crate) fn repair(&self, directory: &Path) -> Result<(), Error> {
        for path in &self.leftover {
            std::fs::remove_file(path).map_err(|error| Error::io("delete", path, error))?;
        }
        for path in &self.recovery.unreadable {
            set_aside(path).map_err(|error| Error::io("rename", path, error))?;
        }
        if let Some(last) = self.segments.last() {
            self.make_durable(&last.path).map_err(|error| Error::io("truncate and sync", &last.path, error))?;
        }
        sync_directory(directory).map_err(|error| Error::io("sync", directory, error))
    }

    /// Cuts and syncs the last segment. A process that was killed may have written records to it and not synced them; from
    /// now on they count as accepted. The other segments were synced before the next one was begun.
    fn make_durable(&self, last: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(last)?;
        if let Some(Cut { length, .. }) = self.recovery.cut {
            file.set_len(length)?;
        }
        fail(Failpoint::RecoverySyncError).and_then(|()| file.sync_all())
    }
}

/// Renames a segment without a readable header. A segment of the same name may have been set aside before. No other process
/// takes the name meanwhile, since the directory is locked.
fn set_aside(path: &Path) -> io::Result<()> {
    let mut number = 1;
    loop {
        let kept = path.with_extension(format!("seg.unreadable{number}"));
        match std::fs::symlink_metadata(&kept) {
            Ok(_) => number += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return std::fs::rename(path, kept),
            Err(error) => return Err(error),
        }
    }
}

/// Opens a file; `None` if it is gone.
fn open(path: &Path) -> Result<Option<File>, Error> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("open", path, error)),
    }
}

impl Repeats {
    /// Whether submissions of an hour may still be in the table, given the last hour of the log.
    fn may_last(&self, hour: Hour, newest: Hour) -> bool {
        self.is_recent(hour.next().start(), newest.start())
    }
}
