//! An archive in a folder, and reruns of it.

use crate::support::{Files, GOOD, Ran, fastpath, gzip, member, post, tar};
use lz4_flex::frame::FrameEncoder;
use ooni_store::sqlite_path;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::Value as Json;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

/// The key of a postcan whose members are [`member`]s.
pub(crate) const POSTCAN: &str = "raw/20240102/03/IT/dash/2024010203_IT_dash.n1.0.tar.gz";

/// The key of another postcan, of the next day.
pub(crate) const NEXT: &str = "raw/20240103/03/IT/dash/2024010303_IT_dash.n1.0.tar.gz";

/// The key of a legacy can that shows only the test.
pub(crate) const REPORTS: &str = "canned/2020-01-02/dash.0.tar.lz4";

/// The key of a legacy can of lines.
pub(crate) const LINES: &str = "canned/2020-01-02/20200102T000000Z-IT-AS1-dash-R-0.2.0-probe.json.lz4";

/// A folder with an archive, a store and outputs.
pub(crate) struct Bench(pub(crate) Files);

impl Bench {
    pub(crate) fn new() -> Bench {
        let bench = Bench(Files::new());
        fs::create_dir_all(bench.archive().join("raw")).unwrap();
        bench
    }

    /// A bench with a can of so many valid measurements.
    pub(crate) fn with(measurements: u32) -> Bench {
        let bench = Bench::new();
        bench.can(POSTCAN, &postcan(&(0..measurements).map(|_| post(GOOD)).collect::<Vec<_>>()));
        bench
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.0.path("archive")
    }

    pub(crate) fn can(&self, key: &str, bytes: &[u8]) {
        self.0.add(&format!("archive/{key}"), bytes);
    }

    pub(crate) fn uri(&self) -> String {
        format!("sqlite:{}", self.0.path("ooni.db").display())
    }

    /// Reruns all days into the store, with further arguments.
    pub(crate) fn rerun(&self, arguments: &[&str]) -> Ran {
        let days = ["--start-day", "2010-01-01", "--end-day", "2024-02-01"].map(str::to_owned);
        self.run(&[days.to_vec(), arguments.iter().map(|text| (*text).to_owned()).collect()].concat())
    }

    /// Runs with arguments that include the days.
    pub(crate) fn run(&self, arguments: &[String]) -> Ran {
        let mut all = vec!["rerun".to_owned(), "--source".to_owned(), self.archive().display().to_string()];
        if !arguments.iter().any(|argument| argument == "--no-write-to-db") {
            all.extend(["--db-uri".to_owned(), self.uri()]);
        }
        all.extend(arguments.iter().cloned());
        fastpath(all)
    }

    /// A path, for arguments.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path(name).display().to_string()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Json {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// Lines of a file of JSON lines.
    pub(crate) fn lines(&self, name: &str) -> Vec<Json> {
        let text = String::from_utf8(self.read(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<Value>> {
        query(&self.uri(), sql)
    }

    /// The first column of a query, as text.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let text = |row: Vec<Value>| match row.into_iter().next() {
            Some(Value::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        self.query(sql).into_iter().map(text).collect()
    }

    /// All rows of all tables, without the times at which they were written.
    pub(crate) fn dump(&self) -> Vec<String> {
        dump(&self.uri())
    }
}

pub(crate) fn query(uri: &str, sql: &str) -> Vec<Vec<Value>> {
    let connection = Connection::open(sqlite_path(uri).unwrap()).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

pub(crate) fn dump(uri: &str) -> Vec<String> {
    let mut all = Vec::new();
    for table in ["fastpath", "jsonl", "obs_openvpn", "refused"] {
        let columns = query(uri, &format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'update_time'"));
        let names: Vec<_> =
            columns.iter().map(|row| if let Value::Text(name) = &row[0] { &**name } else { "" }).collect();
        let rows = query(uri, &format!("SELECT {} FROM {table} ORDER BY measurement_uid", names.join(",")));
        all.extend(rows.iter().map(|row| format!("{table} {row:?}")));
    }
    all
}

/// A postcan of these bodies.
pub(crate) fn postcan(bodies: &[String]) -> Vec<u8> {
    let names: Vec<_> = (0..bodies.len() as u32).map(member).collect();
    let members: Vec<_> = names.iter().zip(bodies).map(|(name, body)| (&**name, &**body)).collect();
    gzip(&tar(&members))
}

/// An LZ4 frame.
pub(crate) fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The valid measurement with an additional member, or another value of one.
pub(crate) fn with(member: &str) -> String {
    let key = member.split_once(':').unwrap().0;
    let at = GOOD.find(key).map(|at| (at, GOOD[at..].find([',', '}']).unwrap() + at));
    match at {
        Some((from, to)) => format!("{}{member}{}", &GOOD[..from], &GOOD[to..]),
        None => format!("{{{member},{}", &GOOD[1..]),
    }
}
