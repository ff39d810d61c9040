//! [`ClickhouseReference`]: tables of the reference on a ClickHouse server.
//!
//! They have the order of the starts of measurements, and so pages have it: in that of uids each would read all rows. A page
//! is read by one thread in small blocks, so that it reads little besides itself however many rows there are. To go on
//! after a uid of which nothing else is known reads all uids, once.

use super::error::ClickhouseError;
use super::http::{Http, Parameter};
use super::value;
use crate::error::Error;
use crate::import::columns::{BODY, LISTS, Place, Texts, typed};
use crate::value::{Type, Value};
use ooni_core::row::schema::{fastpath, openvpn};
use std::collections::HashMap;
use std::fmt;

/// A database of the reference.
pub struct ClickhouseReference {
    url: String,
    http: Http,
    /// What it has, as `TABLE.COLUMN`, and of what type.
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

/// What a page is read with.
const SETTINGS: &str = "SETTINGS max_threads = 1, max_block_size = 8192";

/// What `jsonl` and `obs_openvpn` have beside a page. Of the latter, which is in the order of starts, days are read.
const BESIDE: [(&str, &str, &str); 2] = [
    ("jsonl", "report_id", "t.report_id IN (SELECT report_id FROM page)"),
    (
        "obs_openvpn",
        "measurement_start_time",
        "t.measurement_start_time BETWEEN (SELECT min(page_start) - 86400 FROM page)
            AND (SELECT max(page_start) + 86400 FROM page)",
    ),
];

impl ClickhouseReference {
    /// Opens it.
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
                let message = "is a store of fastpath's own; `fastpath store copy` copies it";
                return Err(ClickhouseError::Refused(message.to_owned()));
            }
            let needed = ["fastpath.measurement_uid", "fastpath.measurement_start_time", "fastpath.report_id"];
            if !needed.iter().all(|column| columns.contains_key(*column)) {
                return Err(ClickhouseError::Refused("has no table fastpath of the reference".to_owned()));
            }
            Ok(ClickhouseReference { url: url.to_owned(), http, columns })
        };
        open.await.map_err(|error: ClickhouseError| error.of(url))
    }

    /// Rows after a place, each with its start and what lies beside it.
    ///
    /// # Errors
    /// They cannot be read, or no row has the uid of the place.
    pub(crate) async fn page(&self, after: Option<&Place>, limit: usize) -> Result<Vec<(String, Texts)>, Error> {
        let read = async {
            let mut parameters = Vec::new();
            if let Some(Place { uid, start }) = after {
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

    /// The query for a page, and how many columns come back.
    fn page_sql(&self, is_after: bool, limit: usize) -> (String, usize) {
        let own: Vec<_> = fastpath::NAMES.into_iter().filter(|name| self.has("fastpath", name)).collect();
        let own = own.join(", ");
        let after = match is_after {
            false => "",
            // Said twice, as a key is not looked up by a pair.
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
        let joins: String = BESIDE.iter().map(|(table, key, near)| self.joined(table, key, near)).collect();
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

    /// Entries of test lists; none without such a table.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) async fn lists(&self) -> Result<Vec<Texts>, Error> {
        if !self.has("citizenlab", "url") {
            return Ok(Vec::new());
        }
        let selected = self.selected("citizenlab", "citizenlab", &LISTS.map(|name| (name, Type::Text)));
        let sql = format!("SELECT {} FROM citizenlab", selected.join(", "));
        texts(&self.http, &sql, &[], LISTS.len()).await.map_err(|error| error.of(&self.url))
    }

    /// The first start of a measurement.
    async fn start_of(&self, uid: &str) -> Result<String, ClickhouseError> {
        let sql = format!(
            "SELECT formatDateTime(min({}), '%F %T', 'UTC') FROM fastpath WHERE measurement_uid = {{uid:String}}",
            self.start()
        );
        let rows = texts(&self.http, &sql, &[text("uid", uid)], 1).await?;
        let none = || ClickhouseError::Refused(format!("has no measurement {uid} to go on after"));
        rows.into_iter().flatten().next().flatten().ok_or_else(none)
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.of_type(table, column).is_some()
    }

    fn of_type(&self, table: &str, column: &str) -> Option<&str> {
        self.columns.get(&format!("{table}.{column}")).map(String::as_str)
    }

    /// What rows are sorted by: a column as it is where that can be, as the table is in its order.
    fn start(&self) -> &'static str {
        match self.of_type("fastpath", "measurement_start_time") {
            Some(kind) if kind == "DateTime" || kind.starts_with("DateTime(") => "measurement_start_time",
            _ => "ifNull(toDateTime(measurement_start_time, 'UTC'), toDateTime(0, 'UTC'))",
        }
    }

    /// The same, next.
    fn uid(&self) -> &'static str {
        match self.of_type("fastpath", "measurement_uid") {
            Some("String") => "measurement_uid",
            _ => "ifNull(toString(measurement_uid), '')",
        }
    }

    /// Columns of a table, which is called so here, as texts; nulls for those that it has not.
    fn selected(&self, table: &str, called: &str, columns: &[(&str, Type)]) -> Vec<String> {
        let text = |&(name, kind): &(&str, Type)| match (self.has(table, name), kind) {
            (false, _) => "CAST(NULL AS Nullable(String))".to_owned(),
            (true, Type::Time) => format!("formatDateTime({called}.{name}, '%F %T', 'UTC')"),
            // A text may be of any bytes.
            (true, _) => format!("toValidUTF8(toString({called}.{name}))"),
        };
        columns.iter().map(text).collect()
    }

    /// The first row of another table with the uid, if there is such a table, looked for `near` if it has that column.
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

/// A parameter that is text.
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
