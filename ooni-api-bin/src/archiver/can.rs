//! [`Built`]: the files of a can, on the local disk.

use super::Archived;
use super::groups::Group;
use crate::intake::{Intake, Place as InLog, Record};
use ooni_archive::layout::HourlyCan;
use ooni_archive::limits::RATIO_FREE;
use ooni_archive::writer::{LinesWriter, Post, PostcanWriter, WrittenLines};
use ooni_core::json::{Reader, Value};
use ooni_core::measurement::Measurement;
use ooni_store::{BodyLocation, GzipMember};
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// The files of a can.
#[derive(Debug)]
pub(super) struct Built {
    /// How many measurements of the group are in it.
    pub(super) count: usize,
    /// POST bodies and lines; `None` if all bodies are in quarantine.
    pub(super) postcan: Option<(NamedTempFile, NamedTempFile)>,
    /// Bodies that are not JSON; `None` if there are none.
    pub(super) quarantine: Option<NamedTempFile>,
    posts: u64,
    quarantined: u64,
    bodies: Vec<Body>,
    lines: WrittenLines,
}

/// Where a body went.
#[derive(Debug)]
struct Body {
    uid: String,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// A line, by its number.
    Line(u32),
    /// A member of the postcan whose line has other bytes: a POST body with line breaks in its measurement, or without one.
    Post(u32),
    /// A member of the quarantine can.
    Quarantine(u32),
}

/// Readers refuse a file beyond a ratio of decompressed to compressed bytes, unless it has a single measurement. Half of that
/// is enough for a file to end before the next measurement.
const RATIO: u64 = 250;

/// Builds the files of a can from these measurements, up to the one with which it exceeds `most_bytes` if that is given, or
/// before one that might make it too compressible to be read. Blocks.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn build(
    intake: &Intake,
    group: &Group,
    places: &[InLog],
    most_bytes: Option<u64>,
    folder: &Path,
) -> io::Result<Built> {
    let names = HourlyCan::new(group.hour, &group.cc, &group.testname, "0", 0).map_err(io::Error::other)?;
    let new = || NamedTempFile::new_in(folder);
    let (postcan_file, lines_file, quarantine_file) = (new()?, new()?, new()?);
    let out = |file: &NamedTempFile| Ok::<_, io::Error>(Box::new(BufWriter::new(file.as_file().try_clone()?)));
    let mut postcan = PostcanWriter::new(out(&postcan_file)?, &names.members_folder());
    let mut lines = LinesWriter::new(out(&lines_file)?);
    let mut quarantine = PostcanWriter::new(out(&quarantine_file)?, &names.members_folder());
    let mut reader = Reader::new();
    let mut picker = intake.picker();
    let mut bodies = Vec::new();
    // Bytes of the bodies in the postcan and in the quarantine can. Those of lines are not longer.
    let (mut post_bytes, mut quarantine_bytes) = (0, 0);
    let mut taken = 0;
    for place in places {
        let size = postcan.compressed_size().max(quarantine.compressed_size());
        if most_bytes.is_some_and(|most| size > most) {
            break;
        }
        // The log has reported a record that is damaged, and keeps its segment.
        let Some(record) = picker.record(*place).map_err(io::Error::other)? else {
            taken += 1;
            continue;
        };
        let body = record.body.bytes()?;
        let document = reader.read(&body);
        let (bytes, compressed) = match &document {
            Ok(_) => (&mut post_bytes, postcan.compressed_size().min(lines.compressed_size())),
            Err(_) => (&mut quarantine_bytes, quarantine.compressed_size()),
        };
        let is_first = *bytes == 0;
        *bytes += record.body.length();
        if most_bytes.is_some() && !is_first && is_dense(*bytes, compressed) {
            break;
        }
        taken += 1;
        let post = post(&record);
        let number = |lines: u64| u32::try_from(lines).map_err(io::Error::other);
        let place = match document {
            Err(_) => {
                quarantine.append(&post, &mut &body[..])?;
                Place::Quarantine(number(quarantine.members() - 1)?)
            }
            Ok(document) => {
                postcan.append(&post, &mut &body[..])?;
                match measurement(document.root()) {
                    Some(measurement) => {
                        let line = Place::Line(number(lines.lines())?);
                        lines.append(&mut { measurement })?;
                        // In a line, CR and LF become spaces.
                        let is_exact = !measurement.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
                        if is_exact { line } else { Place::Post(number(postcan.members() - 1)?) }
                    }
                    None => {
                        lines.append_placeholder()?;
                        Place::Post(number(postcan.members() - 1)?)
                    }
                }
            }
        };
        reader.shrink();
        bodies.push(Body { uid: record.uid, place });
    }
    let (posts, quarantined) = (postcan.members(), quarantine.members());
    // At the end, so that a line has the number of its member in the postcan: a rerun relies on it.
    for _ in 0..quarantined {
        lines.append_placeholder()?;
    }
    postcan.finish()?;
    quarantine.finish()?;
    let lines = lines.finish()?;
    Ok(Built {
        count: taken,
        postcan: (posts > 0).then_some((postcan_file, lines_file)),
        quarantine: (quarantined > 0).then_some(quarantine_file),
        posts,
        quarantined,
        bodies,
        lines,
    })
}

/// Whether a file of so many bytes might be refused, if so many compressed bytes come before the last measurement.
fn is_dense(bytes: u64, compressed: u64) -> bool {
    bytes > RATIO_FREE && bytes / RATIO > compressed
}

fn post(record: &Record) -> Post<'_> {
    Post {
        uid: &record.uid,
        size: record.body.length(),
        report_id: record.side.report_id.as_deref(),
        is_verified: record.side.is_verified.map(|letter| match letter {
            't' => "t",
            'f' => "f",
            _ => "u",
        }),
    }
}

/// The text of the measurement in a POST body, as it was sent; `None` if it has none that is JSON.
fn measurement(body: Value<'_>) -> Option<&[u8]> {
    Measurement::new(body).ok().map(|measurement| measurement.content().source())
}

impl Built {
    /// What it adds to the counters.
    pub(super) fn archived(&self) -> Archived {
        let cans = u64::from(self.postcan.is_some()) + u64::from(self.quarantine.is_some());
        Archived { postcans: self.posts, quarantined: self.quarantined, cans }
    }

    /// The locations of the bodies, when the can has this name.
    pub(super) fn locations(&self, can: &HourlyCan, date: &str) -> Vec<(String, BodyLocation)> {
        let date: Arc<str> = date.into();
        let keys = [can.lines_key(), can.postcan_key(), can.quarantine_key()];
        let [lines, postcan, quarantine] = keys.map(Arc::<str>::from);
        let location = |body: &Body| {
            let (s3path, source, linenum) = match body.place {
                Place::Line(number) => (&lines, &postcan, number),
                Place::Post(number) => (&postcan, &postcan, number),
                Place::Quarantine(number) => (&quarantine, &quarantine, number),
            };
            let member = match body.place {
                Place::Line(number) => self.lines.members.get(number as usize),
                _ => None,
            };
            let member = member.and_then(|member| {
                let line = u32::try_from(member.line).ok()?;
                Some(GzipMember { offset: member.offset, length: member.length, line })
            });
            let [s3path, source] = [s3path, source].map(Arc::clone);
            (body.uid.clone(), BodyLocation { s3path, linenum, date: Arc::clone(&date), source, member })
        };
        self.bodies.iter().map(location).collect()
    }
}
