//! [`ReaderPool`] and [`WriterThread`]: threads that own the connections, since SQLite has no asynchronous interface.
//!
//! One thread writes. Two pools read, so that a look-up never queues behind an aggregation. A query is interrupted when its
//! future is dropped or its deadline passes. A write is interrupted by its deadline until COMMIT; a running write whose
//! future is dropped is completed.

use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crossbeam_channel::{Sender, TrySendError, bounded};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Instructions of SQLite's virtual machine between two checks of the deadline: some tenths of a millisecond.
const STEPS: i32 = 10_000;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Threads that read, and their queue.
#[derive(Debug)]
pub(super) struct ReaderPool {
    /// `None` once the threads are to end.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl ReaderPool {
    /// Starts the threads, with a queue of length `queue`.
    ///
    /// # Errors
    /// A connection cannot be opened.
    pub(super) fn start(
        threads: usize,
        queue: usize,
        connect: impl Fn() -> Result<Connection, Error>,
    ) -> Result<ReaderPool, Error> {
        let (jobs, waiting) = bounded::<Job>(queue.max(1));
        let mut pool = ReaderPool { jobs: Some(jobs), threads: Vec::new() };
        for _ in 0..threads.max(1) {
            let mut connection = connect()?;
            let waiting = waiting.clone();
            pool.threads.push(thread::spawn(move || waiting.iter().for_each(|job| job(&mut connection))));
        }
        Ok(pool)
    }

    /// Runs a read. The deadline includes the wait for a thread.
    ///
    /// # Errors
    /// The error of the read, [`ErrorKind::Timeout`], or [`ErrorKind::Busy`] if the queue is full.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let caller = Caller(Arc::default());
        let is_dropped = Arc::clone(&caller.0);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let is_over = move || is_dropped.load(Ordering::Relaxed) || deadline.is_over();
            let result = if is_over() {
                Err(Error::timeout())
            } else {
                match connection.progress_handler(STEPS, Some(is_over)) {
                    Ok(()) => read(connection),
                    Err(_) => Err(Error::new(ErrorKind::Other, "cannot set the deadline")),
                }
            };
            let _ = answer.send(result); // the future may have been dropped
        });
        let ended = || Error::new(ErrorKind::Other, "the reader threads have ended");
        match self.jobs.as_ref().ok_or_else(ended)?.try_send(job) {
            Ok(()) => deadline.run(answered).await?.unwrap_or_else(|_| Err(ended())),
            Err(TrySendError::Full(_)) => Err(Error::new(ErrorKind::Busy, "too many queries are waiting")),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }
}

impl Drop for ReaderPool {
    /// Waits until the connections are closed.
    fn drop(&mut self) {
        self.jobs = None;
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Interrupts the query of a future when the future is dropped.
struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct WriterThread {
    /// `None` once the thread is to end.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    /// Starts the thread.
    pub(super) fn start(mut connection: Connection) -> WriterThread {
        let (jobs, mut waiting) = mpsc::channel::<Job>(1);
        let thread = thread::spawn(move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut connection);
            }
        });
        WriterThread { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Runs a write. The deadline limits the wait for the thread; `write` must [apply](Interrupt) it to its statements
    /// itself, since it must not apply to COMMIT. A write that has begun is completed even if the future is dropped.
    ///
    /// # Errors
    /// The error of the write, or [`ErrorKind::Timeout`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        write: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, answered) = job(deadline, write);
        let jobs = self.jobs.as_ref().ok_or_else(writer_ended)?;
        deadline.run(jobs.send(job)).await?.map_err(|_| writer_ended())?;
        answered.await.unwrap_or_else(|_| Err(writer_ended()))
    }

    /// The queue of the thread. All must be dropped before the thread can end. `None` if it is about to end.
    pub(super) fn jobs(&self) -> Option<Jobs> {
        self.jobs.clone().map(Jobs)
    }
}

/// The queue of the thread that writes, for another thread.
pub(super) struct Jobs(mpsc::Sender<Job>);

impl Jobs {
    /// Runs a write, which waits for its turn.
    ///
    /// # Errors
    /// The error of the write.
    pub(super) fn run_blocking<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, answered) = job(Deadline::NEVER, write);
        self.0.blocking_send(job).map_err(|_| writer_ended())?;
        answered.blocking_recv().unwrap_or_else(|_| Err(writer_ended()))
    }
}

/// A write as a job, and where its result arrives.
fn job<T: Send + 'static>(
    deadline: Deadline,
    write: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, Error>>) {
    let (answer, answered) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        let result = if deadline.is_over() { Err(Error::timeout()) } else { write(connection) };
        let _ = answer.send(result); // the future may have been dropped
    });
    (job, answered)
}

fn writer_ended() -> Error {
    Error::new(ErrorKind::Other, "the writer thread has ended")
}

impl Drop for WriterThread {
    /// Waits until the connection is closed, which checkpoints the log.
    fn drop(&mut self) {
        self.jobs = None;
        self.thread.take().map(JoinHandle::join);
    }
}

/// Interrupts the statements of a write at its deadline, until COMMIT.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts interrupting the statements of a connection at a deadline.
    pub(super) fn at(connection: &mut Connection, deadline: Deadline) -> rusqlite::Result<Interrupt> {
        let interrupt = Interrupt(Arc::default());
        let is_committing = Arc::clone(&interrupt.0);
        let is_over = move || !is_committing.load(Ordering::Relaxed) && deadline.is_over();
        connection.progress_handler(STEPS, (!deadline.is_never()).then_some(is_over))?;
        Ok(interrupt)
    }

    /// Stops interrupting.
    pub(super) fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
