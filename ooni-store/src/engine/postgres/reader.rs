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
use tokio_postgres::Row;

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
        workload: Workload,
        deadline: Deadline,
    ) -> Result<Vec<Row>, PgError> {
        let object = self.connection(workload, deadline).await?;
        let mut running = Running { object: Some(object), connect: self.connect.clone() };
        let Some(client) = &running.object else { return Err(PgError::Timeout) };
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = statement
            .parameters
            .iter()
            .map(|parameter| (parameter as &(dyn ToSql + Sync), value::kind(parameter)))
            .collect();
        let answer = client.query_typed(&statement.sql, &parameters).await;
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

/// A query on a pooled connection. If it is dropped before it has its answer, it is cancelled and its connection is not
/// returned to the pool: the next query would wait there, or be cancelled instead.
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
            // If the cancel request fails, the server detects that the connection is closed.
            runtime.spawn(async move { drop(token.cancel_query(tls).await) });
        }
    }
}
