//! `fastpath store export`: names of files and the order of rows. The content is tested with DuckDB.

use crate::files::{Files, ROOT, Ran, fastpath};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor as _;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

/// A store filled with the cans of the fixtures.
fn store() -> (Files, String) {
    let files = Files::new();
    let url = format!("sqlite:{}", files.path("ooni.db").display());
    let cans = format!("{ROOT}/ooni-fastpath/tests/fixtures/cans");
    let days = ["--start-day", "2015-01-01", "--end-day", "2023-01-01"];
    let ran = fastpath([&["rerun", "--source", &cans, "--db-uri", &url][..], &days].concat());
    assert!(ran.err.contains("15 cans; 41 rows"), "{}", ran.err);
    (files, url)
}

fn export(files: &Files, url: &str, start: &str, end: &str) -> Ran {
    let out = files.path("out/rows");
    let out = out.to_str().unwrap();
    fastpath(["store", "export", "--start-day", start, "--end-day", end, "--out", out, "--db-uri", url])
}

/// The files of a folder.
fn files_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    fs::read_dir(folder).unwrap().map(|entry| file(entry.unwrap())).collect()
}

#[test]
fn one_file_per_day_and_test() {
    let (files, url) = store();
    let ran = export(&files, &url, "2015-11-05", "2023-01-22");
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    let folder = files.path("out/rows");
    let names =
        "SELECT strftime('%Y-%m-%d', measurement_start_time, 'unixepoch') || '_' || test_name || '.parquet', count(*)
        FROM fastpath GROUP BY 1";
    let connection = Connection::open(files.path("ooni.db")).unwrap();
    let mut names = connection.prepare(names).unwrap();
    let names: BTreeMap<String, i64> =
        names.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert_eq!(ran.text(), format!("39 rows in {} files\n", names.len()));
    let mut written = BTreeMap::new();
    for name in files_of(&folder).into_keys() {
        let reader = SerializedFileReader::new(File::open(folder.join(&name)).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let key =
            |row: &parquet::record::Row| (row.get_timestamp_micros(7).unwrap(), row.get_string(0).unwrap().clone());
        assert!(rows.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])), "{name}");
        written.insert(name, rows.len() as i64);
    }
    assert_eq!(written, names);
    assert!(names.values().any(|rows| *rows > 1));

    // The same rows give the same bytes.
    let before = files_of(&folder);
    assert_eq!(export(&files, &url, "2015-11-05", "2023-01-22").code, Some(0));
    assert!(files_of(&folder) == before);
}

#[test]
fn outdated_files_are_removed_and_other_files_kept() {
    let (files, url) = store();
    let others = ["2021-04-15_signal.parquet", "notes.parquet", "2021-04-14_notes.txt", "2021-04-14.parquet"];
    for name in others.into_iter().chain(["2021-04-14_dash.parquet", "2021-04-14_tor.parquet.partial"]) {
        files.add(&format!("out/rows/{name}"), name);
    }
    // The end day is exclusive.
    let ran = export(&files, &url, "2021-04-14", "2021-04-15");
    assert_eq!((ran.code, ran.text()), (Some(0), "1 rows in 1 files\n"), "{}", ran.err);
    let mut expected = others.to_vec();
    expected.push("2021-04-14_signal.parquet");
    expected.sort_unstable();
    let found = files_of(&files.path("out/rows"));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected);
    assert!(others.iter().all(|name| found[*name] == name.as_bytes()));
    let drop = fastpath(["store", "drop-month", "2021-04", "--db-uri", &url]);
    assert_eq!(drop.text(), "1 measurements deleted\n");
    assert_eq!(export(&files, &url, "2021-04-14", "2021-04-15").text(), "0 rows in 0 files\n");
    expected.retain(|name| !name.ends_with("14_signal.parquet"));
    assert_eq!(files_of(&files.path("out/rows")).keys().collect::<Vec<_>>(), expected);
}

#[test]
fn invalid_arguments() {
    let (files, url) = store();
    let code_and_words = |ran: Ran, words: &str| {
        assert_eq!((ran.code, ran.text()), (Some(2), ""));
        assert!(ran.err.contains(words), "{}", ran.err);
    };
    code_and_words(export(&files, &url, "2021-04-14", "2021-04-14"), "no days selected: --end-day is exclusive");
    code_and_words(export(&files, &url, "2021-04-31", "2021-05-14"), "not a day: expected YYYY-MM-DD");
    code_and_words(export(&files, "sqlite:/nowhere.db", "2021-04-14", "2021-04-15"), "does not exist");
    assert!(!files.path("out").exists());
    files.add("out/rows", "a file");
    code_and_words(export(&files, &url, "2021-04-14", "2021-04-15"), "out/rows: ");
    code_and_words(fastpath(["store", "export", "--start-day", "2021-04-14"]), "--out <DIR>");
}
