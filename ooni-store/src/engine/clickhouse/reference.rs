//! [`ClickhouseReference`]: the tables of the reference on a ClickHouse server.
//!
//! The tables are ordered by the start of the measurement, and pages are read in this order: in the order of uids, each page
//! would read all rows. A page is read by one thread in small blocks, so that it reads few rows beyond the page. To continue
//! after a uid whose start is unknown, all uids are read once.

use super::error::ClickhouseError;
use super::http::{Http, Parameter};
use super::value;
use crate::error::Error;
use crate::import::columns::{BODY, LISTS, ReferencePosition, Texts, typed};
use crate::value::{Type, Value};
use ooni_core::row::schema::{fastpath, openvpn};
use std::collections::HashMap;
use std::fmt;

/// A reference database.
pub struct ClickhouseReference {
    url: String,
    http: Http,
    /// The types of the columns that exist, by `TABLE.COLUMN`.
    columns: HashMap<String, String>,
}

impl fmt::Debug for ClickhouseReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClickhouseReference").finish_non_exhaustive()
    }
}

const COLUMNS: &str = "
    SELECT table || '.' || name, type FROM system.columns
    WHERE database = currentDatabase() AND table IN ('fastpath', 'jsonl', 'obs_openvpn', 'citizenlab', 'schema_version')";

/// The settings with which a page is read.
const SETTINGS: &str = "SETTINGS max_threads = 1, max_block_size = 8192";

/// The tables that are joined to a page: a column of each, and a condition on it that limits the rows to be read.
/// `obs_openvpn` is ordered by start, so only the days of the page are read.
const JOINED: [(&str, &str, &str); 2] = [
    ("jsonl", "report_id", "t.report_id IN (SELECT report_id FROM page)"),
    (
        "obs_openvpn",
        "measurement_start_time",
        "t.measurement_start_time BETWEEN (SELECT min(page_start) - INTERVAL 24 HOUR FROM page)
            AND (SELECT max(page_start) + INTERVAL 24 HOUR FROM page)",
    ),
];

impl ClickhouseReference {
    /// Opens the database.
    ///
    /// # Errors
    /// It cannot be reached, or has other tables.
    pub(crate) async fn open(url: &str) -> Result<ClickhouseReference, Error> {
        let open = async {
            let http = Http::new(url)?;
            let rows = texts(&http, COLUMNS, &[], 2).await?;
            let pair = |row: Texts| Some((row.first()?.clone()?, row.get(1)?.clone()?));
            let columns: HashMap<_, _> = rows.into_iter().filter_map(pair).collect();
            if columns.contains_key("schema_version.version") {
                let message = "is a store of fastpath; copy it with `fastpath store copy`";
                return Err(ClickhouseError::Refused(message.to_owned()));
            }
            let needed = ["fastpath.measurement_uid", "fastpath.measurement_start_time", "fastpath.report_id"];
            if !needed.iter().all(|column| columns.contains_key(*column)) {
                return Err(ClickhouseError::Refused(
                    "does not contain the table fastpath of the reference".to_owned(),
                ));
            }
            Ok(ClickhouseReference { url: url.to_owned(), http, columns })
        };
        open.await.map_err(|error: ClickhouseError| error.of(url))
    }

    /// The rows after a position, each with its start and its rows in other tables.
    ///
    /// # Errors
    /// The rows cannot be read, or none has the uid of a position without a start.
    pub(crate) async fn page(
        &self,
        after: Option<&ReferencePosition>,
        limit: usize,
    ) -> Result<Vec<(String, Texts)>, Error> {
        let read = async {
            let mut parameters = Vec::new();
            if let Some(ReferencePosition { uid, start }) = after {
                let start = match start {
                    Some(start) => start.clone(),
                    None => self.start_of(uid).await?,
                };
                parameters = vec![("start".to_owned(), start), text("uid", uid)];
            }
            let (sql, width) = self.page_sql(after.is_some(), limit);
            let rows = texts(&self.http, &sql, &parameters, width).await?;
            let row = |mut row: Texts| Some((row.pop()??, row));
            rows.into_iter().map(|texts| row(texts).ok_or(ClickhouseError::Foreign)).collect::<Result<Vec<_>, _>>()
        };
        read.await.map_err(|error: ClickhouseError| error.of(&self.url))
    }

    /// The query for a page, and the number of its columns.
    fn page_sql(&self, is_after: bool, limit: usize) -> (String, usize) {
        let own: Vec<_> = fastpath::NAMES.into_iter().filter(|name| self.has("fastpath", name)).collect();
        let own = own.join(", ");
        let after = match is_after {
            false => "",
            // The first condition is implied by the second, which does not use the primary key.
            true => {
                "WHERE page_start >= toDateTime({start:String}, 'UTC')
                    AND (page_start, page_uid) > (toDateTime({start:String}, 'UTC'), {uid:String})"
            }
        };
        let body = BODY.map(|name| (name, Type::Text));
        let mut selected = self.selected("fastpath", "page", &typed(&fastpath::COLUMNS));
        selected.extend(self.selected("jsonl", "jsonl", &body));
        selected.extend(self.selected("obs_openvpn", "obs_openvpn", &typed(&openvpn::COLUMNS)));
        selected.push("formatDateTime(page.page_start, '%F %T', 'UTC')".to_owned());
        let joins: String = JOINED.iter().map(|(table, key, near)| self.joined(table, key, near)).collect();
        let sql = format!(
            "WITH page AS (
                SELECT {own}, {start} AS page_start, {uid} AS page_uid FROM fastpath {after}
                ORDER BY page_start, page_uid LIMIT {limit})
             SELECT {selected} FROM page{joins} ORDER BY page.page_start, page.page_uid {SETTINGS}",
            start = self.start(),
            uid = self.uid(),
            selected = selected.join(", "),
        );
        (sql, selected.len())
    }

    /// The test-list entries; none if there is no such table.
    ///
    /// # Errors
    /// The entries cannot be read.
    pub(crate) async fn lists(&self) -> Result<Vec<Texts>, Error> {
        if !self.has("citizenlab", "url") {
            return Ok(Vec::new());
        }
        let selected = self.selected("citizenlab", "citizenlab", &LISTS.map(|name| (name, Type::Text)));
        let sql = format!("SELECT {} FROM citizenlab", selected.join(", "));
        texts(&self.http, &sql, &[], LISTS.len()).await.map_err(|error| error.of(&self.url))
    }

    /// The start of the first measurement with this uid.
    async fn start_of(&self, uid: &str) -> Result<String, ClickhouseError> {
        let sql = format!(
            "SELECT formatDateTime(min({}), '%F %T', 'UTC') FROM fastpath WHERE measurement_uid = {{uid:String}}",
            self.start()
        );
        let rows = texts(&self.http, &sql, &[text("uid", uid)], 1).await?;
        let none = || ClickhouseError::Refused(format!("does not contain measurement {uid}, after which to continue"));
        rows.into_iter().flatten().next().flatten().ok_or_else(none)
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.of_type(table, column).is_some()
    }

    fn of_type(&self, table: &str, column: &str) -> Option<&str> {
        self.columns.get(&format!("{table}.{column}")).map(String::as_str)
    }

    /// The expression for the start of a measurement, by which rows are ordered. If possible it is the column itself, because
    /// the table is ordered by it.
    fn start(&self) -> &'static str {
        match self.of_type("fastpath", "measurement_start_time") {
            Some(kind) if kind == "DateTime" || kind.starts_with("DateTime(") => "measurement_start_time",
            _ => "ifNull(toDateTime(measurement_start_time, 'UTC'), toDateTime(0, 'UTC'))",
        }
    }

    /// The expression for the uid, by which rows with the same start are ordered.
    fn uid(&self) -> &'static str {
        match self.of_type("fastpath", "measurement_uid") {
            Some("String") => "measurement_uid",
            _ => "ifNull(toString(measurement_uid), '')",
        }
    }

    /// The columns of a table, which has the name `alias` in the query, as texts; null for missing columns.
    fn selected(&self, table: &str, alias: &str, columns: &[(&str, Type)]) -> Vec<String> {
        let text = |&(name, kind): &(&str, Type)| match (self.has(table, name), kind) {
            (false, _) => "CAST(NULL AS Nullable(String))".to_owned(),
            (true, Type::Time) => format!("formatDateTime({alias}.{name}, '%F %T', 'UTC')"),
            // A text may contain any bytes.
            (true, _) => format!("toValidUTF8(toString({alias}.{name}))"),
        };
        columns.iter().map(text).collect()
    }

    /// The first row with the uid in another table, if that table exists. If it has the column `key`, the condition `near`
    /// limits the search.
    fn joined(&self, table: &str, key: &str, near: &str) -> String {
        if !self.has(table, "measurement_uid") {
            return String::new();
        }
        let near = if self.has(table, key) { format!(" AND {near}") } else { String::new() };
        let order = if self.has(table, "linenum") { " ORDER BY t.s3path, t.linenum" } else { "" };
        format!(
            " LEFT JOIN (
                SELECT * FROM {table} AS t WHERE t.measurement_uid IN (SELECT page_uid FROM page){near}{order}
                LIMIT 1 BY t.measurement_uid
             ) AS {table} ON {table}.measurement_uid = page.page_uid"
        )
    }
}

/// A text parameter.
fn text(name: &str, value: &str) -> Parameter {
    (name.to_owned(), value::parameter(&crate::sql::Parameter::Text(value.to_owned())))
}

/// The rows of a query whose columns are texts.
async fn texts(http: &Http, sql: &str, parameters: &[Parameter], width: usize) -> Result<Vec<Texts>, ClickhouseError> {
    let rows = http.select(sql, parameters, &vec![Type::Text; width]).await?;
    let text = |cell| match cell {
        Value::Text(text) => Some(text.into_owned()),
        _ => None,
    };
    Ok(rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect())
}
