//! [`RowStream`]: a long result, read page by page so that memory is bounded.

use crate::error::Error;
use futures_util::Stream;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A long result, read page by page. It ends after the first error. Rows written meanwhile may or may not be included.
pub struct RowStream<T> {
    read: Box<dyn Fn(Option<T>) -> PageFuture<T> + Send>,
    page: std::vec::IntoIter<T>,
    /// The last row of the page, after which the next page begins.
    last: Option<T>,
    reading: Option<PageFuture<T>>,
    is_done: bool,
}

/// A page being read.
pub(crate) type PageFuture<T> = Pin<Box<dyn Future<Output = Result<Vec<T>, Error>> + Send>>;

/// Rows per page.
pub(crate) const PAGE: usize = 1000;

// Only the future needs pinning, and it is boxed.
impl<T> Unpin for RowStream<T> {}

impl<T> fmt::Debug for RowStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").field("is_done", &self.is_done).finish_non_exhaustive()
    }
}

impl<T: Clone> RowStream<T> {
    /// Creates a stream. `read` returns the [`PAGE`] rows after a row; fewer only at the end.
    pub(crate) fn new(read: impl Fn(Option<T>) -> PageFuture<T> + Send + 'static) -> RowStream<T> {
        RowStream { read: Box::new(read), page: Vec::new().into_iter(), last: None, reading: None, is_done: false }
    }

    /// The next row, if it is already in memory.
    pub(crate) fn buffered(&mut self) -> Option<T> {
        self.page.next()
    }

    /// The next row.
    ///
    /// # Errors
    /// The page with the row cannot be read; the stream ends there.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T: Clone> Stream for RowStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(row) = this.page.next() {
                return Poll::Ready(Some(Ok(row)));
            }
            if this.is_done {
                return Poll::Ready(None);
            }
            let reading = this.reading.get_or_insert_with(|| (this.read)(this.last.take()));
            let page = ready!(reading.as_mut().poll(context));
            this.reading = None;
            match page {
                Ok(page) => {
                    this.is_done = page.len() < PAGE;
                    this.last = page.last().cloned();
                    this.page = page.into_iter();
                }
                Err(error) => {
                    this.is_done = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
