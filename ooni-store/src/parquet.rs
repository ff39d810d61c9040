//! [`Parquet`]: rows in a columnar file that DuckDB, Polars and pandas can read. It contains accepted rows only:
//! nothing that was discarded, rejected or refused.
//!
//! The columns are those of `fastpath` in order, with the names of scoring spec §10. Text is `STRING`, `probe_asn` is a
//! `UINT_32`, the two times are `TIMESTAMP` in microseconds UTC, `test_runtime` is a `FLOAT` in seconds, and
//! `ooni_run_link_id` is a `UINT_64` or null. All other columns are never null. The flags are `t` and `f`, as in the
//! table. The same rows in the same order produce the same bytes.
//!
//! The footer of a Parquet file comes last, so the file cannot grow. Until the end, rows are kept in `FILE.spool`,
//! which can be truncated to a checkpoint. [`Parquet::finish`] converts it to a file under a temporary name, renames
//! that file and removes the spool. The file is never incomplete.

use crate::files::{beside, sync_folder};
use crate::value::{self, Type, Value};
use crate::write::row::StoredRow;
use ooni_core::row::FastpathRow;
use ooni_core::row::schema::{ColumnSchema, fastpath};
use ooni_core::time::DateTime;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type as SchemaType, TypePtr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maximum rows of a row group.
const GROUP_ROWS: usize = 128 << 10;

/// Maximum uncompressed bytes of a row group, unless a single row is larger.
const GROUP_BYTES: usize = 32 << 20;

/// The metadata key for the length of the spool from which the file was written.
const SPOOL_LENGTH: &str = "ooni_fastpath_spool_length";

/// Rows being written to a Parquet file.
#[derive(Debug)]
pub struct Parquet {
    path: PathBuf,
    /// `None` if the resumed run had already finished.
    spool: Option<BufWriter<File>>,
    length: u64,
    record: Vec<u8>,
}

impl Parquet {
    /// Starts a file and removes an existing one, or resumes at a checkpoint of a run that was killed: `resume_at` is
    /// what [`Parquet::checkpoint`] returned then.
    ///
    /// # Errors
    /// The spool cannot be created, or it is missing on resume.
    pub fn create(path: &Path, resume_at: Option<u64>) -> io::Result<Parquet> {
        let spool = beside(path, ".spool");
        let opened = match resume_at {
            None => begin(path, &spool).map(|file| (Some(file), 0)),
            Some(length) => resume(path, &spool, length).map(|file| (file, length)),
        };
        let (file, length) = opened.map_err(|error| at(&spool, &error))?;
        Ok(Parquet { path: path.to_owned(), spool: file.map(BufWriter::new), length, record: Vec::new() })
    }

    /// Appends rows; returns how many were refused (scoring spec §12) and left out.
    ///
    /// # Errors
    /// The spool cannot be written.
    pub fn append<'r>(&mut self, rows: impl IntoIterator<Item = &'r FastpathRow>) -> io::Result<u64> {
        let mut refused = 0;
        for row in rows {
            let Ok(cells) = value::fastpath(row) else {
                refused += 1;
                continue;
            };
            self.record.clear();
            cells.iter().for_each(|cell| write_cell(cell, &mut self.record));
            let Some(spool) = &mut self.spool else {
                return Err(io::Error::other(format!("{} is complete", self.path.display())));
            };
            let length = u32::try_from(self.record.len()).map_err(|_| io::Error::other("a row exceeds 4 GiB"))?;
            let written = spool.write_all(&length.to_le_bytes()).and_then(|()| spool.write_all(&self.record));
            written.map_err(|error| at(&self.path, &error))?;
            self.length += 4 + u64::from(length);
        }
        Ok(refused)
    }

    /// The length to resume at, once all rows so far are durable.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Makes all rows so far durable; returns the length to resume at.
    ///
    /// # Errors
    /// The spool cannot be written.
    pub fn checkpoint(&mut self) -> io::Result<u64> {
        if let Some(spool) = &mut self.spool {
            let written = spool.flush().and_then(|()| spool.get_ref().sync_data());
            written.map_err(|error| at(&self.path, &error))?;
        }
        Ok(self.length)
    }

    /// Writes a file of the rows so far and keeps the spool, so that more can be appended; returns the number of rows.
    ///
    /// # Errors
    /// The file cannot be written, or the spool cannot be read back.
    pub fn publish(&mut self) -> io::Result<u64> {
        self.checkpoint()?;
        if self.spool.is_none() {
            let reader = SerializedFileReader::new(File::open(&self.path)?).map_err(io::Error::other)?;
            return Ok(u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0));
        }
        let (spool, partial) = (beside(&self.path, ".spool"), beside(&self.path, ".partial"));
        let rows = convert(&spool, &partial, self.length).map_err(|error| at(&partial, &error))?;
        let shown = fs::rename(&partial, &self.path).and_then(|()| sync_folder(&self.path));
        shown.map_err(|error| at(&self.path, &error))?;
        Ok(rows)
    }

    /// Writes a file of all rows and removes the spool; returns the number of rows. A run that is killed in between can
    /// be resumed at the last checkpoint, even if the file exists.
    ///
    /// # Errors
    /// The file cannot be written, or the spool cannot be read back or removed.
    pub fn finish(mut self) -> io::Result<u64> {
        let rows = self.publish()?;
        if self.spool.take().is_some() {
            fs::remove_file(beside(&self.path, ".spool")).map_err(|error| at(&self.path, &error))?;
        }
        Ok(rows)
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn begin(path: &Path, spool: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::create(spool)?;
    sync_folder(path)?;
    Ok(file)
}

fn resume(path: &Path, spool: &Path, length: u64) -> io::Result<Option<File>> {
    let mut file = match OpenOptions::new().write(true).open(spool) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && spool_length(path) == Some(length) => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() < length {
        return Err(io::Error::other(format!("shorter than the {length} bytes at the checkpoint")));
    }
    file.set_len(length)?;
    file.seek(SeekFrom::End(0))?;
    Ok(Some(file))
}

/// The length of the spool from which a file was written.
fn spool_length(path: &Path) -> Option<u64> {
    let reader = SerializedFileReader::new(File::open(path).ok()?).ok()?;
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == SPOOL_LENGTH)?.value.as_ref()?.parse().ok()
}

fn write_cell(cell: &Value<'_>, out: &mut Vec<u8>) {
    match cell {
        Value::Text(text) => {
            // A record of 4 GiB or more is refused as a whole.
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Int(value) => {
            out.push(1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Null => out.extend_from_slice(&[0; 9]),
        Value::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Time(time) => out.extend_from_slice(&DateTime::timestamp(*time).to_le_bytes()),
        Value::Bool(value) => out.push(u8::from(*value)),
    }
}

/// Writes a file of rows; returns their number. The file is never incomplete: it is `FILE.partial` until it is
/// finished.
///
/// # Errors
/// A row is an error, or the file cannot be written.
pub fn write_parquet(path: &Path, mut rows: impl Iterator<Item = io::Result<StoredRow>>) -> io::Result<u64> {
    let partial = beside(path, ".partial");
    let next = |record: &mut Vec<u8>| {
        let Some(row) = rows.next().transpose()? else { return Ok(false) };
        record.clear();
        row.iter().for_each(|cell| write_cell(cell, record));
        Ok(true)
    };
    let written = write_file(&partial, properties(None)?, next).map_err(|error| at(&partial, &error))?;
    fs::rename(&partial, path).and_then(|()| sync_folder(path)).map_err(|error| at(path, &error))?;
    Ok(written)
}

/// Converts the first `length` bytes of a spool to a file.
fn convert(spool: &Path, to: &Path, length: u64) -> io::Result<u64> {
    let mut spool = BufReader::with_capacity(1 << 20, File::open(spool)?.take(length));
    write_file(to, properties(Some(length))?, |record| read_record(&mut spool, record))
}

/// Writes a file of the records that `next` puts into a buffer, until it returns false.
fn write_file(
    to: &Path,
    properties: WriterProperties,
    mut next: impl FnMut(&mut Vec<u8>) -> io::Result<bool>,
) -> io::Result<u64> {
    let file = BufWriter::new(File::create(to)?);
    let mut writer = SerializedFileWriter::new(file, schema()?, Arc::new(properties))?;
    let (mut rows, mut group) = (0, Group::default());
    while group.fill(&mut next)? {
        group.write(&mut writer)?;
        rows += group.rows.len() as u64;
    }
    let file = writer.into_inner()?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(rows)
}

fn schema() -> Result<TypePtr, ParquetError> {
    let column = |column: ColumnSchema| {
        let (physical, logical, repetition) = match column.kind {
            Type::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String), Repetition::REQUIRED),
            Type::UInt32 => (Physical::INT32, Some(LogicalType::integer(32, false)), Repetition::REQUIRED),
            Type::OptionalUInt64 => (Physical::INT64, Some(LogicalType::integer(64, false)), Repetition::OPTIONAL),
            Type::Float32 => (Physical::FLOAT, None, Repetition::REQUIRED),
            Type::Bool => (Physical::BOOLEAN, None, Repetition::REQUIRED),
            Type::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)), Repetition::REQUIRED),
        };
        let column = SchemaType::primitive_type_builder(column.name, physical);
        column.with_logical_type(logical).with_repetition(repetition).build().map(Arc::new)
    };
    let columns = fastpath::COLUMNS.into_iter().map(column).collect::<Result<Vec<_>, _>>()?;
    SchemaType::group_type_builder("fastpath").with_fields(columns).build().map(Arc::new)
}

/// Properties of a file. None of them depends on the clock or the machine.
fn properties(spool_length: Option<u64>) -> Result<WriterProperties, ParquetError> {
    let length = spool_length.map(|length| KeyValue::new(SPOOL_LENGTH.to_owned(), length.to_string()));
    Ok(WriterProperties::builder()
        .set_created_by(concat!("ooni-fastpath version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata(length.map(|length| vec![length]))
        .build())
}

/// Records of a row group.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    /// The position up to which each record has been read.
    rows: Vec<usize>,
    /// A record that was read but did not fit.
    next: Vec<u8>,
}

impl Group {
    /// Reads the next records; false if there are none.
    fn fill(&mut self, next: &mut impl FnMut(&mut Vec<u8>) -> io::Result<bool>) -> io::Result<bool> {
        self.bytes.clear();
        self.rows.clear();
        loop {
            if self.next.is_empty() && !next(&mut self.next)? {
                break;
            }
            let full = self.rows.len() == GROUP_ROWS || self.bytes.len() + self.next.len() > GROUP_BYTES;
            if full && !self.rows.is_empty() {
                break;
            }
            self.rows.push(self.bytes.len());
            self.bytes.append(&mut self.next);
        }
        Ok(!self.rows.is_empty())
    }

    /// Writes the records column by column.
    fn write<W: Write + Send>(&mut self, writer: &mut SerializedFileWriter<W>) -> io::Result<()> {
        let mut group = writer.next_row_group()?;
        for ColumnSchema { kind, .. } in fastpath::COLUMNS {
            let Some(mut column) = group.next_column()? else { break };
            self.column(kind, &mut column)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    fn column(&mut self, kind: Type, column: &mut SerializedColumnWriter<'_>) -> io::Result<()> {
        match kind {
            Type::Text => {
                let mut values = Vec::with_capacity(self.rows.len());
                for row in 0..self.rows.len() {
                    let length = u32::from_le_bytes(self.take(row)?);
                    let end = self.rows[row].checked_add(length as usize);
                    let text = end.and_then(|end| self.bytes.get(self.rows[row]..end)).ok_or_else(damaged)?;
                    values.push(ByteArray::from(text.to_vec()));
                    self.rows[row] += length as usize;
                }
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            Type::UInt32 => {
                let values = self.numbers(|[_, int @ ..]: [u8; 9]| u64::from_le_bytes(int) as u32 as i32)?;
                column.typed::<Int32Type>().write_batch(&values, None, None)?;
            }
            Type::OptionalUInt64 => {
                let values = self.numbers(|[is, int @ ..]: [u8; 9]| (is, u64::from_le_bytes(int) as i64))?;
                let levels: Vec<_> = values.iter().map(|&(is, _)| i16::from(is)).collect();
                let values: Vec<_> = values.into_iter().filter(|&(is, _)| is == 1).map(|(_, value)| value).collect();
                column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
            }
            Type::Float32 => {
                let values = self.numbers(f32::from_le_bytes)?;
                column.typed::<FloatType>().write_batch(&values, None, None)?;
            }
            Type::Bool => {
                let values = self.numbers(|[value]: [u8; 1]| value != 0)?;
                column.typed::<BoolType>().write_batch(&values, None, None)?;
            }
            Type::Time => {
                let values = self.numbers(|seconds| i64::from_le_bytes(seconds).saturating_mul(1_000_000))?;
                column.typed::<Int64Type>().write_batch(&values, None, None)?;
            }
        }
        Ok(())
    }

    /// The next value of every record.
    fn numbers<const N: usize, T>(&mut self, value: impl Fn([u8; N]) -> T) -> io::Result<Vec<T>> {
        (0..self.rows.len()).map(|row| self.take(row).map(&value)).collect()
    }

    /// The next bytes of a record.
    fn take<const N: usize>(&mut self, row: usize) -> io::Result<[u8; N]> {
        let from = self.rows[row];
        let bytes = self.bytes.get(from..from + N).and_then(|bytes| bytes.try_into().ok()).ok_or_else(damaged)?;
        self.rows[row] = from + N;
        Ok(bytes)
    }
}

/// Reads a record; false at the end.
fn read_record(spool: &mut impl Read, record: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; 4];
    match spool.read(&mut length[..1])? {
        0 => return Ok(false),
        _ => spool.read_exact(&mut length[1..])?,
    }
    let length = u64::from(u32::from_le_bytes(length));
    record.clear();
    match spool.take(length).read_to_end(record)? as u64 == length {
        true => Ok(true),
        false => Err(damaged()),
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the spool is damaged")
}
