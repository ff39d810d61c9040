//! Position files come from. A supply is an iterator of [`InputFile`] files; the [`pipeline`](crate::pipeline) opens them.

pub mod archive;
mod cache;
pub mod local;
pub mod prefetch;

use crate::can::{Can, Format, Report};
use crate::day::Day;
use crate::limits::Limits;
use ooni_core::error::{Code, Error};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A file, as outputs and stores name it.
#[derive(Debug, Default)]
pub struct Source {
    /// Its path as given, its key in the archive, or `-`.
    pub name: String,
    /// The uid that its name says, for a file of one measurement.
    pub uid: Option<String>,
    /// The can of the archive that it is.
    pub can: Option<InArchive>,
    /// The country of all its measurements in upper case, if its key tells.
    pub cc: Option<String>,
    /// Their test in lower case without underscores, if its key tells.
    pub testname: Option<String>,
    /// Whether the reading of this file was given up.
    pub given_up: AtomicBool,
}

/// A can of the archive, as rows of the table `jsonl` say where bodies are (formats spec §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InArchive {
    /// Its key.
    pub key: Arc<str>,
    /// The key of the file of lines with the same measurements; its own where there is none.
    pub bodies: Arc<str>,
    /// The day under which it is kept.
    pub day: Day,
    /// The same as text, `YYYY-MM-DD`.
    pub date: Arc<str>,
    /// Its bytes.
    pub size: u64,
}

/// Position bytes come from.
pub enum Origin {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A file that is there until the second is dropped.
    Kept(PathBuf, Box<dyn Send>),
}

/// A file to be read.
#[derive(Debug)]
pub struct InputFile {
    /// What it is called.
    pub source: Arc<Source>,
    /// Position it is.
    pub origin: Origin,
    /// What it is; `None` when its name does not say.
    pub format: Option<Format>,
    /// What its reports are told of it.
    pub report: Report,
    /// Why it cannot be read, if that is known already.
    pub trouble: Option<Error>,
}

/// Files one after another.
pub type Supply<'s> = Box<dyn Iterator<Item = InputFile> + Send + 's>;

/// A file that is open.
#[derive(Debug)]
pub struct Opened {
    /// What is in it.
    pub can: Can,
    /// What it is called.
    pub source: Arc<Source>,
    _kept: Origin,
}

impl InputFile {
    /// Opens it. What cannot be opened is a can with that trouble in it; `None` is a file with nothing to read.
    pub fn open(self, limits: &Limits, read: &Arc<AtomicU64>) -> Option<Opened> {
        let InputFile { source, origin, format, report, trouble } = self;
        let refused = |sentence: String| Can::refused(Error::new(Code::Can, "", sentence));
        let can = match (trouble, format) {
            (Some(trouble), _) => Can::refused(trouble),
            (None, None) => refused("not a file of measurements by its name".to_owned()),
            (None, Some(format)) => {
                let bytes: io::Result<Box<dyn Read + Send>> = match &origin {
                    Origin::Stdin => Ok(Box::new(Counted { bytes: io::stdin(), read: Arc::clone(read) })),
                    Origin::File(path) | Origin::Kept(path, _) => File::open(path)
                        .map(|bytes| Box::new(Counted { bytes, read: Arc::clone(read) }) as Box<dyn Read + Send>),
                };
                match bytes {
                    Ok(bytes) => Can::open(format, bytes, &report, limits)?,
                    Err(error) => refused(format!("cannot be opened: {error}")),
                }
            }
        };
        Some(Opened { can, source, _kept: origin })
    }
}

impl Source {
    /// Says that the rest of the file is not wanted.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether that was said.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Stdin => f.write_str("Stdin"),
            Origin::File(path) | Origin::Kept(path, _) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Counts what is read.
#[derive(Debug)]
struct Counted<R> {
    bytes: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bytes.read(into)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
