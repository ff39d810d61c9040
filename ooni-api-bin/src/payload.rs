//! [`Payload`]: a decoded request body, in memory or in a temporary file.

use bytes::Bytes;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Size of the pieces in which files are copied.
pub(crate) const PIECE: usize = 256 << 10;

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
            Payload::File { file, length } => for_each_piece(file, 0, *length, f),
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
    File(File, u64),
}

/// Writes a payload: in memory first, in a temporary file as soon as it is large.
#[derive(Debug)]
pub(crate) struct Writer {
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
    /// Its maximum length.
    limit: u64,
    /// Its maximum length in memory.
    spill_above: usize,
    /// The directory of the file.
    directory: Arc<Path>,
}

impl Writer {
    pub(crate) fn new(limit: u64, spill_above: usize, directory: Arc<Path>) -> Writer {
        Writer { memory: Vec::new(), file: None, length: 0, limit, spill_above, directory }
    }

    /// How much memory it needs, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.memory.capacity()
    }

    pub(crate) fn finish(self) -> Written {
        match self.file {
            Some(file) => Written::File(file, self.length),
            None => Written::Memory(self.memory),
        }
    }

    fn store(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            return file.write_all(bytes);
        }
        if self.memory.len() + bytes.len() <= self.spill_above {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let mut file = tempfile::tempfile_in(&self.directory)?;
        file.write_all(&std::mem::take(&mut self.memory))?;
        file.write_all(bytes)?;
        self.file = Some(file);
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
        self.store(bytes).map_err(|error| io::Error::other(Failure::Storage(error)))?;
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
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_file() {
        let directory = tempfile::tempdir().unwrap();
        for (length, in_file) in [(0, false), (10, false), (11, true), (1000, true)] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut writer = Writer::new(1000, 10, Arc::from(directory.path()));
            for part in bytes.chunks(3) {
                writer.write_all(part).unwrap();
            }
            let payload = match writer.finish() {
                Written::Memory(bytes) => Payload::Memory(bytes.into()),
                Written::File(file, length) => Payload::File { file, length },
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
        let writer = |directory: &Path| Writer::new(20, 10, Arc::from(directory));
        assert!(matches!(failure(writer(directory.path()), &[0; 21]), Failure::TooLarge(20)));
        assert!(matches!(failure(writer(&directory.path().join("none")), &[0; 20]), Failure::Storage(_)));
    }
}
