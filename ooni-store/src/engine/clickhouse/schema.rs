//! The tables and their migrations: `migrations/clickhouse`. `schema_version` has the numbers of the migrations that were
//! completed; an interrupted one is started again.

use super::error::ClickhouseError;
use super::http::Http;
use crate::deadline::Deadline;
use crate::migration::Migration;
use crate::value::{Type, Value};
use std::time::Duration;

/// The time limit for reading the version of a database.
const LIMIT: Duration = Duration::from_secs(28);

/// All migrations, in order. A released file is never changed.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../../migrations/clickhouse/0001_measurements.sql"),
    include_str!("../../../migrations/clickhouse/0002_links.sql"),
    include_str!("../../../migrations/clickhouse/0003_rejected.sql"),
    include_str!("../../../migrations/clickhouse/0004_archived.sql"),
    include_str!("../../../migrations/clickhouse/0005_overviews.sql"),
];

/// The oldest supported server.
const OLDEST: u64 = 24;

const STATE: &str = "
    SELECT toUInt32(splitByChar('.', version())[1]), countIf(name = 'schema_version'), countIf(name = 'fastpath')
    FROM (SELECT name FROM system.tables WHERE database = currentDatabase() UNION ALL SELECT '')";

/// The number of migrations applied to a database, which may be zero.
///
/// # Errors
/// It belongs to another program or a newer version, or the server is too old.
async fn version(http: &Http) -> Result<usize, ClickhouseError> {
    let http = &http.within(Deadline::after(LIMIT));
    let state = http.select(STATE, &[], &[Type::UInt32; 3]).await?;
    let Some([Value::Int(server), Value::Int(is_ours), Value::Int(is_used)]) = state.first().map(Vec::as_slice) else {
        return Err(ClickhouseError::Foreign);
    };
    if *server < OLDEST {
        return Err(ClickhouseError::Refused(format!("ClickHouse {OLDEST} or later is required; this is {server}")));
    }
    if *is_ours == 0 {
        let others = "has a table fastpath of another program; use a separate database";
        return if *is_used > 0 { Err(ClickhouseError::Refused(others.to_owned())) } else { Ok(0) };
    }
    let sql = "SELECT coalesce(max(version), 0) FROM schema_version";
    let version = http.select(sql, &[], &[Type::UInt32]).await?;
    let Some(Value::Int(version)) = version.into_iter().flatten().next() else { return Err(ClickhouseError::Foreign) };
    let known = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(version) if version <= known => Ok(version),
        _ => Err(ClickhouseError::Refused(format!(
            "was created by a newer fastpath: its tables have version {version}; this program supports versions up to {known}"
        ))),
    }
}

/// Checks that the tables are those of this version.
pub(super) async fn check(http: &Http) -> Result<(), ClickhouseError> {
    match version(http).await? {
        version if version == MIGRATIONS.len() => Ok(()),
        0 => Err(ClickhouseError::Refused("has no tables yet; `fastpath migrate` creates them".to_owned())),
        _ => Err(ClickhouseError::Refused(
            "was created by an older fastpath; `fastpath migrate` brings it up to date".to_owned(),
        )),
    }
}

/// Brings the tables up to date.
pub(super) async fn migrate(http: &Http) -> Result<Migration, ClickhouseError> {
    let from = version(http).await?;
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        for statement in statements(migration) {
            http.execute(&on_cluster(statement, http.cluster.as_deref()), &[]).await?;
        }
        http.execute(&format!("INSERT INTO schema_version VALUES ({})", number + 1), &[]).await?;
    }
    Ok(Migration { from, to: MIGRATIONS.len() })
}

/// The statements of a file.
fn statements(migration: &str) -> impl Iterator<Item = &str> {
    migration.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}

/// The form of a statement on tables for a cluster, in which each server has all rows.
fn on_cluster(statement: &str, cluster: Option<&str>) -> String {
    let Some(cluster) = cluster else { return statement.to_owned() };
    let on = format!(" ON CLUSTER '{}'", cluster.replace('\\', "\\\\").replace('\'', "\\'"));
    const BEFORE_NAME: [&str; 2] = ["CREATE TABLE IF NOT EXISTS ", "ALTER TABLE "];
    let name = BEFORE_NAME.iter().find_map(|words| statement.find(words).map(|at| at + words.len()));
    let Some(name) = name else { return statement.to_owned() };
    let end = statement[name..].find([' ', '\n']).map_or(statement.len(), |length| name + length);
    let (head, rest) = statement.split_at(end);
    format!("{head}{on}{}", rest.replacen("ENGINE = ", "ENGINE = Replicated", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_for_a_cluster() {
        let of = |statement: &str| on_cluster(statement, Some("it's"));
        assert_eq!(
            of("-- Why.\nCREATE TABLE IF NOT EXISTS a (\n    b String\n) ENGINE = ReplacingMergeTree(v)\nORDER BY b"),
            "-- Why.\nCREATE TABLE IF NOT EXISTS a ON CLUSTER 'it\\'s' (\n    b String\n) ENGINE = \
                ReplicatedReplacingMergeTree(v)\nORDER BY b"
        );
        assert_eq!(of("CREATE TABLE IF NOT EXISTS a AS b"), "CREATE TABLE IF NOT EXISTS a ON CLUSTER 'it\\'s' AS b");
        assert_eq!(on_cluster("CREATE TABLE IF NOT EXISTS a AS b", None), "CREATE TABLE IF NOT EXISTS a AS b");
    }

    #[test]
    fn every_table_is_on_all_servers_of_a_cluster() {
        for statement in MIGRATIONS.iter().flat_map(|migration| statements(migration)) {
            let sql = on_cluster(statement, Some("all"));
            if sql.contains("INSERT INTO dirty ") {
                continue; // rows are replicated
            }
            assert!(sql.contains(" ON CLUSTER 'all' "), "{sql}");
            let is_table = sql.contains("ENGINE = Replicated") || sql.contains(" AS ");
            assert!(is_table || sql.starts_with("ALTER TABLE ") || sql.contains("\nALTER TABLE "), "{sql}");
        }
    }
}
