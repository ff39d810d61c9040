//! [`Yaml`]: a YAML report (formats spec §11). [`Stream`]: the same for a part of a file.
//!
//! The bytes are split into entries here; `ooni_core::normalize` interprets them. The header of a report changes with its
//! entries, so they are normalized in order, while the can is read.

use super::chunk_reader::{ChunkReader, Refill};
use super::input::InputError;
use super::name::CanName;
use crate::chunk::{Chunk, Kind, Name, Position, ReadStatus};
use crate::limits::Limits;
use ooni_core::error::{Code, Error};
use ooni_core::normalize::{EntryError, Framed, Report, frame};

/// A file that is a report.
#[derive(Debug)]
pub struct Yaml {
    reader: ChunkReader,
    stream: Stream,
}

impl Yaml {
    /// A report that begins at a byte of the file.
    pub(super) fn new(reader: ChunkReader, named: &CanName, limits: &Limits, offset: u64) -> Yaml {
        Yaml { reader, stream: Stream::new(named, limits, 0, offset) }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> ReadStatus {
        let Yaml { reader, stream } = self;
        let mut start = reader.resume(chunk);
        stream.resume();
        loop {
            let end = chunk.filled();
            match stream.split(chunk, &mut start, end, None) {
                Split::ChunkFull => {
                    reader.keep_rest(chunk, start);
                    return ReadStatus::More;
                }
                Split::End => return ReadStatus::End,
                Split::NeedsMore => {}
            }
            match reader.refill(chunk, &mut start) {
                Refill::Text => {}
                Refill::Full => return ReadStatus::More,
                Refill::End => {
                    let end = chunk.filled();
                    stream.finish(chunk, start, end, None);
                    return ReadStatus::End;
                }
                Refill::Failed(InputError { offset, mut error }) => {
                    error.message += &stream.read_before();
                    chunk.truncate(start);
                    chunk.push_error(Kind::Whole, Position { offset: Some(offset), ..Position::default() }, error);
                    return ReadStatus::End;
                }
            }
        }
    }
}

/// A report that is read piece by piece.
#[derive(Debug)]
pub(super) struct Stream {
    report: Box<Report>,
    limit: usize,
    has_header: bool,
    /// Entries before the one that is pending, without the header.
    before: u64,
    /// Measurements of the file before that entry.
    index: u64,
    /// Offset of that entry in the file.
    offset: u64,
    /// Bytes of that entry in the chunk that were searched for an end mark.
    searched: usize,
}

/// Why no more entries are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// More bytes are needed.
    NeedsMore,
    /// The chunk has no room for more entries.
    ChunkFull,
    /// The rest cannot be read; the error has been added.
    End,
}

impl Stream {
    /// A report whose first entry is measurement `index` of the file, and that begins at its byte `offset`.
    pub(super) fn new(named: &CanName, limits: &Limits, index: u64, offset: u64) -> Stream {
        let report = Box::new(Report::new(&named.bucket_date, &named.file, limits.json()));
        Stream { report, limit: limits.measurement_size, has_header: false, before: 0, index, offset, searched: 0 }
    }

    /// Called when the pending bytes were copied into a new chunk.
    pub(super) fn resume(&mut self) {
        self.searched = 0;
    }

    /// Measurements of the file before the entry that is pending.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// Adds the complete entries between `start`, which is advanced, and `end`.
    pub(super) fn split(&mut self, chunk: &mut Chunk, start: &mut usize, end: usize, member: Option<&Name>) -> Split {
        loop {
            let pending = &chunk.pending(*start)[..end - *start];
            let bytes = match frame(pending, self.searched) {
                Framed::Skip(bytes) => bytes,
                Framed::Entry(bytes) => {
                    if !self.entry(chunk, *start..*start + bytes, member) {
                        return Split::End;
                    }
                    bytes
                }
                Framed::More if pending.len() > self.limit => {
                    let error =
                        format!("an entry beyond the limit of {} bytes, and the rest of the report", self.limit);
                    return self.end(chunk, member, Error::new(Code::Limit, "", error));
                }
                Framed::More => {
                    self.searched = pending.len();
                    return Split::NeedsMore;
                }
                Framed::Broken => {
                    let error = "text that is not an entry between `---` and `...`; the rest of the report is not read";
                    return self.end(chunk, member, Error::new(Code::Can, "", error));
                }
            };
            self.offset += bytes as u64;
            self.searched = 0;
            *start += bytes;
            if chunk.has_enough_entries() {
                return Split::ChunkFull;
            }
        }
    }

    /// Adds an error if the report ends here prematurely.
    pub(super) fn finish(&mut self, chunk: &mut Chunk, start: usize, end: usize, member: Option<&Name>) {
        let error = match (end - start, self.has_header) {
            (0, true) => return,
            (0, false) => "a report without a header".to_owned(),
            (lost, _) => format!("the report ends inside an entry, {lost} bytes are lost{}", self.read_before()),
        };
        let _ = self.end(chunk, member, Error::new(Code::Can, "", error));
        // Without a header the reference stops reading the can; it drops a truncated entry.
        if !self.has_header {
            chunk.mark_abort();
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
                    self.end(chunk, member, error);
                    chunk.mark_abort();
                    false
                }
            };
        }
        self.before += 1;
        let position =
            Position { member: member.cloned(), number: self.before, index: self.index, offset: Some(self.offset) };
        self.index += 1;
        let report = &mut self.report;
        match chunk
            .push_normalized(Kind::Yaml, position.clone(), text, |framed, out| Ok(report.entry(framed, out)?.is_some()))
        {
            Ok(()) => {}
            Err(EntryError::Skip(error)) => chunk.push_error(Kind::Yaml, position, error),
            Err(EntryError::Abort(error)) => {
                chunk.push_error(Kind::Yaml, position, error);
                chunk.mark_abort();
            }
        }
        true
    }

    fn end(&self, chunk: &mut Chunk, member: Option<&Name>, error: Error) -> Split {
        let position = Position { member: member.cloned(), offset: Some(self.offset), ..Position::default() };
        chunk.push_error(Kind::Whole, position, error);
        Split::End
    }

    fn read_before(&self) -> String {
        match self.before {
            1 => "; 1 entry was read".to_owned(),
            before => format!("; {before} entries were read"),
        }
    }
}
