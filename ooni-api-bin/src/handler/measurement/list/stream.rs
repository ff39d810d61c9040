//! [`Stream`]: a list as the body of a response.

use super::listing::Listing;
use bytes::Bytes;
use hyper::body::{Body, Frame};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// The parts of a list, each of which is read when the client has taken those before it.
///
/// It is dropped when the client disconnects, which cancels the query.
pub(super) struct Stream {
    first: Option<Bytes>,
    /// The part that is being read. The lock is never taken: it makes the future `Sync`, as bodies of responses must be.
    reading: Mutex<Option<Reading>>,
}

type Reading = Pin<Box<dyn Future<Output = (Listing, io::Result<Bytes>)> + Send>>;

impl Stream {
    /// The rest of a list, after its first part.
    pub(super) fn new(first: Bytes, listing: Listing) -> Stream {
        Stream { first: Some(first), reading: Mutex::new(Some(read(listing))) }
    }
}

/// Reads the next part, once it is polled.
fn read(mut listing: Listing) -> Reading {
    Box::pin(async move {
        let part = listing.next_part().await;
        (listing, part)
    })
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let reading = self.reading.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(part) = reading else { return Poll::Ready(None) };
        let (listing, part) = ready!(part.as_mut().poll(cx));
        *reading = (part.is_ok() && !listing.is_over()).then(|| read(listing));
        Poll::Ready(Some(part.map(Frame::data)))
    }
}
