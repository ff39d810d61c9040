//! [`Single`]: a file that is one measurement or POST body.

use super::decompress::Broken;
use super::{Fed, Feed, Filled};
use crate::chunk::{Chunk, Kind, Position};
use ooni_core::error::{Code, Error};

/// A file of one document.
#[derive(Debug)]
pub struct Single {
    feed: Feed,
    limit: usize,
}

impl Single {
    /// A document of at most `limit` bytes.
    pub(super) fn new(feed: Feed, limit: usize) -> Single {
        Single { feed, limit }
    }

    pub(super) fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        let mut start = self.feed.resume(chunk);
        let whole = Position { at: Some(0), ..Position::default() };
        loop {
            match self.feed.more(chunk, &mut start) {
                Fed::Text if chunk.filled() - start > self.limit => {
                    chunk.truncate(start);
                    let error = format!("a file beyond the limit of {} bytes", self.limit);
                    chunk.push_trouble(Kind::Document, whole, Error::new(Code::Limit, "", error));
                    return Filled::Done;
                }
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    chunk.push(Kind::Document, whole, start..chunk.filled());
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, error }) => {
                    chunk.truncate(start);
                    chunk.push_trouble(Kind::Whole, Position { at: Some(at), ..whole }, error);
                    return Filled::Done;
                }
            }
        }
    }
}
