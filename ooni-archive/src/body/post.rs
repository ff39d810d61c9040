//! [`PostStream`]: one POST body of a postcan or quarantine can, in pieces.

use super::stream::{Pieces, feed};
use super::{BodyError, Boxed};
use crate::blobs::{Blobs, Failure};
use crate::can::PostReader;
use crate::source::archive::Archive;
use bytes::Bytes;
use ooni_core::measurement::SideRecord;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

/// Capacity of the queue, in pieces of at most 256 KiB.
const QUEUE: usize = 2;

/// A POST body that is being read. Reading stops when it is dropped.
#[derive(Debug)]
pub struct PostStream {
    name: String,
    size: u64,
    side: SideRecord<'static>,
    left: u64,
    queue: mpsc::Receiver<Message>,
    /// The download, if the can is on a server.
    feeding: JoinSet<Result<(), Failure>>,
}

/// What the thread sends that reads the can.
#[derive(Debug)]
enum Message {
    /// The body was found, and has this size and side record.
    Found(u64, SideRecord<'static>),
    Missing,
    Piece(Bytes),
    Failed(BodyError),
}

impl Archive {
    /// Finds the POST body with this uid in the postcan or quarantine can with this key. The body is not held in memory.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn post<'a>(&'a self, key: &'a str, uid: &'a str) -> Boxed<'a, PostStream> {
        Box::pin(async move {
            let mut result = Err(BodyError::NotFound(format!("{key}: no such file")));
            for at in self.places_of(key) {
                result = self.post_at(at, key, uid).await;
                if !matches!(result, Err(BodyError::NotFound(_))) {
                    break;
                }
            }
            result
        })
    }

    async fn post_at(&self, at: usize, key: &str, uid: &str) -> Result<PostStream, BodyError> {
        let (sender, queue) = mpsc::channel(QUEUE);
        // Aborted when it is dropped.
        let mut feeding = JoinSet::new();
        let name = self.core.places[at].blobs.name_of(key);
        let (can, wanted) = (name.clone(), uid.to_owned());
        match &self.core.places[at].blobs {
            Blobs::S3(_) => {
                let (pieces_sender, pieces) = Pieces::new();
                feeding.spawn(feed(Arc::clone(&self.core), at, key.to_owned(), pieces_sender));
                spawn_blocking(move || read(&can, Box::new(pieces), &wanted, &sender));
            }
            Blobs::Directory(_) => {
                let path = self.core.path(at, key)?;
                spawn_blocking(move || match File::open(path) {
                    Ok(file) => read(&can, Box::new(file), &wanted, &sender),
                    Err(error) => drop(sender.blocking_send(Message::Failed(BodyError::of_file(&can, &error)))),
                });
            }
        }
        let mut stream = PostStream { name, size: 0, side: SideRecord::EMPTY, left: 0, queue, feeding };
        match stream.queue.recv().await {
            Some(Message::Found(size, side)) => {
                (stream.size, stream.side, stream.left) = (size, side, size);
                Ok(stream)
            }
            Some(Message::Missing) => {
                let missing = BodyError::NotFound(format!("{}: has no member {uid}.post", stream.name));
                Err(stream.failed(missing).await)
            }
            Some(Message::Failed(error)) => Err(stream.failed(error).await),
            Some(Message::Piece(_)) | None => Err(stream.stopped()),
        }
    }
}

impl PostStream {
    /// Bytes of the body.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What the collector added to it.
    pub fn side(&self) -> &SideRecord<'static> {
        &self.side
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The rest of the body cannot be read.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        if self.left == 0 {
            return None;
        }
        match self.queue.recv().await {
            Some(Message::Piece(piece)) => {
                self.left = self.left.saturating_sub(piece.len() as u64);
                Some(Ok(piece))
            }
            Some(Message::Failed(error)) => {
                self.left = 0;
                Some(Err(self.failed(error).await))
            }
            Some(Message::Found(..) | Message::Missing) | None => {
                self.left = 0;
                Some(Err(self.stopped()))
            }
        }
    }

    /// The reason for an error: a download that failed looks like a file that ends too early.
    async fn failed(&mut self, error: BodyError) -> BodyError {
        match self.feeding.join_next().await {
            Some(Ok(Err(failure))) => BodyError::of_failure(&self.name, failure),
            _ => error,
        }
    }

    fn stopped(&self) -> BodyError {
        BodyError::Failed(format!("{}: reading stopped", self.name))
    }
}

/// Reads a can up to the end of the body, and sends the body.
fn read(can: &str, file: Box<dyn Read + Send>, uid: &str, queue: &mpsc::Sender<Message>) {
    // If the stream was dropped, nothing is left to do.
    let failed = |error: ooni_core::error::Error| {
        drop(queue.blocking_send(Message::Failed(BodyError::Invalid(format!("{can}: {}", error.message)))));
    };
    let mut post = match PostReader::open(file, uid) {
        Ok(Some(post)) => post,
        Ok(None) => return drop(queue.blocking_send(Message::Missing)),
        Err(error) => return failed(error),
    };
    let mut message = Message::Found(post.size(), post.side().clone());
    while queue.blocking_send(message).is_ok() {
        message = match post.next() {
            Ok([]) => return,
            Ok(piece) => Message::Piece(Bytes::copy_from_slice(piece)),
            Err(error) => return failed(error),
        };
    }
}
