//! [`Folder`]: the task that folds the log of rollups, on a connection of its own, while others write.

use super::connect::Connect;
use super::error::PgError;
use super::log;
use super::writer::connected;
use crate::write::log::{DELAY, LARGE, PAUSE};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

/// How often the task looks how many rows are in the log, while there are some.
const LOOK: Duration = Duration::from_millis(100);

/// Rows that are folded before their space is made available again.
const VACUUM: u64 = 10_000;

/// The task. It begins when this store has written something, and ends with it; what is in the log then stays there.
pub(super) struct Folder {
    connect: Connect,
    written: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Folder {
    pub(super) fn new(connect: &Connect) -> Folder {
        Folder { connect: connect.clone(), written: Arc::default(), task: Mutex::default() }
    }

    /// Tells the task that there is something in the log. Must be called in a runtime.
    pub(super) fn wake(&self) {
        self.written.notify_one();
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(tokio::spawn(fold_always(self.connect.clone(), Arc::clone(&self.written))));
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

/// Folds the log whenever it is large, or something was in it for a while.
async fn fold_always(connect: Connect, written: Arc<Notify>) {
    let (mut client, mut folded) = (None, 0);
    loop {
        written.notified().await;
        while let Err(error) = fold_until_empty(&connect, &mut client, &mut folded).await {
            let error = error.of(&connect.url);
            tracing::warn!(error = %error, "rollups could not be brought up to date; trying again");
            client = None;
            sleep(PAUSE).await;
        }
    }
}

/// `folded` is the number of rows whose space is not available yet.
async fn fold_until_empty(connect: &Connect, slot: &mut Option<Client>, folded: &mut u64) -> Result<(), PgError> {
    loop {
        if slot.as_ref().is_none_or(Client::is_closed) {
            *slot = Some(connected(connect).await?);
        }
        let Some(client) = slot else { return Err(PgError::Unreachable) };
        let due = Instant::now() + DELAY;
        loop {
            match log::rows(client).await? {
                0 => return Ok(()),
                rows if rows >= LARGE || Instant::now() >= due => break,
                _ => sleep(LOOK).await,
            }
        }
        match log::fold_first(client).await? {
            Some(rows) => *folded += rows,
            None => sleep(PAUSE).await,
        }
        if *folded >= VACUUM {
            log::vacuum(client).await?;
            *folded = 0;
        }
    }
}
