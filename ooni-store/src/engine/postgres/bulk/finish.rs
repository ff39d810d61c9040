//! [`Finishing`]: builds the indexes of a month, makes it a partition, and counts its rows. Each step is a transaction, and a
//! step that was done is not done again.

use super::count;
use crate::engine::postgres::connect::Connect;
use crate::engine::postgres::error::PgError;
use crate::engine::postgres::partition;
use crate::engine::postgres::schema;
use crate::engine::postgres::writer::{UNLIMITED, lock_key};
use crate::failpoint::{Failpoint, reach};
use crate::sql::Parameter;
use crate::write::bulk::FinishedMonth;
use ooni_core::time::DateTime;
use std::sync::Mutex;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Returns the indexes of `fastpath`: the names, the definitions, and whether it is the key.
const INDEXES: &str = "
    SELECT c.relname::text, pg_get_indexdef(i.indexrelid), i.indisprimary
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'fastpath'::regclass ORDER BY c.relname";

/// The memory of a build. Most entries of these indexes have the first value in common with many others, and sorting them
/// compares the entries themselves, which takes less time if they fit the cache of the processor.
const MEMORY: &str = "SET maintenance_work_mem = '16MB'";

/// Waits for batches that write to the month, and lets no other one write to it until the transaction ends.
const LOCK_MONTH: &str = "SELECT FROM bulk_month WHERE month = $1 FOR UPDATE";

const STATE: &str = "SELECT relispartition FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid)";

/// A month that is being finished.
pub(super) struct Finishing<'a> {
    connect: &'a Connect,
    month: DateTime,
    /// The result, once the last step is about to be committed.
    counted: Mutex<Option<FinishedMonth>>,
}

impl<'a> Finishing<'a> {
    pub(super) fn new(connect: &'a Connect, month: DateTime) -> Finishing<'a> {
        Finishing { connect, month, counted: Mutex::default() }
    }

    /// Finishes the month. `None` if it is not being loaded any more. One process does this at a time.
    pub(super) async fn finish(&self) -> Result<Option<FinishedMonth>, PgError> {
        let Some(table) = partition::name(self.month) else { return Ok(None) };
        let mut client = self.connect.connect().await?;
        client.batch_execute(UNLIMITED).await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&lock_key(&format!("bulk {table}"))]).await?;
        match client.query_opt(STATE, &[&table]).await? {
            // It was dropped.
            None => return Ok(super::lock(&self.counted).take()),
            Some(row) if row.try_get(0)? => {}
            Some(_) => self.attach(&mut client, &table).await?,
        }
        self.count(&mut client, &table).await
    }

    /// Builds the indexes, and makes the table a partition. Readers that see the partition also see that the month is not
    /// finished.
    async fn attach(&self, client: &mut Client, table: &str) -> Result<(), PgError> {
        client.batch_execute(MEMORY).await?;
        let mut key = String::new();
        for row in client.query(INDEXES, &[]).await? {
            let (name, definition, is_key): (String, String, bool) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let name = format!("{table}_{}", name.strip_prefix("fastpath_").unwrap_or(&name));
            let (_, definition) = definition.split_once(" USING ").ok_or_else(PgError::foreign)?;
            let unique = if is_key { "UNIQUE " } else { "" };
            let build = format!("CREATE {unique}INDEX IF NOT EXISTS {name} ON {table} USING {definition}");
            client.batch_execute(&build).await?;
            reach(Failpoint::IndexBuilt);
            if is_key {
                key = name;
            }
        }
        let transaction = client.transaction().await?;
        transaction.execute(schema::LOCK_SHARED, &[]).await?;
        partition::attach(&transaction, self.month, &key).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Counts the rows in the rollups, with which the month is finished.
    async fn count(&self, client: &mut Client, table: &str) -> Result<Option<FinishedMonth>, PgError> {
        client.batch_execute(&format!("ANALYZE {table}")).await?;
        match self.count_into(client, table, false).await {
            // A rollup has cells of this month although the month had no rows.
            Err(PgError::Database(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                self.count_into(client, table, true).await
            }
            counted => counted,
        }
    }

    /// Counts the rows in the rollups; with `is_stale` in place of the cells that these have of the month.
    async fn count_into(
        &self,
        client: &mut Client,
        table: &str,
        is_stale: bool,
    ) -> Result<Option<FinishedMonth>, PgError> {
        let transaction = client.transaction().await?;
        transaction.execute(schema::LOCK_SHARED, &[]).await?;
        if transaction.query_opt(LOCK_MONTH, &[&Parameter::Time(self.month)]).await?.is_none() {
            return Ok(super::lock(&self.counted).take());
        }
        if is_stale {
            count::delete(&transaction, self.month).await?;
        }
        let rows = Box::pin(count::count(&transaction, table, self.month)).await?;
        transaction.execute("DELETE FROM bulk_month WHERE month = $1", &[&Parameter::Time(self.month)]).await?;
        reach(Failpoint::MonthFinishing);
        let finished = FinishedMonth { month: self.month, rows };
        *super::lock(&self.counted) = Some(finished);
        transaction.commit().await?;
        Ok(Some(finished))
    }
}
