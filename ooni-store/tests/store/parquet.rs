//! Parquet files: rows are read back, the same rows give the same bytes, and killed runs are resumed.

use ooni_core::fingerprint::Fingerprints;
use ooni_core::process::{Outcome, process};
use ooni_core::row::FastpathRow;
use ooni_core::row::schema::fastpath;
use ooni_core::rules::Rules;
use ooni_store::parquet::Parquet;
use ooni_store::value::{self, Value};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn row(number: usize, version: &str, more: &str) -> FastpathRow {
    let text = format!(
        r#"{{"report_id":"R","probe_cc":"IT","probe_asn":"AS{}","test_name":"dash","test_version":{version},
        "input":"http://é.org/{number}\u0000","measurement_start_time":"2106-02-07 06:28:15",
        "test_start_time":"1970-01-01 00:00:00",{more}"test_keys":{{}}}}"#,
        u32::MAX
    );
    match process(text.as_bytes(), &format!("uid{number}"), &Fingerprints::empty(), Rules::Fixed) {
        Outcome::Stored { row, .. } => *row,
        other => panic!("{other:?}"),
    }
}

fn rows(numbers: std::ops::Range<usize>) -> Vec<FastpathRow> {
    let links = ["null", "0", "18446744073709551615"];
    let runtimes = ["0.1", "NaN", "Infinity", "true", "null"];
    let more = |number: usize| {
        let (link, runtime) = (links[number % links.len()], runtimes[number % runtimes.len()]);
        format!(r#""test_runtime":{runtime},"annotations":{{"ooni_run_link_id":{link}}},"#)
    };
    numbers.map(|number| row(number, "\"1\"", &more(number))).collect()
}

/// The path of a new file in a temporary folder.
fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    (folder, path)
}

fn write(path: &Path, rows: &[FastpathRow]) -> Vec<u8> {
    let mut parquet = Parquet::create(path, None).unwrap();
    parquet.append(rows).unwrap();
    parquet.finish().unwrap();
    fs::read(path).unwrap()
}

/// The names in a folder.
fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn same(field: &Field, cell: &Value<'_>) -> bool {
    match (field, cell) {
        (Field::Str(field), Value::Text(text)) => field == text,
        (Field::UInt(field), Value::Int(value)) => u64::from(*field) == *value,
        (Field::ULong(field), Value::Int(value)) => field == value,
        (Field::Null, Value::Null) => true,
        (Field::Float(field), Value::Float(value)) => field == value || field.is_nan() && value.is_nan(),
        (Field::TimestampMicros(field), Value::Time(time)) => *field == time.timestamp() * 1_000_000,
        _ => false,
    }
}

#[test]
fn rows_read_back() {
    let (folder, path) = file();
    let rows = rows(0..100);
    let mut parquet = Parquet::create(&path, None).unwrap();
    assert_eq!(parquet.append(&rows[..60]).unwrap(), 0);
    // Rows that the table would refuse are left out.
    assert_eq!(parquet.append([&row(7, "0.1", ""), &row(8, "[]", "")]).unwrap(), 2);
    assert_eq!(parquet.append(&rows[60..]).unwrap(), 0);
    assert!(!path.exists());
    assert_eq!(parquet.finish().unwrap(), 100);
    assert_eq!(names(&folder), ["rows.parquet"]);

    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let mut read = 0;
    for (found, row) in reader.get_row_iter(None).unwrap().zip(&rows) {
        let found = found.unwrap();
        let cells = value::fastpath(row).unwrap();
        for (((name, field), cell), expected) in found.get_column_iter().zip(&cells).zip(fastpath::NAMES) {
            assert_eq!(name, expected);
            assert!(same(field, cell), "{name}: {field:?}, {cell:?}");
        }
        read += 1;
    }
    assert_eq!(read, 100);
}

#[test]
fn an_empty_file_has_its_columns() {
    let (_folder, path) = file();
    write(&path, &[]);
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let names: Vec<_> = schema.columns().iter().map(|column| column.name().to_owned()).collect();
    assert_eq!(names, fastpath::NAMES);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let (_one, first) = file();
    let (_two, second) = file();
    let rows = rows(0..500);
    let bytes = write(&first, &rows);
    let mut parquet = Parquet::create(&second, None).unwrap();
    for batch in rows.chunks(7) {
        parquet.append(batch).unwrap();
        parquet.checkpoint().unwrap();
    }
    parquet.finish().unwrap();
    assert!(bytes == fs::read(&second).unwrap());
    // The old file is truncated, not just overwritten.
    assert!(write(&second, &rows[..3]) == write(&first, &rows[..3]));
}

#[test]
fn row_groups_are_bounded() {
    let (_folder, path) = file();
    let long = format!("\"{}\"", "x".repeat(10 << 20));
    let rows: Vec<_> = (0..8).map(|number| row(number, &long, "")).collect();
    write(&path, &rows);
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let groups: Vec<_> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [3, 3, 2]);
}

#[test]
fn a_killed_run_is_resumed() {
    let (_whole, whole) = file();
    let rows = rows(0..200);
    let expected = write(&whole, &rows);

    let (folder, path) = file();
    let resumes = |resume_at: u64, rows: &[FastpathRow]| {
        let mut parquet = Parquet::create(&path, Some(resume_at)).unwrap();
        parquet.append(rows).unwrap();
        parquet.finish().unwrap();
        assert_eq!(names(&folder), ["rows.parquet"]);
        assert!(fs::read(&path).unwrap() == expected);
    };
    let begin = || {
        let mut parquet = Parquet::create(&path, None).unwrap();
        parquet.append(&rows[..90]).unwrap();
        let length = parquet.checkpoint().unwrap();
        (parquet, length)
    };
    // After rows without a checkpoint, and after half a row.
    let (mut parquet, length) = begin();
    parquet.append(&rows[90..120]).unwrap();
    drop(parquet);
    resumes(length, &rows[90..]);
    let (mut parquet, length) = begin();
    parquet.append(&rows[90..91]).unwrap();
    parquet.checkpoint().unwrap();
    drop(parquet);
    let spool = File::options().write(true).open(path.with_extension("parquet.spool")).unwrap();
    spool.set_len(length + 11).unwrap();
    resumes(length, &rows[90..]);

    // At the end: before and after the file is renamed, and after the spool is removed.
    let (mut parquet, _) = begin();
    parquet.append(&rows[90..]).unwrap();
    let length = parquet.checkpoint().unwrap();
    drop(parquet);
    fs::write(path.with_extension("parquet.partial"), b"half").unwrap();
    let spool = fs::read(path.with_extension("parquet.spool")).unwrap();
    resumes(length, &[]);
    fs::write(path.with_extension("parquet.spool"), spool).unwrap();
    resumes(length, &[]);
    let parquet = Parquet::create(&path, Some(length)).unwrap();
    assert_eq!(parquet.finish().unwrap(), 200);
    let mut parquet = Parquet::create(&path, Some(length)).unwrap();
    assert!(parquet.append(&rows[..1]).unwrap_err().to_string().contains("rows.parquet is complete"));

    // A run cannot be resumed without the spool, or at another length.
    for length in [length - 1, length + 1] {
        let error = Parquet::create(&path, Some(length)).unwrap_err().to_string();
        assert!(error.contains("rows.parquet.spool: "), "{error}");
    }
}

/// Writes a file for testing other Parquet readers: `PARQUET=FILE cargo test -p ooni-store --test store parquet -- --ignored`.
#[test]
#[ignore = "writes a file for other readers"]
fn for_other_readers() {
    write(Path::new(&std::env::var("PARQUET").unwrap()), &rows(0..1000));
}
