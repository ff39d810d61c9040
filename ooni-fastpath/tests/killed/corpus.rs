//! The corpus, and the results of uninterrupted runs.

use crate::run::{Run, Source};
use ooni_store::sqlite_path;
use ooni_testkit::corpus::Options;
use ooni_testkit::corpus::archive::{Archive, write};
use ooni_testkit::corpus::containers::Packing;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;

/// A folder with the bucket `archive`.
pub(crate) struct Corpus {
    root: TempDir,
    /// Finished runs by the extension of `--out`.
    runs: BTreeMap<&'static str, Run<'static>>,
    dump: Vec<String>,
}

impl Corpus {
    /// The corpus shared by all running tests.
    pub(crate) fn get() -> Arc<Corpus> {
        static CORPUS: Mutex<Weak<Corpus>> = Mutex::new(Weak::new());
        let mut shared = CORPUS.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let corpus = Arc::new(Corpus::new());
            *shared = Arc::downgrade(&corpus);
            corpus
        })
    }

    fn new() -> Corpus {
        let root = TempDir::new().unwrap();
        let archive = root.path().join("archive");
        let n = std::env::var("OONI_KILLED_MEASUREMENTS").map_or(1000, |text| text.parse().unwrap());
        let options = Options { n, seed: 11, malformed: 0.03, odd: 0.02, per_hour: n / 6, ..Options::default() };
        let per_file = (n / 100).max(20);
        let packing = Packing { per_file, level: 1, ..Packing::default() };
        let legacy = Archive { per_day: (n / 12).max(50), duplicates: 0.1 };
        write(&options, &legacy, &packing, &archive).unwrap();
        let forms = ["jsonl", "csv", "parquet"];
        let runs: BTreeMap<_, _> = forms
            .map(|format| {
                let run = Run::new(Source::Folder(archive.clone()), format);
                run.complete(&["--jobs", "1"]);
                (format, run)
            })
            .into();
        let dump = dump(&runs["jsonl"].uri());
        Corpus { root, runs, dump }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.root.path().join("archive")
    }

    /// How many cans there are.
    pub(crate) fn cans(&self) -> usize {
        self.runs["jsonl"].cans()
    }

    /// Compares a run with an uninterrupted one.
    pub(crate) fn compare(&self, run: &Run<'_>) {
        assert!(dump(&run.uri()) == self.dump, "the stores differ");
        let mut reports = [run, &self.runs["jsonl"]].map(Run::report);
        // Rows of cans that were unfinished when the run was killed are already there.
        reports.iter_mut().for_each(|report| report["already_there"] = Value::Null);
        assert_eq!(reports[0], reports[1]);
        if let Some(same) = self.runs.get(run.format()) {
            let [ours, theirs] = [run, same].map(Run::output);
            let at = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
            let near = |bytes: &[u8]| {
                let from = at.saturating_sub(100);
                String::from_utf8_lossy(&bytes[from..bytes.len().min(at + 300)]).into_owned()
            };
            let lengths = (ours.len(), theirs.len());
            assert!(ours == theirs, "{lengths:?}, at {at}:\n{}\nand\n{}", near(&ours), near(&theirs));
        }
    }

    /// Compares a run with an uninterrupted one, without the order of lines.
    pub(crate) fn compare_unordered(&self, run: &Run<'_>) {
        assert!(dump(&run.uri()) == self.dump, "the stores differ");
        let sorted = |run: &Run<'_>| {
            let output = run.output();
            let mut lines: Vec<_> = output.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
            lines.sort();
            lines
        };
        assert!(sorted(run) == sorted(&self.runs["jsonl"]), "the lines differ");
    }

    /// Whether these are the first lines of the complete output.
    pub(crate) fn has_beginning(&self, lines: &[u8]) -> bool {
        self.runs["jsonl"].output().starts_with(lines) && lines.ends_with(b"\n")
    }

    /// Compares the uninterrupted run with the expectations of the generator.
    pub(crate) fn check(&self) {
        let read = |bytes: &[u8]| -> Vec<Value> {
            let text = std::str::from_utf8(bytes).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let truth = read(&fs::read(self.archive().join("truth.jsonl")).unwrap());
        let run = &self.runs["jsonl"];
        let lines = read(&run.output());
        assert_eq!(lines.len(), truth.len());
        let stored = bodies(&run.uri());
        let mut first = BTreeMap::new();
        for (line, truth) in lines.iter().zip(&truth) {
            if truth["outcome"] == "rejected" {
                assert_eq!(line["outcome"], "rejected", "{truth}");
                continue;
            }
            assert_eq!(line["measurement_uid"], truth["uid"], "{truth}");
            // An entry that was read may be rejected by scoring.
            let code = line["error"]["code"].as_str().unwrap_or_default();
            assert!(!["E-PARSE", "E-CAN", "E-LIMIT"].contains(&code), "{truth}: {line}");
            let row = &line["row"];
            if row.is_null() {
                continue;
            }
            for name in ["test_name", "probe_cc", "report_id"] {
                assert_eq!(row[name], truth[name], "{truth}");
            }
            let asn = truth["probe_asn"].as_str().unwrap();
            assert_eq!(row["probe_asn"].to_string(), asn[2..], "{truth}");
            let input = if truth["input"].is_null() { "".into() } else { truth["input"].clone() };
            assert!(row["input"] == input || input.is_array(), "{truth}: {row}");
            first.entry(truth["uid"].as_str().unwrap()).or_insert(truth);
        }
        // Of measurements with the same uid, the first is stored, unless it is refused.
        let (mut checked, mut twins) = (0, 0);
        for (uid, (source, s3path, linenum)) in &stored {
            let truth = first[&**uid];
            assert_eq!((&truth["can"], &truth["body_key"], &truth["linenum"]), (source, s3path, linenum), "{uid}");
            checked += 1;
            twins += u64::from(source != s3path);
        }
        let all = lines.len() as u64;
        assert!(checked * 10 > all * 8 && twins * 4 > all, "{checked} of {all}, {twins} with another body");
    }
}

/// Locations of bodies, by uid.
fn bodies(uri: &str) -> BTreeMap<String, (Value, Value, Value)> {
    let connection = Connection::open(sqlite_path(uri).unwrap()).unwrap();
    let mut statement = connection.prepare("SELECT measurement_uid, source, s3path, linenum FROM jsonl").unwrap();
    let text = |row: &rusqlite::Row<'_>, column| row.get::<_, String>(column).map(Value::from);
    let row =
        |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (text(row, 1)?, text(row, 2)?, Value::from(row.get::<_, i64>(3)?))));
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// All rows of all tables, without the times at which they were written.
fn dump(uri: &str) -> Vec<String> {
    let connection = Connection::open(sqlite_path(uri).unwrap()).unwrap();
    let query = |sql: &str| -> Vec<Vec<Sql>> {
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    let mut all = Vec::new();
    for table in ["fastpath", "jsonl", "obs_openvpn", "refused"] {
        let names =
            query(&format!("SELECT group_concat(name) FROM pragma_table_info('{table}') WHERE name <> 'update_time'"));
        let Sql::Text(names) = &names[0][0] else { panic!("{table}") };
        let rows = query(&format!("SELECT {names} FROM {table} ORDER BY measurement_uid"));
        all.extend(rows.iter().map(|row| format!("{table} {row:?}")));
    }
    all
}
