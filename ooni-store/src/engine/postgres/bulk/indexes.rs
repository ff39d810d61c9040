//! Indexes that are built once all months are finished, instead of being updated with each row or cell. No statement needs
//! them to be right; without them, some queries read whole tables.

use crate::engine::postgres::connect::Connect;
use crate::engine::postgres::error::PgError;
use crate::engine::postgres::writer::{UNLIMITED, lock_key};
use crate::failpoint::{Failpoint, reach};
use std::time::Duration;
use tokio::time::sleep;
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

/// Memory for the process that builds an index and two others that help it, as no month is being finished.
const MEMORY: &str = "SET maintenance_work_mem = '96MB'";

/// How long to wait for another process that builds the indexes.
const WAIT_FOR_OTHER: Duration = Duration::from_millis(200);

/// Returns the next index to build, if no month is unfinished; null if it does not exist, or else whether it is complete.
const NEXT: &str = "
    SELECT b.name, b.definition, i.indisvalid
    FROM bulk_index AS b
    LEFT JOIN pg_class AS c ON c.relname = b.name AND pg_table_is_visible(c.oid)
    LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
    WHERE NOT EXISTS (SELECT FROM bulk_month) ORDER BY b.name LIMIT 1";

/// Builds the indexes that were dropped, if no month is unfinished; returns how many. Other processes can write meanwhile.
pub(super) async fn build(connect: &Connect) -> Result<u64, PgError> {
    let client = connect.connect().await?;
    client.batch_execute(UNLIMITED).await?;
    client.batch_execute(MEMORY).await?;
    let key = lock_key("bulk indexes");
    // A statement that waits for the lock would not end before the build, and the build waits for statements that began before.
    while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).await?.try_get::<_, bool>(0)? {
        sleep(WAIT_FOR_OTHER).await;
    }
    let mut built = 0;
    while let Some(row) = client.query_opt(NEXT, &[]).await? {
        let (name, definition, is_complete): (String, String, Option<bool>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if is_complete == Some(false) {
            // Its build was interrupted.
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
        }
        if is_complete != Some(true) {
            let build = definition.replacen("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1);
            client.batch_execute(&build).await?;
        }
        reach(Failpoint::IndexBuilt);
        client.execute("DELETE FROM bulk_index WHERE name = $1", &[&name]).await?;
        built += 1;
    }
    Ok(built)
}
