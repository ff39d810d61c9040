//! [`Output`]: the file of `--out`, which can be cut back to where a can ended.

use crate::worker::ScoredChunk;
use ooni_store::parquet::Parquet;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What `--out` can be, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `.jsonl`, and standard output.
    Jsonl,
    /// `.csv`.
    Csv,
    /// `.parquet`.
    Parquet,
}

impl Form {
    /// The form of a file; `None` for other names.
    pub(super) fn of(path: &Path) -> Option<Form> {
        if path.as_os_str() == "-" {
            return Some(Form::Jsonl);
        }
        match path.extension()?.to_str()? {
            "jsonl" => Some(Form::Jsonl),
            "csv" => Some(Form::Csv),
            "parquet" => Some(Form::Parquet),
            _ => None,
        }
    }
}

/// Position results go besides the store.
#[derive(Debug)]
pub(super) enum Output {
    /// Nowhere.
    Nothing,
    /// Standard output, which cannot be cut back.
    Stdout(io::Stdout),
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
    /// Begins anew with a header, or goes on at a length.
    ///
    /// # Errors
    /// The file cannot be written, or is shorter than that.
    pub(super) fn open(path: Option<&Path>, resume_at: Option<u64>, header: &[u8]) -> io::Result<Output> {
        let Some(path) = path else { return Ok(Output::Nothing) };
        if path.as_os_str() == "-" {
            let mut stdout = io::stdout();
            stdout.write_all(header)?;
            return Ok(Output::Stdout(stdout));
        }
        if Form::of(path) == Some(Form::Parquet) {
            return Parquet::create(path, resume_at).map(Output::Parquet);
        }
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let length = resume_at.unwrap_or(0);
        // Not cut to nothing when it is opened: what is there is cut to what counts.
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(named)?;
        if file.metadata().map_err(named)?.len() < length {
            return Err(named(io::Error::other("is shorter than its journal says; begin anew, without --resume")));
        }
        file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length))).map_err(named)?;
        let mut output = Output::Lines { file, path: path.to_owned(), length };
        if length == 0 {
            output.append(header)?;
        }
        Ok(output)
    }

    /// Appends what came of a piece of a can.
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
            Output::Stdout(stdout) => stdout.write_all(bytes),
            Output::Lines { file, path, length } => {
                let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
                file.write_all(bytes).map_err(named)?;
                *length += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// Position to go on after what was put so far.
    pub(super) fn length(&self) -> u64 {
        match self {
            Output::Nothing | Output::Stdout(_) => 0,
            Output::Lines { length, .. } => *length,
            Output::Parquet(parquet) => parquet.length(),
        }
    }

    /// Makes what was put so far durable.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match self {
            Output::Nothing => Ok(()),
            Output::Stdout(stdout) => stdout.flush(),
            Output::Lines { file, .. } => file.sync_data(),
            Output::Parquet(parquet) => parquet.checkpoint().map(drop),
        }
    }

    /// Ends the output of a run that was stopped: what is beyond `length` belongs to a can that is not finished.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        match self {
            Output::Lines { file, .. } => file.set_len(length),
            _ => Ok(()), // a spool is cut when the run goes on
        }
    }

    /// Shows what there is of a run that may go on.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn publish(&mut self) -> io::Result<()> {
        match self {
            Output::Parquet(parquet) => parquet.publish().map(drop),
            other => other.sync(),
        }
    }

    /// Ends the output of a run that does not go on.
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
