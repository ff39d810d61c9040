//! [`Folder`]: the thread that folds the log of rollups.
//!
//! It reads the log with a connection of its own, while others write, and then takes its turn on the thread that writes. Of
//! several processes one folds at a time; a lock that ends with its process says which.

use super::file::DatabaseFile;
use super::log;
use super::threads::Jobs;
use super::{Written, write};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::write::log::{DELAY, LARGE, PAUSE};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The name of the lock.
const LOCK: &str = "rollup-log";

/// Tells the thread how many rows are in the log.
#[derive(Clone, Debug)]
pub(super) struct Bell {
    rows: Arc<AtomicU64>,
    wake: Sender<()>,
}

impl Bell {
    /// The log has so many rows after a transaction.
    pub(super) fn ring(&self, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        if rows > 0 {
            let _ = self.wake.try_send(()); // it is full if the thread has yet to wake
        }
    }
}

/// The thread. It waits until something is written by this store.
#[derive(Debug)]
pub(super) struct Folder {
    /// `None` once the thread is to end.
    bell: Option<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Folder {
    /// Starts the thread; `jobs` are those of the thread that writes.
    pub(super) fn start(file: Arc<DatabaseFile>, jobs: Jobs) -> Folder {
        let (wake, woken) = bounded(1);
        let bell = Bell { rows: Arc::default(), wake };
        let folding = Folding { file, jobs, rows: Arc::clone(&bell.rows), woken, connection: None };
        Folder { bell: Some(bell), thread: Some(thread::spawn(move || folding.run())) }
    }

    /// `None` if the thread is about to end.
    pub(super) fn bell(&self) -> Option<Bell> {
        self.bell.clone()
    }
}

impl Drop for Folder {
    /// Waits until what is being folded is folded. The rest stays in the log.
    fn drop(&mut self) {
        self.bell = None;
        self.thread.take().map(JoinHandle::join);
    }
}

/// What the thread has.
struct Folding {
    file: Arc<DatabaseFile>,
    jobs: Jobs,
    rows: Arc<AtomicU64>,
    woken: Receiver<()>,
    /// The connection that reads, once it is open.
    connection: Option<Connection>,
}

impl Folding {
    /// Folds the log whenever it is large, or something was in it for a while.
    fn run(mut self) {
        while self.waits(Duration::MAX) {
            while self.rows() > 0 {
                let due = Instant::now() + DELAY;
                while self.rows() < LARGE && Instant::now() < due {
                    if !self.waits(due.saturating_duration_since(Instant::now())) {
                        return;
                    }
                }
                match self.fold() {
                    Ok(true) => {}
                    Ok(false) => {
                        if !self.waits(PAUSE) {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(error = %error, "rollups could not be brought up to date; trying again");
                        self.connection = None;
                        if !self.waits(PAUSE) {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Waits to be woken. Returns false if the thread is to end.
    fn waits(&self, time: Duration) -> bool {
        let woken = match Instant::now().checked_add(time) {
            Some(due) => self.woken.recv_deadline(due),
            None => self.woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        woken != Err(RecvTimeoutError::Disconnected)
    }

    /// Folds a piece of the log. Returns false if another process is doing so.
    fn fold(&mut self) -> Result<bool, Error> {
        let Some(_lock) = self.file.try_lock(LOCK)? else { return Ok(false) };
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.file.reader()?,
        };
        let read = || {
            let transaction = connection.unchecked_transaction()?;
            let piece = log::read(&transaction)?;
            transaction.commit()?;
            Ok(piece)
        };
        let piece = read().map_err(|error| self.file.error(error, Deadline::NEVER))?;
        self.connection = Some(connection);
        let Some(piece) = piece else {
            self.rows.store(0, Ordering::Relaxed);
            return Ok(true);
        };
        let (file, rows) = (Arc::clone(&self.file), Arc::clone(&self.rows));
        let fold = move |connection: &mut Connection| {
            let Written { log_rows, .. } =
                write(connection, &file, Deadline::NEVER, |transaction| log::fold(transaction, piece))?;
            rows.store(log_rows, Ordering::Relaxed);
            Ok(true)
        };
        self.jobs.run_blocking(fold)
    }
}
