//! The tables and their migrations: `migrations/sqlite`, one transaction per file.
//!
//! `user_version` is the number of migrations applied to a database; `application_id` marks it as ours.

use crate::error::Error;
use crate::migration::Migration;
use rusqlite::{Connection, TransactionBehavior};

/// All migrations, in order. A released file is never changed.
const MIGRATIONS: [&str; 8] = [
    include_str!("../../../migrations/sqlite/0001_measurements.sql"),
    include_str!("../../../migrations/sqlite/0002_links.sql"),
    include_str!("../../../migrations/sqlite/0003_application.sql"),
    include_str!("../../../migrations/sqlite/0004_rejected.sql"),
    include_str!("../../../migrations/sqlite/0005_archived.sql"),
    include_str!("../../../migrations/sqlite/0006_overviews.sql"),
    include_str!("../../../migrations/sqlite/0007_rollup_log.sql"),
    include_str!("../../../migrations/sqlite/0008_bulk.sql"),
];

/// `OONI` in ASCII.
const APPLICATION_ID: i64 = 0x4f4f_4e49;

/// One statement, so that the values are consistent while another process creates the tables.
const STATE: &str = "
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
    FROM pragma_application_id, pragma_user_version";

/// Why a database cannot be used.
pub(super) enum SchemaError {
    /// It cannot be opened.
    Open(Error),
    /// An error of SQLite.
    Database(rusqlite::Error),
    /// Its tables belong to another program or version.
    Foreign(String),
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> SchemaError {
        SchemaError::Database(error)
    }
}

/// Checks that a database may be written: it is empty, or ours and not from a newer version. Changes nothing.
pub(super) fn check(connection: &Connection) -> Result<(), SchemaError> {
    let state = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (id, version, tables): (i64, i64, i64) = connection.query_row(STATE, [], state)?;
    let refuse = |message: String| Err(SchemaError::Foreign(message));
    let known = MIGRATIONS.len();
    match (id, version) {
        (0, 0) if tables == 0 => Ok(()),
        (APPLICATION_ID, 1..) if version as u64 <= known as u64 => Ok(()),
        (APPLICATION_ID, 1..) => refuse(format!(
            "was created by a newer fastpath: its tables have version {version}; this program supports versions up to {known}"
        )),
        _ => refuse("is a database of another program".to_owned()),
    }
}

/// Checks that a database can be read without a migration.
pub(super) fn check_current(connection: &Connection) -> Result<(), SchemaError> {
    check(connection)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version as u64 == MIGRATIONS.len() as u64 {
        true => Ok(()),
        false if version == 0 => Err(SchemaError::Foreign("is empty".to_owned())),
        false => Err(SchemaError::Foreign(
            "was created by an older fastpath; `fastpath migrate` brings it up to date".to_owned(),
        )),
    }
}

/// Brings the tables up to date.
pub(super) fn migrate(connection: &mut Connection) -> Result<Migration, SchemaError> {
    let version =
        |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let from = usize::try_from(version(connection)?).unwrap_or_default();
    for (number, migration) in (1_i64..).zip(MIGRATIONS) {
        if version(connection)? >= number {
            continue;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have applied it already.
        if version(&transaction)? < number {
            check(&transaction)?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
        transaction.commit()?;
    }
    Ok(Migration { from, to: MIGRATIONS.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_compiled_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names.len(), MIGRATIONS.len());
        for (number, (name, migration)) in names.iter().zip(MIGRATIONS).enumerate() {
            assert_eq!(name[..5], format!("{:04}_", number + 1));
            assert_eq!(std::fs::read_to_string(format!("{folder}/{name}")).unwrap(), migration);
        }
    }
}
