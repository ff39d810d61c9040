//! [`PostgresReference`]: the tables of the reference on a PostgreSQL server.

use super::connect::Connect;
use super::error::PgError;
use crate::error::Error;
use crate::import::columns::{BODY, LISTS, Texts, typed};
use crate::url::without_password;
use crate::value::Type;
use deadpool_postgres::Pool;
use ooni_core::row::schema::{fastpath, openvpn};
use std::collections::HashSet;
use std::fmt;
use tokio_postgres::Row;

/// A reference database.
pub struct PostgresReference {
    connect: Connect,
    reads: Pool,
    /// The columns that exist, as `TABLE.COLUMN`.
    columns: HashSet<String>,
}

impl fmt::Debug for PostgresReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresReference").finish_non_exhaustive()
    }
}

const COLUMNS: &str = "
    SELECT c.relname || '.' || a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.oid IN (to_regclass('fastpath'), to_regclass('jsonl'), to_regclass('obs_openvpn'), to_regclass('citizenlab'),
        to_regclass('schema_version')) AND a.attnum > 0 AND NOT a.attisdropped";

impl PostgresReference {
    /// Opens the database.
    ///
    /// # Errors
    /// It cannot be reached, or has other tables.
    pub(crate) async fn open(url: &str) -> Result<PostgresReference, Error> {
        let open = async {
            let connect = Connect::new(url, "fastpath")?;
            let rows = connect.connect().await?.query(COLUMNS, &[]).await?;
            let columns = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<String>, _>>()?;
            if columns.contains("schema_version.version") {
                let message = "is a store of fastpath; copy it with `fastpath store copy`";
                return Err(PgError::Refused(message.to_owned()));
            }
            if !columns.contains("fastpath.measurement_uid") {
                return Err(PgError::Refused("does not contain the table fastpath of the reference".to_owned()));
            }
            Ok(PostgresReference { reads: connect.pool(1)?, connect, columns })
        };
        open.await.map_err(|error: PgError| error.of(&without_password(url)))
    }

    /// The rows after a uid, with their rows in other tables.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub(crate) async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Texts>, Error> {
        let body = BODY.map(|name| (name, Type::Text));
        let [fastpath, openvpn] = [&fastpath::COLUMNS[..], &openvpn::COLUMNS].map(typed);
        let selected = [self.selected("fastpath", &fastpath), self.selected("jsonl", &body)].concat();
        let selected = [selected, self.selected("obs_openvpn", &openvpn)].concat().join(", ");
        let joins: String = ["jsonl", "obs_openvpn"].iter().map(|table| self.joined(table)).collect();
        let sql = format!(
            "SELECT {selected} FROM (
                SELECT * FROM fastpath WHERE $1::text IS NULL OR measurement_uid > $1 ORDER BY measurement_uid LIMIT $2
             ) AS fastpath{joins} ORDER BY fastpath.measurement_uid"
        );
        self.texts(&sql, &[&after, &i64::try_from(limit).unwrap_or(i64::MAX)]).await
    }

    /// The test-list entries; none if there is no such table.
    ///
    /// # Errors
    /// The entries cannot be read.
    pub(crate) async fn lists(&self) -> Result<Vec<Texts>, Error> {
        if !self.columns.contains("citizenlab.url") {
            return Ok(Vec::new());
        }
        let selected = self.selected("citizenlab", &LISTS.map(|name| (name, Type::Text)));
        self.texts(&format!("SELECT {} FROM citizenlab", selected.join(", ")), &[]).await
    }

    /// The columns of a table as texts; null for missing columns.
    fn selected(&self, table: &str, columns: &[(&str, Type)]) -> Vec<String> {
        let text = |&(name, kind): &(&str, Type)| match (self.columns.contains(&format!("{table}.{name}")), kind) {
            (false, _) => "NULL::text".to_owned(),
            (true, Type::Time) => format!("to_char({table}.{name}, 'YYYY-MM-DD HH24:MI:SS')"),
            (true, _) => format!("{table}.{name}::text"),
        };
        columns.iter().map(text).collect()
    }

    /// The first row with the uid in another table, if that table exists.
    fn joined(&self, table: &str) -> String {
        let has = |name: &str| self.columns.contains(&format!("{table}.{name}"));
        if !has("measurement_uid") {
            return String::new();
        }
        let order = if has("linenum") { " ORDER BY t.s3path, t.linenum" } else { "" };
        format!(
            " LEFT JOIN LATERAL (SELECT * FROM {table} AS t WHERE t.measurement_uid = fastpath.measurement_uid{order}
                LIMIT 1) AS {table} ON true"
        )
    }

    async fn texts(&self, sql: &str, parameters: &[&(dyn postgres_types::ToSql + Sync)]) -> Result<Vec<Texts>, Error> {
        let read = async {
            let rows =
                self.reads.get().await.map_err(|error| self.connect.pooled(error))?.query(sql, parameters).await?;
            let texts = |row: &Row| (0..row.len()).map(|column| row.try_get(column)).collect::<Result<Texts, _>>();
            Ok(rows.iter().map(texts).collect::<Result<Vec<_>, _>>()?)
        };
        read.await.map_err(|error: PgError| error.of(&self.connect.url))
    }
}
