//! [`Readers`]: two pools of connections for reading, so that a look-up never waits for an aggregation.

use super::connect::Connect;
use super::error::PgError;
use super::value;
use crate::deadline::Deadline;
use crate::engine::Workload;
use crate::options::StoreOptions;
use crate::sql::Statement;
use deadpool_postgres::{Object, Pool, Timeouts};
use postgres_types::{ToSql, Type};
use tokio_postgres::{Client, Error, IsolationLevel, Row};

/// Taken before the snapshot: DROP TABLE removes a partition for every snapshot, and waits for this lock.
const NO_DROP: &str = "LOCK TABLE fastpath IN ACCESS SHARE MODE";

/// What a statement sees of the changes of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Rows as of its execution, partitions as of its planning. A month dropped in between is partly seen.
    Statement,
    /// Rows and partitions of the same moment. Dropping a month waits until the statement ends.
    Snapshot,
}

/// Connections for reading.
pub(super) struct Readers {
    connect: Connect,
    lookups: Pool,
    aggregations: Pool,
    /// How many callers may wait for a connection of a pool.
    queue: usize,
}

impl Readers {
    pub(super) fn new(connect: &Connect, options: &StoreOptions) -> Result<Readers, PgError> {
        Ok(Readers {
            connect: connect.clone(),
            lookups: connect.pool(options.lookup_readers)?,
            aggregations: connect.pool(options.aggregation_readers)?,
            queue: options.queue,
        })
    }

    /// Runs a statement once. Dropping the future cancels it.
    pub(super) async fn read(
        &self,
        statement: &Statement,
        isolation: Isolation,
        workload: Workload,
        deadline: Deadline,
    ) -> Result<Vec<Row>, PgError> {
        let object = self.connection(workload, deadline).await?;
        let mut running = Running { object: Some(object), connect: self.connect.clone() };
        let Some(client) = &mut running.object else { return Err(PgError::Timeout) };
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = statement
            .parameters
            .iter()
            .map(|parameter| (parameter as &(dyn ToSql + Sync), value::kind(parameter)))
            .collect();
        let answer = match isolation {
            Isolation::Statement => client.query_typed(&statement.sql, &parameters).await,
            Isolation::Snapshot => snapshot(client, &statement.sql, &parameters).await,
        };
        running.object = None;
        Ok(answer?)
    }

    async fn connection(&self, workload: Workload, deadline: Deadline) -> Result<Object, PgError> {
        let pool = match workload {
            Workload::Lookup => &self.lookups,
            Workload::Aggregation => &self.aggregations,
        };
        if pool.status().waiting >= self.queue.max(1) {
            return Err(PgError::Busy);
        }
        let wait = (!deadline.is_never()).then(|| deadline.remaining());
        let create = Some(self.connect.patience);
        let object = pool.timeout_get(&Timeouts { wait, create, recycle: create }).await;
        object.map_err(|error| self.connect.pooled(error))
    }
}

/// Runs a query in a transaction of its own. Its snapshot is taken after the lock.
async fn snapshot(
    client: &mut Client,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, Error> {
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    // Rolls back when it is dropped.
    let transaction = begin.start().await?;
    transaction.batch_execute(NO_DROP).await?;
    let rows = transaction.query_typed(sql, parameters).await?;
    transaction.commit().await?;
    Ok(rows)
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
