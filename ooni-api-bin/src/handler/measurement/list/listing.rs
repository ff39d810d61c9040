//! [`Listing`]: a list of measurements, read page by page and written in one of the formats.

use super::row::{COLUMNS, ListedMeasurement};
use crate::app::App;
use crate::http::{Error, Query};
use crate::search::Search;
use bytes::Bytes;
use ooni_store::query::list::{List, MeasurementSummary};
use ooni_store::{Deadline, ErrorKind, Store};
use serde::Serialize;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Rows that are read at once. Only one page of a list is in memory, as rows and as text.
const PAGE: u32 = 1000;
/// The factor by which a page becomes shorter if its rows have too many bytes.
const SHORTER: u32 = 8;

/// The format of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// An object with the rows and [`ListMetadata`]. If the list cannot be completed, it is cut off.
    Json,
    /// A JSON object on each line. The last one is an [`ListEnd`].
    Ndjson,
    /// A header, rows, and a last line that begins with `# `.
    Csv,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Metadata of a page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListMetadata {
    /// The number of all rows, if this is the last page; else -1.
    #[schema(example = -1)]
    count: i64,
    /// Number of this page, from 1.
    #[schema(example = 1)]
    current_page: u64,
    /// Maximum rows of a page.
    #[schema(example = 100)]
    limit: u64,
    /// The URL of the next page. It has the parameters of this request, and in `after` the cursor at the end of this page.
    #[schema(
        required = true,
        example = "https://api.ooni.org/api/v1/measurements?probe_cc=IT&offset=100&limit=100&after=%5B1751328000%2C%2220250701000000.181572_IT_webconnectivity_7888edc7748936bf%22%5D"
    )]
    next_url: Option<String>,
    /// Rows before this page.
    #[schema(example = 0)]
    offset: u64,
    /// The number of all pages, if this is the last one; else -1.
    #[schema(example = -1)]
    pages: i64,
    /// How long the queries took, in seconds.
    #[schema(example = 0.012)]
    query_time: f64,
}

/// The last line of NDJSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListEnd {
    /// Whether these are all rows that were requested.
    complete: bool,
    /// The number of rows before this line.
    #[schema(example = 1234)]
    rows: u64,
    /// Why the list is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the time limit of 600 seconds was reached")]
    reason: Option<String>,
    /// The URL of the rest of the list, if there may be more rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
}

/// A list of which some pages were read.
pub(super) struct Listing {
    app: Arc<App>,
    query: Query,
    search: Search,
    format: Format,
    /// Maximum rows of the list.
    limit: Option<u32>,
    started: Instant,
    /// Where the next page begins, and how many rows it may have.
    next: List,
    /// Maximum rows of a page.
    page: u32,
    /// Rows that were written.
    rows: u64,
    /// Bytes that were written.
    bytes: u64,
    /// The last row that was written.
    last: Option<MeasurementSummary>,
    /// Whether the last part was returned.
    is_over: bool,
}

/// Why a list cannot be completed.
struct Incomplete(String);

impl Listing {
    pub(super) fn new(app: Arc<App>, query: Query, search: Search, format: Format) -> Listing {
        let limit = (search.is_limited || format == Format::Json).then_some(search.list.limit);
        let next = List { limit: limit.map_or(PAGE, |limit| limit.min(PAGE)), ..search.list.clone() };
        let started = Instant::now();
        let (page, rows, bytes, last, is_over) = (PAGE, 0, 0, None, false);
        Listing { app, query, search, format, limit, started, next, page, rows, bytes, last, is_over }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The first part: the first page.
    ///
    /// # Errors
    /// 503 or 504 if the store cannot be read in time, 400 if the page has more bytes than a list may have.
    pub(super) async fn first_part(&mut self) -> Result<Bytes, Error> {
        let store = self.app.stores.measurements()?;
        let rows = self.read(&store, self.app.config.reads.timeout).await?;
        self.write(rows)
            .map_err(|Incomplete(reason)| Error::bad_request(format!("limit: a smaller one is expected, {reason}")))
    }

    /// The next part.
    ///
    /// # Errors
    /// The list cannot be completed, and its format cannot say so.
    pub(super) async fn next_part(&mut self) -> io::Result<Bytes> {
        let limit = self.app.config.reads.stream_timeout;
        let part = match self.app.stores.measurements() {
            Ok(store) => match self.read(&store, limit).await {
                Ok(rows) => self.write(rows),
                Err(error) => {
                    tracing::warn!(%error, "a list cannot be completed");
                    let reason = match error.kind() {
                        ErrorKind::Timeout if self.started.elapsed().as_secs() >= limit => {
                            format!("the time limit of {limit} seconds was reached")
                        }
                        // A single query has a shorter limit.
                        ErrorKind::Timeout => "a query timed out".to_owned(),
                        _ => error.public_message().to_owned(),
                    };
                    self.end(Vec::new(), Some(reason))
                }
            },
            // A store that was open stays open.
            Err(_) => self.end(Vec::new(), Some("the database is not available".to_owned())),
        };
        part.map_err(|Incomplete(reason)| io::Error::other(reason))
    }

    /// Reads the next page, until so many seconds after the request.
    async fn read(&mut self, store: &Store, seconds: u64) -> Result<Vec<MeasurementSummary>, ooni_store::Error> {
        let deadline = self.started.checked_add(Duration::from_secs(seconds)).map_or(Deadline::NEVER, Deadline::at);
        let store = store.with_deadline(deadline);
        loop {
            match store.list(&self.next).await {
                // Its rows are long, as with long inputs.
                Err(error) if error.kind() == ErrorKind::TooLarge && self.next.limit > 1 => {
                    self.page = (self.next.limit / SHORTER).max(1);
                    self.next.limit = self.page;
                }
                result => return result,
            }
        }
    }

    /// Writes a page.
    fn write(&mut self, rows: Vec<MeasurementSummary>) -> Result<Bytes, Incomplete> {
        let is_last_page = rows.len() < self.next.limit as usize;
        let max = self.app.config.reads.max_stream_bytes;
        let base_url = &self.app.config.server.base_url;
        let mut out = Vec::new();
        if self.bytes == 0 {
            self.format.begin(&mut out);
        }
        for row in rows {
            let start = out.len();
            let listed = ListedMeasurement::new(&row, base_url);
            match self.format {
                Format::Json => {
                    out.extend_from_slice(if self.rows > 0 { b"," } else { b"" });
                    listed.write_json(&mut out);
                }
                Format::Ndjson => {
                    listed.write_json(&mut out);
                    out.push(b'\n');
                }
                Format::Csv => listed.write_csv(&mut out),
            }
            if self.bytes + out.len() as u64 > max {
                out.truncate(start);
                return self.end(out, Some(format!("the size limit of {max} bytes was reached")));
            }
            self.rows += 1;
            self.last = Some(row);
        }
        self.bytes += out.len() as u64;
        let left = self.limit.map(|limit| u64::from(limit).saturating_sub(self.rows));
        if let Some(last) = self.last.as_ref().filter(|_| !is_last_page && left != Some(0)) {
            self.next.order = self.next.order.after(last);
            self.next.offset = 0;
            self.next.limit =
                left.and_then(|left| u32::try_from(left).ok()).map_or(self.page, |left| left.min(self.page));
            return Ok(out.into());
        }
        self.end(out, None)
    }

    /// Writes the end of the list, after the last rows.
    fn end(&mut self, mut out: Vec<u8>, reason: Option<String>) -> Result<Bytes, Incomplete> {
        self.is_over = true;
        let may_have_more = reason.is_some() || self.limit.is_some_and(|limit| self.rows >= u64::from(limit));
        let next_url = self.next_url().filter(|_| may_have_more);
        match (self.format, reason) {
            (Format::Json, Some(reason)) => return Err(Incomplete(reason)),
            (Format::Json, None) => {
                out.extend_from_slice(b"],\"metadata\":");
                out.extend_from_slice(&line(&self.metadata(next_url)));
                out.extend_from_slice(b"}\n");
            }
            (Format::Ndjson, reason) => {
                out.extend_from_slice(&line(&ListEnd {
                    complete: reason.is_none(),
                    rows: self.rows,
                    reason,
                    next_url,
                }));
                out.push(b'\n');
            }
            (Format::Csv, reason) => {
                let word = if reason.is_none() { "complete" } else { "incomplete" };
                let reason = reason.map(|reason| format!("; {reason}")).unwrap_or_default();
                let next = next_url.map(|url| format!("; it continues at {url}")).unwrap_or_default();
                out.extend_from_slice(format!("# {word}: {} rows{reason}{next}\r\n", self.rows).as_bytes());
            }
        }
        Ok(out.into())
    }

    /// The URL of the list after the last row that was written.
    fn next_url(&self) -> Option<String> {
        let query = self.search.next_query(&self.query, self.limit, self.rows, self.last.as_ref()?);
        Some(format!("{}/api/v1/measurements?{query}", self.app.config.server.base_url))
    }

    fn metadata(&self, next_url: Option<String>) -> ListMetadata {
        let (offset, limit) = (self.search.offset, u64::from(self.search.list.limit));
        let count = next_url.is_none().then(|| offset.saturating_add(self.rows));
        let or_unknown = |number: Option<u64>| number.map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX));
        ListMetadata {
            count: or_unknown(count),
            current_page: offset.div_ceil(limit).saturating_add(1),
            limit,
            next_url,
            offset,
            pages: or_unknown(count.map(|count| count.div_ceil(limit))),
            query_time: self.started.elapsed().as_secs_f64(),
        }
    }
}

impl Format {
    /// What precedes the rows.
    fn begin(self, out: &mut Vec<u8>) {
        match self {
            Format::Json => out.extend_from_slice(b"{\"results\":["),
            Format::Ndjson => {}
            Format::Csv => {
                out.extend_from_slice(COLUMNS.join(",").as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// JSON on one line.
fn line(value: &impl Serialize) -> Vec<u8> {
    // These values have no errors of their own.
    serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec())
}
