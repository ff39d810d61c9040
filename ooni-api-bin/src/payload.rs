//! [`Payload`]: a decoded request body, in memory or in a temporary file.

use crate::intake::{Disk, LowDisk};
use bytes::Bytes;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Size of the pieces in which files are copied.
pub(crate) const PIECE: usize = 256 << 10;

/// A file that is being written asks for free space of the disk again after so many bytes.
const ASK_DISK: u64 = 4 << 20;

/// The bytes of a submission after content decoding. Large ones are in a file, so that memory stays bounded.
#[derive(Debug)]
pub enum Payload {
    /// A small body. It counts as memory in use until the last clone of the bytes is dropped.
    Memory(Bytes),
    /// A large body, in a temporary file that has no name.
    File {
        /// The file; its position is not used.
        file: File,
        /// Its length in bytes.
        length: u64,
        /// Its part of what all temporary files of bodies may use.
        space: Option<Space>,
    },
}

impl Payload {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Payload::Memory(bytes) => bytes.len() as u64,
            Payload::File { length, .. } => *length,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much memory it takes while it is copied.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Payload::Memory(bytes) => bytes.len(),
            Payload::File { .. } => PIECE,
        }
    }

    /// Passes its bytes in pieces to a function; reading a file may block.
    pub(crate) fn for_each_piece(&self, mut f: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Payload::Memory(bytes) => f(bytes),
            Payload::File { file, length, .. } => for_each_piece(file, 0, *length, f),
        }
    }

    /// Reads it from the start. Several readers do not disturb each other. Reading a file may block.
    pub fn reader(&self) -> Reader<'_> {
        Reader { payload: self, position: 0 }
    }

    /// All its bytes; reading a file may block.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn into_bytes(self) -> io::Result<Bytes> {
        match self {
            Payload::Memory(bytes) => Ok(bytes),
            Payload::File { .. } => {
                let mut bytes = Vec::with_capacity(usize::try_from(self.len()).unwrap_or_default());
                self.reader().read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

/// Passes the bytes of a part of a file in pieces to a function.
pub(crate) fn for_each_piece(
    file: &File,
    start: u64,
    length: u64,
    mut f: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(PIECE).min(PIECE)];
    let mut done = 0;
    while done < length {
        let wanted = usize::try_from(length - done).unwrap_or(PIECE).min(PIECE);
        let piece = &mut buffer[..wanted];
        file.read_exact_at(piece, start + done)?;
        f(piece)?;
        done += wanted as u64;
    }
    Ok(())
}

/// Reads a payload.
#[derive(Debug)]
pub struct Reader<'a> {
    payload: &'a Payload,
    position: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.payload {
            Payload::Memory(bytes) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read(buffer)?
            }
            Payload::File { file, .. } => file.read_at(buffer, self.position)?,
        };
        self.position += count as u64;
        Ok(count)
    }
}

/// What a [`Writer`] has written.
#[derive(Debug)]
pub(crate) enum Written {
    Memory(Vec<u8>),
    File(Payload),
}

/// What all temporary files of bodies have in common.
#[derive(Debug)]
pub(crate) struct Spills {
    /// Bodies above this size go to a file.
    above: usize,
    directory: PathBuf,
    disk: Disk,
    capacity: u64,
    used: AtomicU64,
}

impl Spills {
    /// `required` bytes of the disk stay free, and all files together have at most `capacity` bytes.
    pub(crate) fn new(above: usize, directory: &Path, required: u64, capacity: u64) -> Spills {
        let disk = Disk::new(directory.to_owned(), required);
        Spills { above, directory: directory.to_owned(), disk, capacity, used: AtomicU64::new(0) }
    }
}

/// What a file uses of the space for all of them, until it is dropped.
#[derive(Debug)]
pub struct Space {
    spills: Arc<Spills>,
    bytes: u64,
}

impl Space {
    fn new(spills: Arc<Spills>) -> Space {
        Space { spills, bytes: 0 }
    }

    /// The file gets another part.
    fn grow(&mut self, part: usize) -> Result<(), Failure> {
        let (part, spills) = (part as u64, &self.spills);
        if self.bytes == 0 || self.bytes / ASK_DISK != (self.bytes + part) / ASK_DISK {
            spills.disk.has_room().map_err(Failure::LowDisk)?;
        }
        if spills.used.fetch_add(part, Relaxed) + part > spills.capacity {
            spills.used.fetch_sub(part, Relaxed);
            return Err(Failure::Busy);
        }
        self.bytes += part;
        Ok(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.spills.used.fetch_sub(self.bytes, Relaxed);
    }
}

/// Writes a payload: in memory first, in a temporary file as soon as it is large.
#[derive(Debug)]
pub(crate) struct Writer {
    memory: Vec<u8>,
    file: Option<(File, Space)>,
    length: u64,
    /// Its maximum length.
    limit: u64,
    /// `None` if it stays in memory.
    spills: Option<Arc<Spills>>,
}

impl Writer {
    pub(crate) fn new(limit: u64, spills: Option<Arc<Spills>>) -> Writer {
        Writer { memory: Vec::new(), file: None, length: 0, limit, spills }
    }

    /// How much memory it needs, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.memory.capacity()
    }

    pub(crate) fn finish(self) -> Written {
        match self.file {
            Some((file, space)) => Written::File(Payload::File { file, length: self.length, space: Some(space) }),
            None => Written::Memory(self.memory),
        }
    }

    fn store(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if let Some((file, space)) = &mut self.file {
            space.grow(bytes.len())?;
            return file.write_all(bytes).map_err(Failure::Storage);
        }
        let length = self.memory.len() + bytes.len();
        let Some(spills) = self.spills.as_ref().filter(|spills| length > spills.above) else {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        };
        let mut space = Space::new(Arc::clone(spills));
        space.grow(length)?;
        let start = std::mem::take(&mut self.memory);
        let create = || {
            let mut file = tempfile::tempfile_in(&spills.directory)?;
            file.write_all(&start)?;
            file.write_all(bytes)?;
            Ok(file)
        };
        self.file = Some((create().map_err(Failure::Storage)?, space));
        Ok(())
    }
}

impl Write for Writer {
    /// Its errors are [`Failure`]s.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len() as u64;
        if self.length > self.limit {
            return Err(io::Error::other(Failure::TooLarge(self.limit)));
        }
        self.store(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a payload could not be written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is longer than this limit.
    TooLarge(u64),
    /// The file cannot be written.
    Storage(io::Error),
    /// The disk has too little free space for a file.
    LowDisk(LowDisk),
    /// All files together are too large.
    Busy,
    /// What was read cannot be decoded.
    Input(io::Error),
}

impl Failure {
    /// The failure behind an error of a decoder that writes a payload.
    pub(crate) fn of(error: io::Error) -> Failure {
        match error.downcast::<Failure>() {
            Ok(failure) => failure,
            Err(error) => Failure::Input(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TooLarge(limit) => write!(f, "more than {limit} bytes"),
            Failure::Storage(error) | Failure::Input(error) => error.fmt(f),
            Failure::LowDisk(error) => error.fmt(f),
            Failure::Busy => f.write_str("too many temporary files"),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn spills(directory: &Path, required: u64, capacity: u64) -> Option<Arc<Spills>> {
        Some(Arc::new(Spills::new(10, directory, required, capacity)))
    }

    #[test]
    fn memory_and_file() {
        let directory = tempfile::tempdir().unwrap();
        for (length, in_file) in [(0, false), (10, false), (11, true), (1000, true)] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut writer = Writer::new(1000, spills(directory.path(), 0, 1000));
            for part in bytes.chunks(3) {
                writer.write_all(part).unwrap();
            }
            let payload = match writer.finish() {
                Written::Memory(bytes) => Payload::Memory(bytes.into()),
                Written::File(payload) => payload,
            };
            assert_eq!(matches!(payload, Payload::File { .. }), in_file, "{length}");
            assert_eq!(payload.len(), length);
            for _ in 0..2 {
                let mut read = Vec::new();
                payload.reader().read_to_end(&mut read).unwrap();
                assert_eq!(read, bytes);
            }
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "the file has a name");
            assert_eq!(payload.into_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn failures() {
        let directory = tempfile::tempdir().unwrap();
        let failure = |mut writer: Writer, bytes: &[u8]| Failure::of(writer.write_all(bytes).unwrap_err());
        let directory = directory.path();
        let writer = |spills| Writer::new(20, spills);
        assert!(matches!(failure(writer(spills(directory, 0, 20)), &[0; 21]), Failure::TooLarge(20)));
        assert!(matches!(failure(writer(spills(&directory.join("none"), 0, 20)), &[0; 20]), Failure::Storage(_)));
        assert!(matches!(failure(writer(spills(directory, u64::MAX, 20)), &[0; 20]), Failure::LowDisk(_)));
        assert!(matches!(failure(writer(spills(directory, 0, 19)), &[0; 20]), Failure::Busy));
    }

    #[test]
    fn files_use_space_until_they_are_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let spills = spills(directory.path(), 0, 100);
        let write = |length| {
            let mut writer = Writer::new(1000, spills.clone());
            (0..length).try_for_each(|_| writer.write_all(&[0])).map(|()| writer.finish())
        };
        let first = write(60).unwrap();
        assert!(matches!(Failure::of(write(41).unwrap_err()), Failure::Busy));
        write(10).unwrap();
        let second = write(40).unwrap();
        drop(first);
        write(60).unwrap();
        drop(second);
        write(100).unwrap();
        assert_eq!(spills.unwrap().used.load(Relaxed), 0);
    }
}
