//! [`Input`]: where the rows of a comparison are read from; [`Precision`]: how their values are compared.

use super::record::Record;
use ooni_core::json::{Reader, Value, write_json};
use ooni_core::number::write_f64;
use ooni_core::row::Column;
use ooni_core::row::schema::{ColumnSchema, Type, fastpath};
use ooni_core::time::DateTime;
use ooni_store::{BlockingStore, is_url, without_password};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A source of rows of the table `fastpath`.
#[derive(Clone, Debug)]
pub enum Input {
    /// A JSONL file as `score` writes it.
    Jsonl(PathBuf),
    /// A CSV file as `score` writes it.
    Csv(PathBuf),
    /// A Parquet file.
    Parquet(PathBuf),
    /// A store, by URL.
    Store(String),
}

/// How exactly values are compared: with the lower precision of two inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// As JSON: types must be equal.
    Json,
    /// As text: `"5"` and `5` are the same.
    Text,
    /// As text, with runtimes as 32-bit floats.
    Typed,
}

/// Maximum bytes of a line. A file with a longer one is not an output of `score`.
const LONGEST_LINE: u64 = 1 << 30;

impl Input {
    /// The input named by an argument.
    ///
    /// # Errors
    /// A sentence, for a file with an unknown extension.
    pub fn of(text: &str) -> Result<Input, String> {
        if is_url(text) {
            return Ok(Input::Store(text.to_owned()));
        }
        let path = PathBuf::from(text);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl") => Ok(Input::Jsonl(path)),
            Some("csv") => Ok(Input::Csv(path)),
            Some("parquet") => Ok(Input::Parquet(path)),
            _ => Err(format!(
                "{}: expected .jsonl, .csv, .parquet or a store: sqlite:PATH, postgres://… or clickhouse://…",
                without_password(text)
            )),
        }
    }

    /// The precision of its values.
    pub fn precision(&self) -> Precision {
        match self {
            Input::Jsonl(_) => Precision::Json,
            Input::Csv(_) => Precision::Text,
            Input::Parquet(_) | Input::Store(_) => Precision::Typed,
        }
    }

    /// Passes the values of each row to `put`, in the order of [`fastpath::COLUMNS`]. Discarded and rejected entries have
    /// no row.
    ///
    /// # Errors
    /// A sentence that names the location, or the error of `put`.
    pub fn read(&self, precision: Precision, put: &mut dyn FnMut(Record) -> io::Result<()>) -> Result<(), String> {
        let read = |path: &Path, read: fn(&Path, Precision, Put<'_>) -> Result<(), String>, put: Put<'_>| {
            read(path, precision, put).map_err(|error| format!("{}{error}", path.display()))
        };
        match self {
            Input::Jsonl(path) => read(path, jsonl, put),
            Input::Csv(path) => read(path, csv, put),
            Input::Parquet(path) => read(path, parquet, put),
            Input::Store(url) => of_store(url, put),
        }
    }
}

type Put<'p> = &'p mut dyn FnMut(Record) -> io::Result<()>;

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ": does not exist".to_owned(),
        _ => format!(": {error}"),
    })
}

fn cannot_sort(error: io::Error) -> String {
    format!(": cannot sort its rows: {error}")
}

fn jsonl(path: &Path, precision: Precision, put: Put<'_>) -> Result<(), String> {
    let mut file = BufReader::with_capacity(1 << 20, open(path)?);
    let (mut reader, mut line) = (Reader::new(), Vec::new());
    for number in 1_u64.. {
        line.clear();
        let at = |error: &dyn std::fmt::Display| format!(", line {number}: {error}");
        let read = file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|error| at(&error))?;
        match read {
            0 => break,
            _ if !line.ends_with(b"\n") && read as u64 == LONGEST_LINE => {
                return Err(at(&"the line is too long"));
            }
            _ => {}
        }
        let document = reader.read(&line).map_err(|error| at(&error))?;
        let root = document.root();
        let outcome = root.field("outcome").value();
        if outcome.text().is_none() {
            return Err(at(&"not an output line of \"fastpath score\": it has no outcome"));
        }
        if outcome.is_text("stored") {
            let row = root.field("row").value();
            let mut record = Record::default();
            for (column, ColumnSchema { name, kind, .. }) in fastpath::COLUMNS.into_iter().enumerate() {
                // The key is always compared as text.
                let precision = if column == fastpath::measurement_uid { Precision::Text } else { precision };
                json_value(row.field(name).value(), kind, precision, &mut record);
            }
            put(record).map_err(cannot_sort)?;
        }
    }
    Ok(())
}

fn json_value(value: Value<'_>, kind: Type, precision: Precision, record: &mut Record) {
    let value = value.to_json();
    record.push(|out| match precision {
        Precision::Json => write_json(&value, out),
        Precision::Typed if kind == Type::Float32 => {
            let mut text = Vec::new();
            write_json(&value, &mut text);
            write_float(&text, out);
        }
        Precision::Text | Precision::Typed => Column::Json(&value).write_plain(out),
    });
}

/// Writes a runtime with the precision of a store, and other values unchanged.
fn write_float(text: &[u8], out: &mut Vec<u8>) {
    let parsed = match text {
        b"true" => Some(1.0),
        b"false" => Some(0.0),
        text => std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok()),
    };
    match parsed {
        Some(value) => write_f64(out, f64::from(value as f32 + 0.0)),
        None => out.extend_from_slice(text),
    }
}

fn csv(path: &Path, precision: Precision, put: Put<'_>) -> Result<(), String> {
    let mut reader = csv::Reader::from_reader(BufReader::with_capacity(1 << 20, open(path)?));
    let bad = |error: csv::Error| format!(": {error}");
    let header = reader.byte_headers().map_err(bad)?.clone();
    let column = |name: &str| header.iter().position(|column| column == name.as_bytes());
    let outcome = column("outcome");
    let mut columns = Vec::new();
    for ColumnSchema { name, kind, .. } in fastpath::COLUMNS {
        columns.push((column(name).ok_or_else(|| format!(": no column {name}"))?, kind));
    }
    let mut line = csv::ByteRecord::new();
    while reader.read_byte_record(&mut line).map_err(bad)? {
        if outcome.is_some_and(|column| &line[column] != b"stored") {
            continue;
        }
        let mut record = Record::default();
        for &(column, kind) in &columns {
            let text = &line[column];
            record.push(|out| match kind {
                Type::Float32 if precision == Precision::Typed => write_float(text, out),
                _ => out.extend_from_slice(text),
            });
        }
        put(record).map_err(cannot_sort)?;
    }
    Ok(())
}

fn parquet(path: &Path, _precision: Precision, put: Put<'_>) -> Result<(), String> {
    let bad = |error: parquet::errors::ParquetError| format!(": {error}");
    let reader = SerializedFileReader::new(open(path)?).map_err(bad)?;
    for row in reader.get_row_iter(None).map_err(bad)? {
        let row = row.map_err(bad)?;
        let mut record = Record::default();
        for name in fastpath::NAMES {
            let field = row.get_column_iter().find(|(column, _)| *column == name);
            let (_, field) = field.ok_or_else(|| format!(": no column {name}"))?;
            record.push(|out| write_field(field, out));
        }
        put(record).map_err(cannot_sort)?;
    }
    Ok(())
}

fn write_field(field: &Field, out: &mut Vec<u8>) {
    match field {
        Field::Null => {}
        Field::Str(text) => out.extend_from_slice(text.as_bytes()),
        Field::Float(value) => write_f64(out, f64::from(*value)),
        Field::TimestampMicros(micros) if micros % 1_000_000 == 0 => {
            match DateTime::from_timestamp(micros / 1_000_000) {
                Some(time) => time.write(out),
                None => out.extend_from_slice(micros.to_string().as_bytes()),
            }
        }
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

fn of_store(url: &str, put: Put<'_>) -> Result<(), String> {
    let store = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    for row in store.rows() {
        let row = row.map_err(|error| error.to_string())?;
        let mut record = Record::default();
        row.iter().for_each(|cell| record.push(|out| cell.write_plain(out)));
        put(record).map_err(|error| format!("{}{}", without_password(url), cannot_sort(error)))?;
    }
    Ok(())
}
