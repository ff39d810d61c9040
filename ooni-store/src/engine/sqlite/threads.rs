//! [`Reads`] and [`Writes`]: threads that have the connections, as SQLite has no asynchronous interface.
//!
//! One thread writes, some read. A query that nobody waits for any more, or that takes too long, is interrupted; what is
//! being written is finished.

use crate::{Kind, StoreError};
use crossbeam_channel::{Sender, TrySendError, bounded};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Threads that read.
const READERS: usize = 4;

/// Queries that wait for one of them; more are turned away.
const WAITING: usize = 64;

/// Steps of SQLite's machine between two looks at whether to go on: some tenths of a millisecond.
const STEPS: i32 = 10_000;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Threads that read.
#[derive(Debug)]
pub(super) struct Reads {
    /// `None` when the threads are to end.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Reads {
    /// Starts them.
    ///
    /// # Errors
    /// A connection cannot be had.
    pub(super) fn start(connect: impl Fn() -> Result<Connection, StoreError>) -> Result<Reads, StoreError> {
        let (jobs, waiting) = bounded::<Job>(WAITING);
        let mut reads = Reads { jobs: Some(jobs), threads: Vec::new() };
        for _ in 0..READERS {
            let mut connection = connect()?;
            let waiting = waiting.clone();
            reads.threads.push(thread::spawn(move || waiting.iter().for_each(|job| job(&mut connection))));
        }
        Ok(reads)
    }

    /// Reads something, within a time.
    ///
    /// # Errors
    /// That of the reading; [`Kind::Timeout`], [`Kind::Busy`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let unwanted = Unwanted(Arc::default());
        let flag = Arc::clone(&unwanted.0);
        let deadline = Instant::now().checked_add(limit);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let is_over =
                move || flag.load(Ordering::Relaxed) || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let result = if is_over() {
                Err(StoreError::new(Kind::Timeout, "there was no time to begin with it"))
            } else {
                match connection.progress_handler(STEPS, Some(is_over)) {
                    Ok(()) => read(connection),
                    Err(_) => Err(StoreError::new(Kind::Other, "no time limit can be set")),
                }
            };
            let _ = answer.send(result); // unless nobody waits any more
        });
        let gone = || Err(StoreError::new(Kind::Other, "the threads that read are gone"));
        let Some(jobs) = &self.jobs else { return gone() };
        match jobs.try_send(job) {
            Ok(()) => answered.await.unwrap_or_else(|_| gone()),
            Err(TrySendError::Full(_)) => Err(StoreError::new(Kind::Busy, "too many queries are waiting")),
            Err(TrySendError::Disconnected(_)) => gone(),
        }
    }
}

impl Drop for Reads {
    /// Waits for the connections to be closed.
    fn drop(&mut self) {
        self.jobs = None;
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Says, when it is dropped, that nobody waits.
struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Writes {
    /// `None` when the thread is to end.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writes {
    /// Starts it.
    pub(super) fn start(mut connection: Connection) -> Writes {
        let (jobs, mut waiting) = mpsc::channel::<Job>(1);
        let thread = thread::spawn(move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut connection);
            }
        });
        Writes { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Writes something. It is finished even if nobody waits for it.
    ///
    /// # Errors
    /// That of the writing.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::new(Kind::Other, "the thread that writes is gone");
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = answer.send(write(connection)); // unless nobody waits any more
        });
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Writes {
    /// Waits for the connection to be closed, which copies its log to the database.
    fn drop(&mut self) {
        self.jobs = None;
        self.thread.take().map(JoinHandle::join);
    }
}
