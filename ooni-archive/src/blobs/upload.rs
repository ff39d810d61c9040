//! [`Upload`]: a file that is to be stored. [`Stored`]: size and checksum of an object, to compare it with what was sent.

use super::failure::Failure;
use super::http::RequestBody;
use ooni_core::hex::hex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Size of the read buffer.
const BUFFER: usize = 256 << 10;

/// Size and checksum of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: [u8; 32],
}

impl Stored {
    /// Compares an object that was read with this one.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn compare(&self, found: Stored) -> Result<(), Failure> {
        if found.size != self.size {
            return Err(Failure::invalid_response(format!("it has {} bytes instead of {}", found.size, self.size)));
        }
        if found.sha256 != self.sha256 {
            let [found, wanted] = [found, *self].map(|stored| hex(stored.sha256));
            return Err(Failure::invalid_response(format!("its SHA-256 is {found} but should be {wanted}")));
        }
        Ok(())
    }
}

/// A file to be stored as an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) path: PathBuf,
    pub(crate) content: Stored,
}

impl Upload {
    /// Reads a file for its size and checksum.
    pub(crate) fn of_file(path: &Path) -> Result<Upload, Failure> {
        let content = File::open(path).and_then(stored).map_err(|error| Failure::of_file(path.display(), &error))?;
        Ok(Upload { path: path.to_owned(), content })
    }

    /// Opens the file.
    pub(crate) fn file(&self) -> Result<File, Failure> {
        File::open(&self.path).map_err(|error| Failure::of_file(self.path.display(), &error))
    }

    /// Opens the file as the body of a request.
    pub(crate) fn body(&self) -> Result<RequestBody, Failure> {
        Ok(RequestBody::file(self.file()?, self.content.size))
    }
}

/// Size and checksum of what was read so far.
#[derive(Clone, Default)]
pub(crate) struct Reading {
    pub(crate) size: u64,
    sha256: Sha256,
}

impl Reading {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sha256.update(bytes);
    }

    pub(crate) fn finish(self) -> Stored {
        Stored { size: self.size, sha256: self.sha256.finalize().into() }
    }
}

/// Reads a file for its size and checksum.
pub(crate) fn stored(mut file: File) -> io::Result<Stored> {
    let mut reading = Reading::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(reading.finish()),
            Ok(length) => reading.update(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
