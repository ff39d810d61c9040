//! [`RequestBody`]: nothing, or the content of a file, which is read while it is sent.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Size of the pieces of a file.
const PIECE: usize = 128 << 10;
/// Pieces that are read ahead.
const QUEUE: usize = 2;

/// The body of a request.
#[derive(Debug, Default)]
pub(crate) struct RequestBody {
    /// `None` for a request without a body.
    file: Option<FileBody>,
    sent: Arc<AtomicU64>,
}

#[derive(Debug)]
struct FileBody {
    queue: mpsc::Receiver<io::Result<Bytes>>,
    /// Bytes that are still to be sent.
    left: u64,
}

impl RequestBody {
    /// The first `size` bytes of a file, read by a thread for blocking work.
    pub(crate) fn file(file: File, size: u64) -> RequestBody {
        let (sender, queue) = mpsc::channel(QUEUE);
        let mut file = file.take(size);
        spawn_blocking(move || {
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                let (is_last, piece) = (!matches!(read, Ok(1..)), read.map(|_| Bytes::from(piece)));
                // The request may have ended before its body did.
                if sender.blocking_send(piece).is_err() || is_last {
                    break;
                }
            }
        });
        RequestBody { file: Some(FileBody { queue, left: size }), sent: Arc::default() }
    }

    /// Counts the bytes that were passed to the connection.
    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(file) = self.file.as_mut().filter(|file| file.left > 0) else { return Poll::Ready(None) };
        let piece = match ready!(file.queue.poll_recv(context)) {
            Some(Ok(piece)) if !piece.is_empty() => piece,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(_)) | None => {
                let error = io::Error::new(ErrorKind::UnexpectedEof, "the file became shorter while it was sent");
                return Poll::Ready(Some(Err(error)));
            }
        };
        file.left = file.left.saturating_sub(piece.len() as u64);
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.file.as_ref().is_none_or(|file| file.left == 0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.file.as_ref().map_or(0, |file| file.left))
    }
}
