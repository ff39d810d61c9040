//! [`Yaml`]: a YAML report (formats spec §11). [`Stream`]: the same for a part of a file.
//!
//! The bytes are cut into entries here; what an entry means is `ooni_core::normalize`'s. A report's header changes with
//! its entries, so they are normalized one after another, while the can is read.

use super::decompress::Broken;
use super::{Fed, Feed, Filled, Report as Named};
use crate::chunk::{Chunk, Kind, Name, Position};
use crate::limits::Limits;
use ooni_core::error::{Code, Error};
use ooni_core::normalize::{EntryError, Framed, Report, frame};

/// A file that is a report.
#[derive(Debug)]
pub struct Yaml {
    feed: Feed,
    stream: Stream,
}

impl Yaml {
    pub(super) fn new(feed: Feed, named: &Named, limits: &Limits) -> Yaml {
        Yaml { feed, stream: Stream::new(named, limits, 0, 0) }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        let Yaml { feed, stream } = self;
        let mut start = feed.resume(chunk);
        stream.resume();
        loop {
            let end = chunk.filled();
            match stream.split(chunk, &mut start, end, None) {
                Split::Crowded => {
                    feed.put_aside(chunk, start);
                    return Filled::More;
                }
                Split::Over => return Filled::Done,
                Split::Hungry => {}
            }
            match feed.more(chunk, &mut start) {
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    let end = chunk.filled();
                    stream.finish(chunk, start, end, None);
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, mut error }) => {
                    error.message += &stream.read_before();
                    chunk.truncate(start);
                    chunk.push_trouble(Kind::Whole, Position { at: Some(at), ..Position::default() }, error);
                    return Filled::Done;
                }
            }
        }
    }
}

/// A report that comes piece by piece.
#[derive(Debug)]
pub(super) struct Stream {
    report: Box<Report>,
    limit: usize,
    has_header: bool,
    /// Entries before the one that is pending, the header not among them.
    before: u64,
    /// Measurements of the file before that entry.
    place: u64,
    /// Offset of that entry in the file.
    at: u64,
    /// Bytes of that entry, as it lies in the chunk, that have no end mark.
    searched: usize,
}

/// Why the entries do not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// More bytes are needed.
    Hungry,
    /// The chunk has no room for more entries.
    Crowded,
    /// Nothing of the rest can be read, which has been said.
    Over,
}

impl Stream {
    /// A report whose first entry is measurement `place` of the file, and that begins at its byte `at`.
    pub(super) fn new(named: &Named, limits: &Limits, place: u64, at: u64) -> Stream {
        let report = Box::new(Report::new(&named.bucket_date, &named.file, limits.json()));
        Stream { report, limit: limits.measurement_size, has_header: false, before: 0, place, at, searched: 0 }
    }

    /// Says that what is pending was put into a new chunk.
    pub(super) fn resume(&mut self) {
        self.searched = 0;
    }

    /// Measurements of the file before the entry that is pending.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// Adds the whole entries between `start`, which moves on, and `end`.
    pub(super) fn split(&mut self, chunk: &mut Chunk, start: &mut usize, end: usize, member: Option<&Name>) -> Split {
        loop {
            let pending = &chunk.pending(*start)[..end - *start];
            let bytes = match frame(pending, self.searched) {
                Framed::Skip(bytes) => bytes,
                Framed::Entry(bytes) => {
                    if !self.entry(chunk, *start..*start + bytes, member) {
                        return Split::Over;
                    }
                    bytes
                }
                Framed::More if pending.len() > self.limit => {
                    let error =
                        format!("an entry beyond the limit of {} bytes, and the rest of the report", self.limit);
                    return self.over(chunk, member, Error::new(Code::Limit, "", error));
                }
                Framed::More => {
                    self.searched = pending.len();
                    return Split::Hungry;
                }
                Framed::Broken => {
                    let error =
                        "something that is no entry between `---` and `...`; the rest of the report is not read";
                    return self.over(chunk, member, Error::new(Code::Can, "", error));
                }
            };
            self.at += bytes as u64;
            self.searched = 0;
            *start += bytes;
            if chunk.is_crowded() {
                return Split::Crowded;
            }
        }
    }

    /// Says what is wrong at the end of the report, if anything is.
    pub(super) fn finish(&mut self, chunk: &mut Chunk, start: usize, end: usize, member: Option<&Name>) {
        let error = match (end - start, self.has_header) {
            (0, true) => return,
            (0, false) => "a report without a header".to_owned(),
            (lost, _) => format!("the report ends inside an entry, {lost} bytes are lost{}", self.read_before()),
        };
        let _ = self.over(chunk, member, Error::new(Code::Can, "", error));
        // Without a header the reference gives up the can; an entry that is cut it drops.
        if !self.has_header {
            chunk.give_up();
        }
    }

    /// Reads a header or an entry; false when the rest of the report is lost.
    fn entry(&mut self, chunk: &mut Chunk, text: std::ops::Range<usize>, member: Option<&Name>) -> bool {
        if !self.has_header {
            let framed = &chunk.pending(text.start)[..text.len()];
            return match self.report.header(framed) {
                Ok(()) => {
                    self.has_header = true;
                    true
                }
                Err(error) => {
                    self.over(chunk, member, error);
                    chunk.give_up();
                    false
                }
            };
        }
        self.before += 1;
        let at = Position { member: member.cloned(), number: self.before, place: self.place, at: Some(self.at) };
        self.place += 1;
        let report = &mut self.report;
        match chunk.push_made(Kind::Yaml, at.clone(), text, |framed, out| Ok(report.entry(framed, out)?.is_some())) {
            Ok(()) => {}
            Err(EntryError::Skip(error)) => chunk.push_trouble(Kind::Yaml, at, error),
            Err(EntryError::Abort(error)) => {
                chunk.push_trouble(Kind::Yaml, at, error);
                chunk.give_up();
            }
        }
        true
    }

    fn over(&self, chunk: &mut Chunk, member: Option<&Name>, error: Error) -> Split {
        let at = Position { member: member.cloned(), at: Some(self.at), ..Position::default() };
        chunk.push_trouble(Kind::Whole, at, error);
        Split::Over
    }

    fn read_before(&self) -> String {
        match self.before {
            1 => "; 1 entry was read".to_owned(),
            before => format!("; {before} entries were read"),
        }
    }
}
