//! [`Readers`] and [`Writer`]: threads that own the connections, as SQLite has no asynchronous interface.
//!
//! One thread writes. Two pools read, so that a look-up never queues behind an aggregation. A query is interrupted when
//! its caller is dropped or its deadline passes. A write is interrupted by its deadline until COMMIT; a running write
//! whose caller is dropped is completed.

use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crossbeam_channel::{Sender, TrySendError, bounded};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Steps of SQLite's virtual machine between two checks of the deadline: some tenths of a millisecond.
const STEPS: i32 = 10_000;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Threads for reading.
#[derive(Debug)]
pub(super) struct Readers {
    /// `None` once the threads should end.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts the threads, with a queue of length `queue`.
    ///
    /// # Errors
    /// A connection cannot be opened.
    pub(super) fn start(
        threads: usize,
        queue: usize,
        connect: impl Fn() -> Result<Connection, Error>,
    ) -> Result<Readers, Error> {
        let (jobs, waiting) = bounded::<Job>(queue.max(1));
        let mut readers = Readers { jobs: Some(jobs), threads: Vec::new() };
        for _ in 0..threads.max(1) {
            let mut connection = connect()?;
            let waiting = waiting.clone();
            readers.threads.push(thread::spawn(move || waiting.iter().for_each(|job| job(&mut connection))));
        }
        Ok(readers)
    }

    /// Runs a read with a deadline, which includes the wait for a thread.
    ///
    /// # Errors
    /// Errors of the read; [`ErrorKind::Timeout`], or [`ErrorKind::Busy`] if the queue is full.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let caller = Caller(Arc::default());
        let is_gone = Arc::clone(&caller.0);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let is_over = move || is_gone.load(Ordering::Relaxed) || deadline.is_over();
            let result = if is_over() {
                Err(Error::timeout())
            } else {
                match connection.progress_handler(STEPS, Some(is_over)) {
                    Ok(()) => read(connection),
                    Err(_) => Err(Error::new(ErrorKind::Other, "no time limit can be set")),
                }
            };
            let _ = answer.send(result); // the caller may be gone
        });
        let gone = || Error::new(ErrorKind::Other, "the threads that read have ended");
        match self.jobs.as_ref().ok_or_else(gone)?.try_send(job) {
            Ok(()) => deadline.run(answered).await?.unwrap_or_else(|_| Err(gone())),
            Err(TrySendError::Full(_)) => Err(Error::new(ErrorKind::Busy, "too many queries are waiting")),
            Err(TrySendError::Disconnected(_)) => Err(gone()),
        }
    }
}

impl Drop for Readers {
    /// Waits until the connections are closed.
    fn drop(&mut self) {
        self.jobs = None;
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Notifies the thread, when dropped, that the caller is gone.
struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once the thread should end.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(mut connection: Connection) -> Writer {
        let (jobs, mut waiting) = mpsc::channel::<Job>(1);
        let thread = thread::spawn(move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut connection);
            }
        });
        Writer { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Runs a write. The deadline limits the wait for the thread; `write` must [apply](Interrupt) it to its statements
    /// itself, because only `write` knows when COMMIT is sent. A write that has begun is completed even if the caller
    /// is dropped.
    ///
    /// # Errors
    /// Errors of the write; [`ErrorKind::Timeout`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        write: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let gone = || Error::new(ErrorKind::Other, "the thread that writes has ended");
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = if deadline.is_over() { Err(Error::timeout()) } else { write(connection) };
            let _ = answer.send(result); // the caller may be gone
        });
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        deadline.run(jobs.send(job)).await?.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Writer {
    /// Waits until the connection is closed, which checkpoints the log.
    fn drop(&mut self) {
        self.jobs = None;
        self.thread.take().map(JoinHandle::join);
    }
}

/// Interrupts the statements of a write at its deadline, until COMMIT.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts watching a connection.
    pub(super) fn at(connection: &mut Connection, deadline: Deadline) -> rusqlite::Result<Interrupt> {
        let interrupt = Interrupt(Arc::default());
        let is_committing = Arc::clone(&interrupt.0);
        let is_over = move || !is_committing.load(Ordering::Relaxed) && deadline.is_over();
        connection.progress_handler(STEPS, (!deadline.is_never()).then_some(is_over))?;
        Ok(interrupt)
    }

    /// Stops watching: nothing is interrupted from now on.
    pub(super) fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
