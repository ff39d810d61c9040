//! [`Output`]: the file of `--out`, which can be truncated to the end of a can.

use crate::lock;
use crate::worker::ScoredChunk;
use ooni_store::parquet::Parquet;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The format of `--out`, by the extension of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFormat {
    /// `.jsonl`, and standard output.
    Jsonl,
    /// `.csv`.
    Csv,
    /// `.parquet`.
    Parquet,
}

impl FileFormat {
    /// The format of a file; `None` for other names.
    pub(super) fn of(path: &Path) -> Option<FileFormat> {
        if path.as_os_str() == "-" {
            return Some(FileFormat::Jsonl);
        }
        match path.extension()?.to_str()? {
            "jsonl" => Some(FileFormat::Jsonl),
            "csv" => Some(FileFormat::Csv),
            "parquet" => Some(FileFormat::Parquet),
            _ => None,
        }
    }
}

/// Whether standard output was closed by its reader. A run that writes to a store continues then.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    continues: bool,
    is_closed: Arc<AtomicBool>,
}

impl Closed {
    /// `continues`: whether the run continues after standard output is closed.
    pub(super) fn new(continues: bool) -> Closed {
        Closed { continues, is_closed: Arc::default() }
    }

    /// Whether standard output was closed and the run continued.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Calls `write`, unless standard output is closed.
    fn write(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        match write() {
            Err(error) if self.continues && error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
            Ok(()) => Ok(()),
        }
    }
}

/// Where results go besides the store.
#[derive(Debug)]
pub(super) enum Output {
    /// Nowhere.
    Nothing,
    /// Standard output, which cannot be truncated.
    Stdout(io::Stdout, Closed),
    /// Lines.
    Lines {
        /// The file.
        file: File,
        /// Its name.
        path: PathBuf,
        /// Its length.
        length: u64,
    },
    /// Rows.
    Parquet(Parquet),
}

impl Output {
    /// Starts with a header, or resumes at a length.
    ///
    /// # Errors
    /// The file cannot be written, is locked by another process, or is shorter than that.
    pub(super) fn open(
        path: Option<&Path>,
        resume_at: Option<u64>,
        header: &[u8],
        closed: &Closed,
    ) -> io::Result<Output> {
        let Some(path) = path else { return Ok(Output::Nothing) };
        if path.as_os_str() == "-" {
            let mut output = Output::Stdout(io::stdout(), closed.clone());
            output.append(header)?;
            return Ok(output);
        }
        if FileFormat::of(path) == Some(FileFormat::Parquet) {
            return Parquet::create(path, resume_at).map(Output::Parquet);
        }
        let named = |error: io::Error| named(path, &error);
        let length = resume_at.unwrap_or(0);
        // The journal is locked already, but a hard link to this file may have another journal.
        let mut file = lock::require(path).map_err(named)?;
        if file.metadata().map_err(named)?.len() < length {
            return Err(named(io::Error::other("is shorter than its journal says; --restart starts again")));
        }
        file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length))).map_err(named)?;
        let mut output = Output::Lines { file, path: path.to_owned(), length };
        if length == 0 {
            output.append(header)?;
        }
        Ok(output)
    }

    /// Appends the results of a piece of a can.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn put(&mut self, done: &ScoredChunk) -> io::Result<()> {
        match self {
            Output::Parquet(parquet) => parquet.append(done.rows.iter().map(|kept| &*kept.row)).map(drop),
            _ => self.append(&done.out),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Nothing | Output::Parquet(_) => Ok(()),
            Output::Stdout(stdout, closed) => closed.write(|| stdout.write_all(bytes)),
            Output::Lines { file, path, length } => {
                file.write_all(bytes).map_err(|error| named(path, &error))?;
                *length += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// The length to resume at after what was written so far.
    pub(super) fn length(&self) -> u64 {
        match self {
            Output::Nothing | Output::Stdout(..) => 0,
            Output::Lines { length, .. } => *length,
            Output::Parquet(parquet) => parquet.length(),
        }
    }

    /// Makes what was written so far durable.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match self {
            Output::Nothing => Ok(()),
            Output::Stdout(stdout, closed) => closed.write(|| stdout.flush()),
            Output::Lines { file, path, .. } => file.sync_data().map_err(|error| named(path, &error)),
            Output::Parquet(parquet) => parquet.checkpoint().map(drop),
        }
    }

    /// Ends the output of a run that was stopped. What is beyond `length` belongs to an unfinished can.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn truncate(&mut self, length: u64) -> io::Result<()> {
        match self {
            Output::Lines { file, path, .. } => file.set_len(length).map_err(|error| named(path, &error)),
            _ => Ok(()), // a spool is truncated when the run is resumed
        }
    }

    /// Makes the current output of a run that can be resumed visible to readers.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn publish(&mut self) -> io::Result<()> {
        match self {
            Output::Parquet(parquet) => parquet.publish().map(drop),
            other => other.sync(),
        }
    }

    /// Ends the output of a complete run.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Output::Parquet(parquet) => parquet.finish().map(drop),
            mut other => other.sync(),
        }
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
