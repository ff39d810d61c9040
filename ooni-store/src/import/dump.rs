//! [`load`]: loads a dump of an OONI backend database into a store. A dump is JSON, one row per line: `{"table": …,
//! "row": {column: value}}`.
//!
//! The file is read twice, because the locations of bodies are on lines of their own. A line that cannot be used is
//! reported and the rest is loaded. Rows are written in batches; test-list entries replace those of the store at the
//! end.

use super::ReferenceRow;
use super::columns::{BODY, Texts};
use crate::app::row::{AppRow, AsnName, FaultyMeasurement, Feedback, InputCount, UrlPriority};
use crate::blocking::BlockingStore;
use crate::error::{Error, ErrorKind};
use crate::write::row::{BatchResult, ListedUrl, OnExisting};
use ooni_core::row::schema::{fastpath, openvpn};
use ooni_core::time::DateTime;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

/// Rows written in one batch.
const BATCH: usize = 10_000;

/// Maximum bytes of a line.
const LONGEST_LINE: u64 = 64 << 20;

/// Maximum rows of `jsonl`, and of `citizenlab`, that are kept in memory until the end.
const MOST_KEPT: usize = 1_000_000;

/// What was loaded from a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Measurements that were written.
    pub inserted: u64,
    /// Measurements that were already stored and were not changed.
    pub already: u64,
    /// Body locations whose measurement is in the file.
    pub bodies: u64,
    /// Test-list entries, which replaced those of the store.
    pub listed: usize,
    /// Application-table rows that were written, by table.
    pub application: BTreeMap<&'static str, u64>,
    /// Rows of `test_groups`, which are constants and are not stored.
    pub constants: u64,
    /// Lines that could not be used.
    pub bad: u64,
}

/// A line of a dump.
#[derive(Deserialize)]
struct Line {
    table: String,
    row: Map<String, Value>,
}

/// A row of a dump.
enum Row {
    Measurement(Box<ReferenceRow>),
    Body,
    Listed(ListedUrl),
    Application(AppRow),
    Constant,
}

/// The location of a body, and the number of its line.
struct Body {
    line: u64,
    texts: Texts,
    is_used: bool,
}

/// Bodies by their keys.
type Bodies = HashMap<String, Body>;

/// Loads a dump into a store. `report` is called for every line that cannot be used, with its number, from 1, and the
/// reason.
///
/// # Errors
/// The file cannot be read, has too many rows of `jsonl` or of test lists, or the store cannot be written. Rows written
/// before the error stay; loading the file again adds the rest.
pub fn load(to: &BlockingStore, path: &Path, mut report: impl FnMut(u64, &str)) -> Result<Loaded, Error> {
    let named = |error: &io::Error| Error::new(ErrorKind::Other, format!("{error}")).of(&path.display().to_string());
    let open = || File::open(path).map(BufReader::new).map_err(|error| named(&error));
    let mut bodies = Bodies::new();
    each_line(open()?, |number, line| {
        // Errors are reported when the line is read the second time.
        let Ok(Line { table, row }) = parsed(line) else { return Ok(()) };
        if table == "jsonl"
            && let Ok((key, texts)) = body(&row)
        {
            kept(bodies.len())?;
            bodies.insert(key, Body { line: number, texts, is_used: false });
        }
        Ok(())
    })
    .map_err(|error| named(&error))?;

    let (mut loaded, mut lists, mut failed) = (Loaded::default(), Vec::new(), None);
    let (mut measurements, mut application) = (Batch::default(), Vec::new());
    let read = each_line(open()?, |number, line| {
        match parsed(line).and_then(|line| row(&line, &mut bodies)) {
            Ok(Row::Measurement(row)) => measurements.push(number, *row),
            Ok(Row::Application(row)) => application.push(row),
            Ok(Row::Listed(entry)) => {
                kept(lists.len())?;
                lists.push(entry);
            }
            Ok(Row::Body) => {}
            Ok(Row::Constant) => loaded.constants += 1,
            Err(message) => {
                loaded.bad += 1;
                report(number, &message);
            }
        }
        let mut write = || {
            if measurements.rows.len() >= BATCH {
                measurements.write(to, &mut loaded, &mut report)?;
            }
            if application.len() >= BATCH {
                write_application(to, &mut application, &mut loaded)?;
            }
            Ok(())
        };
        write().map_err(|error: Error| {
            failed = Some(error);
            io::Error::other("the store cannot be written")
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    read.map_err(|error| named(&error))?;
    measurements.write(to, &mut loaded, &mut report)?;
    write_application(to, &mut application, &mut loaded)?;
    loaded.listed = lists.len();
    if !lists.is_empty() {
        to.wait(to.store.replace_test_lists(lists))?;
    }
    to.wait(to.store.refresh_rollups())?;
    let mut unused: Vec<u64> = bodies.values().filter(|body| !body.is_used).map(|body| body.line).collect();
    unused.sort_unstable();
    loaded.bodies = (bodies.len() - unused.len()) as u64;
    loaded.bad += unused.len() as u64;
    unused.iter().for_each(|&line| report(line, "jsonl: its measurement is not in this file"));
    Ok(loaded)
}

/// Fails if another row would exceed [`MOST_KEPT`].
fn kept(rows: usize) -> io::Result<()> {
    match rows < MOST_KEPT {
        true => Ok(()),
        false => Err(io::Error::other(format!("more than {MOST_KEPT} rows of jsonl or of citizenlab; split the file"))),
    }
}

/// Calls `each` with the number, from 1, and the text of each line. The text is `None` if the line is too long.
fn each_line(mut input: impl BufRead, mut each: impl FnMut(u64, Option<&[u8]>) -> io::Result<()>) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n") || (line.len() as u64) < LONGEST_LINE;
        if !is_whole {
            input.skip_until(b'\n')?;
        }
        if !line.trim_ascii().is_empty() {
            each(number, is_whole.then_some(&line))?;
        }
    }
    Ok(())
}

/// Measurements to be written, and their line numbers.
#[derive(Default)]
struct Batch {
    rows: Vec<ReferenceRow>,
    lines: Vec<u64>,
}

impl Batch {
    fn push(&mut self, line: u64, row: ReferenceRow) {
        self.rows.push(row);
        self.lines.push(line);
    }

    fn write(
        &mut self,
        to: &BlockingStore,
        loaded: &mut Loaded,
        report: &mut impl FnMut(u64, &str),
    ) -> Result<(), Error> {
        let (rows, lines) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.lines));
        let BatchResult { inserted, already, refused, without_openvpn, .. } =
            to.wait(to.store.write(Arc::new(rows), OnExisting::Keep))?;
        loaded.inserted += inserted;
        loaded.already += already;
        for refusal in refused.iter().chain(&without_openvpn) {
            loaded.bad += 1;
            let line = lines.get(refusal.index).copied().unwrap_or_default();
            report(line, &format!("fastpath: {}: {}", refusal.column, refusal.message));
        }
        Ok(())
    }
}

fn write_application(to: &BlockingStore, rows: &mut Vec<AppRow>, loaded: &mut Loaded) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    for row in rows.iter() {
        *loaded.application.entry(row.table()).or_default() += 1;
    }
    to.wait(to.store.write_application(std::mem::take(rows)))
}

fn parsed(line: Option<&[u8]>) -> Result<Line, String> {
    let line = line.ok_or_else(|| format!("longer than {LONGEST_LINE} bytes"))?;
    // The error's own line number is always 1.
    let column = |error: serde_json::Error| error.to_string().replace("line 1 column", "column");
    serde_json::from_slice(line.trim_ascii_end()).map_err(|error| format!("not a row of a dump: {}", column(error)))
}

/// The row of a line.
fn row(Line { table, row }: &Line, bodies: &mut Bodies) -> Result<Row, String> {
    let at = |error: String| format!("{table}: {error}");
    match &**table {
        "fastpath" => measurement(row, bodies).map(|row| Row::Measurement(Box::new(row))).map_err(at),
        "jsonl" => body(row).map(|_| Row::Body).map_err(at),
        "citizenlab" => listed(row).map(Row::Listed).map_err(at),
        "url_priorities" => typed::<UrlPriority>(row).map(AppRow::UrlPriority).map(Row::Application).map_err(at),
        "asnmeta" => typed::<AsnName>(row).map(AppRow::AsnName).map(Row::Application).map_err(at),
        "msmt_feedback" => typed::<Feedback>(row).map(AppRow::Feedback).map(Row::Application).map_err(at),
        "faulty_measurements" => typed::<FaultyMeasurement>(row).map(AppRow::Fault).map(Row::Application).map_err(at),
        "counters_asn_test_list" => count(row).map(AppRow::InputCount).map(Row::Application).map_err(at),
        "test_groups" => Ok(Row::Constant),
        other => Err(format!("unknown table `{}`", other.chars().take(40).collect::<String>())),
    }
}

fn typed<T: DeserializeOwned>(row: &Map<String, Value>) -> Result<T, String> {
    T::deserialize(Value::Object(row.clone())).map_err(|error| error.to_string())
}

/// The texts of some columns, as a database would return them.
fn texts(row: &Map<String, Value>, names: &[&str]) -> Result<Texts, String> {
    let text = |name: &&str| match row.get(*name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Array(_) | Value::Object(_)) => Err(format!("{name} is an array or an object")),
    };
    names.iter().map(text).collect()
}

fn measurement(row: &Map<String, Value>, bodies: &mut Bodies) -> Result<ReferenceRow, String> {
    let mut all = texts(row, &fastpath::NAMES)?;
    let key = keys(row).into_iter().find(|key| bodies.contains_key(key));
    match key.and_then(|key| bodies.get_mut(&key)) {
        Some(body) => {
            body.is_used = true;
            all.extend(body.texts.iter().cloned());
        }
        None => all.extend(BODY.map(|_| None)),
    }
    all.extend([const { None }; openvpn::LEN]);
    Ok(ReferenceRow::new(all, None))
}

/// The key and the texts of a body location.
fn body(row: &Map<String, Value>) -> Result<(String, Texts), String> {
    let texts = texts(row, &BODY)?;
    let [Some(s3path), Some(linenum), ..] = &texts[..] else { return Err("s3path or linenum is missing".to_owned()) };
    if s3path.is_empty() || linenum.parse::<u32>().is_err() {
        return Err("s3path is empty, or linenum is not a 32-bit unsigned integer".to_owned());
    }
    let key = keys(row).into_iter().next().ok_or("measurement_uid and report_id are missing")?;
    Ok((key, texts))
}

/// The keys by which a measurement and its body location are matched: the uid, or else report and input.
fn keys(row: &Map<String, Value>) -> Vec<String> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let by_uid = Some(text("measurement_uid").to_owned()).filter(|uid| !uid.is_empty());
    let report = Some(text("report_id")).filter(|report| !report.is_empty());
    let by_report = report.map(|report| format!("{report} {}", text("input")));
    [by_uid, by_report].into_iter().flatten().collect()
}

fn listed(row: &Map<String, Value>) -> Result<ListedUrl, String> {
    let text = |name: &str| {
        row.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(format!("{name} is missing or not a string"))
    };
    // The country is stored as it is written; readers convert it to upper case.
    Ok(ListedUrl { url: text("url")?, domain: text("domain")?, cc: text("cc")?, category_code: text("category_code")? })
}

fn count(row: &Map<String, Value>) -> Result<InputCount, String> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).ok_or(format!("{name} is missing or not a string"));
    let number = |name: &str| {
        let number = row.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        number.ok_or(format!("{name} is missing or not a 32-bit unsigned integer"))
    };
    let week = DateTime::parse(text("week")?.as_bytes()).ok_or("week is not a time")?;
    Ok(InputCount {
        week,
        probe_cc: text("probe_cc")?.to_owned(),
        probe_asn: number("probe_asn")?,
        input: text("input")?.to_owned(),
        count: number("msmt_cnt")?,
    })
}
