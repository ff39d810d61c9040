//! [`Lines`]: a measurement a line. [`Splitter`]: the same for a part of a file.
//!
//! Lines are found in the chunk that they were decompressed into and stay there. One that is longer than the limit is
//! passed by without being kept.

use super::decompress::Broken;
use super::{Fed, Feed, Filled};
use crate::chunk::{Chunk, Kind, Name, Position};
use ooni_core::error::{Code, Error};

/// A file of lines.
#[derive(Debug)]
pub struct Lines {
    feed: Feed,
    splitter: Splitter,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(super) fn new(feed: Feed, limit: usize, kind: Kind) -> Lines {
        Lines { feed, splitter: Splitter::new(limit, kind, 0, 0) }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        let Lines { feed, splitter } = self;
        let mut start = feed.resume(chunk);
        splitter.resume();
        loop {
            let end = chunk.filled();
            if splitter.split(chunk, &mut start, end, None) {
                feed.put_aside(chunk, start);
                return Filled::More;
            }
            match feed.more(chunk, &mut start) {
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    let end = chunk.filled();
                    splitter.finish(chunk, start, end, None);
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, mut error }) => {
                    error.message += &splitter.read_before(chunk.filled() - start);
                    chunk.truncate(start);
                    chunk.push_trouble(Kind::Whole, Position { at: Some(at), ..Position::default() }, error);
                    return Filled::Done;
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
    place: u64,
    /// Offset of that line in the file.
    at: u64,
    /// Bytes of a line too long that have been dropped; 0 when there is none.
    dropped: u64,
    /// Bytes of that line, as it lies in the chunk, that have no line end.
    searched: usize,
}

impl Splitter {
    /// Lines of at most `limit` bytes; the first is measurement `place` of the file and begins at its byte `at`.
    pub(super) fn new(limit: usize, kind: Kind, place: u64, at: u64) -> Splitter {
        Splitter { limit, kind, before: 0, place, at, dropped: 0, searched: 0 }
    }

    /// Says that what is pending was put into a new chunk.
    pub(super) fn resume(&mut self) {
        self.searched = 0;
    }

    /// Measurements of the file before the line that is pending.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// Adds the whole lines between `start`, which moves on, and `end`; true when the chunk has no room for more
    /// entries.
    pub(super) fn split(&mut self, chunk: &mut Chunk, start: &mut usize, end: usize, member: Option<&Name>) -> bool {
        loop {
            let unsearched = &chunk.pending(*start)[self.searched..end - *start];
            let Some(length) = memchr::memchr(b'\n', unsearched) else { break };
            let line_end = *start + self.searched + length + 1;
            self.line(chunk, *start, line_end, member);
            *start = line_end;
            if chunk.is_crowded() {
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

    /// Adds what is left between `start` and `end`, where the text ends without a line end.
    pub(super) fn finish(&mut self, chunk: &mut Chunk, start: usize, end: usize, member: Option<&Name>) {
        if end > start || self.dropped > 0 {
            self.line(chunk, start, end, member);
        }
    }

    /// The line ends here, after its line feed if it has one.
    #[inline]
    fn line(&mut self, chunk: &mut Chunk, start: usize, end: usize, member: Option<&Name>) {
        self.before += 1;
        let at = Position { member: member.cloned(), number: self.before, place: self.place, at: Some(self.at) };
        let length = self.dropped + (end - start) as u64;
        let line_feed = u64::from(chunk.pending(start)[..end - start].ends_with(b"\n"));
        if length - line_feed > self.limit as u64 {
            let error = format!("a line of {length} bytes, beyond the limit of {}", self.limit);
            chunk.push_trouble(self.kind, at, Error::new(Code::Limit, "", error));
            self.dropped = 0;
        } else {
            chunk.push(self.kind, at, start..end);
        }
        self.searched = 0;
        self.place += 1;
        self.at += length;
    }

    /// What is said of a file that is broken: how much was read, and how much of a line that was begun is lost.
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
