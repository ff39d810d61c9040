//! Stores: what every engine has to do, and what SQLite does besides.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests

use ooni_core::fingerprint::Fingerprints;
use ooni_core::process::{Outcome, process};
use ooni_core::rules::Rules;
use ooni_fastpath::cell::{self, Cell, FASTPATH};
use ooni_fastpath::store::sqlite::{Options, Sqlite};
use ooni_fastpath::store::{
    BodyPlace, MeasurementStore, NewRow, OnExisting, StoreError, StoredRow, Written, open, open_to_read, rows,
};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A kind of store, as its tests need it: the store, and its tables from another side.
trait Engine {
    fn open(&self) -> Box<dyn MeasurementStore + Send>;

    /// The rows of a table in the order of their uids, without `update_time`.
    fn table(&self, name: &str) -> Vec<Vec<String>>;

    /// The different times at which rows of `fastpath` were written, in order.
    fn update_times(&self) -> Vec<String>;
}

struct InFile {
    path: PathBuf,
    _folder: TempDir,
}

impl InFile {
    fn new() -> InFile {
        let folder = tempfile::tempdir().unwrap();
        InFile { path: folder.path().join("a/b/ooni.db"), _folder: folder }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let connection = Connection::open(&self.path).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            (0..width).map(|column| Ok(plain(row.get(column)?))).collect::<rusqlite::Result<Vec<_>>>()
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }
}

fn plain(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(value) => value,
        Value::Blob(_) => panic!("no column has bytes"),
    }
}

impl Engine for InFile {
    fn open(&self) -> Box<dyn MeasurementStore + Send> {
        open(&self.url()).unwrap()
    }

    fn table(&self, name: &str) -> Vec<Vec<String>> {
        let mut rows = self.query(&format!("SELECT * FROM {name} ORDER BY measurement_uid"));
        for row in &mut rows {
            row.pop();
        }
        rows
    }

    fn update_times(&self) -> Vec<String> {
        self.query("SELECT DISTINCT update_time FROM fastpath ORDER BY 1").concat()
    }
}

/// Fields of a measurement that is stored.
struct Fields<'f> {
    test: &'f str,
    version: &'f str,
    rest: &'f str,
    keys: &'f str,
}

const SOUND: Fields<'static> = Fields { test: "dash", version: "\"1\"", rest: "", keys: "{}" };

fn new(uid: &str, fields: &Fields<'_>) -> NewRow {
    let Fields { test, version, rest, keys } = fields;
    let text = format!(
        r#"{{"report_id":"R-{uid}","probe_cc":"IT","probe_asn":"AS5","test_name":"{test}","test_version":{version},
        "input":"http://x.org/{uid}","measurement_start_time":"2024-01-02 03:04:05",
        "test_start_time":"2024-01-02 03:04:00",{rest}"test_keys":{keys}}}"#
    );
    let outcome = process(text.as_bytes(), uid, &Fingerprints::empty(), Rules::Fixed);
    let Outcome::Stored { row, openvpn } = outcome else { panic!("{text}: {outcome:?}") };
    NewRow { row, openvpn, body: place(7, "2024") }
}

fn place(linenum: u32, can: &str) -> BodyPlace {
    let key = |suffix: &str| format!("raw/{can}.{suffix}").into();
    BodyPlace { s3path: key("jsonl.gz"), linenum, date: "2024-01-02".into(), source: key("tar.gz") }
}

fn sound(uids: impl IntoIterator<Item = u32>) -> Vec<NewRow> {
    uids.into_iter().map(|uid| new(&format!("u{uid:06}"), &SOUND)).collect()
}

fn stored(store: &dyn MeasurementStore) -> Vec<StoredRow> {
    rows(store).map(Result::unwrap).collect()
}

fn text(cell: &Cell<'_>) -> String {
    let mut out = Vec::new();
    cell.write_plain(&mut out);
    String::from_utf8(out).unwrap()
}

fn uids(store: &dyn MeasurementStore) -> Vec<String> {
    stored(store).iter().map(|row| text(&row[0])).collect()
}

// --- what every engine has to do ---

#[test]
fn sqlite_behaves() {
    let tests: [fn(&dyn Engine); 7] = [
        rows_read_back,
        a_row_is_written_once,
        replacing_replaces_all,
        refused_rows_are_set_aside,
        a_refused_openvpn_row_does_not_take_the_measurement_along,
        pages_have_the_order_of_uids,
        odd_values_read_back,
    ];
    for test in tests {
        test(&InFile::new());
    }
}

fn rows_read_back(engine: &dyn Engine) {
    let batch = sound(0..3);
    let mut store = engine.open();
    let written = store.write(&batch, OnExisting::Keep).unwrap();
    assert_eq!(written, Written { inserted: 3, ..Written::default() });
    drop(store);
    let store = engine.open();
    assert_eq!(store.count().unwrap(), 3);
    for (stored, new) in stored(&*store).iter().zip(&batch) {
        assert_eq!(*stored, cell::fastpath(&new.row).unwrap());
    }
    let names = engine.table("jsonl");
    assert_eq!(
        names[2],
        ["R-u000002", "http://x.org/u000002", "raw/2024.jsonl.gz", "7", "u000002", "2024-01-02", "raw/2024.tar.gz"]
    );
    assert_eq!((names.len(), engine.table("obs_openvpn").len(), engine.table("refused").len()), (3, 0, 0));
    // One time a call.
    assert_eq!(engine.update_times().len(), 1);
}

fn a_row_is_written_once(engine: &dyn Engine) {
    let mut store = engine.open();
    store.write(&sound(0..3), OnExisting::Keep).unwrap();
    let before = engine.table("fastpath");
    let mut other = new("u000001", &Fields { version: "\"2\"", ..SOUND });
    other.body = place(9, "other");
    let written = store.write(&[&[other][..], &sound([2, 3, 3, 4, 3])].concat(), OnExisting::Keep).unwrap();
    assert_eq!(written, Written { inserted: 2, already: 4, ..Written::default() });
    assert_eq!(engine.table("fastpath")[..3], before);
    assert_eq!(uids(&*store), ["u000000", "u000001", "u000002", "u000003", "u000004"]);
    assert_eq!(engine.table("jsonl")[1][3], "7");
    assert_eq!(store.write(&[], OnExisting::Keep).unwrap(), Written::default());
}

fn replacing_replaces_all(engine: &dyn Engine) {
    let mut store = engine.open();
    let vpn = |provider| new("u1", &Fields { test: "openvpn", keys: provider, ..SOUND });
    store.write(&[vpn(r#"{"provider":"a"}"#)], OnExisting::Keep).unwrap();
    let mut second = vpn(r#"{"provider":"b"}"#);
    second.body = place(9, "other");
    let both = [second, new("u2", &SOUND), new("u2", &Fields { version: "\"3\"", ..SOUND })];
    let written = store.write(&both, OnExisting::Replace).unwrap();
    assert_eq!(written, Written { inserted: 1, replaced: 2, ..Written::default() });
    assert_eq!(engine.table("obs_openvpn")[0][15], "b");
    assert_eq!(engine.table("jsonl")[0][2..4], ["raw/other.jsonl.gz", "9"]);
    assert_eq!(engine.table("fastpath")[1][17], "3");
    // What is no openvpn any more has no row of it.
    store.write(&[new("u1", &SOUND)], OnExisting::Replace).unwrap();
    assert_eq!((engine.table("obs_openvpn").len(), engine.table("fastpath").len()), (0, 2));
}

fn refused_rows_are_set_aside(engine: &dyn Engine) {
    let mut store = engine.open();
    let odd = |version| new("odd", &Fields { version, ..SOUND });
    let batch = [sound([1]), vec![odd("0.1"), odd("0.2")], sound([2])].concat();
    let written = store.write(&batch, OnExisting::Keep).unwrap();
    assert_eq!((written.inserted, written.already, written.replaced), (2, 0, 0));
    let said: Vec<_> =
        written.refused.iter().map(|refusal| (refusal.index, &*refusal.column, &*refusal.message)).collect();
    let message = "a float where text is needed";
    assert_eq!(said, [(1, "test_version", message), (2, "test_version", message)]);
    assert_eq!(uids(&*store), ["u000001", "u000002"]);
    let once = engine.table("refused");
    assert_eq!(once.len(), 1);
    assert_eq!(once[0][..3], ["odd", "test_version", message]);
    assert!(once[0][3].contains(r#""test_version":0.1,"#), "{}", once[0][3]);
    assert_eq!(once[0][4..], ["raw/2024.jsonl.gz", "7", "2024-01-02", "raw/2024.tar.gz"]);
    // Again it is refused again, and set aside once.
    assert_eq!(store.write(&batch, OnExisting::Keep).unwrap().refused.len(), 2);
    assert_eq!(engine.table("refused"), once);
    store.write(&[odd("0.3")], OnExisting::Replace).unwrap();
    assert!(engine.table("refused")[0][3].contains(r#""test_version":0.3,"#));
    // A better row ends the refusal; a worse one leaves the row.
    store.write(&[odd("\"4\"")], OnExisting::Replace).unwrap();
    assert_eq!((engine.table("refused").len(), store.count().unwrap()), (0, 3));
    store.write(&[odd("0.5")], OnExisting::Replace).unwrap();
    assert_eq!((engine.table("refused").len(), store.count().unwrap()), (1, 3));
    assert_eq!(engine.table("fastpath")[0][17], "4");
}

fn a_refused_openvpn_row_does_not_take_the_measurement_along(engine: &dyn Engine) {
    let mut store = engine.open();
    let odd = new("u1", &Fields { test: "openvpn", keys: r#"{"bootstrap_time":"1"}"#, ..SOUND });
    let written = store.write(&[odd], OnExisting::Keep).unwrap();
    assert_eq!((written.inserted, written.refused.len(), written.without_openvpn.len()), (1, 0, 1));
    assert_eq!(written.without_openvpn[0].column, "obs_openvpn.bootstrap_time");
    assert_eq!((engine.table("fastpath").len(), engine.table("obs_openvpn").len()), (1, 0));
    let refused = engine.table("refused");
    assert_eq!(refused[0][1], "obs_openvpn.bootstrap_time");
    assert!(refused[0][3].contains(r#""openvpn":{"anomaly":false,"bootstrap_time":"1","#), "{}", refused[0][3]);
}

fn pages_have_the_order_of_uids(engine: &dyn Engine) {
    let mut store = engine.open();
    // More than two pages, and uids that only bytes put in order.
    let mut expected = Vec::new();
    let odd = ["", "A", "a", "a\0", "a\0b", "aa", "é", "z", "\u{10000}", "\u{ffff}"];
    let mut batch: Vec<_> = odd.iter().map(|uid| new("x", &SOUND).with_uid(uid)).collect();
    batch.extend(sound(0..2500));
    store.write(&batch, OnExisting::Keep).unwrap();
    expected.extend(batch.iter().map(|new| new.row.measurement_uid.clone()));
    expected.sort();
    assert_eq!(uids(&*store), expected);
    for (at, uid) in expected.iter().enumerate() {
        if !uid.starts_with('u') || at % 100 == 0 {
            let page = store.page(Some(uid), 2).unwrap();
            let found: Vec<_> = page.iter().map(|row| text(&row[0])).collect();
            assert_eq!(found, expected[at + 1..expected.len().min(at + 3)], "{uid:?}");
        }
    }
}

trait WithUid {
    fn with_uid(self, uid: &str) -> Self;
}

impl WithUid for NewRow {
    fn with_uid(mut self, uid: &str) -> NewRow {
        self.row.measurement_uid = uid.to_owned();
        self
    }
}

fn odd_values_read_back(engine: &dyn Engine) {
    let runtimes = ["0.1", "16777217", "true", "NaN", "Infinity", "-Infinity", "1e-46", "-0.0", "null"];
    let links = ["null", "0", "9223372036854775807", "9223372036854775808", "18446744073709551615", "7", "7", "7", "7"];
    let rows: Vec<_> = runtimes
        .iter()
        .zip(links)
        .map(|(runtime, link)| {
            let rest = format!(
                r#""test_runtime":{runtime},"software_name":"a\u0000b","software_version":"é\ud83d\ude00",
                "annotations":{{"platform":"null","ooni_run_link_id":{link}}},"#
            );
            new(&format!("r{runtime}"), &Fields { rest: &rest, ..SOUND })
        })
        .collect();
    let mut store = engine.open();
    store.write(&rows, OnExisting::Keep).unwrap();
    let stored: BTreeMap<_, _> = stored(&*store).into_iter().map(|row| (text(&row[0]), row)).collect();
    for new in &rows {
        let expected = cell::fastpath(&new.row).unwrap();
        for ((cell, expected), (name, _)) in stored[&new.row.measurement_uid].iter().zip(&expected).zip(FASTPATH) {
            // As text: not a number equals itself there.
            assert_eq!(text(cell), text(expected), "{} {name}", new.row.measurement_uid);
        }
    }
    assert_eq!(text(&stored["r0.1"][18]), "0.10000000149011612");
}

// --- any history is that of a map ---

/// A measurement of a history: its uid, what it holds, and what is wrong with it.
type Op = (u8, u8, Trouble);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Nothing,
    Row,
    Openvpn,
}

#[derive(Default)]
struct Model {
    /// Of each uid what the row holds, and whether it has one of openvpn.
    rows: BTreeMap<u8, (u8, bool)>,
    refused: BTreeMap<u8, (u8, &'static str)>,
}

impl Model {
    fn write(&mut self, &(uid, content, trouble): &Op, replace: bool) {
        let column = match trouble {
            Trouble::Nothing => None,
            Trouble::Row => Some("test_version"),
            Trouble::Openvpn => Some("obs_openvpn.bootstrap_time"),
        };
        let openvpn = is_openvpn(content) && trouble != Trouble::Openvpn;
        match (trouble, replace) {
            (Trouble::Row, _) => {}
            (_, true) => drop(self.rows.insert(uid, (content, openvpn))),
            (_, false) => drop(self.rows.entry(uid).or_insert((content, openvpn))),
        }
        match (column, replace) {
            (None, true) => drop(self.refused.remove(&uid)),
            (None, false) => {}
            (Some(column), true) => drop(self.refused.insert(uid, (content, column))),
            (Some(column), false) => drop(self.refused.entry(uid).or_insert((content, column))),
        }
    }
}

fn is_openvpn(content: u8) -> bool {
    content.is_multiple_of(2)
}

fn measurement(&(uid, content, trouble): &Op) -> NewRow {
    let version = if trouble == Trouble::Row { content.to_string() } else { format!("\"{content}\"") };
    let keys = if trouble == Trouble::Openvpn { r#"{"bootstrap_time":""}"# } else { "{}" };
    let test = if is_openvpn(content) { "openvpn" } else { "dash" };
    let mut new = new(&format!("u{uid}"), &Fields { test, version: &version, keys, ..SOUND });
    new.body = place(u32::from(content), "2024");
    new
}

fn op() -> impl Strategy<Value = Op> {
    let trouble = prop_oneof![4 => Just(Trouble::Nothing), 1 => Just(Trouble::Row), 1 => Just(Trouble::Openvpn)];
    (0..6_u8, any::<u8>(), trouble).prop_map(|(uid, content, trouble)| match trouble {
        // Only openvpn has a row that can be refused so.
        Trouble::Openvpn => (uid, content & !1, trouble),
        _ => (uid, content, trouble),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_history(batches in prop::collection::vec((prop::collection::vec(op(), 0..8), any::<bool>()), 0..8)) {
        let engine = InFile::new();
        let mut store = engine.open();
        let mut model = Model::default();
        for (ops, replace) in &batches {
            let before = model.rows.len() as u64;
            let new: Vec<_> = ops.iter().map(measurement).collect();
            let on_existing = if *replace { OnExisting::Replace } else { OnExisting::Keep };
            // Written twice, as after a crash, it is written once.
            let written = store.write(&new, on_existing).unwrap();
            store.write(&new, on_existing).unwrap();
            ops.iter().for_each(|op| model.write(op, *replace));
            ops.iter().for_each(|op| model.write(op, *replace));
            let refused = written.refused.len() as u64;
            prop_assert_eq!(written.inserted, model.rows.len() as u64 - before);
            prop_assert_eq!(written.inserted + written.replaced + written.already + refused, ops.len() as u64);
        }
        let column = |table: &str, key: usize, columns: &[usize]| -> Vec<Vec<String>> {
            let pick = |row: &Vec<String>| [key].iter().chain(columns).map(|&column| row[column].clone()).collect();
            engine.table(table).iter().map(pick).collect()
        };
        let rows: Vec<_> = model.rows.iter().map(|(uid, (content, _))| vec![format!("u{uid}"), content.to_string()]).collect();
        let vpn: Vec<_> = model.rows.iter().filter(|(_, row)| row.1).map(|(uid, _)| vec![format!("u{uid}")]).collect();
        let refused = model.refused.iter();
        let refused: Vec<_> = refused.map(|(uid, (content, column))| vec![format!("u{uid}"), (*column).to_owned(), content.to_string()]).collect();
        prop_assert_eq!(column("fastpath", 0, &[17]), rows.clone());
        prop_assert_eq!(column("jsonl", 4, &[3]), rows);
        prop_assert_eq!(column("obs_openvpn", 7, &[]), vpn);
        prop_assert_eq!(column("refused", 0, &[1, 5]), refused);
        prop_assert_eq!(store.count().unwrap(), model.rows.len() as u64);
    }
}

// --- what can happen to a file ---

const IMPATIENT: Options = Options { patience: Duration::from_millis(1), most_bytes: None, longest_row: 256 << 20 };

fn message<T>(result: Result<T, StoreError>, path: &Path) -> String {
    let Err(error) = result else { panic!("it worked") };
    assert_eq!(error.store, path.display().to_string());
    let said = error.to_string();
    for word in ["SELECT", "INSERT", "PRAGMA", "BEGIN", "fastpath (", "\n"] {
        assert!(!said.contains(word), "{said}");
    }
    error.message
}

#[test]
fn a_locked_database() {
    let engine = InFile::new();
    let mut store = Sqlite::open_with(&engine.path, IMPATIENT).unwrap();
    store.write(&sound([1]), OnExisting::Keep).unwrap();
    let other = Connection::open(&engine.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = message(store.write(&sound([2]), OnExisting::Keep), &engine.path);
    assert_eq!(said, "another process is writing to it, and has been for 1ms");
    assert_eq!(store.count().unwrap(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.write(&sound([2]), OnExisting::Keep).unwrap().inserted, 1);
}

#[test]
fn a_full_disk() {
    let engine = InFile::new();
    let mut store = Sqlite::open_with(&engine.path, Options { most_bytes: Some(400 << 10), ..IMPATIENT }).unwrap();
    let mut written = 0;
    let said = loop {
        match store.write(&sound(written..written + 50), OnExisting::Keep) {
            Ok(_) => written += 50,
            Err(error) => break message::<()>(Err(error), &engine.path),
        }
        assert!(written < 5000, "it never fills");
    };
    assert!(said.starts_with("the disk is full, or the most bytes are reached"), "{said}");
    assert!(written > 0);
    // No half batch, now and later, and it goes on when there is room.
    assert_eq!(store.count().unwrap(), u64::from(written));
    drop(store);
    let mut store = engine.open();
    assert_eq!(store.count().unwrap(), u64::from(written));
    assert_eq!(engine.table("jsonl").len(), written as usize);
    assert_eq!(store.write(&sound(written..written + 50), OnExisting::Keep).unwrap().inserted, 50);
}

#[test]
fn a_row_that_is_too_long() {
    let engine = InFile::new();
    let mut store = Sqlite::open_with(&engine.path, Options { longest_row: 1600, ..IMPATIENT }).unwrap();
    let long = format!("\"{}\"", "x".repeat(1500));
    let vpn = format!(r#"{{"provider":"{}"}}"#, "x".repeat(1500));
    let batch = [
        new("u1", &Fields { version: &long, ..SOUND }),
        new("u2", &SOUND),
        new("u3", &Fields { test: "openvpn", keys: &vpn, ..SOUND }),
    ];
    let written = store.write(&batch, OnExisting::Keep).unwrap();
    let said: Vec<_> = written.refused.iter().map(|refusal| &*refusal.column).collect();
    assert_eq!(said, ["test_version", "obs_openvpn"]);
    assert_eq!(written.refused[0].message, "1500 bytes, in a row that is too long for this store");
    assert_eq!((uids(&store), engine.table("refused").len()), (vec!["u2".to_owned()], 2));
}

#[test]
fn files_that_are_no_stores() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text.db"), "no database\n".repeat(1000)).unwrap();
    for open in [Sqlite::open, Sqlite::open_to_read] {
        assert!(message(open(&path("text.db")), &path("text.db")).starts_with("is no SQLite database"));
        assert_eq!(message(open(folder.path()), folder.path()), "is a folder");
    }
    assert!(message(Sqlite::open_to_read(&path("none.db")), &path("none.db")).starts_with("cannot be opened"));
    assert!(!path("none.db").exists());
    assert!(
        message(Sqlite::open(&path("text.db/x/y.db")), &path("text.db/x/y.db"))
            .starts_with("its folder cannot be made")
    );

    Connection::open(path("other.db")).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    let before = std::fs::read(path("other.db")).unwrap();
    assert_eq!(message(Sqlite::open(&path("other.db")), &path("other.db")), "is a database of another program");
    assert_eq!(std::fs::read(path("other.db")).unwrap(), before);

    // What another program left without a table of ours, and an old file cut short.
    std::fs::write(path("empty.db"), "").unwrap();
    assert_eq!(message(Sqlite::open_to_read(&path("empty.db")), &path("empty.db")), "is empty");
    Sqlite::open(&path("empty.db")).unwrap();
    for url in ["postgres://u:p@h/d", "mysql:x", ""] {
        let said = open(url).err().unwrap().to_string();
        assert!(said.ends_with("no store of this kind is supported; there is sqlite:PATH"), "{said}");
        assert!(!said.contains("u:p"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_takes_no_files() {
    // Where even root cannot make any.
    let path = Path::new("/proc/self/ooni.db");
    assert!(message(Sqlite::open(path), path).starts_with("cannot be opened"));
    let path = Path::new("/proc/self/none/ooni.db");
    assert!(message(Sqlite::open(path), path).starts_with("its folder cannot be made"));
}

#[test]
fn versions() {
    let engine = InFile::new();
    engine.open().write(&sound([1]), OnExisting::Keep).unwrap();
    // Opened again it is as it was.
    assert_eq!(open_to_read(&engine.url()).unwrap().count().unwrap(), 1);
    assert_eq!(engine.open().count().unwrap(), 1);
    Connection::open(&engine.path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for open in [Sqlite::open, Sqlite::open_to_read] {
        let said = message(open(&engine.path), &engine.path);
        assert!(said.starts_with("was made by a newer fastpath: its tables are of version 99, "), "{said}");
    }
}

#[test]
fn a_store_to_read_is_not_written() {
    let engine = InFile::new();
    engine.open().write(&sound([1]), OnExisting::Keep).unwrap();
    let mut store = open_to_read(&engine.url()).unwrap();
    let said = store.write(&sound([2]), OnExisting::Keep).unwrap_err().message;
    assert!(said.starts_with("it or its folder is read-only"), "{said}");
}

#[test]
fn two_that_open_a_new_file_at_once() {
    for _ in 0..10 {
        let engine = InFile::new();
        let url = engine.url();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let url = &url;
                scope.spawn(move || open(url).unwrap().write(&sound([thread, 9]), OnExisting::Keep).unwrap());
            }
        });
        assert_eq!(uids(&*engine.open()), ["u000000", "u000001", "u000002", "u000003", "u000009"]);
    }
}

// --- being killed ---

/// Rows of a batch of the process that is killed.
const BATCH: u32 = 100;

/// What [`killed_while_writing`] starts: writes batches without end, and says when one is durable.
#[test]
#[ignore = "a process for another test"]
fn writer() {
    let mut store = open(&std::env::var("STORE").unwrap()).unwrap();
    for batch in 0.. {
        let written = store.write(&sound(batch * BATCH..(batch + 1) * BATCH), OnExisting::Keep).unwrap();
        assert_eq!(written.inserted + written.already, u64::from(BATCH));
        println!("durable {batch}");
    }
}

#[test]
fn killed_while_writing() {
    let engine = InFile::new();
    let mut whole = 0;
    for kill in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--ignored", "--nocapture", "--test-threads", "1"])
            .env("STORE", engine.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable = 0;
        // A little further each time, past what was there, and then somewhere within a batch.
        while durable <= whole + 2 * kill {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, number)) = line.split_once("durable ") {
                durable = number.parse::<u64>().unwrap() + 1;
            }
        }
        (0..kill * 300_000).for_each(|spin| assert!(std::hint::black_box(spin) < u64::MAX));
        child.kill().unwrap();
        child.wait().unwrap();
        let rows = open_to_read(&engine.url()).unwrap().count().unwrap();
        assert_eq!(rows % u64::from(BATCH), 0, "half a batch");
        assert!(rows >= durable * u64::from(BATCH), "{durable} batches were acknowledged, there are {rows} rows");
        assert_eq!(engine.query("PRAGMA integrity_check"), [["ok"]]);
        assert_eq!(engine.table("jsonl").len() as u64, rows);
        whole = rows / u64::from(BATCH);
    }
    assert!(whole > 16);
}

// --- by hand ---

/// Durable rows a second, 10,000 a batch: `cargo test --release --test store -- --ignored --nocapture inserts`.
#[test]
#[ignore = "a measurement"]
fn inserts_per_second() {
    let engine = InFile::new();
    let mut store = engine.open();
    let keys = r#"{"blocking":"dns","accessible":false}"#;
    let rest = r#""test_runtime":0.3,"software_name":"ooniprobe-android","software_version":"3.8.1",
        "annotations":{"platform":"android","engine_name":"ooniprobe-engine","engine_version":"3.17.0","architecture":"arm64"},"#;
    let fields = Fields { test: "web_connectivity", rest, keys, ..SOUND };
    let report = "20240102T030400Z_webconnectivity_IT_30722_n1_Wx3jQh1Zl5uhXyHq";
    for batch in 0..30_u64 {
        let rows: Vec<_> = (0..10_000_u64)
            .map(|number| {
                let number = batch * 10_000 + number;
                // Nearly in the order of time, as cans are.
                let uid = format!(
                    "20240102{:06}.{:06}_IT_webconnectivity_{:016x}",
                    number / 50,
                    number * 7919 % 1_000_000,
                    number * number
                );
                let mut new = new(&uid, &fields);
                new.row.report_id = report.into();
                new
            })
            .collect();
        let begun = std::time::Instant::now();
        store.write(&rows, OnExisting::Keep).unwrap();
        println!("{:7.0} rows/s", rows.len() as f64 / begun.elapsed().as_secs_f64());
    }
}
