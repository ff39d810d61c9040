//! [`Lines`]: a measurement a line.
//!
//! Lines are found in the batch that they were decompressed into and stay there. One that is longer than the limit is
//! passed by without being kept.

use super::decompress::Broken;
use super::{Fed, Feed, Filled};
use crate::batch::{Batch, Kind};
use ooni_core::error::{Code, Error};

/// A file of lines.
#[derive(Debug)]
pub struct Lines {
    feed: Feed,
    limit: usize,
    kind: fn(u64) -> Kind,
    /// Lines before the one that is pending.
    before: u64,
    /// Offset of the line that is pending.
    at: u64,
    /// Bytes of a line too long that have been dropped; 0 when there is none.
    dropped: u64,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(super) fn new(feed: Feed, limit: usize, kind: fn(u64) -> Kind) -> Lines {
        Lines { feed, limit, kind, before: 0, at: 0, dropped: 0 }
    }

    pub(super) fn fill(&mut self, batch: &mut Batch) -> Filled {
        let mut start = self.feed.resume(batch);
        let mut searched = 0;
        loop {
            while let Some(length) = memchr::memchr(b'\n', batch.pending(start + searched)) {
                let end = start + searched + length + 1;
                self.line(batch, start, end);
                (start, searched) = (end, 0);
                if batch.is_crowded() {
                    self.feed.put_aside(batch, start);
                    return Filled::More;
                }
            }
            searched = batch.filled() - start;
            if self.dropped > 0 || searched > self.limit {
                self.dropped += searched as u64;
                batch.truncate(start);
                searched = 0;
            }
            match self.feed.more(batch, &mut start) {
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    if batch.filled() > start || self.dropped > 0 {
                        self.line(batch, start, batch.filled());
                    }
                    return Filled::Done;
                }
                Fed::Broken(broken) => {
                    self.broken(batch, start, broken);
                    return Filled::Done;
                }
            }
        }
    }

    /// The line ends here, after its line feed if it has one.
    #[inline]
    fn line(&mut self, batch: &mut Batch, start: usize, end: usize) {
        let kind = (self.kind)(self.before + 1);
        let length = self.dropped + (end - start) as u64;
        if self.dropped > 0 {
            let error = format!("a line of {length} bytes, beyond the limit of {}", self.limit);
            batch.push_trouble(kind, self.at, Error::new(Code::Limit, "", error));
            self.dropped = 0;
        } else {
            batch.push(kind, self.at, start..end);
        }
        self.before += 1;
        self.at += length;
    }

    /// The file is broken; a line that was begun is part of the damage.
    #[cold]
    fn broken(&mut self, batch: &mut Batch, start: usize, broken: Broken) {
        let Broken { at, mut error } = broken;
        let lost = self.dropped + (batch.filled() - start) as u64;
        batch.truncate(start);
        let read = match self.before {
            1 => "1 line was read".to_owned(),
            before => format!("{before} lines were read"),
        };
        error.message += &match lost {
            0 => format!("; {read}"),
            lost => format!("; {read}, {lost} bytes of another were not"),
        };
        batch.push_trouble(Kind::File, at, error);
    }
}
