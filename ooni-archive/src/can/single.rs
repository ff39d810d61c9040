//! [`Single`]: a file that is one measurement or POST body.

use super::decompress::Broken;
use super::{Fed, Feed, Filled};
use crate::chunk::{Batch, Kind, Where};
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

    pub(super) fn fill(&mut self, batch: &mut Batch) -> Filled {
        let mut start = self.feed.resume(batch);
        let whole = Where { at: Some(0), ..Where::default() };
        loop {
            match self.feed.more(batch, &mut start) {
                Fed::Text if batch.filled() - start > self.limit => {
                    batch.truncate(start);
                    let error = format!("a file beyond the limit of {} bytes", self.limit);
                    batch.push_trouble(Kind::Document, whole, Error::new(Code::Limit, "", error));
                    return Filled::Done;
                }
                Fed::Text => {}
                Fed::Full => return Filled::More,
                Fed::End => {
                    batch.push(Kind::Document, whole, start..batch.filled());
                    return Filled::Done;
                }
                Fed::Broken(Broken { at, error }) => {
                    batch.truncate(start);
                    batch.push_trouble(Kind::Whole, Where { at: Some(at), ..whole }, error);
                    return Filled::Done;
                }
            }
        }
    }
}
