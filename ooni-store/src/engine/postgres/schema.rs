//! The tables and their migrations: `migrations/postgres`, one transaction per file. `schema_version` has the number of
//! migrations applied to a database.

use super::error::PgError;
use crate::migration::Migration;
use std::time::Duration;
use tokio_postgres::Client;

/// All migrations, in order. A released file is never changed.
const MIGRATIONS: [&str; 9] = [
    include_str!("../../../migrations/postgres/0001_measurements.sql"),
    include_str!("../../../migrations/postgres/0002_links.sql"),
    include_str!("../../../migrations/postgres/0003_application.sql"),
    include_str!("../../../migrations/postgres/0004_rejected.sql"),
    include_str!("../../../migrations/postgres/0005_long_texts.sql"),
    include_str!("../../../migrations/postgres/0006_archived.sql"),
    include_str!("../../../migrations/postgres/0007_overviews.sql"),
    include_str!("../../../migrations/postgres/0008_rollup_log.sql"),
    include_str!("../../../migrations/postgres/0009_bulk.sql"),
];

/// The oldest supported server, as PostgreSQL numbers its versions.
const OLDEST: i32 = 150_000;

/// Held by every process that changes tables or rows, until its transaction ends. The key is `OONI` in ASCII.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(1330597449)";

/// Held by bulk writes: by several at a time, but not while another process holds [`LOCK`].
pub(super) const LOCK_SHARED: &str = "SELECT pg_advisory_xact_lock_shared(1330597449)";

/// As [`LOCK_SHARED`], if it need not wait. Returns whether it was taken.
pub(super) const TRY_LOCK_SHARED: &str = "SELECT pg_try_advisory_xact_lock_shared(1330597449)";

/// How long to wait at most for another process that writes; a deadline of the caller may end the wait earlier.
pub(super) const LOCK_LIMIT: Duration = Duration::from_secs(600);

/// Looks up tables in the catalog, because `to_regclass` may have cached that a table did not exist.
const STATE: &str = "SELECT current_setting('server_version_num')::int,
    EXISTS (SELECT FROM pg_class WHERE relname = 'schema_version' AND pg_table_is_visible(oid)),
    EXISTS (SELECT FROM pg_class WHERE relname = 'fastpath' AND pg_table_is_visible(oid)),
    current_setting('server_encoding')";

/// The number of migrations applied to a database, which may be zero.
///
/// # Errors
/// It belongs to another program or a newer version, or the server is too old.
async fn version(client: &Client) -> Result<usize, PgError> {
    let state = client.query_one(STATE, &[]).await?;
    let (server, is_ours, is_used): (i32, bool, bool) = (state.try_get(0)?, state.try_get(1)?, state.try_get(2)?);
    if server < OLDEST {
        return Err(PgError::Refused(format!("PostgreSQL 15 or later is required; this is {}", server / 10_000)));
    }
    let encoding: &str = state.try_get(3)?;
    if encoding != "UTF8" {
        return Err(PgError::Refused(format!("its encoding is {encoding}; UTF8 is required")));
    }
    if !is_ours {
        let others = "has a table fastpath of another program; use a separate database or schema";
        return if is_used { Err(PgError::Refused(others.to_owned())) } else { Ok(0) };
    }
    let version: i32 = client.query_one("SELECT version FROM schema_version", &[]).await?.try_get(0)?;
    let known = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(version) if version <= known => Ok(version),
        _ => Err(PgError::Refused(format!(
            "was created by a newer fastpath: its tables have version {version}; this program supports versions up to {known}"
        ))),
    }
}

/// Checks that the tables are those of this version.
pub(super) async fn check(client: &Client) -> Result<(), PgError> {
    match version(client).await? {
        version if version == MIGRATIONS.len() => Ok(()),
        0 => Err(PgError::Refused("has no tables yet; `fastpath migrate` creates them".to_owned())),
        _ => Err(PgError::Refused(
            "was created by an older fastpath; `fastpath migrate` brings it up to date".to_owned(),
        )),
    }
}

/// Brings the tables up to date.
pub(super) async fn migrate(client: &mut Client) -> Result<Migration, PgError> {
    let from = version(client).await?;
    while version(client).await? < MIGRATIONS.len() {
        let transaction = client.transaction().await?;
        transaction.execute(LOCK, &[]).await?;
        // Another process may have applied it already.
        let seen = version(transaction.client()).await?;
        if let Some(migration) = MIGRATIONS.get(seen) {
            transaction.batch_execute(migration).await?;
            transaction.execute("UPDATE schema_version SET version = $1", &[&(seen as i32 + 1)]).await?;
        }
        transaction.commit().await?;
    }
    Ok(Migration { from, to: MIGRATIONS.len() })
}
