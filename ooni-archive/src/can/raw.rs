//! [`RawBytes`]: the stored bytes of a file, with a buffer for look-ahead.

use ooni_core::error::{Code, Error};
use std::io::{self, ErrorKind, Read};

/// Size of the buffer.
const BUFFER: usize = 64 << 10;

/// The stored bytes of a file.
#[derive(Default)]
pub(super) struct RawBytes {
    file: Option<Box<dyn Read + Send>>,
    /// Bytes read from the file and not yet used are `buffer[used..filled]`.
    buffer: Box<[u8]>,
    used: usize,
    filled: usize,
    /// Bytes of the file before `buffer[used]`.
    offset: u64,
}

impl RawBytes {
    /// The bytes of this file.
    pub(super) fn new(file: Box<dyn Read + Send>) -> RawBytes {
        RawBytes { file: Some(file), ..RawBytes::default() }
    }

    /// Offset in the file of the first byte that was not used.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that have been read and not used.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.used..self.filled]
    }

    /// Counts bytes as used.
    pub(super) fn take(&mut self, bytes: usize) {
        self.used += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until [`RawBytes::rest`] has at least so many bytes or the file ends; returns their number.
    pub(super) fn at_least(&mut self, least: usize) -> io::Result<usize> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER].into_boxed_slice();
        }
        if self.used == self.filled {
            (self.used, self.filled) = (0, 0);
        } else if self.filled - self.used < least {
            self.buffer.copy_within(self.used..self.filled, 0);
            (self.used, self.filled) = (0, self.filled - self.used);
        }
        while self.filled - self.used < least {
            let bytes = read(&mut self.file, &mut self.buffer[self.filled..])?;
            if bytes == 0 {
                break;
            }
            self.filled += bytes;
        }
        Ok(self.filled - self.used)
    }
}

impl Read for RawBytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() && into.len() < BUFFER {
            self.at_least(1)?;
        }
        let rest = self.rest();
        let bytes = if rest.is_empty() {
            read(&mut self.file, into)?
        } else {
            let bytes = rest.len().min(into.len());
            into[..bytes].copy_from_slice(&rest[..bytes]);
            self.used += bytes;
            bytes
        };
        self.offset += bytes as u64;
        Ok(bytes)
    }
}

fn read(file: &mut Option<Box<dyn Read + Send>>, into: &mut [u8]) -> io::Result<usize> {
    let Some(file) = file else { return Ok(0) };
    loop {
        match file.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The error of a file that cannot be read. An error of an outer decompressor is passed through.
pub(super) fn unreadable(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => can_error(&format!("cannot be read: {error}")),
    }
}

/// An error of a container.
pub(super) fn can_error(sentence: &str) -> Error {
    Error::new(Code::Can, "", sentence)
}
