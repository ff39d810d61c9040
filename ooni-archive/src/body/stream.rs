//! Reads an object of a server: a task downloads, a thread decodes, and a bounded queue connects them.

use crate::blobs::{Blobs, Counters, Failure, Received, Retries, S3};
use crate::source::archive::Core;
use bytes::{Buf, Bytes};
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Capacity of the queue, in pieces of some ten thousand bytes.
const QUEUE: usize = 8;
/// An attempt that received this many bytes made progress, and does not count as failed.
const PROGRESS: u64 = 1 << 20;

/// Reads the pieces sent by [`feed`], on a thread for blocking work.
pub(super) struct Pieces {
    queue: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Pieces {
    pub(super) fn new() -> (mpsc::Sender<Bytes>, Pieces) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (sender, Pieces { queue, piece: Bytes::new() })
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.queue.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(into.len());
        self.piece.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

/// Downloads an object to its end or until the reader is dropped, and resumes after failures.
///
/// # Errors
/// The last failure, after all attempts.
pub(super) async fn feed(core: Arc<Core>, at: usize, key: String, queue: mpsc::Sender<Bytes>) -> Result<(), Failure> {
    let Blobs::S3(s3) = &core.places[at].blobs else { return Ok(()) };
    let mut retries = Retries::new(&s3.retry, &core.counters);
    let mut position = Position { key, offset: 0, etag: None };
    loop {
        let before = position.offset;
        match receive(s3, &mut position, &queue, &core.counters).await {
            Ok(()) => return Ok(()),
            Err(failure) => {
                if position.offset >= before + PROGRESS {
                    retries.reset();
                }
                retries.wait(failure).await?;
            }
        }
    }
}

/// How far an object has been read.
struct Position {
    key: String,
    offset: u64,
    etag: Option<String>,
}

async fn receive(
    s3: &S3,
    position: &mut Position,
    queue: &mpsc::Sender<Bytes>,
    counters: &Counters,
) -> Result<(), Failure> {
    let response = s3.get(&position.key, position.offset, None, position.etag.as_deref()).await?;
    let Received { mut first, total, etag, mut body, .. } = response;
    if position.etag.is_some() && etag.is_some() && position.etag != etag {
        return Err(Failure::permanent("the object changed while it was read"));
    }
    position.etag = etag.or(position.etag.take());
    while let Some(mut bytes) = body.next().await? {
        Counters::add(&counters.bytes_downloaded, bytes.len() as u64);
        // A server that ignores ranges starts again.
        let known = position.offset.saturating_sub(first).min(bytes.len() as u64);
        first += bytes.len() as u64;
        bytes.advance(known as usize);
        position.offset += bytes.len() as u64;
        if !bytes.is_empty() && queue.send(bytes).await.is_err() {
            return Ok(());
        }
    }
    match total {
        Some(total) if total != position.offset => {
            Err(Failure::transient(format!("the response ended after {} of {total} bytes", position.offset)))
        }
        _ => Ok(()),
    }
}
