//! [`Lines`]: one measurement per line. [`Splitter`]: the same for a part of a file.
//!
//! Lines are found in the chunk that they were decompressed into and stay there. One that is longer than the limit is
//! skipped without being kept.

use super::chunk_reader::{ChunkReader, Refill};
use super::input::InputError;
use crate::chunk::{Chunk, Kind, Name, Position, ReadStatus};
use ooni_core::error::{Code, Error};

/// A file of lines.
#[derive(Debug)]
pub struct Lines {
    reader: ChunkReader,
    splitter: Splitter,
}

impl Lines {
    /// Lines of at most `limit` bytes; the first one begins at a byte of the file.
    pub(super) fn new(reader: ChunkReader, limit: usize, kind: Kind, offset: u64) -> Lines {
        Lines { reader, splitter: Splitter::new(limit, kind, 0, offset) }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> ReadStatus {
        let Lines { reader, splitter } = self;
        let mut start = reader.resume(chunk);
        splitter.resume();
        loop {
            let end = chunk.filled();
            if splitter.split(chunk, &mut start, end, None) {
                reader.keep_rest(chunk, start);
                return ReadStatus::More;
            }
            match reader.refill(chunk, &mut start) {
                Refill::Text => {}
                Refill::Full => return ReadStatus::More,
                Refill::End => {
                    let end = chunk.filled();
                    splitter.finish(chunk, start, end, None);
                    return ReadStatus::End;
                }
                Refill::Failed(InputError { offset, mut error }) => {
                    error.message += &splitter.read_before(chunk.filled() - start);
                    chunk.truncate(start);
                    chunk.push_error(Kind::Whole, Position { offset: Some(offset), ..Position::default() }, error);
                    return ReadStatus::End;
                }
            }
        }
    }
}

/// Finds lines in text that comes piece by piece.
#[derive(Debug)]
pub(super) struct Splitter {
    limit: usize,
    kind: Kind,
    /// Lines before the one that is pending.
    before: u64,
    /// Measurements of the file before that line.
    index: u64,
    /// Offset of that line in the file.
    offset: u64,
    /// Bytes of an overlong line that have been dropped; 0 when there is none.
    dropped: u64,
    /// Bytes of that line in the chunk that were searched for a line feed.
    searched: usize,
}

impl Splitter {
    /// Lines of at most `limit` bytes; the first is measurement `index` of the file and begins at its byte `offset`.
    pub(super) fn new(limit: usize, kind: Kind, index: u64, offset: u64) -> Splitter {
        Splitter { limit, kind, before: 0, index, offset, dropped: 0, searched: 0 }
    }

    /// Called when the pending bytes were copied into a new chunk.
    pub(super) fn resume(&mut self) {
        self.searched = 0;
    }

    /// Measurements of the file before the line that is pending.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// Adds the complete lines between `start`, which is advanced, and `end`; true when the chunk has no space for more
    /// entries.
    pub(super) fn split(&mut self, chunk: &mut Chunk, start: &mut usize, end: usize, member: Option<&Name>) -> bool {
        loop {
            let unsearched = &chunk.pending(*start)[self.searched..end - *start];
            let Some(length) = memchr::memchr(b'\n', unsearched) else { break };
            let line_end = *start + self.searched + length + 1;
            self.line(chunk, *start, line_end, member);
            *start = line_end;
            if chunk.has_enough_entries() {
                return true;
            }
        }
        self.searched = end - *start;
        if (self.dropped > 0 || self.searched > self.limit) && end == chunk.filled() {
            self.dropped += self.searched as u64;
            chunk.truncate(*start);
            self.searched = 0;
        }
        false
    }

    /// Adds the last line, between `start` and `end`, which has no line feed.
    pub(super) fn finish(&mut self, chunk: &mut Chunk, start: usize, end: usize, member: Option<&Name>) {
        if end > start || self.dropped > 0 {
            self.line(chunk, start, end, member);
        }
    }

    /// Adds a line, with its line feed if it has one.
    #[inline]
    fn line(&mut self, chunk: &mut Chunk, start: usize, end: usize, member: Option<&Name>) {
        self.before += 1;
        let position =
            Position { member: member.cloned(), number: self.before, index: self.index, offset: Some(self.offset) };
        let length = self.dropped + (end - start) as u64;
        let line_feed = u64::from(chunk.pending(start)[..end - start].ends_with(b"\n"));
        if length - line_feed > self.limit as u64 {
            let error = format!("a line of {length} bytes, beyond the limit of {}", self.limit);
            chunk.push_error(self.kind, position, Error::new(Code::Limit, "", error));
            self.dropped = 0;
        } else {
            chunk.push(self.kind, position, start..end);
        }
        self.searched = 0;
        self.index += 1;
        self.offset += length;
    }

    /// The end of the message about a damaged file: how much was read, and how much of the last line is lost.
    #[cold]
    pub(super) fn read_before(&self, pending: usize) -> String {
        let lost = self.dropped + pending as u64;
        let read = match self.before {
            1 => "1 line was read".to_owned(),
            before => format!("{before} lines were read"),
        };
        match lost {
            0 => format!("; {read}"),
            lost => format!("; {read}, {lost} bytes of another were not"),
        }
    }
}
