//! Stores for tests, and measurements to store in them.

#![allow(dead_code)] // the tests of ooni-fastpath use only a part of it

use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Json;
use ooni_core::number::Int;
use ooni_core::process::{Outcome, process};
use ooni_core::rules::Rules;
use ooni_core::time::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};
use ooni_store::query::aggregate::{Aggregation, Axis, Counts, Group};
use ooni_store::query::filter::Filter;
use ooni_store::query::grain::Grain;
use ooni_store::rollup::Rollup;
use ooni_store::value::Value;
use ooni_store::{
    BatchResult, BlockingStore, BodyLocation, Error, GzipMember, ListedUrl, OnExisting, ScoredRow, SqliteOptions,
    StoreOptions, StoredRow,
};
use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A store of some engine, with direct access to its tables.
pub(crate) trait Engine {
    fn url(&self) -> String;

    fn open(&self) -> Open {
        open(&self.url()).unwrap()
    }

    /// What a statement returns, as text; nothing for null.
    fn query(&self, sql: &str) -> Vec<Vec<String>>;

    /// The rows of a table in the order of their uids, without `update_time`.
    fn table(&self, name: &str) -> Vec<Vec<String>>;

    /// The entries of the test lists.
    fn lists(&self) -> Vec<ListedUrl> {
        let entry = |row: Vec<String>| {
            let [url, domain, cc, category_code] = row.try_into().unwrap();
            ListedUrl { url, domain, cc, category_code }
        };
        self.query("SELECT url, domain, cc, category_code FROM citizenlab").into_iter().map(entry).collect()
    }

    /// Whether changes are atomic.
    fn has_transactions(&self) -> bool {
        true
    }

    /// Makes the counts of a rollup wrong.
    fn spoil(&self, rollup: &Rollup) {
        self.query(&format!("UPDATE {} SET anomaly_count = anomaly_count + 1", rollup.table()));
    }

    /// The distinct times at which rows of `fastpath` were written, in order.
    fn update_times(&self) -> Vec<String> {
        self.query("SELECT DISTINCT update_time FROM fastpath ORDER BY 1").concat()
    }
}

/// An open store with blocking functions.
pub(crate) struct Open(pub(crate) BlockingStore);

impl Open {
    pub(crate) fn write(&self, rows: &[ScoredRow], on_existing: OnExisting) -> Result<BatchResult, Error> {
        self.0.wait(self.0.store.write(Arc::new(rows.to_vec()), on_existing))
    }

    pub(crate) fn count(&self) -> Result<u64, Error> {
        self.0.wait(self.0.store.count())
    }

    pub(crate) fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredRow>, Error> {
        self.0.wait(self.0.store.page(after, limit))
    }
}

/// Opens the store of a URL.
pub(crate) fn open(url: &str) -> Result<Open, Error> {
    BlockingStore::open(url).map(Open)
}

/// Opens the store of a URL for reading.
pub(crate) fn open_to_read(url: &str) -> Result<Open, Error> {
    BlockingStore::open_to_read(url).map(Open)
}

/// Opens a SQLite store with options.
pub(crate) fn open_with(path: &Path, sqlite: SqliteOptions) -> Result<Open, Error> {
    let url = format!("sqlite:{}", path.display());
    BlockingStore::open_with(&url, StoreOptions { sqlite, ..StoreOptions::for_commands() }).map(Open)
}

/// A SQLite store.
pub(crate) struct InFile {
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl InFile {
    pub(crate) fn new() -> InFile {
        let folder = tempfile::tempdir().unwrap();
        InFile { path: folder.path().join("a/b/ooni.db"), _folder: folder }
    }
}

fn plain(value: SqlValue) -> String {
    match value {
        SqlValue::Null => String::new(),
        SqlValue::Integer(value) => value.to_string(),
        SqlValue::Real(value) => value.to_string(),
        SqlValue::Text(value) => value,
        SqlValue::Blob(_) => panic!("no column has bytes"),
    }
}

impl Engine for InFile {
    fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let connection = Connection::open(&self.path).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            (0..width).map(|column| Ok(plain(row.get(column)?))).collect::<rusqlite::Result<Vec<_>>>()
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn table(&self, name: &str) -> Vec<Vec<String>> {
        let columns = self.query(&format!("SELECT name FROM pragma_table_info('{name}') WHERE name <> 'update_time'"));
        self.query(&format!("SELECT {} FROM {name} ORDER BY measurement_uid", columns.concat().join(", ")))
    }
}

/// Fields of a measurement.
pub(crate) struct Fields<'f> {
    pub(crate) test: &'f str,
    pub(crate) version: &'f str,
    pub(crate) rest: &'f str,
    pub(crate) keys: &'f str,
}

/// Fields of a measurement that is accepted.
pub(crate) const SOUND: Fields<'static> = Fields { test: "dash", version: "\"1\"", rest: "", keys: "{}" };

pub(crate) fn new(uid: &str, fields: &Fields<'_>) -> ScoredRow {
    let Fields { test, version, rest, keys } = fields;
    let text = format!(
        r#"{{"report_id":"R-{uid}","probe_cc":"IT","probe_asn":"AS5","test_name":"{test}","test_version":{version},
        "input":"http://x.org/{uid}","measurement_start_time":"2024-01-02 03:04:05",
        "test_start_time":"2024-01-02 03:04:00",{rest}"test_keys":{keys}}}"#
    );
    let outcome = process(text.as_bytes(), uid, &Fingerprints::empty(), Rules::Fixed);
    let Outcome::Stored { row, openvpn } = outcome else { panic!("{text}: {outcome:?}") };
    ScoredRow { row, openvpn, body: Some(location(7, "2024")), body_sha256: [0xab; 32] }
}

pub(crate) fn location(linenum: u32, can: &str) -> BodyLocation {
    let key = |suffix: &str| format!("raw/{can}.{suffix}").into();
    let member = GzipMember { offset: u64::from(linenum) << 40, length: 1 << 33, line: linenum / 2 };
    BodyLocation {
        s3path: key("jsonl.gz"),
        linenum,
        date: "2024-01-02".into(),
        source: key("tar.gz"),
        member: Some(member),
    }
}

pub(crate) fn sound(uids: impl IntoIterator<Item = u32>) -> Vec<ScoredRow> {
    uids.into_iter().map(|uid| new(&format!("u{uid:06}"), &SOUND)).collect()
}

pub(crate) fn stored(store: &Open) -> Vec<StoredRow> {
    store.0.rows().map(Result::unwrap).collect()
}

pub(crate) fn text(cell: &Value<'_>) -> String {
    let mut out = Vec::new();
    cell.write_plain(&mut out);
    String::from_utf8(out).unwrap()
}

pub(crate) fn uids(store: &Open) -> Vec<String> {
    stored(store).iter().map(|row| text(&row[0])).collect()
}

/// Midnight of a day of 2024, counted from 0.
pub(crate) fn of_day(day: i64) -> DateTime {
    DateTime::new(2024, 1, 1, 0, 0, 0).unwrap().plus_days(day).unwrap()
}

/// A measurement with a uid and with fields that depend on `content`.
pub(crate) fn measured(uid: u8, content: u16) -> ScoredRow {
    let pick = |from: &[&'static str], part: u16| from[usize::from(part) % from.len()];
    let mut new = new(&format!("u{uid}"), &SOUND);
    let row = &mut new.row;
    let text = |text: &str| Json::Text(text.as_bytes().to_vec());
    let site = pick(&["https://site0.org/", "https://site1.org/", "https://site2.org/", ""], content);
    row.input = text(site);
    row.domain = text(site.trim_start_matches("https://").trim_end_matches("/"));
    row.blocking_type = text(pick(&["", "dns", "tcp_ip"], content / 864));
    row.test_name = text(pick(&["web_connectivity", "dash", "signal"], content / 4));
    row.probe_cc = text(pick(&["IT", "RU", "ZZ"], content / 12));
    row.probe_asn = Int::Small(i64::from(content / 36 % 3));
    row.anomaly = content / 108 % 2 == 1;
    row.confirmed = content / 216 % 2 == 1;
    row.msm_failure = content / 432 % 2 == 1;
    let seconds = i64::from(content) * 7919 % (75 * SECONDS_PER_DAY);
    row.measurement_start_time = of_day(0).plus_seconds(seconds).unwrap();
    new
}

/// The expected groups of an aggregation, counted row by row.
pub(crate) fn counted(rows: &[Vec<String>], lists: &[ListedUrl], query: &Aggregation) -> Vec<Group> {
    let mut groups: BTreeMap<Vec<String>, (Vec<Value<'static>>, Counts)> = BTreeMap::new();
    if query.axes.is_empty() {
        groups.insert(Vec::new(), Default::default());
    }
    let by_category = query.filter.category.is_some() || query.axes.contains(&Axis::CategoryCode);
    for row in rows {
        let entries: Vec<_> = match by_category {
            true => lists.iter().filter(|entry| entry.url == row[2]).map(Some).collect(),
            false => vec![None],
        };
        for entry in entries {
            if !is_wanted(&query.filter, row, entry) {
                continue;
            }
            let keys: Vec<_> = query.axes.iter().map(|&axis| key(axis, row, entry)).collect();
            let order = keys.iter().map(|key| match key {
                Value::Int(number) => format!("{number:020}"),
                Value::Time(time) => format!("{:020}", time.timestamp()),
                other => text(other),
            });
            let (_, counts) = groups.entry(order.collect()).or_insert((keys, Counts::default()));
            let [anomaly, confirmed, failure] = [10, 11, 12].map(|flag| row[flag] == "t");
            counts.measurements += 1;
            counts.failure += u64::from(failure);
            counts.confirmed += u64::from(confirmed && !failure);
            counts.anomaly += u64::from(anomaly && !confirmed && !failure);
            counts.confirmed_flag += u64::from(confirmed);
            counts.anomaly_flag += u64::from(anomaly);
        }
    }
    groups.into_values().map(|(keys, counts)| Group { keys, counts }).collect()
}

fn start(row: &[String]) -> DateTime {
    DateTime::from_timestamp(row[7].parse().unwrap()).unwrap()
}

pub(crate) fn is_wanted(filter: &Filter, row: &[String], entry: Option<&ListedUrl>) -> bool {
    let any = |values: &[String], column: usize| values.is_empty() || values.contains(&row[column]);
    let asns: Vec<String> = filter.probe_asns.iter().map(u32::to_string).collect();
    let flag = |wanted: Option<bool>, column: usize| wanted.is_none_or(|wanted| wanted == (row[column] == "t"));
    let category = filter.category.as_ref().is_none_or(|category| {
        entry.is_some_and(|entry| {
            entry.category_code == category.code && (category.lists.is_empty() || category.lists.contains(&entry.cc))
        })
    });
    any(&filter.domains, 14)
        && any(&filter.probe_ccs, 3)
        && any(&asns, 4)
        && any(&filter.test_names, 5)
        && filter.input.as_ref().is_none_or(|input| *input == row[2])
        && filter.window.from.is_none_or(|from| start(row) >= from)
        && filter.window.to.is_none_or(|to| start(row) < to)
        && (flag(filter.anomaly, 10) && flag(filter.confirmed, 11) && flag(filter.failure, 12))
        && !(filter.only_known_cc && row[3] == "ZZ")
        && !(filter.only_known_asn && row[4] == "0")
        && category
}

fn key(axis: Axis, row: &[String], entry: Option<&ListedUrl>) -> Value<'static> {
    let column = |number: usize| Value::Text(row[number].clone().into());
    match axis {
        Axis::BlockingType => column(13),
        Axis::CategoryCode => Value::Text(entry.unwrap().category_code.clone().into()),
        Axis::Domain => column(14),
        Axis::Input => column(2),
        Axis::ProbeAsn => Value::Int(row[4].parse().unwrap()),
        Axis::ProbeCc => column(3),
        Axis::TestName => column(5),
        Axis::MeasurementStart(grain) => Value::Time(bucket(start(row), grain)),
    }
}

/// The start of the hour, day, … that contains a time, found by stepping back day by day.
fn bucket(time: DateTime, grain: Grain) -> DateTime {
    let days = |is_first: &dyn Fn(DateTime, i64) -> bool| {
        let mut day = time.day_number();
        loop {
            let first = DateTime::from_day_number(day).unwrap();
            if is_first(first, day) {
                return first;
            }
            day -= 1;
        }
    };
    match grain {
        Grain::Hour => time.plus_seconds(-(time.timestamp() % SECONDS_PER_HOUR)).unwrap(),
        Grain::Day => days(&|_, _| true),
        Grain::Week => days(&|_, day| day.rem_euclid(7) == 3), // 1970-01-04 was a Sunday
        Grain::Month => days(&|first, _| first.date().2 == 1),
        Grain::Year => days(&|first, _| (first.date().1, first.date().2) == (1, 1)),
    }
}

/// Creates or updates the tables of a store.
pub(crate) fn migrated(url: &str) -> Result<(), Error> {
    BlockingStore::migrate(url).map(drop)
}

/// The message of an error.
pub(crate) fn message<T>(result: Result<T, Error>) -> String {
    let Err(error) = result else { panic!("no error") };
    error.message().to_owned()
}
