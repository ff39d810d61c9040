//! [`Writer`]: the connection for writing. If it is lost, a change is retried unless it was committed.

#[cfg(test)]
mod tests;

use super::change::Change;
use super::connect::Connect;
use super::error::PgError;
use super::folder::Folder;
use super::{log, partition, schema};
use crate::deadline::Deadline;
use crate::failpoint::{Failpoint, reach};
use crate::retry::RetryPolicy;
use crate::write::tally::Tally;
use ooni_core::time::DateTime;
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

/// How long to wait for the answer to COMMIT, and then for the server to report the outcome.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);

/// How long a transaction may continue after its connection was lost before it is terminated.
const ORPHAN_LIMIT: Duration = Duration::from_secs(2);

/// Disables timeouts that a role, a database or a variable may set. Servers before PostgreSQL 17 do not have the last one.
pub(super) const UNLIMITED: &str = "
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_session_timeout = 0;
    SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('transaction_timeout', true) IS NOT NULL";

/// Returns the id of the current transaction, and the server process that runs it.
const IDENTITY: &str = "SELECT pg_current_xact_id()::text, pg_backend_pid()";

/// Terminates a transaction whose connection was lost.
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = $1 AND backend_xid = $2::text::xid8::xid AND datname = current_database()";

/// The connection for writing, once it is open.
pub(super) struct Writer {
    connect: Connect,
    client: Mutex<Option<Client>>,
    commit_limit: Duration,
    folder: Folder,
    /// See [`StoreOptions::max_rollup_log`](crate::StoreOptions::max_rollup_log).
    max_rollup_log: u64,
}

/// A transaction whose COMMIT was sent.
struct Identity {
    id: String,
    process: i32,
}

impl Writer {
    pub(super) fn new(connect: &Connect, max_rollup_log: u64) -> Writer {
        Writer {
            connect: connect.clone(),
            client: Mutex::new(None),
            commit_limit: COMMIT_LIMIT,
            folder: Folder::new(connect),
            max_rollup_log,
        }
    }

    /// Makes a change.
    ///
    /// # Errors
    /// Nothing was changed, or [`PgError::OutcomeUnknown`].
    pub(super) async fn change<C: Change>(&self, change: &C, deadline: Deadline) -> Result<C::Outcome, PgError> {
        let mut client = within(deadline, async { Ok(self.client.lock().await) }).await?;
        let mut attempts = RetryPolicy::PATIENT.start(deadline);
        loop {
            let made = match self.attempt(&mut client, change, deadline).await {
                Err(PgError::NoPartition(months)) => match self.create(&mut client, &months, deadline).await {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                made => made,
            };
            match made {
                Err(error) if error.is_transient() && attempts.again().await => *client = None,
                Err(error) => {
                    // A transaction may still be running there.
                    *client = None;
                    return Err(error);
                }
                done => return done,
            }
        }
    }

    async fn attempt<C: Change>(
        &self,
        slot: &mut Option<Client>,
        change: &C,
        deadline: Deadline,
    ) -> Result<C::Outcome, PgError> {
        let client = self.client(slot, deadline).await?;
        let prepared = within(deadline, prepare(client, change, self.max_rollup_log, deadline)).await?;
        let Prepared { transaction, identity, outcome, has_logged } = prepared;
        let committed = timeout(self.commit_limit, transaction.commit()).await;
        match committed.map_err(|_| PgError::Timeout).and_then(|committed| Ok(committed?)) {
            Ok(()) => {}
            // The computed outcome is valid only if this transaction was committed.
            Err(error) if error.is_ambiguous() => match self.is_committed(&identity).await {
                Some(true) => {}
                Some(false) => return Err(PgError::NotCommitted),
                None => return Err(PgError::OutcomeUnknown),
            },
            Err(error) => return Err(error),
        }
        reach(Failpoint::Committed);
        if has_logged {
            self.folder.wake();
        }
        Ok(outcome)
    }

    /// Takes the lock of a name, unless another session has it; returns the connection that holds it.
    pub(super) async fn try_lock(&self, name: &str, deadline: Deadline) -> Result<Option<Client>, PgError> {
        let take = async {
            let client = connected(&self.connect).await?;
            let is_taken = client.query_one("SELECT pg_try_advisory_lock($1)", &[&lock_key(name)]).await?.try_get(0)?;
            Ok(if is_taken { Some(client) } else { None })
        };
        within(deadline, take).await
    }

    /// Creates partitions. Their rows follow in another transaction: the server announces a partition to other sessions
    /// a little after its transaction is visible to them, and a query in between would miss its rows.
    async fn create(&self, slot: &mut Option<Client>, months: &[DateTime], deadline: Deadline) -> Result<(), PgError> {
        let client = self.client(slot, deadline).await?;
        let create = async {
            let transaction = begin(client, schema::LOCK, deadline).await?;
            partition::create(&transaction, months).await?;
            Ok(transaction.commit().await?)
        };
        within(deadline, create).await
    }

    /// The connection, which is opened again if it is lost.
    async fn client<'s>(&self, slot: &'s mut Option<Client>, deadline: Deadline) -> Result<&'s mut Client, PgError> {
        if slot.as_ref().is_none_or(Client::is_closed) {
            *slot = Some(within(deadline, connected(&self.connect)).await?);
        }
        slot.as_mut().ok_or(PgError::Unreachable)
    }

    /// Whether a transaction was committed whose connection was lost at COMMIT; `None` if that cannot be determined.
    async fn is_committed(&self, identity: &Identity) -> Option<bool> {
        let ask = async {
            let started = Deadline::after(ORPHAN_LIMIT);
            let mut pause = Duration::from_millis(20);
            loop {
                match self.status(identity, started.is_over()).await {
                    Ok(Some(is_committed)) => return is_committed,
                    // It is in progress, or the server is not reachable yet. Other errors do not say either.
                    Ok(None) | Err(_) => sleep(pause).await,
                }
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        };
        timeout(self.commit_limit, ask).await.ok().flatten()
    }

    /// The server's answer about a transaction: `None` while it is in progress, then whether it was committed, which
    /// the server may have forgotten.
    async fn status(&self, identity: &Identity, is_late: bool) -> Result<Option<Option<bool>>, PgError> {
        let client = self.connect.connect().await?;
        let Identity { id, process } = identity;
        let status = client.query_one("SELECT pg_xact_status($1::text::xid8)", &[id]).await;
        let status = match status {
            // The id was not assigned yet, so the server has lost the transaction.
            Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => return Ok(Some(Some(false))),
            status => status?,
        };
        Ok(match status.try_get(0)? {
            Some("committed") => Some(Some(true)),
            Some("aborted") => Some(Some(false)),
            Some(_) if is_late => {
                client.execute(END, &[process, id]).await?;
                None
            }
            Some(_) => None,
            None => Some(None),
        })
    }
}

/// Opens a connection for writing.
pub(super) async fn connected(connect: &Connect) -> Result<Client, PgError> {
    let client = connect.connect().await?;
    client.batch_execute(UNLIMITED).await?;
    Ok(client)
}

/// The key of the advisory lock of a name: the first bytes of a hash.
pub(super) fn lock_key(name: &str) -> i64 {
    let hash = Sha256::digest(format!("ooni-store lock {name}"));
    hash.iter().take(8).fold(0, |key, &byte| key << 8 | i64::from(byte))
}

/// Begins a transaction with the lock of a change.
async fn begin<'c>(client: &'c mut Client, lock: &str, deadline: Deadline) -> Result<Transaction<'c>, PgError> {
    let transaction = client.transaction().await?;
    let limit = deadline.at_most(schema::LOCK_LIMIT).remaining().as_millis().max(1);
    transaction.batch_execute(&format!("SET LOCAL lock_timeout = {limit}")).await?;
    transaction.execute(lock, &[]).await?;
    Ok(transaction)
}

/// A change that is about to be committed.
struct Prepared<'c, T> {
    transaction: Transaction<'c>,
    identity: Identity,
    outcome: T,
    /// Whether it appended rows to the log of rollups.
    has_logged: bool,
}

/// Does everything before COMMIT.
async fn prepare<'c, C: Change>(
    client: &'c mut Client,
    change: &C,
    max_rollup_log: u64,
    deadline: Deadline,
) -> Result<Prepared<'c, C::Outcome>, PgError> {
    let transaction = begin(client, change.lock(), deadline).await?;
    let row = transaction.query_one(IDENTITY, &[]).await?;
    let identity = Identity { id: row.try_get(0)?, process: row.try_get(1)? };
    let mut tally = Tally::default();
    let outcome = change.make(&transaction, &mut tally).await?;
    reach(Failpoint::RowsWritten);
    let has_logged = log::record(&transaction, tally, max_rollup_log).await?;
    reach(Failpoint::Committing);
    Ok(Prepared { transaction, identity, outcome, has_logged })
}

/// Runs a future until the deadline.
async fn within<T>(deadline: Deadline, what: impl Future<Output = Result<T, PgError>>) -> Result<T, PgError> {
    deadline.run(what).await.unwrap_or(Err(PgError::Timeout))
}
