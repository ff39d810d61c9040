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

/// A file, as outputs and stores name it.
#[derive(Debug, Default)]
pub struct Source {
    /// Its path as given, its key in the archive, or `-`.
    pub name: String,
    /// The uid in its name, for a file of one measurement.
    pub uid: Option<String>,
    /// The can of the archive that it is.
    pub can: Option<InArchive>,
    /// The country of all its measurements in upper case, if its key tells.
    pub cc: Option<String>,
    /// Their test in lower case without underscores, if its key tells.
    pub testname: Option<String>,
    /// The file that this one is read instead of.
    pub fallback: Option<Fallback>,
    /// Whether the rest of this file is not wanted.
    pub cancelled: AtomicBool,
}

/// A file that gave no entry, so that its [`Twin`] is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Its path or key.
    pub instead_of: String,
    /// What is wrong with it, in a few words.
    pub why: &'static str,
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

/// Where bytes come from.
pub enum Origin {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A file that is there until the second is dropped.
    Kept(PathBuf, Box<dyn Send>),
}

/// Finds the other file of the same stem, which has the same measurements: its name and where it is, if there is one.
pub type Twin = Box<dyn FnOnce() -> Option<(String, Origin)> + Send>;

/// A file to be read.
pub struct InputFile {
    /// What it is called.
    pub source: Source,
    /// Where it is.
    pub origin: Origin,
    /// What is known of its format.
    pub expected: Expected,
    /// The file name that its reports are interpreted with.
    pub can_name: CanName,
    /// Why it cannot be read, if that is known already.
    pub error: Option<Error>,
    /// What is read when this file gives no entry.
    pub twin: Option<Twin>,
}

/// Files one after another.
pub type InputFiles<'f> = Box<dyn Iterator<Item = InputFile> + Send + 'f>;

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
    /// Opens it and reads its first bytes; `None` is a file with nothing to read.
    ///
    /// One that cannot be opened is a can with that error in it. One that is empty or not recognized is replaced by its
    /// twin where that is sound. `read` counts the bytes that are read.
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
    /// The rest of the file is not wanted.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the rest of the file is not wanted.
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
