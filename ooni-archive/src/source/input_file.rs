//! [`InputFile`]: a file to be read, and how it is opened.

use crate::can::{Can, CanName, Expected, Format, Recognition};
use crate::day::Day;
use crate::limits::Limits;
use ooni_core::error::{Code, Error};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How outputs and stores refer to a file.
#[derive(Debug, Default)]
pub struct Source {
    /// Its path as given, its key in the archive, or `-`.
    pub name: String,
    /// The uid in its name, for a file of one measurement.
    pub uid: Option<String>,
    /// Its location, if it is a can of the archive.
    pub can: Option<InArchive>,
    /// The country of all its measurements in upper case, if its key shows it.
    pub cc: Option<String>,
    /// The test of all its measurements in lower case without underscores, if its key shows it.
    pub testname: Option<String>,
    /// The file that this one is read instead of.
    pub fallback: Option<Fallback>,
    /// Whether the rest of the file is skipped.
    pub cancelled: AtomicBool,
}

/// A file without entries, whose [`Twin`] is read instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Its path or key.
    pub instead_of: String,
    /// What is wrong with it, in a few words.
    pub why: &'static str,
}

/// A can of the archive, with what rows of the table `jsonl` need to refer to its bodies (formats spec §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InArchive {
    /// Its key.
    pub key: Arc<str>,
    /// The key of the JSONL file with the same measurements, or its own if there is none.
    pub bodies: Arc<str>,
    /// The day under which it is kept.
    pub day: Day,
    /// The same as text, `YYYY-MM-DD`.
    pub date: Arc<str>,
    /// Its bytes.
    pub size: u64,
}

/// Where bytes come from.
pub enum Origin {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A file that exists until the second value is dropped.
    Kept(PathBuf, Box<dyn Send>),
}

/// Finds the other file of the same stem, which has the same measurements; returns its name and origin, if it exists.
pub type Twin = Box<dyn FnOnce() -> Option<(String, Origin)> + Send>;

/// A file to be read.
pub struct InputFile {
    /// How it is referred to.
    pub source: Source,
    /// Where its bytes are.
    pub origin: Origin,
    /// What is known of its format.
    pub expected: Expected,
    /// The name that YAML reports in it take values from.
    pub can_name: CanName,
    /// Why it cannot be read, if that is already known.
    pub error: Option<Error>,
    /// Read instead if this file has no entries.
    pub twin: Option<Twin>,
}

/// A sequence of files.
pub type InputFiles<'f> = Box<dyn Iterator<Item = InputFile> + Send + 'f>;

/// A file that is open.
#[derive(Debug)]
pub struct Opened {
    /// Its content.
    pub can: Can,
    /// How it is referred to.
    pub source: Arc<Source>,
    _kept: Origin,
}

impl InputFile {
    /// Opens it and reads its first bytes; `None` if there is nothing to read.
    ///
    /// If it cannot be opened, the can has that error as its only entry. If it is empty or not recognized, and its twin is
    /// recognized, the twin is opened. `read` counts the bytes that are read.
    pub fn open(self, limits: &Limits, read: &Arc<AtomicU64>) -> Option<Opened> {
        let InputFile { mut source, origin, expected, can_name, error, twin } = self;
        if expected.format() == Some(Format::Index) {
            return None;
        }
        if let Some(error) = error {
            return Some(Opened { can: Can::refused(error), source: Arc::new(source), _kept: origin });
        }
        let open = |origin: &Origin, expected| match origin.open(read) {
            Ok(bytes) => Can::open(expected, bytes, &can_name, limits),
            Err(error) => Can::refused(Error::new(Code::Can, "", format!("cannot be opened: {error}"))),
        };
        let can = open(&origin, expected);
        let why = match can.recognition() {
            Recognition::Recognized => None,
            Recognition::Empty => Some("has no measurements"),
            Recognition::Unrecognized => Some("cannot be read"),
        };
        if let Some(why) = why
            && let Some((name, origin)) = twin.and_then(|twin| twin())
        {
            let can = open(&origin, Expected::of_name(&name));
            if can.recognition() == Recognition::Recognized {
                source.fallback = Some(Fallback { instead_of: std::mem::replace(&mut source.name, name), why });
                return Some(Opened { can, source: Arc::new(source), _kept: origin });
            }
        }
        Some(Opened { can, source: Arc::new(source), _kept: origin })
    }
}

impl Origin {
    fn open(&self, read: &Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
        let read = Arc::clone(read);
        Ok(match self {
            Origin::Stdin => Box::new(Counted { bytes: io::stdin(), read }),
            Origin::File(path) | Origin::Kept(path, _) => Box::new(Counted { bytes: File::open(path)?, read }),
        })
    }
}

impl Source {
    /// Skips the rest of the file.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the rest of the file is skipped.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Fallback {
    /// A clause that follows the name of the file that was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read instead of {}, which {}", self.instead_of, self.why)
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

impl fmt::Debug for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InputFile { source, origin, expected, .. } = self;
        f.debug_tuple("InputFile").field(&source.name).field(origin).field(expected).finish()
    }
}

/// Counts the bytes that are read.
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
