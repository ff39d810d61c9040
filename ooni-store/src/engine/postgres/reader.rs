//! [`Readers`]: two pools of connections for reading, so that a look-up never waits for an aggregation.

use super::connect::Connect;
use super::error::PgError;
use super::{bulk, value};
use crate::deadline::Deadline;
use crate::engine::Workload;
use crate::options::StoreOptions;
use crate::sql::{LOG_STATE, Parameter, Statement};
use deadpool_postgres::{Object, Pool, Timeouts};
use futures_util::Stream;
use futures_util::future::{join, join_all};
use ooni_core::time::DateTime;
use postgres_types::{ToSql, Type};
use std::future::poll_fn;
use std::pin::pin;
use std::slice;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::{Client, Row};

/// Begins a transaction whose queries see one moment.
const BEGIN: &str = "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Makes rows and partitions be of one moment. The lock comes first: DROP TABLE removes a partition for every snapshot,
/// and waits for the lock. The next query takes the snapshot, then locks a table for the first time. That makes the
/// session process pending invalidations, so it sees all partitions that were created before. Partitions that are
/// attached later, with their rows, are of months that are being loaded in bulk.
const LOCK: &str = "LOCK TABLE ONLY fastpath IN ACCESS SHARE MODE";

/// Connections for reading.
pub(super) struct Readers {
    connect: Connect,
    lookups: Pool,
    aggregations: Pool,
    /// How many callers may wait for a connection of a pool.
    queue: usize,
    /// The log of rollups when it was read last.
    log: Mutex<Log>,
}

impl Readers {
    pub(super) fn new(connect: &Connect, options: &StoreOptions) -> Result<Readers, PgError> {
        Ok(Readers {
            connect: connect.clone(),
            lookups: connect.pool(options.lookup_readers)?,
            aggregations: connect.pool(options.aggregation_readers)?,
            queue: options.queue,
            log: Mutex::new(Log { folded: 0, has_rows: true }),
        })
    }

    /// Runs a statement once. It sees rows as of its execution, partitions as of its planning. Dropping the future
    /// cancels it.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        workload: Workload,
        deadline: Deadline,
    ) -> Result<Vec<Row>, PgError> {
        let read = async |client: &Client| match statement.with_log {
            // Rollups and their log do not wait for a month that is being dropped.
            Some(_) => Ok(self.read(client, slice::from_ref(statement), false).await?.pop().unwrap_or_default()),
            None => {
                let (unfinished, rows) =
                    join(unfinished(client, slice::from_ref(statement)), query(client, statement)).await;
                // A statement that is cancelled for its size must not be taken for one that has ended.
                if !matches!(rows, Err(PgError::TooLarge(_))) {
                    check(&unfinished?, slice::from_ref(statement))?;
                }
                rows
            }
        };
        self.run(workload, deadline, read).await
    }

    /// Runs the statements of an aggregation once. They see rows and partitions of one moment, and dropping a month waits
    /// for them. Dropping the future cancels them.
    pub(super) async fn snapshot(
        &self,
        statements: &[Statement],
        deadline: Deadline,
    ) -> Result<Vec<Vec<Row>>, PgError> {
        let read = async |client: &Client| self.read(client, statements, true).await;
        self.run(Workload::Aggregation, deadline, read).await
    }

    /// Runs statements in a transaction of their own; `reads_rows` if they read `fastpath`.
    async fn read(
        &self,
        client: &Client,
        statements: &[Statement],
        reads_rows: bool,
    ) -> Result<Vec<Vec<Row>>, PgError> {
        let mut expected = *self.log.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Snapshot { unfinished, log, results } = snapshot(client, statements, reads_rows, expected).await?;
            *self.log.lock().unwrap_or_else(PoisonError::into_inner) = log;
            check(&unfinished, statements)?;
            if log.is_covered_by(expected) {
                return results;
            }
            expected = log;
        }
    }

    async fn run<T>(
        &self,
        workload: Workload,
        deadline: Deadline,
        read: impl AsyncFnOnce(&Client) -> Result<T, PgError> + Send,
    ) -> Result<T, PgError> {
        let object = self.connection(workload, deadline).await?;
        let mut running = Running { object: Some(object), connect: self.connect.clone() };
        let Some(client) = &running.object else { return Err(PgError::Timeout) };
        let result = read(client).await;
        // Beyond the limit of bytes the statement is still running, and is cancelled.
        if !matches!(result, Err(PgError::TooLarge(_))) {
            running.object = None;
        }
        result
    }

    async fn connection(&self, workload: Workload, deadline: Deadline) -> Result<Object, PgError> {
        let pool = match workload {
            Workload::Lookup => &self.lookups,
            Workload::Aggregation => &self.aggregations,
        };
        // The pool counts a connection that is being opened as one that is waited for.
        let status = pool.status();
        if status.size + status.waiting >= status.max_size + self.queue.max(1) {
            return Err(PgError::Busy);
        }
        let wait = (!deadline.is_never()).then(|| deadline.remaining());
        let create = Some(self.connect.patience);
        let object = pool.timeout_get(&Timeouts { wait, create, recycle: create }).await;
        object.map_err(|error| self.connect.pooled(error))
    }
}

/// The months that are being loaded in bulk, if one of the statements reads measurements.
async fn unfinished(client: &Client, statements: &[Statement]) -> Result<Vec<DateTime>, PgError> {
    match statements.iter().any(|statement| statement.window.is_some()) {
        true => bulk::unfinished(client).await,
        false => Ok(Vec::new()),
    }
}

/// Fails if a statement reads one of the months that are being loaded.
fn check(unfinished: &[DateTime], statements: &[Statement]) -> Result<(), PgError> {
    let mut windows = statements.iter().filter_map(|statement| statement.window);
    windows.try_for_each(|window| bulk::check_window(unfinished, window))
}

/// Runs a statement.
async fn query(client: &Client, statement: &Statement) -> Result<Vec<Row>, PgError> {
    let rows = client.query_typed_raw(&statement.sql, parameters(statement)).await?;
    let mut rows = pin!(rows);
    let (mut all, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await.transpose()? {
        bytes = bytes.saturating_add(row.raw_size_bytes());
        if bytes > statement.max_bytes && !all.is_empty() {
            return Err(PgError::TooLarge(statement.max_bytes));
        }
        all.push(row);
    }
    Ok(all)
}

/// The state of the log of rollups.
#[derive(Clone, Copy)]
struct Log {
    /// The id of the last row that was folded.
    folded: i64,
    /// Whether there are rows after it.
    has_rows: bool,
}

impl Log {
    /// Whether statements that expected this state read all of the log. Reading a part that was folded or is empty does
    /// no harm.
    fn is_covered_by(self, expected: Log) -> bool {
        !self.has_rows || expected.has_rows && expected.folded <= self.folded
    }
}

/// What was read in a transaction.
struct Snapshot {
    unfinished: Vec<DateTime>,
    log: Log,
    results: Result<Vec<Vec<Row>>, PgError>,
}

/// Runs statements in a transaction of their own. Futures that are joined are first polled in order, so everything is sent
/// in order before the first answer arrives. `reads_rows` says whether the statements read `fastpath`. They add that part
/// of the log of rollups which is expected.
async fn snapshot(
    client: &Client,
    statements: &[Statement],
    reads_rows: bool,
    expected: Log,
) -> Result<Snapshot, PgError> {
    let begin = if reads_rows { format!("{BEGIN}; {LOCK}") } else { BEGIN.to_owned() };
    let queries = join_all(statements.iter().map(|statement| {
        let statement = statement.by_log(expected.has_rows);
        async { client.query_typed(&statement.sql, &parameters_after(statement, &expected.folded)).await }
    }));
    // If a query fails, this rolls back.
    let commit = client.batch_execute("COMMIT");
    let state = join(unfinished(client, statements), client.query_typed(LOG_STATE, &[]));
    let (begun, ((unfinished, log), (results, committed))) =
        join(client.batch_execute(&begin), join(state, join(queries, commit))).await;
    begun?;
    let log = match log?.first() {
        Some(row) => Log { folded: row.try_get(0)?, has_rows: row.try_get(1)? },
        None => return Err(PgError::foreign()),
    };
    let results = results.into_iter().collect::<Result<_, _>>().and_then(|results| committed.map(|()| results));
    Ok(Snapshot { unfinished: unfinished?, log, results: results.map_err(PgError::from) })
}

/// The values of a statement and their types.
pub(super) fn parameters(statement: &Statement) -> Vec<(&(dyn ToSql + Sync), Type)> {
    parameters_after(statement, &0)
}

/// The same for a statement that reads the log of rollups after a row that was folded.
fn parameters_after<'a>(statement: &'a Statement, folded: &'a i64) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    let typed = |parameter: &'a Parameter| -> (&'a (dyn ToSql + Sync), Type) {
        match parameter {
            Parameter::Folded => (folded, Type::INT8),
            parameter => (parameter, value::kind(parameter)),
        }
    };
    statement.parameters.iter().map(typed).collect()
}

/// A query on a pooled connection. If it is dropped before its answer arrives, it is cancelled and its connection is not
/// returned to the pool: the next query would have to wait, or might be cancelled instead.
struct Running {
    object: Option<Object>,
    connect: Connect,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let client = Object::take(object);
        let (token, tls) = (client.cancel_token(), self.connect.tls.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // If the cancel request fails, the server still notices that the connection is closed.
            runtime.spawn(async move { drop(token.cancel_query(tls).await) });
        }
    }
}
