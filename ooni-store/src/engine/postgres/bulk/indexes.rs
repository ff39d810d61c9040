//! Indexes that are built when the last month is finished, instead of being updated with each row or cell. No statement needs
//! them to be right; without them, some queries read whole tables.

use crate::engine::postgres::error::PgError;
use crate::failpoint::{Failpoint, reach};
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

/// The indexes and their tables. Neighbouring entries of these indexes belong to distant rows.
const INDEXES: [(&str, &str); 4] = [
    ("jsonl_by_report", "jsonl"),
    ("rollup_country_domain_by_domain", "rollup_country_domain"),
    ("rollup_country_network_by_probe_asn", "rollup_country_network"),
    ("rollup_month_network_by_probe_cc", "rollup_month_network"),
];

/// How long to wait for readers of a table. New readers wait as long.
const WAIT: &str = "SET LOCAL lock_timeout = 100";

/// Records the definition of an index, if it exists.
const RECORD: &str = "
    INSERT INTO bulk_index (name, definition)
    SELECT relname::text, pg_get_indexdef(oid) FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid)
    ON CONFLICT (name) DO NOTHING";

/// Drops those indexes whose tables are empty, and records them. No other process writes meanwhile.
pub(super) async fn put_off(transaction: &Transaction<'_>) -> Result<(), PgError> {
    for (index, table) in INDEXES {
        let is_empty = format!("SELECT NOT EXISTS (SELECT FROM {table})");
        if !transaction.query_one(&is_empty, &[]).await?.try_get(0)? {
            continue;
        }
        transaction.batch_execute(&format!("SAVEPOINT indexes; {WAIT}")).await?;
        if transaction.execute(RECORD, &[&index]).await? == 0 {
            continue;
        }
        match transaction.batch_execute(&format!("DROP INDEX {index}")).await {
            // Somebody reads the table, so it keeps the index.
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                transaction.batch_execute("ROLLBACK TO SAVEPOINT indexes").await?;
            }
            done => done?,
        }
    }
    Ok(())
}

/// Memory for the process that builds an index and two others that help it, as no other month is being finished.
const MEMORY: &str = "SET LOCAL maintenance_work_mem = '96MB'";

/// Builds the indexes that were dropped.
pub(super) async fn build(transaction: &Transaction<'_>) -> Result<(), PgError> {
    transaction.batch_execute(MEMORY).await?;
    for row in transaction.query("DELETE FROM bulk_index RETURNING definition", &[]).await? {
        transaction.batch_execute(row.try_get(0)?).await?;
        reach(Failpoint::IndexBuilt);
    }
    Ok(())
}
